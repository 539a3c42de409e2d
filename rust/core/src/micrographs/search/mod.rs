//! Finds pairs that show the same area, in three steps. *Screening* correlates all pairs at low resolution ([`LowResolution`]); the pairs
//! that pass are *refined*, in the resolution of the views ([`Matcher`]); the accepted ones are *confirmed*, measured in the full resolution
//! of the reduced micrographs ([`confirm`]). [`Search`] does the first two.

mod alignment;
mod choice;
mod compare;
pub(super) mod comparison;
mod confirm;
mod fit;
mod low_resolution;
mod peak_maps;
mod planting;
mod pools;
mod refine;
mod screen;
mod screening_file;
mod shared_pattern;
mod tiles;
mod window;

pub use alignment::{Alignment, Pair, alignments, pairs};
pub use choice::Sensitivity;
pub use compare::{Block, Limits, Listed, RANDOM_PAIRS, Search};
pub use comparison::Comparison;
pub use confirm::{Confirmed, confirm};
pub use low_resolution::{LowResolution, Threshold};
pub use refine::{Match, Matcher};
pub use screen::{Extent, Screening, Shard};
pub(super) use shared_pattern::share_pattern;
pub use window::{window_decoys, window_pairs};

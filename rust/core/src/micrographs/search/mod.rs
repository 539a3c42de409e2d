//! Finds pairs that show the same area: all pairs at low resolution ([`Coarse`]), those that pass closely ([`Matcher`]), and the accepted
//! ones exactly ([`confirm`]).

mod choice;
mod coarse;
mod compare;
pub(super) mod comparison;
mod confirm;
mod fit;
mod peak_maps;
mod place;
mod planting;
mod pools;
mod refine;
mod saved;
mod screen;
mod shared_pattern;
mod tiles;

pub use choice::Sensitivity;
pub use coarse::{Coarse, Threshold};
pub use compare::{Block, Limits, Listed, RANDOM_PAIRS, Search};
pub use comparison::Comparison;
pub use confirm::{Confirmed, confirm};
pub use place::{Pair, Place, pairs, places};
pub use refine::{Match, Matcher};
pub use screen::{Screening, Shard};
pub(super) use shared_pattern::share_pattern;

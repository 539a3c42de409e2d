//! Finds pairs that show the same area: all pairs at low resolution ([`Screener`]), those that pass closely ([`Matcher`]), and the accepted
//! ones exactly ([`confirm`]).

mod choice;
mod closely;
mod coarse;
mod confirm;
mod fit;
mod peak_maps;
mod place;
mod planting;
mod pools;
mod saved;
mod screen;
mod shared_pattern;
pub mod shot_agreement;
mod tiles;

pub use choice::Sensitivity;
pub use closely::{Match, Matcher};
pub use coarse::{Candidate, Coarse, Threshold};
pub use confirm::{Confirmed, confirm};
pub use place::{Pair, Place, pairs, places};
pub use screen::{Screened, Screener, Screening, Shard};
pub use shared_pattern::share_pattern;
pub use shot_agreement::{Lead, Leads, Lists, Questions, Shots};

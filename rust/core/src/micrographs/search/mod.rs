//! Finds pairs that show the same area: all pairs at low resolution ([`screen`]), those that pass closely ([`Matcher`]), and the accepted
//! ones exactly ([`confirm`]).

mod closely;
mod coarse;
mod confirm;
mod fit;
mod place;
mod planting;
mod pools;
mod screen;
pub mod shot_agreement;
mod tiles;

pub use closely::{Match, Matcher};
pub use coarse::Candidate;
pub use confirm::{Confirmed, confirm};
pub use place::{Pair, Place, pairs, places};
pub use screen::{Screened, Screening, Sensitivity, screen};
pub use shot_agreement::{Lead, Leads, Lists, Questions, Shots};

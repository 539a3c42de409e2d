//! Which pairs show the same: all at low resolution ([`screen`]), those that pass closely ([`Matcher`]), and the accepted ones exactly
//! ([`confirm`]).

mod closely;
mod coarse;
mod confirm;
mod fit;
mod planting;
mod pools;
mod screen;
pub mod shot_agreement;
mod tiles;

pub use closely::{Match, Matcher, Place};
pub use coarse::Candidate;
pub use confirm::{Confirmed, confirm};
pub use screen::{Screened, Screening, Sensitivity, screen};
pub use shot_agreement::{Lead, Lists, Questions, Shots};

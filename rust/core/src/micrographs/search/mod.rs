//! Which pairs show the same: all at low resolution ([`screen`]), those that pass closely ([`Matcher`]), and the accepted ones exactly
//! ([`confirm`]).

pub mod agreement;
mod closely;
mod coarse;
mod confirm;
mod fit;
mod planting;
mod pools;
mod screen;
mod tiles;

pub use agreement::{Lead, Lists, Questions, Shots};
pub use closely::{Match, Matcher, Place};
pub use coarse::Candidate;
pub use confirm::{Confirmed, confirm};
pub use screen::{Screened, Screening, Sensitivity, screen};

//! Decides which of the pairs that were compared show the same area.
//!
//! [`Null`] holds the null distributions of a session; `evidence` is the evidence of the other shots of a pair's holes; [`conclude`] puts them
//! together, and decides. Exponentials and logarithms are those of `libm`: the same bits on every processor.

mod conclude;
mod decoy_statistics;
mod evidence;
mod false_discovery;
mod found;
mod implied;
mod null;
mod orientations;
mod overlap_scale;
mod shots;
mod statistics;
mod tails;

pub use conclude::{Compared, Criteria, Criterion, DOUBTFUL_Z, Decision, Decisions, NEAR_ZERO_PX, conclude, conclude_search};
pub use evidence::Agreement;
pub use null::{Null, USUAL_MIDDLE_Z};
pub use orientations::find_orientations;
pub use shots::Shots;
pub use tails::{Gumbel, MIN_FOR_NULL, MIRRORED_CAUTION, Tail};

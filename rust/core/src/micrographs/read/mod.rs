//! Prepares micrographs and keeps them in a cache file: averaged in bins while they are read, without the slow change of brightness, edges of
//! beam and foil, and what is brighter or darker than any specimen.

mod finite;
pub(super) mod flatten;
mod frame;
mod mask;
mod prepare;
pub(super) mod reduce;
mod surface;

pub use super::cache::{Key, Kind, Record, is_cache};
pub use super::stored::{Stored, find_records};
pub use finite::{MAX_MASKED, Reduced};
pub use frame::{Frame, Packing};
pub use prepare::{Outcome, Preparation};

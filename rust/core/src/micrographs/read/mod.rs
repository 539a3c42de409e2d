//! From files to prepared micrographs in the cache: averaged in bins while they are read, without the slow change of brightness, edges of
//! beam and foil, and what is brighter or darker than any specimen.

pub mod finite;
pub mod flatten;
pub mod frame;
mod mask;
mod prepare;
pub mod reduce;
mod surface;

pub use finite::MAX_MASKED;
pub use flatten::{Flattened, flatten};
pub use frame::{Frame, Packing};
pub use prepare::{Outcome, Preparation};

//! From frames to reduced micrographs without the slow change of brightness, edges of beam and foil, and what is brighter or darker than any
//! specimen.

mod cells;
mod local;
mod shown;
mod surface;
mod taper;

pub use cells::Cells;
pub use local::{Flattened, flatten};
pub use taper::taper;

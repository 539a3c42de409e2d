//! The numerical core of cryodedup: no Python, no printing.
//!
//! * [`particles`]: which of the particles lying closer together than a minimum separation stay.
//! * [`micrographs`]: which images show the same hole, from reading them to significance.
//! * [`star`]: where the rows of a STAR file are, and the few columns of it that are needed.
//! * [`records`]: the few needed fields of a file of fixed-size records (CryoSPARC `.cs`).
//! * [`rows`]: byte spans of rows, and the writing of the kept and the rejected ones unchanged.
//! * [`error`]: what can go wrong. [`monitor`] and [`jobs`]: how a long job is watched and stopped, and by which threads it runs.
//!
//! Everything parallel runs in the rayon pool the caller is in.

pub mod error;
mod interning;
pub mod jobs;
mod kdtree;
pub mod micrographs;
pub mod monitor;
pub mod particles;
mod random;
pub mod records;
pub mod rows;
pub mod star;
mod union_find;

pub use error::{Error, Result};
pub use monitor::Monitor;

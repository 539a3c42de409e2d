//! Finds duplicate particles and duplicate micrographs in cryo-EM data: the numerical core of cryodedup, without Python and without printing.
//!
//! * [`particles`] decides which of the particles lying closer together than a minimum separation are kept.
//! * [`micrographs`] finds the images that show the same area, from reading them to significance.
//! * [`star`] finds the rows of a STAR file, and reads the few columns of it that are needed.
//! * [`records`] reads the few needed fields of a file of fixed-size records (CryoSPARC `.cs`).
//! * [`rows`] holds the byte spans of rows, and writes the kept and the rejected ones unchanged.
//! * [`error`] has the one error type. [`monitor`] and [`jobs`] watch a long job, stop it, and choose its threads.
//!
//! Parallel work runs in the rayon pool that the caller is in. Results do not depend on the number of threads.
//!
//! ```
//! use cryodedup_core::Monitor;
//! use cryodedup_core::particles::{Particles, Rule, deduplicate};
//!
//! // x and y of four picks, in Å. The first two are of one particle; the last is in another micrograph.
//! let coordinates = [10.0, 10.0, 13.0, 14.0, 200.0, 80.0, 10.0, 10.0];
//! let picks = Particles {
//!     coordinates: &coordinates,
//!     dimensions: 2,
//!     groups: Some(&[0, 0, 0, 1]),
//!     scores: Some(&[0.2, 0.9, 0.5, 0.4]),
//!     priority: None,
//! };
//! let found = deduplicate(&picks, 20.0, Rule::KeepBest, &Monitor::default())?;
//! assert_eq!(found.kept, [false, true, true, true]);
//! assert_eq!((found.rejected, found.duplicate_of, found.distances), (vec![0], vec![1], vec![5.0]));
//! # Ok::<(), cryodedup_core::Error>(())
//! ```
//!
//! `examples/particles.rs` deduplicates the particles of a CSV file; `examples/micrographs.rs` searches directories of MRC files.

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

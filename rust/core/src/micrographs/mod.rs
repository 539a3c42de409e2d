//! Micrographs that show the same hole.
//!
//! A search takes four calls; `examples/micrographs.rs` makes them all:
//!
//! 1. [`read::Preparation::read`] averages bins of each file while it reads, removes the slow change of brightness, and writes the result to
//!    a cache file.
//! 2. [`Session::load`] subtracts the camera's fixed pattern and makes a small whitened view of each micrograph.
//! 3. [`search::Search::plan`] decides how pairs are screened, and [`search::Search::compare`] compares them, all or a shard of them.
//! 4. [`significance::conclude_search`] decides which pairs are duplicates, from null distributions that it measures in the session.
//!
//! [`single_images`] correlates two images in memory, without a session.
//!
//! *Reduced pixels* are those of the prepared micrographs, each the mean of a bin of the camera's. A *shift* is the translation (x, y) that
//! superimposes the second micrograph on the first: in reduced pixels, except in [`single_images`], which has one image size only.

mod cache;
mod checked_file;
mod kernels;
pub mod live;
pub mod read;
pub mod search;
pub mod session;
pub mod significance;
pub mod single_images;
mod stored;
pub mod thumbnails;

pub use kernels::fft::instruction_set;
pub use kernels::rings::Band;
pub use kernels::warp::{Orientation, Seen, Warp};
pub use session::Session;

/// For the benchmarks and fuzz targets of this repository: no interface, it may change in any release.
#[doc(hidden)]
pub mod internals {
    pub use super::cache::{Index, Writer, index};
    pub use super::kernels::correlator::Correlator;
    pub use super::kernels::image::{Image, Table};
    pub use super::kernels::overlap::Overlap;
    pub use super::kernels::spectra::{keep, zeros};
    pub use super::read::reduce::Bins;
}

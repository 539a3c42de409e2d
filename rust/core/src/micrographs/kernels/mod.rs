//! Functions on pixels and coefficients, independent of files, sessions and pairs.
//!
//! A *lag* is the opposite of a shift: pixel x of the first image shows what pixel x + lag of the second shows.

pub(crate) mod cells;
pub mod common;
pub mod correlator;
pub(crate) mod equations;
mod extremes;
pub mod fft;
pub mod image;
pub mod overlap;
pub mod peak;
pub mod picture;
pub mod rings;
pub(crate) mod simd;
pub mod sizes;
pub mod spectra;
pub(crate) mod taper;
pub mod warp;

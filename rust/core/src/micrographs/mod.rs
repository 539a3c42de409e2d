//! Micrographs that show the same hole.
//!
//! One direction: [`significance`] → [`search`] → [`session`] → [`read`] → [`cache`] → [`kernels`]. The steps for a micrograph: [`read::Frame::reduce`]
//! averages bins while it reads; [`read::flatten()`] removes the slow change of brightness; the [`cache`] stores the result;
//! [`Session::load`] subtracts the fixed pattern and makes whitened views. Pairs go through [`search::Screener`], [`search::Matcher::find`]
//! and [`search::confirm`]; [`single_images`] is for images in memory.
//!
//! A *shift* is always the translation (x, y), in pixels, that superimposes the second image on the first. The kernels use *lags* instead:
//! pixel x of the first shows what pixel x + lag of the second shows.

pub mod cache;
pub mod kernels;
pub mod read;
mod saved;
pub mod search;
pub mod session;
pub mod significance;
pub mod single_images;
pub mod stored;
pub mod thumbnails;

pub use kernels::rings::Band;
pub use kernels::warp::{Orientation, Seen, Warp};
pub use session::Session;

//! Micrographs that show the same hole.
//!
//! One direction: [`search`] → [`session`] → [`read`] → [`cache`] → [`kernels`]. The way of a micrograph: [`read::Frame::reduce`] averages bins
//! while it reads; [`read::flatten`] takes out the slow change of brightness; the [`cache`] keeps that; [`Session::load`] takes out the fixed
//! pattern and makes whitened views. Pairs go through [`search::screen`], [`search::Matcher::find`] and [`search::confirm`]; [`single_images`] is
//! for images at hand.
//!
//! A *shift* is everywhere the move (x, y), in pixels, that lays the second image on the first. The kernels count the other way, in *lags*:
//! pixel x of the first shows what pixel x + lag of the second shows.

pub mod cache;
pub mod kernels;
pub mod read;
pub mod search;
pub mod session;
pub mod single_images;
pub mod thumbnails;

pub use kernels::rings::Band;
pub use kernels::warp::{Seen, Warp};
pub use session::Session;

//! Micrographs that show the same hole.
//!
//! The way of a micrograph: [`Frame::reduce`] averages bins while it reads; [`flatten`] takes out the slow change of brightness; the
//! [`cache`] keeps that; [`Session::load`] takes out the fixed pattern and makes whitened `views`. Pairs go through [`Coarse::screen`] (or
//! [`Groups::screen`]), [`Matcher::find`] and [`confirm`].

pub mod cache;
mod coarse;
mod confirm;
pub mod correlator;
mod equalise;
pub mod fft;
mod fit;
mod fixed_pattern;
mod frame;
mod groups;
pub mod image;
mod images;
pub mod kept;
pub mod mask;
mod matches;
pub mod overlap;
mod prepare;
mod read;
mod reader;
pub mod reduce;
mod search;
mod session;
mod simd;
pub mod spectrum;
mod tiles;
mod views;
mod warp;

pub use coarse::{Candidate, Coarse};
pub use confirm::{Confirmed, confirm};
pub use fixed_pattern::LEAST_FOR_PATTERN;
pub use frame::{Frame, Packing};
pub use groups::{Groups, Planted, SIZES, plant};
pub use images::{Fit, correlate, prepare_image};
pub use matches::{Match, Matcher, Place};
pub use prepare::{Outcome, Preparation};
pub use read::{Flattened, flatten, taper};
pub use search::{Screened, Screening, Sensitivity, screen};
pub use session::Session;
pub use spectrum::Band;
pub use warp::{Seen, Warp};

//! Measures pairs at the full resolution of the reduced micrographs.

use rayon::prelude::*;

use super::alignment::{Alignment, Pair};
use super::refine::Matcher;
use super::tiles::{self, Tiles};
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::image::{Image, OwnedImage};
use crate::micrographs::kernels::overlap::Overlap;
use crate::micrographs::kernels::rings::Band;
use crate::micrographs::kernels::taper::taper;
use crate::micrographs::kernels::warp::Warp;
use crate::micrographs::session::Session;
use crate::micrographs::session::reader::Reader;
use crate::{Monitor, Result};

/// The outer part of each side over which a micrograph fades before it is filtered.
const TAPER: f32 = 0.02;
/// Pixels of the filtered micrographs in one tile of neighbours.
const TILE_PIXELS: usize = 64 * 720 * 512;

/// The measures of a pair at the full resolution of the reduced micrographs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confirmed {
    /// The shift that superimposes the second on the first in the middle of their overlap, in pixels of the reduced micrographs.
    pub shift: (f64, f64),
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// Pearson's coefficient over the whole frame; the part that is not covered is filled with the mean.
    pub ccc: f64,
    /// Share of the frame that both show.
    pub overlap: f64,
    /// The rotation of the first relative to the second, from x to y, degrees.
    pub turn_deg: f64,
    /// The magnification of the first relative to the second.
    pub scale: f64,
}

/// Fits rotation, magnification and stretch of pairs, refines their shifts, and correlates them band-passed. Returns a row for each place.
///
/// Micrographs are filtered in tiles of neighbours, so time grows with the pairs and with the tiles that they touch; memory does not.
///
/// # Errors
/// [`crate::Error::Parameter`]: the session was made of views. [`crate::Error::Io`] of the cache or the views, [`crate::Error::Interrupted`].
pub fn confirm(session: &Session, band: Band, alignments: &[Alignment], monitor: &Monitor) -> Result<Vec<Confirmed>> {
    let pairs: Vec<Pair> = alignments.iter().map(|alignment| alignment.pair).collect();
    let matcher = Matcher::new(session, None, false);
    let plan = Plan::new(session.size.0, session.size.1);
    let filtering = session.filtering(&plan, Some(band), (taper(plan.width, TAPER), taper(plan.height, TAPER)))?;
    let tile_size = (TILE_PIXELS / plan.len()).clamp(2, 256) & !1;
    let mut tiles: Tiles<OwnedImage> = Tiles::new(tile_size);
    let make = |reader: &mut Reader, two: [usize; 2]| {
        monitor.advance(0)?;
        filtering.two(two, reader)
    };
    let near = |size: usize, view: usize| (0.55 * size as f64 / view as f64).max(1.0);
    let near = (near(session.size.0, session.view_size.0), near(session.size.1, session.view_size.1));
    let order = tiles::order(&pairs, tile_size);
    let mut confirmed = vec![Confirmed::default(); pairs.len()];
    // The same two are always transformed together, as in `refine.rs`: what is measured of a pair does not depend on the other pairs.
    let both = |i: u32| [i & !1, (i | 1).min(session.len() as u32 - 1)];
    for block in order.chunk_by(|&a, &b| tiles::of_tiles(pairs[a], tile_size) == tiles::of_tiles(pairs[b], tile_size)) {
        tiles.fill(block.iter().flat_map(|&at| both(pairs[at].1)), false, || Reader::new(&plan), make)?;
        tiles.fill(block.iter().flat_map(|&at| both(pairs[at].0)), false, || Reader::new(&plan), make)?;
        let image = |i: u32| tiles.of(i as usize, false).view();
        let found: Vec<Confirmed> = block
            .par_iter()
            .map(|&at| {
                monitor.advance(1)?;
                let (i, j) = alignments[at].pair;
                Ok(pair(image(i), image(j), alignments[at].lag(), near, matcher.fit(&alignments[at])?))
            })
            .collect::<Result<_>>()?;
        block.iter().zip(found).for_each(|(&at, found)| confirmed[at] = found);
    }
    Ok(confirmed)
}

/// `start`: the lag that the views show; `near`: how far from it, along each axis, the images may show another; `warp`: of the first.
fn pair(first: Image, second: Image, start: (f64, f64), near: (f64, f64), warp: Warp) -> Confirmed {
    let size = (first.width, first.height());
    let made = (!warp.is_none()).then(|| OwnedImage::new(warp.apply(first.pixels, first.width, (1.0, 1.0)), first.width));
    let overlap = Overlap::new(made.as_ref().map_or(first, OwnedImage::view), second);
    let (x, y) = warp.lag_of_made(size, start);
    let whole = (x.round() as i32, y.round() as i32);
    let peak = overlap.climb(overlap.climb(whole, 4, 4).at, 4, 1);
    let lag = peak.sub_pixel();
    // With another defocus the sign of some frequencies is inverted, and band-passed images match best in a ring around the shift.
    let led_astray = (lag.0 - x).abs() > near.0 || (lag.1 - y).abs() > near.1;
    let (at, lag) = if led_astray { (whole, (x, y)) } else { (peak.at, lag) };
    let common = overlap.common(at);
    let (x, y) = warp.lag_of_given(size, lag);
    let (turn_deg, scale) = warp.turn_and_scale();
    Confirmed {
        shift: (-x, -y),
        ncc: common.ncc,
        ccc: common.whole_frame,
        overlap: common.pixels / first.pixels.len() as f64,
        turn_deg,
        scale,
    }
}

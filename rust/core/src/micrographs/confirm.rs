//! Pairs at the full resolution of the reduced micrographs.

use rayon::prelude::*;

use super::fft::Plan;
use super::flatten::taper;
use super::overlap::{Overlap, spread};
use super::session::Session;
use super::spectrum::Band;
use crate::{Monitor, Result};

/// The outer part of each side over which a micrograph fades before it is filtered.
const TAPER: f32 = 0.02;
/// Filtered micrographs are kept for as many neighbours at once as have so many pixels.
const TILE_PIXELS: usize = 64 * 720 * 512;
/// Tiles kept: those of the first and the second of the pairs, and what was used before.
const TILES: usize = 4;

/// What is reported of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confirmed {
    /// Pixel x of the first shows what pixel x + shift of the second shows; reduced pixels.
    pub shift: (f64, f64),
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// Pearson's coefficient over the whole frame, what is not covered filled with the mean.
    pub ccc: f64,
    /// Share of the frame that both show.
    pub overlap: f64,
}

/// Refines the shifts (reduced pixels) of pairs (i, j), and correlates them band-passed.
pub fn confirm(session: &Session, band: Band, pairs: &[(u32, u32)], shifts: &[(f32, f32)], monitor: &Monitor) -> Result<Vec<Confirmed>> {
    let plan = Plan::new(session.size.0, session.size.1);
    let filter = band.filter(&plan);
    let tapers = (taper(plan.width, TAPER), taper(plan.height, TAPER));
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    let tile_size = (TILE_PIXELS / plan.len()).clamp(1, 256);
    let tile = |i: u32| i as usize / tile_size;
    order.sort_unstable_by_key(|&at| (tile(pairs[at].0), tile(pairs[at].1), pairs[at]));
    let mut tiles: Vec<Tile> = Vec::new();
    let mut confirmed = vec![Confirmed::default(); pairs.len()];
    for block in order.chunk_by(|&a, &b| tile(pairs[a].0) == tile(pairs[b].0) && tile(pairs[a].1) == tile(pairs[b].1)) {
        for number in [tile(pairs[block[0]].0), tile(pairs[block[0]].1)] {
            let at = tiles.iter().position(|tile| tile.number == number);
            let mut used = at.map_or_else(|| Tile { number, images: vec![None; tile_size] }, |at| tiles.remove(at));
            let mut wanted = vec![false; tile_size];
            for &at in block {
                let (i, j) = pairs[at];
                [i, j].iter().filter(|&&i| tile(i) == number).for_each(|&i| wanted[i as usize % tile_size] = true);
            }
            used.images.par_iter_mut().enumerate().filter(|(at, image)| wanted[*at] && image.is_none()).try_for_each_init(
                || session.workspace(&plan),
                |workspace, (at, image)| {
                    monitor.advance(0)?;
                    let workspace = workspace.as_mut().map_err(|error| crate::Error::input(error.to_string()))?;
                    let pixels = quantised(&session.filtered(number * tile_size + at, &plan, &filter, &tapers, workspace)?);
                    let spread = spread(&pixels);
                    *image = Some((pixels, spread));
                    Ok(())
                },
            )?;
            tiles.insert(0, used);
        }
        tiles.truncate(TILES);
        let of = |i: u32| {
            let found = tiles.iter().find(|other| other.number == tile(i));
            found.and_then(|tile| tile.images[i as usize % tile_size].as_ref()).map_or((&[][..], 0.0), |image| (&image.0[..], image.1))
        };
        let found: Vec<Confirmed> = block
            .par_iter()
            .map(|&at| {
                monitor.advance(1)?;
                Ok(pair(of(pairs[at].0), of(pairs[at].1), session.size, shifts[at]))
            })
            .collect::<Result<_>>()?;
        block.iter().zip(found).for_each(|(&at, found)| confirmed[at] = found);
    }
    Ok(confirmed)
}

struct Tile {
    number: usize,
    /// Pixels, and their spread.
    images: Vec<Option<(Vec<i8>, f64)>>,
}

/// To int8 of standard deviation 12: the noise of rounding is 0.06 % of the image's power.
fn quantised(image: &[f32]) -> Vec<i8> {
    let power: f64 = image.iter().map(|&pixel| f64::from(pixel).powi(2)).sum::<f64>() / image.len() as f64;
    let factor = if power > 0.0 { 12.0 / power.sqrt() } else { 0.0 } as f32;
    image.iter().map(|pixel| (pixel * factor).round().clamp(-127.0, 127.0) as i8).collect()
}

fn pair((first, spread): (&[i8], f64), (second, _): (&[i8], f64), (width, height): (usize, usize), start: (f32, f32)) -> Confirmed {
    let overlap = Overlap::new(first, second, width);
    let shift = overlap.climb((start.0.round() as i32, start.1.round() as i32), 4);
    let common = overlap.common(shift);
    Confirmed {
        shift: overlap.sub_pixel(shift),
        ncc: common.ncc,
        ccc: overlap.whole_frame_of(shift, spread),
        overlap: common.pixels / (width * height) as f64,
    }
}

//! Compares candidates at the resolution of the views, zero-padded so that shifts are unambiguous.

use std::borrow::Cow;

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::alignment::{Alignment, Pair};
use super::fit::fit;
use super::tiles::{self, Tiles};
use crate::micrographs::kernels::correlator::{Correlator, Maps};
use crate::micrographs::kernels::fft::Scratch;
use crate::micrographs::kernels::image::{Image, OwnedImage, UNITS};
use crate::micrographs::kernels::overlap::{Overlap, Peak};
use crate::micrographs::kernels::sizes::good_size;
use crate::micrographs::kernels::spectra::{keep_part, zeros};
use crate::micrographs::kernels::warp::{Seen, Warp};
use crate::micrographs::session::Session;
use crate::{Error, Monitor, Result};

/// Number of peaks of each pair that are measured exactly.
const PEAKS: usize = 4;
/// Correlations at zero shift below this many standard deviations are not refined.
const WORTH_REFINING: f32 = 2.5;
/// In less significant pairs a rotation cannot be measured.
const WORTH_FITTING: f32 = 4.5;
/// Spectra are made for this many micrographs at once.
const TILE: usize = 96;
/// The distance from a place, in view pixels, up to which [`Matcher::find_near`] searches.
const NEAR: i32 = 6;
/// Places at most this many view pixels apart belong to one peak.
const ONE_PEAK: u32 = 3;
/// Shifts of up to this many view pixels along both axes count as zero: the fixed pattern of the camera correlates there.
pub const ZERO: i32 = 1;

/// The best shift of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Match {
    /// Significance at the best shift: atanh of the correlation over the overlap, without its best block, times the root of the number of
    /// independent values.
    pub z: f32,
    /// The shift that superimposes the second on the first, in pixels of the reduced micrographs.
    pub shift: (f32, f32),
    /// Significance at zero shift.
    pub z_at_zero: f32,
    /// Significance at the second-best place; for lattices nearly that at the best.
    pub z_next: f32,
}

/// Finds the best shifts of pairs.
#[derive(Debug)]
pub struct Matcher<'a> {
    session: &'a Session,
    correlator: Correlator,
    max_shift_reduced_px: Option<f64>,
}

struct Thread {
    padded: Vec<Complex32>,
    packed: Vec<Complex32>,
    scratch: Scratch,
    maps: Maps,
}

impl<'a> Matcher<'a> {
    /// Plans the transforms. `max_shift_reduced_px`: largest shift along an axis, in pixels of the reduced micrographs. `screened`: for
    /// pairs that the screening chose. Shifts beyond a third of the frame then share a place of the map with others, as they did there, which takes half of the time.
    pub fn new(session: &'a Session, max_shift_reduced_px: Option<f64>, screened: bool) -> Self {
        let (width, height) = session.small_size;
        let scales = (width as f64 / session.size.0 as f64, height as f64 / session.size.1 as f64);
        let max_shift = max_shift_reduced_px.map(|max| (max * scales.0 + 1.0, max * scales.1 + 1.0));
        // Zeros as wide as the largest shift keep shifts apart.
        let padded = |size: usize, max: Option<f64>| {
            let most = if screened { size + size / 3 } else { 2 * size };
            good_size(max.map_or(most, |max| (size + max as usize + 2).min(most)))
        };
        let grid = (padded(width, max_shift.map(|max| max.0)), padded(height, max_shift.map(|max| max.1)));
        let correlator = Correlator::new((width as f64, height as f64), grid, max_shift, 1);
        Self { session, correlator, max_shift_reduced_px }
    }

    /// Finds the best shift of each pair (i, j), with the first seen in a given way. What is found of a pair does not depend on the others.
    ///
    /// Time: one correlation a pair, of a grid up to twice as wide and high as the small views. Spectra are made for 96 by 96 micrographs
    /// at a time, so memory does not grow with the pairs but for the result; scattered pairs have each spectrum made many times.
    ///
    /// # Errors
    /// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
    pub fn find(&self, pairs: &[Pair], seen: Seen, monitor: &Monitor) -> Result<Vec<Match>> {
        let other = !seen.is_plain();
        let order = tiles::order(pairs, TILE);
        let mut matches = vec![Match::default(); pairs.len()];
        let mut tiles = Tiles::new(TILE);
        let make = |seen: Seen| {
            move |thread: &mut Thread, two: [usize; 2]| {
                monitor.advance(0)?;
                self.spectra(two, seen, thread)
            }
        };
        // Two are transformed as one complex image, always the same two: what is found of a pair then does not depend on the other pairs,
        // not even by rounding.
        let both = |i: u32| [i & !1, (i | 1).min(self.session.len() as u32 - 1)];
        for block in order.chunk_by(|&a, &b| tiles::of_tiles(pairs[a], TILE) == tiles::of_tiles(pairs[b], TILE)) {
            tiles.fill(block.iter().flat_map(|&at| both(pairs[at].1)), false, || self.thread(), make(Seen::default()))?;
            tiles.fill(block.iter().flat_map(|&at| both(pairs[at].0)), other, || self.thread(), make(seen))?;
            // Where the first has to be made all of a row at once.
            let at_once = if other { block.len() } else { 2 };
            let jobs: Vec<&[usize]> = block.chunk_by(|&a, &b| pairs[a].0 == pairs[b].0).flat_map(|row| row.chunks(at_once)).collect();
            let found: Vec<Vec<Match>> = jobs
                .par_iter()
                .map_init(
                    || self.thread(),
                    |thread, job| {
                        monitor.advance(job.len() as u64)?;
                        let partners: Vec<usize> = job.iter().map(|&at| pairs[at].1 as usize).collect();
                        self.row(pairs[job[0]].0 as usize, &partners, &tiles, seen, thread)
                    },
                )
                .collect::<Result<_>>()?;
            for (job, found) in jobs.iter().zip(found) {
                job.iter().zip(found).for_each(|(&at, found)| matches[at] = found);
            }
        }
        Ok(matches)
    }

    /// The most significant shift of each pair near a given one, at most `NEAR` view pixels off along each axis.
    pub(crate) fn find_near(&self, alignments: &[Alignment], monitor: &Monitor) -> Result<Vec<Match>> {
        let near = |alignment: &Alignment| {
            monitor.advance(1)?;
            self.at_alignment(alignment, |overlap, warp, middle| {
                let around = (-NEAR..=NEAR).flat_map(|dy| (-NEAR..=NEAR).map(move |dx| (middle.0 + dx, middle.1 + dy)));
                let best = overlap.highest(around).unwrap_or(middle);
                let shift = self.shift_of(overlap.climb(best, 0, 1), warp);
                Match { z: self.z(overlap, best), shift, ..Match::default() }
            })
        };
        alignments.par_iter().map(near).collect()
    }

    /// The map to apply to the first of a pair for the best match with the second.
    pub(crate) fn fit(&self, alignment: &Alignment) -> Result<Warp> {
        self.at_alignment(alignment, |overlap, warp, middle| {
            let at = overlap.climb(middle, 3, 1).at;
            if self.z(overlap, at) < WORTH_FITTING {
                return warp;
            }
            // Of whitened views of one unit a sum over n pixels has the standard deviation of the root of as many as are independent.
            let unit = f64::from(UNITS * UNITS) / self.session.independent.sqrt();
            fit(overlap, at, self.session.pixel_of(self.session.view_size), unit).after(warp)
        })
    }

    /// Works on the views of a pair, the first turned, at the lag, in pixels of the turned view, that a place stands for.
    pub(super) fn at_alignment<T>(&self, alignment: &Alignment, work: impl FnOnce(&Overlap, Warp, (i32, i32)) -> T) -> Result<T> {
        let Alignment { pair: (i, j), turn_deg, .. } = *alignment;
        let warp = Warp::of(f64::from(turn_deg as f32), 1.0);
        let (first, second) = (self.seen(i as usize, Seen { warp, ..Seen::default() })?, self.session.view(j as usize)?);
        let overlap = Overlap::new(first.view(), second.view());
        let pixel = self.session.pixel_of(self.session.view_size);
        let (x, y) = warp.lag_of_made(self.session.size, alignment.lag());
        Ok(work(&overlap, warp, ((x / pixel.0).round() as i32, (y / pixel.1).round() as i32)))
    }

    /// The shift of a peak, between pixels of the views, the first of which was made by a map.
    fn shift_of(&self, peak: Peak, warp: Warp) -> (f32, f32) {
        let pixel = self.session.pixel_of(self.session.view_size);
        let (x, y) = peak.sub_pixel();
        let (x, y) = warp.lag_of_given(self.session.size, (x * pixel.0, y * pixel.1));
        (-x as f32, -y as f32)
    }

    fn z(&self, overlap: &Overlap, lag: (i32, i32)) -> f32 {
        overlap.common(lag).z(self.session.independent) as f32
    }

    fn thread(&self) -> Thread {
        let plan = &self.correlator.plan;
        let empty = || vec![Complex32::default(); plan.len()];
        let padded = vec![Complex32::default(); plan.width * self.session.small_size.1];
        Thread { padded, packed: empty(), scratch: plan.scratch(), maps: self.correlator.maps() }
    }

    /// The spectra of two zero-padded small views.
    fn spectra(&self, of: [usize; 2], seen: Seen, thread: &mut Thread) -> Result<[Vec<i16>; 2]> {
        let (width, height) = self.session.small_size;
        let plan = &self.correlator.plan;
        let pixel = self.session.pixel_of((width, height));
        let view = |i: usize| {
            let view = self.session.small_view(i)?;
            Ok::<_, Error>(if seen.is_plain() { view } else { Cow::Owned(seen.pixels(&view, width, pixel, i)) })
        };
        let views = [view(of[0])?, view(of[1])?];
        for (y, row) in thread.padded.chunks_exact_mut(plan.width).enumerate() {
            for (x, value) in row[..width].iter_mut().enumerate() {
                let at = y * width + x;
                *value = Complex32::new(views[0][at].into(), views[1][at].into());
            }
            row[width..].fill(Complex32::default());
        }
        plan.forward(&mut thread.padded, &mut thread.packed, &mut thread.scratch);
        let mut spectra = [zeros(1, plan.len()), zeros(1, plan.len())];
        let mut columns = [vec![Complex32::default(); plan.height], vec![Complex32::default(); plan.height]];
        let size = UNITS * ((width * height) as f32).sqrt();
        for x in 0..plan.width {
            let [first, second] = &mut columns;
            plan.unpack(&thread.packed, x, first, second);
            for (spectrum, column) in spectra.iter_mut().zip(&columns) {
                keep_part(column, x * plan.height, size, spectrum);
            }
        }
        Ok(spectra)
    }

    /// One micrograph against some others, two at a time.
    fn row(&self, i: usize, partners: &[usize], tiles: &Tiles<Vec<i16>>, seen: Seen, thread: &mut Thread) -> Result<Vec<Match>> {
        let first = self.seen(i, seen)?;
        let mut matches = Vec::with_capacity(partners.len());
        for two in partners.chunks(2) {
            let (one, other) = (tiles.of(two[0], false), tiles.of(two[two.len() - 1], false));
            self.correlator.fill(&mut thread.maps, tiles.of(i, !seen.is_plain()), one, other);
            for (part, &j) in two.iter().enumerate() {
                matches.push(self.best(first.view(), self.session.view(j)?.view(), &thread.maps, part, seen.warp));
            }
        }
        Ok(matches)
    }

    /// A view, seen in a given way.
    fn seen(&self, i: usize, seen: Seen) -> Result<Cow<'_, OwnedImage>> {
        let plain = self.session.view(i)?;
        if seen.is_plain() {
            return Ok(plain);
        }
        let view = plain.view();
        let pixels = seen.pixels(view.pixels, view.width, self.session.pixel_of(self.session.view_size), i);
        Ok(Cow::Owned(OwnedImage::new(pixels, view.width)))
    }

    /// The most significant of the highest peaks of a map, the real (0) or the imaginary (1); `warp`: of the first image.
    fn best(&self, first: Image, second: Image, maps: &Maps, part: usize, warp: Warp) -> Match {
        let overlap = Overlap::new(first, second);
        let mut result = Match { z_at_zero: self.z(&overlap, (0, 0)), ..Match::default() };
        if result.z_at_zero > WORTH_REFINING {
            result.z_at_zero = self.z(&overlap, overlap.climb((0, 0), 1, 1).at);
        }
        let mut best = None;
        for place in self.correlator.peaks(maps, part, PEAKS) {
            let Some(start) = self.start(&overlap, maps, part, place) else { continue };
            let peak = overlap.climb(start, 3, 1);
            if is_zero(peak.at) {
                // Beside zero shift, where the correlation at zero does not show the peak.
                result.z_at_zero = result.z_at_zero.max(self.z(&overlap, peak.at));
            }
            if !self.is_searched(peak.at) {
                continue;
            }
            let z = self.z(&overlap, peak.at);
            if best.is_none() || z > result.z {
                result.z_next = if beside(best.as_ref(), peak.at) { result.z_next } else { result.z };
                result.z = z;
                best = Some(peak);
            } else if !beside(best.as_ref(), peak.at) {
                result.z_next = result.z_next.max(z);
            }
        }
        if let Some(peak) = best {
            result.shift = self.shift_of(peak, warp);
        }
        result
    }

    /// Where a peak of a map lies, in whole pixels of the views: of the lags that share its place the one of the highest correlation.
    fn start(&self, overlap: &Overlap, maps: &Maps, part: usize, place: usize) -> Option<(i32, i32)> {
        let beside = self.correlator.beside(maps, part, place);
        let at = |(x, y): (i32, i32)| self.to_view((f64::from(x) + beside.0, f64::from(y) + beside.1));
        match self.correlator.lags(place)[..] {
            [lag] => Some(at(lag)),
            ref lags => overlap.highest(lags.iter().map(|&lag| at(lag))),
        }
    }

    /// From a lag in pixels of the small views to one in whole pixels of the views.
    fn to_view(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let ((width, height), small) = (self.session.view_size, self.session.small_size);
        let scale = (width as f64 / small.0 as f64, height as f64 / small.1 as f64);
        ((x * scale.0).round() as i32, (y * scale.1).round() as i32)
    }

    /// Whether a lag, in pixels of the views, is one of those that are searched: not none, not too large, and with an overlap.
    fn is_searched(&self, (x, y): (i32, i32)) -> bool {
        let ((width, height), pixel) = (self.session.view_size, self.session.pixel_of(self.session.view_size));
        let inside = |lag: i32, pixel: f64| self.max_shift_reduced_px.is_none_or(|max| f64::from(lag.abs()) * pixel <= max + 1.0);
        !is_zero((x, y))
            && inside(x, pixel.0)
            && inside(y, pixel.1)
            && (x.unsigned_abs() as usize) < width
            && (y.unsigned_abs() as usize) < height
    }
}

/// Whether a lag, in pixels of the views, counts as zero.
fn is_zero((x, y): (i32, i32)) -> bool {
    x.abs() <= ZERO && y.abs() <= ZERO
}

/// Whether a lag is that of a peak, or next to it.
fn beside(peak: Option<&Peak>, lag: (i32, i32)) -> bool {
    peak.is_some_and(|peak| peak.at.0.abs_diff(lag.0).max(peak.at.1.abs_diff(lag.1)) <= ONE_PEAK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::session::tests::{SIZE, noise, shifted};

    #[test]
    fn the_shift_is_found_its_opposite_the_other_way_and_nothing_mirrored() {
        let mut views = noise(5);
        for (at, shift) in [(3, (7, -5)), (4, (-20, 2))] {
            let copy = shifted(&views, 0, shift);
            views[at * copy.len()..(at + 1) * copy.len()].copy_from_slice(&copy);
        }
        let session = Session::of_views(SIZE, &views, 0.9);
        let find = |pairs: &[(u32, u32)], max_shift_reduced_px, mirrored| {
            let matchers = [false, true].map(|screened| Matcher::new(&session, max_shift_reduced_px, screened));
            let [found, screened] =
                matchers.map(|matcher| matcher.find(pairs, Seen { mirrored, ..Seen::default() }, &Monitor::default()).unwrap());
            for (found, screened) in found.iter().zip(&screened) {
                assert!(found.z < 6.0 || (found.z - screened.z).abs() < 1e-6 && found.shift == screened.shift);
            }
            found
        };
        let found = find(&[(0, 3), (3, 0), (0, 4), (1, 2)], None, false);
        let whole = |found: &Match| (found.shift.0.round() as i32, found.shift.1.round() as i32);
        assert_eq!([whole(&found[0]), whole(&found[1]), whole(&found[2])], [(-7, 5), (7, -5), (20, -2)]);
        assert!(found[..3].iter().all(|found| found.z > 20.0) && found[3].z < 6.0, "{found:?}");
        assert!(find(&[(0, 3), (3, 0), (0, 4)], None, true).iter().all(|found| found.z < 6.0));
        assert!(find(&[(0, 4)], Some(10.0), false)[0].z < 6.0, "beyond the largest shift");
        let near = Matcher::new(&session, None, false)
            .find_near(&[Alignment { pair: (0, 3), shift: (-9.0, 7.0), turn_deg: 0.0 }], &Monitor::default())
            .unwrap();
        assert_eq!(whole(&near[0]), (-7, 5));
    }
}

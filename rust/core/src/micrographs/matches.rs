//! Candidates at the resolution of the views, zero-padded so that no shift is taken for another.

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::coarse::mirror;
use super::correlator::{Correlator, Map, Maps};
use super::fft::{Scratch, good_size};
use super::overlap::Overlap;
use super::session::Session;
use crate::{Monitor, Result};

/// Of each pair so many peaks are looked at closely.
const PEAKS: usize = 4;
/// Correlations at zero shift below this many standard deviations are not refined.
const WORTH_A_LOOK: f32 = 2.5;
/// Spectra are made for as many micrographs at once.
const TILE: usize = 96;
/// How far from a place, in view pixels, [`Matcher::find_near`] looks.
const NEAR: i32 = 6;
/// Shifts of up to so many view pixels along both axes count as none: there the fixed pattern of the camera shows.
pub const ZERO: i32 = 1;

/// The best shift of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Match {
    /// Significance at the best shift: atanh of the correlation over the overlap, without its best block, times the root of the number of
    /// independent values.
    pub z: f32,
    /// The shift, in pixels of the reduced micrographs: pixel x of the first shows what pixel x + shift of the second shows.
    pub shift: (f32, f32),
    /// Significance at zero shift.
    pub z_at_zero: f32,
}

/// Finds the best shifts of pairs.
#[derive(Debug)]
pub struct Matcher<'a> {
    session: &'a Session,
    correlator: Correlator,
    most: Option<f64>,
}

struct Thread {
    padded: Vec<Complex32>,
    packed: Vec<Complex32>,
    scratch: Scratch,
    maps: Maps,
    found: [Map; 2],
}

impl<'a> Matcher<'a> {
    /// `most`: largest shift along an axis, in pixels of the reduced micrographs.
    pub fn new(session: &'a Session, most: Option<f64>) -> Self {
        let (width, height) = session.small_size;
        let scales = (width as f64 / session.size.0 as f64, height as f64 / session.size.1 as f64);
        let correlator = Correlator::new(
            (width as f64, height as f64),
            (good_size(2 * width), good_size(2 * height)),
            most.map(|most| (most * scales.0 + 1.0, most * scales.1 + 1.0)),
            1,
        );
        Self { session, correlator, most }
    }

    /// The best shift of each pair (i, j); of mirrored first ones, which show nothing of the second, for the null distribution.
    pub fn find(&self, pairs: &[(u32, u32)], mirrored: bool, monitor: &Monitor) -> Result<Vec<Match>> {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        let tile = |i: u32| i as usize / TILE;
        order.sort_unstable_by_key(|&at| (tile(pairs[at].0), tile(pairs[at].1), pairs[at]));
        let mut matches = vec![Match::default(); pairs.len()];
        let (mut firsts, mut seconds) = (Tile::default(), Tile::default());
        for rows in order.chunk_by(|&a, &b| tile(pairs[a].0) == tile(pairs[b].0)) {
            let needed: Vec<usize> = rows.iter().map(|&at| pairs[at].0 as usize).collect();
            firsts.fill(self, tile(pairs[rows[0]].0), &needed, true, mirrored, monitor)?;
            for block in rows.chunk_by(|&a, &b| tile(pairs[a].1) == tile(pairs[b].1)) {
                let needed: Vec<usize> = block.iter().map(|&at| pairs[at].1 as usize).collect();
                seconds.fill(self, tile(pairs[block[0]].1), &needed, false, false, monitor)?;
                let jobs: Vec<&[usize]> = block.chunk_by(|&a, &b| pairs[a].0 == pairs[b].0).flat_map(|row| row.chunks(2)).collect();
                let found: Vec<[Match; 2]> = jobs
                    .par_iter()
                    .map_init(
                        || self.thread(),
                        |thread, job| {
                            monitor.advance(job.len() as u64)?;
                            let partner = |k: usize| job.get(k).map(|&at| pairs[at].1 as usize);
                            Ok(self.pair(pairs[job[0]].0 as usize, [partner(0), partner(1)], &firsts, &seconds, mirrored, thread))
                        },
                    )
                    .collect::<Result<_>>()?;
                for (job, found) in jobs.iter().zip(found) {
                    job.iter().zip(found).for_each(|(&at, found)| matches[at] = found);
                }
            }
        }
        Ok(matches)
    }

    /// The most significant shift of each pair near a given one (pixels of the reduced micrographs), at most [`NEAR`] view pixels off.
    pub fn find_near(&self, pairs: &[(u32, u32)], shifts: &[(f32, f32)], monitor: &Monitor) -> Result<Vec<Match>> {
        let (width, height) = self.session.view_size;
        let to_size = (self.session.size.0 as f32 / width as f32, self.session.size.1 as f32 / height as f32);
        let near = |(&(i, j), &(x, y)): (&(u32, u32), &(f32, f32))| {
            monitor.advance(1)?;
            let overlap = Overlap::new(self.session.view(i as usize), self.session.view(j as usize), width);
            let middle = ((x / to_size.0).round() as i32, (y / to_size.1).round() as i32);
            let around = (-NEAR..=NEAR).flat_map(|dy| (-NEAR..=NEAR).map(move |dx| (middle.0 + dx, middle.1 + dy)));
            let best = around.max_by(|&a, &b| overlap.product(a).total_cmp(&overlap.product(b))).unwrap_or(middle);
            let (x, y) = overlap.sub_pixel(best);
            let shift = (x as f32 * to_size.0, y as f32 * to_size.1);
            Ok(Match { z: self.significance(&overlap, best), shift, z_at_zero: 0.0 })
        };
        pairs.par_iter().zip(shifts).map(near).collect()
    }

    fn significance(&self, overlap: &Overlap, shift: (i32, i32)) -> f32 {
        let common = overlap.common(shift);
        (common.without_best.clamp(-0.999_999, 0.999_999).atanh() * (common.pixels * self.session.independent).sqrt()) as f32
    }

    fn thread(&self) -> Thread {
        let plan = &self.correlator.plan;
        let zeros = || vec![Complex32::default(); plan.len()];
        Thread { padded: zeros(), packed: zeros(), scratch: plan.scratch(), maps: self.correlator.maps(), found: Default::default() }
    }

    /// The spectra of two zero-padded small views.
    fn spectra(&self, of: [usize; 2], mirrored: bool, thread: &mut Thread) -> [Vec<Complex32>; 2] {
        let size = self.session.small_size;
        let plan = &self.correlator.plan;
        thread.padded.fill(Complex32::default());
        let views = of.map(|i| if i < self.session.len() { self.session.small_view(i) } else { &[] });
        for (at, place) in (0..size.0 * size.1).map(|at| (at, at / size.0 * plan.width + at % size.0)) {
            let pixel = |k: usize| {
                let at = if mirrored { mirror(at, size, of[k]) } else { at };
                views[k].get(at).map_or(0.0, |&pixel| f32::from(pixel))
            };
            thread.padded[place] = Complex32::new(pixel(0), pixel(1));
        }
        plan.forward(&mut thread.padded, &mut thread.packed, &mut thread.scratch);
        plan.unpack(&thread.packed)
    }

    fn pair(
        &self,
        i: usize,
        partners: [Option<usize>; 2],
        firsts: &Tile,
        seconds: &Tile,
        mirrored: bool,
        thread: &mut Thread,
    ) -> [Match; 2] {
        let (one, other) = (partners[0].unwrap_or_default(), partners[1].or(partners[0]).unwrap_or_default());
        let (conjugate, second, third) = (firsts.of(i), seconds.of(one), seconds.of(other));
        self.correlator.maps_of(conjugate, second, third, &mut thread.maps, &mut thread.found);
        let mut first = Vec::new();
        let first: &[i8] = if mirrored {
            let view = self.session.view(i);
            first.extend((0..view.len()).map(|at| view[mirror(at, self.session.view_size, i)]));
            &first
        } else {
            self.session.view(i)
        };
        std::array::from_fn(|k| partners[k].map_or_else(Match::default, |j| self.best(first, j, &thread.found[k])))
    }

    /// The most significant of the highest peaks of a map.
    fn best(&self, first: &[i8], j: usize, map: &Map) -> Match {
        let (width, height) = self.session.view_size;
        let overlap = Overlap::new(first, self.session.view(j), width);
        let significance = |shift: (i32, i32)| self.significance(&overlap, shift);
        let small = self.session.small_size;
        let scale = (width as f64 / small.0 as f64, height as f64 / small.1 as f64);
        let to_size = (self.session.size.0 as f64 / width as f64, self.session.size.1 as f64 / height as f64);
        let mut result = Match { z_at_zero: significance((0, 0)), ..Match::default() };
        if result.z_at_zero > WORTH_A_LOOK {
            result.z_at_zero = significance(overlap.climb((0, 0), 1));
        }
        let mut best = None;
        for place in self.correlator.peaks(map, PEAKS) {
            let (x, y) = self.correlator.sub_pixel(map, place);
            let start = ((x * scale.0).round() as i32, (y * scale.1).round() as i32);
            let shift = overlap.climb(start, 3);
            let inside = |shift: i32, size: f64| self.most.is_none_or(|most| f64::from(shift.abs()) * size <= most + 1.0);
            let is_zero = shift.0.abs() <= ZERO && shift.1.abs() <= ZERO;
            if is_zero
                || !inside(shift.0, to_size.0)
                || !inside(shift.1, to_size.1)
                || shift.0.unsigned_abs() as usize >= width
                || shift.1.unsigned_abs() as usize >= height
            {
                continue;
            }
            let z = significance(shift);
            if best.is_none() || z > result.z {
                result.z = z;
                best = Some(shift);
            }
        }
        if let Some(shift) = best {
            let (x, y) = overlap.sub_pixel(shift);
            result.shift = ((x * to_size.0) as f32, (y * to_size.1) as f32);
        }
        result
    }
}

/// Spectra of some of the micrographs next to each other.
#[derive(Default)]
struct Tile {
    number: Option<(usize, bool)>,
    spectra: Vec<Option<Vec<Complex32>>>,
}

impl Tile {
    /// Makes the spectra that are needed and not there.
    fn fill(
        &mut self,
        matcher: &Matcher,
        number: usize,
        needed: &[usize],
        conjugate: bool,
        mirrored: bool,
        monitor: &Monitor,
    ) -> Result<()> {
        if self.number != Some((number, mirrored)) {
            *self = Self { number: Some((number, mirrored)), spectra: vec![None; TILE] };
        }
        let mut wanted = [false; TILE];
        needed.iter().for_each(|i| wanted[i % TILE] = true);
        let missing: Vec<usize> = (0..TILE).filter(|&at| wanted[at] && self.spectra[at].is_none()).collect();
        let made: Vec<[Vec<Complex32>; 2]> = missing
            .par_chunks(2)
            .map_init(
                || matcher.thread(),
                |thread, two| {
                    monitor.advance(0)?;
                    let of = [two[0], *two.last().unwrap_or(&two[0])].map(|at| number * TILE + at);
                    let mut spectra = matcher.spectra(of, mirrored, thread);
                    if conjugate {
                        spectra.iter_mut().flatten().for_each(|value| *value = value.conj());
                    }
                    Ok(spectra)
                },
            )
            .collect::<Result<_>>()?;
        missing.iter().zip(made.into_iter().flatten()).for_each(|(&at, spectrum)| self.spectra[at] = Some(spectrum));
        Ok(())
    }

    fn of(&self, i: usize) -> &[Complex32] {
        self.spectra[i % TILE].as_deref().unwrap_or_default()
    }
}

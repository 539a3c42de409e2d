//! Correlates all pairs at low resolution: the part of the search that takes time proportional to n².

use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use crate::micrographs::kernels::correlator::{Correlator, Highest, Maps};
use crate::micrographs::kernels::fft::{Plan, Scratch, resize};
use crate::micrographs::kernels::sizes::{good_size, nearest_good};
use crate::micrographs::kernels::spectra::{keep, zeros};
use crate::micrographs::kernels::warp::Seen;
use crate::micrographs::session::Session;
use crate::{Monitor, Result};

/// About the number of pixels of the grid: 128 x 96 for a frame of 720 x 512.
const GRID_PIXELS: f64 = 128.0 * 96.0;
/// The share of the grid's sides that the image takes; the rest is zero, so that shifts up to a third of the frame do not share a place.
const FILLED: f64 = 0.75;
/// Number of rows of the table of pairs processed at a time; the columns are fetched from memory less often by this factor.
pub(super) const ROWS: usize = 8;

/// Two micrographs that may show the same area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The first.
    pub i: u32,
    /// The second, after it.
    pub j: u32,
    /// Height of the correlation's peak, in standard deviations.
    pub z: f32,
}

/// Minimum peak heights, in standard deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Threshold {
    /// Anywhere but at zero shift.
    pub elsewhere: f32,
    /// The minimum at zero shift, where the fixed pattern of the camera shows.
    pub at_zero: f32,
}

/// Micrographs at low resolution, as spectra of zero-padded images, two packed into one.
#[derive(Debug)]
pub struct LowResolution {
    /// The session.
    pub(super) session: Arc<Session>,
    pub(crate) correlator: Correlator,
    /// The images, before they are padded.
    pub(crate) image: Plan,
    view: Plan,
    pub(super) packed: Vec<Arc<[i16]>>,
    /// Largest shift, in pixels of the reduced micrographs.
    pub(crate) max_shift_reduced_px: Option<f64>,
    finer: usize,
}

/// One thread's memory.
pub(crate) struct Thread {
    view: Vec<Complex32>,
    view_spectrum: Vec<Complex32>,
    view_scratch: Scratch,
    pub(crate) small: Vec<Complex32>,
    small_spectrum: Vec<Complex32>,
    small_scratch: Scratch,
    padded: Vec<Complex32>,
    spectrum: Vec<Complex32>,
    grid_scratch: Scratch,
    pub(crate) maps: Maps,
}

impl LowResolution {
    /// Transforms the micrographs of a session. `max_shift_reduced_px`: largest shift along an axis, in pixels of the reduced micrographs. `finer`:
    /// factor of a higher resolution than the usual one. Memory: about 25 kB a micrograph, times `finer` squared.
    ///
    /// # Errors
    /// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
    pub fn new(session: Arc<Session>, finer: usize, max_shift_reduced_px: Option<f64>, monitor: &Monitor) -> Result<Self> {
        let mut low = Self::empty(session, finer, max_shift_reduced_px);
        low.packed = low.pack(0, monitor)?;
        Ok(low)
    }

    /// Adds the micrographs with which a session was extended; spectra are shared with this one.
    ///
    /// # Errors
    /// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
    pub fn extended(&self, session: Arc<Session>, monitor: &Monitor) -> Result<Self> {
        let whole = self.session.len() / 2;
        let mut low = Self::empty(session, self.finer, self.max_shift_reduced_px);
        low.packed = self.packed[..whole].to_vec();
        low.packed.extend(low.pack(whole, monitor)?);
        Ok(low)
    }

    /// The spectra of all pairs of micrographs from a given pair on.
    fn pack(&self, start: usize, monitor: &Monitor) -> Result<Vec<Arc<[i16]>>> {
        let make = |thread: &mut Thread, k: usize| {
            let mut spectrum = zeros(1, self.length());
            self.shrink(2 * k, Some(2 * k + 1), Seen::default(), thread)?;
            self.spectrum(thread, &mut spectrum);
            monitor.advance(0)?;
            Ok(spectrum.into())
        };
        (start..self.session.len().div_ceil(2)).into_par_iter().map_init(|| self.thread(), make).collect()
    }

    /// Finds the micrographs before one that match it best: at most `count`, and a sixth as many by their correlation at zero shift.
    ///
    /// Time: `i` correlations of the grid, 12,288 pixels times `finer` squared. Memory O(i).
    ///
    /// # Errors
    /// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
    pub fn nearest(&self, i: u32, seen: Seen, count: usize, monitor: &Monitor) -> Result<Vec<u32>> {
        let (mut thread, mut first) = (self.thread(), zeros(1, self.length()));
        self.single(i as usize, seen, &mut thread, &mut first)?;
        let test = |thread: &mut Thread, k: u32| {
            monitor.advance(2)?;
            let found = self.correlator.highest(&first, self.packed(k as usize), false, &mut thread.maps);
            Ok([0, 1].map(|half| (2 * k + half as u32, found.z[half], found.at_zero[half].abs())))
        };
        let found: Vec<[(u32, f32, f32); 2]> =
            (0..i.div_ceil(2)).into_par_iter().map_init(|| self.thread(), test).collect::<Result<_>>()?;
        let mut found: Vec<(u32, f32, f32)> = found.into_iter().flatten().filter(|&(j, ..)| j < i).collect();
        let mut taken = Vec::new();
        for (count, height) in [(count, (|one| one.1) as fn(&(u32, f32, f32)) -> f32), (count.div_ceil(6), |one| one.2)] {
            found.sort_by(|a, b| height(b).total_cmp(&height(a)).then(a.0.cmp(&b.0)));
            taken.extend(found.iter().take(count).map(|one| one.0));
        }
        taken.sort_unstable();
        taken.dedup();
        Ok(taken)
    }

    /// Without the spectra.
    pub(super) fn empty(session: Arc<Session>, finer: usize, max_shift_reduced_px: Option<f64>) -> Self {
        let (width, height) = session.view_size;
        let pixels = GRID_PIXELS * (finer * finer) as f64;
        let grid_width = nearest_good((pixels * width as f64 / height as f64).sqrt(), good_size(2 * width));
        let grid_height = nearest_good(pixels / grid_width as f64, good_size(2 * height));
        let filled = |grid: usize, view: usize| ((grid as f64 * FILLED / 2.0).round() as usize * 2).min(view);
        let image = Plan::new(filled(grid_width, width), filled(grid_height, height));
        let scales = (image.width as f64 / session.size.0 as f64, image.height as f64 / session.size.1 as f64);
        let correlator = Correlator::new(
            (image.width as f64, image.height as f64),
            (grid_width, grid_height),
            max_shift_reduced_px.map(|max| (max * scales.0 + 1.0, max * scales.1 + 1.0)),
            1,
        );
        Self { session, correlator, image, view: Plan::new(width, height), packed: Vec::new(), max_shift_reduced_px, finer }
    }

    /// Coefficients of a spectrum.
    pub(super) fn length(&self) -> usize {
        self.correlator.plan.len()
    }

    /// Columns and rows of the grid.
    pub(super) fn grid(&self) -> (usize, usize) {
        (self.correlator.plan.width, self.correlator.plan.height)
    }

    pub(crate) fn thread(&self) -> Thread {
        let zeros = |plan: &Plan| vec![Complex32::default(); plan.len()];
        Thread {
            view: zeros(&self.view),
            view_spectrum: zeros(&self.view),
            view_scratch: self.view.scratch(),
            small: zeros(&self.image),
            small_spectrum: zeros(&self.image),
            small_scratch: self.image.scratch(),
            padded: vec![Complex32::default(); self.correlator.plan.width * self.image.height],
            spectrum: zeros(&self.correlator.plan),
            grid_scratch: self.correlator.plan.scratch(),
            maps: self.correlator.maps(),
        }
    }

    /// Two views at low resolution, as real and imaginary part of `thread.small`, each of variance 1.
    pub(crate) fn shrink(&self, first: usize, second: Option<usize>, seen: Seen, thread: &mut Thread) -> Result<()> {
        let second = second.filter(|&second| second < self.session.len()).map(|second| self.session.view(second)).transpose()?;
        let (first_view, other) = (self.session.view(first)?, second.as_deref().map(|image| image.view().pixels));
        let plain = first_view.view().pixels;
        let made = (!seen.is_plain()).then(|| seen.pixels(plain, self.view.width, self.session.pixel_of(self.session.view_size), first));
        let view = made.as_deref().unwrap_or(plain);
        for (at, value) in thread.view.iter_mut().enumerate() {
            *value = Complex32::new(f32::from(view[at]), other.map_or(0.0, |other| f32::from(other[at])));
        }
        self.view.forward(&mut thread.view, &mut thread.view_spectrum, &mut thread.view_scratch);
        resize(&thread.view_spectrum, &self.view, &mut thread.small_spectrum, &self.image);
        self.image.inverse(&mut thread.small_spectrum, &mut thread.small, &mut thread.small_scratch);
        if other.is_none() {
            // Rounding errors must not be amplified.
            thread.small.iter_mut().for_each(|value| value.im = 0.0);
        }
        normalise(&mut thread.small);
        Ok(())
    }

    /// The spectrum of the padded `thread.small`.
    pub(crate) fn spectrum(&self, thread: &mut Thread, out: &mut [i16]) {
        let plan = &self.correlator.plan;
        thread.padded.fill(Complex32::default());
        for (row, pixels) in thread.padded.chunks_exact_mut(plan.width).zip(thread.small.chunks_exact(self.image.width)) {
            row[..self.image.width].copy_from_slice(pixels);
        }
        plan.forward(&mut thread.padded, &mut thread.spectrum, &mut thread.grid_scratch);
        keep(&thread.spectrum, (self.image.len() as f32).sqrt(), out);
    }

    /// The spectrum of one image, for correlation with packed ones.
    pub(crate) fn single(&self, i: usize, seen: Seen, thread: &mut Thread, out: &mut [i16]) -> Result<()> {
        self.shrink(i, None, seen, thread)?;
        self.spectrum(thread, out);
        Ok(())
    }

    /// The spectrum of images 2k and 2k + 1, packed into one.
    pub(crate) fn packed(&self, k: usize) -> &[i16] {
        &self.packed[k]
    }

    /// The peak heights of some pairs (i, 2k) and (i, 2k + 1).
    pub(super) fn sample(&self, tests: &[(u32, u32)], monitor: &Monitor) -> Result<Vec<Highest>> {
        self.each(tests, Seen::default(), monitor, |first, k, maps| self.correlator.highest(first, self.packed(k), false, maps))
    }

    /// Calls `test` with some (i, k).
    pub(crate) fn each<T: Send>(
        &self,
        tests: &[(u32, u32)],
        seen: Seen,
        monitor: &Monitor,
        test: impl Fn(&[i16], usize, &mut Maps) -> T + Sync,
    ) -> Result<Vec<T>> {
        tests
            .par_iter()
            .map_init(
                || (self.thread(), zeros(1, self.length())),
                |(thread, first), &(i, k)| {
                    monitor.advance(0)?;
                    self.single(i as usize, seen, thread, first)?;
                    Ok(test(first, k as usize, &mut thread.maps))
                },
            )
            .collect()
    }

    /// All pairs (i, j > i) of the given first ones whose peak is high enough, one correlation each.
    pub(super) fn screen(&self, firsts: &[u32], seen: Seen, threshold: Threshold, monitor: &Monitor) -> Result<Vec<Candidate>> {
        self.rows(firsts, seen, monitor, |block, thread, found| {
            let start = block.iter().map(|row| row.i as usize / 2).min().unwrap_or_default();
            for k in start..self.session.len().div_ceil(2) {
                for row in block.iter().filter(|row| 2 * k + 1 > row.i as usize) {
                    let highest = self.correlator.highest(&row.spectrum, self.packed(k), false, &mut thread.maps);
                    self.keep(row.i, k, &highest, threshold, found);
                }
            }
        })
    }

    /// Takes the pairs that pass in one correlation with images 2k and 2k + 1.
    pub(crate) fn keep(&self, i: u32, k: usize, highest: &Highest, threshold: Threshold, found: &mut Vec<Candidate>) {
        for (half, (&z, &at_zero)) in highest.z.iter().zip(&highest.at_zero).enumerate() {
            let j = (2 * k + half) as u32;
            if (z >= threshold.elsewhere || at_zero >= threshold.at_zero) && j > i && (j as usize) < self.session.len() {
                found.push(Candidate { i, j, z });
            }
        }
    }

    /// Processes a few rows of the table of pairs at a time.
    pub(crate) fn rows(
        &self,
        firsts: &[u32],
        seen: Seen,
        monitor: &Monitor,
        work: impl Fn(&[Row], &mut Thread, &mut Vec<Candidate>) + Sync,
    ) -> Result<Vec<Candidate>> {
        let blocks = firsts.par_chunks(ROWS).map_init(
            || (self.thread(), vec![Row { i: 0, spectrum: zeros(1, self.length()) }; ROWS]),
            |(thread, rows), firsts| {
                for (row, &i) in rows.iter_mut().zip(firsts) {
                    row.i = i;
                    self.single(i as usize, seen, thread, &mut row.spectrum)?;
                }
                let mut found = Vec::new();
                work(&rows[..firsts.len()], thread, &mut found);
                monitor.advance(firsts.iter().map(|&i| (self.session.len() - 1 - i as usize) as u64).sum())?;
                Ok(found)
            },
        );
        let found: Vec<Vec<Candidate>> = blocks.collect::<Result<_>>()?;
        let mut found = found.concat();
        found.sort_unstable_by_key(|candidate| (candidate.i, candidate.j));
        Ok(found)
    }
}

/// A micrograph that is compared with many others.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) i: u32,
    pub(crate) spectrum: Vec<i16>,
}

/// Scales real and imaginary parts to variance 1.
pub(crate) fn normalise(image: &mut [Complex32]) {
    let n = image.len() as f32;
    let power = image.iter().fold([0.0_f32; 2], |[re, im], value| [re + value.re * value.re, im + value.im * value.im]);
    let [re, im] = power.map(|power| if power > 0.0 { (n / power).sqrt() } else { 0.0 });
    image.iter_mut().for_each(|value| *value = Complex32::new(value.re * re, value.im * im));
}

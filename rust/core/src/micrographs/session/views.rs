//! From reduced micrographs to views: faded at the edges, whitened, limited to the most informative band, reduced further, in int8.
//!
//! Two at a time, as real and imaginary part of one complex image.

use rustfft::num_complex::Complex32;

use super::equalise::{CELL, equalise};
use super::store::Shown;
use super::whiten::level_spectrum;
use crate::micrographs::kernels::cells::Cells;
use crate::micrographs::kernels::fft::{Plan, Scratch, resize};
use crate::micrographs::kernels::image::{UNITS, quantise, round};
use crate::micrographs::kernels::rings::{Band, RINGS, Rings, radii, ring_radius};
use crate::micrographs::kernels::sizes::nearest_good;
use crate::micrographs::kernels::taper::taper;

/// About the number of pixels of a view: 384 x 256 for a frame of 720 x 512.
const VIEW_PIXELS: f64 = 384.0 * 256.0;
/// The outer part of each side over which a micrograph fades.
const TAPER: f32 = 0.025;
/// The same of a view, once it is whitened.
const VIEW_TAPER: f32 = 0.05;
/// The spectrum of shot noise is taken from here, cycles per reduced pixel: hardly any signal reaches so far.
const NOISE: std::ops::Range<f32> = 0.42..0.49;

/// One column and row of the micrograph in this many is tested for the mask.
const STEP: usize = 2;
/// The power of an image in rings of its spectrum.
pub(crate) type Power = [f64; RINGS];

/// Makes the views of micrographs of one size.
pub(crate) struct Views {
    pub(crate) plan: Plan,
    pub(crate) tapers: (Vec<f32>, Vec<f32>),
    /// Tapers of the view: what was cut from a spectrum leaves traces at an image's edges, where the same ones of others would lie on them.
    view_tapers: (Vec<f32>, Vec<f32>),
    pub(crate) rings: Rings,
    view: Plan,
    small: Plan,
    /// The rings of the view's coefficients.
    view_rings: Rings,
    filter: Vec<f32>,
}

/// One thread's memory for images and their spectra, two in one.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) image: Vec<Complex32>,
    pub(crate) spectrum: Vec<Complex32>,
    pub(crate) scratch: Scratch,
}

impl Workspace {
    pub(crate) fn new(plan: &Plan) -> Self {
        let zeros = || vec![Complex32::default(); plan.len()];
        Self { image: zeros(), spectrum: zeros(), scratch: plan.scratch() }
    }

    pub(crate) fn forward(&mut self, plan: &Plan) {
        plan.forward(&mut self.image, &mut self.spectrum, &mut self.scratch);
    }

    pub(crate) fn inverse(&mut self, plan: &Plan) {
        plan.inverse(&mut self.spectrum, &mut self.image, &mut self.scratch);
    }
}

impl Views {
    /// `band`: in cycles per reduced pixel.
    pub(crate) fn new(size: (usize, usize), band: Band) -> Self {
        let shrink = (VIEW_PIXELS / (size.0 * size.1) as f64).sqrt().min(1.0);
        let view = (nearest_good(size.0 as f64 * shrink, size.0), nearest_good(size.1 as f64 * shrink, size.1));
        let (plan, view) = (Plan::new(size.0, size.1), Plan::new(view.0, view.1));
        let small = small_plan(&view);
        let radii: Vec<Complex32> = radii(&plan).map(|radius| Complex32::new(radius, 0.0)).collect();
        let mut kept = vec![Complex32::default(); view.len()];
        resize(&radii, &plan, &mut kept, &view);
        let kept: Vec<f32> = kept.iter().map(|radius| radius.re).collect();
        Self {
            tapers: (taper(size.0, TAPER), taper(size.1, TAPER)),
            view_tapers: (taper(view.width, VIEW_TAPER), taper(view.height, VIEW_TAPER)),
            rings: Rings::new(radii.iter().map(|radius| radius.re)),
            view_rings: Rings::new(kept.iter().copied()),
            // Radius 0: zero frequency, and what lies beyond the view.
            filter: kept.iter().map(|&radius| if radius > 0.0 { band.at(radius) } else { 0.0 }).collect(),
            plan,
            view,
            small,
        }
    }

    /// Columns and rows of views, and of small ones.
    pub(crate) fn sizes(&self) -> [(usize, usize); 2] {
        [&self.view, &self.small].map(|plan| (plan.width, plan.height))
    }

    /// Transforms the two images, and measures the power of each.
    pub(crate) fn power(&self, workspace: &mut Workspace) -> [Power; 2] {
        workspace.forward(&self.plan);
        self.rings.power(&workspace.spectrum, &self.plan)
    }

    /// Makes the views of the two images; with the share of power that is signal, ring by ring.
    pub(crate) fn make(&self, workspace: &mut Workspace) -> [(Shown, [f32; RINGS]); 2] {
        let shown = self.shown(&workspace.image);
        workspace.forward(&self.plan);
        let level = self.rings.level(&workspace.spectrum, &self.plan);
        let mut kept = vec![Complex32::default(); self.view.len()];
        resize(&workspace.spectrum, &self.plan, &mut kept, &self.view);
        let mut whitened =
            self.whiten(&kept, &level.map(|level| level.map(|level| if level > 0.0 { (1.0 / level.sqrt()) as f32 } else { 0.0 })));
        let (mut image, mut scratch) = (kept, self.view.scratch());
        self.view.inverse(&mut whitened, &mut image, &mut scratch);
        let parts: [fn(&mut Complex32) -> &mut f32; 2] = [|value| &mut value.re, |value| &mut value.im];
        let mut views = [0, 1].map(|_| vec![0; self.view.len()]);
        for ((part, view), shown) in parts.into_iter().zip(&mut views).zip(&shown) {
            let mut pixels: Vec<f32> = image.iter_mut().map(|value| *part(value)).collect();
            equalise(&mut pixels, self.view.width, shown);
            for (row, factor) in pixels.chunks_exact_mut(self.view.width).zip(&self.view_tapers.1) {
                row.iter_mut().zip(&self.view_tapers.0).for_each(|(pixel, column)| *pixel *= column * factor);
            }
            round(&pixels, UNITS, view);
            image.iter_mut().zip(pixels).for_each(|(value, pixel)| *part(value) = pixel);
        }
        self.view.forward(&mut image, &mut whitened, &mut scratch);
        let [first, second] = views;
        let [first_small, second_small] = reduced(&whitened, &self.view, &self.small);
        let [first_power, second_power] = level.map(|power| {
            let noise = noise_floor(&power);
            power.map(|power| if power > 0.0 { (1.0 - noise / power).max(0.0) as f32 } else { 0.0 })
        });
        [(Shown { view: first, small: first_small }, first_power), (Shown { view: second, small: second_small }, second_power)]
    }

    /// Which share of each cell of the two views is not masked: masked pixels are exactly 0.
    fn shown(&self, image: &[Complex32]) -> [Cells; 2] {
        let empty = Cells::new((self.view.width, self.view.height), CELL, 0.0);
        let cell = |at: usize, size: usize, of_view: usize| at * of_view / size / CELL;
        let columns: Vec<usize> = (0..self.plan.width).step_by(STEP).map(|x| cell(x, self.plan.width, self.view.width)).collect();
        let mut counts = vec![[0.0_f32; 3]; empty.values.len()];
        for (y, row) in image.chunks_exact(self.plan.width).enumerate().step_by(STEP) {
            let line = &mut counts[cell(y, self.plan.height, self.view.height) * empty.across..][..empty.across];
            for (value, &column) in row.iter().step_by(STEP).zip(&columns) {
                let [first, second, all] = &mut line[column];
                *first += f32::from(value.re != 0.0);
                *second += f32::from(value.im != 0.0);
                *all += 1.0;
            }
        }
        [0, 1].map(|part| empty.with(counts.iter().map(|count| count[part] / count[2].max(1.0)).collect()))
    }

    /// Each image's coefficients multiplied by the factor of their ring, cut where they stand out of it, levelled, and multiplied by the
    /// filter.
    fn whiten(&self, packed: &[Complex32], factors: &[[f32; RINGS]; 2]) -> Vec<Complex32> {
        let height = self.view.height;
        let mut both = [vec![Complex32::default(); packed.len()], vec![Complex32::default(); packed.len()]];
        for x in 0..self.view.width {
            let column = x * height..(x + 1) * height;
            let [first, second] = &mut both;
            self.view.unpack(packed, x, &mut first[column.clone()], &mut second[column]);
        }
        for (image, factors) in both.iter_mut().zip(factors) {
            for (at, value) in image.iter_mut().enumerate() {
                *value *= factors[self.view_rings.of(at)];
            }
            level_spectrum(image, height);
        }
        let [mut out, second] = both;
        for ((out, second), filter) in out.iter_mut().zip(second).zip(&self.filter) {
            *out = (*out + Complex32::i() * second) * filter;
        }
        out
    }

    /// Independent values of white noise through the filter: (Σh²)² / Σh⁴ per pixel of the view.
    pub(crate) fn independent(&self) -> f64 {
        let sum = |power: i32| self.filter.iter().map(|&value| f64::from(value).powi(power)).sum::<f64>();
        sum(2).powi(2) / sum(4).max(f64::MIN_POSITIVE) / self.view.len() as f64
    }
}

/// The small views of two views.
pub(crate) fn reduce(view: (usize, usize), two: [&[i8]; 2]) -> [Vec<i8>; 2] {
    let plan = Plan::new(view.0, view.1);
    let mut image: Vec<Complex32> = two[0].iter().zip(two[1]).map(|(&a, &b)| Complex32::new(a.into(), b.into())).collect();
    let mut spectrum = image.clone();
    plan.forward(&mut image, &mut spectrum, &mut plan.scratch());
    reduced(&spectrum, &plan, &small_plan(&plan))
}

/// Two thirds of a view's size.
pub(crate) fn small_plan(view: &Plan) -> Plan {
    Plan::new(nearest_good(view.width as f64 / 1.5, view.width), nearest_good(view.height as f64 / 1.5, view.height))
}

/// The two images of a spectrum, at a lower resolution.
fn reduced(spectrum: &[Complex32], from: &Plan, to: &Plan) -> [Vec<i8>; 2] {
    let (mut resized, mut image) = (vec![Complex32::default(); to.len()], vec![Complex32::default(); to.len()]);
    resize(spectrum, from, &mut resized, to);
    to.inverse(&mut resized, &mut image, &mut to.scratch());
    let mut both = [0, 1].map(|_| vec![0; to.len()]);
    quantise_both(&image, both.each_mut().map(Vec::as_mut_slice));
    both
}

/// Real and imaginary part to int8.
pub(crate) fn quantise_both(image: &[Complex32], out: [&mut [i8]; 2]) {
    let parts: [fn(&Complex32) -> f32; 2] = [|value| value.re, |value| value.im];
    for (part, out) in parts.into_iter().zip(out) {
        quantise(&image.iter().map(part).collect::<Vec<f32>>(), out);
    }
}

fn noise_floor(power: &Power) -> f64 {
    let rings: Vec<f64> = (0..RINGS).filter(|&ring| NOISE.contains(&ring_radius(ring))).map(|ring| power[ring]).collect();
    rings.iter().sum::<f64>() / rings.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (384, 256);

    /// Noise with a slow wave in it, 0 where a circle does not reach.
    fn within(radius: f32, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let at = |at: usize| ((at % SIZE.0) as f32, (at / SIZE.0) as f32);
        (0..SIZE.0 * SIZE.1)
            .map(|k| {
                let ((x, y), noise) = (at(k), noise() + noise());
                if (x - 60.0).hypot(y - 200.0) < radius { noise + 2.0 * (0.3 * x + 0.2 * y).sin() } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn what_is_masked_is_empty_in_a_view_however_little_is_left() {
        let band = Band { highpass: 0.02, lowpass: 0.0, falloff: 0.15 };
        let views = Views::new(SIZE, band);
        assert_eq!(views.sizes()[0], SIZE);
        for radius in [90.0, 200.0] {
            let mut workspace = Workspace::new(&views.plan);
            let images = [within(radius, 1), within(1000.0, 2)];
            workspace.image = images[0].iter().zip(&images[1]).map(|(&a, &b)| Complex32::new(a, b)).collect();
            let [one, two] = views.make(&mut workspace).map(|(shown, _)| shown.view);
            let far = |at: &usize| ((at % SIZE.0) as f32 - 60.0).hypot((at / SIZE.0) as f32 - 200.0);
            assert!((0..one.len()).filter(|at| far(at) > radius + 14.0).all(|at| one[at] == 0), "{radius}");
            // Inside, and in the other image, the standard deviation is one unit.
            let sd = |view: &[i8], inside: f32| {
                let inner: Vec<f32> = (0..view.len())
                    .filter(|at| far(at) < inside && (30..350).contains(&(at % SIZE.0)) && (30..226).contains(&(at / SIZE.0)))
                    .map(|at| view[at].into())
                    .collect();
                (inner.iter().map(|value| value * value).sum::<f32>() / inner.len() as f32).sqrt() / UNITS
            };
            assert!((sd(&one, radius - 14.0) - 1.0).abs() < 0.15 && (sd(&two, 1000.0) - 1.0).abs() < 0.15, "{radius}");
        }
    }
}

//! Radial statistics and filters of spectra.

use rustfft::num_complex::Complex32;

use super::fft::{Plan, frequency};
use super::simd::fast;

/// Rings of equal width from zero frequency to the corner of the spectrum.
pub const RINGS: usize = 128;
const CORNER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The radius in the middle of a ring, cycles per pixel.
pub fn ring_radius(ring: usize) -> f32 {
    (ring as f32 + 0.5) * CORNER / RINGS as f32
}

/// The radius of each coefficient, cycles per pixel.
pub fn radii(plan: &Plan) -> impl Iterator<Item = f32> + use<> {
    let (width, height) = (plan.width, plan.height);
    (0..width).flat_map(move |x| (0..height).map(move |y| frequency(x, width).hypot(frequency(y, height))))
}

/// The ring of each coefficient of a spectrum.
#[derive(Clone, Debug)]
pub struct Rings(Vec<u8>);

impl Rings {
    /// Sorts coefficients of these radii, cycles per pixel, into rings.
    pub fn new(radii: impl Iterator<Item = f32>) -> Self {
        Self(radii.map(|radius| ((radius / CORNER * RINGS as f32) as usize).min(RINGS - 1) as u8).collect())
    }

    /// The ring of a coefficient.
    pub fn of(&self, at: usize) -> usize {
        self.0[at].into()
    }

    /// The mean power in each ring of two real images, whose spectrum, that of the first plus i times that of the second, is given; 0 where
    /// a ring has no coefficient.
    pub fn power(&self, packed: &[Complex32], plan: &Plan) -> [[f64; RINGS]; 2] {
        self.means(packed, plan, powers_of_two).map(|means| means.map(Option::unwrap_or_default))
    }

    /// The level of the power in each ring: the mean of noise whose powers have this geometric mean, so that a few coefficients of a
    /// lattice or of an edge do not lift it.
    pub fn level(&self, packed: &[Complex32], plan: &Plan) -> [[f64; RINGS]; 2] {
        let level = |mean: Option<f64>| mean.map_or(0.0, |mean| (mean + LEVEL_ABOVE_GEOMETRIC_MEAN).exp2() - f64::from(MIN_POWER));
        self.means(packed, plan, logarithms_of_two).map(|means| means.map(|mean| level(mean).max(0.0)))
    }

    /// For each ring the sum of the products of the two images' coefficients, of the power of each, and their number. Of two opposite
    /// coefficients one counts.
    pub fn products(&self, packed: &[Complex32], plan: &Plan) -> [[f64; 4]; RINGS] {
        let (width, height) = (plan.width, plan.height);
        let mut sums = [[0.0; 4]; RINGS];
        for x in 0..=width / 2 {
            let (column, opposite) = (&packed[x * height..][..height], &packed[(width - x) % width * height..][..height]);
            for (y, &value) in column.iter().enumerate() {
                let mirrored = opposite[(height - y) % height];
                let [first, second] = powers(value, mirrored);
                let sum = &mut sums[self.of(x * height + y)];
                for (sum, value) in sum.iter_mut().zip([0.5 * (value * mirrored).im, first, second, 1.0]) {
                    *sum += f64::from(value);
                }
            }
        }
        sums
    }

    /// The mean over each ring of what `of_two` makes of a column and its opposite; None where a ring has no coefficient.
    fn means(
        &self,
        packed: &[Complex32],
        plan: &Plan,
        of_two: fn(&[Complex32], &[Complex32], &mut [[f32; 2]]),
    ) -> [[Option<f64>; RINGS]; 2] {
        let (width, height) = (plan.width, plan.height);
        let mut column = vec![[0.0; 2]; height];
        // Two sums of each, for even and odd rows: neighbours are of one ring, and no addition waits for the one before.
        let (mut sums, mut counts) = ([[[0.0; 2]; 2]; RINGS], [0_u32; RINGS]);
        for x in 0..=width / 2 {
            of_two(&packed[x * height..][..height], &packed[(width - x) % width * height..][..height], &mut column);
            for (y, (value, &ring)) in column.iter().zip(&self.0[x * height..]).enumerate() {
                let sum = &mut sums[usize::from(ring)][y % 2];
                *sum = [sum[0] + f64::from(value[0]), sum[1] + f64::from(value[1])];
                counts[usize::from(ring)] += 1;
            }
        }
        let mean = |ring: usize, k: usize| (counts[ring] > 0).then(|| (sums[ring][0][k] + sums[ring][1][k]) / f64::from(counts[ring]));
        [0, 1].map(|k| std::array::from_fn(|ring| mean(ring, k)))
    }
}

/// The binary logarithm of the mean of exponentially distributed powers is above the mean of their logarithms by Euler's constant.
const LEVEL_ABOVE_GEOMETRIC_MEAN: f64 = 0.577_215_664_901_532_9 * std::f64::consts::LOG2_E;
/// Added to each power: those of a flat image are 0.
const MIN_POWER: f32 = 1e-20;

/// Roughly the binary logarithm of a positive number, to within 0.01.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled into loops for wider registers")]
fn log2(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let part = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    exponent + (-1.0 / 3.0 * part + 2.0) * part - 2.0 / 3.0 - 1.0
}

/// The powers of both images, from a coefficient of their packed spectrum and the opposite one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled into loops for wider registers")]
fn powers(value: Complex32, opposite: Complex32) -> [f32; 2] {
    let (sum, product) = (value.norm_sqr() + opposite.norm_sqr(), 2.0 * (value.re * opposite.re - value.im * opposite.im));
    [0.25 * (sum + product), 0.25 * (sum - product)]
}

fast! {
    /// The powers of both images in a column, from it and from its opposite.
    fn powers_of_two(column: &[Complex32], opposite: &[Complex32], out: &mut [[f32; 2]]) {
        out[0] = powers(column[0], opposite[0]);
        for ((out, value), mirrored) in out[1..].iter_mut().zip(&column[1..]).zip(opposite[1..].iter().rev()) {
            *out = powers(*value, *mirrored);
        }
    }
}

fast! {
    /// The binary logarithms of the powers of both images in a column.
    fn logarithms_of_two(column: &[Complex32], opposite: &[Complex32], out: &mut [[f32; 2]]) {
        powers_of_two(column, opposite, out);
        out.iter_mut().for_each(|both| *both = both.map(|power| log2(power.max(0.0) + MIN_POWER)));
    }
}

/// A band-pass of Gaussian flanks, as IMOD's `mtffilter` has it; in cycles per pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Width of the rise from zero frequency: 1 - exp(-s² / 2 highpass²). 0: none.
    pub highpass: f32,
    /// Where the fall begins: 1 up to there.
    pub lowpass: f32,
    /// Width of the fall: exp(-(s - lowpass)² / 2 falloff²).
    pub falloff: f32,
}

impl Band {
    /// The filter's value at a radius.
    pub(crate) fn at(self, radius: f32) -> f32 {
        let gauss = |x: f32, sigma: f32| if sigma > 0.0 { (-0.5 * (x / sigma).powi(2)).exp() } else { f32::from(x <= 0.0) };
        let high = if self.highpass > 0.0 { 1.0 - gauss(radius, self.highpass) } else { 1.0 };
        high * if radius > self.lowpass { gauss(radius - self.lowpass, self.falloff) } else { 1.0 }
    }

    /// The filter for each coefficient; zero frequency is removed.
    pub(crate) fn filter(self, plan: &Plan) -> Vec<f32> {
        let mut filter: Vec<f32> = radii(plan).map(|radius| self.at(radius)).collect();
        filter[0] = 0.0;
        filter
    }
}

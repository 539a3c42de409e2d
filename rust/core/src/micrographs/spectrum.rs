//! Radial statistics and filters of spectra.

use rustfft::num_complex::Complex32;

use super::fft::{Plan, frequency};

/// Rings of equal width from zero frequency to the corner of the spectrum.
pub const RINGS: usize = 128;
const CORNER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The ring of each coefficient of a plan's spectra.
pub fn rings(plan: &Plan) -> Vec<u8> {
    radii(plan).map(|radius| ((radius / CORNER * RINGS as f32) as usize).min(RINGS - 1) as u8).collect()
}

/// The radius in the middle of a ring, cycles a pixel.
pub fn ring_radius(ring: usize) -> f32 {
    (ring as f32 + 0.5) * CORNER / RINGS as f32
}

/// The radius of each coefficient, cycles a pixel.
pub fn radii(plan: &Plan) -> impl Iterator<Item = f32> + use<> {
    let (width, height) = (plan.width, plan.height);
    (0..width).flat_map(move |x| (0..height).map(move |y| frequency(x, width).hypot(frequency(y, height))))
}

/// The mean power in each ring; 0 where a ring has no coefficient.
pub fn ring_power(spectrum: &[Complex32], rings: &[u8]) -> [f64; RINGS] {
    let (mut sums, mut counts) = ([0.0; RINGS], [0_u32; RINGS]);
    for (value, &ring) in spectrum.iter().zip(rings) {
        sums[usize::from(ring)] += f64::from(value.norm_sqr());
        counts[usize::from(ring)] += 1;
    }
    std::array::from_fn(|ring| if counts[ring] > 0 { sums[ring] / f64::from(counts[ring]) } else { 0.0 })
}

/// Multiplies each coefficient by a factor of its ring and one of its own.
pub fn scale(spectrum: &mut [Complex32], rings: &[u8], factors: &[f32; RINGS], filter: &[f32]) {
    for ((value, &ring), filter) in spectrum.iter_mut().zip(rings).zip(filter) {
        *value *= factors[usize::from(ring)] * filter;
    }
}

/// A band-pass of Gaussian flanks, as IMOD's `mtffilter` has it; in cycles a pixel.
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
    pub fn at(self, radius: f32) -> f32 {
        let gauss = |x: f32, sigma: f32| if sigma > 0.0 { (-0.5 * (x / sigma).powi(2)).exp() } else { f32::from(x <= 0.0) };
        let high = if self.highpass > 0.0 { 1.0 - gauss(radius, self.highpass) } else { 1.0 };
        high * if radius > self.lowpass { gauss(radius - self.lowpass, self.falloff) } else { 1.0 }
    }

    /// The filter for each coefficient; zero frequency is taken out.
    pub fn filter(self, plan: &Plan) -> Vec<f32> {
        let mut filter: Vec<f32> = radii(plan).map(|radius| self.at(radius)).collect();
        filter[0] = 0.0;
        filter
    }
}

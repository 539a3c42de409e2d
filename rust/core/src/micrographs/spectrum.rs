//! Radial statistics and filters of spectra.

use rustfft::num_complex::Complex32;

use super::fft::{Plan, frequency};

/// Rings of equal width from zero frequency to the corner of the spectrum.
pub const RINGS: usize = 128;
const CORNER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The radius in the middle of a ring, cycles a pixel.
pub fn ring_radius(ring: usize) -> f32 {
    (ring as f32 + 0.5) * CORNER / RINGS as f32
}

/// The radius of each coefficient, cycles a pixel.
pub fn radii(plan: &Plan) -> impl Iterator<Item = f32> + use<> {
    let (width, height) = (plan.width, plan.height);
    (0..width).flat_map(move |x| (0..height).map(move |y| frequency(x, width).hypot(frequency(y, height))))
}

/// The ring of each coefficient of a spectrum.
#[derive(Clone, Debug)]
pub struct Rings(Vec<u8>);

/// The power in each ring.
#[derive(Debug)]
pub struct RingSums<'a> {
    rings: &'a Rings,
    power: [f64; RINGS],
    counts: [u32; RINGS],
}

impl Rings {
    /// Of coefficients of these radii, cycles a pixel.
    pub fn new(radii: impl Iterator<Item = f32>) -> Self {
        Self(radii.map(|radius| ((radius / CORNER * RINGS as f32) as usize).min(RINGS - 1) as u8).collect())
    }

    /// The ring of a coefficient.
    pub fn of(&self, at: usize) -> usize {
        self.0[at].into()
    }

    /// Nothing summed up yet.
    pub fn sums(&self) -> RingSums<'_> {
        RingSums { rings: self, power: [0.0; RINGS], counts: [0; RINGS] }
    }
}

impl RingSums<'_> {
    /// Adds the power of some coefficients, from the given one on.
    pub fn add(&mut self, part: &[Complex32], at: usize) {
        for (value, &ring) in part.iter().zip(&self.rings.0[at..]) {
            self.power[usize::from(ring)] += f64::from(value.norm_sqr());
            self.counts[usize::from(ring)] += 1;
        }
    }

    /// The mean in each ring; 0 where a ring has no coefficient.
    pub fn mean(&self) -> [f64; RINGS] {
        std::array::from_fn(|ring| if self.counts[ring] > 0 { self.power[ring] / f64::from(self.counts[ring]) } else { 0.0 })
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

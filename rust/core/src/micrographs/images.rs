//! Single images and pairs, for those who build something of their own.

use rustfft::num_complex::Complex32;

use super::correlator::{Correlator, Map};
use super::fft::{Plan, good_size};
use super::overlap::Span;
use super::read::{Flattened, flatten, taper};
use super::reduce::Reduction;
use super::spectrum::Band;
use crate::{Error, Result};

/// The outer part of each side over which an image fades before it is filtered.
const TAPER: f32 = 0.02;

/// Averages bins of `bin` x `bin` pixels, takes the slow change of brightness out, fades the edges and filters. Returns the pixels and how many
/// columns there are; a blank image gives zeros.
pub fn prepare_image(image: &[f32], width: usize, bin: usize, band: Band) -> Result<(Vec<f32>, usize)> {
    let mut reduction = Reduction::new(width, image.len() / width, bin);
    reduction.add_rows(image);
    let means = reduction.means;
    let columns = super::reduce::Bins::new(width, bin).count;
    let n = means.len();
    let pixels = match flatten(means, columns) {
        Flattened::Image(pixels, _) => pixels,
        Flattened::Blank => return Ok((vec![0.0; n], columns)),
        Flattened::NotFinite => return Err(Error::input("image: found NaN or infinite pixels, expected numbers")),
    };
    let plan = Plan::new(columns, n / columns);
    let tapers = (taper(plan.width, TAPER), taper(plan.height, TAPER));
    let fade = |(at, pixel): (usize, f32)| Complex32::new(pixel * tapers.0[at % columns] * tapers.1[at / columns], 0.0);
    let mut values: Vec<Complex32> = pixels.into_iter().enumerate().map(fade).collect();
    let (mut spectrum, mut scratch) = (values.clone(), plan.scratch());
    plan.forward(&mut values, &mut spectrum, &mut scratch);
    spectrum.iter_mut().zip(band.filter(&plan)).for_each(|(value, filter)| *value *= filter);
    plan.inverse(&mut spectrum, &mut values, &mut scratch);
    Ok((values.into_iter().map(|value| value.re / n as f32).collect(), columns))
}

/// How well two images fit at their best shift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// Pixel x of the first shows what pixel x + shift of the second shows.
    pub shift: (f64, f64),
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// Pearson's coefficient over the whole frame, what is not covered filled with the mean.
    pub ccc: f64,
    /// Share of the frame that both show.
    pub overlap: f64,
    /// atanh(ncc) times the root of the number of independent values in the overlap.
    pub z: f64,
}

/// Correlates two images of one size at every shift, zero-padded, and measures the best one exactly. `most`: largest shift along an axis.
pub fn correlate(first: &[f32], second: &[f32], width: usize, most: Option<f64>) -> Fit {
    let height = first.len() / width;
    let grid = (good_size(2 * width), good_size(2 * height));
    let correlator = Correlator::new((width as f64, height as f64), grid, most.map(|most| (most, most)), 0);
    let [a, b] = [first, second].map(|image| padded_spectrum(&correlator.plan, image, width));
    let mut found = [Map::default(), Map::default()];
    let product = |x: usize, block: &mut [Complex32]| {
        let at = x * correlator.plan.height;
        block.iter_mut().zip(a[at..].iter().zip(&b[at..])).for_each(|(out, (a, b))| *out = a.conj() * b);
    };
    correlator.maps_of_product(product, &mut correlator.maps(), &mut found);
    let best = correlator.peaks(&found[0], 1).first().copied().unwrap_or_default();
    let (x, y) = correlator.shift(best);
    let shift = (x as i32, y as i32);
    let fine = correlator.sub_pixel(&found[0], best);
    let overlap = Pixels::new(first, second, width, shift);
    let power = |spectrum: &[Complex32]| spectrum.iter().map(|value| f64::from(value.norm_sqr())).collect::<Vec<_>>();
    let (of_a, of_b) = (power(&a), power(&b));
    let product: f64 = of_a.iter().zip(&of_b).map(|(a, b)| a * b).sum();
    let independent = if product > 0.0 { of_a.iter().sum::<f64>() * of_b.iter().sum::<f64>() / product / of_a.len() as f64 } else { 0.0 };
    let ncc = overlap.ncc();
    let z = ncc.clamp(-0.999_999, 0.999_999).atanh() * (overlap.n * independent).sqrt();
    Fit { shift: fine, ncc, ccc: overlap.whole_frame(first), overlap: overlap.n / first.len() as f64, z }
}

fn padded_spectrum(plan: &Plan, image: &[f32], width: usize) -> Vec<Complex32> {
    let mut padded = vec![Complex32::default(); plan.len()];
    for (row, pixels) in padded.chunks_exact_mut(plan.width).zip(image.chunks_exact(width)) {
        row.iter_mut().zip(pixels).for_each(|(value, &pixel)| value.re = pixel);
    }
    let mut spectrum = padded.clone();
    plan.forward(&mut padded, &mut spectrum, &mut plan.scratch());
    spectrum
}

/// Sums over an overlap.
struct Pixels {
    n: f64,
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Pixels {
    fn new(first: &[f32], second: &[f32], width: usize, (dx, dy): (i32, i32)) -> Self {
        let mut sums = Self { n: 0.0, a: 0.0, b: 0.0, aa: 0.0, bb: 0.0, ab: 0.0 };
        let (Some(columns), Some(rows)) = (Span::new(width, dx), Span::new(first.len() / width, dy)) else { return sums };
        for row in 0..rows.length {
            let a = &first[(rows.first + row) * width + columns.first..][..columns.length];
            let b = &second[(rows.second + row) * width + columns.second..][..columns.length];
            for (&a, &b) in a.iter().zip(b) {
                let (a, b) = (f64::from(a), f64::from(b));
                sums.n += 1.0;
                sums.a += a;
                sums.b += b;
                sums.aa += a * a;
                sums.bb += b * b;
                sums.ab += a * b;
            }
        }
        sums
    }

    fn ncc(&self) -> f64 {
        let spread = |squares: f64, sum: f64| (squares - sum * sum / self.n).max(0.0);
        ratio(self.ab - self.a * self.b / self.n, spread(self.aa, self.a) * spread(self.bb, self.b))
    }

    fn whole_frame(&self, first: &[f32]) -> f64 {
        let sum: f64 = first.iter().map(|&value| f64::from(value)).sum();
        let squares: f64 = first.iter().map(|&value| f64::from(value).powi(2)).sum();
        let spread = squares - sum * sum / first.len() as f64;
        ratio(self.ab - self.a * self.b / self.n, spread.max(0.0) * (self.bb - self.b * self.b / self.n).max(0.0))
    }
}

fn ratio(product: f64, squares: f64) -> f64 {
    let value = product / squares.sqrt();
    if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
}

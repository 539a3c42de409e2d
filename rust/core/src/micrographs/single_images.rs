//! Functions for single images and pairs, for other programs.

use rustfft::num_complex::Complex32;

use crate::micrographs::kernels::common::{BLOCKS, Blocks, Common, Moments};
use crate::micrographs::kernels::correlator::Correlator;
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::overlap::Span;
use crate::micrographs::kernels::rings::Band;
use crate::micrographs::kernels::sizes::good_size;
use crate::micrographs::kernels::taper::taper;
use crate::micrographs::read::flatten::{Flattened, flatten};
use crate::micrographs::read::reduce::{Bins, Reduction};
use crate::{Error, Result};

/// The outer part of each side over which an image fades before it is filtered.
const TAPER: f32 = 0.02;

/// Averages bins of `bin` x `bin` pixels, removes the slow change of brightness, fades the edges and filters. Returns the pixels and the
/// number of columns; a blank image gives zeros.
///
/// # Errors
/// [`Error::Parameter`] for an image of less than two bins along a side, or with pixels that are NaN or infinite.
pub fn prepare(image: &[f32], width: usize, bin: usize, band: Band) -> Result<(Vec<f32>, usize)> {
    let height = image.len() / width.max(1);
    if bin == 0 || width.min(height) < 2 * bin {
        let expected = format!("at least two bins of {bin} along each side");
        return Err(Error::parameter("image", format!("{height} x {width} pixels"), expected));
    }
    let mut reduction = Reduction::new(width, image.len() / width, bin);
    reduction.add_rows(image);
    let means = reduction.means;
    let columns = Bins::new(width, bin).count;
    let n = means.len();
    let pixels = match flatten(means, columns) {
        Flattened::Image(pixels) => pixels,
        Flattened::Blank => return Ok((vec![0.0; n], columns)),
        Flattened::NotFinite => return Err(Error::parameter("image", "NaN or infinite pixels", "numbers")),
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

/// The correlation of two images at their best shift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Correlation {
    /// The shift (x, y), in pixels, that superimposes the second on the first.
    pub shift: (f64, f64),
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// Pearson's coefficient over the whole frame; the part not covered by the shifted second image is filled with its mean.
    pub ccc: f64,
    /// Share of the frame that both show.
    pub overlap: f64,
    /// Significance: atanh of the correlation over the overlap without its best block of 6 x 6 (a single bright feature in each image does
    /// not make a match), times the root of the number of independent values there.
    pub z: f64,
}

/// Correlates two images of one size at all shifts, zero-padded, and measures the best one exactly. `max_shift_px`: largest shift along an
/// axis.
///
/// The significance is that of the search. Only the spectra of the images are known, so the number of independent values
/// per pixel is that of noise with these spectra, Σa Σb / Σab / n for the powers a and b of n coefficients; the search knows its filter h,
/// for which this is (Σh²)² / Σh⁴ / n.
///
/// Time O(n log n) for n pixels; memory for some transforms of the doubled frame, 32 bytes a pixel each.
///
/// # Errors
/// [`Error::Parameter`] for images of different `shapes` (rows, columns), of other numbers of pixels, or without any.
pub fn correlate(first: &[f32], second: &[f32], shapes: [[usize; 2]; 2], max_shift_px: Option<f64>) -> Result<Correlation> {
    let [height, width] = shapes[0];
    if shapes[0] != shapes[1] || shapes[0].contains(&0) || [first.len(), second.len()] != [height * width; 2] {
        return Err(Error::parameter("images", format!("shapes {:?} and {:?}", shapes[0], shapes[1]), "two of one shape"));
    }
    let grid = (good_size(2 * width), good_size(2 * height));
    let correlator = Correlator::new((width as f64, height as f64), grid, max_shift_px.map(|max| (max, max)), 0);
    let [a, b] = [first, second].map(|image| padded_spectrum(&correlator.plan, image, width));
    let mut maps = correlator.maps();
    let product = |x: usize, block: &mut [Complex32]| {
        let at = x * correlator.plan.height;
        block.iter_mut().zip(a[at..].iter().zip(&b[at..])).for_each(|(out, (a, b))| *out = a.conj() * b);
    };
    correlator.fill_with_product(&mut maps, product);
    let best = correlator.peaks(&maps, 0, 1).first().copied().unwrap_or_default();
    // The grid has room for all lags: the place stands for one.
    let (x, y) = correlator.lags(best).first().copied().unwrap_or_default();
    let beside = correlator.beside(&maps, 0, best);
    let common = common(first, second, width, (x, y));
    // A lag of 0 is a shift of 0, not of -0.
    let shift = (0.0 - f64::from(x) - beside.0, 0.0 - f64::from(y) - beside.1);
    Ok(Correlation {
        shift,
        ncc: common.ncc,
        ccc: common.whole_frame,
        overlap: common.pixels / first.len() as f64,
        z: common.z(independent(&a, &b)),
    })
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

/// Number of independent values per pixel in the products of noise with these spectra.
fn independent(first: &[Complex32], second: &[Complex32]) -> f64 {
    let power = |spectrum: &[Complex32]| spectrum.iter().map(|value| f64::from(value.norm_sqr())).collect::<Vec<_>>();
    let (first, second) = (power(first), power(second));
    let product: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
    if product > 0.0 { first.iter().sum::<f64>() * second.iter().sum::<f64>() / product / first.len() as f64 } else { 0.0 }
}

/// Compares two images at a lag, in blocks as in the search.
fn common(first: &[f32], second: &[f32], width: usize, (x, y): (i32, i32)) -> Common {
    let (Some(columns), Some(rows)) = (Span::new(width, x), Span::new(first.len() / width, y)) else { return Common::default() };
    let blocks = Blocks::new(columns.length, rows.length, 1);
    let (mut products, mut of_first, mut of_second) = ([[0.0; BLOCKS]; BLOCKS], Moments::default(), Moments::default());
    for row in 0..rows.length {
        let a = &first[(rows.first + row) * width + columns.first..][..columns.length];
        let b = &second[(rows.second + row) * width + columns.second..][..columns.length];
        of_first.add(a);
        of_second.add(b);
        let line = &mut products[row * blocks.down / rows.length];
        for (product, edge) in line.iter_mut().zip(blocks.edges.windows(2)).take(blocks.across) {
            let both = a[edge[0]..edge[1]].iter().zip(&b[edge[0]..edge[1]]);
            *product += both.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        }
    }
    let mut whole = Moments::default();
    whole.add(first);
    Common::of(of_first, of_second, whole, &products, blocks.across * blocks.down)
}

//! Two-dimensional Fourier transforms of complex images, or of two real ones packed into one.

use std::sync::Arc;

use rustfft::{Fft, num_complex::Complex32};

use super::simd::fast;

/// A transform of images of `width` x `height`, planned once and shared by threads.
///
/// Images are row after row. Spectra are column after column (all ky of kx = 0, then of kx = 1, ...), zero frequency first, which saves one
/// transposition each way. Nothing is scaled: there and back multiplies by `width * height`.
#[derive(Clone)]
pub struct Plan {
    /// Columns of the image.
    pub width: usize,
    /// Rows of the image.
    pub height: usize,
    forward: [Arc<dyn Fft<f32>>; 2],
    inverse: [Arc<dyn Fft<f32>>; 2],
}

/// The instructions with which transforms are computed on this processor: their rounding differs from one set to another, all else here
/// gives the same result on each.
pub fn instruction_set() -> &'static str {
    #[cfg(all(target_arch = "x86_64", not(feature = "plain")))]
    if std::is_x86_feature_detected!("avx") && std::is_x86_feature_detected!("fma") {
        return "x86_64, AVX and FMA";
    }
    std::env::consts::ARCH
}

/// Memory of one thread for one plan.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    block: Vec<Complex32>,
    fft: Vec<Complex32>,
}

/// Number of rows or columns transformed and transposed at a time; they fit the first-level cache.
pub(crate) const BLOCK: usize = 8;

impl std::fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Plan({} x {})", self.width, self.height)
    }
}

impl Plan {
    /// Plans transforms of this size; any size works, those of [`super::sizes::good_size`] are fast.
    pub fn new(width: usize, height: usize) -> Self {
        #[cfg(not(feature = "plain"))]
        let mut planner = rustfft::FftPlanner::new();
        #[cfg(feature = "plain")]
        let mut planner = rustfft::FftPlannerScalar::new();
        let forward = [planner.plan_fft_forward(width), planner.plan_fft_forward(height)];
        let inverse = [planner.plan_fft_inverse(width), planner.plan_fft_inverse(height)];
        Self { width, height, forward, inverse }
    }

    /// Pixels.
    pub fn len(&self) -> usize {
        self.width * self.height
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> Scratch {
        let fft = self.forward.iter().chain(&self.inverse).map(|fft| fft.get_inplace_scratch_len()).max().unwrap_or_default();
        Scratch { block: vec![Complex32::default(); BLOCK * self.width.max(self.height)], fft: vec![Complex32::default(); fft] }
    }

    /// From an image to its spectrum; the image is lost. If it has fewer rows than planned, the others are zero.
    pub fn forward(&self, image: &mut [Complex32], spectrum: &mut [Complex32], scratch: &mut Scratch) {
        if image.len() < self.len() {
            spectrum.fill(Complex32::default());
        }
        for (y, rows) in image.chunks_mut(BLOCK * self.width).enumerate() {
            self.forward[0].process_with_scratch(rows, &mut scratch.fft);
            transpose(rows, self.width, spectrum, self.height, y * BLOCK);
        }
        self.forward[1].process_with_scratch(spectrum, &mut scratch.fft);
    }

    /// From a spectrum to its image; the spectrum is lost.
    pub fn inverse(&self, spectrum: &mut [Complex32], image: &mut [Complex32], scratch: &mut Scratch) {
        for (x, columns) in spectrum.chunks_mut(BLOCK * self.height).enumerate() {
            self.inverse[1].process_with_scratch(columns, &mut scratch.fft);
            transpose(columns, self.height, image, self.width, x * BLOCK);
        }
        self.inverse[0].process_with_scratch(image, &mut scratch.fft);
    }

    /// From a column of the spectrum of two real images, transformed as real and imaginary part of one, to the columns of both.
    pub fn unpack(&self, packed: &[Complex32], x: usize, first: &mut [Complex32], second: &mut [Complex32]) {
        let height = self.height;
        let (column, opposite) = (&packed[x * height..][..height], &packed[(self.width - x) % self.width * height..][..height]);
        unpack_column(column, opposite, first, second);
    }

    /// From a spectrum that `fill` writes, column block by column block (its first column, the block), to blocks of rows of the image,
    /// which `take` gets (first row, rows) if they are `wanted` (number of the block): only the transposed intermediate stage leaves the
    /// cache.
    pub fn inverse_by_blocks(
        &self,
        half_way: &mut [Complex32],
        scratch: &mut Scratch,
        mut fill: impl FnMut(usize, &mut [Complex32]),
        wanted: impl Fn(usize) -> bool,
        mut take: impl FnMut(usize, &[Complex32]),
    ) {
        for x in (0..self.width).step_by(BLOCK) {
            let columns = BLOCK.min(self.width - x);
            let block = &mut scratch.block[..columns * self.height];
            fill(x, block);
            self.inverse[1].process_with_scratch(block, &mut scratch.fft);
            transpose(block, self.height, half_way, self.width, x);
        }
        for (y, rows) in half_way.chunks_mut(BLOCK * self.width).enumerate().filter(|&(y, _)| wanted(y)) {
            self.inverse[0].process_with_scratch(rows, &mut scratch.fft);
            take(y * BLOCK, rows);
        }
    }
}

fast! {
    fn unpack_column(column: &[Complex32], opposite: &[Complex32], first: &mut [Complex32], second: &mut [Complex32]) {
        let both = |value: Complex32, mirrored: Complex32| {
            let (sum, difference) = ((value + mirrored.conj()) * 0.5, (value - mirrored.conj()) * 0.5);
            (sum, Complex32::new(difference.im, -difference.re))
        };
        (first[0], second[0]) = both(column[0], opposite[0]);
        let out = first[1..].iter_mut().zip(&mut second[1..]);
        for ((value, mirrored), (first, second)) in column[1..].iter().zip(opposite[1..].iter().rev()).zip(out) {
            (*first, *second) = both(*value, *mirrored);
        }
    }
}

/// Writes lines of `length` as columns `at`, `at + 1`, ... of `out`, whose rows have `width`. Blocks turned in registers were tried, and
/// are slower.
fn transpose(lines: &[Complex32], length: usize, out: &mut [Complex32], width: usize, at: usize) {
    if lines.len() == BLOCK * length {
        let mut starts = lines.chunks_exact(length);
        let lines: [&[Complex32]; BLOCK] = std::array::from_fn(|_| starts.next().unwrap_or_default());
        for (i, row) in out.chunks_exact_mut(width).enumerate().take(length) {
            for (cell, line) in row[at..at + BLOCK].iter_mut().zip(lines) {
                *cell = line[i];
            }
        }
    } else {
        for (k, line) in lines.chunks_exact(length).enumerate() {
            for (i, value) in line.iter().enumerate() {
                out[i * width + at + k] = *value;
            }
        }
    }
}

/// The frequency of a coefficient, in cycles per pixel: from -1/2 to 1/2.
pub fn frequency(k: usize, n: usize) -> f32 {
    let signed = if 2 * k >= n { k as f32 - n as f32 } else { k as f32 };
    signed / n as f32
}

/// Copies the coefficients that two spectra of different sizes have in common, without those at the smaller one's Nyquist frequency; the
/// others of `to` become 0.
pub fn resize(from: &[Complex32], from_plan: &Plan, to: &mut [Complex32], to_plan: &Plan) {
    to.fill(Complex32::default());
    let columns = common(from_plan.width, to_plan.width);
    let rows = common(from_plan.height, to_plan.height);
    for &(x, u) in &columns {
        let (source, target) = (&from[x * from_plan.height..][..from_plan.height], &mut to[u * to_plan.height..][..to_plan.height]);
        for &(y, v) in &rows {
            target[v] = source[y];
        }
    }
}

/// Pairs of indices of equal frequency in transforms of two lengths.
fn common(from: usize, to: usize) -> Vec<(usize, usize)> {
    if from == to {
        return (0..from).map(|k| (k, k)).collect();
    }
    let half = (from.min(to) - 1) / 2;
    (0..=half).map(|k| (k, k)).chain((1..=half).map(|k| (from - k, to - k))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(n: usize) -> Vec<Complex32> {
        (0..n).map(|i| Complex32::new(((i * 7919) % 1013) as f32 / 500.0 - 1.0, ((i * 104_729) % 997) as f32 / 500.0 - 1.0)).collect()
    }

    #[test]
    fn forward_is_the_sum_that_defines_it() {
        for (width, height) in [(12, 8), (9, 16), (7, 5)] {
            let plan = Plan::new(width, height);
            let original = image(plan.len());
            let (mut lost, mut spectrum) = (original.clone(), vec![Complex32::default(); plan.len()]);
            plan.forward(&mut lost, &mut spectrum, &mut plan.scratch());
            for kx in 0..width {
                for ky in 0..height {
                    let mut sum = rustfft::num_complex::Complex64::default();
                    for y in 0..height {
                        for x in 0..width {
                            let turns = (kx * x) as f64 / width as f64 + (ky * y) as f64 / height as f64;
                            let pixel = original[y * width + x];
                            sum += rustfft::num_complex::Complex64::new(f64::from(pixel.re), f64::from(pixel.im))
                                * rustfft::num_complex::Complex64::from_polar(1.0, -std::f64::consts::TAU * turns);
                        }
                    }
                    let found = spectrum[kx * height + ky];
                    assert!((f64::from(found.re) - sum.re).abs() < 1e-3 && (f64::from(found.im) - sum.im).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn there_and_back_for_every_grid_in_use() {
        for (width, height) in [(128, 96), (96, 72), (512, 384), (384, 256), (768, 512), (720, 512), (257, 181)] {
            let plan = Plan::new(width, height);
            let original = image(plan.len());
            let mut scratch = plan.scratch();
            let (mut lost, mut spectrum, mut back) = (original.clone(), original.clone(), original.clone());
            plan.forward(&mut lost, &mut spectrum, &mut scratch);
            let copy = spectrum.clone();
            plan.inverse(&mut spectrum, &mut back, &mut scratch);
            let scale = 1.0 / plan.len() as f32;
            assert!(back.iter().zip(&original).all(|(a, b)| (a * scale - b).norm() < 1e-4), "{width} x {height}");
            let mut rows = vec![Complex32::default(); plan.len()];
            plan.inverse_by_blocks(
                &mut lost,
                &mut scratch,
                |x, block| block.copy_from_slice(&copy[x * height..][..block.len()]),
                |_| true,
                |y, block| rows[y * width..][..block.len()].copy_from_slice(block),
            );
            assert!(rows.iter().zip(&back).all(|(a, b)| (a - b).norm() * scale < 1e-5), "{width} x {height} by blocks");
        }
    }

    #[test]
    fn rows_that_are_left_out_are_zero() {
        let plan = Plan::new(12, 9);
        let mut padded = image(plan.len());
        padded[5 * 12..].fill(Complex32::default());
        let mut short = padded[..5 * 12].to_vec();
        let (mut expected, mut found) = (image(plan.len()), image(plan.len()));
        plan.forward(&mut padded, &mut expected, &mut plan.scratch());
        plan.forward(&mut short, &mut found, &mut plan.scratch());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).norm() < 1e-5));
    }

    #[test]
    fn two_real_images_in_one_transform() {
        let plan = Plan::new(12, 9);
        let both = image(plan.len());
        let transform = |part: &dyn Fn(&Complex32) -> f32| {
            let mut lost: Vec<Complex32> = both.iter().map(|value| Complex32::new(part(value), 0.0)).collect();
            let mut spectrum = lost.clone();
            plan.forward(&mut lost, &mut spectrum, &mut plan.scratch());
            spectrum
        };
        let (mut lost, mut packed) = (both.clone(), both.clone());
        plan.forward(&mut lost, &mut packed, &mut plan.scratch());
        let expected = [transform(&|value| value.re), transform(&|value| value.im)];
        for x in 0..plan.width {
            let mut found = [[Complex32::default(); 9]; 2];
            let [first, second] = &mut found;
            plan.unpack(&packed, x, first, second);
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found.iter().zip(&expected[x * 9..]).all(|(a, b)| (a - b).norm() < 1e-3));
            }
        }
    }
}

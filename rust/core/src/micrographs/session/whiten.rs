//! Levelling a whitened spectrum: streaks of edges and peaks of lattices then count for no more than the rest.

use rustfft::num_complex::Complex32;

use crate::micrographs::kernels::cells::Cells;
use crate::micrographs::kernels::simd::fast;

/// Coefficients of more than this many times the level of their ring are cut to that level: one of 7,000 of noise, and those of a lattice.
const NOTCH: f32 = 3.0;
/// Levels of a spectrum are those of cells of this many coefficients per side...
const SPECTRAL_CELL: usize = 4;
/// ...in Gaussian windows of this many cells; noise stays below [`SPECTRAL_LEVEL`].
const SPECTRAL_WINDOW: f32 = 1.0;
const SPECTRAL_LEVEL: f32 = 1.2;

/// Divides the coefficients of a whitened spectrum of columns of `height` by the level around them where that is above 1: the streak of an
/// edge and what surrounds the peaks of a lattice then count for less than the others; and cuts what still stands out.
pub(super) fn level_spectrum(spectrum: &mut [Complex32], height: usize) {
    let width = spectrum.len() / height;
    let mut power = Cells::new((height, width), SPECTRAL_CELL, 0.0);
    let across = power.across;
    for (columns, line) in spectrum.chunks(SPECTRAL_CELL * height).zip(power.values.chunks_exact_mut(across)) {
        let count = columns.len() / height;
        for column in columns.chunks_exact(height) {
            add_powers(column, line);
        }
        line.iter_mut().enumerate().for_each(|(cell, sum)| *sum /= (count * SPECTRAL_CELL.min(height - cell * SPECTRAL_CELL)) as f32);
    }
    let local = power.smooth(SPECTRAL_WINDOW);
    let factor = local.with(local.values.iter().map(|&local| 1.0 / (local / SPECTRAL_LEVEL).max(1.0)).collect());
    // The image is real: opposite coefficients have one factor, or it would leak into the other image of its transform.
    let (mut line, mut factors) = (vec![0.0; across], vec![0.0; height]);
    for x in 0..=width / 2 {
        factor.row(x, &mut line, &mut factors);
        let opposite = (width - x) % width;
        if opposite == x {
            let half = factors[1..=height / 2].to_vec();
            half.iter().enumerate().for_each(|(k, factor)| factors[height - 1 - k] = *factor);
        }
        level_column(&mut spectrum[x * height..][..height], &factors);
        if opposite != x {
            factors[1..].reverse();
            level_column(&mut spectrum[opposite * height..][..height], &factors);
        }
    }
}

fast! {
    fn add_powers(column: &[Complex32], cells: &mut [f32]) {
        for (cell, sum) in column.chunks(SPECTRAL_CELL).zip(cells) {
            *sum += cell.iter().map(Complex32::norm_sqr).sum::<f32>();
        }
    }
}

fast! {
    /// Multiplies; a coefficient of a ring of level 1 that stands out, as those of a lattice do, then counts like the others.
    fn level_column(column: &mut [Complex32], factors: &[f32]) {
        for (value, &factor) in column.iter_mut().zip(factors) {
            let size = (value.norm_sqr() * factor * factor).max(f32::MIN_POSITIVE).sqrt();
            *value *= if size > NOTCH { factor / size } else { factor };
        }
    }
}

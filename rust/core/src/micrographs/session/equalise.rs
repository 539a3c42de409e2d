//! Equal local contrast: no part of an image counts for more than its area.

use crate::micrographs::kernels::cells::Cells;
use crate::micrographs::kernels::simd::fast;

/// Pixels of a cell's side, of which local standard deviations are taken...
pub(crate) const CELL: usize = 8;
/// ...in Gaussian windows of this many cells.
const WINDOW: f32 = 2.0;
/// Local powers below this share of the usual one are not lifted further.
const MIN_POWER: f32 = 0.15;
/// Cells of which the mask leaves less than this share are empty in a view: whitening spreads the edges of the mask into it.
const MIN_SHOWN: f32 = 0.5;
/// Pixels are cut at this many local standard deviations.
const CLIP: f32 = 4.0;

/// Scales the local standard deviation to 1: an edge or a flake then counts for no more than its area. Where there is hardly anything, as
/// under a mask, 0 remains 0.
pub(crate) fn equalise(pixels: &mut [f32], width: usize, shown: &Cells) {
    let mut power = shown.with(vec![0.0; shown.values.len()]);
    let across = power.across;
    for (rows, line) in pixels.chunks(CELL * width).zip(power.values.chunks_exact_mut(across)) {
        for row in rows.chunks_exact(width) {
            add_squares(row, line);
        }
        let count = rows.len() / width;
        line.iter_mut().enumerate().for_each(|(cell, sum)| *sum /= (count * CELL.min(width - cell * CELL)) as f32);
    }
    let seen = shown.with(shown.values.iter().map(|&share| ((share - MIN_SHOWN) / (1.0 - MIN_SHOWN)).max(0.0)).collect());
    let of_seen: Vec<f32> = power.values.iter().zip(&seen.values).filter(|(_, seen)| **seen > 0.0).map(|(power, _)| *power).collect();
    let usual = power.with(of_seen).percentile(70);
    let [local] = Cells::smoothed([&power], &seen, WINDOW, [usual]);
    let lifted = |(local, seen): (&f32, &f32)| seen / local.max(MIN_POWER * usual).sqrt().max(f32::MIN_POSITIVE);
    let factor = local.with(local.values.iter().zip(&seen.values).map(lifted).collect());
    let (mut line, mut factors) = (vec![0.0; across], vec![0.0; width]);
    for (y, row) in pixels.chunks_exact_mut(width).enumerate() {
        factor.row(y, &mut line, &mut factors);
        multiply(row, &factors);
    }
}

fast! {
    fn add_squares(row: &[f32], cells: &mut [f32]) {
        let (whole, rest) = row.as_chunks::<CELL>();
        for (cell, sum) in whole.iter().zip(cells.iter_mut()) {
            *sum += cell.iter().map(|value| value * value).sum::<f32>();
        }
        if let (false, Some(sum)) = (rest.is_empty(), cells.last_mut()) {
            *sum += rest.iter().map(|value| value * value).sum::<f32>();
        }
    }
}

fast! {
    fn multiply(row: &mut [f32], factors: &[f32]) {
        row.iter_mut().zip(factors).for_each(|(value, factor)| *value = (*value * factor).clamp(-CLIP, CLIP));
    }
}

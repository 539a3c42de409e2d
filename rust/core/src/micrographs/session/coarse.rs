//! Coarse detail of a micrograph, by which exposures of one spot are told from others.

use crate::micrographs::kernels::overlap::sum_of_products;

/// About the number of boxes over which a micrograph is averaged: a scene that moves by a few pixels stays in the same ones...
const BOXES: f64 = 5760.0;
/// ...of which the mean of those around it is subtracted, so many to each side: illumination and thick ice are alike in many micrographs.
const BESIDE: usize = 2;
/// The boxes are divided into so many tiles along each side; this one of all, from the least similar one, tells how similar two micrographs
/// are.
const TILES: usize = 4;
const TILE: usize = 4;
/// Boxes of edges and flakes count no more than so many standard deviations.
const CLIP: f32 = 2.5;
/// Units of a value per standard deviation.
const UNITS: f32 = 24.0;
/// A micrograph repeats itself at least this many boxes away.
const AWAY: usize = 4;

/// A micrograph averaged over boxes, without the mean of those around each.
pub(super) struct Boxes {
    values: Vec<f32>,
    across: usize,
}

impl Boxes {
    pub fn of(pixels: &[f32], width: usize) -> Self {
        let side = ((pixels.len() as f64 / BOXES).sqrt() as usize).max(1);
        let (across, down) = (width / side, pixels.len() / width / side);
        let mut sums = vec![0.0_f32; across * down];
        for (y, row) in pixels.chunks_exact(width).take(down * side).enumerate() {
            for (sum, part) in sums[y / side * across..][..across].iter_mut().zip(row.chunks_exact(side)) {
                *sum += part.iter().sum::<f32>();
            }
        }
        let near = |at: usize, end: usize| at.saturating_sub(BESIDE)..(at + BESIDE + 1).min(end);
        let around = |k: usize| {
            let (rows, columns) = (near(k / across, down), near(k % across, across));
            let number = rows.len() * columns.len();
            rows.flat_map(|y| sums[y * across..][columns.clone()].iter()).sum::<f32>() / number as f32
        };
        Self { values: (0..sums.len()).map(|k| sums[k] - around(k)).collect(), across }
    }

    /// The highest correlation with itself, some boxes away and up to half of the frame.
    pub fn repeats(&self) -> f64 {
        let values = Values::of(&self.values);
        let (across, down) = (self.across, self.values.len() / self.across.max(1));
        let mut highest = 0.0_f64;
        for y in 0..down / 2 {
            for x in (0..across / 2).filter(|&x| x.max(y) >= AWAY) {
                let mut sums = [[0_i64; 3]; 2];
                for row in 0..down - y {
                    let (upper, lower) = (&values.units[row * across..][..across], &values.units[(row + y) * across..][..across]);
                    for (sums, (first, second)) in
                        sums.iter_mut().zip([(&upper[..across - x], &lower[x..]), (&upper[x..], &lower[..across - x])])
                    {
                        for (&a, &b) in first.iter().zip(second) {
                            let (a, b) = (i64::from(a), i64::from(b));
                            *sums = [sums[0] + a * b, sums[1] + a * a, sums[2] + b * b];
                        }
                    }
                }
                for [product, first, second] in sums.map(|sums| sums.map(|sum| sum as f64)) {
                    highest = highest.max(product / (first * second).sqrt().max(1.0));
                }
            }
        }
        highest
    }
}

/// A micrograph's coarse detail, tile by tile.
pub(super) struct Coarse(Vec<Values>);

impl Coarse {
    pub fn of(boxes: &Boxes) -> Self {
        let (across, down) = (boxes.across, boxes.values.len() / boxes.across.max(1));
        let part = |size: usize, k: usize| k * size / TILES..(k + 1) * size / TILES;
        let tile = |k: usize| {
            let rows = part(down, k / TILES).flat_map(|y| boxes.values[y * across..][part(across, k % TILES)].iter().copied());
            Values::of(&rows.collect::<Vec<f32>>())
        };
        Self((0..TILES * TILES).map(tile).collect())
    }

    pub fn correlation(&self, other: &Self) -> f64 {
        let mut tiles: [f64; TILES * TILES] = std::array::from_fn(|k| self.0[k].correlation(&other.0[k]));
        tiles.sort_unstable_by(f64::total_cmp);
        tiles[TILE]
    }
}

/// Values around 0, in [`UNITS`].
struct Values {
    units: Vec<i8>,
    norm: f64,
}

impl Values {
    fn of(values: &[f32]) -> Self {
        let n = values.len().max(1) as f32;
        let mean = values.iter().sum::<f32>() / n;
        let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / n).sqrt();
        let factor = if sd > 0.0 { UNITS / sd } else { 0.0 };
        let limit = CLIP * UNITS;
        let units: Vec<i8> = values.iter().map(|value| ((value - mean) * factor).round().clamp(-limit, limit) as i8).collect();
        let mut values = Self { units, norm: 0.0 };
        values.norm = values.product(&values).sqrt();
        values
    }

    fn product(&self, other: &Self) -> f64 {
        let n = self.units.len();
        sum_of_products(&self.units, &other.units, n, (n, 1)) as f64
    }

    fn correlation(&self, other: &Self) -> f64 {
        let norms = self.norm * other.norm;
        if norms > 0.0 { self.product(other) / norms } else { 0.0 }
    }
}

//! Which micrographs of a session show one area at nearly the same place, before their fixed pattern is known.
//!
//! A pattern is what unrelated micrographs share. Ten exposures of one spot among forty others would make it show that spot, so each of
//! them has a tenth of the weight of another one.

use std::ops::Range;

use rayon::prelude::*;

use super::reader::Reader;
use super::views::Views;
use crate::micrographs::kernels::overlap::sum_of_products;
use crate::micrographs::stored::Source;
use crate::{Monitor, Result};

/// About the number of boxes over which a micrograph is averaged: a scene that moves by a few pixels stays in the same ones.
const BOXES: f64 = 2500.0;
/// Units of a box per standard deviation.
const UNITS: f32 = 24.0;
/// Micrographs resemble each other if their correlation exceeds the median by this, and by so many standard deviations.
const MIN_EXCESS: f64 = 0.1;
const MIN_EXCESS_SD: f64 = 6.0;
/// More of a run's micrographs than one in so many, or than this number, do not show one area: they have a gain reference of their own.
const MAX_SHARE: usize = 4;
const MAX_ALIKE: usize = 20;
/// Fewer others that resemble it show edges at like places by chance, and hardly change a mean.
const MIN_ALIKE: usize = 4;
/// The upper quartile of a normal distribution is so many standard deviations above the median.
const QUARTILE: f64 = 0.6745;

/// The weight of each micrograph in the means of those around it: one by the number of those of its run that show the same. `runs`: those
/// whose means are fitted together; a micrograph is in several.
pub(super) fn weights(records: &[Source], views: &Views, runs: &[Range<usize>], monitor: &Monitor) -> Result<Vec<f64>> {
    let read = |reader: &mut Reader, source: &Source| {
        monitor.advance(0)?;
        reader.read(source)?;
        Ok(Boxes::of(&reader.pixels, views.plan.width))
    };
    let boxes: Vec<Boxes> = records.par_iter().map_init(|| Reader::new(&views.plan), read).collect::<Result<_>>()?;
    let found: Vec<Vec<usize>> = runs.par_iter().map(|run| resembling(&boxes[run.clone()])).collect();
    let mut weights = vec![1.0; records.len()];
    for (run, numbers) in runs.iter().zip(found) {
        for (weight, number) in weights[run.clone()].iter_mut().zip(numbers) {
            *weight = f64::min(*weight, 1.0 / (1 + number) as f64);
        }
    }
    Ok(weights)
}

/// A micrograph averaged over boxes, around 0.
struct Boxes {
    means: Vec<i8>,
    norm: f64,
}

impl Boxes {
    fn of(pixels: &[f32], width: usize) -> Self {
        let side = ((pixels.len() as f64 / BOXES).sqrt() as usize).max(1);
        let across = width / side;
        let mut sums = vec![0.0_f32; across * (pixels.len() / width / side)];
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let Some(line) = sums.chunks_exact_mut(across.max(1)).nth(y / side) else { break };
            for (sum, part) in line.iter_mut().zip(row.chunks_exact(side)) {
                *sum += part.iter().sum::<f32>();
            }
        }
        let n = sums.len().max(1) as f32;
        let mean = sums.iter().sum::<f32>() / n;
        let sd = (sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f32>() / n).sqrt();
        let factor = if sd > 0.0 { UNITS / sd } else { 0.0 };
        let means: Vec<i8> = sums.iter().map(|sum| ((sum - mean) * factor).round().clamp(-127.0, 127.0) as i8).collect();
        let mut boxes = Self { means, norm: 0.0 };
        boxes.norm = boxes.product(&boxes).sqrt();
        boxes
    }

    fn product(&self, other: &Self) -> f64 {
        let n = self.means.len();
        sum_of_products(&self.means, &other.means, n, (n, 1)) as f64
    }

    fn correlation(&self, other: &Self) -> f64 {
        let norms = self.norm * other.norm;
        if norms > 0.0 { self.product(other) / norms } else { 0.0 }
    }
}

/// For each of some micrographs the number of others that resemble it more than the usual pair, which has the camera's pattern in common.
fn resembling(boxes: &[Boxes]) -> Vec<usize> {
    let pairs = || (0..boxes.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let correlations: Vec<f64> = pairs().map(|(i, j)| boxes[i].correlation(&boxes[j])).collect();
    let mut sorted = correlations.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut numbers = vec![0; boxes.len()];
    let Some(&median) = sorted.get(sorted.len() / 2) else { return numbers };
    let sd = (median - sorted[sorted.len() / 4]) / QUARTILE;
    let least = median + MIN_EXCESS.max(MIN_EXCESS_SD * sd);
    for ((i, j), _) in pairs().zip(&correlations).filter(|&(_, &correlation)| correlation > least) {
        numbers[i] += 1;
        numbers[j] += 1;
    }
    let max = MAX_ALIKE.min(boxes.len() / MAX_SHARE);
    numbers.iter_mut().filter(|number| **number < MIN_ALIKE || **number >= max).for_each(|number| *number = 0);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 120;

    /// Noise, and a share of a scene that moved by some columns.
    fn image(seed: u64, scene: f32, moved: usize) -> Boxes {
        let noise = |seed: u64| {
            let mut state = seed + 1;
            move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 24) as f32 - 0.5
            }
        };
        let (mut own, mut of_scene) = (noise(seed), noise(999));
        let world: Vec<f32> = (0..WIDTH * 80 / 16 + WIDTH).map(|_| of_scene()).collect();
        let at = |k: usize| world[(k / WIDTH / 4) * WIDTH / 4 + (k % WIDTH + moved) / 4];
        Boxes::of(&(0..WIDTH * 80).map(|k| own() + scene * at(k)).collect::<Vec<_>>(), WIDTH)
    }

    #[test]
    fn exposures_of_one_spot_are_counted_and_others_are_not() {
        let mut several: Vec<Boxes> = (0..40).map(|seed| image(seed, 0.0, 0)).collect();
        several.extend((40..50).map(|seed| image(seed, 1.5, 1 + (seed % 2) as usize)));
        let numbers = resembling(&several);
        assert!(numbers[..40].iter().all(|&number| number == 0), "{numbers:?}");
        assert!(numbers[40..].iter().all(|&number| number == 9), "{numbers:?}");
    }

    #[test]
    fn few_that_resemble_each_other_keep_their_weight() {
        for (alike, number) in [(4, 0), (5, 4)] {
            let several: Vec<Boxes> = (0..40).map(|seed| image(seed, if seed < alike { 1.5 } else { 0.0 }, 1)).collect();
            let numbers = resembling(&several);
            assert!(numbers[..alike as usize].iter().all(|&found| found == number), "{numbers:?}");
        }
    }

    #[test]
    fn what_all_share_is_a_pattern_and_flat_images_resemble_nothing() {
        let all: Vec<Boxes> = (0..30).map(|seed| image(seed, 1.0, 0)).collect();
        assert_eq!(resembling(&all), [0; 30]);
        let flat: Vec<Boxes> = (0..30).map(|_| Boxes::of(&vec![3.0; WIDTH * 80], WIDTH)).collect();
        assert_eq!(resembling(&flat), [0; 30]);
        assert_eq!(resembling(&[]), [0; 0]);
    }
}

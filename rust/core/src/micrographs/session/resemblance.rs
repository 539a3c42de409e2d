//! Which micrographs of a session show one area at nearly the same place, before their fixed pattern is known.
//!
//! A pattern is what unrelated micrographs share. Exposures of one spot would make it show that spot: none of them counts in it. They
//! resemble each other in coarse detail more than the usual pair does, and not in fine detail, as those of another gain reference do.

use std::ops::Range;

use rayon::prelude::*;

use super::reader::Reader;
use super::views::Views;
use crate::micrographs::kernels::overlap::sum_of_products;
use crate::micrographs::stored::Source;
use crate::union_find::UnionFind;
use crate::{Monitor, Result};

/// About the number of boxes over which a micrograph is averaged: a scene that moves by a few pixels stays in the same ones...
const BOXES: f64 = 5760.0;
/// ...of which the mean of those around it is subtracted, so many to each side: illumination and thick ice are alike in many micrographs.
const BESIDE: usize = 2;
/// About the number of pixels at which fine detail is sampled.
const SAMPLES: f64 = 22_500.0;
/// Units of a value per standard deviation.
const UNITS: f32 = 24.0;
/// Micrographs resemble each other if their correlation in coarse detail exceeds the usual one by this, and by so many standard deviations...
const MIN_EXCESS: f64 = 0.1;
const MIN_EXCESS_SD: f64 = 5.0;
/// ...but not if that in fine detail does, by this share of that in coarse detail, and by so many times what noise reaches.
const MAX_FINE: f64 = 0.08;
const MAX_FINE_SIGMAS: f64 = 3.0;
/// Fewer others that resemble it show edges at like places by chance, and hardly change a mean.
const MIN_ALIKE: usize = 4;
/// Most pairs may resemble each other: the usual correlation, and its standard deviation, are those of a normal distribution with these
/// quantiles, so many standard deviations below its middle.
const LOW: (f64, f64) = (0.20, 0.8416);
const LOWEST: (f64, f64) = (0.05, 1.6449);
/// So many pairs show what is usual in fine detail.
const USUAL: usize = 100;

/// The number of the area that each micrograph shows with some others of its run, 1 more than that of the first of them; 0: none. `runs`: those whose means are fitted together; a
/// micrograph is in several.
pub(super) fn areas(records: &[Source], views: &Views, runs: &[Range<usize>], monitor: &Monitor) -> Result<Vec<u32>> {
    let read = |reader: &mut Reader, source: &Source| {
        monitor.advance(0)?;
        reader.read(source)?;
        Ok(Sampled::of(&reader.pixels, views.plan.width))
    };
    let sampled: Vec<Sampled> = records.par_iter().map_init(|| Reader::new(&views.plan), read).collect::<Result<_>>()?;
    let found: Vec<Vec<(usize, usize)>> = runs.par_iter().map(|run| resembling(&sampled[run.clone()])).collect();
    let (sets, mut areas) = (UnionFind::new(records.len()), vec![0; records.len()]);
    let alike = || runs.iter().zip(&found).flat_map(|(run, pairs)| pairs.iter().map(|&(i, j)| [i, j].map(|k| run.start + k)));
    alike().for_each(|[i, j]| sets.unite(i as u32, j as u32));
    alike().flatten().for_each(|k| areas[k] = 1 + sets.root(k as u32));
    Ok(areas)
}

/// A micrograph's coarse detail, averaged over boxes, and its fine detail at some pixels.
struct Sampled {
    coarse: Values,
    fine: Values,
}

impl Sampled {
    fn of(pixels: &[f32], width: usize) -> Self {
        let side = |number: f64| ((pixels.len() as f64 / number).sqrt() as usize).max(1);
        Self { coarse: Values::of(&boxes(pixels, width, side(BOXES))), fine: Values::of(&fine(pixels, width, side(SAMPLES))) }
    }
}

fn boxes(pixels: &[f32], width: usize, side: usize) -> Vec<f32> {
    let across = width / side;
    let mut sums = vec![0.0_f32; across * (pixels.len() / width / side)];
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        let Some(line) = sums.chunks_exact_mut(across.max(1)).nth(y / side) else { break };
        for (sum, part) in line.iter_mut().zip(row.chunks_exact(side)) {
            *sum += part.iter().sum::<f32>();
        }
    }
    let down = sums.len() / across.max(1);
    let near = |at: usize, end: usize| at.saturating_sub(BESIDE)..(at + BESIDE + 1).min(end);
    let around = |k: usize| {
        let (rows, columns) = (near(k / across, down), near(k % across, across));
        let number = rows.len() * columns.len();
        rows.flat_map(|y| sums[y * across..][columns.clone()].iter()).sum::<f32>() / number as f32
    };
    sums.iter().enumerate().map(|(k, sum)| sum - around(k)).collect()
}

/// Second differences along rows of second differences along columns: of the spectrum only the corners are left.
fn fine(pixels: &[f32], width: usize, step: usize) -> Vec<f32> {
    let down = |k: usize| pixels[k - width] - 2.0 * pixels[k] + pixels[k + width];
    let rows = (1..(pixels.len() / width).saturating_sub(1)).step_by(step);
    let columns = |y: usize| (1..width.saturating_sub(1)).step_by(step).map(move |x| y * width + x);
    rows.flat_map(columns).map(|k| down(k - 1) - 2.0 * down(k) + down(k + 1)).collect()
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
        let units: Vec<i8> = values.iter().map(|value| ((value - mean) * factor).round().clamp(-127.0, 127.0) as i8).collect();
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

/// Pairs of micrographs that resemble each other, and each so many others that it is not by chance.
fn resembling(sampled: &[Sampled]) -> Vec<(usize, usize)> {
    let pairs: Vec<(usize, usize)> = (0..sampled.len()).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    if pairs.is_empty() {
        return pairs;
    }
    let coarse: Vec<f64> = pairs.iter().map(|&(i, j)| sampled[i].coarse.correlation(&sampled[j].coarse)).collect();
    let fine = |&(i, j): &(usize, usize)| sampled[i].fine.correlation(&sampled[j].fine);
    let low = [LOW, LOWEST].map(|(share, _)| quantile(coarse.clone(), share));
    let sd = (low[0] - low[1]) / (LOWEST.1 - LOW.1);
    let usual = low[0] + LOW.1 * sd;
    let usual_fine = quantile(pairs.iter().step_by(pairs.len().div_ceil(USUAL)).map(fine).collect(), 0.5);
    let noise = MAX_FINE_SIGMAS / (sampled[0].fine.units.len().max(1) as f64).sqrt();
    let least = MIN_EXCESS.max(MIN_EXCESS_SD * sd);
    let is_scene = |(pair, coarse): &(&(usize, usize), f64)| {
        let excess = coarse - usual;
        excess > least && fine(pair) - usual_fine < noise.max(MAX_FINE * excess)
    };
    let mut alike: Vec<(usize, usize)> = pairs.iter().zip(coarse).filter(is_scene).map(|(&pair, _)| pair).collect();
    let mut numbers = vec![0; sampled.len()];
    alike.iter().for_each(|&(i, j)| [i, j].into_iter().for_each(|k| numbers[k] += 1));
    alike.retain(|&(i, j)| numbers[i].min(numbers[j]) >= MIN_ALIKE);
    alike
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    let at = (share * values.len() as f64) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 120;

    /// Noise, and a share of a scene that moved by some columns.
    fn pixels(seed: u64, scene: f32, moved: usize) -> Vec<f32> {
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
        (0..WIDTH * 80).map(|k| own() + scene * at(k)).collect()
    }

    fn image(seed: u64, scene: f32, moved: usize) -> Sampled {
        Sampled::of(&pixels(seed, scene, moved), WIDTH)
    }

    /// How many others each of some micrographs resembles.
    fn numbers(sampled: &[Sampled]) -> Vec<usize> {
        let pairs = resembling(sampled);
        (0..sampled.len()).map(|k| pairs.iter().filter(|&&(i, j)| i == k || j == k).count()).collect()
    }

    #[test]
    fn exposures_of_one_spot_are_found_however_many_they_are() {
        for alike in [5, 10, 20, 30] {
            let several: Vec<Sampled> =
                (0..40).map(|seed| image(seed, if seed < alike { 1.5 } else { 0.0 }, (seed % 2) as usize)).collect();
            let found = numbers(&several);
            let (of_spot, others) = found.split_at(alike as usize);
            assert!(of_spot.iter().all(|&number| number == alike as usize - 1), "{alike}: {of_spot:?}");
            assert!(others.iter().all(|&number| number == 0), "{alike}: {others:?}");
        }
    }

    #[test]
    fn few_that_resemble_each_other_are_by_chance() {
        let several: Vec<Sampled> = (0..40).map(|seed| image(seed, if seed < 4 { 1.5 } else { 0.0 }, 1)).collect();
        assert_eq!(numbers(&several), [0; 40]);
    }

    #[test]
    fn frames_of_another_gain_reference_show_no_area() {
        let pattern = pixels(0, 0.0, 0);
        let of_gain = |seed: u64, strength: f32| {
            let pixels: Vec<f32> = pixels(seed, 0.0, 0).iter().zip(&pattern).map(|(own, of_all)| own + strength * of_all).collect();
            Sampled::of(&pixels, WIDTH)
        };
        let several: Vec<Sampled> = (1..41).map(|seed| of_gain(seed, if seed <= 10 { 1.0 } else { 0.0 })).collect();
        assert_eq!(numbers(&several), [0; 40]);
    }

    #[test]
    fn what_all_share_is_a_pattern_and_flat_images_resemble_nothing() {
        let all: Vec<Sampled> = (0..30).map(|seed| image(seed, 1.0, 0)).collect();
        assert_eq!(numbers(&all), [0; 30]);
        let flat: Vec<Sampled> = (0..30).map(|_| Sampled::of(&vec![3.0; WIDTH * 80], WIDTH)).collect();
        assert_eq!(numbers(&flat), [0; 30]);
        assert_eq!(numbers(&[]), [0; 0]);
    }
}

//! Which parts of an image show specimen: what lies outside the beam, under an opaque foil, at an edge, or in a pixel that no electron
//! image has, is masked.

use crate::micrographs::kernels::cells::Cells;

/// Where the variance is less than this share of that of the brightest parts...
const DARK: f32 = 0.12;
/// ...and the mean is below theirs by this many standard deviations, there is no beam, or no electron gets through.
const BELOW: f32 = 5.0;
/// Bright parts differ among themselves: the mean must be below theirs by this many times the excess of the brightest above them.
const BEYOND: f32 = 6.0;
/// Cells with this many times the usual variance hold a hot pixel or the trace of an X-ray...
const WILD: f32 = 50.0;
/// ...and those whose neighbours on both sides differ by this many standard deviations the edge of a flake or foil: no particle is so
/// bright.
const STEP: f32 = 8.0;
/// Around those, cells with this many times the usual variance belong to them.
const BESIDE_WILD: f32 = 4.0;
/// Cells around dark ones that are masked, too: the edge's fringes are there.
const FRINGE: usize = 3;
/// The mask's edge is soft over about this many cells.
const SOFT: f32 = 1.0;
/// Parts of fewer cells, cut off from all others by the mask, are masked, too...
const MIN_PART: usize = 24;
/// ...and so are all but the largest ones.
const MAX_PARTS: usize = 8;
/// An image of which less than this share is left is flattened without a mask.
const MIN_LEFT: f32 = 0.05;

/// The parts that are not masked.
pub(crate) struct Shown {
    /// The weight of each cell, 0 where it is masked, up to 1.
    pub(crate) weight: Cells,
    /// The weights of each part that edges enclose, 0 elsewhere; the largest first.
    pub(crate) parts: Vec<Cells>,
    /// The variance of most cells that the beam reaches.
    pub(crate) usual: f32,
}

impl Shown {
    /// From the mean and the variance of each cell.
    pub(crate) fn of(means: &Cells, variances: &Cells) -> Self {
        let bright = variances.percentile(90);
        let usual = Cells { values: variances.values.iter().copied().filter(|&value| value >= DARK * bright).collect(), ..*variances }
            .percentile(50);
        let (level, top) = (means.percentile(80), means.percentile(95));
        let level = level - (BELOW * usual.sqrt()).max(BEYOND * (top - level));
        let is_dark = |(variance, mean): (&f32, &f32)| f32::from(*variance < DARK * bright && *mean < level);
        let dark = variances.with(variances.values.iter().zip(&means.values).map(is_dark).collect()).dilated(FRINGE);
        let above = |times: f32| variances.with(variances.values.iter().map(|&value| f32::from(value > times * usual)).collect());
        let (mut wild, beside) = (above(WILD), above(BESIDE_WILD));
        let steps = means.steps(&wild);
        wild.values.iter_mut().zip(steps.values).for_each(|(wild, step)| *wild = wild.max(f32::from(step > STEP * usual.sqrt())));
        for _ in 0..2 {
            let grown = wild.dilated(1);
            wild.values
                .iter_mut()
                .zip(grown.values.iter().zip(&beside.values))
                .for_each(|(wild, (near, high))| *wild = wild.max(near.min(*high)));
        }
        let mut weight = dark.with(dark.values.iter().zip(&wild.values).map(|(dark, wild)| 1.0 - dark.max(*wild)).collect());
        let soft = weight.smooth(SOFT);
        weight.values.iter_mut().zip(soft.values).for_each(|(weight, soft)| *weight *= (2.0 * soft - 1.0).max(0.0));
        let parts = parts(&mut weight);
        if weight.values.iter().sum::<f32>() < MIN_LEFT * weight.values.len() as f32 {
            let all = weight.with(vec![1.0; weight.values.len()]);
            return Self { weight: all.clone(), parts: vec![all], usual };
        }
        Self { weight, parts, usual }
    }
}

/// The weights of the largest part of connected cells, and of others, as within a flake: each has a brightness of its own. What is in
/// none of them loses its weight.
fn parts(weight: &mut Cells) -> Vec<Cells> {
    let mut parts = weight.connected();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let kept = parts.iter().take(MAX_PARTS).filter(|part| part.len() >= MIN_PART).count().max(1);
    parts.split_off(kept.min(parts.len())).into_iter().flatten().for_each(|at| weight.values[at] = 0.0);
    let of_part = |part: Vec<usize>| {
        let mut own = weight.with(vec![0.0; weight.values.len()]);
        part.into_iter().for_each(|at| own.values[at] = weight.values[at]);
        own
    };
    parts.into_iter().map(of_part).collect()
}

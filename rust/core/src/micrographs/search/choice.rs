//! Decides whether the pairs of a session are screened one by one or in pools, and from which peak height they are refined.

use std::str::FromStr;

use super::low_resolution::{LowResolution, Threshold};
use super::planting::{Planted, plant};
use super::pools::{Pools, SIZES};
use super::screen::{RECALL, refined_of};
use crate::micrographs::kernels::correlator::Highest;
use crate::micrographs::kernels::warp::Seen;
use crate::{Error, Monitor, Result};

/// Number of pairs from which thresholds are estimated.
const SAMPLED: usize = 20_000;
/// The share of all pools that may pass by chance.
const POOLS_PASSING: f64 = 0.003;
/// Number of micrographs of which second exposures are planted.
const PLANTED: usize = 300;

/// The sensitivity of the screening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// The largest pools, whatever they miss: fastest.
    Fast,
    /// Pools as large as the session's signal allows.
    Auto,
    /// Every pair by itself: slowest.
    Full,
}

impl FromStr for Sensitivity {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "fast" => Ok(Self::Fast),
            "auto" => Ok(Self::Auto),
            "full" => Ok(Self::Full),
            other => Err(Error::parameter("sensitivity", other, "fast, auto or full")),
        }
    }
}

/// Pseudo-random integers, the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

/// The value that a share of the others exceeds.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let at = (values.len() as f64 * (1.0 - share)).floor() as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The peak heights exceeded by as many pairs as may pass, a fifth of them at zero shift.
fn threshold_passed_by(heights: &[Highest], share: f64) -> Threshold {
    let values = |of: &dyn Fn(&Highest) -> [f32; 2]| heights.iter().flat_map(of).collect::<Vec<f32>>();
    let share = share.clamp(1.0 / heights.len() as f64, 1.0);
    Threshold {
        elsewhere: quantile(values(&|found| found.z), share),
        at_zero: quantile(values(&|found| found.at_zero.map(f32::abs)), 0.2 * share),
    }
}

fn threshold_of_pairs(low: &LowResolution, pairs: u64, monitor: &Monitor) -> Result<Threshold> {
    let wanted = refined_of(pairs);
    let mut random = Random(1);
    let n = low.session.len();
    let mut tests = Vec::new();
    while tests.len() < SAMPLED / 2 {
        let (i, k) = (random.below(n), random.below(n / 2));
        if i / 2 != k {
            tests.push((i as u32, k as u32));
        }
    }
    Ok(threshold_passed_by(&low.sample(&tests, monitor)?, wanted as f64 / pairs as f64))
}

/// The way in which pairs are tested.
pub(super) struct Choice {
    pub(super) threshold: Threshold,
    pub(super) pool_size: usize,
    pub(super) pool_threshold: Threshold,
    pub(super) predicted: Vec<(usize, f64)>,
}

impl Choice {
    /// The predicted recall of pairs that are tested by themselves.
    pub(super) fn single(&self) -> f64 {
        self.predicted.first().map_or(1.0, |&(_, recall)| recall)
    }
}

/// The largest pool that loses less than one in a hundred of the planted pairs, its threshold, and the predictions. `pairs`: how many there are.
pub(super) fn choose(low: &LowResolution, pairs: u64, sensitivity: Sensitivity, monitor: &Monitor) -> Result<Choice> {
    let n = low.session.len();
    let threshold = threshold_of_pairs(low, pairs, monitor)?;
    let micrographs: Vec<u32> = (0..n).step_by(n.div_ceil(PLANTED)).map(|i| i as u32).collect();
    let planted = plant(low, &micrographs, monitor)?;
    let share = |passes: &dyn Fn(&Planted) -> bool| planted.iter().filter(|planted| passes(planted)).count() as f64 / planted.len() as f64;
    let single = share(&|planted| planted.single >= threshold.elsewhere);
    let mut choice = Choice { threshold, pool_size: 1, pool_threshold: Threshold::default(), predicted: vec![(1, single)] };
    if sensitivity == Sensitivity::Full {
        return Ok(choice);
    }
    for (at, &size) in SIZES.iter().enumerate() {
        let Some(of_pools) = threshold_of_pools(low, &Pools::new(low, size), monitor)? else { break };
        let recall = share(&|planted| planted.single >= threshold.elsewhere && planted.pooled[at] >= of_pools.elsewhere);
        choice.predicted.push((size, recall));
        if sensitivity == Sensitivity::Fast || recall >= RECALL {
            (choice.pool_size, choice.pool_threshold) = (size, of_pools);
        }
    }
    Ok(choice)
}

/// The peak heights exceeded by few pools of unrelated micrographs; `None` if there are no such pools.
fn threshold_of_pools(low: &LowResolution, pools: &Pools, monitor: &Monitor) -> Result<Option<Threshold>> {
    let mut random = Random(pools.size as u64);
    let mut tests = Vec::new();
    for _ in 0..SAMPLED {
        let (i, pool) = (random.below(low.session.len()), random.below(pools.len()));
        if !pools.holds(pool, i) && tests.len() < SAMPLED / 10 {
            tests.push((i as u32, pool as u32));
        }
    }
    if tests.is_empty() {
        return Ok(None);
    }
    // Mirrored micrographs match none of the pools, whatever the session repeats; at zero shift only what all have in common matters.
    let of =
        |mirrored: bool| Ok(threshold_passed_by(&pools.sample(low, &tests, Seen { mirrored, ..Seen::default() }, monitor)?, POOLS_PASSING));
    Ok(Some(Threshold { elsewhere: of(true)?.elsewhere, ..of(false)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_values_is_above_the_quantile() {
        let values: Vec<f32> = (0..1000).map(|value| value as f32).collect();
        assert!((quantile(values, 0.01) - 990.0).abs() < 1e-6);
        assert!(quantile(vec![], 0.5).abs() < 1e-6);
    }
}

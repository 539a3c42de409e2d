//! The chance of significances near a shift, from those of decoys there.

use super::statistics::{ascending, mean, quantile, sum_of_largest};
use super::tails::Tail;

/// With fewer decoys in total, the distribution expected from noise is used.
const FEW_DECOYS: usize = 40;
/// Mean and standard deviation of the best significance near a given shift, in noise.
const NOISE: f64 = 2.3;
const NOISE_SD: f64 = 0.6;
/// Number of independent places near a shift: no chance is taken to be smaller than that of the best of these in noise...
const NEAR_PLACES: f64 = 60.0;
/// The support of a hypothesis is the sum of this many of its members' significances, the largest ones.
const TOP: usize = 2;
/// Distance of the quartiles of a normal distribution, in standard deviations.
const IQR_PER_SD: f64 = 1.35;
/// With fewer decoys, the location and width of all decoys are used.
const MIN_FOR_LOCATION: usize = 4;

/// The chance that the members of unrelated holes agree as well; `of_decoys`: of each hypothesis and each of its decoys the significances of the
/// pairs that replace the members.
pub(super) fn support(members: &[Vec<f64>], of_decoys: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let mut support = vec![1.0; members.len()];
    for number in 1..=TOP + 1 {
        let which: Vec<usize> = (0..members.len()).filter(|&k| members[k].len().min(TOP + 1) == number).collect();
        let observed: Vec<f64> = which.iter().map(|&k| sum_of_largest(members[k].iter().copied(), TOP)).collect();
        let decoys: Vec<Vec<f64>> =
            which.iter().map(|&k| of_decoys[k].iter().map(|decoy| sum_of_largest(decoy.iter().copied(), TOP)).collect()).collect();
        for (k, chance) in which.into_iter().zip(standardised(&decoys, &observed, number.min(TOP))) {
            support[k] = chance;
        }
    }
    support
}

/// The chance of the significance of each member of a hypothesis, compared with all decoys of the hypothesis.
pub(super) fn chances_of_members(decoys: &[f64], observed: &[f64]) -> Vec<f64> {
    standardised(&vec![decoys.to_vec(); observed.len()], observed, 1)
}

/// The chance of each observed value; `terms`: how many significances were added up.
///
/// Each value is standardised with the median and quartiles of its own decoys, but at least with those of all decoys; the shape of the tail
/// is estimated from all decoys together, since a few cannot show it.
pub(super) fn standardised(decoys: &[Vec<f64>], observed: &[f64], terms: usize) -> Vec<f64> {
    let (noise, width) = (NOISE * terms as f64, NOISE_SD * (terms as f64).sqrt());
    let (mut middle, mut spread) = (noise, width);
    let all = ascending(decoys.iter().flatten().copied());
    if all.len() >= FEW_DECOYS {
        middle = quantile(&all, 0.5);
        spread = (quantile(&all, 0.75) - quantile(&all, 0.25)) / IQR_PER_SD;
    }
    spread = spread.max(0.5 * width);
    let scales: Vec<(f64, f64)> = decoys
        .iter()
        .map(|own| {
            if own.len() < MIN_FOR_LOCATION {
                return (middle, spread);
            }
            let own = ascending(own.iter().copied());
            let of_own = (quantile(&own, 0.75) - quantile(&own, 0.25)) / IQR_PER_SD;
            (middle.max(quantile(&own, 0.5)), spread.max(of_own))
        })
        .collect();
    let scaled = decoys.iter().zip(&scales).flat_map(|(own, &(middle, spread))| own.iter().map(move |value| (value - middle) / spread));
    let tail = tail(&ascending(scaled));
    observed.iter().zip(&scales).map(|(value, &(middle, spread))| tail.probability((value - middle) / spread)).collect()
}

/// The chance of each observed value above all of its decoys: one in as many at their maximum, falling as all decoys do.
///
/// The spread of eight decoys is not well known: where a few reach 12, a pair of z 90 would not be exceptional.
pub(super) fn above_all(decoys: &[Vec<f64>], observed: &[f64]) -> Vec<f64> {
    let all = ascending(decoys.iter().flatten().copied());
    if all.len() < FEW_DECOYS {
        return vec![1.0; observed.len()];
    }
    let start = quantile(&all, 0.9);
    let over: Vec<f64> = all.iter().filter(|&&value| value > start).map(|value| value - start).collect();
    let scale = mean(&over).max(NOISE_SD);
    let chance = |(own, &value): (&Vec<f64>, &f64)| {
        let above = value - sum_of_largest(own.iter().copied(), 1);
        if above > 0.0 { libm::exp(-above / scale) / (1 + own.len()) as f64 } else { 1.0 }
    };
    decoys.iter().zip(observed).map(chance).collect()
}

/// The chance that images of noise are as significant near a given shift.
pub(super) fn in_noise(z: f64) -> f64 {
    (NEAR_PLACES * 0.5 * libm::erfc(z / std::f64::consts::SQRT_2)).min(1.0)
}

/// The tail fitted to the upper tenth of standardised values; a few duplicates among the decoys do not broaden it.
fn tail(scaled: &[f64]) -> Tail {
    if scaled.len() < FEW_DECOYS {
        return Tail::new(1.5, 0.7, 0.2);
    }
    let start = quantile(scaled, 0.9).max(1.3);
    let above: Vec<f64> = scaled.iter().filter(|&&value| value > start).map(|value| value - start).collect();
    if above.is_empty() {
        return Tail::new(start, 0.5, 0.1);
    }
    let usual = quantile(&above, 0.5) / libm::log(2.0);
    let limited: Vec<f64> = above.iter().map(|&value| value.min(8.0 * usual)).collect();
    Tail::new(start, mean(&limited).max(0.5), 0.1)
}

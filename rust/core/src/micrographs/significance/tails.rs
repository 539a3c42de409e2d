//! Upper tails of null distributions, fitted to the values of unrelated pairs.

use super::statistics::{ascending, mean, quantile};

/// The tail is fitted to this many of the largest values, or to a tenth of all if these are fewer.
const TAIL: usize = 200;
/// Unrelated pairs are taken to be this many times as likely to reach a value as mirrored ones: edges that lie on the same side of many
/// micrographs coincide more often unmirrored.
pub const MIRRORED_CAUTION: f64 = 2.0;
/// So few values do not show the tail: a tenth of all is then taken to be above `FEW_START`, falling at least as slowly as in sessions of
/// noise.
pub const MIN_FOR_NULL: usize = 200;
const FEW_START: f64 = 4.6;
const FEW_SCALE: f64 = 0.35;
/// The same at zero shift, where the camera's pattern reaches 5 to 9 in frames of usual gain references.
const FEW_AT_ZERO: f64 = 10.0;
const FEW_AT_ZERO_SCALE: f64 = 2.0;
/// The same of so few micrographs that no pair is usual: a strong pattern reaches 42 in pairs of two simulated frames (seeds 0 to 19).
const HARDLY_ANY_AT_ZERO: f64 = 50.0;
const HARDLY_ANY_AT_ZERO_SCALE: f64 = 10.0;
/// No pattern reaches this: frames that do are copies, or show one scene without any shift, even if all do.
const BEYOND_PATTERN: f64 = 100.0;
/// With fewer pairs, none is taken to be usual.
const MIN_FOR_BULK: usize = 6;
/// The k highest values stand apart if their mean lies this many times the mean excess of the values below, divided by √k, above these, and
/// the gap below the lowest of them is [`GAP`] wide in the same way. Both are about 1 for the tail of a Gumbel distribution. With such a gap,
/// mirrored pairs reach 12 where none are of one place and 250 to 1,100 where frames are flipped; at zero shift 46, and 62 to 1,500 where
/// pairs share a place or a pattern (seeds 1 and 2 of 68 kinds, and self-tests of them).
const APART: f64 = 50.0;
const GAP: f64 = 4.0;
/// No larger share of the values stands apart.
const MAX_APART: f64 = 0.3;
/// The mean excess is that of at least this many values, and of twice as many as stand apart.
const BESIDE_GAP: usize = 10;
/// The tail of a handful of values is not taken to fall faster than this, in standard deviations.
pub(super) const MIN_SCALE: f64 = 0.15;
/// The tail at zero shift is taken to fall this many times as slowly as the part of it that is seen.
const ZERO_HEAVY: f64 = 1.5;

/// The values, descending, without those that stand apart above the others: they are of true pairs.
pub fn unrelated(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values = ascending(values);
    values.reverse();
    let half = values.len() / 2;
    let highest = ((MAX_APART * values.len() as f64) as usize).min(half.saturating_sub(BESIDE_GAP / 2));
    let sums: Vec<f64> = std::iter::once(0.0).chain(values.iter().scan(0.0, |sum, value| Some(add(sum, *value)))).collect();
    let (mut apart, mut widest) = (0, 0.0);
    for k in 1..=highest {
        let (root, beside) = ((k as f64).sqrt(), BESIDE_GAP.max(2 * k).min(half - k));
        let excess = ((sums[k + beside] - sums[k]) / beside as f64 - values[k + beside]).max(MIN_SCALE) / root;
        let (gap, above) = ((values[k - 1] - values[k]) / excess, (sums[k] / k as f64 - values[k]) / excess);
        if gap >= GAP && above >= APART && gap * root > widest {
            (apart, widest) = (k, gap * root);
        }
    }
    values.drain(..apart);
    values
}

fn add(sum: &mut f64, value: f64) -> f64 {
    *sum += value;
    *sum
}

/// The distribution of the largest of many.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gumbel {
    /// The location.
    pub middle: f64,
    /// The scale.
    pub spread: f64,
}

impl Gumbel {
    /// Through the median and the 80th percentile, which a few duplicates hardly move; None from few values.
    pub(super) fn fit(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = ascending(values);
        if sorted.len() < MIN_FOR_NULL {
            return None;
        }
        let [half, high] = [0.5, 0.8].map(|share| quantile(&sorted, share));
        // The quantile of p is middle - spread ln(-ln p).
        let spread = ((high - half) / libm::log(libm::log(0.5) / libm::log(0.8))).max(MIN_SCALE);
        Some(Self { middle: half + spread * libm::log(libm::log(2.0)), spread })
    }

    /// The chance of a value at least this large.
    pub(super) fn probability(&self, z: f64) -> f64 {
        -libm::expm1(-libm::exp(-(z - self.middle) / self.spread))
    }
}

/// The upper tail of a null distribution: values above `start` are exponential of mean `start + scale`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tail {
    /// The lowest value of the tail.
    pub start: f64,
    /// The mean excess over `start`.
    pub scale: f64,
    /// The share of tested pairs above `start`, times [`MIRRORED_CAUTION`].
    pub rate: f64,
    /// The values it was fitted to, descending.
    pub values: Vec<f64>,
    /// Values from here on stood apart, and are not of the distribution.
    pub(super) apart: f64,
}

impl Tail {
    pub(super) fn new(start: f64, scale: f64, rate: f64) -> Self {
        Self { start, scale, rate, values: vec![], apart: f64::INFINITY }
    }

    /// From the values that were measured, of so many tested pairs.
    pub(super) fn fit(values: impl ExactSizeIterator<Item = f64>, tested: u64) -> Self {
        let everything = values.len();
        let values = unrelated(values);
        let tested = tested.saturating_sub((everything - values.len()) as u64).max(1);
        if values.len() < 3 {
            return Self { values, ..Self::new(FEW_START, FEW_SCALE, MIRRORED_CAUTION) };
        }
        let n = TAIL.min((values.len() / 10).max(2));
        let mut start = values[n];
        // A few outliers (bright specks that coincide) must not be thinned out by the many others: the largest of three means.
        let scales = [n, (n / 8).max(2), (n / 25).max(2)].map(|k| mean(&values[..k]) - values[k]);
        let mut scale = scales.into_iter().fold(MIN_SCALE, f64::max);
        let mut rate = MIRRORED_CAUTION * n as f64 / tested as f64;
        if values.len() < MIN_FOR_NULL {
            (start, scale, rate) = (start.max(FEW_START), scale.max(FEW_SCALE), rate.max(MIRRORED_CAUTION * 0.1));
        }
        Self { values, ..Self::new(start, scale, rate) }
    }

    /// The chance that an unrelated pair is at least that significant.
    pub(super) fn probability(&self, z: f64) -> f64 {
        if z < self.start { 1.0 } else { (self.rate * libm::exp(-(z - self.start) / self.scale)).min(1.0) }
    }
}

/// The null distribution at zero shift, from pairs most of which are unrelated: a normal bulk with a heavier upper tail.
///
/// With few micrographs no fixed pattern is taken out (`has_pattern`), so that all of them may correlate: only what is far above the others,
/// and above what a pattern usually makes, is more than that.
pub fn zero_tail(at_zero: impl IntoIterator<Item = f64>, has_pattern: bool) -> Tail {
    let everything = ascending(at_zero);
    if everything.len() < MIN_FOR_BULK {
        return if has_pattern {
            Tail::new(HARDLY_ANY_AT_ZERO, HARDLY_ANY_AT_ZERO_SCALE, 0.01)
        } else {
            Tail::new(FEW_AT_ZERO, FEW_AT_ZERO_SCALE, 0.01)
        };
    }
    let usual = ascending(unrelated(everything.iter().copied()));
    let apart = everything.get(usual.len()).copied().unwrap_or(f64::INFINITY);
    let at = |share: f64| quantile(&usual, share);
    let [low, middle, high] = [0.16, 0.5, 0.84].map(at);
    // The lower side is too wide where the pattern holds something of a scene; the upper one where many pairs are duplicates.
    let sd = (middle - low).min(high - middle).max(0.3);
    let (start, scale) = (middle + 3.0 * sd, 0.6 * sd);
    if has_pattern || usual.len() < MIN_FOR_NULL {
        let (start, scale) = (start.clamp(FEW_AT_ZERO, BEYOND_PATTERN), scale.clamp(FEW_AT_ZERO_SCALE, BEYOND_PATTERN / 10.0));
        return Tail::new(start, scale, 0.01);
    }
    // If all were imaged twice without a shift, one pair in n is a duplicate: below those lie edges and patterns.
    let rate = (1.5 / ((2 * usual.len()) as f64).sqrt()).max(0.01);
    let shares = [0.16, (5.0 * rate).min(0.1), rate];
    let values = shares.map(|share| at(1.0 - share));
    let scales = [0, 1].map(|k| (values[k + 1] - values[k]) / libm::log(shares[k] / shares[k + 1]));
    let scale = ZERO_HEAVY * scale.max(scales[0]).max(scales[1]);
    Tail { apart, ..Tail::new(start.max(values[2]), scale, rate) }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal is meant")]
mod tests {
    use super::*;
    use crate::random::Random;

    fn several(n: usize, seed: u64, one: impl Fn(&mut Random) -> f64) -> Vec<f64> {
        let mut random = Random::new(seed);
        (0..n).map(|_| one(&mut random)).collect()
    }

    fn with(values: &[f64], more: impl IntoIterator<Item = f64>) -> Vec<f64> {
        values.iter().copied().chain(more).collect()
    }

    #[test]
    fn mirrored_copies_do_not_hide_the_others() {
        let usual = several(5000, 3, |random| 4.0 + random.exponential(0.4));
        let tail = Tail::fit(usual.iter().copied(), 20_000);
        for copies in [1, 2, 40, 800] {
            let found = Tail::fit(with(&usual, several(copies, 9, |random| random.normal(60.0, 5.0))).into_iter(), 20_000);
            assert!((found.scale / tail.scale - 1.0).abs() < 0.05 && (found.start - tail.start).abs() < 0.05, "{copies}");
        }
    }

    #[test]
    fn nothing_stands_apart_in_noise_however_heavy_its_tail() {
        for seed in 0..20 {
            let of_noise = [
                several(1128, seed, |random| random.gumbel(3.5, 0.3)),
                several(20_000, seed, |random| random.normal(0.0, 1.0)),
                several(300, seed, |random| random.exponential(4.0)),
                vec![3.0; 100],
                vec![0.0; 3],
            ];
            for values in of_noise {
                assert_eq!(unrelated(values.iter().copied()).len(), values.len());
            }
        }
    }

    #[test]
    fn what_stands_apart_is_left_out_up_to_a_share() {
        let values = several(1000, 5, |random| random.normal(0.0, 1.0));
        let mut expected = ascending(values.iter().copied());
        expected.reverse();
        assert_eq!(unrelated(with(&values, [40.0, 50.0])), expected);
        let half = with(&values, several(1000, 6, |random| random.normal(50.0, 1.0)));
        assert_eq!(unrelated(half).len(), 2000, "that many are what the session is like");
    }

    #[test]
    fn a_gumbel_distribution_is_found_beside_a_few_duplicates() {
        let values = several(4000, 1, |random| random.gumbel(3.5, 0.3));
        let found = Gumbel::fit(with(&values, several(80, 2, |random| random.normal(25.0, 5.0)))).expect("many values");
        assert!((found.middle - 3.5).abs() < 0.05 && (found.spread - 0.3).abs() < 0.03, "{found:?}");
        for z in [4.5, 5.5] {
            let share = values.iter().filter(|&&value| value > z).count() as f64 / 4000.0;
            assert!((found.probability(z) - share).abs() < 0.01);
        }
        assert_eq!(Gumbel::fit(values[..MIN_FOR_NULL - 1].iter().copied()), None);
    }

    #[test]
    fn a_heavy_tail_at_zero_shift_is_seen() {
        // Edges and patterns that a twentieth of the pairs share.
        let light = several(4000, 1, |random| random.normal(0.0, 1.0));
        let heavy = with(&light[..3800], several(200, 2, |random| 1.0 + random.exponential(3.0)));
        assert!(zero_tail(light, false).probability(6.0) < 1e-3);
        assert!(zero_tail(heavy, false).probability(6.0) > 3e-3);
    }

    #[test]
    fn exposures_of_each_area_at_one_place_are_no_null_distribution() {
        // Of 20 areas: the frames' other partners lie inside the quantiles.
        for exposures in [2, 3, 4] {
            let (duplicates, pairs) = (20 * exposures * (exposures - 1) / 2, 20 * exposures * (20 * exposures - 1) / 2);
            let noise = several(pairs - duplicates, exposures as u64, |random| random.normal(0.0, 1.0));
            let tail = zero_tail(with(&noise, several(duplicates, 7, |random| random.normal(40.0, 15.0).max(15.0))), false);
            assert!(tail.probability(15.0) < 1e-5 && (tail.apart - 15.0).abs() < 5.0, "{exposures}: {tail:?}");
        }
    }

    #[test]
    fn where_few_micrographs_keep_a_pattern_only_much_more_is_significant() {
        let some = several(28, 1, |random| random.normal(7.0, 1.0));
        let [without, with] = [false, true].map(|has_pattern| zero_tail(some.iter().copied(), has_pattern).probability(20.0));
        assert!(without < 1e-3 && with < 1e-3, "{without} {with}");
        assert!(zero_tail([8.0], false).probability(30.0) < 1e-3 && zero_tail([8.0], true).probability(30.0) == 1.0);
    }
}

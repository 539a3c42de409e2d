//! The significance that unrelated pairs reach at each overlap.

use super::statistics::{ascending, quantile};
use super::tails::MIN_SCALE;
use crate::micrographs::search::comparison::Comparison;

/// Pairs are divided by overlap into classes of at least so many, and [`MAX_CLASSES`] classes at most.
const PER_CLASS: usize = 500;
const MAX_CLASSES: usize = 8;
/// The overlap matters if the 90th percentiles of the classes differ by this factor: by up to 1.10 in most kinds of sessions, 1.17 to 1.42
/// with viruses and thick tubes (seeds 1 and 2).
const UNLIKE: f64 = 1.15;

/// Location and spread of the significances of unrelated pairs, by rising overlap: a few large objects in each image reach more where little
/// overlaps. Standard significances are those that would be as unlikely at the usual location and spread.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OverlapScale {
    /// Overlap, location and spread of each class; none if the overlap does not matter.
    classes: Vec<[f64; 3]>,
    /// Location and spread of all.
    usual: (f64, f64),
}

impl OverlapScale {
    /// Fits the scale to unrelated pairs of frames of so many columns and rows; the same for all overlaps if they are few, or do not differ.
    pub fn fit(pairs: &[Comparison], size: (usize, usize)) -> Self {
        let mut by_overlap: Vec<(f64, f64)> = pairs.iter().map(|pair| (pair.overlap(size), pair.z)).collect();
        by_overlap.sort_by(|a, b| a.0.total_cmp(&b.0));
        let number = (pairs.len() / PER_CLASS).clamp(1, MAX_CLASSES);
        let (length, longer) = (pairs.len() / number, pairs.len() % number);
        let starts: Vec<usize> = (0..=number).map(|k| k * length + k.min(longer)).collect();
        let mut classes: Vec<[f64; 3]> = starts
            .windows(2)
            .map(|range| {
                let class = &by_overlap[range[0]..range[1]];
                let (location, spread) = location_and_spread(class.iter().map(|pair| pair.1));
                let overlaps = ascending(class.iter().map(|pair| pair.0));
                [if overlaps.is_empty() { 1.0 } else { quantile(&overlaps, 0.5) }, location, spread]
            })
            .collect();
        let highs = ascending(classes.iter().map(|[_, location, spread]| location + spread));
        if highs[highs.len() - 1] < UNLIKE * highs[0] {
            return Self::default();
        }
        // Where unrelated pairs differ least, fewer of them have shown what they can reach: a crystal's lattice does so at all overlaps.
        let least = quantile(&ascending(classes.iter().map(|class| class[2])), 0.5);
        classes.iter_mut().for_each(|class| class[2] = class[2].max(least));
        Self { classes, usual: location_and_spread(pairs.iter().map(|pair| pair.z)) }
    }

    /// The standard significance of one at such an overlap.
    pub fn standard(&self, z: f64, overlap: f64) -> f64 {
        let Some((location, spread)) = self.at(overlap) else { return z };
        self.usual.0 + self.usual.1 * (z - location) / spread
    }

    fn at(&self, overlap: f64) -> Option<(f64, f64)> {
        let after = self.classes.partition_point(|class| class[0] <= overlap);
        let [low, high] = [after.saturating_sub(1), after.min(self.classes.len().max(1) - 1)].map(|k| self.classes.get(k));
        let ([from, location, spread], [to, next, wider]) = (low?, high?);
        let part = if to > from { ((overlap - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
        Some((location + (next - location) * part, spread + (wider - spread) * part))
    }
}

/// Median, and its distance from the 90th percentile.
fn location_and_spread(z: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let sorted = ascending(z);
    if sorted.is_empty() {
        return (0.0, 1.0);
    }
    let [middle, high] = [0.5, 0.9].map(|share| quantile(&sorted, share));
    (middle, (high - middle).max(MIN_SCALE))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal is meant")]
pub(super) mod tests {
    use super::*;
    use crate::micrographs::search::Alignment;
    use crate::random::Random;

    pub const SIZE: (usize, usize) = (100, 100);

    /// At a shift along x that leaves such an overlap.
    pub fn pair(z: f64, z_next: f64, z_at_zero: f64, overlap: f64) -> Comparison {
        let shift = ((1.0 - overlap) * SIZE.0 as f64, 0.0);
        Comparison { alignment: Alignment { pair: (0, 1), shift, turn_deg: 0.0 }, z, z_next, z_at_zero }
    }

    fn pairs(z: impl Fn(&mut Random, f64) -> f64) -> Vec<Comparison> {
        let mut random = Random::new(7);
        let one = |_| {
            let overlap = 0.1 + 0.9 * random.unit();
            pair(z(&mut random, overlap), 0.0, 0.0, overlap)
        };
        (0..4000).map(one).collect()
    }

    #[test]
    fn a_like_significance_is_less_unusual_where_little_overlaps() {
        let found = pairs(|random, overlap| if overlap < 0.3 { random.gumbel(20.0, 3.0) } else { random.gumbel(4.0, 0.3) });
        let scale = OverlapScale::fit(&found, SIZE);
        let [small, large] = [0.15, 0.8].map(|overlap| scale.standard(15.0, overlap));
        assert!(small < 6.0 && large > 15.0, "{small} {large}");
        assert_eq!(OverlapScale::fit(&found[..400], SIZE).standard(15.0, 0.15), 15.0, "few pairs do not show it");
    }

    #[test]
    fn pairs_are_more_unusual_nowhere_than_at_the_usual_spread() {
        // Chance alone makes one of eight spreads the smallest.
        let spread = |overlap: f64| {
            if overlap < 0.3 {
                1.3
            } else if overlap > 0.8 {
                0.3
            } else {
                0.8
            }
        };
        let scale = OverlapScale::fit(&pairs(|random, overlap| random.gumbel(4.0, spread(overlap))), SIZE);
        let [small, middle, high] = [0.15, 0.55, 0.9].map(|overlap| scale.standard(9.0, overlap));
        assert!((high / middle - 1.0).abs() < 0.1 && small < 0.8 * middle, "{small} {middle} {high}");
    }
}

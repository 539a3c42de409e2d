//! The total order of the particles: by priority, then by score, then by input order.

use rayon::prelude::*;

/// One number per particle, the lower the better; of equal ones the earlier particle is better.
pub(super) enum Ranking<'a> {
    InputOrder,
    Scores(&'a [f64]),
    Ranks(Vec<u64>),
}

impl<'a> Ranking<'a> {
    pub fn new(priority: Option<&[u32]>, scores: Option<&'a [f64]>) -> Self {
        match (priority, scores) {
            (None, None) => Self::InputOrder,
            (None, Some(scores)) => Self::Scores(scores),
            (Some(priority), None) => Self::Ranks(priority.iter().map(|&priority| u64::from(priority)).collect()),
            (Some(priority), Some(scores)) => Self::Ranks(ranks(priority, scores)),
        }
    }

    /// A key that sorts particles from the best to the worst, different for each.
    #[inline]
    pub fn rank(&self, particle: u32) -> (u64, u32) {
        (self.of(particle), particle)
    }

    #[inline]
    fn of(&self, particle: u32) -> u64 {
        match self {
            Self::InputOrder => 0,
            Self::Scores(scores) => descending(scores[particle as usize]),
            Self::Ranks(ranks) => ranks[particle as usize],
        }
    }
}

/// Maps scores to integers in the opposite order: the highest score to the lowest number, NaN to the highest.
#[inline]
fn descending(score: f64) -> u64 {
    if score.is_nan() {
        return u64::MAX;
    }
    let bits = (score + 0.0).to_bits(); // + 0.0: minus zero equals zero
    if bits >> 63 == 0 { !(bits | 1 << 63) } else { bits }
}

fn ranks(priority: &[u32], scores: &[f64]) -> Vec<u64> {
    let key = |&particle: &u32| (priority[particle as usize], descending(scores[particle as usize]));
    let mut order: Vec<u32> = (0..priority.len() as u32).collect();
    order.par_sort_unstable_by_key(|particle| (key(particle), *particle));
    let mut ranks = vec![0; order.len()];
    for (rank, &particle) in order.iter().enumerate() {
        ranks[particle as usize] = rank as u64;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_score_is_best_and_nan_worst() {
        let falling = [f64::INFINITY, 2.0, 1.0, f64::MIN_POSITIVE, 0.0, -1e-300, -1.0, f64::NEG_INFINITY, f64::NAN];
        assert!(falling.windows(2).all(|pair| descending(pair[0]) < descending(pair[1])));
        assert_eq!(descending(0.0), descending(-0.0));
        assert_eq!(descending(f64::NAN), descending(-f64::NAN));
    }

    #[test]
    fn priority_goes_before_score_and_order_last() {
        let ranking = Ranking::new(Some(&[1, 0, 0, 1]), Some(&[9.0, 1.0, 2.0, 9.0]));
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|&particle| ranking.of(particle));
        assert_eq!(order, [2, 1, 0, 3]);
    }
}

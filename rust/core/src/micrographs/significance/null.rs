//! The chance that unrelated micrographs match as well as a pair does.
//!
//! The null distributions are the session's own, and a pair has to stand out from all of them:
//!
//! * *Mirrored*: pairs of a mirrored micrograph and another one have no area in common, but the same spectra, edges and bright spots (target
//!   and decoy, as in proteomics: Elias and Gygi 2007, Nature Methods 4, 207). Beyond the values that occur, the tail falls exponentially, as
//!   that of a Gumbel distribution does.
//! * *Cohort*: nearly all pairs of a session are unrelated, so that the bulk of all pairs (or of pairs taken at random) is a null
//!   distribution with everything that all micrographs share unmirrored: a crystal's angle, the place of an edge.
//! * The pair's own map of correlations: where the next best place is unusually high, as in lattices, the best has to stand out from it.
//! * The overlap: significances are compared in units of what mirrored pairs reach at a like overlap ([`OverlapScale`]).
//! * At zero shift, where the camera's fixed pattern shows, the cohort's correlations there. A single place is never less likely than the
//!   best of all: the larger of the chances counts.
//!
//! A null distribution may hold true pairs: areas that are exposed three times, frames that are stored mirrored. They stand apart from all
//! others and are left out ([`unrelated`](super::tails::unrelated)).

use super::overlap_scale::OverlapScale;
use super::tails::{Gumbel, Tail, zero_tail};
use crate::micrographs::search::comparison::Comparison;

/// Chances at zero shift are multiplied by this: what is left of a strong pattern has a heavy tail, and few second visits hit so exactly.
const ZERO_CAUTION: f64 = 5.0;
/// A null distribution is unusual if unrelated pairs reach more, or differ more: 3.5 and 0.3 in most sessions, up to 5.5 and 1.1 in the
/// kinds of `benches/simulate` that the null distributions hold for (seeds 1 and 2).
pub const USUAL_MIDDLE_Z: f64 = 6.5;
const USUAL_SPREAD: f64 = 2.0;
/// A next best place that unrelated pairs reach less often than that shows a lattice, or an edge along an edge...
const PERIODIC: f64 = 0.001;
/// ...and by chance the best place exceeds it by an exponential variable whose mean is this many times its height.
const NEXT_SCALE: f64 = 0.085;

/// The null distributions of a session.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Null {
    /// The tail of mirrored pairs.
    pub mirrored: Tail,
    /// The bulk of their next best places; None from few pairs.
    pub(super) next: Option<Gumbel>,
    /// The bulk of other pairs, most of which are unrelated; None from few.
    pub cohort: Option<Gumbel>,
    /// The tail at zero shift.
    pub(super) zero: Tail,
    /// The scale of the significance by overlap.
    by_overlap: OverlapScale,
    /// The share of the cohort that matches at several places.
    pub periodic: f64,
    /// Whether the camera's fixed pattern is still in the micrographs, since they are too few to measure it.
    pub has_pattern: bool,
}

impl Null {
    /// Fits the distributions to mirrored pairs, of so many tested, and to unmirrored ones most of which are unrelated; `size`: columns and
    /// rows of the reduced micrographs.
    pub(super) fn fit(mirrored: &[Comparison], tested: u64, cohort: &[Comparison], size: (usize, usize), has_pattern: bool) -> Self {
        let next = Gumbel::fit(mirrored.iter().map(|pair| pair.z_next));
        let periodic = next.map_or(0.0, |next| {
            let several = cohort.iter().filter(|pair| next.probability(pair.z_next) < PERIODIC).count();
            several as f64 / cohort.len() as f64
        });
        let by_overlap = OverlapScale::fit(mirrored, size);
        let standard = |pair: &Comparison| by_overlap.standard(pair.z, pair.overlap(size));
        Self {
            mirrored: Tail::fit(mirrored.iter().map(standard), tested),
            next,
            cohort: Gumbel::fit(cohort.iter().map(standard)),
            zero: zero_tail(cohort.iter().map(|pair| pair.z_at_zero), has_pattern),
            by_overlap,
            periodic,
            has_pattern,
        }
    }

    /// Whether unrelated pairs reach about what they do in other sessions.
    pub fn is_usual(&self) -> bool {
        self.cohort.is_none_or(|cohort| cohort.middle <= USUAL_MIDDLE_Z && cohort.spread <= USUAL_SPREAD)
    }

    /// The significance that is as unlikely at the usual overlap as `z` is at `overlap`, a share of the frame.
    pub fn standard(&self, z: f64, overlap: f64) -> f64 {
        self.by_overlap.standard(z, overlap)
    }

    /// The chance that the best of all shifts of unrelated micrographs is at least that significant, at such an overlap.
    pub(super) fn elsewhere(&self, z: f64, overlap: f64) -> f64 {
        self.beyond(self.standard(z, overlap))
    }

    /// The chance that the best of all shifts of unrelated micrographs has at least such a standard significance.
    pub fn beyond(&self, z: f64) -> f64 {
        let chance = self.mirrored.probability(z);
        self.cohort.map_or(chance, |cohort| chance.max(cohort.probability(z)))
    }

    /// The chance of a pair's best place, and that of zero shift; `is_beside_zero`: whether both are of one peak.
    pub(super) fn chances(&self, pair: &Comparison, size: (usize, usize), is_beside_zero: bool) -> (f64, f64) {
        let elsewhere = self.elsewhere(pair.z, pair.overlap(size)).max(self.beside(pair.z, pair.z_next));
        let zero = self.zero.probability(pair.z_at_zero).max(self.elsewhere(pair.z_at_zero, 1.0));
        // Of few pairs the tail at zero shift is taken to be heavy anyway; what stands apart is not of the tail.
        let caution = if self.cohort.is_none() || pair.z_at_zero >= self.zero.apart { 1.0 } else { ZERO_CAUTION };
        let other = if is_beside_zero { pair.z_next } else { pair.z };
        (elsewhere, (caution * zero).min(1.0).max(self.beside(pair.z_at_zero, other)))
    }

    /// The chance of a place where another place of the same pair is unusually high; 0 where it is not.
    fn beside(&self, z: f64, other: f64) -> f64 {
        match self.next {
            Some(next) if next.probability(other) < PERIODIC => libm::exp(-(z - other).max(0.0) / (NEXT_SCALE * other.max(1.0))),
            _ => 0.0,
        }
    }

    /// The standard significance from which the best shift has no more than such a chance, to 0.01; 0 if no significance has.
    pub fn min_z(&self, chance: f64) -> f64 {
        let mut z = (0..=10_000).map(|k| 0.01 * f64::from(k));
        z.find(|&z| self.beyond(z) <= chance).unwrap_or(0.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::micrographs::significance::overlap_scale::tests::{SIZE, pair};
    use crate::random::Random;

    pub fn noise(seed: u64) -> Vec<Comparison> {
        let mut random = Random::new(seed);
        let one = |_| {
            let z = random.gumbel(3.5, 0.3);
            pair(z, z - random.exponential(0.3), random.normal(0.0, 1.0), 0.1 + 0.9 * random.unit())
        };
        (0..4000).map(one).collect()
    }

    pub fn of_noise() -> Null {
        Null::fit(&noise(1), 4000, &noise(2), SIZE, false)
    }

    #[test]
    fn zero_shift_is_never_less_likely_than_the_best_of_all_shifts() {
        let null = of_noise();
        for z in (0..120).map(|k| 0.1 * f64::from(k)) {
            let (_, zero) = null.chances(&pair(z, z - 1.0, z, 0.5), SIZE, false);
            assert!(zero >= null.elsewhere(z, 0.5));
        }
    }

    #[test]
    fn what_all_pairs_share_unmirrored_counts() {
        // Crystals at one angle: mirrored pairs know nothing of them.
        let stretched = |pair: &Comparison| Comparison { z: 3.0 * pair.z - 5.0, z_next: 3.0 * pair.z_next - 5.0, ..*pair };
        let crystals: Vec<Comparison> = noise(2).iter().map(stretched).collect();
        let (plain, periodic) = (of_noise(), Null::fit(&noise(1), 4000, &crystals, SIZE, false));
        assert!(plain.elsewhere(9.0, 0.5) < 1e-5 && periodic.elsewhere(9.0, 0.5) > 1e-3);
        assert!(plain.periodic < 0.01 && periodic.periodic > 0.2 && plain.is_usual());
    }

    #[test]
    fn a_pair_that_matches_at_several_places_has_to_stand_out_of_them() {
        let null = of_noise();
        let [alone, beside, lattice] = [4.0, 7.0, 11.5].map(|next| null.chances(&pair(12.0, next, 0.0, 0.5), SIZE, false).0);
        assert!(alone < 1e-8 && beside < 1e-3 && lattice > 0.1, "{alone} {beside} {lattice}");
    }

    #[test]
    fn the_least_significance_is_the_first_that_is_rare_enough() {
        let null = of_noise();
        let z = null.min_z(1e-4);
        assert!(null.beyond(z) <= 1e-4 && null.beyond(z - 0.01) > 1e-4);
    }
}

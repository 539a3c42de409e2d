//! Group testing: one correlation with the sum of several micrographs tests all of them; the members of pools that pass are tested one by
//! one.
//!
//! The noise of a sum of m grows as the root of m, so the signal limits m: see `planting`.

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::low_resolution::{Candidate, LowResolution, Threshold};
use crate::micrographs::kernels::correlator::Highest;
use crate::micrographs::kernels::spectra::{add, keep, zeros};
use crate::micrographs::kernels::warp::Seen;
use crate::{Monitor, Result};

/// Sizes of pools that are considered.
pub const SIZES: [usize; 4] = [2, 4, 8, 16];
/// Distance of the members of a pool (in packed pairs), so that those of one hole are in different pools.
const STRIDE: usize = 8;

/// Sums of packed spectra.
#[derive(Debug)]
pub struct Pools {
    /// Micrographs per pool.
    pub size: usize,
    sums: Vec<i16>,
    members: Vec<Vec<usize>>,
}

impl Pools {
    /// Sums of `size` micrographs each, with pseudo-random signs.
    pub fn new(low: &LowResolution, size: usize) -> Self {
        let packed = low.session.len().div_ceil(2);
        let mut members = Vec::new();
        for start in (0..packed).step_by(size * STRIDE) {
            let end = (start + size * STRIDE).min(packed);
            let stride = (end - start).div_ceil(size);
            members.extend((0..stride).map(|first| (start + first..end).step_by(stride).collect::<Vec<_>>()));
        }
        let length = low.length();
        let mut sums = zeros(members.len(), length);
        sums.par_chunks_mut(2 * length).zip(&members).for_each(|(out, members)| {
            let mut sum = vec![Complex32::default(); length];
            for &k in members {
                add(&mut sum, low.packed(k), sign(k));
            }
            keep_sum(&sum, members.len(), out);
        });
        Self { size, sums, members }
    }

    /// The number of pools.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    fn sum(&self, pool: usize, length: usize) -> &[i16] {
        let length = 2 * length;
        &self.sums[pool * length..(pool + 1) * length]
    }

    /// The heights of the peaks of some (micrograph, pool), the first seen in a given way.
    pub fn sample(&self, low: &LowResolution, tests: &[(u32, u32)], seen: Seen, monitor: &Monitor) -> Result<Vec<Highest>> {
        low.each(tests, seen, monitor, |first, pool, maps| low.correlator.highest(first, self.sum(pool, low.length()), true, maps))
    }

    /// Whether a micrograph is among those of a pool.
    pub fn holds(&self, pool: usize, micrograph: usize) -> bool {
        self.members[pool].contains(&(micrograph / 2))
    }

    /// All pairs (i, j > i) of the given first ones whose peak is high enough, of those whose pool's peak is; the first seen in a given way.
    pub fn screen(
        &self,
        low: &LowResolution,
        firsts: &[u32],
        seen: Seen,
        pool_threshold: Threshold,
        threshold: Threshold,
        monitor: &Monitor,
    ) -> Result<Vec<Candidate>> {
        low.rows(firsts, seen, monitor, |block, thread, found| {
            for (pool, members) in self.members.iter().enumerate() {
                for row in block {
                    let own = row.i as usize / 2;
                    if members.last().is_none_or(|&last| last < own) {
                        continue;
                    }
                    let passes = members.contains(&own) || {
                        let sum = self.sum(pool, low.length());
                        let highest = low.correlator.highest(&row.spectrum, sum, true, &mut thread.maps);
                        highest.z.iter().any(|&z| z >= pool_threshold.elsewhere)
                            || highest.at_zero.iter().any(|z| z.abs() >= pool_threshold.at_zero)
                    };
                    if passes {
                        for &k in members.iter().filter(|&&k| k >= own) {
                            let highest = low.correlator.highest(&row.spectrum, low.packed(k), false, &mut thread.maps);
                            low.keep(row.i, k, &highest, threshold, found);
                        }
                    }
                }
            }
        })
    }
}

/// +1 or -1, so that what all micrographs have in common does not add up.
pub(super) fn sign(k: usize) -> f32 {
    // The mixing of splitmix64: neighbours and multiples are uncorrelated.
    let mut bits = (k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    if (bits ^ (bits >> 31)) & 1 == 0 { 1.0 } else { -1.0 }
}

pub(super) fn keep_sum(sum: &[Complex32], members: usize, out: &mut [i16]) {
    keep(sum, (members as f32).sqrt(), out);
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::micrographs::session::Session;
    use crate::micrographs::session::tests::{SIZE, noise, shifted};

    const ALL: Threshold = Threshold { elsewhere: -1.0, at_zero: -1.0 };

    pub(in super::super) fn low(views: &[i8]) -> LowResolution {
        LowResolution::new(Arc::new(Session::of_views(SIZE, views, 0.9)), 1, None, &Monitor::default()).unwrap()
    }

    #[test]
    fn single_and_pooled_screening_test_every_pair_once_and_alike() {
        for (n, size) in [(37, 4), (16, 2), (9, 16)] {
            let low = low(&noise(n));
            let firsts: Vec<u32> = (0..n as u32).collect();
            let single = low.screen(&firsts, Seen::default(), ALL, &Monitor::default()).unwrap();
            let pairs: Vec<(u32, u32)> = single.iter().map(|found| (found.i, found.j)).collect();
            let expected: Vec<(u32, u32)> = firsts.iter().flat_map(|&i| (i + 1..n as u32).map(move |j| (i, j))).collect();
            assert_eq!(pairs, expected);
            let pools = Pools::new(&low, size);
            assert_eq!(pools.screen(&low, &firsts, Seen::default(), ALL, ALL, &Monitor::default()).unwrap(), single);
            let mut members: Vec<usize> = pools.members.concat();
            members.sort_unstable();
            assert_eq!(members, (0..n.div_ceil(2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_a_pair_shows_does_not_depend_on_the_image_it_is_packed_with() {
        let views = noise(6);
        let (five, six) = (low(&views[..5 * SIZE.0 * SIZE.1]), low(&views));
        let of = |low: &LowResolution| low.screen(&[0, 1, 2, 3], Seen::default(), ALL, &Monitor::default()).unwrap();
        let (five, six) = (of(&five), of(&six));
        for found in &five {
            let other = six.iter().find(|other| (other.i, other.j) == (found.i, found.j)).unwrap();
            assert!((found.z - other.z).abs() < 1e-2, "{found:?} {other:?}");
        }
    }

    #[test]
    fn a_shifted_copy_stands_out_singly_and_in_a_pool() {
        let mut views = noise(40);
        let copy = shifted(&views, 3, (7, -5));
        views[30 * copy.len()..31 * copy.len()].copy_from_slice(&copy);
        let low = low(&views);
        let single = low.screen(&(0..40).collect::<Vec<_>>(), Seen::default(), ALL, &Monitor::default()).unwrap();
        let best = single.iter().max_by(|a, b| a.z.total_cmp(&b.z)).unwrap();
        assert_eq!((best.i, best.j), (3, 30));
        let pools = Pools::new(&low, 4);
        let tests: Vec<(u32, u32)> = (0..pools.len() as u32).map(|pool| (3, pool)).collect();
        let heights = pools.sample(&low, &tests, Seen::default(), &Monitor::default()).unwrap();
        let highest = (0..pools.len()).filter(|&pool| !pools.holds(pool, 3)).max_by(|&a, &b| {
            let height = |pool: usize| heights[pool].z.into_iter().fold(0.0, f32::max);
            height(a).total_cmp(&height(b))
        });
        assert!(pools.holds(highest.unwrap(), 30));
        // Mirrored, it shows nothing of the other.
        let mirrored = low.screen(&[3], Seen { mirrored: true, ..Seen::default() }, ALL, &Monitor::default()).unwrap();
        assert!(mirrored.iter().all(|found| found.z < 0.6 * best.z));
    }
}

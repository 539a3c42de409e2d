//! Duplicates within and across the two half-sets of a refinement.

use std::sync::Mutex;

use super::Particles;
use super::trees::each_tree;
use crate::kdtree::Tree;
use crate::{Error, Monitor, Result};

/// Numbers of pairs within the separation, by the half-sets of their particles, 1 and 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfPairs {
    /// Pairs with both in half 1.
    pub within_one: u64,
    /// Pairs with both in half 2.
    pub within_two: u64,
    /// Pairs with one in each.
    pub across: u64,
    /// Number of particles of either half that have one of the other within the separation.
    pub concerned: u64,
}

impl std::ops::AddAssign for HalfPairs {
    fn add_assign(&mut self, other: Self) {
        self.within_one += other.within_one;
        self.within_two += other.within_two;
        self.across += other.across;
        self.concerned += other.concerned;
    }
}

/// Counts pairs of particles within `separation`, in each half-set and across the two; `halves`: 1, 2, or 0 for neither, (n,).
///
/// Pairs are counted, not listed, so memory is O(n). Time is not: the pairs about the separation apart are visited one by one. Where
/// particles fill an area or a volume, with k others within the separation of each, these take O(n k^(1/2)) in two dimensions and
/// O(n k^(2/3)) in three, about 45 ns each; from a k of 2,000 and of 30,000 on, nodes are counted as wholes, which takes O(n k^(1/3)) and
/// O(n k^(1/2)). In micrographs of 300 particles k is small: 0.07 µs a particle. In one group that becomes denser, k grows with n:
///
/// | by one thread, separation in radii | 100,000 | 300,000 | 1,000,000 | grows as |
/// |---|---|---|---|---|
/// | disc, 0.02 | 0.03 s | 0.17 s | 1.0 s | n^1.5 |
/// | disc, 0.3 | 0.22 s | 0.67 s | 3.4 s | n^1.2 |
/// | disc, 1 | 0.13 s | 0.78 s | 3.8 s | n^1.5 |
/// | ball, 0.02 | 0.04 s | 0.17 s | 0.8 s | n^1.3 |
/// | ball, 0.3 | 0.80 s | 5.2 s | 39 s | n^1.7 |
/// | ball, 1 | 2.0 s | 6.3 s | 32 s | n^1.2 |
///
/// The worst arrangement, half of the particles in one spot and the others all round it at the separation, takes O(n²): 5 s for 80,000.
///
/// # Errors
/// As [`super::deduplicate`]; also for a separation of 0, and halves other than 0, 1 and 2.
///
/// # Panics
/// Never: no thread panics while it holds the lock.
pub fn half_pairs(particles: &Particles, halves: &[u8], separation: f64, monitor: &Monitor) -> Result<HalfPairs> {
    particles.check(separation)?;
    if separation <= 0.0 || halves.len() != particles.len() || halves.iter().any(|&half| half > 2) {
        let n = particles.len();
        return Err(Error::parameter(
            "half-sets",
            "others",
            format!("a separation above 0 and a number of 0 to 2 for each of {n} particles"),
        ));
    }
    let total = Mutex::new(HalfPairs::default());
    let add = |found: HalfPairs| *total.lock().expect("no thread panics with it") += found;
    let limit = separation * separation;
    match particles.dimensions {
        2 => each_tree::<2>(particles, monitor, |tree| count(tree, halves, limit, monitor).map(add))?,
        _ => each_tree::<3>(particles, monitor, |tree| count(tree, halves, limit, monitor).map(add))?,
    }
    Ok(total.into_inner().expect("no thread panics with it"))
}

fn count<const D: usize>(tree: &Tree<D>, halves: &[u8], limit: f64, monitor: &Monitor) -> Result<HalfPairs> {
    let half = |particle: u32| halves[particle as usize];
    let [_, [_, within_one, across], [_, back, within_two]] = tree.count_pairs::<3>(limit, half, monitor)?;
    let mut found = HalfPairs { within_one, within_two, across: across + back, concerned: 0 };
    if found.across > 0 {
        let bit = |half: u8| (1 << half) >> 1; // no bit for neither half
        let met = tree.colors_near(limit, |position| bit(half(tree.id(position))), monitor)?;
        let is_concerned = |&(position, met): &(usize, u64)| match half(tree.id(position)) {
            0 => false,
            half => met & bit(3 - half) != 0,
        };
        found.concerned = met.into_iter().enumerate().filter(is_concerned).count() as u64;
    }
    Ok(found)
}

//! Duplicates within and across the two half-sets of a refinement.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cells::Cells;
use super::grid::Key;

/// Pairs within the separation, by the half-sets of their particles, 1 and 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfPairs {
    /// Both in half 1.
    pub within_one: u64,
    /// Both in half 2.
    pub within_two: u64,
    /// One in each.
    pub across: u64,
    /// Particles of either half that have one of the other within the separation.
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

/// The pairs of one group; `halves` holds 0 for a particle of neither half.
pub(super) fn count<K: Key, const D: usize>(cells: &Cells<K, D>, halves: &[u8]) -> HalfPairs {
    let half = |position: usize| halves[cells.particles[position] as usize] as usize;
    let pairs: [[AtomicU64; 3]; 3] = Default::default();
    let concerned = cells.collect.map(cells.particles.len(), |_| AtomicBool::new(false));
    let concern = |position: usize| concerned[position].store(true, Ordering::Relaxed);
    cells.filter(&cells.crowded(), |cell, around| {
        let mut found = [[0; 3]; 3];
        let mut in_cell = [0; 3];
        for point in cells.range(cell) {
            let one = half(point);
            // All of one cell are within the separation of each other.
            for (other, count) in in_cell.iter().enumerate() {
                found[one][other] += count;
            }
            in_cell[one] += 1;
            for &near in around.iter().filter(|&&near| near > cell) {
                for other in cells.range(near).filter(|&other| cells.near(point, other).is_some()) {
                    found[one][half(other)] += 1;
                    if one * half(other) == 2 {
                        concern(point);
                        concern(other);
                    }
                }
            }
        }
        if in_cell[1] > 0 && in_cell[2] > 0 {
            cells.range(cell).filter(|&point| half(point) != 0).for_each(concern);
        }
        pairs.iter().flatten().zip(found.iter().flatten()).for_each(|(pairs, found)| _ = pairs.fetch_add(*found, Ordering::Relaxed));
        false
    });
    let [_, [_, within_one, across], [_, back, within_two]] = pairs.map(|row| row.map(AtomicU64::into_inner));
    let concerned = concerned.into_iter().filter(|mark| mark.load(Ordering::Relaxed)).count() as u64;
    HalfPairs { within_one, within_two, across: across + back, concerned }
}

//! The result of comparing two micrographs.

use super::alignment::{Alignment, Pair};
use super::refine::Match;

/// Two micrographs at their best shift, with the significances there and elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Comparison {
    /// The pair, its best shift and rotation.
    pub alignment: Alignment,
    /// The significance there.
    pub z: f64,
    /// The significance at the next best shift.
    pub z_next: f64,
    /// The significance at zero shift.
    pub z_at_zero: f64,
}

impl Comparison {
    pub(in crate::micrographs) fn new(pair: Pair, found: &Match, turn_deg: f64) -> Self {
        let alignment = Alignment { pair, shift: (f64::from(found.shift.0), f64::from(found.shift.1)), turn_deg };
        let [z, z_next, z_at_zero] = [found.z, found.z_next, found.z_at_zero].map(f64::from);
        Self { alignment, z, z_next, z_at_zero }
    }

    /// The share of the frame (columns, rows) that overlaps at the best shift.
    pub(crate) fn overlap(&self, size: (usize, usize)) -> f64 {
        overlap_at(self.alignment.shift, size)
    }

    /// The better of two comparisons of one pair; at zero shift that of the first.
    #[must_use]
    pub(crate) fn or_better(self, other: Self) -> Self {
        if other.z > self.z { Self { z_at_zero: self.z_at_zero, ..other } } else { self }
    }
}

/// The share of a frame (columns, rows) that overlaps at a shift.
pub fn overlap_at(shift: (f64, f64), size: (usize, usize)) -> f64 {
    let left = |shift: f64, side: usize| (1.0 - shift.abs() / side as f64).max(0.0);
    left(shift.0, size.0) * left(shift.1, size.1)
}

/// Whether a shift is less than a share of the frame along both axes.
pub(in crate::micrographs) fn is_within(shift: (f64, f64), size: (usize, usize), share: f64) -> bool {
    shift.0.abs() < share * size.0 as f64 && shift.1.abs() < share * size.1 as f64
}

/// Whether two micrographs are known to show one area; `areas`: the number of each one's, 0 if it is not known.
pub(in crate::micrographs) fn is_of_one_area((i, j): Pair, areas: &[u32]) -> bool {
    let [first, second] = [i, j].map(|k| areas.get(k as usize).copied().unwrap_or_default());
    first == second && first > 0
}

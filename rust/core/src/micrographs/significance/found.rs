//! The chance of a pair at the place where it was found.

use super::null::Null;
use crate::micrographs::search::Alignment;
use crate::micrographs::search::comparison::{Comparison, is_of_one_area, is_within, overlap_at};

/// If the shift is less than `STILL` of the frame along both axes, the chance of a pair is multiplied by [`STILL_CAUTION`], since edges that
/// vary a little match there. With few pairs this is not needed: such pairs must be more significant anyway.
pub(super) const STILL: f64 = 0.03;
const STILL_CAUTION: f64 = 100.0;
/// A fixed pattern that is still in the micrographs makes a peak that reaches so many reduced pixels from zero shift along each axis.
const PATTERN_PX: f64 = 4.0;
/// If the overlap is less than `SMALL_OVERLAP` of the frame, the chance of a pair is multiplied by [`SMALL_CAUTION`]: a single vesicle or
/// flake in each image is a large part of such an overlap.
const SMALL_OVERLAP: f64 = 0.2;
const SMALL_CAUTION: f64 = 100.0;

/// A pair with its significance and its chance: at zero shift if it is higher and less likely there, else at the best shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub alignment: Alignment,
    pub z: f64,
    pub chance: f64,
}

impl Found {
    /// `size`: columns and rows of the reduced micrographs; `areas`: of each the number of the area that it shares with others, or 0.
    pub fn new(pair: &Comparison, null: &Null, size: (usize, usize), areas: &[u32]) -> Self {
        let (x, y) = pair.alignment.shift;
        let is_beside_zero = x.abs() <= PATTERN_PX && y.abs() <= PATTERN_PX;
        let (mut elsewhere, zero) = null.chances(pair, size, is_beside_zero);
        if null.has_pattern && is_beside_zero {
            elsewhere = elsewhere.max(null.zero.probability(pair.z));
        }
        let is_still = zero < elsewhere && pair.z_at_zero >= pair.z;
        let alignment = if is_still { Alignment { shift: (0.0, 0.0), turn_deg: 0.0, ..pair.alignment } } else { pair.alignment };
        let stands_apart = is_still && pair.z_at_zero >= null.zero.apart;
        let has_hardly_moved = is_within(alignment.shift, size, STILL) && null.cohort.is_some();
        let mut caution = if overlap_at(alignment.shift, size) < SMALL_OVERLAP { SMALL_CAUTION } else { 1.0 };
        if has_hardly_moved && !stands_apart && !is_of_one_area(alignment.pair, areas) {
            caution *= STILL_CAUTION;
        }
        let (z, chance) = if is_still { (pair.z_at_zero, zero) } else { (pair.z, elsewhere) };
        Self { alignment, z, chance: (chance * caution).min(1.0) }
    }

    pub fn overlap(&self, size: (usize, usize)) -> f64 {
        overlap_at(self.alignment.shift, size)
    }
}

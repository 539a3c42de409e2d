//! The numbering of grid cells so fine that any two points of one are duplicates.

use std::ops::{Add, Mul, Shl, Shr, Sub};

use rayon::prelude::*;

use super::Members;
use crate::{Error, Result};

/// Cells are counted up to this many along an axis; beyond it, a coordinate's own rounding would reach a cell's size.
const MOST_CELLS: f64 = (1_u64 << 42) as f64;

/// Shrinks the cell below separation / √D, so that rounding can not part a cell's points further than the separation.
const MARGIN: f64 = 1.0 - 1.0 / 256.0;

/// How many cells away a duplicate can be: separation / side is 1.42 in two dimensions, 1.74 in three.
pub(super) const REACH: u64 = 2;

/// An integer that numbers the cells of a grid.
pub(super) trait Key:
    Copy
    + Ord
    + Send
    + Sync
    + From<u64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// The lowest `bits` (at most 32) bits.
    fn low(self, bits: u32) -> u32;
}

impl Key for u64 {
    fn low(self, bits: u32) -> u32 {
        (self & ((1 << bits) - 1)) as u32
    }
}

impl Key for u128 {
    fn low(self, bits: u32) -> u32 {
        (self & ((1 << bits) - 1)) as u32
    }
}

/// How many bits the numbers below `n` take.
pub(super) fn bits_for(n: usize) -> u32 {
    usize::BITS - n.leading_zeros()
}

/// The box around the points, measured in cells.
pub(super) struct Grid<const D: usize> {
    least: [f64; D],
    per_unit: f64,
    /// Along each axis, with a margin of `REACH` cells at both ends.
    pub size: [u64; D],
}

impl<const D: usize> Grid<D> {
    pub fn around(all: &[[f64; D]], members: Members, separation: f64, parallel: bool) -> Result<Self> {
        let nothing = || ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
        let widen = |(mut least, mut most): ([f64; D], [f64; D]), (low, high): (&[f64; D], &[f64; D])| {
            for axis in 0..D {
                least[axis] = least[axis].min(low[axis]);
                most[axis] = most[axis].max(high[axis]);
            }
            (least, most)
        };
        let point = |i: u32| &all[members.get(i) as usize];
        let indices = 0..members.len() as u32;
        let (least, most) = if parallel {
            let parts = indices.into_par_iter().fold(nothing, |bounds, i| widen(bounds, (point(i), point(i))));
            parts.reduce(nothing, |a, b| widen(a, (&b.0, &b.1)))
        } else {
            indices.fold(nothing(), |bounds, i| widen(bounds, (point(i), point(i))))
        };
        let per_unit = (D as f64).sqrt() / (separation * MARGIN);
        let mut size = [0; D];
        for axis in 0..D {
            let extent = (most[axis] - least[axis]).max(0.0);
            let cells = if extent == 0.0 { 0.0 } else { extent * per_unit };
            // More than fits is refused below.
            size[axis] = cells.min(2.0 * MOST_CELLS) as u64 + 1 + 2 * REACH;
        }
        let grid = Self { least, per_unit, size };
        if size.iter().any(|&size| size as f64 > MOST_CELLS) || grid.key_bits() + bits_for(members.len()) > u128::BITS {
            let extent = (0..D).map(|axis| most[axis] - least[axis]).fold(0.0, f64::max);
            return Err(Error::input(format!(
                "minimum separation: found {separation}, too small for coordinates that span {extent}; use 0 for exact repeats"
            )));
        }
        Ok(grid)
    }

    /// How many bits the keys take.
    pub fn key_bits(&self) -> u32 {
        u128::BITS - self.size.iter().map(|&size| u128::from(size)).product::<u128>().leading_zeros()
    }

    #[inline]
    pub fn key<K: Key>(&self, point: &[f64; D]) -> K {
        let mut key = K::from(0);
        for axis in (0..D).rev() {
            let offset = point[axis] - self.least[axis];
            let cell = if offset == 0.0 { 0 } else { (offset * self.per_unit) as u64 };
            key = key * K::from(self.size[axis]) + K::from(cell + REACH);
        }
        key
    }
}

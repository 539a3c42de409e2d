//! The next splits of a box, all at once: up to [`MAX_SPLITS`] halvings make a grid of cells, numbered so that each half of the box, each
//! quarter, and so on, is a run of cells.

#![allow(clippy::needless_range_loop, reason = "several arrays are indexed by the axis")]

use super::Bounds;

/// With more splits at once, the places to write to, one per cell, would not fit the cache of a core.
const MAX_SPLITS: u32 = 11;
/// Intended number of points per cell: half of a leaf.
const PER_CELL: usize = 4;

/// The numbering of the cells of a box.
#[derive(Debug)]
pub(super) struct Splits<const D: usize> {
    low: [f64; D],
    /// Number of cells along an axis divided by the side of the box; `shrink` keeps the largest sides finite.
    scale: [f64; D],
    shrink: f64,
    last: [u32; D],
    /// For each axis, what each place along it adds to the number of a cell.
    parts: [Vec<u16>; D],
    pub levels: u32,
}

impl<const D: usize> Default for Splits<D> {
    fn default() -> Self {
        Self { low: [0.0; D], scale: [0.0; D], shrink: 1.0, last: [0; D], parts: std::array::from_fn(|_| Vec::new()), levels: 0 }
    }
}

impl<const D: usize> Splits<D> {
    /// Halves the longest side as often as needed for `n` points; the box must have a side above 0.
    pub fn lay(&mut self, bounds: &Bounds<D>, n: usize) {
        let finite = (0..D).all(|axis| (bounds.high[axis] - bounds.low[axis]).is_finite());
        self.shrink = if finite { 1.0 } else { 0.5 };
        let sides: [f64; D] = std::array::from_fn(|axis| bounds.high[axis] * self.shrink - bounds.low[axis] * self.shrink);
        self.levels = (n / PER_CELL).next_power_of_two().trailing_zeros().clamp(1, MAX_SPLITS);
        let mut rest = sides;
        for part in &mut self.parts {
            part.clear();
            part.push(0);
        }
        let mut axes = [0; MAX_SPLITS as usize];
        for axis in &mut axes[..self.levels as usize] {
            *axis = (1..D).fold(0, |longest, axis| if rest[axis] > rest[longest] { axis } else { longest });
            rest[*axis] *= 0.5;
        }
        // From the last split to the first: the lowest bit of a cell's number, and of its place along that axis, to the highest.
        for (bit, &axis) in axes[..self.levels as usize].iter().rev().enumerate() {
            let part = &mut self.parts[axis];
            for place in 0..part.len() {
                part.push(part[place] | 1 << bit);
            }
        }
        for axis in 0..D {
            let cells = self.parts[axis].len();
            self.low[axis] = bounds.low[axis] * self.shrink;
            self.last[axis] = cells as u32 - 1;
            self.scale[axis] = if cells > 1 { cells as f64 / sides[axis] } else { 0.0 };
        }
    }

    /// The number of a point's cell. The points at both ends of the longest side are in different ones, however small it is: a side
    /// so small that its scale is infinite puts all but the lowest points in the last cell (and 0 times infinity, NaN, gives cell 0).
    #[inline]
    pub fn cell(&self, point: &[f64; D]) -> u16 {
        let mut cell = 0;
        for axis in 0..D {
            let place = ((point[axis] * self.shrink - self.low[axis]) * self.scale[axis]) as u32;
            cell |= self.parts[axis][place.min(self.last[axis]) as usize];
        }
        cell
    }

    pub fn cells(&self) -> usize {
        1 << self.levels
    }
}

//! Bounding boxes, and their distances from points and from each other.

#![allow(clippy::needless_range_loop, reason = "several arrays are indexed by the axis")]

use super::squared;

/// A box: the lowest and the highest coordinate along each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds<const D: usize> {
    pub low: [f64; D],
    pub high: [f64; D],
}

impl<const D: usize> Default for Bounds<D> {
    /// The box of no points.
    fn default() -> Self {
        Self { low: [f64::INFINITY; D], high: [f64::NEG_INFINITY; D] }
    }
}

/// As `f64::max`, for numbers that are not NaN: one instruction instead of four.
#[inline]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[inline]
fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

impl<const D: usize> Bounds<D> {
    #[inline]
    pub fn of(points: &[[f64; D]]) -> Self {
        points.iter().fold(Self::default(), Self::with)
    }

    /// The smallest box around this one and a point.
    #[inline]
    #[must_use]
    pub fn with(self, point: &[f64; D]) -> Self {
        self.union(&Self { low: *point, high: *point })
    }

    /// The smallest box around two.
    #[inline]
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for axis in 0..D {
            self.low[axis] = smaller(self.low[axis], other.low[axis]);
            self.high[axis] = larger(self.high[axis], other.high[axis]);
        }
        self
    }

    /// Whether all its points are equal.
    #[inline]
    #[expect(clippy::float_cmp, reason = "equal is meant")]
    pub fn is_one_place(&self) -> bool {
        self.low == self.high
    }

    /// Upper limit of the squared distance between any two of its points.
    #[inline]
    pub fn diagonal(&self) -> f64 {
        squared(&self.high, &self.low)
    }

    /// Lower limit of the squared distance between points of two boxes.
    #[inline]
    pub fn nearest(&self, other: &Self) -> f64 {
        let mut sum = 0.0;
        for axis in 0..D {
            let gap = larger(0.0, larger(other.low[axis] - self.high[axis], self.low[axis] - other.high[axis]));
            sum += gap * gap;
        }
        sum
    }

    /// Upper limit of the squared distance between points of two boxes.
    #[inline]
    pub fn farthest(&self, other: &Self) -> f64 {
        let mut sum = 0.0;
        for axis in 0..D {
            let span = larger(other.high[axis] - self.low[axis], self.high[axis] - other.low[axis]);
            sum += span * span;
        }
        sum
    }

    /// As [`Bounds::nearest`], for a point.
    #[inline]
    pub fn nearest_to(&self, point: &[f64; D]) -> f64 {
        let mut sum = 0.0;
        for axis in 0..D {
            let gap = larger(0.0, larger(self.low[axis] - point[axis], point[axis] - self.high[axis]));
            sum += gap * gap;
        }
        sum
    }
}

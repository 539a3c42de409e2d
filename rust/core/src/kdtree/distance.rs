//! The squared distance, in one place.

#![allow(clippy::needless_range_loop, reason = "several arrays are indexed by the axis")]

/// The squared distance of two points: the only expression for distances that are compared.
#[inline]
pub(crate) fn squared<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    let mut sum = 0.0;
    for axis in 0..D {
        let difference = a[axis] - b[axis];
        sum += difference * difference;
    }
    sum
}

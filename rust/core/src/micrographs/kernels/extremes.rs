//! The largest of many weighted values, and their standard deviation, in one pass.

use rustfft::num_complex::Complex32;

use super::simd::fast;

/// Number of lanes for sums and maxima: enough that no step waits for the one before. Even lanes are for the real parts.
pub(super) const LANES: usize = 32;

/// Largest values and sums of squares, lane by lane.
pub(super) struct Extremes {
    max: [f32; LANES],
    power: [f32; LANES],
}

/// Defines a function that takes the largest of the weighted values of some rows, and the sum of their squares.
macro_rules! extremes {
    ($name:ident, $of:expr) => {
        fast! {
            pub(super) fn $name(rows: &[Complex32], weights: &[f32], found: &mut Extremes) {
                let (mut max, mut power) = (found.max, found.power);
                let of = $of;
                let (values, rest) = rows.as_chunks::<{ LANES / 2 }>();
                let (factors, rest_factors) = weights.as_chunks::<{ LANES / 2 }>();
                for (values, factors) in values.iter().zip(factors) {
                    for k in 0..LANES {
                        let value: f32 = if k % 2 == 0 { values[k / 2].re } else { values[k / 2].im } * factors[k / 2];
                        let height = of(value);
                        max[k] = if height > max[k] { height } else { max[k] };
                        power[k] += value * value;
                    }
                }
                for (value, factor) in rest.iter().zip(rest_factors) {
                    for (k, value) in [value.re * factor, value.im * factor].into_iter().enumerate() {
                        max[k] = max[k].max(of(value));
                        power[k] += value * value;
                    }
                }
                *found = Extremes { max, power };
            }
        }
    };
}

extremes!(highest, |value: f32| value);
extremes!(largest, |value: f32| value.abs());

impl Extremes {
    pub(super) fn new() -> Self {
        Self { max: [0.0; LANES], power: [0.0; LANES] }
    }

    /// The largest of the real (0) or imaginary (1) parts, and the sum of their squares.
    pub(super) fn of_part(&self, part: usize) -> (f32, f32) {
        let of = |values: [f32; LANES]| values.into_iter().skip(part).step_by(2);
        (of(self.max).fold(0.0, f32::max), of(self.power).sum())
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers and conversions are exact")]
mod tests {
    use super::*;

    #[test]
    fn extremes_of_any_length_are_those_of_a_plain_loop() {
        for n in (0..70).chain([127, 128, 129]) {
            let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 - 600.0;
            let rows: Vec<Complex32> = (0..n).map(|i| Complex32::new(value(i), value(i + 7))).collect();
            let weights: Vec<f32> = (0..n).map(|i| (i % 5) as f32).collect();
            let (mut high, mut large) = (Extremes::new(), Extremes::new());
            highest(&rows, &weights, &mut high);
            largest(&rows, &weights, &mut large);
            for part in 0..2 {
                let plain: Vec<f32> = (0..n).map(|i| [rows[i].re, rows[i].im][part] * weights[i]).collect();
                let power: f64 = plain.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
                for (found, max) in [
                    (high.of_part(part), plain.iter().copied().fold(0.0, f32::max)),
                    (large.of_part(part), plain.iter().map(|value| value.abs()).fold(0.0, f32::max)),
                ] {
                    assert_eq!(found.0, max, "part {part} of {n}");
                    assert!((f64::from(found.1) - power).abs() <= 1e-6 * power, "part {part} of {n}");
                }
            }
        }
    }
}

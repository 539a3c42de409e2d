//! Quantiles and means.

/// Values in ascending order.
pub fn ascending(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// A quantile of values in ascending order, of which there is at least one, by linear interpolation.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = (at as usize).min(sorted.len() - 1);
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    low + (high - low) * (at - below as f64)
}

/// The mean of values; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The sum of so many of the largest values, or of all if there are fewer.
pub fn sum_of_largest(values: impl IntoIterator<Item = f64>, number: usize) -> f64 {
    ascending(values).iter().rev().take(number).sum()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal is meant")]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let sorted = ascending([4.0, 1.0, 2.0, 8.0]);
        assert_eq!([0.0, 0.5, 0.75, 1.0].map(|share| quantile(&sorted, share)), [1.0, 3.0, 5.0, 8.0]);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
        assert_eq!(sum_of_largest([3.0, 1.0, 2.0], 2), 5.0);
        assert_eq!(mean(&[]), 0.0);
    }
}

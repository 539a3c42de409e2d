//! The false-discovery rate.

/// The false-discovery rate of each pair and all less likely ones, 0 to 1 (Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57, 289).
/// `chances`: that an unrelated pair is as significant; `tested`: how many pairs there were.
pub fn q_values(chances: &[f64], tested: u64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|&a, &b| chances[a].total_cmp(&chances[b]));
    let mut q = vec![0.0; chances.len()];
    let mut least = 1.0_f64;
    for (rank, &at) in order.iter().enumerate().rev() {
        least = least.min(tested as f64 * chances[at] / (rank + 1) as f64);
        q[at] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_is_the_least_rate_at_which_it_is_accepted(chances in prop::collection::vec(0.0..1.0_f64, 0..40), tested in 1..200_u64) {
            for (&chance, q) in chances.iter().zip(q_values(&chances, tested)) {
                let rate = |limit: f64| tested as f64 * limit / chances.iter().filter(|&&other| other <= limit).count() as f64;
                let least = chances.iter().filter(|&&limit| limit >= chance).map(|&limit| rate(limit)).fold(1.0, f64::min);
                prop_assert!((q - least).abs() < 1e-12);
            }
        }
    }
}

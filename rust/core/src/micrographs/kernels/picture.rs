//! Contrast-adjusted pictures of noisy images.

/// Shares of the pixels that are darker than black, and lighter than white.
const DARKEST: f64 = 0.005;
const LIGHTEST: f64 = 0.995;

/// Slightly smoothed (the eye does not average as a correlation does), with contrast from percentiles; pixels row after row.
pub fn picture(image: &[f64], width: usize) -> Vec<u8> {
    let mut smooth = image.to_vec();
    for _ in 0..2 {
        smooth = blurred(&smooth, width);
    }
    let mut sorted = smooth.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(&sorted, DARKEST), quantile(&sorted, LIGHTEST));
    let range = (high - low).max(1e-12);
    smooth.into_iter().map(|value| (((value - low) / range).clamp(0.0, 1.0) * 255.0) as u8).collect()
}

/// Each pixel with half of the mean of its neighbours above and below, then of those at its sides; beyond the edge the edge is repeated.
fn blurred(image: &[f64], width: usize) -> Vec<f64> {
    let height = image.len() / width.max(1);
    let mean = |before: f64, here: f64, after: f64| 0.25 * before + 0.5 * here + 0.25 * after;
    let mut columns = Vec::with_capacity(image.len());
    for y in 0..height {
        let row = |y: usize| &image[y * width..][..width];
        let (above, here, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
        columns.extend(here.iter().zip(above.iter().zip(below)).map(|(&here, (&above, &below))| mean(above, here, below)));
    }
    let mut rows = Vec::with_capacity(image.len());
    for row in columns.chunks_exact(width.max(1)) {
        rows.extend((0..width).map(|x| mean(row[x.saturating_sub(1)], row[x], row[(x + 1).min(width - 1)])));
    }
    rows
}

/// The value that a share of sorted ones is below, between two of them.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = last as f64 * share;
    let (below, part) = (at as usize, at.fract());
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    // From the nearer of the two, so that the result is exact at both.
    if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_goes_from_black_to_white_and_a_flat_image_is_black() {
        let ramp: Vec<f64> = (0..200 * 50).map(|at| f64::from(at % 200)).collect();
        let found = picture(&ramp, 200);
        assert_eq!((found[0], found[199]), (0, 255));
        assert!(found[..200].is_sorted() && found[100].abs_diff(128) < 3);
        assert_eq!(picture(&[7.0; 12], 4), [0; 12]);
        assert!(picture(&[], 4).is_empty());
    }

    #[test]
    fn quantiles_lie_between_values() {
        let values: Vec<f64> = (0..=10).map(f64::from).collect();
        for (share, expected) in [(0.0, 0.0), (0.25, 2.5), (0.5, 5.0), (1.0, 10.0)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12);
        }
    }
}

//! Fades an image at its edges.

/// Rises from 0 to 1 over the outer `share` of an axis of `n` points by half a cosine, and falls again.
pub fn taper(n: usize, share: f32) -> Vec<f32> {
    let edge = (n as f32 * share).round().max(1.0);
    let rise = |distance: usize| {
        let along = ((distance as f32 + 0.5) / edge).min(1.0);
        0.5 - 0.5 * (std::f32::consts::PI * along).cos()
    };
    (0..n).map(|i| rise(i.min(n - 1 - i))).collect()
}

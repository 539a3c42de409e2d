//! Peaks between pixels.

/// Where the parabola through a highest value and the values one pixel before and after it has its vertex: -0.5 to 0.5 pixels from the
/// middle; 0 where a neighbour was not searched (`f32::MIN` or less).
pub fn vertex(before: f64, middle: f64, after: f64) -> f64 {
    let bend = before - 2.0 * middle + after;
    let searched = before.min(after) > f64::from(f32::MIN);
    if bend < 0.0 && searched { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vertex_of_a_parabola_is_found_and_none_beside_what_was_not_searched() {
        for top in [-0.5, -0.2, 0.0, 0.4] {
            let at = |x: f64| 3.0 - 2.0 * (x - top).powi(2);
            assert!((vertex(at(-1.0), at(0.0), at(1.0)) - top).abs() < 1e-12);
        }
        for unsearched in [f32::MIN.into(), f64::MIN] {
            assert!(vertex(unsearched, 1.0, 0.5).abs() < 1e-12 && vertex(0.5, 1.0, unsearched).abs() < 1e-12);
        }
        assert!(vertex(1.0, 1.0, 1.0).abs() < 1e-12);
    }
}

//! Input that is refused, and input that is not.

use cryodedup_core::Monitor;
use cryodedup_core::particles::{Particles, Rule, deduplicate};

use crate::problem::Problem;

#[test]
fn far_outliers_change_nothing() {
    let coordinates = vec![0.0, 0.0, 0.0, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9 + 0.5, 5.0, 5.0, 5.0];
    let problem = Problem { coordinates, dimensions: 3, groups: None, scores: None, priority: None, separation: 1.0 };
    assert_eq!(problem.found(Rule::KeepBest, 1), [0, 1, 1, 3]);
}

#[test]
fn bad_input_is_refused() {
    let refused = |particles: &Particles, separation: f64| {
        deduplicate(particles, separation, Rule::KeepBest, &Monitor::default()).expect_err("refused").to_string()
    };
    let two = Particles { coordinates: &[0.0, 0.0, 1.0, f64::NAN], dimensions: 2, ..Particles::default() };
    assert_eq!(refused(&two, 1.0), "particle 1, coordinate 1: found NaN, expected a finite number");
    assert_eq!(refused(&two, -1.0), "minimum separation: found -1, expected a finite number, 0 or more");
    let one = Particles { coordinates: &[0.0; 2], dimensions: 2, ..Particles::default() };
    assert_eq!(refused(&one, 1e200), "minimum separation: found 1e200, expected at most 1e150", "its square is infinite");
    let flat = Particles { coordinates: &[0.0], dimensions: 1, ..Particles::default() };
    assert_eq!(refused(&flat, 1.0), "coordinates: found 1 columns, expected 2 or 3");
    let short = Particles { coordinates: &[0.0; 4], dimensions: 2, scores: Some(&[1.0]), ..Particles::default() };
    assert_eq!(refused(&short, 1.0), "scores: found 1 values, expected 2, one a particle");
}

#[test]
fn a_cancelled_search_stops() {
    let monitor = Monitor::default();
    monitor.cancel();
    let particles = Particles { coordinates: &[0.0; 4], dimensions: 2, ..Particles::default() };
    assert!(matches!(deduplicate(&particles, 1.0, Rule::KeepBest, &monitor), Err(cryodedup_core::Error::Interrupted)));
}

/// Tables with a place for each number would take 4 GB.
#[test]
fn groups_may_have_any_number() {
    for separation in [0.0, 1.0] {
        let groups = Some(vec![u32::MAX, 4_000_000_000, u32::MAX, 4_000_000_000, 0]);
        let problem = Problem { coordinates: vec![0.0; 10], dimensions: 2, groups, scores: None, priority: None, separation };
        assert_eq!(problem.found(Rule::KeepBest, 1), [0, 1, 0, 1, 4]);
    }
}

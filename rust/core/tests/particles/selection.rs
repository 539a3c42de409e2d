//! The selection against a plain double loop, on arrangements that searches get wrong.

use cryodedup_core::Monitor;
use cryodedup_core::particles::{Rule, kept_at};
use proptest::prelude::*;

use crate::problem::{Problem, problem};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_best_are_kept_as_by_a_double_loop(problem in problem()) {
        prop_assert_eq!(problem.found(Rule::KeepBest, 1), problem.expected());
    }

    #[test]
    fn entirely_removed_are_those_with_any_duplicate_and_name_the_nearest(problem in problem()) {
        let order = problem.order();
        let expected: Vec<u32> = (0..problem.n()).map(|i| {
            let near = order.iter().copied().filter(|&j| j != i && problem.near(i, j));
            // The first of the nearest, in the order of goodness.
            let nearest = near.min_by(|&a, &b| problem.distance(i, a).total_cmp(&problem.distance(i, b)));
            nearest.unwrap_or(i) as u32
        }).collect();
        prop_assert_eq!(problem.found(Rule::RemoveEntirely, 1), expected);
    }

    #[test]
    fn as_many_stay_at_each_separation_as_are_found_there(problem in problem()) {
        let kept = kept_at(&problem.particles(), &[problem.separation, 5.0], &Monitor::default()).expect("valid input");
        let count = |found: Vec<u32>| found.iter().enumerate().filter(|&(i, &of)| i as u32 == of).count() as u64;
        prop_assert_eq!(kept[0], count(problem.expected()));
        prop_assert_eq!(kept[1], count(Problem { separation: 5.0, ..problem }.expected()));
    }
}

/// A group so large that all threads work inside it, crowded enough that most points have to wait for others.
fn large(scores: Option<Vec<f64>>, dimensions: usize, spread: f64) -> Problem {
    let mut state = 12345_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let coordinates = (0..60_000 * dimensions).map(|_| (next() * spread).round()).collect();
    Problem { coordinates, dimensions, groups: None, scores, priority: None, separation: 10.0 }
}

/// The guarantees, checked by a grid of buckets of the test's own.
fn check_guarantees(problem: &Problem, found: &[u32]) {
    let key = |i: usize| -> Vec<i64> {
        (0..problem.dimensions)
            .map(|axis| (problem.coordinates[i * problem.dimensions + axis] / problem.separation).floor() as i64)
            .collect()
    };
    let mut buckets = std::collections::HashMap::<Vec<i64>, Vec<usize>>::new();
    for i in (0..problem.n()).filter(|&i| found[i] as usize == i) {
        buckets.entry(key(i)).or_default().push(i);
    }
    let rank = {
        let mut rank = vec![0; problem.n()];
        problem.order().iter().enumerate().for_each(|(place, &i)| rank[i] = place);
        rank
    };
    for i in 0..problem.n() {
        let of = found[i] as usize;
        if of == i {
            let mut around = vec![vec![]];
            for value in key(i) {
                around = around
                    .iter()
                    .flat_map(|start: &Vec<i64>| (-1..=1).map(move |step| [start.as_slice(), &[value + step]].concat()))
                    .collect();
            }
            let other = around.iter().filter_map(|key| buckets.get(key)).flatten().find(|&&other| other != i && problem.near(i, other));
            assert_eq!(other, None, "two kept ones within the separation");
        } else {
            assert!(found[of] as usize == of && problem.near(i, of) && rank[of] < rank[i], "a rejected one without a better kept one");
        }
    }
}

#[test]
fn a_large_group_is_chosen_alike_by_any_number_of_threads() {
    let n = 60_000;
    let falling = Some((0..n).map(|i| -f64::from(i)).collect());
    let cyclic = Some((0..n).map(|i| f64::from((i * 7919) % 1000)).collect());
    for (scores, dimensions, spread) in [(None, 2, 2000.0), (falling, 2, 900.0), (cyclic, 2, 3000.0), (None, 3, 400.0)] {
        let problem = large(scores, dimensions, spread);
        let found = problem.found(Rule::KeepBest, 1);
        check_guarantees(&problem, &found);
        assert_eq!(found, problem.found(Rule::KeepBest, 2));
        assert_eq!(found, problem.found(Rule::KeepBest, 7));
    }
}

#[test]
fn a_chain_longer_than_all_rounds_is_followed_to_its_end() {
    // Each has only its neighbours within the separation and is worse than the next: every second one stays, from the end.
    let n = 60_001_u32;
    let coordinates = (0..n).flat_map(|i| [f64::from(i) * 10.0, 0.0]).collect();
    let scores = Some((0..n).map(f64::from).collect());
    let problem = Problem { coordinates, dimensions: 2, groups: None, scores, priority: None, separation: 10.0 };
    let found = problem.found(Rule::KeepBest, 2);
    assert!((0..n).all(|i| (found[i as usize] == i) == (i % 2 == 0)));
}

//! Distances, counts and components against a plain double loop.

#![allow(clippy::needless_range_loop, reason = "plain code is the better oracle")]

use cryodedup_core::Monitor;
use cryodedup_core::particles::{HalfPairs, components, half_pairs, nearest, overlaps};
use proptest::prelude::*;

use crate::problem::problem;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn overlaps_are_those_of_a_double_loop(problem in problem(), seed in 0..7_u32) {
        let n = problem.n();
        let sources: Vec<u32> = (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) % 3).collect();
        let found = overlaps(&problem.particles(), &sources, 3, problem.separation, &Monitor::default()).expect("valid input");
        let mut expected = vec![0; 9];
        for i in 0..n {
            for source in 0..3 {
                let met = (0..n).any(|j| j != i && sources[j] == source && problem.near(i, j));
                expected[(sources[i] * 3 + source) as usize] += u64::from(met);
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn nearest_distances_are_those_of_a_double_loop(problem in problem()) {
        prop_assume!(problem.separation > 0.0);
        let found = nearest(&problem.particles(), problem.separation, &Monitor::default()).expect("valid input");
        for i in 0..problem.n() {
            let least = (0..problem.n()).filter(|&j| j != i && problem.near(i, j)).map(|j| problem.distance(i, j)).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(found[i].to_bits(), (least.sqrt() as f32).to_bits());
        }
    }

    #[test]
    fn half_pairs_are_those_of_a_double_loop(problem in problem(), seed in 0..7_u32) {
        prop_assume!(problem.separation > 0.0);
        let n = problem.n();
        let halves: Vec<u8> = (0..n as u32).map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) % 3) as u8).collect();
        let pairs_of = |a: u8, b: u8| {
            let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| i != j && problem.near(i, j));
            pairs.filter(|&(i, j)| (halves[i], halves[j]) == (a, b)).count() as u64
        };
        let met = |i: usize| halves[i] > 0 && (0..n).any(|j| halves[i] + halves[j] == 3 && halves[j] > 0 && problem.near(i, j));
        let concerned = (0..n).filter(|&i| met(i)).count() as u64;
        let expected = HalfPairs { within_one: pairs_of(1, 1) / 2, within_two: pairs_of(2, 2) / 2, across: pairs_of(1, 2), concerned };
        let found = half_pairs(&problem.particles(), &halves, problem.separation, &Monitor::default()).expect("valid input");
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn components_hang_together_and_have_the_best_for_their_name(problem in problem()) {
        let found = components(&problem.particles(), problem.separation, &Monitor::default()).expect("valid input");
        let mut expected: Vec<u32> = (0..problem.n() as u32).collect();
        for &best in &problem.order() {
            let mut waiting = vec![best];
            let mut reached = vec![false; problem.n()];
            while let Some(i) = waiting.pop() {
                if !std::mem::replace(&mut reached[i], true) {
                    waiting.extend((0..problem.n()).filter(|&j| problem.near(i, j)));
                }
            }
            // From the best to the worst: the first to reach one names it.
            if expected[best] == best as u32 {
                (0..problem.n()).filter(|&i| reached[i]).for_each(|i| expected[i] = best as u32);
            }
        }
        prop_assert_eq!(found, expected);
    }
}

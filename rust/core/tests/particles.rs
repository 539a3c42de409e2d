//! The selection against a plain double loop, on arrangements that searches get wrong.

#![allow(clippy::needless_range_loop, clippy::single_match_else, reason = "plain code is the better oracle")]

use cryodedup_core::Monitor;
use cryodedup_core::particles::{HalfPairs, Particles, Rule, components, deduplicate, half_pairs, kept_at, nearest, overlaps};
use proptest::prelude::*;

/// One problem, owned.
#[derive(Clone, Debug)]
struct Problem {
    coordinates: Vec<f64>,
    dimensions: usize,
    groups: Option<Vec<u32>>,
    scores: Option<Vec<f64>>,
    priority: Option<Vec<u32>>,
    separation: f64,
}

impl Problem {
    fn n(&self) -> usize {
        self.coordinates.len() / self.dimensions
    }

    fn particles(&self) -> Particles<'_> {
        Particles {
            coordinates: &self.coordinates,
            dimensions: self.dimensions,
            groups: self.groups.as_deref(),
            scores: self.scores.as_deref(),
            priority: self.priority.as_deref(),
        }
    }

    fn found(&self, rule: Rule, threads: usize) -> Vec<u32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let found = pool.install(|| deduplicate(&self.particles(), self.separation, rule, &Monitor::default())).expect("valid input");
        let mut of: Vec<u32> = (0..self.n() as u32).collect();
        found.rejected.iter().zip(&found.duplicate_of).for_each(|(&i, &other)| of[i as usize] = other as u32);
        assert!(of.iter().enumerate().all(|(i, &other)| found.kept[i] == (other as usize == i)));
        of
    }

    fn distance(&self, a: usize, b: usize) -> f64 {
        let point = |i: usize| &self.coordinates[i * self.dimensions..(i + 1) * self.dimensions];
        point(a).iter().zip(point(b)).map(|(x, y)| (x - y) * (x - y)).sum()
    }

    fn near(&self, a: usize, b: usize) -> bool {
        let same = self.groups.as_ref().is_none_or(|groups| groups[a] == groups[b]);
        same && self.distance(a, b) <= self.separation * self.separation
    }

    /// Indices from the best to the worst.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.n()).collect();
        let score = |i: usize| self.scores.as_ref().map_or(0.0, |scores| if scores[i].is_nan() { f64::NEG_INFINITY } else { scores[i] });
        let nan = |i: usize| self.scores.as_ref().is_some_and(|scores| scores[i].is_nan());
        let priority = |i: usize| self.priority.as_ref().map_or(0, |priority| priority[i]);
        order.sort_by(|&a, &b| {
            (priority(a).cmp(&priority(b))).then(nan(a).cmp(&nan(b))).then(score(b).partial_cmp(&score(a)).expect("no NaN")).then(a.cmp(&b))
        });
        order
    }

    /// The plain double loop: for each particle the nearest better kept one, itself if it is kept.
    fn expected(&self) -> Vec<u32> {
        let order = self.order();
        let mut kept: Vec<usize> = Vec::new();
        let mut of = vec![0; self.n()];
        for &i in &order {
            // The first of the nearest, in the order of goodness.
            let nearest = kept.iter().copied().filter(|&k| self.near(i, k)).fold(None, |best: Option<usize>, k| match best {
                Some(best) if self.distance(i, best) <= self.distance(i, k) => Some(best),
                _ => Some(k),
            });
            match nearest {
                Some(k) => of[i] = k as u32,
                None => {
                    kept.push(i);
                    of[i] = i as u32;
                }
            }
        }
        of
    }
}

fn coordinates(dimensions: usize, n: usize) -> impl Strategy<Value = Vec<f64>> {
    let continuous = prop::collection::vec(-50.0..150.0_f64, n * dimensions);
    // A lattice whose step divides the separations tried: distances exactly at the limit, and many equal points.
    let lattice = prop::collection::vec((0..12_i32).prop_map(|i| f64::from(i) * 2.5), n * dimensions);
    let equal = Just(vec![3.25; n * dimensions]);
    let line = prop::collection::vec(0.0..500.0_f64, n)
        .prop_map(move |xs| xs.iter().flat_map(|&x| (0..dimensions).map(move |d| if d == 0 { x } else { 1.0 })).collect());
    let outlier = prop::collection::vec(0.0..30.0_f64, n * dimensions).prop_map(|mut values| {
        if let Some(first) = values.first_mut() {
            *first = 1e9;
        }
        values
    });
    prop_oneof![4 => continuous, 4 => lattice, 1 => equal, 2 => line, 1 => outlier]
}

fn scores(n: usize) -> impl Strategy<Value = Option<Vec<f64>>> {
    let tied = prop_oneof![4 => (0..4_i32).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(-0.0)];
    prop_oneof![
        Just(None),
        prop::collection::vec(-1.0..1.0_f64, n).prop_map(Some),
        prop::collection::vec(tied, n).prop_map(Some),
        // A chain of falling scores: what is decided last depends on what is decided first.
        Just(Some((0..n).map(|i| -(i as f64)).collect())),
    ]
}

fn problem() -> impl Strategy<Value = Problem> {
    let separation = prop_oneof![Just(0.0), Just(2.5), Just(5.0), Just(7.5), 0.1..60.0_f64, Just(1e7)];
    (2..=3_usize, 0..120_usize, separation).prop_flat_map(|(dimensions, n, separation)| {
        let groups = prop_oneof![Just(None), prop::collection::vec(0..4_u32, n).prop_map(Some)];
        let priority = prop_oneof![3 => Just(None), 1 => prop::collection::vec(0..3_u32, n).prop_map(Some)];
        (coordinates(dimensions, n), groups, scores(n), priority).prop_map(move |(coordinates, groups, scores, priority)| Problem {
            coordinates,
            dimensions,
            groups,
            scores,
            priority,
            separation,
        })
    })
}

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

#[test]
fn wide_extents_use_wide_keys() {
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
    assert_eq!(refused(&two, 1.0), "particle 1: coordinate 1 is NaN, expected a finite number");
    assert_eq!(refused(&two, -1.0), "minimum separation: found -1, expected a finite number, 0 or more");
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

/// A group that all threads search together, on a lattice: each point has the four beside it within 1.
#[test]
fn half_pairs_of_a_large_group_are_all_counted() {
    for by_columns in [false, true] {
        let (columns, rows) = (300_usize, 220_usize);
        let coordinates: Vec<f64> = (0..rows).flat_map(|y| (0..columns).flat_map(move |x| [x as f64, y as f64])).collect();
        let half = |x: usize, y: usize| 1 + if by_columns { x % 2 } else { (x + y) % 2 } as u8;
        let halves: Vec<u8> = (0..rows).flat_map(|y| (0..columns).map(move |x| half(x, y))).collect();
        let particles = Particles { coordinates: &coordinates, dimensions: 2, ..Particles::default() };
        let (beside, above) = (((columns - 1) * rows) as u64, (columns * (rows - 1)) as u64);
        let expected = HalfPairs {
            within_one: if by_columns { above / 2 } else { 0 },
            within_two: if by_columns { above / 2 } else { 0 },
            across: if by_columns { beside } else { beside + above },
            concerned: (columns * rows) as u64,
        };
        assert_eq!(half_pairs(&particles, &halves, 1.0, &Monitor::default()).expect("valid input"), expected);
    }
}

//! Groups so large that all threads work inside them: they have to be treated as small ones are.

use cryodedup_core::Monitor;
use cryodedup_core::particles::{HalfPairs, Particles, Rule, components, half_pairs, kept_at, nearest, overlaps};

use crate::problem::{Problem, with_threads};

/// Blocks of 75 points, further apart than any distance asked for.
const BLOCKS: u32 = 1000;
const SIZE: u32 = 75;
const SEPARATION: f64 = 6.0;

/// Whole numbers below `n`, from a fixed seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |n| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    }
}

/// Points on a lattice within each block, so that many are equal or at equal distances; every tenth block is one place, the first a clump
/// of 20,000 points more.
fn blocks(dimensions: usize, seed: u64) -> Problem {
    let mut next = numbers(seed);
    let mut coordinates = Vec::new();
    let mut groups = Vec::new();
    for block in 0..BLOCKS {
        for _ in 0..if block == 0 { SIZE + 20_000 } else { SIZE } {
            let side = if block % 10 == 9 { 1 } else { 12 };
            coordinates.extend((0..dimensions).map(|axis| {
                let place = next(side) as f64 * 2.0;
                if axis == 0 { place + f64::from(block) * 1000.0 } else { place }
            }));
            groups.push(block);
        }
    }
    let scores = Some(groups.iter().map(|_| next(50) as f64).collect());
    Problem { coordinates, dimensions, groups: Some(groups), scores, priority: None, separation: SEPARATION }
}

/// All that is asked, of all blocks.
#[derive(Debug, PartialEq)]
struct Answers {
    kept: Vec<u32>,
    removed: Vec<u32>,
    nearest: Vec<f32>,
    overlaps: Vec<u64>,
    half_pairs: HalfPairs,
    components: Vec<u32>,
    kept_at: Vec<u64>,
}

fn answers(problem: &Problem, threads: usize) -> Answers {
    let mut next = numbers(7);
    let halves: Vec<u8> = (0..problem.n()).map(|_| next(3) as u8).collect();
    let sources: Vec<u32> = halves.iter().map(|&half| u32::from(half)).collect();
    let (particles, monitor) = (problem.particles(), Monitor::default());
    with_threads(threads, || Answers {
        kept: problem.found(Rule::KeepBest, threads),
        removed: problem.found(Rule::RemoveEntirely, threads),
        nearest: nearest(&particles, 100.0, &monitor).expect("valid input"),
        overlaps: overlaps(&particles, &sources, 3, SEPARATION, &monitor).expect("valid input"),
        half_pairs: half_pairs(&particles, &halves, SEPARATION, &monitor).expect("valid input"),
        components: components(&particles, 2.5, &monitor).expect("valid input"),
        kept_at: kept_at(&particles, &[0.0, 1.0, 2.0, 4.5, SEPARATION, 40.0], &monitor).expect("valid input"),
    })
}

#[test]
fn one_large_group_is_answered_as_its_parts_by_any_number_of_threads() {
    for (dimensions, seed) in [(2, 1), (3, 2)] {
        let in_parts = blocks(dimensions, seed);
        let whole = Problem { groups: None, ..in_parts.clone() };
        let expected = answers(&in_parts, 1);
        for threads in [1, 2, 7] {
            assert_eq!(answers(&whole, threads), expected);
            assert_eq!(answers(&in_parts, threads), expected);
        }
    }
}

#[test]
fn shuffled_groups_are_answered_as_sorted_ones() {
    let sorted = blocks(2, 3);
    let n = sorted.n();
    let mut order: Vec<usize> = (0..n).collect();
    let mut next = numbers(4);
    (1..n).rev().for_each(|i| order.swap(i, next(i as u64 + 1) as usize));
    let pick = |values: &[f64], width: usize| order.iter().flat_map(|&i| values[i * width..(i + 1) * width].to_vec()).collect::<Vec<f64>>();
    // Scores without ties: among equal ones the input order decides.
    let scores: Vec<f64> = (0..n).map(|i| ((i * 7919) % 1_000_003) as f64).collect();
    let groups = sorted.groups.as_ref().expect("in groups");
    let shuffled = Problem {
        coordinates: pick(&sorted.coordinates, 2),
        groups: Some(order.iter().map(|&i| groups[i]).collect()),
        scores: Some(pick(&scores, 1)),
        ..sorted.clone()
    };
    let expected = Problem { scores: Some(scores), ..sorted }.found(Rule::KeepBest, 2);
    let found = shuffled.found(Rule::KeepBest, 2);
    assert!((0..n).all(|i| order[found[i] as usize] as u32 == expected[order[i]]));
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

/// Several large groups, each of which one thread searches, against each alone, which all threads search.
#[test]
fn many_large_groups_are_answered_as_each_alone() {
    const EACH: usize = 51_000;
    let mut next = numbers(5);
    let coordinates: Vec<f64> = (0..2 * 9 * EACH).map(|_| next(3000) as f64).collect();
    let scores: Vec<f64> = (0..9 * EACH).map(|_| next(1000) as f64).collect();
    let problem = |groups: std::ops::Range<usize>| Problem {
        coordinates: coordinates[groups.start * 2 * EACH..groups.end * 2 * EACH].to_vec(),
        dimensions: 2,
        groups: Some((0..(groups.len() * EACH) as u32).map(|i| i / EACH as u32).collect()),
        scores: Some(scores[groups.start * EACH..groups.end * EACH].to_vec()),
        priority: None,
        separation: 9.0,
    };
    let found = problem(0..9).found(Rule::KeepBest, 2);
    for group in 0..9 {
        let first = (group * EACH) as u32;
        let alone: Vec<u32> = problem(group..group + 1).found(Rule::KeepBest, 2).into_iter().map(|of| of + first).collect();
        assert!(alone == found[group * EACH..(group + 1) * EACH]);
    }
}

/// Most pairs of a ball are about the separation apart, on a lattice many of them at exactly this distance.
#[test]
fn half_pairs_of_a_ball_are_those_of_a_double_loop() {
    let monitor = Monitor::default();
    for (dimensions, step, origin) in [(2, 1e-3, 0.0), (2, 7.0, 0.0), (2, 0.1, 1e6), (3, 1e-3, -1e5), (3, 12.0, 0.0)] {
        let mut next = numbers(6);
        let mut coordinates = Vec::new();
        while coordinates.len() < 3000 * dimensions {
            let point: Vec<f64> =
                (0..dimensions).map(|_| ((next(1 << 20) as f64 / f64::from(1 << 19) - 1.0) * 100.0 / step).round() * step).collect();
            if point.iter().map(|x| x * x).sum::<f64>() <= 1e4 {
                coordinates.extend(point.iter().map(|x| x + origin));
            }
        }
        let halves: Vec<u8> = (0..3000).map(|_| next(3) as u8).collect();
        for separation in [50.0, 84.0, 100.0, 150.0] {
            let particles = Particles { coordinates: &coordinates, dimensions, ..Particles::default() };
            let problem = Problem { coordinates: coordinates.clone(), dimensions, groups: None, scores: None, priority: None, separation };
            let mut expected = HalfPairs::default();
            let mut met = vec![false; 3000];
            for i in 0..3000 {
                for j in (0..i).filter(|&j| problem.near(i, j)) {
                    match (halves[i], halves[j]) {
                        (1, 1) => expected.within_one += 1,
                        (2, 2) => expected.within_two += 1,
                        (1, 2) | (2, 1) => {
                            expected.across += 1;
                            (met[i], met[j]) = (true, true);
                        }
                        _ => {}
                    }
                }
            }
            expected.concerned = met.iter().filter(|&&met| met).count() as u64;
            assert_eq!(half_pairs(&particles, &halves, separation, &monitor).expect("valid input"), expected, "{step} {separation}");
        }
    }
}

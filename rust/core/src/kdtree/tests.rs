//! Properties of every tree, for any points.

use proptest::prelude::*;

use super::*;
use crate::Monitor;

fn points<const D: usize>() -> impl Strategy<Value = Vec<[f64; D]>> {
    let coordinate = prop_oneof![
        4 => -50.0..150.0_f64,
        4 => (0..6_i32).prop_map(|i| f64::from(i) * 2.5),
        1 => Just(-0.0),
        1 => Just(1e9),
        1 => Just(f64::MAX),
        1 => Just(f64::MIN),
        1 => (0..4_i32).prop_map(|i| f64::from(i) * f64::from_bits(1)),
    ];
    prop::collection::vec(prop::array::uniform(coordinate), 0..200)
}

fn check<const D: usize>(tree: &Tree<D>, points: &[[f64; D]]) {
    let mut ids = tree.ids.clone();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..points.len() as u32), "every point once");
    assert!(tree.ids.iter().zip(&tree.points).all(
        |(&id, point)| squared(&points[id as usize], point) == 0.0 || points[id as usize].map(f64::to_bits) == point.map(f64::to_bits)
    ));
    let mut next = 0; // position of the first point after all leaves so far
    for (at, node) in tree.nodes.iter().enumerate() {
        assert_eq!(node.bounds, Bounds::of(&tree.points[node.range()]), "tight");
        assert!(!node.is_empty());
        if let Some((left, right)) = tree.below(at) {
            let (left, right) = (&tree.nodes[left], &tree.nodes[right]);
            assert_eq!(
                (left.range().start, left.range().end, right.range().end),
                (node.range().start, right.range().start, node.range().end)
            );
        } else {
            assert_eq!(node.range().start, next);
            assert!(node.len() <= LEAF || node.bounds.is_one_place());
            next = node.range().end;
        }
    }
    assert_eq!(next, points.len());
}

fn numbered<const D: usize>(points: &[[f64; D]]) -> impl Iterator<Item = ([f64; D], u32)> {
    points.iter().copied().zip(0..)
}

proptest! {
    #[test]
    fn boxes_are_tight_and_hold_every_point_once(flat in points::<2>(), solid in points::<3>()) {
        let (mut of_flat, mut of_solid) = (Builder::default(), Builder::default());
        for _ in 0..2 { // the second time with used buffers
            check(of_flat.build(numbered(&flat)), &flat);
            check(of_solid.build(numbered(&solid)), &solid);
        }
    }

    #[test]
    fn boxes_say_what_holds_for_every_pair(a in points::<3>(), b in points::<3>()) {
        let (of_a, of_b) = (Bounds::of(&a), Bounds::of(&b));
        for one in &a {
            prop_assert!(a.iter().all(|other| squared(one, other) <= of_a.diagonal()));
            for other in &b {
                prop_assert!((of_a.nearest(&of_b)..=of_a.farthest(&of_b)).contains(&squared(one, other)));
                prop_assert!(of_a.nearest_to(other) <= squared(one, other));
            }
        }
    }
}

/// Numbers in [0, 1) from a fixed seed.
fn numbers(n: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(n).collect()
}

#[test]
fn a_large_tree_is_one_as_well() {
    let n = 3 * LARGE;
    let random = numbers(2 * n);
    let spread: Vec<[f64; 2]> = random.as_chunks().0.to_vec();
    let clump: Vec<[f64; 2]> = spread.iter().enumerate().map(|(i, p)| if i == 0 { [1e12, -1e12] } else { *p }).collect();
    let sites: Vec<[f64; 2]> = spread.iter().map(|point| point.map(|x| (3.0 * x).floor())).collect();
    let line: Vec<[f64; 2]> = spread.iter().map(|point| [point[0], 7.0]).collect();
    let equal = vec![[2.0, 3.0]; n];
    for points in [spread, clump, sites, line, equal] {
        let tree = Tree::build_large(n, |i| (points[i], i as u32), &Monitor::default()).expect("not stopped");
        check(&tree, &points);
    }
}

#[test]
fn building_stops_when_asked() {
    let monitor = Monitor::default();
    monitor.cancel();
    assert!(Tree::build_large(2 * LARGE, |i| ([i as f64, 0.0], i as u32), &monitor).is_err());
}

/// Two square lattices of 400 points, as far apart as the limit; many pairs are at exactly that distance.
#[test]
fn slabs_count_the_pairs_of_two_nodes() {
    for (x, y) in [(100.0, 0.0), (60.0, 80.0), (-99.5, 3.25), (71.0, -71.0)] {
        let lattice = |at: [f64; 2]| (0..400).map(move |i| [at[0] + f64::from(i % 20) * 0.5, at[1] + f64::from(i / 20) * 0.5]);
        let points: Vec<[f64; 2]> = lattice([0.0, 0.0]).chain(lattice([x, y])).collect();
        let mut builder = Builder::default();
        let tree = builder.build(numbered(&points));
        let colours: Vec<u8> = tree.ids.iter().map(|id| (id % 3) as u8).collect();
        let (left, right) = tree.children(0);
        let mut counts = [[0; 3]; 3];
        assert!(slabs::Slabs::<3, 2>::default().count(tree, &colours, 1e4, (left, right), &mut counts));
        let mut expected = [[0; 3]; 3];
        for (i, a) in points[..400].iter().enumerate() {
            for (j, b) in points[400..].iter().enumerate() {
                expected[i % 3][(j + 400) % 3] += u64::from(squared(a, b) <= 1e4);
            }
        }
        let both = |counts: [[u64; 3]; 3]| [0, 1, 2].map(|a| [0, 1, 2].map(|b| counts[a][b] + counts[b][a]));
        assert_eq!(both(counts), both(expected));
    }
}

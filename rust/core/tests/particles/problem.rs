//! A problem, made at random, and what a plain double loop says of it.

use cryodedup_core::Monitor;
use cryodedup_core::particles::{Particles, Rule, deduplicate};
use proptest::prelude::*;

/// Runs a job in a pool of so many threads.
pub fn with_threads<T: Send>(threads: usize, job: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(job)
}

/// One problem, owned.
#[derive(Clone, Debug)]
pub struct Problem {
    pub coordinates: Vec<f64>,
    pub dimensions: usize,
    pub groups: Option<Vec<u32>>,
    pub scores: Option<Vec<f64>>,
    pub priority: Option<Vec<u32>>,
    pub separation: f64,
}

impl Problem {
    pub fn n(&self) -> usize {
        self.coordinates.len() / self.dimensions
    }

    pub fn particles(&self) -> Particles<'_> {
        Particles {
            coordinates: &self.coordinates,
            dimensions: self.dimensions,
            groups: self.groups.as_deref(),
            scores: self.scores.as_deref(),
            priority: self.priority.as_deref(),
        }
    }

    /// For each its own index if it is kept, else that of the one it duplicates.
    pub fn found(&self, rule: Rule, threads: usize) -> Vec<u32> {
        let found =
            with_threads(threads, || deduplicate(&self.particles(), self.separation, rule, &Monitor::default())).expect("valid input");
        let mut of: Vec<u32> = (0..self.n() as u32).collect();
        found.rejected.iter().zip(&found.duplicate_of).for_each(|(&i, &other)| of[i as usize] = other as u32);
        assert!(of.iter().enumerate().all(|(i, &other)| found.kept[i] == (other as usize == i)));
        of
    }

    pub fn distance(&self, a: usize, b: usize) -> f64 {
        let point = |i: usize| &self.coordinates[i * self.dimensions..(i + 1) * self.dimensions];
        point(a).iter().zip(point(b)).map(|(x, y)| (x - y) * (x - y)).sum()
    }

    pub fn near(&self, a: usize, b: usize) -> bool {
        let same = self.groups.as_ref().is_none_or(|groups| groups[a] == groups[b]);
        if self.separation == 0.0 {
            // Equal, not so near that the square of the distance is 0.
            let point = |i: usize| &self.coordinates[i * self.dimensions..(i + 1) * self.dimensions];
            return same && point(a) == point(b);
        }
        same && self.distance(a, b) <= self.separation * self.separation
    }

    /// Indices from the best to the worst.
    pub fn order(&self) -> Vec<usize> {
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
    pub fn expected(&self) -> Vec<u32> {
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
    let clumps = prop::collection::vec((0..3_u8, -4.0..4.0_f64), n * dimensions)
        .prop_map(|values| values.iter().map(|&(site, offset)| 40.0 * f64::from(site) + offset).collect());
    let any_size = prop_oneof![
        Just(f64::MAX),
        Just(f64::MIN),
        Just(1e200),
        Just(-0.0),
        Just(0.0),
        Just(f64::from_bits(1)),
        Just(1e-200),
        -9.0..9.0_f64
    ];
    let extreme = prop::collection::vec(any_size, n * dimensions);
    prop_oneof![4 => continuous, 4 => lattice, 1 => equal, 2 => line, 1 => outlier, 3 => clumps, 2 => extreme]
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

pub fn problem() -> impl Strategy<Value = Problem> {
    let separation = prop_oneof![Just(0.0), Just(2.5), Just(5.0), Just(7.5), 0.1..60.0_f64, Just(1e7), Just(1e-170), Just(1e150)];
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

//! For each point the better ones within a limit, listed in memory that is counted first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::self_join::PairVisitor;
use super::{Edge, LARGE, Tree, squared};
use crate::{Monitor, Result};

/// Points by place, the best first, and the better ones near each.
pub(crate) struct NearBetter {
    starts: Vec<u32>,
    /// A place, and below it the value of the pair's distance, in one word: 8 bytes a pair.
    pairs: Vec<u64>,
}

impl NearBetter {
    /// The places near one, and the values of their distances.
    pub fn of(&self, place: usize) -> impl Iterator<Item = (usize, u32)> {
        let range = self.starts[place] as usize..self.starts[place + 1] as usize;
        self.pairs[range].iter().map(|&pair| ((pair >> 32) as usize, pair as u32))
    }

    fn from_edges(edges: &[Edge], places: &[u32], value: impl Fn(f64) -> u32) -> Self {
        let places_of = |edge: &Edge| in_order(places[edge.a as usize], places[edge.b as usize]);
        let mut starts = vec![0; places.len() + 2];
        edges.iter().for_each(|edge| starts[places_of(edge).1 as usize + 2] += 1);
        running_sums(&mut starts);
        let mut pairs = vec![0; edges.len()];
        for edge in edges {
            let (better, worse) = places_of(edge);
            let next = &mut starts[worse as usize + 1];
            pairs[*next as usize] = word(better, value(edge.squared));
            *next += 1;
        }
        Self { starts, pairs }
    }
}

fn in_order(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}

fn word(better: u32, value: u32) -> u64 {
    u64::from(better) << 32 | u64::from(value)
}

/// Pairs are counted two places further on; then the start of each stands one further on, and advances to its end, the start of the next.
fn running_sums(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}

impl<const D: usize> Tree<D> {
    /// Lists the pairs whose squared distance is at most `limit`; `None` if there are more than `most`.
    ///
    /// `places`: returns that of each position; `value`: of a squared distance. The pairs of a large tree are counted first, then go to
    /// their places at once: a list that grew took several times the memory. For a small tree, which is in the cache, that takes twice as long.
    pub fn near_better(
        &self,
        limit: f64,
        most: usize,
        places: impl FnOnce() -> Vec<u32>,
        value: impl Fn(f64) -> u32 + Sync,
        monitor: &Monitor,
    ) -> Result<Option<NearBetter>> {
        if self.len() < LARGE {
            let edges = self.edges(limit, most, monitor)?;
            return Ok(edges.map(|edges| NearBetter::from_edges(&edges, &places(), value)));
        }
        let [[pairs]] = self.count_pairs::<1>(limit, |_| 0, monitor)?;
        if pairs > most.min(u32::MAX as usize) as u64 {
            return Ok(None);
        }
        let (tree, places) = (self, &places()[..]);
        let mut starts: Vec<AtomicU32> = std::iter::repeat_with(AtomicU32::default).take(self.len() + 2).collect();
        let count = |_better: u32, worse: u32, _squared: f64| _ = starts[worse as usize + 2].fetch_add(1, Relaxed);
        self.self_join(limit, &Each { tree, places, job: count }, monitor)?;
        let mut counts: Vec<u32> = starts.into_iter().map(AtomicU32::into_inner).collect();
        running_sums(&mut counts);
        starts = counts.into_iter().map(AtomicU32::new).collect();
        let listed: Vec<AtomicU64> = std::iter::repeat_with(AtomicU64::default).take(pairs as usize).collect();
        let list = |better: u32, worse: u32, squared: f64| {
            let at = starts[worse as usize + 1].fetch_add(1, Relaxed);
            listed[at as usize].store(word(better, value(squared)), Relaxed);
        };
        self.self_join(limit, &Each { tree, places, job: list }, monitor)?;
        let starts = starts.into_iter().map(AtomicU32::into_inner).collect();
        Ok(Some(NearBetter { starts, pairs: listed.into_iter().map(AtomicU64::into_inner).collect() }))
    }
}

/// Calls `job` with the places of each pair, the better one first, and its squared distance.
struct Each<'a, J, const D: usize> {
    tree: &'a Tree<D>,
    places: &'a [u32],
    job: J,
}

impl<J: Fn(u32, u32, f64), const D: usize> Each<'_, J, D> {
    fn all(&self, ones: std::ops::Range<usize>, others: impl Fn(usize) -> std::ops::Range<usize>) {
        for a in ones {
            others(a).for_each(|b| self.one(a, b, squared(self.tree.point(a), self.tree.point(b))));
        }
    }

    #[inline]
    fn one(&self, a: usize, b: usize, squared: f64) {
        let (better, worse) = in_order(self.places[a], self.places[b]);
        (self.job)(better, worse, squared);
    }
}

impl<J: Fn(u32, u32, f64) + Sync, const D: usize> PairVisitor<D> for Each<'_, J, D> {
    type Found = ();

    fn merge(&self, (): &mut (), (): ()) {}

    fn within(&self, node: usize, (): &mut ()) {
        let range = self.tree.nodes[node].range();
        self.all(range.clone(), |a| a + 1..range.end);
    }

    fn across(&self, a: usize, b: usize, (): &mut ()) {
        self.all(self.tree.nodes[a].range(), |_| self.tree.nodes[b].range());
    }

    fn beside(&self, position: usize, node: usize, (): &mut ()) {
        self.all(position..position + 1, |_| self.tree.nodes[node].range());
    }

    #[inline]
    fn pair(&self, a: usize, b: usize, squared: f64, (): &mut ()) {
        self.one(a, b, squared);
    }
}

//! For each point the better ones within a limit, listed in memory that is counted first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::join::Pairs;
use super::{Tree, squared};
use crate::{Monitor, Result};

/// Points by place, the best first, and the better ones near each.
pub(crate) struct NearBetter {
    starts: Vec<AtomicU32>,
    /// A place, and below it the value of the pair's distance, in one word: 8 bytes a pair.
    pairs: Vec<AtomicU64>,
}

impl NearBetter {
    /// The places near one, and the values of their distances.
    pub fn of(&self, place: usize) -> impl Iterator<Item = (usize, u32)> {
        let start = |place: usize| self.starts[place].load(Relaxed) as usize;
        self.pairs[start(place)..start(place + 1)].iter().map(|pair| {
            let pair = pair.load(Relaxed);
            ((pair >> 32) as usize, pair as u32)
        })
    }
}

impl<const D: usize> Tree<D> {
    /// Lists the pairs whose squared distance is at most `limit`; `places`: of each position; `value`: of a squared distance.
    /// There must be fewer than 2^32.
    pub fn near_better(&self, limit: f64, places: &[u32], value: impl Fn(f64) -> u32 + Sync, monitor: &Monitor) -> Result<NearBetter> {
        let starts: Vec<AtomicU32> = std::iter::repeat_with(AtomicU32::default).take(self.len() + 2).collect();
        // Counted two places further on; then the start of each stands one further on, and advances to its end, the start of the next.
        let count = |_better: u32, worse: u32, _squared: f64| _ = starts[worse as usize + 2].fetch_add(1, Relaxed);
        self.join(limit, &Each { tree: self, places, job: count }, monitor)?;
        let mut before = 0;
        for start in &starts {
            before += start.load(Relaxed);
            start.store(before, Relaxed);
        }
        let pairs: Vec<AtomicU64> = std::iter::repeat_with(AtomicU64::default).take(before as usize).collect();
        let list = |better: u32, worse: u32, squared: f64| {
            let at = starts[worse as usize + 1].fetch_add(1, Relaxed);
            pairs[at as usize].store(u64::from(better) << 32 | u64::from(value(squared)), Relaxed);
        };
        self.join(limit, &Each { tree: self, places, job: list }, monitor)?;
        Ok(NearBetter { starts, pairs })
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
        let (a, b) = (self.places[a], self.places[b]);
        (self.job)(a.min(b), a.max(b), squared);
    }
}

impl<J: Fn(u32, u32, f64) + Sync, const D: usize> Pairs<D> for Each<'_, J, D> {
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

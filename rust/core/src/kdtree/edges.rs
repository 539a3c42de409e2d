//! A list of all pairs within a limit, unless there are too many.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::self_join::PairVisitor;
use super::{Tree, squared};
use crate::{Monitor, Result};

/// Two positions, and the square of their distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub a: u32,
    pub b: u32,
    pub squared: f64,
}

struct Listing<'a, const D: usize> {
    tree: &'a Tree<D>,
    most: usize,
    too_many: AtomicBool,
}

impl<const D: usize> Tree<D> {
    /// All pairs whose squared distance is at most `limit`; `None` if there are more than `most`.
    pub fn edges(&self, limit: f64, most: usize, monitor: &Monitor) -> Result<Option<Vec<Edge>>> {
        let listing = Listing { tree: self, most, too_many: AtomicBool::new(false) };
        let edges = self.self_join(limit, &listing, monitor)?;
        Ok((edges.len() <= most && !listing.too_many.into_inner()).then_some(edges))
    }
}

impl<const D: usize> Listing<'_, D> {
    fn is_more(&self, pairs: usize) -> bool {
        let is_more = pairs > self.most;
        if is_more {
            self.too_many.store(true, Relaxed);
        }
        is_more
    }

    /// Lists all pairs of a position in one range and a position in another.
    fn list(&self, ones: std::ops::Range<usize>, others: impl Fn(usize) -> std::ops::Range<usize>, edges: &mut Vec<Edge>) {
        for a in ones {
            for b in others(a) {
                self.pair(a, b, squared(self.tree.point(a), self.tree.point(b)), edges);
            }
        }
    }
}

impl<const D: usize> PairVisitor<D> for Listing<'_, D> {
    type Found = Vec<Edge>;

    fn merge(&self, found: &mut Vec<Edge>, mut other: Vec<Edge>) {
        if !self.is_more(found.len() + other.len()) {
            found.append(&mut other);
        }
    }

    fn is_known(&self, _a: usize, _b: usize) -> bool {
        self.too_many.load(Relaxed)
    }

    fn within(&self, node: usize, edges: &mut Vec<Edge>) {
        let range = self.tree.nodes[node].range();
        if self.is_more(edges.len() + range.len() * (range.len() - 1) / 2) {
            return;
        }
        self.list(range.clone(), |a| a + 1..range.end, edges);
    }

    fn across(&self, a: usize, b: usize, edges: &mut Vec<Edge>) {
        let (one, other) = (self.tree.nodes[a].range(), self.tree.nodes[b].range());
        if !self.is_more(edges.len() + one.len() * other.len()) {
            self.list(one, |_| other.clone(), edges);
        }
    }

    fn beside(&self, position: usize, node: usize, edges: &mut Vec<Edge>) {
        let range = self.tree.nodes[node].range();
        if !self.is_more(edges.len() + range.len()) {
            self.list(position..position + 1, |_| range.clone(), edges);
        }
    }

    #[inline]
    fn pair(&self, a: usize, b: usize, squared: f64, edges: &mut Vec<Edge>) {
        if !self.is_more(edges.len() + 1) {
            edges.push(Edge { a: a as u32, b: b as u32, squared });
        }
    }
}

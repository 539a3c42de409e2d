//! A list of all pairs within a limit, if they are not too many.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::join::Pairs;
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
    /// All pairs whose squared distance is at most `limit`; none if there are more than `most`.
    pub fn edges(&self, limit: f64, most: usize, monitor: &Monitor) -> Result<Option<Vec<Edge>>> {
        let listing = Listing { tree: self, most, too_many: AtomicBool::new(false) };
        let edges = self.join(limit, &listing, monitor)?;
        Ok((edges.len() <= most && !listing.too_many.into_inner()).then_some(edges))
    }
}

impl<const D: usize> Listing<'_, D> {
    /// Lists all pairs of some positions and others.
    fn list(&self, ones: std::ops::Range<usize>, others: impl Fn(usize) -> std::ops::Range<usize>, edges: &mut Vec<Edge>) {
        for a in ones {
            if self.too_many.load(Relaxed) {
                return;
            }
            for b in others(a) {
                self.pair(a, b, squared(self.tree.point(a), self.tree.point(b)), edges);
            }
        }
    }
}

impl<const D: usize> Pairs<D> for Listing<'_, D> {
    type Found = Vec<Edge>;

    fn merge(&self, found: &mut Vec<Edge>, mut other: Vec<Edge>) {
        if found.len() + other.len() > self.most {
            self.too_many.store(true, Relaxed);
        } else {
            found.append(&mut other);
        }
    }

    fn is_known(&self, _a: usize, _b: usize) -> bool {
        self.too_many.load(Relaxed)
    }

    fn within(&self, node: usize, edges: &mut Vec<Edge>) {
        let range = self.tree.nodes[node].range();
        self.list(range.clone(), |a| a + 1..range.end, edges);
    }

    fn across(&self, a: usize, b: usize, edges: &mut Vec<Edge>) {
        self.list(self.tree.nodes[a].range(), |_| self.tree.nodes[b].range(), edges);
    }

    fn beside(&self, position: usize, node: usize, edges: &mut Vec<Edge>) {
        self.list(position..position + 1, |_| self.tree.nodes[node].range(), edges);
    }

    #[inline]
    fn pair(&self, a: usize, b: usize, squared: f64, edges: &mut Vec<Edge>) {
        if edges.len() > self.most {
            self.too_many.store(true, Relaxed);
            return;
        }
        edges.push(Edge { a: a as u32, b: b as u32, squared });
    }
}

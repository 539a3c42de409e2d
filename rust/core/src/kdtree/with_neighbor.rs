//! Points with another one within a limit.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::self_join::PairVisitor;
use super::{Node, Tree};
use crate::{Monitor, Result};

/// Marks, which are never cleared; a mark on a node means that all its points are marked.
struct WithNeighbor<'a, const D: usize> {
    tree: &'a Tree<D>,
    points: Vec<AtomicBool>,
    nodes: Vec<AtomicBool>,
}

fn unset(n: usize) -> Vec<AtomicBool> {
    std::iter::repeat_with(AtomicBool::default).take(n).collect()
}

impl<const D: usize> Tree<D> {
    /// The positions, ascending, of all points that have another one at a squared distance of at most `limit`.
    pub fn with_neighbor(&self, limit: f64, monitor: &Monitor) -> Result<Vec<u32>> {
        let marks = WithNeighbor { tree: self, points: unset(self.len()), nodes: unset(self.nodes.len()) };
        self.self_join(limit, &marks, monitor)?;
        let is_marked = |&position: &u32| marks.points[position as usize].load(Relaxed);
        Ok((0..self.len() as u32).filter(is_marked).collect())
    }
}

impl<const D: usize> WithNeighbor<'_, D> {
    fn is_done(&self, node: usize) -> bool {
        self.nodes[node].load(Relaxed)
    }

    fn mark_all(&self, at: usize) {
        if !self.is_done(at) {
            self.points[self.node(at).range()].iter().for_each(|mark| mark.store(true, Relaxed));
            self.nodes[at].store(true, Relaxed);
        }
    }

    fn node(&self, at: usize) -> &Node<D> {
        &self.tree.nodes[at]
    }
}

impl<const D: usize> PairVisitor<D> for WithNeighbor<'_, D> {
    type Found = ();

    fn merge(&self, (): &mut (), (): ()) {}

    fn is_known(&self, a: usize, b: usize) -> bool {
        self.is_done(a) && self.is_done(b)
    }

    fn within(&self, node: usize, (): &mut ()) {
        self.mark_all(node);
    }

    fn across(&self, a: usize, b: usize, (): &mut ()) {
        self.mark_all(a);
        self.mark_all(b);
    }

    fn beside(&self, position: usize, node: usize, (): &mut ()) {
        self.points[position].store(true, Relaxed);
        self.mark_all(node);
    }

    fn pair(&self, a: usize, b: usize, _squared: f64, (): &mut ()) {
        self.points[a].store(true, Relaxed);
        self.points[b].store(true, Relaxed);
    }

    fn descend(&self, node: usize, left: usize, right: usize) {
        if self.is_done(node) {
            self.nodes[left].store(true, Relaxed);
            self.nodes[right].store(true, Relaxed);
        }
    }

    fn ascend(&self, at: usize) {
        let node = self.node(at);
        let done = if node.is_leaf() {
            self.points[node.range()].iter().all(|mark| mark.load(Relaxed))
        } else {
            let (left, right) = self.tree.children(at);
            self.is_done(left) && self.is_done(right)
        };
        if done {
            self.nodes[at].store(true, Relaxed);
        }
    }
}

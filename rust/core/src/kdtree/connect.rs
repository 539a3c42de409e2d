//! Sets of points connected by steps within a limit.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Tree;
use super::self_join::PairVisitor;
use crate::union_find::UnionFind;
use crate::{Monitor, Result};

struct Connecting<'a, const D: usize> {
    tree: &'a Tree<D>,
    sets: UnionFind,
    /// Whether all points of a node are known to be connected.
    is_one: Vec<AtomicBool>,
}

impl<const D: usize> Tree<D> {
    /// The sets of positions that are connected by steps whose squared length is at most `limit`.
    pub fn connect(&self, limit: f64, monitor: &Monitor) -> Result<UnionFind> {
        let is_one = self.nodes.iter().map(|node| AtomicBool::new(node.len() == 1)).collect();
        let connecting = Connecting { tree: self, sets: UnionFind::new(self.len()), is_one };
        self.self_join(limit, &connecting, monitor)?;
        Ok(connecting.sets)
    }
}

impl<const D: usize> Connecting<'_, D> {
    fn is_one(&self, node: usize) -> bool {
        self.is_one[node].load(Relaxed)
    }

    fn first(&self, node: usize) -> u32 {
        self.tree.nodes[node].start
    }

    fn connect(&self, node: usize) {
        if !self.is_one(node) {
            let range = self.tree.nodes[node].range();
            range.clone().skip(1).for_each(|position| self.sets.unite(range.start as u32, position as u32));
            self.is_one[node].store(true, Relaxed);
        }
    }

    fn are_connected(&self, a: usize, b: usize) -> bool {
        self.is_one(a) && self.is_one(b) && (a == b || self.sets.root(self.first(a)) == self.sets.root(self.first(b)))
    }
}

impl<const D: usize> PairVisitor<D> for Connecting<'_, D> {
    type Found = ();

    fn merge(&self, (): &mut (), (): ()) {}

    fn is_known(&self, a: usize, b: usize) -> bool {
        self.are_connected(a, b)
    }

    fn within(&self, node: usize, (): &mut ()) {
        self.connect(node);
    }

    fn across(&self, a: usize, b: usize, (): &mut ()) {
        self.connect(a);
        self.connect(b);
        self.sets.unite(self.first(a), self.first(b));
    }

    fn beside(&self, position: usize, node: usize, (): &mut ()) {
        self.connect(node);
        self.sets.unite(position as u32, self.first(node));
    }

    fn pair(&self, a: usize, b: usize, _squared: f64, (): &mut ()) {
        self.sets.unite(a as u32, b as u32);
    }

    fn descend(&self, node: usize, left: usize, right: usize) {
        if self.is_one(node) {
            self.is_one[left].store(true, Relaxed);
            self.is_one[right].store(true, Relaxed);
        }
    }

    fn ascend(&self, at: usize) {
        let node = &self.tree.nodes[at];
        let is_one = if node.is_leaf() {
            let root = self.sets.root(node.start);
            node.range().all(|position| self.sets.root(position as u32) == root)
        } else {
            let (left, right) = self.tree.children(at);
            self.are_connected(left, right)
        };
        if is_one {
            self.is_one[at].store(true, Relaxed);
        }
    }
}

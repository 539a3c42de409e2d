//! All pairs of points within a limit, found by walking down two branches of the tree at a time.

use super::{Node, Tree, squared};
use crate::{Monitor, Result};

/// Branches with more points are searched by several threads, which check for an interrupt.
const BRANCH: usize = 2048;

/// Visits the pairs; each is reported once, by itself or as one of many.
pub(super) trait PairVisitor<const D: usize>: Sync {
    /// The findings of one thread.
    type Found: Default + Send;

    /// Adds what another thread has collected.
    fn merge(&self, found: &mut Self::Found, other: Self::Found);

    /// Whether the pairs within a node, or between two, are no longer needed.
    fn is_known(&self, _a: usize, _b: usize) -> bool {
        false
    }

    /// Called if all pairs within a node are within the limit.
    fn within(&self, node: usize, found: &mut Self::Found);

    /// Called if all pairs of a point of one node and a point of another are within the limit.
    fn across(&self, a: usize, b: usize, found: &mut Self::Found);

    /// Called if a point is within the limit of all points of a node.
    fn beside(&self, position: usize, node: usize, found: &mut Self::Found);

    /// Treats two nodes without visiting their pairs one by one; if it does not (false), they are split.
    fn at_once(&self, _a: usize, _b: usize, _found: &mut Self::Found) -> bool {
        false
    }

    /// Called for a single pair, with its squared distance.
    fn pair(&self, a: usize, b: usize, squared: f64, found: &mut Self::Found);

    /// Called before the children of a node are visited.
    fn descend(&self, _node: usize, _left: usize, _right: usize) {}

    /// Called after something was found below a node.
    fn ascend(&self, _node: usize) {}
}

struct Walk<'a, P, const D: usize> {
    tree: &'a Tree<D>,
    visitor: &'a P,
    limit: f64,
    monitor: &'a Monitor,
}

impl<const D: usize> Tree<D> {
    /// Calls `visitor` with all pairs whose squared distance is at most `limit`.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub(super) fn self_join<P: PairVisitor<D>>(&self, limit: f64, visitor: &P, monitor: &Monitor) -> Result<P::Found> {
        let mut found = P::Found::default();
        if !self.nodes.is_empty() {
            Walk { tree: self, visitor, limit, monitor }.inside(0, &mut found);
        }
        monitor.advance(0)?;
        Ok(found)
    }
}

impl<P: PairVisitor<D>, const D: usize> Walk<'_, P, D> {
    #[inline]
    fn node(&self, node: usize) -> &Node<D> {
        &self.tree.nodes[node]
    }

    fn inside(&self, at: usize, found: &mut P::Found) {
        let node = self.node(at);
        if node.len() < 2 || self.visitor.is_known(at, at) {
            return;
        }
        if node.bounds.diagonal() <= self.limit {
            self.visitor.within(at, found);
            return;
        }
        if node.is_leaf() {
            self.leaf(node, found);
        } else {
            let (left, right) = self.tree.children(at);
            self.visitor.descend(at, left, right);
            if node.len() > BRANCH {
                self.both(found, |found| self.inside(left, found), |found| self.inside(right, found));
            } else {
                self.inside(left, found);
                self.inside(right, found);
            }
            if self.are_near(left, right) {
                self.between(left, right, found);
            }
        }
        self.visitor.ascend(at);
    }

    /// Checked before a pair of nodes is searched: most pairs are not close, and need no call.
    #[inline]
    fn are_near(&self, a: usize, b: usize) -> bool {
        self.node(a).bounds.nearest(&self.node(b).bounds) <= self.limit
    }

    fn both(&self, found: &mut P::Found, one: impl FnOnce(&mut P::Found) + Send, other: impl FnOnce(&mut P::Found) + Send) {
        if self.monitor.advance(0).is_err() {
            return;
        }
        let of_other = rayon::join(
            || one(found),
            || {
                let mut found = P::Found::default();
                other(&mut found);
                found
            },
        )
        .1;
        self.visitor.merge(found, of_other);
    }

    fn between(&self, a: usize, b: usize, found: &mut P::Found) {
        let (one, other) = (self.node(a), self.node(b));
        if self.visitor.is_known(a, b) {
            return;
        }
        if one.bounds.farthest(&other.bounds) <= self.limit {
            self.visitor.across(a, b, found);
            return;
        }
        if self.visitor.at_once(a, b, found) {
            return;
        }
        match (one.is_leaf(), other.is_leaf()) {
            (true, true) => {
                self.leaves(a, b, found);
                self.visitor.ascend(a);
                self.visitor.ascend(b);
            }
            // The larger box is split: a small one with many points may be close to all of a large one, or to nothing in it.
            (false, false) if one.bounds.diagonal() < other.bounds.diagonal() => self.split(b, a, found),
            (true, false) => self.split(b, a, found),
            _ => self.split(a, b, found),
        }
    }

    fn split(&self, a: usize, b: usize, found: &mut P::Found) {
        let (left, right) = self.tree.children(a);
        self.visitor.descend(a, left, right);
        match (self.are_near(left, b), self.are_near(right, b)) {
            (true, true) if self.node(a).len() + self.node(b).len() > 2 * BRANCH => {
                self.both(found, |found| self.between(left, b, found), |found| self.between(right, b, found));
            }
            (to_left, to_right) => {
                if to_left {
                    self.between(left, b, found);
                }
                if to_right {
                    self.between(right, b, found);
                }
            }
        }
        self.visitor.ascend(a);
    }

    fn leaf(&self, node: &Node<D>, found: &mut P::Found) {
        for a in node.range() {
            for b in a + 1..node.range().end {
                self.points(a, b, found);
            }
        }
    }

    fn leaves(&self, a: usize, b: usize, found: &mut P::Found) {
        let (a, b) = if self.node(a).is_repeated() { (b, a) } else { (a, b) };
        let (one, other) = (self.node(a), self.node(b));
        for position in one.range() {
            let point = self.tree.point(position);
            if other.bounds.nearest_to(point) > self.limit {
                continue;
            }
            if other.is_repeated() {
                self.visitor.beside(position, b, found);
            } else {
                other.range().for_each(|other| self.points(position, other, found));
            }
        }
    }

    #[inline]
    fn points(&self, a: usize, b: usize, found: &mut P::Found) {
        let squared = squared(self.tree.point(a), self.tree.point(b));
        if squared <= self.limit {
            self.visitor.pair(a, b, squared, found);
        }
    }
}

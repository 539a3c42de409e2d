//! Points within a limit of a point, or of a box.

use super::{Bounds, Tree};

/// Visits the points within a limit of a place, by themselves or a whole node at once.
pub(crate) trait BallVisitor {
    /// Whether a node can be skipped.
    fn skips(&self, _node: usize) -> bool {
        false
    }

    /// Called if all points of a node are within the limit.
    fn whole(&mut self, node: usize);

    /// Called for a single point within the limit.
    fn point(&mut self, position: usize);

    /// Called after a node and its children were visited.
    fn ascend(&mut self, _node: usize) {}
}

impl<const D: usize> Tree<D> {
    /// Calls `visitor` with all nodes and points whose squared distance from `centre` is at most `limit`.
    pub fn around(&self, centre: &Bounds<D>, limit: f64, visitor: &mut impl BallVisitor) {
        if !self.nodes.is_empty() && !visitor.skips(0) && self.nodes[0].bounds.nearest(centre) <= limit {
            self.around_below(0, centre, limit, visitor);
        }
    }

    fn around_below(&self, at: usize, centre: &Bounds<D>, limit: f64, visitor: &mut impl BallVisitor) {
        let node = &self.nodes[at];
        if node.bounds.farthest(centre) <= limit {
            visitor.whole(at);
        } else if node.is_leaf() {
            node.range()
                .filter(|&position| centre.nearest_to(&self.points[position]) <= limit)
                .for_each(|position| visitor.point(position));
        } else {
            let (left, right) = self.children(at);
            for child in [left, right] {
                if self.nodes[child].bounds.nearest(centre) <= limit && !visitor.skips(child) {
                    self.around_below(child, centre, limit, visitor);
                }
            }
        }
        visitor.ascend(at);
    }

    /// The children of a node; `None` for a leaf.
    pub fn below(&self, node: usize) -> Option<(usize, usize)> {
        (!self.nodes[node].is_leaf()).then(|| self.children(node))
    }
}

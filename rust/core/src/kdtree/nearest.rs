//! The nearest other point.

use super::{Tree, squared};

/// The best so far.
struct Search<'a, K, R, const D: usize> {
    tree: &'a Tree<D>,
    position: usize,
    limit: f64,
    rank: R,
    found: Option<(f64, K, usize)>,
}

impl<const D: usize> Tree<D> {
    /// Squared distance and position of the nearest point other than that at `position`, if the squared distance is at most `limit`; of
    /// several, the one of the lowest rank. Of points that are equal to many others ([`Tree::sort_repeated`]) only the first two count.
    pub fn nearest<K: Ord>(&self, position: usize, limit: f64, rank: impl Fn(usize) -> K) -> Option<(f64, usize)> {
        let mut search = Search { tree: self, position, limit, rank, found: None };
        search.below(0, 0.0);
        search.found.map(|(squared, _, position)| (squared, position))
    }
}

impl<K: Ord, R: Fn(usize) -> K, const D: usize> Search<'_, K, R, D> {
    fn below(&mut self, at: usize, distance: f64) {
        if distance > self.limit {
            return;
        }
        let node = &self.tree.nodes[at];
        if node.is_leaf() {
            let end = if node.is_repeated() { node.range().start + 2 } else { node.range().end };
            (node.range().start..end).for_each(|position| self.look_at(position));
            return;
        }
        let point = self.tree.point(self.position);
        let (left, right) = self.tree.children(at);
        let [to_left, to_right] = [left, right].map(|child| self.tree.nodes[child].bounds.nearest_to(point));
        // If both boxes contain the point, as at their borders, the one that it belongs to is searched first.
        if to_left < to_right || (to_left <= to_right && self.tree.nodes[left].range().contains(&self.position)) {
            self.below(left, to_left);
            self.below(right, to_right);
        } else {
            self.below(right, to_right);
            self.below(left, to_left);
        }
    }

    #[inline]
    fn look_at(&mut self, position: usize) {
        if position == self.position {
            return;
        }
        let squared = squared(self.tree.point(self.position), self.tree.point(position));
        if squared > self.limit {
            return;
        }
        let rank = (self.rank)(position);
        if self.found.as_ref().is_none_or(|(nearest, best, _)| squared < *nearest || rank < *best) {
            self.limit = squared;
            self.found = Some((squared, rank, position));
        }
    }
}

//! A k-d tree for all searches by distance: which points have a neighbour, which one is the nearest, how many pairs there are, and which
//! points are connected.
//!
//! A node is split at the middle of its longest side, and its box is then shrunk to its points. Splits at the middle keep boxes
//! compact, so that only a limited number of a given size fit around one of them: this bounds every search, for any arrangement of points.
//! (Only the number of all pairs takes more where many lie about the limit apart, at the border of the ball that it makes: see `count`.)
//! (Median splits do not, and take 55 ns per point to build instead of 8.) The tree does not depend on a separation: one tree serves any
//! number of them.
//!
//! Boxes and points are compared by the same arithmetic, in f64 and without fused multiply-add. Rounding is monotonic, so the
//! limits found for two boxes hold for every pair of their points, without any margin.

mod ball;
mod bounds;
mod build;
mod colors_near;
mod connect;
mod count;
mod distance;
mod edges;
mod large;
mod near_better;
mod nearest;
mod self_join;
mod slabs;
mod splits;
#[cfg(test)]
mod tests;
mod with_neighbor;

use std::ops::Range;

pub(crate) use ball::BallVisitor;
pub(crate) use bounds::Bounds;
pub(crate) use build::Builder;
pub(crate) use distance::squared;
pub(crate) use edges::Edge;
pub(crate) use near_better::NearBetter;

/// Maximum number of points in a leaf, unless all are equal. 16 were not faster.
pub(crate) const LEAF: usize = 8;

/// The tree of a group of fewer points is built and searched by one thread; that of a larger one by all, unless there are many such groups.
pub(crate) const LARGE: usize = 50_000;

/// A box and the points in it: a leaf, or two further nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Node<const D: usize> {
    pub bounds: Bounds<D>,
    start: u32,
    end: u32,
    /// The distance to the right child, in nodes; the left one is the next node. 0: a leaf.
    right: u32,
}

impl<const D: usize> Node<D> {
    /// The positions of its points.
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub fn is_leaf(&self) -> bool {
        self.right == 0
    }

    /// Whether it is a leaf with more than [`LEAF`] points, which are all equal.
    #[inline]
    pub fn is_repeated(&self) -> bool {
        self.right == 0 && self.len() > LEAF
    }
}

/// The tree over some points, in an order of its own: searches return positions in that order.
#[derive(Debug, Default)]
pub(crate) struct Tree<const D: usize> {
    points: Vec<[f64; D]>,
    ids: Vec<u32>,
    /// In preorder, the root first; empty if there are no points.
    nodes: Vec<Node<D>>,
    /// Whether all threads work on it, not one of them.
    is_shared: bool,
}

impl<const D: usize> Tree<D> {
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub fn nodes(&self) -> &[Node<D>] {
        &self.nodes
    }

    #[inline]
    pub fn point(&self, position: usize) -> &[f64; D] {
        &self.points[position]
    }

    /// The number that was given to the point at a position when the tree was built.
    #[inline]
    pub fn id(&self, position: usize) -> u32 {
        self.ids[position]
    }

    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The children of a node that is not a leaf.
    #[inline]
    fn children(&self, node: usize) -> (usize, usize) {
        (node + 1, node + self.nodes[node].right as usize)
    }

    /// Sorts the points within leaves of equal points by key, the lowest first.
    pub fn sort_repeated<K: Ord>(&mut self, key: impl Fn(u32) -> K) {
        for node in self.nodes.iter().filter(|node| node.is_repeated()) {
            self.ids[node.range()].sort_unstable_by_key(|&id| key(id));
        }
    }
}

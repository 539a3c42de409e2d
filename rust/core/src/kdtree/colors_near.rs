//! The colours within a limit of each point. Sets of colours are the bits of one word.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::self_join::PairVisitor;
use super::{Node, Tree};
use crate::{Monitor, Result};

/// The colours found so far.
struct ColorsNear<'a, C, const D: usize> {
    tree: &'a Tree<D>,
    /// The colour of the point at a position, if any.
    colour: C,
    /// The colours of a node's points, and those that at least two of them have.
    present: Vec<(u64, u64)>,
    points: Vec<AtomicU64>,
    /// The colours found for all points of a node; passed on to its children when it is next visited.
    nodes: Vec<AtomicU64>,
}

impl<const D: usize> Tree<D> {
    /// For each position the colours of other points whose squared distance is at most `limit`.
    pub fn colors_near<C: Fn(usize) -> u64 + Sync>(&self, limit: f64, colour: C, monitor: &Monitor) -> Result<Vec<u64>> {
        let zeros = |n: usize| std::iter::repeat_with(AtomicU64::default).take(n).collect::<Vec<_>>();
        let present = self.gather(
            (0, 0),
            |position, (once, twice)| (once | colour(position), twice | once & colour(position)),
            |a, b| (a.0 | b.0, a.1 | b.1 | a.0 & b.0),
        );
        let met = ColorsNear { tree: self, colour, present, points: zeros(self.len()), nodes: zeros(self.nodes.len()) };
        self.self_join(limit, &met, monitor)?;
        for at in 0..self.nodes.len() {
            match self.below(at) {
                Some((left, right)) => met.descend(at, left, right),
                None => met.node(at).range().for_each(|position| met.add(position, met.nodes[at].load(Relaxed))),
            }
        }
        Ok(met.points.into_iter().map(AtomicU64::into_inner).collect())
    }

    /// A value for each node, from those of its points or its children.
    pub(super) fn gather<T: Copy>(&self, none: T, point: impl Fn(usize, T) -> T, merge: impl Fn(T, T) -> T) -> Vec<T> {
        let mut values = vec![none; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            values[at] = if node.is_leaf() {
                node.range().fold(none, |value, position| point(position, value))
            } else {
                let (left, right) = self.children(at);
                merge(values[left], values[right])
            };
        }
        values
    }
}

impl<C: Fn(usize) -> u64, const D: usize> ColorsNear<'_, C, D> {
    #[inline]
    fn add(&self, position: usize, colours: u64) {
        if colours & !self.points[position].load(Relaxed) != 0 {
            self.points[position].fetch_or(colours, Relaxed);
        }
    }

    #[inline]
    fn add_all(&self, node: usize, colours: u64) {
        if colours & !self.nodes[node].load(Relaxed) != 0 {
            self.nodes[node].fetch_or(colours, Relaxed);
        }
    }

    fn node(&self, at: usize) -> &Node<D> {
        &self.tree.nodes[at]
    }

    /// Whether the colours of node `b` were already found for all points of node `a`.
    fn has_met(&self, a: usize, b: usize) -> bool {
        self.present[b].0 & !self.nodes[a].load(Relaxed) == 0
    }
}

impl<C: Fn(usize) -> u64 + Sync, const D: usize> PairVisitor<D> for ColorsNear<'_, C, D> {
    type Found = ();

    fn merge(&self, (): &mut (), (): ()) {}

    fn is_known(&self, a: usize, b: usize) -> bool {
        self.has_met(a, b) && self.has_met(b, a)
    }

    fn within(&self, at: usize, (): &mut ()) {
        let (once, twice) = self.present[at];
        if once == twice {
            self.add_all(at, once);
        } else {
            self.add_all(at, twice);
            self.node(at).range().for_each(|position| self.add(position, once & !(self.colour)(position)));
        }
    }

    fn across(&self, a: usize, b: usize, (): &mut ()) {
        self.add_all(a, self.present[b].0);
        self.add_all(b, self.present[a].0);
    }

    fn beside(&self, position: usize, node: usize, (): &mut ()) {
        self.add(position, self.present[node].0);
        self.add_all(node, (self.colour)(position));
    }

    fn pair(&self, a: usize, b: usize, _squared: f64, (): &mut ()) {
        self.add(a, (self.colour)(b));
        self.add(b, (self.colour)(a));
    }

    fn descend(&self, node: usize, left: usize, right: usize) {
        let of_all = self.nodes[node].load(Relaxed);
        self.add_all(left, of_all);
        self.add_all(right, of_all);
    }

    fn ascend(&self, at: usize) {
        let node = self.node(at);
        let of_all = if node.is_leaf() {
            if node.is_repeated() {
                return;
            }
            node.range().fold(u64::MAX, |of_all, position| of_all & self.points[position].load(Relaxed))
        } else {
            let (left, right) = self.tree.children(at);
            self.nodes[left].load(Relaxed) & self.nodes[right].load(Relaxed)
        };
        self.add_all(at, of_all);
    }
}

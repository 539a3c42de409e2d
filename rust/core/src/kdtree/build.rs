//! Building a tree in one thread.
//!
//! The splits of several levels are made at once by counting the points of each cell of a grid and moving every point once. Tried before:
//! median splits (55 to 63 ns per point), sorting by Morton keys (16).

use super::splits::Splits;
use super::{Bounds, LEAF, Node, Tree};

/// Buffers for building trees, reused from one tree to the next.
#[derive(Debug, Default)]
pub(crate) struct Builder<const D: usize> {
    tree: Tree<D>,
    workshop: Workshop<D>,
}

/// Buffers for moving points.
#[derive(Debug, Default)]
pub(super) struct Workshop<const D: usize> {
    splits: Splits<D>,
    cells: Vec<u16>,
    /// First positions of the cells of the current grids, the coarsest first.
    starts: Vec<u32>,
    points: Vec<[f64; D]>,
    ids: Vec<u32>,
}

/// Points and their numbers, which are reordered, and the nodes above them.
pub(super) struct Part<'a, const D: usize> {
    pub points: &'a mut [[f64; D]],
    pub ids: &'a mut [u32],
    pub nodes: &'a mut Vec<Node<D>>,
    /// The position in the whole tree of the first of these points.
    pub offset: u32,
}

impl<const D: usize> Builder<D> {
    /// A tree over some points, each with its number.
    pub fn build(&mut self, points: impl Iterator<Item = ([f64; D], u32)>) -> &mut Tree<D> {
        let Tree { points: all, ids, nodes, .. } = &mut self.tree;
        all.clear();
        ids.clear();
        nodes.clear();
        for (point, id) in points {
            all.push(point);
            ids.push(id);
        }
        if !all.is_empty() {
            let n = all.len() as u32;
            self.workshop.split(&mut Part { points: all, ids, nodes, offset: 0 }, 0, n);
        }
        &mut self.tree
    }

    pub fn into_tree(self) -> Tree<D> {
        self.tree
    }
}

impl<const D: usize> Workshop<D> {
    /// Reorders the points from `start` to `end`, and adds the nodes above them.
    pub fn split(&mut self, part: &mut Part<D>, start: u32, end: u32) {
        let bounds = Bounds::of(&part.points[start as usize..end as usize]);
        if (end - start) as usize <= LEAF || bounds.is_one_place() {
            part.leaf(bounds, start, end);
            return;
        }
        self.splits.lay(&bounds, (end - start) as usize);
        let (first, levels) = (self.starts.len(), self.splits.levels);
        self.distribute(part, start as usize, end as usize);
        self.grow(part, first, levels);
        self.starts.truncate(first);
    }

    /// Reorders the points by cell, and adds the first position of each cell, and the end of the last.
    fn distribute(&mut self, part: &mut Part<D>, start: usize, end: usize) {
        let (points, ids) = (&mut part.points[start..end], &mut part.ids[start..end]);
        self.points.clear();
        self.points.extend_from_slice(points);
        self.ids.clear();
        self.ids.extend_from_slice(ids);
        let first = self.starts.len();
        self.starts.resize(first + self.splits.cells() + 1, 0);
        let starts = &mut self.starts[first..];
        self.cells.clear();
        self.cells.extend(points.iter().map(|point| self.splits.cell(point)));
        for &cell in &self.cells {
            starts[cell as usize + 1] += 1;
        }
        // The number of points before each cell; as points are placed, it advances to the end of the cell, the start of the next one.
        let mut before = 0;
        for count in &mut starts[1..] {
            let of_this = *count;
            *count = before;
            before += of_this;
        }
        for ((&cell, point), &id) in self.cells.iter().zip(&self.points).zip(&self.ids) {
            let next = &mut starts[cell as usize + 1];
            points[*next as usize] = *point;
            ids[*next as usize] = id;
            *next += 1;
        }
        starts.iter_mut().for_each(|start_of| *start_of += start as u32);
    }

    /// Adds the nodes above 2^`levels` cells; their starts are stored from `first` on.
    fn grow(&mut self, part: &mut Part<D>, first: usize, levels: u32) {
        let (start, end) = (self.starts[first], self.starts[first + (1 << levels)]);
        if (end - start) as usize <= LEAF {
            part.leaf(Bounds::of(&part.points[start as usize..end as usize]), start, end);
            return;
        }
        if levels == 0 {
            self.split(part, start, end);
            return;
        }
        let half = first + (1 << (levels - 1));
        let middle = self.starts[half];
        if middle == start {
            return self.grow(part, half, levels - 1);
        }
        if middle == end {
            return self.grow(part, first, levels - 1);
        }
        let at = part.nodes.len();
        part.nodes.push(Node::default());
        self.grow(part, first, levels - 1);
        let right = part.nodes.len();
        self.grow(part, half, levels - 1);
        part.nodes[at] = Node::over(&part.nodes[at + 1], &part.nodes[right], right - at);
    }
}

impl<const D: usize> Part<'_, D> {
    fn leaf(&mut self, bounds: Bounds<D>, start: u32, end: u32) {
        self.nodes.push(Node { bounds, start: self.offset + start, end: self.offset + end, right: 0 });
    }
}

impl<const D: usize> Node<D> {
    /// The parent of two nodes; the second one is `right` nodes further on.
    pub(super) fn over(left: &Self, other: &Self, right: usize) -> Self {
        Self { bounds: left.bounds.union(&other.bounds), start: left.start, end: other.end, right: right as u32 }
    }
}

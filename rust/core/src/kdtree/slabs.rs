//! Counting the pairs of two small nodes that lie about the limit apart, without visiting each.
//!
//! Seen from a point far away, the border of what is within the limit is nearly flat. So the points of one node are laid into slabs across
//! the direction to the other: for each point of the other, all slabs before a certain one are within the limit, all behind a later one
//! are not, and only the points in between are asked. With m points a node this takes m steps instead of m², as long as the curvature
//! within a node leaves few in between: about n^(1/3) points a node in 2D and n^(1/4) in 3D, where all pairs of n points then take
//! n^(4/3) and n^(3/2). Pair by pair at the leaves it is n^(3/2) and n^(5/3): 50 s for a million points in a ball of about the limit.

#![allow(clippy::needless_range_loop, reason = "several arrays are indexed by the axis")]

use super::count::PairCounts;
use super::{Node, Tree, squared};

/// Nodes with fewer pairs are split; so are those with more points than this.
const MIN_PAIRS: usize = 512;
const MAX_POINTS: usize = 1024;
/// The squared limit is at least this many times the squared diagonals of the nodes.
const FLAT: f64 = 16.0;
/// If more points than these, for each point of the two nodes, are in between, the nodes are split.
const MAX_ASKED: usize = 16;
/// Share of the limit by which rounding can move a border: far more than it does.
const ROUNDING: f64 = 1e-12;
/// Keeps the farthest point in the last slab.
const BELOW_ONE: f64 = 1.0 - 1e-9;

/// The points of a node in slabs, and how many of each colour are in the slabs before each.
#[derive(Default)]
pub(super) struct Slabs<const C: usize, const D: usize> {
    centre: Point<D>,
    direction: Point<D>,
    /// The lowest place along the direction, from the centre, and slabs a unit.
    low: f64,
    scale: f64,
    /// The largest distance of a point from the line through the centre.
    radius: f64,
    along: Vec<f64>,
    points: Vec<([f64; D], u8)>,
    starts: Vec<u32>,
    before: Vec<[u32; C]>,
}

struct Point<const D: usize>([f64; D]);

impl<const D: usize> Default for Point<D> {
    fn default() -> Self {
        Self([0.0; D])
    }
}

impl<const C: usize, const D: usize> Slabs<C, D> {
    /// Adds the pairs of two nodes to `counts`, and returns true, if that is faster than splitting them.
    pub fn count(&mut self, tree: &Tree<D>, colours: &[u8], limit: f64, (a, b): (usize, usize), counts: &mut PairCounts<C>) -> bool {
        let (mut one, mut other) = (&tree.nodes[a], &tree.nodes[b]);
        if one.bounds.diagonal() < other.bounds.diagonal() {
            std::mem::swap(&mut one, &mut other);
        }
        let is_small = one.len() * other.len() >= MIN_PAIRS && one.len().max(other.len()) <= MAX_POINTS;
        if !is_small || one.bounds.diagonal() * FLAT > limit || !self.face(one, other) {
            return false;
        }
        self.fill(tree, colours, other);
        let mut found = [[0; C]; C];
        let most = MAX_ASKED * (one.len() + other.len());
        let mut asked = 0;
        for position in one.range() {
            let point = tree.point(position);
            let Some((first, last)) = self.border(point, limit) else { return false };
            let of_colour = &mut found[colours[position] as usize];
            (0..C).for_each(|colour| of_colour[colour] += u64::from(self.before[first][colour]));
            let between = &self.points[self.starts[first] as usize..self.starts[last] as usize];
            asked += between.len();
            if asked > most {
                return false;
            }
            for (near, colour) in between {
                of_colour[*colour as usize] += u64::from(squared(point, near) <= limit);
            }
        }
        counts.iter_mut().flatten().zip(found.iter().flatten()).for_each(|(sum, count)| *sum += count);
        true
    }

    /// Sets the direction from the centre of a node to that of the other.
    fn face(&mut self, from: &Node<D>, to: &Node<D>) -> bool {
        let centre = |node: &Node<D>, axis: usize| node.bounds.low[axis] * 0.5 + node.bounds.high[axis] * 0.5;
        self.centre.0 = std::array::from_fn(|axis| centre(to, axis));
        let towards: [f64; D] = std::array::from_fn(|axis| self.centre.0[axis] - centre(from, axis));
        let length = dot(&towards, &towards).sqrt();
        self.direction.0 = towards.map(|along| along / length);
        length.is_normal()
    }

    /// The vector from a point to the centre: its part along the direction, and the length of the rest.
    fn split(&self, point: &[f64; D]) -> (f64, f64) {
        let difference: [f64; D] = std::array::from_fn(|axis| self.centre.0[axis] - point[axis]);
        let along = dot(&difference, &self.direction.0);
        let aside: [f64; D] = std::array::from_fn(|axis| difference[axis] - along * self.direction.0[axis]);
        (along, dot(&aside, &aside).sqrt())
    }

    /// Lays the points of a node into slabs, about one a point.
    fn fill(&mut self, tree: &Tree<D>, colours: &[u8], node: &Node<D>) {
        let n = node.len();
        let mut along = std::mem::take(&mut self.along);
        along.clear();
        (self.radius, self.low) = (0.0, f64::INFINITY);
        let mut high = f64::NEG_INFINITY;
        for point in &tree.points[node.range()] {
            let (back, aside) = self.split(point);
            along.push(-back);
            (self.low, high) = (self.low.min(-back), high.max(-back));
            self.radius = self.radius.max(aside);
        }
        self.scale = n as f64 * BELOW_ONE / (high - self.low);
        if !self.scale.is_finite() {
            self.scale = 0.0;
        }
        self.starts.clear();
        self.starts.resize(n + 2, 0);
        self.before.clear();
        self.before.resize(n + 1, [0; C]);
        for (&along, position) in along.iter().zip(node.range()) {
            let slab = self.slab(along);
            self.starts[slab + 2] += 1;
            self.before[slab + 1][colours[position] as usize] += 1;
        }
        for slab in 1..=n {
            self.starts[slab + 1] += self.starts[slab];
            for colour in 0..C {
                self.before[slab][colour] += self.before[slab - 1][colour];
            }
        }
        self.points.resize(n, ([0.0; D], 0));
        for (&along, position) in along.iter().zip(node.range()) {
            // The start of a slab stands one place further on, and advances to its end, the start of the next one.
            let slab = self.slab(along);
            let next = &mut self.starts[slab + 1];
            self.points[*next as usize] = (*tree.point(position), colours[position]);
            *next += 1;
        }
        self.along = along;
    }

    /// The slab of a place along the direction, or the number of slabs beyond the last. Rounding is monotonic: what is in an earlier slab
    /// than a place is before it.
    #[inline]
    fn slab(&self, along: f64) -> usize {
        (((along - self.low) * self.scale) as usize).min(self.before.len() - 1)
    }

    /// For a point of the other node, the first slab that is not wholly within the limit, and the first that is wholly beyond it.
    fn border(&self, point: &[f64; D], limit: f64) -> Option<(usize, usize)> {
        let (along, aside) = self.split(point);
        let (far, near) = (aside + self.radius, (aside - self.radius).max(0.0));
        let inner = limit - far * far;
        if inner <= 0.0 || along + self.low < 0.0 {
            return None; // some are behind the point, or aside of all that is within the limit
        }
        let rounding = ROUNDING * limit.sqrt();
        let first = self.slab(inner.sqrt() - along - rounding);
        let last = self.slab((limit - near * near).sqrt() - along + rounding);
        Some((first, (last + 1).min(self.before.len() - 1)))
    }
}

fn dot<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    (0..D).map(|axis| a[axis] * b[axis]).sum()
}

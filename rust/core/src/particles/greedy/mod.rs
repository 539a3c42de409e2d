//! The greedy choice of the kept points of one group, by many threads with the result of one.
//!
//! Only points that have another one within the separation matter. From the best to the worst, each that is still open is kept, and rejects
//! the open ones round it. So the work is bounded for any arrangement: a point is rejected once, and nodes without an open point are passed over.

mod choice;
mod kept;

use rayon::prelude::*;

use super::ranking::Ranking;
use crate::kdtree::{BallVisitor, Bounds, Builder, Edge, LARGE, Node, Tree};
use crate::{Monitor, Result};
use choice::Choice;

/// Pairs are listed if there are not more a point: where points are sparse (3D, half a neighbour each) that takes 0.115 s instead of 0.200.
const LISTED_PAIRS: usize = 2;
/// Points of a large group that are asked how many are near them: 0.2 ms.
const SAMPLED: usize = 256;
/// If a larger share of points has others near, points without are not sorted out first.
const MOSTLY: f64 = 0.5;

/// Calls `set` with every rejected particle and the nearest of the kept ones that are within the separation and better.
pub(super) fn keep_best<const D: usize>(
    tree: &Tree<D>,
    limit: f64,
    ranking: &Ranking,
    monitor: &Monitor,
    set: &(impl Fn(u32, u32) + Sync),
) -> Result<()> {
    let sample = Sample::of(tree, limit);
    if sample.neighbours <= 2.0 * LISTED_PAIRS as f64
        && let Some(edges) = tree.edges(limit, LISTED_PAIRS * tree.len(), monitor)?
    {
        keep_best_of_pairs(tree, edges, ranking, set);
        return Ok(());
    }
    let with_neighbors;
    let mut tree = tree;
    if sample.with_neighbor < MOSTLY {
        with_neighbors = part_of(tree, &tree.with_neighbor(limit, monitor)?, monitor)?;
        tree = &with_neighbors;
    }
    let mut choice = Choice::new(tree, limit, ranking);
    choice.decide(monitor)?;
    kept::find(&choice, monitor, set)
}

/// Counts what some points of a large group have around them; in a small one, which is in the cache, it is faster to try.
#[derive(Default)]
struct Sample {
    /// Others within the separation, on average.
    neighbours: f64,
    /// The share of points that have one.
    with_neighbor: f64,
}

impl Sample {
    fn of<const D: usize>(tree: &Tree<D>, limit: f64) -> Self {
        let mut sample = Self::default();
        if tree.is_shared() && tree.len() >= LARGE {
            for i in 0..SAMPLED {
                let point = tree.point(i * (tree.len() / SAMPLED));
                let mut near = Number { nodes: tree.nodes(), points: 0 };
                tree.around(&Bounds { low: *point, high: *point }, limit, &mut near);
                sample.neighbours += (near.points - 1) as f64 / SAMPLED as f64;
                sample.with_neighbor += f64::from(u8::from(near.points > 1)) / SAMPLED as f64;
            }
        }
        sample
    }
}

/// Counts the rejected points.
pub(super) fn count_rejected<const D: usize>(tree: &Tree<D>, limit: f64, ranking: &Ranking, monitor: &Monitor) -> Result<u64> {
    let mut choice = Choice::new(tree, limit, ranking);
    choice.decide(monitor)?;
    Ok((0..tree.len()).filter(|&position| choice.is_rejected(position)).count() as u64)
}

/// From the worse points of all pairs, the best first: each is rejected if a better one of its pairs is not.
fn keep_best_of_pairs<const D: usize>(tree: &Tree<D>, mut edges: Vec<Edge>, ranking: &Ranking, set: &impl Fn(u32, u32)) {
    let rank = |position: u32| ranking.rank(tree.id(position as usize));
    let worse_first = |(number, edge): (u32, &mut Edge)| {
        let (a, b) = (rank(edge.a), rank(edge.b));
        if a < b {
            std::mem::swap(&mut edge.a, &mut edge.b);
        }
        let (rank, id) = a.max(b);
        (rank, id, number)
    };
    let mut order: Vec<(u64, u32, u32)> = (0..).zip(&mut edges).map(worse_first).collect();
    if tree.is_shared() && order.len() >= LARGE {
        order.par_sort_unstable();
    } else {
        order.sort_unstable();
    }
    let mut is_rejected = vec![false; if order.is_empty() { 0 } else { tree.len() }];
    for pairs in order.chunk_by(|one, next| one.1 == next.1) {
        let kept = pairs.iter().map(|pair| &edges[pair.2 as usize]).filter(|edge| !is_rejected[edge.b as usize]);
        if let Some(Edge { a, b, .. }) = kept.min_by(|x, y| x.squared.total_cmp(&y.squared).then_with(|| rank(x.b).cmp(&rank(y.b)))) {
            is_rejected[*a as usize] = true;
            set(tree.id(*a as usize), tree.id(*b as usize));
        }
    }
}

/// A tree over some of the points of another.
fn part_of<const D: usize>(tree: &Tree<D>, positions: &[u32], monitor: &Monitor) -> Result<Tree<D>> {
    let point = |position: u32| (*tree.point(position as usize), tree.id(position as usize));
    if tree.is_shared() && positions.len() >= LARGE {
        return Tree::build_large(positions.len(), |i| point(positions[i]), monitor);
    }
    let mut builder = Builder::default();
    builder.build(positions.iter().map(|&position| point(position)));
    Ok(builder.into_tree())
}

/// Counts points.
struct Number<'a, const D: usize> {
    nodes: &'a [Node<D>],
    points: usize,
}

impl<const D: usize> BallVisitor for Number<'_, D> {
    fn whole(&mut self, node: usize) {
        self.points += self.nodes[node].len();
    }

    fn point(&mut self, _position: usize) {
        self.points += 1;
    }
}

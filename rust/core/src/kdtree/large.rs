//! Building the tree of one large group with all threads.

use rayon::prelude::*;

use super::build::{Part, Workshop};
use super::splits::Splits;
use super::{Bounds, LARGE, Node, Tree};
use crate::{Monitor, Result};

/// Number of points that one thread reorders at once: 1.3 MB.
const CHUNK: usize = 1 << 16;

/// Some of the points, in the order of their cells, and where each cell starts.
struct Chunk<const D: usize> {
    points: Vec<[f64; D]>,
    ids: Vec<u32>,
    starts: Vec<u32>,
}

/// Memory for the points of a cell, over which nodes are then built.
struct Cell<'a, const D: usize> {
    points: &'a mut [[f64; D]],
    ids: &'a mut [u32],
    offset: u32,
}

impl<const D: usize> Tree<D> {
    /// Builds a tree over `n` points, given with their numbers, with all threads.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub fn build_large(n: usize, point: impl Fn(usize) -> ([f64; D], u32) + Sync + Send, monitor: &Monitor) -> Result<Self> {
        let Some(split) = Split::of(n, &point, monitor)? else {
            let (points, ids): (Vec<_>, Vec<_>) = (0..n).into_par_iter().map(point).unzip();
            let root = Node { bounds: Bounds::of(&points), start: 0, end: n as u32, right: 0 };
            return Ok(Self { points, ids, nodes: if n > 0 { vec![root] } else { Vec::new() }, is_shared: true });
        };
        let (mut points, mut ids) = (vec![[0.0; D]; n], vec![0; n]);
        let nodes = split.build(Cell { points: &mut points, ids: &mut ids, offset: 0 }, monitor)?;
        Ok(Self { points, ids, nodes, is_shared: true })
    }
}

/// Points ordered by the cells of a grid.
struct Split<const D: usize> {
    splits: Splits<D>,
    chunks: Vec<Chunk<D>>,
}

impl<const D: usize> Split<D> {
    /// `None` if all points are equal.
    fn of(n: usize, point: impl Fn(usize) -> ([f64; D], u32) + Sync, monitor: &Monitor) -> Result<Option<Self>> {
        monitor.advance(0)?;
        let chunk = |number: usize| number * CHUNK..n.min((number + 1) * CHUNK);
        let chunks = (0..n.div_ceil(CHUNK)).into_par_iter().map(chunk);
        let of_chunk = |chunk: std::ops::Range<usize>| chunk.fold(Bounds::default(), |bounds: Bounds<D>, i| bounds.with(&point(i).0));
        let bounds = chunks.clone().map(of_chunk).reduce(Bounds::default, |a, b| a.union(&b));
        if n == 0 || bounds.is_one_place() {
            return Ok(None);
        }
        monitor.advance(0)?;
        let mut splits = Splits::default();
        splits.lay(&bounds, n);
        let chunks = chunks.map(|chunk| Chunk::new(&splits, chunk, &point)).collect();
        monitor.advance(0)?;
        Ok(Some(Self { splits, chunks }))
    }

    /// Collects the points of each cell; returns the nodes above all of them.
    fn build(self, all: Cell<D>, monitor: &Monitor) -> Result<Vec<Node<D>>> {
        let fill = |workshop: &mut Workshop<D>, (number, cell): (usize, Cell<D>)| {
            let mut at = 0;
            for chunk in &self.chunks {
                let part = chunk.starts[number] as usize..chunk.starts[number + 1] as usize;
                cell.points[at..at + part.len()].copy_from_slice(&chunk.points[part.clone()]);
                cell.ids[at..at + part.len()].copy_from_slice(&chunk.ids[part.clone()]);
                at += part.len();
            }
            build(cell, workshop, monitor)
        };
        let cells = cut(all, &self.chunks, self.splits.cells());
        let parts = cells.into_par_iter().enumerate().map_init(Workshop::default, fill).collect::<Result<Vec<_>>>()?;
        drop(self.chunks);
        Ok(assemble(&parts))
    }
}

/// Reorders the points of a cell, and returns the nodes above them.
fn build<const D: usize>(cell: Cell<D>, workshop: &mut Workshop<D>, monitor: &Monitor) -> Result<Vec<Node<D>>> {
    monitor.advance(0)?;
    let n = cell.points.len();
    let mut nodes = Vec::new();
    if n < LARGE {
        if n > 0 {
            workshop.split(&mut Part { points: cell.points, ids: cell.ids, nodes: &mut nodes, offset: cell.offset }, 0, n as u32);
        }
        return Ok(nodes);
    }
    match Split::of(n, |i| (cell.points[i], cell.ids[i]), monitor)? {
        Some(split) => split.build(cell, monitor),
        None => Ok(vec![Node { bounds: Bounds::of(cell.points), start: cell.offset, end: cell.offset + n as u32, right: 0 }]),
    }
}

impl<const D: usize> Chunk<D> {
    fn new(splits: &Splits<D>, range: std::ops::Range<usize>, point: impl Fn(usize) -> ([f64; D], u32)) -> Self {
        let cells: Vec<u16> = range.clone().map(|i| splits.cell(&point(i).0)).collect();
        let mut starts = vec![0; splits.cells() + 1];
        cells.iter().for_each(|&cell| starts[cell as usize + 1] += 1);
        for cell in 0..splits.cells() {
            starts[cell + 1] += starts[cell];
        }
        let mut next = starts.clone();
        let mut chunk = Self { points: vec![[0.0; D]; range.len()], ids: vec![0; range.len()], starts };
        for (&cell, i) in cells.iter().zip(range) {
            let place = &mut next[cell as usize];
            (chunk.points[*place as usize], chunk.ids[*place as usize]) = point(i);
            *place += 1;
        }
        chunk
    }
}

/// The part of the memory for each cell.
fn cut<'a, const D: usize>(all: Cell<'a, D>, chunks: &[Chunk<D>], cells: usize) -> Vec<Cell<'a, D>> {
    let Cell { mut points, mut ids, mut offset } = all;
    let mut found = Vec::with_capacity(cells);
    for number in 0..cells {
        let size = chunks.iter().map(|chunk| chunk.starts[number + 1] - chunk.starts[number]).sum::<u32>();
        let (of_points, of_ids);
        (of_points, points) = points.split_at_mut(size as usize);
        (of_ids, ids) = ids.split_at_mut(size as usize);
        found.push(Cell { points: of_points, ids: of_ids, offset });
        offset += size;
    }
    found
}

/// The places of the nodes of 2^k parts, and of the nodes above them.
#[derive(Default)]
struct Plan {
    /// First node of each piece, and its part; `None`: a node above parts.
    pieces: Vec<(usize, Option<usize>)>,
    /// Nodes above parts, each with its right child.
    over: Vec<(usize, usize)>,
    total: usize,
}

impl Plan {
    fn add<const D: usize>(&mut self, parts: &[Vec<Node<D>>], first: usize) {
        if let [part] = parts {
            self.pieces.push((self.total, Some(first)));
            self.total += part.len();
            return;
        }
        let (left, right) = parts.split_at(parts.len() / 2);
        let is_empty = |parts: &[Vec<Node<D>>]| parts.iter().all(Vec::is_empty);
        match (is_empty(left), is_empty(right)) {
            (true, _) => self.add(right, first + left.len()),
            (_, true) => self.add(left, first),
            _ => {
                let at = self.total;
                self.pieces.push((at, None));
                self.total += 1;
                self.add(left, first);
                self.over.push((at, self.total));
                self.add(right, first + left.len());
            }
        }
    }
}

/// Concatenates all nodes, with all threads: 190 MB for 10 M points.
fn assemble<const D: usize>(parts: &[Vec<Node<D>>]) -> Vec<Node<D>> {
    let mut plan = Plan::default();
    plan.add(parts, 0);
    let piece_of = |i: usize| plan.pieces.partition_point(|piece| piece.0 <= i) - 1;
    let node = |piece: &mut usize, i: usize| {
        let end = plan.pieces.get(*piece + 1).map_or(plan.total, |next| next.0);
        if !(plan.pieces[*piece].0..end).contains(&i) {
            *piece = piece_of(i);
        }
        let (start, part) = plan.pieces[*piece];
        part.map_or_else(Node::default, |part| parts[part][i - start])
    };
    let mut nodes: Vec<Node<D>> = (0..plan.total).into_par_iter().map_init(|| 0, node).collect();
    plan.over.sort_unstable();
    for &(at, right) in plan.over.iter().rev() {
        nodes[at] = Node::over(&nodes[at + 1], &nodes[right], right - at);
    }
    nodes
}

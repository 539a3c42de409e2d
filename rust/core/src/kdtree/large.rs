//! Building the tree over one large group by all threads.

use rayon::prelude::*;

use super::build::{Part, Workshop};
use super::grid::Grid;
use super::{Bounds, LARGE, Node, Tree};
use crate::{Monitor, Result};

/// Points that one thread puts in order at once: 1.3 MB of them.
const CHUNK: usize = 1 << 16;

/// Some of the points, in the order of their cells, and where each cell starts.
struct Chunk<const D: usize> {
    points: Vec<[f64; D]>,
    ids: Vec<u32>,
    starts: Vec<u32>,
}

/// The points of a cell, to be filled in and built over.
struct Cell<'a, const D: usize> {
    points: &'a mut [[f64; D]],
    ids: &'a mut [u32],
    offset: u32,
}

impl<const D: usize> Tree<D> {
    /// A tree over `n` points, given with their numbers, by all threads.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub fn build_large(n: usize, point: impl Fn(usize) -> ([f64; D], u32) + Sync + Send, monitor: &Monitor) -> Result<Self> {
        let (mut points, mut ids): (Vec<_>, Vec<_>) = (0..n).into_par_iter().map(point).unzip();
        monitor.advance(0)?;
        let nodes = split(Cell { points: &mut points, ids: &mut ids, offset: 0 }, &mut Workshop::default(), monitor)?;
        Ok(Self { points, ids, nodes })
    }
}

/// Puts the points in order; the nodes over them.
fn split<const D: usize>(all: Cell<D>, workshop: &mut Workshop<D>, monitor: &Monitor) -> Result<Vec<Node<D>>> {
    monitor.advance(0)?;
    let n = all.points.len();
    let mut nodes = Vec::new();
    if n < LARGE {
        if n > 0 {
            workshop.split(&mut Part { points: all.points, ids: all.ids, nodes: &mut nodes, offset: all.offset }, 0, n as u32);
        }
        return Ok(nodes);
    }
    let bounds = all.points.par_chunks(CHUNK).map(Bounds::of).reduce(Bounds::default, |a, b| a.join(&b));
    if bounds.is_one_place() {
        return Ok(vec![Node { bounds, start: all.offset, end: all.offset + n as u32, right: 0 }]);
    }
    let mut grid = Grid::default();
    grid.lay(&bounds, n);
    let chunks: Vec<Chunk<D>> =
        all.points.par_chunks(CHUNK).zip(all.ids.par_chunks(CHUNK)).map(|(points, ids)| Chunk::new(&grid, points, ids)).collect();
    monitor.advance(0)?;
    let fill = |workshop: &mut Workshop<D>, (number, cell): (usize, Cell<D>)| {
        let mut at = 0;
        for chunk in &chunks {
            let part = chunk.starts[number] as usize..chunk.starts[number + 1] as usize;
            cell.points[at..at + part.len()].copy_from_slice(&chunk.points[part.clone()]);
            cell.ids[at..at + part.len()].copy_from_slice(&chunk.ids[part.clone()]);
            at += part.len();
        }
        split(cell, workshop, monitor)
    };
    let cells = cut(all, &chunks, grid.cells());
    let parts = cells.into_par_iter().enumerate().map_init(Workshop::default, fill).collect::<Result<Vec<_>>>()?;
    drop(chunks);
    Ok(assemble(parts))
}

impl<const D: usize> Chunk<D> {
    fn new(grid: &Grid<D>, points: &[[f64; D]], ids: &[u32]) -> Self {
        let cells: Vec<u16> = points.iter().map(|point| grid.cell(point)).collect();
        let mut starts = vec![0; grid.cells() + 1];
        cells.iter().for_each(|&cell| starts[cell as usize + 1] += 1);
        for cell in 0..grid.cells() {
            starts[cell + 1] += starts[cell];
        }
        let mut next = starts.clone();
        let mut chunk = Self { points: vec![[0.0; D]; points.len()], ids: vec![0; ids.len()], starts };
        for ((&cell, point), &id) in cells.iter().zip(points).zip(ids) {
            let place = &mut next[cell as usize];
            chunk.points[*place as usize] = *point;
            chunk.ids[*place as usize] = id;
            *place += 1;
        }
        chunk
    }
}

/// The room of each cell.
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

/// The nodes over 2^k parts, and theirs.
fn assemble<const D: usize>(parts: Vec<Vec<Node<D>>>) -> Vec<Node<D>> {
    fn append<const D: usize>(nodes: &mut Vec<Node<D>>, parts: &mut [Vec<Node<D>>]) {
        if let [part] = parts {
            nodes.append(&mut std::mem::take(part));
            return;
        }
        let (left, right) = parts.split_at_mut(parts.len() / 2);
        let is_empty = |parts: &[Vec<Node<D>>]| parts.iter().all(Vec::is_empty);
        if is_empty(left) || is_empty(right) {
            return append(nodes, if is_empty(left) { right } else { left });
        }
        let at = nodes.len();
        nodes.push(Node::default());
        append(nodes, left);
        let next = nodes.len();
        append(nodes, right);
        nodes[at] = Node::over(&nodes[at + 1], &nodes[next], next - at);
    }
    let mut parts = parts;
    let mut nodes = Vec::with_capacity(parts.iter().map(Vec::len).sum::<usize>() + parts.len());
    append(&mut nodes, &mut parts);
    nodes
}

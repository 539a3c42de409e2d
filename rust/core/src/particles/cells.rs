//! One group's points, sorted into the non-empty cells of a grid so fine that any two points of a cell are duplicates.
//!
//! A cell then holds at most one kept point, and the neighbours of a point lie in its own cell and the cells up to two away. That bounds
//! the work for a point whatever the arrangement: sparse frames, lattices, hundreds of copies of one pick.
//!
//! Only non-empty cells are stored, in the order of their keys (row by row), and the cells around one are found by one cursor a
//! neighbouring row. Tried and left: a k-d tree (53 ns a point on one core, this 40), a sweep along x (as fast where frames are
//! sparse, quadratic where they are crowded), a list of all pairs (quadratic for repeated picks).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::grid::{Grid, Key, REACH, bits_for};
use super::sort::sort;
use super::{Goodness, Members};
use crate::Result;

/// Makes vectors by one thread or by all.
#[derive(Clone, Copy)]
pub(super) struct Collect {
    parallel: bool,
}

impl Collect {
    pub fn map<T: Send>(self, n: usize, value: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        if self.parallel { (0..n).into_par_iter().map(value).collect() } else { (0..n).map(value).collect() }
    }

    /// The numbers below `n` for which the condition holds.
    pub fn which(self, n: usize, condition: impl Fn(usize) -> bool + Sync + Send) -> Vec<u32> {
        let condition = |&i: &u32| condition(i as usize);
        let all = 0..n as u32;
        if self.parallel { all.into_par_iter().filter(condition).collect() } else { all.filter(condition).collect() }
    }
}

/// The points of a group by cell; within a cell from the best to the worst.
pub(super) struct Cells<'a, K, const D: usize> {
    pub points: Vec<[f64; D]>,
    pub particles: Vec<u32>,
    goodness: &'a Goodness<'a>,
    keys: Vec<K>,
    /// First position of each cell, and the end of the last.
    starts: Vec<u32>,
    /// For each neighbouring row: what to add to a cell's key to get the first of the cells within reach in that row, plus `back`.
    rows: Vec<K>,
    back: K,
    limit: f64,
    pub collect: Collect,
}

/// With keys as short as the extent of the points allows.
pub(super) enum AnyCells<'a, const D: usize> {
    Narrow(Cells<'a, u64, D>),
    Wide(Cells<'a, u128, D>),
}

impl<'a, const D: usize> AnyCells<'a, D> {
    /// # Errors
    /// [`Error::Input`] when the group's extent is more than 2^42 cells.
    pub fn build(all: &[[f64; D]], goodness: &'a Goodness<'a>, members: Members, separation: f64, parallel: bool) -> Result<Self> {
        let grid = Grid::around(all, members, separation, parallel)?;
        let limit = separation * separation;
        Ok(if grid.key_bits() + bits_for(members.len()) <= u64::BITS {
            Self::Narrow(Cells::new(all, goodness, members, &grid, limit, parallel))
        } else {
            Self::Wide(Cells::new(all, goodness, members, &grid, limit, parallel))
        })
    }
}

impl<'a, K: Key, const D: usize> Cells<'a, K, D> {
    fn new(all: &[[f64; D]], goodness: &'a Goodness<'a>, members: Members, grid: &Grid<D>, limit: f64, parallel: bool) -> Self {
        let collect = Collect { parallel };
        // Cell and member in one integer: half the memory to sort, and no second comparison.
        let bits = bits_for(members.len());
        let tag = |i: usize| (grid.key::<K>(&all[members.get(i as u32) as usize]) << bits) + K::from(i as u64);
        let mut tags = collect.map(members.len(), tag);
        if parallel {
            sort(&mut tags, grid.key_bits() + bits);
        } else {
            tags.sort_unstable();
        }

        let mut starts = collect.which(tags.len(), |i| i == 0 || tags[i] >> bits != tags[i - 1] >> bits);
        let keys = collect.map(starts.len(), |cell| tags[starts[cell] as usize] >> bits);
        starts.push(tags.len() as u32);
        let mut particles = collect.map(tags.len(), |position| members.get(tags[position].low(bits)));
        drop(tags);
        for cell in starts.windows(2).filter(|cell| cell[1] - cell[0] > 1) {
            particles[cell[0] as usize..cell[1] as usize].sort_unstable_by_key(|&particle| (goodness.of(particle), particle));
        }
        let row_stride = K::from(grid.size[0]);
        let layer_stride = row_stride * K::from(grid.size[1]);
        let layers = if D == 3 { 2 * REACH } else { 0 };
        let rows = (0..=layers).flat_map(|z| (0..=2 * REACH).map(move |y| layer_stride * K::from(z) + row_stride * K::from(y)));
        let back = layer_stride * K::from(layers / 2) + row_stride * K::from(REACH) + K::from(REACH);
        Self {
            points: collect.map(particles.len(), |position| all[particles[position] as usize]),
            goodness,
            particles,
            keys,
            starts,
            rows: rows.collect(),
            back,
            limit,
            collect,
        }
    }

    /// Number of non-empty cells.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The positions of a cell's points.
    #[inline]
    pub fn range(&self, cell: u32) -> Range<usize> {
        self.starts[cell as usize] as usize..self.starts[cell as usize + 1] as usize
    }

    /// The cells that hold several points, or whose point may have a duplicate in a cell within reach, ascending. Nothing in the others has
    /// one: the usual case, which this sorts out at half the cost of going around every cell.
    pub fn crowded(&self) -> Vec<u32> {
        let marks = self.collect.map(self.len(), |_| AtomicBool::new(false));
        let mark = |cell: usize| marks[cell].store(true, Ordering::Relaxed);
        let look_ahead = |cells: Range<usize>| {
            let ahead = &self.rows[self.rows.len() / 2 + 1..];
            let mut cursors = vec![cells.start; ahead.len()];
            let is_single = |cell: usize| self.starts[cell + 1] - self.starts[cell] == 1;
            for cell in cells {
                let key = self.keys[cell];
                let (single, point) = (is_single(cell), self.starts[cell] as usize);
                let mut met = !single;
                let mut meet = |other: usize| {
                    if !(single && is_single(other)) || self.near(point, self.starts[other] as usize).is_some() {
                        mark(other);
                        met = true;
                    }
                };
                let mut next = cell + 1;
                while next < self.len() && self.keys[next] <= key + K::from(REACH) {
                    meet(next);
                    next += 1;
                }
                for (cursor, &row) in cursors.iter_mut().zip(ahead) {
                    let first = key + row - self.back;
                    *cursor = seek(&self.keys, *cursor, first);
                    let last = first + K::from(2 * REACH);
                    let mut at = *cursor;
                    while at < self.len() && self.keys[at] <= last {
                        meet(at);
                        at += 1;
                    }
                }
                if met {
                    mark(cell);
                }
            }
        };
        if self.collect.parallel {
            let span = 1 << 14;
            (0..self.len().div_ceil(span)).into_par_iter().for_each(|i| look_ahead(i * span..self.len().min((i + 1) * span)));
        } else {
            look_ahead(0..self.len());
        }
        self.collect.which(self.len(), |cell| marks[cell].load(Ordering::Relaxed))
    }

    /// First position of each cell.
    pub fn starts(&self) -> &[u32] {
        &self.starts[..self.len()]
    }

    /// The squared distance of the points at two positions, if they are duplicates.
    #[inline]
    pub fn near(&self, a: usize, b: usize) -> Option<f64> {
        let distance: f64 = (0..D).map(|axis| self.points[a][axis] - self.points[b][axis]).map(|difference| difference * difference).sum();
        (distance <= self.limit).then_some(distance)
    }

    /// Whether the point at `a` is better than that at `b`.
    #[inline]
    pub fn better(&self, a: usize, b: usize) -> bool {
        self.rank(a) < self.rank(b)
    }

    /// What sorts positions from the best to the worst.
    #[inline]
    pub fn rank(&self, position: usize) -> (u64, u32) {
        let particle = self.particles[position];
        (self.goodness.of(particle), particle)
    }

    /// Calls `job` with each of the given cells (ascending) and the non-empty cells around it, and returns those for which it says so.
    pub fn filter(&self, cells: &[u32], job: impl Fn(u32, &[u32]) -> bool + Sync) -> Vec<u32> {
        let sequential = |cells: &[u32]| {
            let mut around = Around::new(self);
            cells.iter().copied().filter(|&cell| job(cell, around.advance(cell))).collect::<Vec<_>>()
        };
        if self.collect.parallel { cells.par_chunks(4096).flat_map_iter(sequential).collect() } else { sequential(cells) }
    }
}

/// Finds the cells around one cell after the other.
pub(super) struct Around<'a, K, const D: usize> {
    cells: &'a Cells<'a, K, D>,
    /// For each neighbouring row the first cell not before the reach of the last cell asked for.
    cursors: Vec<usize>,
    found: Vec<u32>,
}

impl<'a, K: Key, const D: usize> Around<'a, K, D> {
    pub fn new(cells: &'a Cells<'a, K, D>) -> Self {
        Self { cells, cursors: vec![0; cells.rows.len()], found: Vec::with_capacity(8) }
    }

    /// The non-empty cells within reach of `cell`, itself left out. Fast when asked in ascending order.
    #[inline]
    pub fn advance(&mut self, cell: u32) -> &[u32] {
        let keys = &self.cells.keys;
        let key = keys[cell as usize];
        self.found.clear();
        for (cursor, &row) in self.cursors.iter_mut().zip(&self.cells.rows) {
            let first = key + row - self.cells.back;
            *cursor = seek(keys, *cursor, first);
            let last = first + K::from(2 * REACH);
            let mut at = *cursor;
            while at < keys.len() && keys[at] <= last {
                if at as u32 != cell {
                    self.found.push(at as u32);
                }
                at += 1;
            }
        }
        &self.found
    }

    /// As [`Around::advance`], for cells in any order.
    pub fn jump(&mut self, cell: u32) -> &[u32] {
        self.cursors.fill(0);
        self.advance(cell)
    }
}

/// The first index, not before `from`, of a key that is at least `first`: by steps that double, since it is mostly near.
#[inline]
fn seek<K: Key>(keys: &[K], from: usize, first: K) -> usize {
    let mut low = from;
    let mut step = 1;
    while low + step <= keys.len() && keys[low + step - 1] < first {
        low += step;
        step *= 2;
    }
    let high = (low + step - 1).min(keys.len());
    low + keys[low..high].partition_point(|key| *key < first)
}

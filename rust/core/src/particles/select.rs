//! The greedy choice of the kept points of one group, by many threads with the result of one.
//!
//! A cell is settled when one of its points is kept, or all are rejected. Its best open point is rejected once a kept point is within the
//! separation, kept if no better open point is, and has to wait otherwise. Settled cells never change, and what a point becomes depends on
//! better points only, so cells can be looked at in any order, by any number of threads, again and again until all are settled: the
//! outcome is that of the sequential greedy choice. (Blelloch, Fineman, Shun, "Greedy sequential maximal independent set and matching are
//! parallel on average", SPAA 2012: few rounds suffice. Long chains of falling scores are the exception; what is still open after
//! [`ROUNDS`] is settled in the order of goodness.)

use std::sync::atomic::{AtomicU32, Ordering};

use super::cells::{Around, Cells};
use super::grid::Key;

const ROUNDS: usize = 6;

/// The highest bit of a cell's state: settled, the rest is the position of the kept point. Otherwise the state is the position of the
/// best open point.
const KEPT: u32 = 1 << 31;
/// Settled, and no point kept.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
enum State {
    Open(usize),
    Kept(usize),
    None,
}

struct Selection<'a, K, const D: usize> {
    cells: &'a Cells<'a, K, D>,
    states: Vec<AtomicU32>,
}

/// Calls `set` with every rejected particle and the nearest of the kept ones that are within the separation and better.
pub(super) fn keep_best<K: Key, const D: usize>(cells: &Cells<K, D>, set: &(impl Fn(u32, u32) + Sync)) {
    let selection = Selection { cells, states: cells.collect.map(cells.len(), |cell| AtomicU32::new(cells.starts()[cell])) };
    let crowded = cells.crowded();
    let mut open = crowded.clone();
    for _ in 0..ROUNDS {
        open = cells.filter(&open, |cell, around| !selection.settle(cell, around));
        if open.is_empty() {
            break;
        }
    }
    selection.finish(&open);
    cells.filter(&crowded, |cell, around| {
        if cells.range(cell).len() == 1 && matches!(selection.state(cell), State::Kept(_)) {
            return false;
        }
        for rejected in cells.range(cell) {
            if let Some(kept) = selection.nearest_better_kept(rejected, cell, around) {
                set(cells.particles[rejected], cells.particles[kept]);
            }
        }
        false
    });
}

impl<K: Key, const D: usize> Selection<'_, K, D> {
    fn state(&self, cell: u32) -> State {
        match self.states[cell as usize].load(Ordering::Relaxed) {
            NONE => State::None,
            state if state & KEPT != 0 => State::Kept((state & !KEPT) as usize),
            position => State::Open(position as usize),
        }
    }

    fn store(&self, cell: u32, state: u32) {
        self.states[cell as usize].store(state, Ordering::Relaxed);
    }

    /// Rejects and keeps as far as can be said now; whether the cell is settled.
    fn settle(&self, cell: u32, around: &[u32]) -> bool {
        let State::Open(first) = self.state(cell) else { return true };
        for best in first..self.cells.range(cell).end {
            match self.judge(best, around) {
                Verdict::Keep => {
                    self.store(cell, KEPT | best as u32);
                    return true;
                }
                Verdict::Wait => {
                    self.store(cell, best as u32);
                    return false;
                }
                Verdict::Reject => {}
            }
        }
        self.store(cell, NONE);
        true
    }

    fn judge(&self, point: usize, around: &[u32]) -> Verdict {
        let mut verdict = Verdict::Keep;
        for &cell in around {
            match self.state(cell) {
                State::Kept(kept) if self.cells.near(point, kept).is_some() => return Verdict::Reject,
                State::Open(first) if matches!(verdict, Verdict::Keep) => {
                    let mut better = (first..self.cells.range(cell).end).take_while(|&other| self.cells.better(other, point));
                    if better.any(|other| self.cells.near(point, other).is_some()) {
                        verdict = Verdict::Wait;
                    }
                }
                _ => {}
            }
        }
        verdict
    }

    /// Settles the cells that are still open by going through their points from the best to the worst.
    fn finish(&self, open: &[u32]) {
        let mut points: Vec<(usize, u32)> = Vec::new();
        for &cell in open {
            if let State::Open(first) = self.state(cell) {
                points.extend((first..self.cells.range(cell).end).map(|point| (point, cell)));
            }
        }
        points.sort_unstable_by_key(|&(point, _)| self.cells.rank(point));
        let mut around = Around::new(self.cells);
        for (point, cell) in points {
            let near_kept = |&other: &u32| matches!(self.state(other), State::Kept(kept) if self.cells.near(point, kept).is_some());
            if matches!(self.state(cell), State::Open(_)) && !around.jump(cell).iter().any(near_kept) {
                self.store(cell, KEPT | point as u32);
            }
        }
        for &cell in open {
            if matches!(self.state(cell), State::Open(_)) {
                self.store(cell, NONE);
            }
        }
    }

    /// None for a kept point.
    fn nearest_better_kept(&self, point: usize, cell: u32, around: &[u32]) -> Option<usize> {
        std::iter::once(&cell)
            .chain(around)
            .filter_map(|&cell| match self.state(cell) {
                State::Kept(kept) if self.cells.better(kept, point) => self.cells.near(point, kept).map(|distance| (distance, kept)),
                _ => None,
            })
            .min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| self.cells.rank(a.1).cmp(&self.cells.rank(b.1))))
            .map(|(_, kept)| kept)
    }
}

enum Verdict {
    Keep,
    Reject,
    Wait,
}

/// Calls `set` with every particle that has a duplicate and one that it duplicates: the best other of its own cell, or else of the first
/// cell around it that has one within the separation.
pub(super) fn remove_entirely<K: Key, const D: usize>(cells: &Cells<K, D>, set: &(impl Fn(u32, u32) + Sync)) {
    cells.filter(&cells.crowded(), |cell, around| {
        let range = cells.range(cell);
        if range.len() > 1 {
            set(cells.particles[range.start], cells.particles[range.start + 1]);
            for point in range.start + 1..range.end {
                set(cells.particles[point], cells.particles[range.start]);
            }
        } else if let Some(other) =
            around.iter().flat_map(|&other| cells.range(other)).find(|&other| cells.near(range.start, other).is_some())
        {
            set(cells.particles[range.start], cells.particles[other]);
        }
        false
    });
}

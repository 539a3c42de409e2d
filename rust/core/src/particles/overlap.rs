//! How many particles of one source have one of another nearby.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::Cells;
use super::coincident::Classes;
use super::grid::Key;

/// Counts, row-major (`n_sources`, `n_sources`). Sets of sources are the bits of one word.
pub(super) struct Table {
    n_sources: usize,
    counts: Vec<AtomicU64>,
}

/// Which sources are met at least once, and at least twice.
#[derive(Clone, Copy, Default)]
struct Met {
    once: u64,
    twice: u64,
}

impl Met {
    fn add(&mut self, source: u32) {
        let bit = 1 << source;
        self.twice |= self.once & bit;
        self.once |= bit;
    }

    /// Those met besides one particle of `source`.
    fn besides(self, source: u32) -> u64 {
        self.once & !(1 << source) | self.twice
    }
}

impl Table {
    pub fn new(n_sources: usize) -> Self {
        Self { n_sources, counts: (0..n_sources * n_sources).map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn into_counts(self) -> Vec<u64> {
        self.counts.into_iter().map(AtomicU64::into_inner).collect()
    }

    fn count(&self, source: u32, mut others: u64) {
        while others != 0 {
            let other = others.trailing_zeros() as usize;
            self.counts[source as usize * self.n_sources + other].fetch_add(1, Ordering::Relaxed);
            others &= others - 1;
        }
    }

    pub fn count_classes(&self, classes: &Classes, sources: &[u32]) {
        classes.for_each(|class| {
            let mut met = Met::default();
            class.iter().for_each(|&particle| met.add(sources[particle as usize]));
            class.iter().for_each(|&particle| self.count(sources[particle as usize], met.besides(sources[particle as usize])));
        });
    }

    pub fn count_near<K: Key, const D: usize>(&self, cells: &Cells<K, D>, sources: &[u32]) {
        let source = |position: usize| sources[cells.particles[position] as usize];
        let all: Vec<u32> = (0..cells.len() as u32).collect();
        let in_cell: Vec<Met> = all
            .iter()
            .map(|&cell| {
                let mut met = Met::default();
                cells.range(cell).for_each(|position| met.add(source(position)));
                met
            })
            .collect();
        cells.filter(&cells.crowded(), |cell, around| {
            for point in cells.range(cell) {
                let mut others = in_cell[cell as usize].besides(source(point));
                for &cell in around {
                    let mut missing = in_cell[cell as usize].once & !others;
                    let mut candidates = cells.range(cell);
                    while missing != 0
                        && let Some(other) = candidates.next()
                    {
                        let bit = 1 << source(other);
                        if missing & bit != 0 && cells.near(point, other).is_some() {
                            others |= bit;
                            missing &= !bit;
                        }
                    }
                }
                self.count(source(point), others);
            }
            false
        });
    }
}

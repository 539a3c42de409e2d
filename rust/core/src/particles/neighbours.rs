//! How far the nearest neighbour is, and which particles hang together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::cells::Cells;
use super::grid::Key;

/// Calls `set` with every particle that has another one within the separation, and the distance of the nearest, or of any that is near
/// `enough`.
pub(super) fn nearest<K: Key, const D: usize>(cells: &Cells<K, D>, enough: f64, set: &(impl Fn(u32, f64) + Sync)) {
    cells.filter(&cells.crowded(), |cell, around| {
        for point in cells.range(cell) {
            let mut least = f64::INFINITY;
            let others = std::iter::once(&cell).chain(around).flat_map(|&cell| cells.range(cell));
            for distance in others.filter(|&other| other != point).filter_map(|other| cells.near(point, other)) {
                least = least.min(distance);
                if least <= enough * enough {
                    break;
                }
            }
            if least.is_finite() {
                set(cells.particles[point], least.sqrt());
            }
        }
        false
    });
}

/// Calls `set` with every particle that others hang together with, and the best of them.
pub(super) fn components<K: Key, const D: usize>(cells: &Cells<K, D>, set: &(impl Fn(u32, u32) + Sync)) {
    let crowded = cells.crowded();
    let edges = Mutex::new(Vec::new());
    cells.filter(&crowded, |cell, around| {
        let near = |other: u32| cells.range(cell).any(|a| cells.range(other).any(|b| cells.near(a, b).is_some()));
        let found: Vec<(u32, u32)> = around.iter().filter(|&&other| other > cell && near(other)).map(|&other| (cell, other)).collect();
        if !found.is_empty() {
            edges.lock().expect("no thread panics with it").extend(found);
        }
        false
    });
    let mut roots: Vec<u32> = (0..cells.len() as u32).collect();
    for (a, b) in edges.into_inner().expect("no thread panics with it") {
        let (a, b) = (root(&mut roots, a), root(&mut roots, b));
        roots[a.max(b) as usize] = a.min(b);
    }
    let mut best: Vec<usize> = (0..cells.len() as u32).map(|cell| cells.range(cell).start).collect();
    for &cell in &crowded {
        let (of, first) = (root(&mut roots, cell) as usize, cells.range(cell).start);
        if cells.better(first, best[of]) {
            best[of] = first;
        }
    }
    for &cell in &crowded {
        let best = cells.particles[best[root(&mut roots, cell) as usize]];
        cells.range(cell).for_each(|point| set(cells.particles[point], best));
    }
}

fn root(roots: &mut [u32], mut of: u32) -> u32 {
    while roots[of as usize] != of {
        roots[of as usize] = roots[roots[of as usize] as usize];
        of = roots[of as usize];
    }
    of
}

/// A number for each particle, to be set by many threads.
pub(super) struct Column(Vec<AtomicU32>);

impl Column {
    pub fn new(n: usize, value: impl Fn(u32) -> u32) -> Self {
        Self((0..n as u32).map(|i| AtomicU32::new(value(i))).collect())
    }

    pub fn set(&self, particle: u32, value: u32) {
        self.0[particle as usize].store(value, Ordering::Relaxed);
    }

    pub fn into_vec(self) -> Vec<u32> {
        self.0.into_iter().map(AtomicU32::into_inner).collect()
    }
}

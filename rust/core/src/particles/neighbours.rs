//! How far the nearest neighbour is, and which particles hang together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Members;
use super::cells::Cells;
use super::grid::Key;

/// How far apart the points of a group would be on a lattice that fills what holds them.
pub(super) fn spacing<const D: usize>(points: &[[f64; D]], members: Members) -> f64 {
    let (mut low, mut high) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
    for particle in members.iter() {
        for axis in 0..D {
            low[axis] = low[axis].min(points[particle as usize][axis]);
            high[axis] = high[axis].max(points[particle as usize][axis]);
        }
    }
    let sides = (0..D).map(|axis| high[axis] - low[axis]).filter(|&side| side > 0.0);
    let (volume, dimensions) = sides.fold((1.0, 0), |(volume, dimensions), side| (volume * side, dimensions + 1));
    if dimensions == 0 { 0.0 } else { (volume / members.len() as f64).powf(1.0 / f64::from(dimensions)) }
}

/// Notes (as bits of an `f32`) the distance of the nearest other particle for those that have one within the separation, or of any that is
/// near `enough`; those for which one is noted already are left out.
pub(super) fn nearest<K: Key, const D: usize>(cells: &Cells<K, D>, enough: f64, found: &Column) {
    cells.filter(&cells.crowded(), |cell, around| {
        for point in cells.range(cell) {
            if f32::from_bits(found.get(cells.particles[point])).is_finite() {
                continue;
            }
            let mut least = f64::INFINITY;
            let others = std::iter::once(&cell).chain(around).flat_map(|&cell| cells.range(cell));
            for distance in others.filter(|&other| other != point).filter_map(|other| cells.near(point, other)) {
                least = least.min(distance);
                if least <= enough * enough {
                    break;
                }
            }
            if least.is_finite() {
                found.set(cells.particles[point], (least.sqrt() as f32).to_bits());
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

    pub fn get(&self, particle: u32) -> u32 {
        self.0[particle as usize].load(Ordering::Relaxed)
    }

    pub fn into_vec(self) -> Vec<u32> {
        self.0.into_iter().map(AtomicU32::into_inner).collect()
    }
}

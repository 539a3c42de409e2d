//! Number of particles of one source that are close to one of another.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Particles;
use super::equal::EqualCoordinates;
use super::ranking::Ranking;
use super::trees::{each_group, each_tree};
use crate::{Error, Monitor, Result};

/// Sets of sources are the bits of one word.
const MAX_SOURCES: usize = 64;

/// Counts, row-major (`n_sources`, `n_sources`).
struct Table {
    n_sources: usize,
    counts: Vec<AtomicU64>,
}

/// Counts the particles of each source that have another particle, of each source, within `min_separation`: row-major
/// (`n_sources`, `n_sources`); the first index is the source of the particles counted. `sources`: the source of each particle, (n,).
///
/// Time O(n log n) for any arrangement of the points.
///
/// # Errors
/// As [`super::deduplicate`]; also for more than 64 sources.
pub fn overlaps(particles: &Particles, sources: &[u32], n_sources: usize, min_separation: f64, monitor: &Monitor) -> Result<Vec<u64>> {
    particles.check(min_separation)?;
    if n_sources > MAX_SOURCES {
        return Err(Error::parameter("sources", n_sources, format!("at most {MAX_SOURCES}")));
    }
    if sources.len() != particles.len() || sources.iter().any(|&source| source as usize >= n_sources) {
        return Err(Error::parameter(
            "sources",
            "other numbers",
            format!("one below {n_sources} for each of {} particles", particles.len()),
        ));
    }
    let table = Table { n_sources, counts: (0..n_sources * n_sources).map(|_| AtomicU64::new(0)).collect() };
    if min_separation == 0.0 {
        let ranking = Ranking::new(None, None);
        each_group(particles, monitor, |members| {
            EqualCoordinates::new(particles, &ranking, members).for_each(|equal| table.count_equal(equal, sources));
            Ok(())
        })?;
    } else if particles.dimensions == 2 {
        table.count_near::<2>(particles, sources, min_separation, monitor)?;
    } else {
        table.count_near::<3>(particles, sources, min_separation, monitor)?;
    }
    Ok(table.counts.into_iter().map(AtomicU64::into_inner).collect())
}

impl Table {
    /// Counts a particle by the sources of those close to it.
    fn count(&self, source: u32, mut others: u64) {
        while others != 0 {
            let other = others.trailing_zeros() as usize;
            self.counts[source as usize * self.n_sources + other].fetch_add(1, Relaxed);
            others &= others - 1;
        }
    }

    fn count_equal(&self, equal: &[u32], sources: &[u32]) {
        let bit = |particle: u32| 1_u64 << sources[particle as usize];
        let (once, twice) = equal.iter().fold((0, 0), |(once, twice), &particle| (once | bit(particle), twice | once & bit(particle)));
        equal.iter().for_each(|&particle| self.count(sources[particle as usize], once & !bit(particle) | twice));
    }

    fn count_near<const D: usize>(&self, particles: &Particles, sources: &[u32], separation: f64, monitor: &Monitor) -> Result<()> {
        each_tree::<D>(particles, monitor, |tree| {
            let source = |position: usize| sources[tree.id(position) as usize];
            let met = tree.colors_near(separation * separation, |position| 1 << source(position), monitor)?;
            met.into_iter().enumerate().for_each(|(position, others)| self.count(source(position), others));
            Ok(())
        })
    }
}

//! Which particles are duplicates, and which of them stay.
//!
//! Two particles of a group (a micrograph, a tomogram) are duplicates when their distance is at most the minimum separation. The kept
//! ones are found greedily, from the best to the worst: keep a particle unless an already kept one is within the separation. So no two
//! kept ones are duplicates, and every rejected one has a kept one within the separation that is at least as good.

mod cells;
mod coincident;
mod goodness;
mod grid;
mod groups;
mod halves;
mod listing;
mod neighbours;
mod overlap;
mod select;
mod sort;

pub use halves::HalfPairs;
pub use listing::{Listing, write_listing};

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::{Error, Monitor, Result};
use cells::AnyCells;
use goodness::Goodness;
use groups::{Groups, Members};
use neighbours::Column;

/// Groups of at least this many points are searched by all threads together, smaller ones by one thread each.
const LARGE: usize = 50_000;

/// The particles, as borrowed columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Particles<'a> {
    /// Coordinates, row-major (n, `dimensions`), in the unit of the separation.
    pub coordinates: &'a [f64],
    /// 2 or 3; for a separation of 0 any number of columns that have to be equal.
    pub dimensions: usize,
    /// The group of each particle, 0 to some number not much larger than n; none: all are of one group.
    pub groups: Option<&'a [u32]>,
    /// Higher is better, NaN is worst; none: an earlier particle is better.
    pub scores: Option<&'a [f64]>,
    /// Goes before the score: lower is better.
    pub priority: Option<&'a [u32]>,
}

/// What becomes of particles that have duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The best stays (see the module's text).
    KeepBest,
    /// None stays.
    RemoveEntirely,
}

impl Particles<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.coordinates.len() / self.dimensions.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    fn check(&self, min_separation: f64) -> Result<()> {
        if !(min_separation >= 0.0 && min_separation.is_finite()) {
            return Err(Error::input(format!("minimum separation: found {min_separation}, expected a finite number, 0 or more")));
        }
        let n = self.len();
        if self.dimensions == 0 || self.coordinates.len() != n * self.dimensions {
            return Err(Error::input(format!(
                "coordinates: found {} values, expected a multiple of {} columns",
                self.coordinates.len(),
                self.dimensions
            )));
        }
        if n > i32::MAX as usize {
            return Err(Error::input(format!("found {n} particles, expected at most {}", i32::MAX)));
        }
        for (what, length) in
            [("groups", self.groups.map(<[_]>::len)), ("scores", self.scores.map(<[_]>::len)), ("priority", self.priority.map(<[_]>::len))]
        {
            if length.is_some_and(|length| length != n) {
                return Err(Error::input(format!("{what}: found {} values, expected {n}, one a particle", length.unwrap_or(0))));
            }
        }
        if self.coordinates.par_chunks(1 << 16).all(|values| values.iter().all(|value| value.is_finite())) {
            return Ok(());
        }
        let bad = self.coordinates.iter().position(|value| !value.is_finite()).unwrap_or(0);
        let (particle, axis) = (bad / self.dimensions, bad % self.dimensions);
        Err(Error::input(format!("particle {particle}: coordinate {axis} is {}, expected a finite number", self.coordinates[bad])))
    }
}

/// Runs a job on the cells of every group, whatever the dimensions and the width of their keys.
macro_rules! each_cells {
    ($particles:expr, $goodness:expr, $separation:expr, $monitor:expr, |$cells:ident| $job:expr) => {
        if $particles.dimensions == 2 {
            each_cells!(@of 2, $particles, $goodness, $separation, $monitor, |$cells| $job)
        } else {
            each_cells!(@of 3, $particles, $goodness, $separation, $monitor, |$cells| $job)
        }
    };
    (@of $dimensions:literal, $particles:expr, $goodness:expr, $separation:expr, $monitor:expr, |$cells:ident| $job:expr) => {{
        let points = as_points::<$dimensions>($particles)?;
        each_group($particles, $monitor, |members, parallel| {
            match AnyCells::build(points, $goodness, members, $separation, parallel)? {
                AnyCells::Narrow(ref $cells) => $job,
                AnyCells::Wide(ref $cells) => $job,
            }
            Ok(())
        })?
    }};
}

/// For each particle its own index if it is kept, else the index of a particle it duplicates.
///
/// With [`Rule::KeepBest`] that is the nearest of the kept ones that are better and within `min_separation`; with
/// [`Rule::RemoveEntirely`] another particle within it. A separation of 0 means equal coordinates. The result is the same for any number
/// of threads, and within a group depends on nothing outside it.
///
/// Time O(n log n) for any arrangement of the points, ties and all; no list of pairs is made.
///
/// # Errors
/// [`Error::Input`]: separation negative or not finite, a coordinate not finite, columns of different lengths, a separation so small that
/// the extent of a group is more than 2^42 times it.
pub fn deduplicate(particles: &Particles, min_separation: f64, rule: Rule, monitor: &Monitor) -> Result<Vec<u32>> {
    particles.check(min_separation)?;
    let duplicate_of = Column::new(particles.len(), |particle| particle);
    let goodness = Goodness::new(particles.priority, particles.scores);
    let set = |particle: u32, of: u32| duplicate_of.set(particle, of);
    if min_separation == 0.0 {
        each_group(particles, monitor, |members, parallel| {
            let classes = coincident::Classes::new(particles, &goodness, members, parallel);
            classes.for_each(|class| match (rule, class) {
                (Rule::RemoveEntirely, [best, second, ..]) => {
                    set(*best, *second);
                    class[1..].iter().for_each(|&particle| set(particle, *best));
                }
                (Rule::KeepBest, [best, rest @ ..]) => rest.iter().for_each(|&particle| set(particle, *best)),
                _ => {}
            });
            Ok(())
        })?;
    } else {
        each_cells!(particles, &goodness, min_separation, monitor, |cells| match rule {
            Rule::KeepBest => select::keep_best(cells, &set),
            Rule::RemoveEntirely => select::remove_entirely(cells, &set),
        });
    }
    Ok(duplicate_of.into_vec())
}

/// How many particles of each source have one of each source within `min_separation`, itself not counted: row-major
/// (`n_sources`, `n_sources`), the first index that of the particles counted.
///
/// # Errors
/// As [`deduplicate`]; more than 64 sources.
pub fn overlaps(particles: &Particles, sources: &[u32], n_sources: usize, min_separation: f64, monitor: &Monitor) -> Result<Vec<u64>> {
    particles.check(min_separation)?;
    if n_sources > 64 {
        return Err(Error::input(format!("found {n_sources} sources, expected at most 64")));
    }
    if sources.len() != particles.len() || sources.iter().any(|&source| source as usize >= n_sources) {
        return Err(Error::input(format!("sources: expected one number below {n_sources} for each of {} particles", particles.len())));
    }
    let goodness = Goodness::new(None, None);
    let table = overlap::Table::new(n_sources);
    if min_separation == 0.0 {
        each_group(particles, monitor, |members, parallel| {
            table.count_classes(&coincident::Classes::new(particles, &goodness, members, parallel), sources);
            Ok(())
        })?;
    } else {
        each_cells!(particles, &goodness, min_separation, monitor, |cells| table.count_near(cells, sources));
    }
    Ok(table.into_counts())
}

/// For each particle the distance of the nearest other one of its group, if that is within `reach`, else infinite. One that is near `enough`
/// is taken for the nearest: in dense clumps that saves looking at all.
///
/// # Errors
/// As [`deduplicate`]; a reach of 0.
pub fn nearest(particles: &Particles, reach: f64, enough: f64, monitor: &Monitor) -> Result<Vec<f32>> {
    particles.check(reach)?;
    if reach <= 0.0 {
        return Err(Error::input(format!("reach: found {reach}, expected more than 0")));
    }
    let found = match particles.dimensions {
        2 => nearest_of::<2>(particles, reach, enough, monitor)?,
        _ => nearest_of::<3>(particles, reach, enough, monitor)?,
    };
    Ok(found.into_vec().into_iter().map(f32::from_bits).collect())
}

/// Looks in cells as wide as the points of a group are apart, then, for those that have found none, in ever wider ones.
fn nearest_of<const D: usize>(particles: &Particles, reach: f64, enough: f64, monitor: &Monitor) -> Result<Column> {
    let points = as_points::<D>(particles)?;
    let goodness = Goodness::new(None, None);
    let found = Column::new(particles.len(), |_| f32::INFINITY.to_bits());
    each_group(particles, monitor, |members, parallel| {
        let mut within = neighbours::spacing(points, members).clamp(reach / 1024.0, reach);
        loop {
            match AnyCells::build(points, &goodness, members, within, parallel) {
                Ok(AnyCells::Narrow(cells)) => neighbours::nearest(&cells, enough, &found),
                Ok(AnyCells::Wide(cells)) => neighbours::nearest(&cells, enough, &found),
                Err(error) if within >= reach => return Err(error),
                Err(_) => {} // too many cells for such an extent
            }
            if within >= reach || members.iter().all(|particle| f32::from_bits(found.get(particle)).is_finite()) {
                return Ok(());
            }
            within = (2.0 * within).min(reach);
        }
    })?;
    Ok(found)
}

/// How many pairs of particles within `separation` are in one half-set, and across the two; `halves`: 1, 2, or 0 for neither.
///
/// # Errors
/// As [`deduplicate`]; a separation of 0; other halves.
///
/// # Panics
/// Never: no thread panics while it holds the lock.
pub fn half_pairs(particles: &Particles, halves: &[u8], separation: f64, monitor: &Monitor) -> Result<HalfPairs> {
    particles.check(separation)?;
    if separation <= 0.0 || halves.len() != particles.len() || halves.iter().any(|&half| half > 2) {
        let n = particles.len();
        return Err(Error::input(format!("half-sets: expected a separation above 0 and a number of 0 to 2 for each of {n} particles")));
    }
    let total = Mutex::new(HalfPairs::default());
    each_cells!(particles, &Goodness::new(None, None), separation, monitor, |cells| {
        let found = halves::count(cells, halves);
        *total.lock().expect("no thread panics with it") += found;
    });
    Ok(total.into_inner().expect("no thread panics with it"))
}

/// For each particle the best of those that it is connected with by steps of at most `separation`, which may be itself.
///
/// # Errors
/// As [`deduplicate`].
pub fn components(particles: &Particles, separation: f64, monitor: &Monitor) -> Result<Vec<u32>> {
    if separation == 0.0 {
        return deduplicate(particles, separation, Rule::KeepBest, monitor);
    }
    particles.check(separation)?;
    let best = Column::new(particles.len(), |particle| particle);
    let set = |particle: u32, of: u32| best.set(particle, of);
    let goodness = Goodness::new(particles.priority, particles.scores);
    each_cells!(particles, &goodness, separation, monitor, |cells| neighbours::components(cells, &set));
    Ok(best.into_vec())
}

/// How many particles stay ([`Rule::KeepBest`]) at each of some separations; all are tried on a group while it is at hand.
///
/// # Errors
/// As [`deduplicate`].
pub fn kept_at(particles: &Particles, separations: &[f64], monitor: &Monitor) -> Result<Vec<u64>> {
    let (positive, equal): (Vec<f64>, Vec<f64>) = separations.iter().partition(|&&separation| separation != 0.0);
    for &separation in separations {
        particles.check(separation)?;
    }
    let rejected = match particles.dimensions {
        2 => rejected_at::<2>(particles, &positive, monitor)?,
        _ => rejected_at::<3>(particles, &positive, monitor)?,
    };
    let mut rejected = rejected.into_iter();
    let of_equal = match equal.first() {
        Some(&separation) => {
            let of = deduplicate(particles, separation, Rule::KeepBest, monitor)?;
            of.iter().enumerate().filter(|&(i, &of)| i as u32 != of).count() as u64
        }
        None => 0,
    };
    let n = particles.len() as u64;
    Ok(separations.iter().map(|&separation| n - if separation == 0.0 { of_equal } else { rejected.next().unwrap_or(0) }).collect())
}

fn rejected_at<const D: usize>(particles: &Particles, separations: &[f64], monitor: &Monitor) -> Result<Vec<u64>> {
    let goodness = Goodness::new(particles.priority, particles.scores);
    let points = as_points::<D>(particles)?;
    let totals: Vec<AtomicU64> = separations.iter().map(|_| AtomicU64::new(0)).collect();
    each_group(particles, monitor, |members, parallel| {
        for (&separation, total) in separations.iter().zip(&totals) {
            let count = AtomicU64::new(0);
            let set = |_: u32, _: u32| {
                count.fetch_add(1, Ordering::Relaxed);
            };
            match AnyCells::build(points, &goodness, members, separation, parallel)? {
                AnyCells::Narrow(cells) => select::keep_best(&cells, &set),
                AnyCells::Wide(cells) => select::keep_best(&cells, &set),
            }
            total.fetch_add(count.into_inner(), Ordering::Relaxed);
            monitor.advance(0)?;
        }
        Ok(())
    })?;
    Ok(totals.into_iter().map(AtomicU64::into_inner).collect())
}

fn as_points<'a, const D: usize>(particles: &Particles<'a>) -> Result<&'a [[f64; D]]> {
    match particles.coordinates.as_chunks::<D>() {
        (points, []) if particles.dimensions == D => Ok(points),
        _ => Err(Error::input(format!("coordinates: found {} columns, expected 2 or 3", particles.dimensions))),
    }
}

/// Calls `job` with every group: the small ones in parallel, then the large ones one after the other, each told to use all threads itself.
fn each_group(particles: &Particles, monitor: &Monitor, job: impl Fn(Members, bool) -> Result<()> + Sync) -> Result<()> {
    let groups = Groups::new(particles.groups, particles.len());
    groups.par_iter().filter(|members| members.len() < LARGE).try_for_each(|members| {
        let points = members.len() as u64;
        job(members, false)?;
        monitor.advance(points)
    })?;
    groups.iter().filter(|members| members.len() >= LARGE).try_for_each(|members| {
        let points = members.len() as u64;
        job(members, true)?;
        monitor.advance(points)
    })
}

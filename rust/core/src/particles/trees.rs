//! The tree of each group: built once, used, and freed before the thread builds the next.

use rayon::prelude::*;

use super::Particles;
use super::groups::{Groups, Members, dense};
use super::shuffled::{Run, Shuffled};
use crate::kdtree::{Builder, LARGE, Tree};
use crate::{Error, Monitor, Result};

/// Large groups are given to one thread each if all threads have at least so many of them.
const GROUPS_EACH: usize = 4;

/// Whether all threads share a group of this many of the `n` particles: it is large, and with one thread for it others would have to wait.
fn is_shared(len: usize, n: usize) -> bool {
    len >= LARGE && len * GROUPS_EACH * rayon::current_num_threads() > n
}

/// Calls `job` with every group: small ones in parallel, then large ones one after the other, each with all threads.
pub(super) fn each_group(particles: &Particles, monitor: &Monitor, job: impl Fn(Members) -> Result<()> + Sync) -> Result<()> {
    let dense = particles.groups.map(dense);
    let groups = Groups::new(dense.as_deref(), particles.len());
    let run = |members: Members| {
        job(members)?;
        monitor.advance(members.len() as u64)
    };
    let is_shared = |members: &Members| is_shared(members.len(), particles.len());
    groups.par_iter().filter(|members| !is_shared(members)).try_for_each(run)?;
    groups.iter().filter(is_shared).try_for_each(run)
}

/// Calls `job` with the tree of every group, as [`each_group`]; its points are numbered by particle.
pub(super) fn each_tree<const D: usize>(
    particles: &Particles,
    monitor: &Monitor,
    job: impl Fn(&mut Tree<D>) -> Result<()> + Sync,
) -> Result<()> {
    let (points, rest) = particles.coordinates.as_chunks::<D>();
    if particles.dimensions != D || !rest.is_empty() {
        return Err(Error::parameter("coordinates", format!("{} columns", particles.dimensions), "2 or 3"));
    }
    let dense = particles.groups.map(dense);
    match Groups::sorted(dense.as_deref(), particles.len()) {
        Some(groups) => each_sorted_tree(points, &groups, monitor, job),
        None => each_shuffled_tree(points, dense.as_deref().unwrap_or_default(), monitor, job),
    }
}

fn each_sorted_tree<const D: usize>(
    points: &[[f64; D]],
    groups: &Groups,
    monitor: &Monitor,
    job: impl Fn(&mut Tree<D>) -> Result<()> + Sync,
) -> Result<()> {
    let point = |particle: u32| (points[particle as usize], particle);
    let is_shared = |members: &Members| is_shared(members.len(), points.len());
    groups.par_iter().filter(|members| !is_shared(members)).try_for_each_init(Builder::default, |builder, members| {
        job(builder.build(members.iter().map(point)))?;
        monitor.advance(members.len() as u64)
    })?;
    groups.iter().filter(is_shared).try_for_each(|members| {
        job(&mut Tree::build_large(members.len(), |i| point(members.get(i as u32)), monitor)?)?;
        monitor.advance(members.len() as u64)
    })
}

fn each_shuffled_tree<const D: usize>(
    points: &[[f64; D]],
    groups: &[u32],
    monitor: &Monitor,
    job: impl Fn(&mut Tree<D>) -> Result<()> + Sync,
) -> Result<()> {
    let shuffled = Shuffled::new(points, groups);
    monitor.advance(0)?;
    (0..shuffled.runs).into_par_iter().try_for_each_init(Default::default, |(builder, run): &mut (Builder<D>, Run<D>), number| {
        shuffled.each_group(number, run, |records| {
            if is_shared(records.len(), points.len()) {
                job(&mut Tree::build_large(records.len(), |i| (records[i].point, records[i].particle), monitor)?)?;
            } else {
                job(builder.build(records.iter().map(|record| (record.point, record.particle))))?;
            }
            monitor.advance(records.len() as u64)
        })
    })
}

/// Calls `job` with spans of the numbers below `n`, with all threads if there are many.
pub(super) fn each_span(n: usize, monitor: &Monitor, job: impl Fn(std::ops::Range<usize>) + Sync + Send) -> Result<()> {
    const SPAN: usize = 4096;
    if n < LARGE {
        job(0..n);
        return Ok(());
    }
    (0..n.div_ceil(SPAN)).into_par_iter().try_for_each(|span| {
        job(span * SPAN..n.min((span + 1) * SPAN));
        monitor.advance(0)
    })
}

//! The tree of each group: built once, used, and freed before the thread builds the next.

use rayon::prelude::*;

use super::Particles;
use super::groups::{Groups, Members};
use super::shuffled::{Run, Shuffled};
use crate::kdtree::{Builder, LARGE, Tree};
use crate::{Error, Monitor, Result};

/// Calls `job` with every group: small ones in parallel, then large ones one after the other, each with all threads.
pub(super) fn each_group(particles: &Particles, monitor: &Monitor, job: impl Fn(Members) -> Result<()> + Sync) -> Result<()> {
    let groups = Groups::new(particles.groups, particles.len());
    let run = |members: Members| {
        job(members)?;
        monitor.advance(members.len() as u64)
    };
    groups.par_iter().filter(|members| members.len() < LARGE).try_for_each(run)?;
    groups.iter().filter(|members| members.len() >= LARGE).try_for_each(run)
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
    match Groups::sorted(particles.groups, particles.len()) {
        Some(groups) => each_sorted_tree(points, &groups, monitor, job),
        None => each_shuffled_tree(points, particles.groups.unwrap_or_default(), monitor, job),
    }
}

fn each_sorted_tree<const D: usize>(
    points: &[[f64; D]],
    groups: &Groups,
    monitor: &Monitor,
    job: impl Fn(&mut Tree<D>) -> Result<()> + Sync,
) -> Result<()> {
    let point = |particle: u32| (points[particle as usize], particle);
    groups.par_iter().filter(|members| members.len() < LARGE).try_for_each_init(Builder::default, |builder, members| {
        job(builder.build(members.iter().map(point)))?;
        monitor.advance(members.len() as u64)
    })?;
    groups.iter().filter(|members| members.len() >= LARGE).try_for_each(|members| {
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
            if records.len() < LARGE {
                job(builder.build(records.iter().map(|record| (record.point, record.particle))))?;
            } else {
                job(&mut Tree::build_large(records.len(), |i| (records[i].point, records[i].particle), monitor)?)?;
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

//! The distance of the nearest other particle.

use super::Particles;
use super::column::Column;
use super::trees::{each_span, each_tree};
use crate::{Error, Monitor, Result};

/// Measures for each particle the distance of the nearest other one in its group; infinity if none is within `reach`; (n,).
///
/// Time O(n log n) for any arrangement of the points.
///
/// # Errors
/// As [`super::deduplicate`]; also for a reach of 0.
pub fn nearest(particles: &Particles, reach: f64, monitor: &Monitor) -> Result<Vec<f32>> {
    particles.check(reach)?;
    if reach <= 0.0 {
        return Err(Error::parameter("reach", reach, "more than 0"));
    }
    let found = Column::new(particles.len(), |_| f32::INFINITY.to_bits());
    match particles.dimensions {
        2 => nearest_of::<2>(particles, reach * reach, &found, monitor)?,
        _ => nearest_of::<3>(particles, reach * reach, &found, monitor)?,
    }
    Ok(found.into_vec().into_iter().map(f32::from_bits).collect())
}

fn nearest_of<const D: usize>(particles: &Particles, limit: f64, found: &Column, monitor: &Monitor) -> Result<()> {
    each_tree::<D>(particles, monitor, |tree| {
        let tree = &*tree;
        each_span(tree.len(), monitor, |span| {
            for position in span {
                if let Some((squared, _)) = tree.nearest(position, limit, |_| ()) {
                    found.set(tree.id(position), (squared.sqrt() as f32).to_bits());
                }
            }
        })
    })
}

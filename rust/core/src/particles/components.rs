//! Components of particles connected by chains of duplicates.

use super::Particles;
use super::column::Column;
use super::deduplicate::{Rule, duplicate_of};
use super::ranking::Ranking;
use super::trees::each_tree;
use crate::{Monitor, Result};

/// Finds for each particle the best of those connected with it by steps of at most `separation`, which may be itself; (n,).
///
/// Time O(n log n) for any arrangement of the points.
///
/// # Errors
/// As [`super::deduplicate`].
pub fn components(particles: &Particles, separation: f64, monitor: &Monitor) -> Result<Vec<u32>> {
    if separation == 0.0 {
        return duplicate_of(particles, separation, Rule::KeepBest, monitor);
    }
    particles.check(separation)?;
    let best = Column::new(particles.len(), |particle| particle);
    let ranking = Ranking::new(particles.priority, particles.scores);
    match particles.dimensions {
        2 => best_of::<2>(particles, separation * separation, &ranking, &best, monitor)?,
        _ => best_of::<3>(particles, separation * separation, &ranking, &best, monitor)?,
    }
    Ok(best.into_vec())
}

fn best_of<const D: usize>(particles: &Particles, limit: f64, ranking: &Ranking, best: &Column, monitor: &Monitor) -> Result<()> {
    each_tree::<D>(particles, monitor, |tree| {
        let sets = tree.connect(limit, monitor)?;
        let mut best_of: Vec<u32> = tree.ids().to_vec();
        for (position, &particle) in tree.ids().iter().enumerate() {
            let of_set = &mut best_of[sets.root(position as u32) as usize];
            if ranking.rank(particle) < ranking.rank(*of_set) {
                *of_set = particle;
            }
        }
        for (position, &particle) in tree.ids().iter().enumerate() {
            best.set(particle, best_of[sets.root(position as u32) as usize]);
        }
        Ok(())
    })
}

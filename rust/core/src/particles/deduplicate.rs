//! Which particles are rejected, and which ones they duplicate.

use rayon::prelude::*;

use super::Particles;
use super::column::Column;
use super::equal::EqualCoordinates;
use super::greedy::keep_best;
use super::ranking::Ranking;
use super::trees::{each_group, each_span, each_tree};
use crate::kdtree::Tree;
use crate::{Monitor, Result};

/// The treatment of particles that have duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The best one is kept, see [`super`].
    KeepBest,
    /// None is kept.
    RemoveEntirely,
}

/// The kept ones of n particles, and the m rejected ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Duplicates {
    /// Whether each particle is kept, (n,).
    pub kept: Vec<bool>,
    /// The indices of the rejected particles, ascending, (m,).
    pub rejected: Vec<i64>,
    /// The index of a particle that each rejected one duplicates, (m,).
    pub duplicate_of: Vec<i64>,
    /// The distance to that particle, in the unit of the coordinates, (m,).
    pub distances: Vec<f64>,
}

/// Finds the particles that are duplicates.
///
/// With [`Rule::KeepBest`] a rejected particle duplicates the nearest of the kept ones that are better and within `min_separation`; with
/// [`Rule::RemoveEntirely`] the nearest other one within it. Of several at one distance it is the best. A separation of 0 means
/// equal coordinates. The result is the same for any number of threads, and within a group depends on nothing outside it.
///
/// Time O(n log n) for any arrangement of the points, ties and all; no list of pairs is made.
///
/// # Errors
/// [`crate::Error::Parameter`]: separation negative or not finite, a coordinate not finite, columns of different lengths, neither 2 nor 3
/// dimensions (unless the separation is 0). [`crate::Error::Interrupted`].
pub fn deduplicate(particles: &Particles, min_separation: f64, rule: Rule, monitor: &Monitor) -> Result<Duplicates> {
    let dimensions = particles.dimensions;
    let point = |i: usize| &particles.coordinates[i * dimensions..(i + 1) * dimensions];
    let distance = |i: usize, of: usize| point(i).iter().zip(point(of)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    Ok(Duplicates::new(&duplicate_of(particles, min_separation, rule, monitor)?, distance))
}

/// For each particle its own index if it is kept, else that of the particle it duplicates.
pub(super) fn duplicate_of(particles: &Particles, min_separation: f64, rule: Rule, monitor: &Monitor) -> Result<Vec<u32>> {
    particles.check(min_separation)?;
    let duplicate_of = Column::new(particles.len(), |particle| particle);
    let ranking = Ranking::new(particles.priority, particles.scores);
    let limit = min_separation * min_separation;
    if min_separation == 0.0 {
        each_group(particles, monitor, |members| {
            EqualCoordinates::new(particles, &ranking, members).for_each(|equal| of_equal(rule, equal, &duplicate_of));
            Ok(())
        })?;
    } else if particles.dimensions == 2 {
        each_tree::<2>(particles, monitor, |tree| of_near(rule, tree, limit, &ranking, &duplicate_of, monitor))?;
    } else {
        each_tree::<3>(particles, monitor, |tree| of_near(rule, tree, limit, &ranking, &duplicate_of, monitor))?;
    }
    Ok(duplicate_of.into_vec())
}

fn of_equal(rule: Rule, equal: &[u32], duplicate_of: &Column) {
    let [best, rest @ ..] = equal else { return };
    rest.iter().for_each(|&particle| duplicate_of.set(particle, *best));
    if let (Rule::RemoveEntirely, [second, ..]) = (rule, rest) {
        duplicate_of.set(*best, *second);
    }
}

fn of_near<const D: usize>(
    rule: Rule,
    tree: &mut Tree<D>,
    limit: f64,
    ranking: &Ranking,
    duplicate_of: &Column,
    monitor: &Monitor,
) -> Result<()> {
    match rule {
        Rule::KeepBest => keep_best(tree, limit, ranking, monitor, &|particle, of| duplicate_of.set(particle, of)),
        Rule::RemoveEntirely => remove_entirely(tree, limit, ranking, duplicate_of, monitor),
    }
}

/// Sets the nearest duplicate of every particle that has one.
fn remove_entirely<const D: usize>(
    tree: &mut Tree<D>,
    limit: f64,
    ranking: &Ranking,
    duplicate_of: &Column,
    monitor: &Monitor,
) -> Result<()> {
    let with_neighbor = tree.with_neighbor(limit, monitor)?;
    tree.sort_repeated(|particle| ranking.rank(particle));
    let tree = &*tree;
    each_span(with_neighbor.len(), monitor, |span| {
        for &position in &with_neighbor[span] {
            if let Some((_, other)) = tree.nearest(position as usize, limit, |other| ranking.rank(tree.id(other))) {
                duplicate_of.set(tree.id(position as usize), tree.id(other));
            }
        }
    })
}

impl Duplicates {
    /// `duplicate_of`: for each particle its own index if it is kept.
    pub(super) fn new(duplicate_of: &[u32], distance: impl Fn(usize, usize) -> f64 + Sync) -> Self {
        let kept: Vec<bool> = duplicate_of.par_iter().enumerate().map(|(i, &of)| i as u32 == of).collect();
        let rejected: Vec<i64> = (0..kept.len()).into_par_iter().filter(|&i| !kept[i]).map(|i| i as i64).collect();
        let of: Vec<i64> = rejected.par_iter().map(|&i| i64::from(duplicate_of[i as usize])).collect();
        let distances = rejected.par_iter().zip(&of).map(|(&i, &of)| distance(i as usize, of as usize)).collect();
        Self { kept, rejected, duplicate_of: of, distances }
    }
}

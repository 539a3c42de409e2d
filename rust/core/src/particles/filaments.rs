//! Filaments that are given by their two ends.

use std::collections::HashMap;

use super::Particles;
use super::column::Column;
use super::deduplicate::{Duplicates, Rule};
use super::ranking::Ranking;
use super::trees::each_group;
use crate::{Error, Monitor, Result};

/// Finds the filaments that are duplicates: both ends of one are within `min_separation` of the ends of the other, in either order.
///
/// `particles` holds the middles, in two dimensions, and `half_vectors` (n, 2) what leads from a middle to one of the ends. Otherwise as
/// [`super::deduplicate`]; the distance of two filaments is the larger one of their ends.
///
/// Filaments are looked up by their middles, which lie within the separation, too: time O(n k), where k filaments have their middles within
/// about the separation of one. With [`Rule::KeepBest`] only kept ones count.
///
/// # Errors
/// As [`super::deduplicate`]; other than two dimensions, vectors of another number, or that are not finite.
pub fn deduplicate_filaments(
    particles: &Particles,
    half_vectors: &[f64],
    min_separation: f64,
    rule: Rule,
    monitor: &Monitor,
) -> Result<Duplicates> {
    particles.check(min_separation)?;
    if particles.dimensions != 2 || half_vectors.len() != particles.coordinates.len() {
        let found = format!("{} values, {} dimensions", half_vectors.len(), particles.dimensions);
        return Err(Error::parameter("half vectors", found, format!("{} values, 2 dimensions", particles.coordinates.len())));
    }
    if let Some(bad) = half_vectors.iter().find(|value| !value.is_finite()) {
        return Err(Error::parameter("half vectors", bad, "finite numbers"));
    }
    let filaments = Filaments { middles: particles.coordinates, half_vectors };
    let ranking = Ranking::new(particles.priority, particles.scores);
    let duplicate_of = Column::new(particles.len(), |particle| particle);
    each_group(particles, monitor, |members| {
        let mut best_first: Vec<u32> = members.iter().collect();
        best_first.sort_unstable_by_key(|&filament| ranking.rank(filament));
        let mut grid = Grid { filaments: &filaments, limit: min_separation, cells: HashMap::new() };
        if rule == Rule::RemoveEntirely {
            best_first.iter().for_each(|&filament| grid.insert(filament));
        }
        for &filament in &best_first {
            match grid.nearest(filament, &ranking) {
                Some(other) => duplicate_of.set(filament, other),
                None if rule == Rule::KeepBest => grid.insert(filament),
                None => {}
            }
        }
        Ok(())
    })?;
    Ok(Duplicates::new(&duplicate_of.into_vec(), |one, other| filaments.distance(one as u32, other as u32)))
}

struct Filaments<'a> {
    middles: &'a [f64],
    half_vectors: &'a [f64],
}

impl Filaments<'_> {
    fn middle(&self, filament: u32) -> [f64; 2] {
        let at = 2 * filament as usize;
        [self.middles[at], self.middles[at + 1]]
    }

    /// The larger distance of two ends, in the order in which it is smaller.
    fn distance(&self, one: u32, other: u32) -> f64 {
        let ([x, y], [other_x, other_y]) = (self.middle(one), self.middle(other));
        let (at, by) = (2 * one as usize, 2 * other as usize);
        let (dx, dy) = (x - other_x, y - other_y);
        let of_order = |sign: f64| {
            let hx = self.half_vectors[at] - sign * self.half_vectors[by];
            let hy = self.half_vectors[at + 1] - sign * self.half_vectors[by + 1];
            (dx + hx).hypot(dy + hy).max((dx - hx).hypot(dy - hy))
        };
        of_order(1.0).min(of_order(-1.0))
    }
}

/// Filaments in square cells of their middles, whose side is the separation.
struct Grid<'a> {
    filaments: &'a Filaments<'a>,
    limit: f64,
    cells: HashMap<(i64, i64), Vec<u32>>,
}

impl Grid<'_> {
    fn cell(&self, filament: u32) -> (i64, i64) {
        let side = if self.limit > 0.0 { self.limit } else { 1.0 };
        let [x, y] = self.filaments.middle(filament).map(|value| (value / side).floor() as i64);
        (x, y)
    }

    fn insert(&mut self, filament: u32) {
        self.cells.entry(self.cell(filament)).or_default().push(filament);
    }

    /// The nearest other filament within the limit; of several at one distance the best.
    fn nearest(&self, filament: u32, ranking: &Ranking) -> Option<u32> {
        let (x, y) = self.cell(filament);
        let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (x.saturating_add(dx), y.saturating_add(dy))));
        let others = around.filter_map(|cell| self.cells.get(&cell)).flatten().filter(|&&other| other != filament);
        others
            .map(|&other| (self.filaments.distance(filament, other), other))
            .filter(|(distance, _)| *distance <= self.limit)
            .min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| ranking.rank(a.1).cmp(&ranking.rank(b.1))))
            .map(|(_, other)| other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ends: &[[f64; 4]], separation: f64, rule: Rule) -> Duplicates {
        let middles: Vec<f64> = ends.iter().flat_map(|[a, b, c, d]| [(a + c) / 2.0, (b + d) / 2.0]).collect();
        let halves: Vec<f64> = ends.iter().flat_map(|[a, b, c, d]| [(c - a) / 2.0, (d - b) / 2.0]).collect();
        let particles = Particles { coordinates: &middles, dimensions: 2, ..Particles::default() };
        deduplicate_filaments(&particles, &halves, separation, rule, &Monitor::default()).expect("filaments")
    }

    #[test]
    fn both_ends_have_to_be_near_in_either_order() {
        let ends = [
            [0.0, 0.0, 100.0, 0.0],
            [102.0, 0.0, 1.0, 0.0],    // the same, from the other end
            [0.0, 0.0, 60.0, 80.0],    // of one end in common
            [50.0, -50.0, 50.0, 50.0], // of one middle
        ];
        let duplicates = found(&ends, 5.0, Rule::KeepBest);
        assert_eq!(duplicates.kept, [true, false, true, true]);
        assert_eq!((duplicates.duplicate_of[0], duplicates.distances[0]), (0, 2.0));
        assert_eq!(found(&ends, 5.0, Rule::RemoveEntirely).kept, [false, false, true, true]);
        assert_eq!(found(&[[1.1, 2.3, 9.7, 4.4], [9.7, 4.4, 1.1, 2.3]], 0.0, Rule::KeepBest).kept, [true, false]);
    }

    #[test]
    fn the_kept_ones_are_those_of_a_plain_loop() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 % 60.0 - 20.0
        };
        let ends: Vec<[f64; 4]> = (0..300).map(|_| [next(), next(), next(), next()]).collect();
        for separation in [1.0, 8.0, 25.0] {
            let distance = |a: &[f64; 4], b: &[f64; 4]| {
                let far = |i: usize, j: usize| (a[i] - b[j]).hypot(a[i + 1] - b[j + 1]);
                far(0, 0).max(far(2, 2)).min(far(0, 2).max(far(2, 0)))
            };
            let mut kept: Vec<usize> = Vec::new();
            for i in 0..ends.len() {
                if kept.iter().all(|&k| distance(&ends[i], &ends[k]) > separation) {
                    kept.push(i);
                }
            }
            let found = found(&ends, separation, Rule::KeepBest);
            assert_eq!((0..ends.len()).filter(|&i| found.kept[i]).collect::<Vec<_>>(), kept, "{separation}");
        }
    }
}

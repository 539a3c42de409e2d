//! Number of particles kept at each of several separations.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Particles;
use super::deduplicate::{Rule, duplicate_of};
use super::greedy::count_rejected;
use super::ranking::Ranking;
use super::trees::each_tree;
use crate::kdtree::{Edge, Tree};
use crate::{Monitor, Result};

/// Number of separations treated at once: the bits of a word.
const AT_ONCE: usize = 64;
/// Maximum number of pairs per particle, within the largest separation, that are listed.
const PAIRS_EACH: usize = 24;

/// Number of particles kept ([`super::Rule::KeepBest`]) at each of some separations; all are tried on one group before the next.
///
/// # Errors
/// As [`super::deduplicate`].
pub fn kept_at(particles: &Particles, separations: &[f64], monitor: &Monitor) -> Result<Vec<u64>> {
    for &separation in separations {
        particles.check(separation)?;
    }
    let mut positive: Vec<f64> = separations.iter().copied().filter(|&separation| separation > 0.0).collect();
    positive.sort_unstable_by(f64::total_cmp);
    positive.dedup();
    let rejected = match particles.dimensions {
        2 => rejected_at::<2>(particles, &positive, monitor)?,
        _ => rejected_at::<3>(particles, &positive, monitor)?,
    };
    let of_equal = if positive.len() < separations.len() && separations.contains(&0.0) {
        let of = duplicate_of(particles, 0.0, Rule::KeepBest, monitor)?;
        of.iter().enumerate().filter(|&(i, &of)| i as u32 != of).count() as u64
    } else {
        0
    };
    let rejected_at = |&separation: &f64| match positive.binary_search_by(|other| other.total_cmp(&separation)) {
        Ok(at) => rejected[at],
        Err(_) => of_equal,
    };
    Ok(separations.iter().map(|separation| particles.len() as u64 - rejected_at(separation)).collect())
}

/// For separations above 0, ascending.
fn rejected_at<const D: usize>(particles: &Particles, separations: &[f64], monitor: &Monitor) -> Result<Vec<u64>> {
    let ranking = Ranking::new(particles.priority, particles.scores);
    let limits: Vec<f64> = separations.iter().map(|separation| separation * separation).collect();
    let totals: Vec<AtomicU64> = separations.iter().map(|_| AtomicU64::new(0)).collect();
    let Some(&largest) = limits.last() else { return Ok(Vec::new()) };
    each_tree::<D>(particles, monitor, |tree| {
        let Some(edges) = tree.edges(largest, PAIRS_EACH * tree.len(), monitor)? else {
            for (&limit, total) in limits.iter().zip(&totals) {
                total.fetch_add(count_rejected(tree, limit, &ranking, monitor)?, Relaxed);
            }
            return Ok(());
        };
        let better = Better::new(tree, &edges, &ranking);
        drop(edges);
        for (limits, totals) in limits.chunks(AT_ONCE).zip(totals.chunks(AT_ONCE)) {
            let counts = better.rejected(limits);
            totals.iter().zip(counts).for_each(|(total, count)| _ = total.fetch_add(count, Relaxed));
            monitor.advance(0)?;
        }
        Ok(())
    })?;
    Ok(totals.into_iter().map(AtomicU64::into_inner).collect())
}

/// For each point, from the best to the worst, the better ones close to it.
struct Better {
    starts: Vec<u32>,
    /// Places in that order, and squared distances.
    pairs: Vec<(u32, f64)>,
}

impl Better {
    fn new<const D: usize>(tree: &Tree<D>, edges: &[Edge], ranking: &Ranking) -> Self {
        let mut order: Vec<u32> = (0..tree.len() as u32).collect();
        order.sort_unstable_by_key(|&position| ranking.rank(tree.id(position as usize)));
        let mut place_of = vec![0; order.len()];
        (0..).zip(&order).for_each(|(place, &position)| place_of[position as usize] = place);
        let places = |edge: &Edge| {
            let (a, b) = (place_of[edge.a as usize], place_of[edge.b as usize]);
            (a.min(b), a.max(b))
        };
        let mut starts = vec![0_u32; order.len() + 1];
        edges.iter().for_each(|edge| starts[places(edge).1 as usize + 1] += 1);
        let mut before = 0;
        for start in &mut starts[1..] {
            before += std::mem::replace(start, before);
        }
        let mut pairs = vec![(0, 0.0); edges.len()];
        for edge in edges {
            let (better, worse) = places(edge);
            let next = &mut starts[worse as usize + 1];
            pairs[*next as usize] = (better, edge.squared);
            *next += 1;
        }
        Self { starts, pairs }
    }

    /// How many points are rejected at each of up to 64 limits, ascending: the greedy choice for all limits at once, one bit each.
    fn rejected(&self, limits: &[f64]) -> Vec<u64> {
        let mut kept = vec![0_u64; self.starts.len() - 1];
        let mut counters = Counters::default();
        for place in 0..kept.len() {
            let mut rejected = 0;
            for &(better, squared) in &self.pairs[self.starts[place] as usize..self.starts[place + 1] as usize] {
                let smaller = limits.iter().map(|&limit| u32::from(limit < squared)).sum::<u32>();
                rejected |= kept[better as usize] & u64::MAX.checked_shl(smaller).unwrap_or(0);
            }
            kept[place] = !rejected;
            counters.add(rejected);
        }
        (0..limits.len()).map(|bit| counters.of(bit)).collect()
    }
}

/// How often each bit of a word was set: the counts, written vertically.
#[derive(Default)]
struct Counters([u64; 32]);

impl Counters {
    fn add(&mut self, mut bits: u64) {
        for digit in &mut self.0 {
            if bits == 0 {
                return;
            }
            (*digit, bits) = (*digit ^ bits, *digit & bits);
        }
    }

    fn of(&self, bit: usize) -> u64 {
        self.0.iter().enumerate().map(|(power, digit)| (digit >> bit & 1) << power).sum()
    }
}

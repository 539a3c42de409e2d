//! Number of particles kept at each of several separations.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::deduplicate::{Rule, duplicate_of};
use super::greedy::count_rejected;
use super::ranking::Ranking;
use super::trees::each_tree;
use super::{Particles, check_separation};
use crate::kdtree::{NearBetter, Tree};
use crate::{Monitor, Result};

/// Number of separations treated at once: the bits of a word.
const AT_ONCE: usize = 64;
/// Maximum number of pairs per particle, within the largest separation, that are listed.
const PAIRS_EACH: usize = 24;

/// Counts the particles kept ([`super::Rule::KeepBest`]) at each of some separations; all are tried on one group before the next.
///
/// Where a particle has at most 24 others within the largest separation, on average, the pairs of a group are listed once, which takes
/// 8 bytes each, and 64 separations are tried at a time. Else each separation takes as long as [`super::deduplicate`]. In groups of 50,000
/// or more, the pairs within the largest separation are counted before, which takes as long as [`super::half_pairs`].
///
/// # Errors
/// As [`super::deduplicate`].
pub fn kept_at(particles: &Particles, separations: &[f64], monitor: &Monitor) -> Result<Vec<u64>> {
    particles.check_columns()?;
    separations.iter().try_for_each(|&separation| check_separation(separation))?;
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
        // How many of the limits are too small for a pair.
        let smaller = |squared: f64| limits.partition_point(|&limit| limit < squared) as u32;
        let Some(near) = tree.near_better(largest, PAIRS_EACH * tree.len(), || places(tree, &ranking), smaller, monitor)? else {
            for (&limit, total) in limits.iter().zip(&totals) {
                total.fetch_add(count_rejected(tree, limit, &ranking, monitor)?, Relaxed);
            }
            return Ok(());
        };
        for (first, totals) in (0..).step_by(AT_ONCE).zip(totals.chunks(AT_ONCE)) {
            let counts = rejected(&near, tree.len(), first, totals.len());
            totals.iter().zip(counts).for_each(|(total, count)| _ = total.fetch_add(count, Relaxed));
            monitor.advance(0)?;
        }
        Ok(())
    })?;
    Ok(totals.into_iter().map(AtomicU64::into_inner).collect())
}

/// The place of each position in the order from the best to the worst.
fn places<const D: usize>(tree: &Tree<D>, ranking: &Ranking) -> Vec<u32> {
    let mut order: Vec<u32> = (0..tree.len() as u32).collect();
    order.sort_unstable_by_key(|&position| ranking.rank(tree.id(position as usize)));
    let mut places = vec![0; order.len()];
    (0..).zip(&order).for_each(|(place, &position)| places[position as usize] = place);
    places
}

/// Counts the points rejected at each of up to 64 limits, ascending, from the `first` on: the greedy choice for all of them at once,
/// one bit each.
fn rejected(near: &NearBetter, n: usize, first: u32, limits: usize) -> Vec<u64> {
    let mut kept = vec![0_u64; n];
    let mut counters = Counters::default();
    for place in 0..n {
        let mut rejected = 0;
        for (better, smaller) in near.of(place) {
            rejected |= kept[better] & u64::MAX.checked_shl(smaller.saturating_sub(first)).unwrap_or(0);
        }
        kept[place] = !rejected;
        counters.add(rejected);
    }
    (0..limits).map(|bit| counters.of(bit)).collect()
}

/// Counts how often each bit of a word was set; the counts are written vertically.
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

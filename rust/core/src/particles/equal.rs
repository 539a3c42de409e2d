//! Particles whose stored coordinates are equal: the search for a separation of 0.

use rayon::prelude::*;

use super::Particles;
use super::groups::Members;
use super::ranking::Ranking;
use crate::kdtree::LARGE;

/// The particles of one group in classes of equal coordinates, each from the best to the worst.
pub(super) struct EqualCoordinates {
    order: Vec<u32>,
    /// First position of each class, and the end of the last.
    starts: Vec<u32>,
}

impl EqualCoordinates {
    pub fn new(particles: &Particles, ranking: &Ranking, members: Members) -> Self {
        let row = |particle: u32| particles.coordinates[particle as usize * particles.dimensions..].iter().take(particles.dimensions);
        let compare = |a: &u32, b: &u32| {
            row(*a)
                .zip(row(*b))
                .map(|(x, y)| (x + 0.0).total_cmp(&(y + 0.0))) // + 0.0: minus zero equals zero
                .find(|order| order.is_ne())
                .unwrap_or_else(|| ranking.rank(*a).cmp(&ranking.rank(*b)))
        };
        let mut order: Vec<u32> = members.iter().collect();
        if order.len() >= LARGE {
            order.par_sort_unstable_by(compare)
        } else {
            order.sort_unstable_by(compare)
        }
        let differs = |pair: &[u32]| row(pair[0]).ne(row(pair[1]));
        let mut starts = vec![0];
        starts.extend((1..order.len() as u32).filter(|&position| differs(&order[position as usize - 1..=position as usize])));
        if !order.is_empty() {
            starts.push(order.len() as u32);
        }
        Self { order, starts }
    }

    pub fn for_each(&self, job: impl Fn(&[u32])) {
        for range in self.starts.windows(2) {
            job(&self.order[range[0] as usize..range[1] as usize]);
        }
    }
}

//! The pairs of a window in the order of exposure.

use super::alignment::Pair;
use crate::random::Random;

/// Maximum number of pairs with mirrored micrographs that a window search compares.
const DECOYS: usize = 10_000;
/// At most this many of them share one mirrored micrograph.
const OF_ONE: usize = 20;
/// They are taken from runs of this many consecutive micrographs, which then have most of their partners in common.
const RUN: u32 = 48;

/// The pairs of micrographs that are so many exposures apart; `ordinals`: ascending, of each among all exposures, so that a missing one does
/// not move the others. Time O(n log n) for each distance.
pub fn window_pairs(ordinals: &[u32], distances: &[u32]) -> Vec<Pair> {
    let found = |distance: &u32| {
        let at = |ordinal: &u32| ordinal.checked_add(*distance).and_then(|ordinal| ordinals.binary_search(&ordinal).ok());
        ordinals.iter().zip(0..).filter_map(move |(ordinal, i)| at(ordinal).map(|j| (i, j as u32))).collect::<Vec<Pair>>()
    };
    distances.iter().flat_map(found).collect()
}

/// Some pairs of a window that are also compared with the first one mirrored: their firsts are those of random runs, the same every time.
pub fn window_decoys(pairs: &[Pair]) -> Vec<Pair> {
    if pairs.len() <= DECOYS {
        return pairs.to_vec();
    }
    let last = pairs.iter().map(|pair| pair.0 / RUN).max().unwrap_or_default();
    let mut turn_of = vec![0; last as usize + 1];
    (0..).zip(Random::new(0).draw((0..=last).collect(), usize::MAX)).for_each(|(turn, run): (u32, u32)| turn_of[run as usize] = turn);
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by_key(|&at| (turn_of[(pairs[at].0 / RUN) as usize], pairs[at].0, at));
    let of_one = order.chunk_by(|&a, &b| pairs[a].0 == pairs[b].0).flat_map(|of_one| of_one.iter().take(OF_ONE));
    let mut chosen: Vec<usize> = of_one.take(DECOYS).copied().collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| pairs[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_at_the_distances() {
        assert_eq!(window_pairs(&[0, 1, 3, 4, 9], &[1, 3]), [(0, 1), (2, 3), (0, 2), (1, 3)]);
        assert_eq!(window_pairs(&[0, u32::MAX], &[1, u32::MAX]), [(0, 1)]);
        assert_eq!(window_pairs(&[], &[1]), []);
    }

    #[test]
    fn decoys_share_their_partners_but_not_one_of_them() {
        let ordinals: Vec<u32> = (0..3000).collect();
        let pairs = window_pairs(&ordinals, &(1..=40).collect::<Vec<_>>());
        let decoys = window_decoys(&pairs);
        assert_eq!(decoys.len(), DECOYS);
        assert!(decoys.iter().all(|pair| pairs.contains(pair)));
        let mut of_each = vec![0; 3000];
        decoys.iter().for_each(|pair| of_each[pair.0 as usize] += 1);
        assert!(of_each.iter().all(|&number| number <= OF_ONE));
        let runs: std::collections::HashSet<u32> = decoys.iter().map(|pair| pair.0 / RUN).collect();
        assert!(runs.len() < 13 && runs.iter().max() > Some(&40), "{runs:?}");
        assert_eq!(window_decoys(&pairs[..50]), pairs[..50]);
    }
}

//! In which orientation each micrograph is stored, relative to the others that it matches.

use std::collections::BTreeMap;

use super::conclude::Compared;
use super::false_discovery::q_values;
use super::found::Found;
use super::null::Null;
use crate::micrographs::kernels::warp::Orientation;
use crate::micrographs::search::{Block, Comparison, Pair, Search};
use crate::{Monitor, Result};

/// Up to this false-discovery rate a pair shows an orientation.
const SURE_Q: f64 = 1e-4;

/// Compares the pairs of a search again, with the first of each in every orientation up to `orientations`, and returns the orientation of
/// each micrograph that is not stored as the first one of those that it matches. `block`: all pairs of the search, compared as they are
/// stored. Pairs that contradict surer ones do not count.
///
/// Time: that of [`Search::compare`] for all pairs, `orientations` - 1 times.
///
/// # Errors
/// As [`Search::compare`].
pub fn find_orientations(search: &Search, block: &Block, orientations: u8, monitor: &Monitor) -> Result<BTreeMap<u32, Orientation>> {
    let others = || (1..orientations).map(|k| Ok((Orientation(k), search.in_orientation(Orientation(k), monitor)?)));
    Compared::of_search(search, block, |compared| {
        let null = Null::of_session(&search.session, compared)?;
        let mut found: Vec<(f64, Orientation, Pair)> = Vec::new();
        for one in std::iter::once(Ok((Orientation::default(), compared.candidates.to_vec()))).chain(others()) {
            let (orientation, pairs) = one?;
            let chance = |pair: &Comparison| Found::new(pair, &null, search.session.size, &[]).chance;
            found.extend(pairs.iter().map(|pair| (chance(pair), orientation, pair.alignment.pair)));
        }
        Ok(stored(&found, compared.tested * u64::from(orientations)))
    })
}

/// The orientations from chances; `tested`: the number of pairs in all orientations.
fn stored(found: &[(f64, Orientation, Pair)], tested: u64) -> BTreeMap<u32, Orientation> {
    let chances: Vec<f64> = found.iter().map(|one| one.0).collect();
    let mut sure: Vec<_> = found.iter().zip(q_values(&chances, tested)).filter(|(_, q)| *q <= SURE_Q).map(|(one, _)| *one).collect();
    sure.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.0.cmp(&b.1.0)));
    // Of each set of micrographs the orientations relative to its first one.
    let mut sets: Vec<BTreeMap<u32, Orientation>> = Vec::new();
    for (_, orientation, (i, j)) in sure {
        let mut set_of = |k: u32| {
            let at = sets.iter().position(|set| set.contains_key(&k));
            at.unwrap_or_else(|| {
                sets.push(BTreeMap::from([(k, Orientation::default())]));
                sets.len() - 1
            })
        };
        let (first, second) = (set_of(i), set_of(j));
        if first != second {
            // The first, stored in that orientation, matches the second.
            let change = orientation.then(sets[second][&j]).inverse().then(sets[first][&i]);
            let moved = std::mem::take(&mut sets[second]);
            sets[first].extend(moved.into_iter().map(|(member, stored)| (member, stored.then(change))));
        }
    }
    let turned = sets
        .iter()
        .filter_map(|set| set.first_key_value().map(|(_, first)| (set, first.inverse())))
        .flat_map(|(set, back)| set.iter().map(move |(&member, stored)| (member, stored.then(back))));
    turned.filter(|(_, orientation)| *orientation != Orientation::default()).collect()
}

/// Which pairs with a mirrored micrograph are significant: these micrographs are stored in two orientations; the best first.
pub(super) fn mirrored_copies(mirrored: &[Comparison], tested: u64, null: &Null, size: (usize, usize)) -> Vec<Pair> {
    let found: Vec<Found> = mirrored.iter().map(|pair| Found::new(pair, null, size, &[])).collect();
    let q = q_values(&found.iter().map(|one| one.chance).collect::<Vec<_>>(), tested);
    let is_sure = |(one, q): &(&Found, f64)| *q <= SURE_Q && one.alignment.shift != (0.0, 0.0);
    let mut sure: Vec<&Found> = found.iter().zip(q).filter(is_sure).map(|(one, _)| one).collect();
    sure.sort_by(|a, b| b.z.total_cmp(&a.z));
    sure.into_iter().map(|one| one.alignment.pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(orientation: u8, pair: Pair) -> (f64, Orientation, Pair) {
        (1e-30, Orientation(orientation), pair)
    }

    #[test]
    fn a_pair_gives_the_orientation_of_the_second_relative_to_the_first() {
        for orientation in (0..8).map(Orientation) {
            let found = stored(&[(1e-30, orientation, (3, 9))], 100);
            // The first, seen in the orientation, matches the second; so the second has to be changed the other way round.
            assert_eq!(found.get(&9).copied().unwrap_or_default(), orientation.inverse());
            assert_eq!(found.len(), usize::from(orientation != Orientation(0)));
        }
    }

    #[test]
    fn orientations_go_along_chains_and_contradictions_give_way() {
        let found = stored(&[sure(0, (0, 1)), sure(1, (1, 2)), sure(1, (4, 5)), sure(2, (2, 3)), (1e-9, Orientation(3), (0, 2))], 100);
        assert_eq!(found, BTreeMap::from([(2, Orientation(1)), (3, Orientation(3)), (5, Orientation(1))]));
        assert!(stored(&[(1e-5, Orientation(1), (0, 1))], 1000).is_empty(), "not sure");
    }
}

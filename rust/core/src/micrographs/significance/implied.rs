//! Pairs that are not accepted by themselves, but have the shift expected from an accepted pair of the same holes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::evidence::{Agreement, Evidence, in_order};
use super::false_discovery::q_values;
use crate::micrographs::search::{Alignment, Pair};

/// A pair that is a duplicate because it has the shift of an accepted pair of the same holes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Implied {
    pub alignment: Alignment,
    pub z: f64,
    /// Not lower than that of the accepted pair.
    pub q: f64,
    /// The q-value of the accepted pair.
    pub agreement: Agreement,
}

/// A pair that was accepted because its shots agree, or without them.
pub(super) struct Accepted<'a> {
    pub evidence: &'a Evidence,
    pub q: f64,
    pub agreement: Agreement,
}

/// The implied pairs whose false-discovery rate among all of them is at most `fdr`, by pair; `accepted`: the pairs that are without them.
pub(super) fn implied(accepted_pairs: &[Accepted], accepted: &HashSet<Pair>, fdr: f64) -> Vec<Implied> {
    // Of several accepted pairs the one by which a pair is least likely by chance.
    let mut found: BTreeMap<Pair, (f64, Implied)> = BTreeMap::new();
    for accepted_pair in accepted_pairs.iter().filter(|accepted_pair| !accepted_pair.evidence.is_still) {
        for member in accepted_pair.evidence.implied(accepted, fdr) {
            let pair = in_order(member.pair);
            if accepted.contains(&pair) || found.get(&pair).is_some_and(|(chance, _)| member.chance >= *chance) {
                continue;
            }
            let turn_deg = accepted_pair.evidence.alignment.turn_deg;
            let alignment = Alignment { pair, shift: member.shift, turn_deg: if pair == member.pair { turn_deg } else { -turn_deg } };
            found.insert(pair, (member.chance, Implied { alignment, z: member.z, q: accepted_pair.q, agreement: accepted_pair.agreement }));
        }
    }
    let chances: Vec<f64> = found.values().map(|(chance, _)| *chance).collect();
    let rates = q_values(&chances, chances.len() as u64);
    let several = found.into_values().zip(rates).filter(|&(_, rate)| rate <= fdr);
    several.map(|((_, one), rate)| Implied { q: rate.max(one.q), ..one }).collect()
}

/// The row of each pair in a table.
pub(super) fn rows_of(pairs: impl Iterator<Item = Pair>) -> HashMap<Pair, usize> {
    pairs.enumerate().map(|(row, pair)| (pair, row)).collect()
}

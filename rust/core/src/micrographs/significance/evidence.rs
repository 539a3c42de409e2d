//! The shots of one pair of holes support each other: if a hole was imaged twice, so were all of its shots, with about the same shift.
//!
//! A pair that may be a duplicate, a *hypothesis*, is tested with its *members* ([`super::shots`]), measured near the same shift. The significance
//! that unrelated micrographs reach there is measured on *decoys* with the same geometry: the same shots of other holes, chosen at random,
//! near the same shift, each the best of as many places. So an edge of beam or foil at the same place in every shot, and whatever else the
//! shots of all holes share, supports no hypothesis, and hypotheses caused by it are refuted.

use std::collections::HashSet;

use super::decoy_statistics::{above_all, chances_of_members, in_noise, standardised, support};
use super::found::{Found, STILL};
use super::null::Null;
use super::shots::{Hypothesis, Measurements, Shots};
use super::tails::unrelated;
use crate::Result;
use crate::micrographs::search::comparison::{is_of_one_area, is_within, overlap_at};
use crate::micrographs::search::{Alignment, Pair};
use crate::random::Random;
use crate::union_find::UnionFind;

/// Maximum number of decoys of each hypothesis: half replace its first hole, half its second.
const DECOYS: usize = 8;
/// No chance of a member is taken to be smaller than this share of the chance of the best of all places. The share is larger than that of
/// the places near a shift, since unrelated pairs prefer some places.
const NEAR_SHARE: f64 = 0.001;
/// A set of more micrographs, or of more than one in [`MIN_SETS`], is not one of exposures of one place.
const MAX_SET: usize = 20;
const MIN_SETS: usize = 4;
/// Shifts of less than this share of the frame along both axes are near zero, where edges of beam and foil match.
const FAR: f64 = 0.1;

/// Another pair of shots of a hypothesis's holes, near the hypothesis's shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Member {
    /// A micrograph of the first hole and one of the second.
    pub pair: Pair,
    pub z: f64,
    /// The shift of the later micrograph relative to the earlier one.
    pub shift: (f64, f64),
    /// The chance of that significance.
    pub chance: f64,
}

/// The evidence for or against a hypothesis from the other shots of its holes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evidence {
    /// The hypothesis.
    pub alignment: Alignment,
    /// Whether the names of both micrographs give their holes.
    pub by_name: bool,
    /// Whether the shift is so small that edges of beam and foil may match in all shots, which are then no evidence.
    pub is_still: bool,
    /// The chance that an unrelated pair of the same shots is as significant near the shift of the hypothesis.
    pub here: f64,
    /// The chance that the members of unrelated holes agree as well; 1 without members.
    pub support: f64,
    pub members: Vec<Member>,
}

/// The evidence of the other shots of a pair's holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Agreement {
    /// There are no other shots, or none agrees where names do not give holes.
    #[default]
    Unknown,
    /// So many of so many shots of the two holes agree.
    Shots(usize, usize),
    /// So many exposures in a row agree, where names do not give holes.
    InARow(usize),
    /// The holes have other shots, and none agrees.
    Contradicted,
}

impl Evidence {
    /// The chance of the hypothesis combined with its support (Fisher's method); `alone`: that of the hypothesis by itself.
    pub fn chance(&self, alone: f64) -> f64 {
        let alone = alone.max(self.here).max(1e-300);
        if self.members.is_empty() || self.is_still {
            return alone;
        }
        let product = alone * self.support.max(1e-30);
        (2.0 * alone.min(product * (1.0 - libm::log(product)))).min(1.0)
    }

    /// The members that may be duplicates because the hypothesis is one: all, if the holes are known.
    ///
    /// Otherwise most members are not shots of the same holes. Then the members before and after the hypothesis are taken, step by step, up to and
    /// including the first one that neither is a duplicate by itself (the earlier micrograph first) nor agrees at a chance of at most
    /// `agreeing`.
    pub fn implied(&self, are_duplicates: &HashSet<Pair>, agreeing: f64) -> Vec<&Member> {
        if self.by_name {
            return self.members.iter().collect();
        }
        let member = |step: i64| self.members.iter().find(|member| i64::from(member.pair.0) - i64::from(self.alignment.pair.0) == step);
        let mut found = Vec::new();
        for side in [1, -1] {
            let mut step = side;
            while let Some(next) = member(step) {
                found.push(next);
                if next.chance > agreeing && !are_duplicates.contains(&in_order(next.pair)) {
                    break;
                }
                step += side;
            }
        }
        found
    }

    /// Summarises the members, which agree at a chance of at most `agreeing`.
    pub fn agreement(&self, shots: &Shots, agreeing: f64) -> Agreement {
        let shot = |i: u32| shots.shot(i).ok_or(i);
        let different = |members: &mut dyn Iterator<Item = &Member>| {
            let of_one = std::iter::once(self.alignment.pair.0);
            of_one.chain(members.map(|member| member.pair.0)).map(shot).collect::<HashSet<_>>().len()
        };
        let number = different(&mut self.members.iter().filter(|member| member.chance <= agreeing));
        let all = different(&mut self.members.iter());
        match (self.by_name, number) {
            (false, 2..) => Agreement::InARow(number),
            (false, _) => Agreement::Unknown,
            (true, _) if all == 1 => Agreement::Unknown,
            (true, 2..) => Agreement::Shots(number, all),
            (true, _) => Agreement::Contradicted,
        }
    }
}

/// The earlier micrograph first.
pub(super) fn in_order((i, j): Pair) -> Pair {
    (i.min(j), i.max(j))
}

/// Tests hypotheses by the other shots of their holes.
pub(super) struct ShotTest<'a, Measure> {
    pub shots: &'a Shots,
    pub null: &'a Null,
    /// Columns and rows of the reduced micrographs.
    pub size: (usize, usize),
    /// The number of the area that each micrograph is known to share with some others, or 0.
    pub areas: &'a [u32],
    /// Measures pairs near given shifts: returns their significances, and the exact shifts.
    pub measure_near: Measure,
}

impl<Measure: Fn(&[Alignment]) -> Result<Vec<(f64, (f64, f64))>>> ShotTest<'_, Measure> {
    /// Measures the members and decoys of all hypotheses. Those near zero shift, where decoys share edges, are tested separately.
    pub fn evidence(&self, hypotheses: &[Found]) -> Result<Vec<Evidence>> {
        let is_near_zero = |hypothesis: &Found| is_within(hypothesis.alignment.shift, self.size, FAR);
        let mut found: Vec<(usize, Evidence)> = Vec::with_capacity(hypotheses.len());
        for near in [false, true] {
            let rows: Vec<usize> = (0..hypotheses.len()).filter(|&row| is_near_zero(&hypotheses[row]) == near).collect();
            let those: Vec<Found> = rows.iter().map(|&row| hypotheses[row]).collect();
            found.extend(rows.into_iter().zip(self.of_alike(&those, !near)?));
        }
        found.sort_unstable_by_key(|(row, _)| *row);
        Ok(found.into_iter().map(|(_, evidence)| evidence).collect())
    }

    /// `by_order`: see [`Hypothesis::new`].
    fn of_alike(&self, found: &[Found], by_order: bool) -> Result<Vec<Evidence>> {
        let hypotheses: Vec<Hypothesis> = found.iter().map(|one| Hypothesis::new(self.shots, &one.alignment, by_order)).collect();
        let chosen: Vec<Vec<u32>> = hypotheses.iter().map(|hypothesis| decoys_of(hypothesis, self.shots)).collect();
        let wanted = Measurements::new(self.shots, &hypotheses, &chosen);
        let measured = (self.measure_near)(&wanted.alignments)?;
        let z_of = |rows: &[u32]| -> Vec<f64> { rows.iter().map(|&row| measured[row as usize].0).collect() };

        let z: Vec<f64> = found.iter().map(|one| one.z).collect();
        let own_set = self.sets_of(&hypotheses);
        let unlike: Vec<Vec<f64>> = hypotheses
            .iter()
            .zip(&wanted.of_hypotheses)
            .map(|(hypothesis, of_one)| {
                let pair = |row: u32| wanted.alignments[row as usize].pair;
                let is_alike = |row: u32| {
                    let (i, j) = pair(row);
                    let set = own_set[hypothesis.pair.0 as usize];
                    !hypothesis.by_name && own_set[i as usize] == set && own_set[j as usize] == set || is_of_one_area((i, j), self.areas)
                };
                let rows: Vec<u32> = of_one.decoys.iter().map(|decoy| decoy.hypothesis).filter(|&row| !is_alike(row)).collect();
                z_of(&rows)
            })
            .collect();
        let here = standardised(&unlike, &z, 1).into_iter().zip(above_all(&unlike, &z)).zip(&z);
        let here: Vec<f64> = here.map(|((standard, above), &z)| standard.min(above).max(in_noise(z))).collect();

        let members: Vec<Vec<f64>> = wanted.of_hypotheses.iter().map(|of_one| z_of(&of_one.members)).collect();
        let of_decoys: Vec<Vec<Vec<f64>>> =
            wanted.of_hypotheses.iter().map(|of_one| of_one.decoys.iter().map(|decoy| z_of(&decoy.members)).collect()).collect();
        let support = support(&members, &of_decoys);
        let mut every_decoy = unrelated(of_decoys.iter().flatten().flatten().copied());
        every_decoy.reverse();

        let evidence = |k: usize| {
            let rows = &wanted.of_hypotheses[k].members;
            let elsewhere = |row: u32| {
                let (z, shift) = measured[row as usize];
                self.null.elsewhere(z, overlap_at(shift, self.size))
            };
            let alone = chances_of_members(&of_decoys[k].concat(), &members[k]);
            let members = rows.iter().zip(&hypotheses[k].members).zip(alone).map(|((&row, &pair), chance)| {
                let (z, shift) = measured[row as usize];
                let reached = 1.0 - every_decoy.partition_point(|&decoy| decoy < z) as f64 / every_decoy.len().max(1) as f64;
                Member { pair, z, shift, chance: chance.max(in_noise(z)).max(NEAR_SHARE * elsewhere(row)).max(reached) }
            });
            Evidence {
                alignment: found[k].alignment,
                by_name: hypotheses[k].by_name,
                is_still: is_within(found[k].alignment.shift, self.size, STILL),
                here: here[k],
                support: support[k],
                members: members.collect(),
            }
        };
        Ok((0..hypotheses.len()).map(evidence).collect())
    }

    /// The set of hypotheses that each micrograph is in, if it is a small one: of ten exposures of one spot, many decoys are duplicates
    /// themselves. Only where names do not give holes: an edge that the same shots of all holes share makes a set, too.
    fn sets_of(&self, hypotheses: &[Hypothesis]) -> Vec<u32> {
        let n = self.shots.len();
        let sets = UnionFind::new(n);
        hypotheses.iter().for_each(|hypothesis| sets.unite(hypothesis.pair.0, hypothesis.pair.1));
        let roots: Vec<u32> = (0..n as u32).map(|i| sets.root(i)).collect();
        let mut sizes = vec![0; n];
        roots.iter().for_each(|&root| sizes[root as usize] += 1);
        let is_small = |root: u32| sizes[root as usize] <= MAX_SET.min(n / MIN_SETS);
        roots.iter().enumerate().map(|(i, &root)| if is_small(root) { root } else { i as u32 }).collect()
    }
}

/// The micrographs that make the decoys of a hypothesis, drawn at random: by its pair, so that other hypotheses do not change them.
fn decoys_of(hypothesis: &Hypothesis, shots: &Shots) -> Vec<u32> {
    let (i, j) = hypothesis.pair;
    Random::new(u64::from(i) << 32 | u64::from(j)).draw(hypothesis.candidates(shots).collect(), DECOYS)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::micrographs::significance::null::tests::of_noise;

    const SIZE: (usize, usize) = (1000, 1000);
    const FAR_AWAY: (f64, f64) = (190.0, -160.0);
    const HOLES: u32 = 20;
    const SHOTS: u32 = 4;

    fn known() -> (Vec<u32>, Vec<u32>) {
        (0..HOLES * SHOTS).map(|i| (i / SHOTS + 1, i % SHOTS + 1)).unzip()
    }

    fn unknown(n: usize) -> (Vec<u32>, Vec<u32>) {
        (vec![0; n], vec![0; n])
    }

    type Measured = Result<Vec<(f64, (f64, f64))>>;

    /// Noise near any shift, but for some pairs; `everywhere` is added to all.
    fn noise_near(duplicates: &[(Pair, f64)], everywhere: f64) -> impl Fn(&[Alignment]) -> Measured {
        let duplicates: HashMap<Pair, f64> = duplicates.iter().copied().collect();
        move |alignments| {
            let mut random = Random::new(7);
            assert!(alignments.iter().all(|alignment| alignment.pair.0 < alignment.pair.1));
            let z = |alignment: &Alignment| duplicates.get(&alignment.pair).copied().unwrap_or(random.normal(2.3, 0.5) + everywhere);
            Ok(alignments.iter().map(z).zip(alignments).map(|(z, alignment)| (z, alignment.shift)).collect())
        }
    }

    fn verdicts_of(
        hypotheses: &[(Pair, (f64, f64))],
        z: f64,
        (holes, shots): (Vec<u32>, Vec<u32>),
        measure_near: impl Fn(&[Alignment]) -> Measured,
        areas: &[u32],
    ) -> Vec<Evidence> {
        let found: Vec<Found> = hypotheses
            .iter()
            .map(|&(pair, shift)| Found { alignment: Alignment { pair, shift, turn_deg: 0.0 }, z, chance: 1e-3 })
            .collect();
        let (shots, null) = (Shots::new(holes, shots), of_noise());
        ShotTest { shots: &shots, null: &null, size: SIZE, areas, measure_near }.evidence(&found).expect("it measures")
    }

    fn agreement(evidence: &Evidence, (holes, shots): (Vec<u32>, Vec<u32>)) -> Agreement {
        evidence.agreement(&Shots::new(holes, shots), 0.01)
    }

    fn pairs(evidence: &Evidence) -> Vec<Pair> {
        evidence.members.iter().map(|member| member.pair).collect()
    }

    #[test]
    fn other_shots_of_two_holes_support_a_faint_pair() {
        let hypothesis = [((0, 40), FAR_AWAY)];
        let agreed = &verdicts_of(&hypothesis, 5.0, known(), noise_near(&[((0, 40), 5.0), ((1, 41), 7.0), ((2, 42), 6.0)], 0.0), &[])[0];
        let refused = &verdicts_of(&hypothesis, 5.0, known(), noise_near(&[((0, 40), 5.0)], 0.0), &[])[0];
        assert!(agreed.by_name);
        assert_eq!(pairs(agreed), [(1, 41), (2, 42), (3, 43)]);
        assert!(agreed.chance(1e-3) < 1e-5 && refused.chance(1e-3) >= 1e-3);
        assert_eq!(agreement(agreed, known()), Agreement::Shots(3, 4));
        assert_eq!(agreement(refused, known()), Agreement::Contradicted);
    }

    #[test]
    fn an_edge_that_all_frames_share_supports_nothing_and_refutes() {
        let edge = [((0, 40), 8.0), ((1, 41), 8.2), ((2, 42), 7.8), ((3, 43), 8.1)];
        let found = &verdicts_of(&[((0, 40), (50.0, 40.0))], 8.0, known(), noise_near(&edge, 5.5), &[])[0];
        assert!(found.chance(1e-8) > 1e-3, "{found:?}");
    }

    #[test]
    fn neighbours_stand_in_where_names_show_no_holes_but_not_near_zero_shift() {
        let near = noise_near(&[((10, 40), 5.0), ((11, 41), 9.0)], 0.0);
        let agreed = &verdicts_of(&[((10, 40), FAR_AWAY)], 5.0, unknown(60), near, &[])[0];
        assert_eq!(pairs(agreed), [(7, 37), (8, 38), (9, 39), (11, 41), (12, 42), (13, 43)]);
        assert!(agreed.chance(1e-3) < 1e-5);
        assert_eq!(agreed.agreement(&Shots::new(vec![0; 60], vec![0; 60]), 0.001), Agreement::InARow(2));
        let near_zero = &verdicts_of(&[((10, 40), (50.0, 50.0))], 5.0, unknown(60), noise_near(&[], 0.0), &[])[0];
        assert!(near_zero.members.is_empty());
    }

    #[test]
    fn at_zero_shift_the_other_shots_support_nobody() {
        let near = noise_near(&[((0, 40), 9.0), ((1, 41), 7.0), ((2, 42), 6.0)], 0.0);
        let found = &verdicts_of(&[((0, 40), (0.2, 0.1))], 9.0, known(), near, &[])[0];
        assert!(found.is_still && found.chance(1e-3) >= 1e-3);
    }

    #[test]
    fn edges_that_lie_near_zero_shift_do_not_hide_pairs_elsewhere() {
        // Decoys near zero shift reach 15, up and down; they say nothing of those at other shifts.
        let measure = |alignments: &[Alignment]| {
            let mut random = Random::new(7);
            let mut z = |alignment: &Alignment| if alignment.shift.0 < 100.0 { random.normal(0.0, 15.0) } else { random.normal(2.3, 0.5) };
            Ok(alignments.iter().map(|alignment| (z(alignment), alignment.shift)).collect())
        };
        let mut hypotheses: Vec<_> = (0..8).map(|k| ((k, 40 + k), (50.0, 40.0))).collect();
        hypotheses.push(((20, 60), FAR_AWAY));
        let found = verdicts_of(&hypotheses, 16.0, known(), measure, &[]);
        assert!(found[8].here < 1e-9, "{}", found[8].here);
        assert!(found[..8].iter().all(|evidence| evidence.here > 1e-3));
    }

    #[test]
    fn one_more_hypothesis_changes_no_other() {
        let hypotheses = [((0, 40), FAR_AWAY), ((5, 65), FAR_AWAY)];
        let decoys = |pair: Pair| {
            let shots = Shots::new(known().0, known().1);
            decoys_of(&Hypothesis::new(&shots, &Alignment { pair, ..Alignment::default() }, true), &shots)
        };
        assert_ne!(decoys(hypotheses[0].0), decoys((0, 44)));
        assert_eq!(decoys(hypotheses[0].0), decoys(hypotheses[0].0));
        let [alone, beside] =
            [&hypotheses[..1], &hypotheses].map(|hypotheses| verdicts_of(hypotheses, 5.0, known(), noise_near(&[], 0.0), &[])[0].alignment);
        assert_eq!(alone, beside);
    }

    #[test]
    fn further_exposures_of_the_same_shots_support_nothing() {
        // What matches by chance in one matches in all.
        let numbers = || (0..80_u32).map(|i| (i / 4 + 1, i % 4 / 2 + 1)).unzip();
        let four: Vec<(Pair, f64)> = [0, 1].into_iter().flat_map(|i| [40, 41].map(|j| ((i, j), 5.0))).collect();
        let found = &verdicts_of(&[((0, 40), FAR_AWAY)], 5.0, numbers(), noise_near(&four, 0.0), &[])[0];
        assert_eq!(pairs(found), [(2, 42), (2, 43), (3, 42), (3, 43)]);
        assert!(found.chance(1e-3) >= 1e-3);
    }

    fn spot(n: u32) -> Vec<Pair> {
        (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect()
    }

    fn of_spot(n: u32, areas: &[u32]) -> Vec<Evidence> {
        let duplicates: Vec<(Pair, f64)> = spot(n).into_iter().map(|pair| (pair, 60.0)).collect();
        let hypotheses: Vec<_> = spot(n).into_iter().map(|pair| (pair, (3.0, 2.0))).collect();
        verdicts_of(&hypotheses, 60.0, unknown(50), noise_near(&duplicates, 0.0), areas)
    }

    #[test]
    fn duplicates_of_one_spot_are_no_decoys_of_each_other() {
        // Ten exposures of one spot among fifty micrographs: many of the random partners are of that spot.
        assert!(of_spot(10, &[]).iter().all(|evidence| evidence.here < 1e-9));
    }

    #[test]
    fn of_more_exposures_of_one_spot_only_known_areas_decide() {
        // Most micrographs are of one spot, as an edge of beam or foil may make them seem to be.
        assert!(of_spot(30, &[]).iter().any(|evidence| evidence.here > 1e-9));
        let areas: Vec<u32> = (0..50).map(|i| if i < 30 { 7 } else { 0 }).collect();
        assert!(of_spot(30, &areas).iter().all(|evidence| evidence.here < 1e-9));
    }
}

//! The pairs that are measured to test a pair that may be a duplicate, a *hypothesis*: the other equal shots of its two holes, its *members*, and
//! the same shots of other holes, its *decoys*.

use std::collections::HashMap;

use crate::micrographs::search::{Alignment, Pair};

/// Where names do not give the shots of a hole, this many micrographs on either side of a pair are members.
pub const REACH: usize = 3;
/// With fewer micrographs there are no decoys, since all may show one scene.
const MIN_FOR_DECOYS: usize = 24;

/// The holes and shots of the micrographs, in the order of exposure.
#[derive(Clone, Debug)]
pub struct Shots {
    hole_of: Vec<u32>,
    shot_of: Vec<u32>,
    /// The shots of each hole, in the order of their first micrograph, with their micrographs.
    in_hole: Vec<Vec<(u32, Vec<u32>)>>,
    /// The micrographs of each shot of any known hole; of shot 0 also those of unknown holes.
    with_shot: Vec<Vec<u32>>,
    all: Vec<u32>,
}

impl Shots {
    /// Groups micrographs by the numbers of their holes and shots, each (n,); 0: unknown.
    pub fn new(holes: Vec<u32>, shots: Vec<u32>) -> Self {
        let count = |numbers: &[u32]| numbers.iter().max().map_or(0, |&number| number as usize) + 1;
        let mut in_hole: Vec<Vec<(u32, Vec<u32>)>> = vec![Vec::new(); count(&holes)];
        let mut with_shot = vec![Vec::new(); count(&shots)];
        for (i, (&hole, &shot)) in holes.iter().zip(&shots).enumerate() {
            with_shot[if hole > 0 { shot as usize } else { 0 }].push(i as u32);
            let there = &mut in_hole[hole as usize];
            match there.iter_mut().find(|(other, _)| *other == shot) {
                _ if hole == 0 || shot == 0 => {}
                Some((_, micrographs)) => micrographs.push(i as u32),
                None => there.push((shot, vec![i as u32])),
            }
        }
        let all = (0..holes.len() as u32).collect();
        Self { hole_of: holes, shot_of: shots, in_hole, with_shot, all }
    }

    /// The number of micrographs.
    pub(super) fn len(&self) -> usize {
        self.hole_of.len()
    }

    fn hole(&self, i: u32) -> u32 {
        self.hole_of[i as usize]
    }

    /// The number of a micrograph's shot; None: unknown.
    pub(super) fn shot(&self, i: u32) -> Option<u32> {
        Some(self.shot_of[i as usize]).filter(|&shot| shot > 0)
    }

    /// The micrographs of one shot of a hole.
    fn shot_of_hole(&self, hole: u32, shot: u32) -> &[u32] {
        self.in_hole[hole as usize].iter().find(|(other, _)| *other == shot).map_or(&[], |(_, micrographs)| micrographs)
    }

    /// Whether names show that a pair consists of equal shots of two holes.
    fn is_by_name(&self, (i, j): Pair) -> bool {
        let shot = self.shot_of[i as usize];
        self.hole(i) > 0 && self.hole(j) > 0 && shot > 0 && shot == self.shot_of[j as usize] && self.hole(i) != self.hole(j)
    }

    /// Pairs of the other equal shots of the two holes. Further exposures of the same shot are no evidence: what matches by chance in one
    /// matches in all.
    fn other_shots(&self, (i, j): Pair) -> Vec<Pair> {
        let (first, second, own) = (self.hole(i), self.hole(j), self.shot_of[i as usize]);
        let others = self.in_hole[first as usize].iter().filter(|(shot, _)| *shot != own);
        others.flat_map(|(shot, ones)| ones.iter().flat_map(|&a| self.shot_of_hole(second, *shot).iter().map(move |&b| (a, b)))).collect()
    }

    /// Pairs of the micrographs before and after both of a pair, unless their holes are known to be others.
    fn beside(&self, (i, j): Pair) -> Vec<Pair> {
        let reach = REACH as i64;
        let same_hole = |a: u32, b: u32| self.hole(a) == 0 || self.hole(b) == 0 || self.hole(a) == self.hole(b);
        let steps = (-reach..=reach).filter(|&step| step != 0);
        let pairs = steps.filter_map(|step| Some((self.moved(i, step)?, self.moved(j, step)?)));
        pairs.filter(|&(a, b)| same_hole(i, a) && same_hole(j, b)).collect()
    }

    /// The micrograph `step` places after one.
    fn moved(&self, i: u32, step: i64) -> Option<u32> {
        u32::try_from(i64::from(i) + step).ok().filter(|&k| (k as usize) < self.len())
    }
}

/// A pair that may be a duplicate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hypothesis {
    pub pair: Pair,
    /// Its shift (x, y) and rotation.
    at: [f64; 3],
    /// Pairs of the same second visit, if it is one, each of the first and of the second hole.
    pub members: Vec<Pair>,
    /// Whether names give the holes.
    pub by_name: bool,
}

impl Hypothesis {
    /// `by_order`: whether neighbours in the order of exposure are members where names do not give holes. They are not near zero shift,
    /// where neighbours, too, share the camera and its edges; nor where the holes are known, but not to be imaged twice: neighbours then
    /// are of one hole, and share its lattice.
    pub fn new(shots: &Shots, alignment: &Alignment, by_order: bool) -> Self {
        let pair = alignment.pair;
        let by_name = shots.is_by_name(pair);
        let both_known = shots.hole(pair.0) > 0 && shots.hole(pair.1) > 0;
        let members = match (by_name, by_order && !both_known) {
            (true, _) => shots.other_shots(pair),
            (_, true) => shots.beside(pair),
            _ => Vec::new(),
        };
        Self { pair, at: [alignment.shift.0, alignment.shift.1, alignment.turn_deg], members, by_name }
    }

    /// The micrographs that may replace one of the pair in a decoy: the same shots of other holes, none beside it.
    pub fn candidates<'a>(&self, shots: &'a Shots) -> impl Iterator<Item = u32> + use<'a> {
        let (i, j) = self.pair;
        let there = if self.by_name { &shots.with_shot[shots.shot_of[i as usize] as usize] } else { &shots.all };
        let there = if shots.len() < MIN_FOR_DECOYS { &[] } else { there.as_slice() };
        let own = [shots.hole(i), shots.hole(j)];
        let is_other = move |k: u32| shots.hole(k) == 0 || !own.contains(&shots.hole(k));
        there.iter().copied().filter(move |&k| is_other(k) && k.abs_diff(i).min(k.abs_diff(j)) as usize > REACH)
    }

    /// The hypothesis and its members with one hole replaced by that of another micrograph: the first hole, or the second.
    fn decoy(&self, shots: &Shots, other: u32, is_first: bool) -> Vec<Pair> {
        let paired = |stand_in: u32, kept: u32| if is_first { (stand_in, kept) } else { (kept, stand_in) };
        let (replaced, kept) = if is_first { self.pair } else { (self.pair.1, self.pair.0) };
        let stand_in = |member: u32| {
            if self.by_name {
                return shots.shot_of_hole(shots.hole(other), shots.shot_of[member as usize]).last().copied();
            }
            shots.moved(other, i64::from(member) - i64::from(replaced))
        };
        let members = self.members.iter().filter_map(|&(a, b)| {
            let (member, kept) = if is_first { (a, b) } else { (b, a) };
            stand_in(member).filter(|&k| k != kept).map(|k| paired(k, kept))
        });
        std::iter::once(paired(other, kept)).chain(members).collect()
    }
}

/// The rows of [`Measurements::alignments`] by which a hypothesis is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfHypothesis {
    /// Its members.
    pub members: Vec<u32>,
    pub decoys: Vec<OfDecoy>,
}

/// The same for a decoy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfDecoy {
    /// The pair that replaces the hypothesis.
    pub hypothesis: u32,
    /// The pairs that replace its members.
    pub members: Vec<u32>,
}

/// Pairs to be measured near given shifts, each once, and for which hypotheses and decoys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measurements {
    /// The earlier micrograph of each pair is its first.
    pub alignments: Vec<Alignment>,
    pub of_hypotheses: Vec<OfHypothesis>,
    rows: HashMap<(Pair, [u64; 3]), u32>,
}

impl Measurements {
    /// `chosen`: of each hypothesis the micrographs that make decoys, of its [`Hypothesis::candidates`]; every other one replaces the second hole.
    pub fn new(shots: &Shots, hypotheses: &[Hypothesis], chosen: &[Vec<u32>]) -> Self {
        let mut wanted = Self::default();
        for (hypothesis, chosen) in hypotheses.iter().zip(chosen) {
            let members = hypothesis.members.iter().map(|&pair| wanted.row(pair, hypothesis.at)).collect();
            let decoys = chosen.iter().enumerate().map(|(turn, &other)| {
                let mut rows = hypothesis.decoy(shots, other, turn % 2 == 0).into_iter().map(|pair| wanted.row(pair, hypothesis.at));
                let replaced = rows.next().unwrap_or_default();
                OfDecoy { hypothesis: replaced, members: rows.collect() }
            });
            let of_one = OfHypothesis { members, decoys: decoys.collect() };
            wanted.of_hypotheses.push(of_one);
        }
        wanted
    }

    fn row(&mut self, (i, j): Pair, at: [f64; 3]) -> u32 {
        // With the micrographs exchanged, shift and rotation are opposite; 0.0 - x is never -0.0.
        let (pair, at) = if i < j { ((i, j), at.map(|value| value + 0.0)) } else { ((j, i), at.map(|value| 0.0 - value)) };
        let alignments = &mut self.alignments;
        *self.rows.entry((pair, at.map(f64::to_bits))).or_insert_with(|| {
            alignments.push(Alignment { pair, shift: (at[0], at[1]), turn_deg: at[2] });
            alignments.len() as u32 - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holes of three shots, the last of which has its first shot twice.
    fn shots(holes: u32) -> Shots {
        let all = (0..3 * holes).map(|i| (i / 3 + 1, i % 3 + 1)).chain([(holes, 1)]);
        let (holes, shots) = all.unzip();
        Shots::new(holes, shots)
    }

    fn hypothesis(shots: &Shots, pair: Pair, [x, y, turn_deg]: [f64; 3], by_order: bool) -> Hypothesis {
        Hypothesis::new(shots, &Alignment { pair, shift: (x, y), turn_deg }, by_order)
    }

    #[test]
    fn members_are_the_other_equal_shots_of_both_holes() {
        let shots = shots(12);
        let one = hypothesis(&shots, (1, 34), [5.0, -3.0, 0.0], true);
        assert!(one.by_name);
        assert_eq!(one.members, [(0, 33), (0, 36), (2, 35)]);
        let one = hypothesis(&shots, (1, 35), [5.0, -3.0, 0.0], true);
        assert!(!one.by_name && one.members.is_empty(), "two shots: {one:?}");
    }

    #[test]
    fn where_no_names_show_holes_neighbours_are_members() {
        let shots = Shots::new(vec![0; 40], vec![0; 40]);
        let one = hypothesis(&shots, (1, 20), [5.0, -3.0, 0.0], true);
        assert_eq!(one.members, [(0, 19), (2, 21), (3, 22), (4, 23)]);
        assert!(hypothesis(&shots, (1, 20), [0.0; 3], false).members.is_empty());
        let candidates: Vec<u32> = one.candidates(&shots).collect();
        assert_eq!(candidates, (5..17).chain(24..40).collect::<Vec<_>>());
        assert_eq!(hypothesis(&Shots::new(vec![0; 23], vec![0; 23]), (1, 20), [0.0; 3], true).candidates(&shots).count(), 28);
    }

    #[test]
    fn decoys_are_the_same_shots_of_other_holes_and_each_pair_is_measured_once() {
        let shots = shots(12);
        let one = hypothesis(&shots, (1, 31), [5.0, -3.0, 0.5], true);
        let candidates: Vec<u32> = one.candidates(&shots).collect();
        assert!(candidates.iter().all(|k| k % 3 == 1 && ![0, 10].contains(&(k / 3))), "{candidates:?}");
        let turned = Hypothesis { pair: (31, 1), at: [-5.0, 3.0, -0.5], members: vec![(30, 0)], by_name: true };
        let (a, b) = (candidates[0], candidates[1]);
        let wanted = Measurements::new(&shots, &[one, turned], &[vec![a, b], vec![]]);
        assert_eq!([&wanted.of_hypotheses[0].members, &wanted.of_hypotheses[1].members], [&vec![0, 1], &vec![0]]);
        let pair = |row: u32| wanted.alignments[row as usize].pair;
        let decoys = &wanted.of_hypotheses[0].decoys;
        assert_eq!([pair(decoys[0].hypothesis), pair(decoys[1].hypothesis)], [(a, 31), (1, b)]);
        let members: Vec<Pair> = decoys.iter().flat_map(|decoy| &decoy.members).map(|&row| pair(row)).collect();
        assert_eq!(members, [(a - 1, 30), (a + 1, 32), (0, b - 1), (2, b + 1)]);
        let is_there = |at: &Alignment| at.shift == (5.0, -3.0) && (at.turn_deg - 0.5).abs() < 1e-12;
        assert!(wanted.alignments.iter().all(is_there));
    }
}

//! The duplicates among the pairs of a session that were compared.

use std::collections::HashSet;

use super::evidence::{Agreement, ShotTest};
use super::false_discovery::q_values;
use super::found::Found;
use super::implied::{Accepted, implied, rows_of};
use super::null::Null;
use super::orientations::mirrored_copies;
use super::shots::Shots;
use crate::micrographs::kernels::rings::Band;
use crate::micrographs::search::comparison::{Comparison, is_of_one_area};
use crate::micrographs::search::{Alignment, Block, Confirmed, Matcher, Pair, Search, confirm, share_pattern};
use crate::micrographs::session::MIN_FOR_FIXED_PATTERN;
use crate::micrographs::session::Session;
use crate::union_find::UnionFind;
use crate::{Monitor, Result};

/// Pairs with a q-value up to this may be duplicates, if other shots of their holes agree.
const DOUBTFUL_Q: f64 = 0.5;
/// Shifts up to this along both axes, in reduced pixels, may be none: a smooth pattern has a broad peak. Exact ones are then measured.
pub const NEAR_ZERO_PX: f64 = 2.0;
const EXACT_PX: f64 = 1.0;
/// Pairs of lower significance have no coefficient: no sensible threshold would accept them.
pub const DOUBTFUL_Z: f64 = 4.0;

/// The pairs that were compared.
#[derive(Clone, Debug)]
pub struct Compared<'a> {
    /// Pairs that may be duplicates.
    pub candidates: &'a [Comparison],
    /// Pairs with a mirrored micrograph.
    pub mirrored: &'a [Comparison],
    /// Pairs most of which are unrelated: all, or random ones.
    pub cohort: &'a [Comparison],
    /// The number of pairs, of which the candidates are the best.
    pub tested: u64,
    /// The number of pairs with a mirrored micrograph.
    pub decoys_tested: u64,
}

impl Compared<'_> {
    /// Calls a function with what a search has compared; if that is every pair, the cohort are all of them.
    pub(super) fn of_search<T>(search: &Search, block: &Block, call: impl FnOnce(&Compared) -> T) -> T {
        let [candidates, mirrored, random] = block.comparisons();
        let (tested, decoys_tested) = search.tested(block);
        let cohort = if search.compares_all() { &candidates } else { &random };
        call(&Compared { candidates: &candidates, mirrored: &mirrored, cohort, tested, decoys_tested })
    }
}

/// The criterion by which pairs are accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// A false-discovery rate of at most this.
    Fdr(f64),
    /// A correlation coefficient over the whole frame of at least this, if the pair is significant at all.
    Ccc(f64),
}

/// The parameters of a decision.
#[derive(Clone, Debug)]
pub struct Criteria {
    /// The criterion by which pairs are accepted.
    pub criterion: Criterion,
    /// The band of the micrographs for which the coefficients are measured, in cycles per reduced pixel.
    pub band: Band,
    /// Only pairs whose second micrograph is this one or a later one are accepted.
    pub from: u32,
    /// Whether all candidates are measured, and none is too insignificant for a coefficient.
    pub measure_all: bool,
    /// Whether pairs that match without a shift may share a pattern of the camera.
    pub share_patterns: bool,
}

impl Criteria {
    fn measures(&self, pair: &Decision) -> bool {
        self.measure_all || pair.is_accepted
    }
}

/// A pair with what was concluded of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The pair, its shift and rotation.
    pub alignment: Alignment,
    /// Its significance there.
    pub z: f64,
    /// The false-discovery rate of all pairs that are not less likely.
    pub q: f64,
    /// Whether it is a duplicate.
    pub is_accepted: bool,
    /// The evidence of the other shots of its holes.
    pub agreement: Agreement,
    /// Measured at the full resolution of the reduced micrographs, if it is accepted, or if all are measured.
    pub measured: Option<Confirmed>,
}

/// All decisions, and the null distributions by which they were made.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// The null distributions.
    pub null: Null,
    /// The decision about each candidate; then about pairs found only through other shots of their holes.
    pub pairs: Vec<Decision>,
    /// The standard significance of each candidate.
    pub observed: Vec<f64>,
    /// Pairs that would be accepted, but match at exactly zero shift, as frames that share a pattern do.
    pub of_pattern: Vec<Pair>,
    /// Pairs that match only mirrored, the best first.
    pub mirrored: Vec<Pair>,
}

impl Null {
    /// The null distributions of a session: pairs of one area are none of the cohort, and of few micrographs the camera's pattern is not
    /// taken out.
    pub(super) fn of_session(session: &Session, compared: &Compared) -> Result<Self> {
        let areas = session.areas()?;
        let cohort: Vec<Comparison> = compared.cohort.iter().filter(|pair| !is_of_one_area(pair.alignment.pair, &areas)).copied().collect();
        Ok(Self::fit(compared.mirrored, compared.decoys_tested, &cohort, session.size, session.len() < MIN_FOR_FIXED_PATTERN))
    }
}

/// Decides which pairs of a search, of which all shards were compared and joined, are duplicates. Time and memory are those of [`conclude`].
///
/// # Errors
/// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
pub fn conclude_search(search: &Search, block: &Block, shots: &Shots, criteria: &Criteria, monitor: &Monitor) -> Result<Decisions> {
    Compared::of_search(search, block, |compared| conclude(&search.session, shots, compared, criteria, monitor))
}

/// Decides which pairs are duplicates, from comparisons that the caller collected; [`conclude_search`] takes those of a search.
///
/// Time O(p log p) for p candidates; then each pair that may be significant is compared with the other shots of its holes and with decoys,
/// near one shift each, and each accepted pair (with `measure_all` each candidate) is measured, as [`confirm`] does. Memory O(p).
///
/// # Errors
/// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
pub fn conclude(session: &Session, shots: &Shots, compared: &Compared, criteria: &Criteria, monitor: &Monitor) -> Result<Decisions> {
    let (null, areas) = (Null::of_session(session, compared)?, session.areas()?);
    let found: Vec<Found> = compared.candidates.iter().map(|pair| Found::new(pair, &null, session.size, &areas)).collect();
    let mut decisions = Decisions {
        pairs: vec![],
        observed: found.iter().map(|one| null.standard(one.z, one.overlap(session.size))).collect(),
        of_pattern: vec![],
        mirrored: mirrored_copies(compared.mirrored, compared.decoys_tested, &null, session.size),
        null,
    };
    let matcher = Matcher::new(session, None, false);
    match criteria.criterion {
        Criterion::Fdr(fdr) => {
            let measure_near = |alignments: &[Alignment]| {
                let measured = matcher.find_near(alignments, monitor)?;
                Ok(measured.iter().map(|one| (f64::from(one.z), (f64::from(one.shift.0), f64::from(one.shift.1)))).collect())
            };
            let test = ShotTest { shots, null: &decisions.null, size: session.size, areas: &areas, measure_near };
            decisions.pairs = accept_by_rate(&test, &found, compared.tested, fdr, criteria.from)?;
            if criteria.share_patterns && !decisions.null.has_pattern {
                decisions.of_pattern = leave_out_patterns(session, &matcher, &mut decisions.pairs, monitor)?;
            }
        }
        Criterion::Ccc(_) => {
            let q = q_values(&found.iter().map(|one| one.chance).collect::<Vec<_>>(), compared.tested);
            let least = if criteria.measure_all { f64::NEG_INFINITY } else { DOUBTFUL_Z };
            decisions.pairs = found.iter().zip(q).map(|(one, q)| decision(one, q, one.z >= least)).collect();
        }
    }
    monitor.begin("measuring", decisions.pairs.iter().filter(|pair| criteria.measures(pair)).count() as u64);
    measure(session, &matcher, &mut decisions.pairs, criteria, monitor)?;
    if let Criterion::Ccc(threshold) = criteria.criterion {
        decisions.pairs.iter_mut().for_each(|pair| pair.is_accepted &= pair.measured.is_some_and(|measured| measured.ccc >= threshold));
    }
    Ok(decisions)
}

fn decision(found: &Found, q: f64, is_accepted: bool) -> Decision {
    Decision { alignment: found.alignment, z: found.z, q, is_accepted, agreement: Agreement::Unknown, measured: None }
}

/// Accepts pairs by their false-discovery rates, after measuring the other shots of their holes; then those that these imply.
fn accept_by_rate<M: Fn(&[Alignment]) -> Result<Vec<(f64, (f64, f64))>>>(
    test: &ShotTest<M>,
    found: &[Found],
    tested: u64,
    fdr: f64,
    from: u32,
) -> Result<Vec<Decision>> {
    let is_wanted = |one: &Found| one.alignment.pair.1 >= from;
    let mut chances: Vec<f64> = found.iter().map(|one| one.chance).collect();
    let alone = q_values(&chances, tested);
    let rows: Vec<usize> = (0..found.len()).filter(|&row| alone[row] <= DOUBTFUL_Q && is_wanted(&found[row])).collect();
    let evidence = test.evidence(&rows.iter().map(|&row| found[row]).collect::<Vec<_>>())?;
    for (&row, evidence) in rows.iter().zip(&evidence) {
        chances[row] = evidence.chance(chances[row]);
    }
    let q = q_values(&chances, tested);
    let mut pairs: Vec<Decision> = found.iter().zip(&q).map(|(one, &q)| decision(one, q, q <= fdr && is_wanted(one))).collect();
    let mut accepted_pairs = Vec::new();
    for (&row, evidence) in rows.iter().zip(&evidence) {
        if !pairs[row].is_accepted {
            continue;
        }
        let agreement = evidence.agreement(test.shots, fdr);
        pairs[row].agreement = agreement;
        accepted_pairs.push(Accepted { evidence, q: q[row], agreement });
    }
    let accepted: HashSet<Pair> = pairs.iter().filter(|pair| pair.is_accepted).map(|pair| pair.alignment.pair).collect();
    let row_of = rows_of(pairs.iter().map(|pair| pair.alignment.pair));
    for one in implied(&accepted_pairs, &accepted, fdr) {
        let decision =
            Decision { alignment: one.alignment, z: one.z, q: one.q, is_accepted: true, agreement: one.agreement, measured: None };
        match row_of.get(&one.alignment.pair) {
            Some(&row) => pairs[row] = decision,
            None => pairs.push(decision),
        }
    }
    Ok(pairs)
}

/// Does not accept pairs that share a pattern of the camera, not a scene; returns them.
///
/// A few frames with another gain reference than the rest, or none, keep a pattern in common. It makes a match as significant as any, at zero
/// shift. So do exposures that follow each other without a move of the stage. What they have in common distinguishes the two.
fn leave_out_patterns(session: &Session, matcher: &Matcher, pairs: &mut [Decision], monitor: &Monitor) -> Result<Vec<Pair>> {
    let is_near = |(x, y): (f64, f64), limit: f64| x.abs() <= limit && y.abs() <= limit;
    let mut rows: Vec<usize> =
        (0..pairs.len()).filter(|&row| pairs[row].is_accepted && is_near(pairs[row].alignment.shift, NEAR_ZERO_PX)).collect();
    let alignments: Vec<Alignment> = rows.iter().map(|&row| pairs[row].alignment).collect();
    let mut exact =
        matcher.find_near(&alignments, monitor)?.into_iter().map(|one| is_near((one.shift.0.into(), one.shift.1.into()), EXACT_PX));
    rows.retain(|_| exact.next() == Some(true));
    let still: Vec<Pair> = rows.iter().map(|&row| pairs[row].alignment.pair).collect();
    // Two that share a pattern with a third share it with each other.
    let groups = UnionFind::new(session.len());
    for (&(i, j), shares) in still.iter().zip(share_pattern(session, &still, monitor)?) {
        if shares {
            groups.unite(i, j);
        }
    }
    rows.retain(|&row| groups.root(pairs[row].alignment.pair.0) == groups.root(pairs[row].alignment.pair.1));
    rows.iter().for_each(|&row| pairs[row].is_accepted = false);
    Ok(rows.iter().map(|&row| pairs[row].alignment.pair).collect())
}

/// Measures the accepted pairs, or all.
fn measure(session: &Session, matcher: &Matcher, pairs: &mut [Decision], criteria: &Criteria, monitor: &Monitor) -> Result<()> {
    let wanted: Vec<usize> = (0..pairs.len()).filter(|&row| criteria.measures(&pairs[row])).collect();
    let mut alignments: Vec<Alignment> = wanted.iter().map(|&row| pairs[row].alignment).collect();
    // Zero shifts stand for all shifts of about a pixel: the exact ones are measured.
    let still: Vec<usize> = (0..alignments.len()).filter(|&at| alignments[at].shift == (0.0, 0.0)).collect();
    let exact = matcher.find_near(&still.iter().map(|&at| alignments[at]).collect::<Vec<_>>(), monitor)?;
    for (at, found) in still.into_iter().zip(exact) {
        alignments[at].shift = (found.shift.0.into(), found.shift.1.into());
    }
    for (&row, measured) in wanted.iter().zip(confirm(session, criteria.band, &alignments, monitor)?) {
        pairs[row].measured = Some(measured);
    }
    Ok(())
}

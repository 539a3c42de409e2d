//! Micrographs of one size during data collection: each is compared with all earlier ones when it comes.

use std::sync::Arc;

use super::kernels::rings::Band;
use super::kernels::warp::Seen;
use super::read::Stored;
use super::search::{Alignment, Comparison, LowResolution, Matcher, Pair};
use super::session::{FixedPatterns, MIN_FOR_FIXED_PATTERN, Session};
use super::significance::{Compared, Criteria, Decisions, MIN_FOR_NULL, Shots, conclude};
use crate::random::Random;
use crate::{Error, Monitor, Result};

/// Number of micrographs from which on pairs are compared: before, the fixed pattern is not known.
pub const FIRST: usize = MIN_FOR_FIXED_PATTERN;
/// At these numbers of micrographs the pattern is known so much better that all pairs are compared anew.
const ANEW: [usize; 3] = [FIRST, 72, 144];
/// Number of latest micrographs whose fixed pattern is taken out of the next [`REFRESH`].
const PATTERN: usize = 144;
const REFRESH: usize = 48;
/// Up to this many earlier micrographs, all are refined with a new one; of more, [`REFINED`], the best at low resolution.
const ALL: u32 = 600;
const REFINED: usize = 300;
/// One new micrograph in this many is also compared mirrored, of the first ones each.
const MIRRORED: u32 = 3;
/// Number of random earlier micrographs with which a new one is compared, to measure what unrelated pairs reach.
const COHORT: usize = 20;
/// Number of the best pairs of each micrograph that are kept, and of those at zero shift.
const KEPT: usize = 8;
/// Number of mirrored pairs, the highest, and of random pairs, the latest, of which the null distributions are made.
const MAX_NULL: usize = 20_000;

/// What the comparisons so far have shown. A collection that goes on in another process begins with it.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gathered {
    /// Number of micrographs that were compared with all earlier ones.
    pub covered: usize,
    tested: u64,
    decoys_tested: u64,
    /// The best pairs of each micrograph.
    candidates: Vec<Comparison>,
    mirrored: Vec<Comparison>,
    cohort: Vec<Comparison>,
}

/// The views of the micrographs so far.
#[derive(Debug)]
struct Loaded {
    session: Arc<Session>,
    low: LowResolution,
    pattern: Arc<FixedPatterns>,
}

/// The micrographs of one size in the order in which they came.
///
/// A new one takes about 600 refinements and, with n earlier ones, n correlations at low resolution. Memory: 0.15 MB a micrograph for its
/// view and 25 kB for its low resolution, and up to 16 comparisons of 80 bytes.
#[derive(Debug)]
pub struct Collection {
    band: Band,
    max_shift_reduced_px: Option<f64>,
    records: Vec<Stored>,
    loaded: Option<Loaded>,
    gathered: Gathered,
}

impl Collection {
    /// A collection without micrographs, or, of an earlier process, the first micrographs and what it had gathered of them. The views are
    /// made again. `max_shift_reduced_px`: along an axis, in reduced pixels.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Interrupted`]; [`Error::Parameter`]: what was gathered is of other micrographs.
    pub fn new(records: Vec<Stored>, gathered: Gathered, band: Band, max_shift_reduced_px: Option<f64>, monitor: &Monitor) -> Result<Self> {
        let of_all = [&gathered.candidates, &gathered.mirrored, &gathered.cohort];
        let largest = of_all.into_iter().flatten().map(|one| one.alignment.pair.0.max(one.alignment.pair.1) as usize).max();
        if largest.is_some_and(|number| number >= records.len()) || gathered.covered > records.len() {
            let found = format!("comparisons of more than {} micrographs", records.len());
            return Err(Error::parameter("gathered", found, "those of these micrographs"));
        }
        let mut collection = Self { band, max_shift_reduced_px, records, loaded: None, gathered };
        if collection.records.len() >= FIRST {
            collection.loaded = Some(collection.load(monitor)?);
        }
        Ok(collection)
    }

    /// The number of micrographs.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What was gathered so far.
    pub fn gathered(&self) -> &Gathered {
        &self.gathered
    }

    /// Adds a micrograph and compares it with all earlier ones. Returns the number of the micrograph from which on pairs may have become
    /// duplicates: that of the new one, or 0 where all are to be decided on anew.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Interrupted`]: the micrograph is in the collection, not compared; the next one makes up for it.
    pub fn add(&mut self, record: Stored, monitor: &Monitor) -> Result<usize> {
        self.records.push(record);
        let n = self.len();
        if n < FIRST {
            return Ok(0);
        }
        let was_ready = self.is_ready();
        let next = match &self.loaded {
            Some(loaded) if !ANEW.contains(&n) && loaded.session.len() + 1 == n => Some(self.extended(loaded, monitor)?),
            _ => None,
        };
        let is_new = next.is_none();
        let (loaded, mut gathered) = match next {
            Some(loaded) => (loaded, self.gathered.clone()),
            None => (self.load(monitor)?, Gathered::default()),
        };
        for i in if is_new { 1 } else { n - 1 }..n {
            self.compare(&loaded, i as u32, &mut gathered, monitor)?;
        }
        gathered.covered = n;
        (self.loaded, self.gathered) = (Some(loaded), gathered); // at once: what was interrupted has not been
        Ok(if is_new || !was_ready || n.is_multiple_of(REFRESH) { 0 } else { n - 1 })
    }

    /// Decides which pairs are duplicates, as of a whole session; None while the null distributions have too few pairs.
    ///
    /// # Errors
    /// As [`conclude`].
    pub fn conclude(&self, shots: &Shots, criteria: &Criteria, monitor: &Monitor) -> Result<Option<Decisions>> {
        let Some(Loaded { session, .. }) = self.loaded.as_ref().filter(|_| self.is_ready()) else { return Ok(None) };
        let Gathered { candidates, mirrored, cohort, tested, decoys_tested, .. } = &self.gathered;
        let compared = Compared { candidates, mirrored, cohort, tested: *tested, decoys_tested: *decoys_tested };
        conclude(session, shots, &compared, criteria, monitor).map(Some)
    }

    /// Whether the null distributions have enough pairs.
    fn is_ready(&self) -> bool {
        self.gathered.mirrored.len().min(self.gathered.cohort.len()) >= MIN_FOR_NULL
    }

    fn load(&self, monitor: &Monitor) -> Result<Loaded> {
        let session = Arc::new(Session::load(&self.records, self.band, vec![], None, monitor)?);
        let low = LowResolution::new(Arc::clone(&session), 1, self.max_shift_reduced_px, monitor)?;
        Ok(Loaded { session, low, pattern: self.pattern_before(self.len(), monitor)? })
    }

    /// With the view of the last micrograph.
    fn extended(&self, loaded: &Loaded, monitor: &Monitor) -> Result<Loaded> {
        let n = self.len();
        let pattern = if n.is_multiple_of(REFRESH) { self.pattern_before(n - 1, monitor)? } else { Arc::clone(&loaded.pattern) };
        let session = Arc::new(loaded.session.extended(&self.records[n - 1..], self.band, &pattern, monitor)?);
        let low = loaded.low.extended(Arc::clone(&session), monitor)?;
        Ok(Loaded { session, low, pattern })
    }

    /// The fixed pattern of the micrographs before one: not of a new one itself.
    fn pattern_before(&self, end: usize, monitor: &Monitor) -> Result<Arc<FixedPatterns>> {
        let first = end.saturating_sub(PATTERN);
        FixedPatterns::of(&self.records[first..end], first, self.band, monitor).map(Arc::new)
    }

    /// Compares a micrograph with all before it.
    fn compare(&self, loaded: &Loaded, i: u32, gathered: &mut Gathered, monitor: &Monitor) -> Result<()> {
        let [plain, mirrored] = [false, true].map(|mirrored| Seen { mirrored, ..Seen::default() });
        gathered.tested += u64::from(i);
        gathered.candidates.extend(best(self.refine(loaded, i, &partners(loaded, i, plain, monitor)?, plain, monitor)?));
        if (i as usize) < ANEW[2] || i.is_multiple_of(MIRRORED) {
            gathered.decoys_tested += u64::from(i);
            gathered.mirrored.extend(self.refine(loaded, i, &partners(loaded, i, mirrored, monitor)?, mirrored, monitor)?);
            keep_highest(&mut gathered.mirrored, MAX_NULL);
        }
        let mut at_random = Random::new(3 << 32 | u64::from(i)).draw((0..i).collect(), COHORT);
        at_random.sort_unstable();
        gathered.cohort.extend(self.refine(loaded, i, &at_random, plain, monitor)?);
        gathered.cohort.drain(..gathered.cohort.len().saturating_sub(MAX_NULL));
        Ok(())
    }

    /// Refines a micrograph with earlier ones. It is the first of each pair there, which is faster, and the second in what is returned.
    fn refine(&self, loaded: &Loaded, i: u32, partners: &[u32], seen: Seen, monitor: &Monitor) -> Result<Vec<Comparison>> {
        let pairs: Vec<Pair> = partners.iter().map(|&partner| (i, partner)).collect();
        let found = Matcher::new(&loaded.session, self.max_shift_reduced_px, false).find(&pairs, seen, monitor)?;
        let inverse = |(&(i, partner), one)| {
            let compared = Comparison::new((partner, i), one, 0.0);
            let (x, y) = compared.alignment.shift;
            Comparison { alignment: Alignment { shift: (-x, -y), ..compared.alignment }, ..compared }
        };
        Ok(pairs.iter().zip(&found).map(inverse).collect())
    }
}

/// The earlier micrographs with which one is refined.
fn partners(loaded: &Loaded, i: u32, seen: Seen, monitor: &Monitor) -> Result<Vec<u32>> {
    if i <= ALL { Ok((0..i).collect()) } else { loaded.low.nearest(i, seen, REFINED, monitor) }
}

/// The best of the pairs of one micrograph, and the best at zero shift, in the order in which they are given.
fn best(found: Vec<Comparison>) -> impl Iterator<Item = Comparison> {
    let mut is_kept = vec![false; found.len()];
    for height in [(|one| one.z) as fn(&Comparison) -> f64, |one| one.z_at_zero] {
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|&a, &b| height(&found[b]).total_cmp(&height(&found[a])).then(a.cmp(&b)));
        order.iter().take(KEPT).for_each(|&at| is_kept[at] = true);
    }
    found.into_iter().zip(is_kept).filter_map(|(one, is_kept)| is_kept.then_some(one))
}

/// Keeps so many pairs, those of the highest significance, in their order.
fn keep_highest(pairs: &mut Vec<Comparison>, number: usize) {
    if pairs.len() <= number {
        return;
    }
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&a, &b| pairs[b].z.total_cmp(&pairs[a].z).then(a.cmp(&b)));
    order.truncate(number);
    order.sort_unstable();
    *pairs = order.into_iter().map(|at| pairs[at]).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_heights(heights: &[(f64, f64)]) -> Vec<Comparison> {
        heights.iter().map(|&(z, z_at_zero)| Comparison { z, z_at_zero, ..Comparison::default() }).collect()
    }

    #[test]
    fn the_best_pairs_stay_in_order() {
        let found: Vec<(f64, f64)> = (0..40).map(|k| (f64::from(k * 7 % 40), f64::from(k * 11 % 40))).collect();
        let kept: Vec<Comparison> = best(of_heights(&found)).collect();
        let expected: Vec<(f64, f64)> = found.iter().copied().filter(|&(z, at_zero)| z >= 32.0 || at_zero >= 32.0).collect();
        assert_eq!(kept, of_heights(&expected));
        assert_eq!(best(of_heights(&found[..3])).count(), 3);
    }

    #[test]
    fn the_highest_stay_in_order_the_first_of_equals() {
        let mut pairs = of_heights(&[(1.0, 0.0), (3.0, 0.0), (2.0, 0.0), (3.0, 1.0), (2.0, 2.0)]);
        keep_highest(&mut pairs, 3);
        assert_eq!(pairs, of_heights(&[(3.0, 0.0), (2.0, 0.0), (3.0, 1.0)]));
    }
}

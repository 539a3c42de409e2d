//! Selection of the pairs that are compared closely.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::coarse::{Candidate, Coarse, ROWS, Threshold};
use super::planting::{Planted, plant};
use super::pools::{Pools, SIZES};
use crate::micrographs::kernels::correlator::Highest;
use crate::micrographs::kernels::warp::{Seen, Warp};
use crate::micrographs::session::Session;
use crate::{Error, Monitor, Result};

/// This many pairs are compared closely at any sensitivity: all pairs of a small session, so that screening loses none.
const CLOSELY: u64 = 200_000;
/// The share of pairs compared closely in larger sessions, up to [`MAX_CLOSELY`].
const SHARE: f64 = 0.03;
/// Sessions of up to this many micrographs are screened at twice the resolution if their signal requires it; memory and time allow it.
const MAX_FINER: usize = 3500;
/// About the maximum number of pairs compared closely.
const MAX_CLOSELY: u64 = 400_000;
/// About the number of pairs with mirrored micrographs that are screened.
const DECOYS: u64 = 300_000;
/// Number of pairs from which thresholds are estimated.
const SAMPLED: usize = 20_000;
/// The share of all pools that may pass by chance.
const POOLS_PASSING: f64 = 0.003;
/// Number of micrographs of which second exposures are planted.
const PLANTED: usize = 300;
/// Minimum recall of planted pairs for a way of screening.
const RECALL: f64 = 0.99;

/// How much the screening may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// The largest pools, whatever they lose.
    Fast,
    /// Pools as large as the session's signal allows.
    Auto,
    /// Every pair by itself.
    Full,
}

impl FromStr for Sensitivity {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "fast" => Ok(Self::Fast),
            "auto" => Ok(Self::Auto),
            "full" => Ok(Self::Full),
            other => Err(Error::parameter("sensitivity", other, "fast, auto or full")),
        }
    }
}

/// How pairs are screened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Screening {
    /// Number of all pairs.
    pub pairs: u64,
    /// Columns and rows of the grid; `None`: without screening, all pairs are compared closely.
    pub grid: Option<(usize, usize)>,
    /// Factor of a higher resolution than the usual one.
    pub finer: usize,
    /// Micrographs per pool; 1: every pair by itself.
    pub pool_size: usize,
    /// Peak height, in standard deviations, from which a pair is compared closely.
    pub threshold: Threshold,
    /// Peak height of a pool, from which its micrographs are tested one by one.
    pub pool_threshold: Threshold,
    /// Pairs with mirrored micrographs that are screened.
    pub decoy_pairs: u64,
    /// Group size, predicted recall of pairs that overlap by 0.3: what was considered.
    pub predicted: Vec<(usize, f64)>,
}

/// Pairs to be compared closely.
#[derive(Clone, Debug, Default)]
pub struct Screened {
    /// Of the session.
    pub candidates: Vec<Candidate>,
    /// Pairs of a mirrored micrograph and another one that pass when screened one by one: those that pass by chance.
    pub decoys: Vec<Candidate>,
}

/// One part of the pairs, so that several processes can share the work: each takes some of the first micrographs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The part of number `index`, from 0, of `count`.
    ///
    /// # Errors
    /// [`Error::Parameter`]: there is no such part.
    pub fn new(index: usize, count: usize) -> Result<Self> {
        if index < count {
            Ok(Self { index, count })
        } else {
            Err(Error::parameter("shard", format!("{index} of {count}"), "one of the shards"))
        }
    }

    /// Whether a pair is in this part, by its first micrograph. Neighbours go together; those with many partners are dealt out evenly.
    pub fn holds(self, first: u32) -> bool {
        first as usize / ROWS % self.count == self.index
    }
}

/// Selects the pairs to be compared closely among all.
#[derive(Debug)]
pub struct Screener {
    /// How.
    pub screening: Screening,
    session: Arc<Session>,
    coarse: Option<Coarse>,
}

impl Screener {
    /// Decides how a session is screened.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`].
    pub fn plan(session: &Arc<Session>, sensitivity: Sensitivity, max_shift_px: Option<f64>, monitor: &Monitor) -> Result<Self> {
        let (session, n) = (Arc::clone(session), session.len());
        let pairs = all(n);
        let mut screening = Screening { pairs, finer: 1, pool_size: 1, decoy_pairs: pairs, ..Screening::default() };
        if n < 8 || (pairs <= CLOSELY && sensitivity != Sensitivity::Fast) {
            return Ok(Self { screening, session, coarse: None });
        }
        let mut coarse = Coarse::new(Arc::clone(&session), screening.finer, max_shift_px, monitor)?;
        let mut choice = choose(&coarse, sensitivity, monitor)?;
        if sensitivity != Sensitivity::Fast && choice.single() < RECALL && n <= MAX_FINER {
            drop(coarse);
            screening.finer = 2;
            coarse = Coarse::new(Arc::clone(&session), screening.finer, max_shift_px, monitor)?;
            choice = choose(&coarse, Sensitivity::Full, monitor)?;
        }
        let Choice { threshold, pool_size, pool_threshold, predicted } = choice;
        let decoy_pairs = decoys(n).map(|i| n as u64 - 1 - u64::from(i)).sum();
        screening = Screening { grid: Some(coarse.grid()), threshold, pool_size, pool_threshold, predicted, decoy_pairs, ..screening };
        Ok(Self { screening, session, coarse: Some(coarse) })
    }

    /// What was decided elsewhere; `path`: of the spectra that [`Screener::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn open(session: &Arc<Session>, screening: Screening, max_shift_px: Option<f64>, path: &Path) -> Result<Self> {
        let session = Arc::clone(session);
        let coarse = screening.grid.map(|_| Coarse::open(Arc::clone(&session), screening.finer, max_shift_px, path)).transpose()?;
        Ok(Self { screening, session, coarse })
    }

    /// Writes the spectra, if there are any.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        self.coarse.as_ref().map_or(Ok(()), |coarse| coarse.save(path))
    }

    /// Selects among the pairs of a shard, with the first of each rotated by each of the given angles.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`].
    pub fn screen(&self, shard: Shard, turns_deg: &[f64], monitor: &Monitor) -> Result<Screened> {
        let n = self.session.len() as u32;
        let held = |firsts: &mut dyn Iterator<Item = u32>| firsts.filter(|&i| shard.holds(i)).collect::<Vec<u32>>();
        let firsts = held(&mut (0..n));
        let Some(coarse) = &self.coarse else {
            let every = || firsts.iter().flat_map(|&i| (i + 1..n).map(move |j| Candidate { i, j, z: 0.0 })).collect();
            return Ok(Screened { candidates: every(), decoys: every() });
        };
        let Screening { threshold, pool_threshold, pool_size, .. } = self.screening;
        let pools = (pool_size > 1).then(|| Pools::new(coarse, pool_size));
        let candidates = at_every_turn(turns_deg, false, |seen| match &pools {
            Some(pools) => pools.screen(coarse, &firsts, seen, pool_threshold, threshold, monitor),
            None => coarse.screen(&firsts, seen, threshold, monitor),
        })?;
        let (sampled, threshold) = (held(&mut decoys(n as usize)), Threshold { at_zero: f32::INFINITY, ..threshold });
        let decoys = at_every_turn(turns_deg, true, |seen| coarse.screen(&sampled, seen, threshold, monitor))?;
        Ok(Screened { candidates, decoys })
    }
}

/// The number of all pairs of n.
fn all(n: usize) -> u64 {
    (n as u64) * (n as u64).saturating_sub(1) / 2
}

/// The micrographs whose mirror images are compared with all later ones.
fn decoys(n: usize) -> impl Iterator<Item = u32> {
    // An odd step takes even and odd micrographs, which are mirrored differently.
    (0..n as u32).step_by((all(n) / DECOYS) as usize | 1)
}

/// The pairs found at any rotation, each once.
fn at_every_turn(turns_deg: &[f64], mirrored: bool, screen: impl Fn(Seen) -> Result<Vec<Candidate>>) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for &turn in turns_deg {
        found.extend(screen(Seen { mirrored, warp: Warp::of(turn, 1.0) })?);
    }
    found.sort_by(|a, b| (a.i, a.j).cmp(&(b.i, b.j)).then(b.z.total_cmp(&a.z)));
    found.dedup_by_key(|candidate| (candidate.i, candidate.j));
    Ok(found)
}

/// Pseudo-random integers, the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

/// The value that a share of the others exceeds.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let at = (values.len() as f64 * (1.0 - share)).floor() as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The peak heights exceeded by as many pairs as may pass, a fifth of them at zero shift.
fn threshold_passed_by(heights: &[Highest], share: f64) -> Threshold {
    let values = |of: &dyn Fn(&Highest) -> [f32; 2]| heights.iter().flat_map(of).collect::<Vec<f32>>();
    let share = share.clamp(1.0 / heights.len() as f64, 1.0);
    Threshold {
        elsewhere: quantile(values(&|found| found.z), share),
        at_zero: quantile(values(&|found| found.at_zero.map(f32::abs)), 0.2 * share),
    }
}

fn threshold_of_pairs(coarse: &Coarse, pairs: u64, monitor: &Monitor) -> Result<Threshold> {
    let wanted = ((SHARE * pairs as f64) as u64).clamp(CLOSELY, MAX_CLOSELY);
    let mut random = Random(1);
    let n = coarse.session.len();
    let mut tests = Vec::new();
    while tests.len() < SAMPLED / 2 {
        let (i, k) = (random.below(n), random.below(n / 2));
        if i / 2 != k {
            tests.push((i as u32, k as u32));
        }
    }
    Ok(threshold_passed_by(&coarse.sample(&tests, monitor)?, wanted as f64 / pairs as f64))
}

/// How pairs are tested.
struct Choice {
    threshold: Threshold,
    pool_size: usize,
    pool_threshold: Threshold,
    predicted: Vec<(usize, f64)>,
}

impl Choice {
    /// The predicted recall of pairs that are tested by themselves.
    fn single(&self) -> f64 {
        self.predicted.first().map_or(1.0, |&(_, recall)| recall)
    }
}

/// The largest pool that loses less than one in a hundred of the planted pairs, its threshold, and the predictions.
fn choose(coarse: &Coarse, sensitivity: Sensitivity, monitor: &Monitor) -> Result<Choice> {
    let n = coarse.session.len();
    let threshold = threshold_of_pairs(coarse, all(n), monitor)?;
    let micrographs: Vec<u32> = (0..n).step_by(n.div_ceil(PLANTED)).map(|i| i as u32).collect();
    let planted = plant(coarse, &micrographs, monitor)?;
    let share = |passes: &dyn Fn(&Planted) -> bool| planted.iter().filter(|planted| passes(planted)).count() as f64 / planted.len() as f64;
    let single = share(&|planted| planted.single >= threshold.elsewhere);
    let mut choice = Choice { threshold, pool_size: 1, pool_threshold: Threshold::default(), predicted: vec![(1, single)] };
    if sensitivity == Sensitivity::Full {
        return Ok(choice);
    }
    for (at, &size) in SIZES.iter().enumerate() {
        let Some(of_pools) = threshold_of_pools(coarse, &Pools::new(coarse, size), monitor)? else { break };
        let recall = share(&|planted| planted.single >= threshold.elsewhere && planted.pooled[at] >= of_pools.elsewhere);
        choice.predicted.push((size, recall));
        if sensitivity == Sensitivity::Fast || recall >= RECALL {
            (choice.pool_size, choice.pool_threshold) = (size, of_pools);
        }
    }
    Ok(choice)
}

/// The peak heights exceeded by few pools of unrelated micrographs; `None` if there are no such pools.
fn threshold_of_pools(coarse: &Coarse, pools: &Pools, monitor: &Monitor) -> Result<Option<Threshold>> {
    let mut random = Random(pools.size as u64);
    let mut tests = Vec::new();
    for _ in 0..SAMPLED {
        let (i, pool) = (random.below(coarse.session.len()), random.below(pools.len()));
        if !pools.holds(pool, i) && tests.len() < SAMPLED / 10 {
            tests.push((i as u32, pool as u32));
        }
    }
    if tests.is_empty() {
        return Ok(None);
    }
    // Mirrored micrographs match none of the pools, whatever the session repeats; at zero shift only what all have in common matters.
    let of = |mirrored: bool| {
        Ok(threshold_passed_by(&pools.sample(coarse, &tests, Seen { mirrored, ..Seen::default() }, monitor)?, POOLS_PASSING))
    };
    Ok(Some(Threshold { elsewhere: of(true)?.elsewhere, ..of(false)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::session::tests::{SIZE, noise, shifted};

    fn screener(views: &[i8], sensitivity: Sensitivity) -> Screener {
        let session = Arc::new(Session::of_views(SIZE, views, 0.9));
        Screener::plan(&session, sensitivity, None, &Monitor::default()).unwrap()
    }

    fn screened(screener: &Screener, index: usize, count: usize) -> Screened {
        screener.screen(Shard::new(index, count).unwrap(), &[0.0], &Monitor::default()).unwrap()
    }

    #[test]
    fn of_a_small_session_every_pair_is_compared_closely() {
        let screener = screener(&noise(9), Sensitivity::Auto);
        let found = screened(&screener, 0, 1);
        assert_eq!((found.candidates.len(), found.decoys.len(), screener.screening.grid), (36, 36, None));
    }

    #[test]
    fn copies_are_found_in_pools_and_shards_find_what_one_run_does() {
        let mut views = noise(120);
        let length = SIZE.0 * SIZE.1;
        let copies = [(0_u32, 111_u32), (1, 80), (20, 101), (33, 119)];
        for (i, j) in copies {
            let copy = shifted(&views, i as usize, (5, 4));
            views[j as usize * length..][..length].copy_from_slice(&copy);
        }
        let screener = screener(&views, Sensitivity::Fast);
        let Screened { candidates, decoys } = screened(&screener, 0, 1);
        let pairs: Vec<(u32, u32)> = candidates.iter().map(|found| (found.i, found.j)).collect();
        assert!(copies.iter().all(|pair| pairs.contains(pair)), "{:?}", screener.screening);
        assert!(screener.screening.pool_size > 1 && screener.screening.predicted.len() > 1, "{:?}", screener.screening);
        assert!(pairs.is_sorted() && decoys.iter().all(|decoy| decoy.i < decoy.j));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spectra");
        screener.save(&path).unwrap();
        let opened = Screener::open(&screener.session, screener.screening.clone(), None, &path).unwrap();
        let mut parts: Vec<Screened> = (0..4).map(|index| screened(&opened, index, 4)).collect();
        let mut joined: Vec<Candidate> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.candidates)).collect();
        joined.sort_by_key(|one| (one.i, one.j));
        assert_eq!(joined, candidates);
        assert_eq!(parts.iter().map(|part| part.decoys.len()).sum::<usize>(), decoys.len());
        assert!(Shard::new(4, 4).is_err());
    }

    #[test]
    fn a_share_of_the_values_is_above_the_quantile() {
        let values: Vec<f32> = (0..1000).map(|value| value as f32).collect();
        assert!((quantile(values, 0.01) - 990.0).abs() < 1e-6);
        assert!(quantile(vec![], 0.5).abs() < 1e-6);
    }
}

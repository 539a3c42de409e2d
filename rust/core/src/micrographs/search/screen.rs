//! Selection of the pairs that are refined.

use std::sync::Arc;

use super::choice::{Choice, Sensitivity, choose};
use super::low_resolution::{Candidate, LowResolution, ROWS, Threshold};
use super::pools::Pools;
use crate::micrographs::kernels::warp::{Orientation, Seen, Warp};
use crate::micrographs::session::Session;
use crate::{Error, Monitor, Result};

/// This many pairs are refined at any sensitivity: all pairs of a small session, so that screening loses none.
const ALWAYS_REFINED: u64 = 200_000;
/// The share of pairs that is refined in larger sessions, up to [`MAX_REFINED`].
const SHARE_REFINED: f64 = 0.03;
/// About the maximum number of refined pairs of those.
const MAX_REFINED: u64 = 400_000;
/// Sessions of up to this many micrographs are screened at twice the resolution if their signal requires it; memory and time allow it.
const MAX_FINER: usize = 3500;
/// About the number of pairs with mirrored micrographs that are screened.
const DECOYS: u64 = 300_000;
/// Minimum recall of planted pairs for a way of screening.
pub(super) const RECALL: f64 = 0.99;

/// The way in which pairs are screened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Screening {
    /// The number of all pairs.
    pub pairs: u64,
    /// Columns and rows of the grid; `None`: without screening, all pairs are refined.
    pub grid: Option<(usize, usize)>,
    /// Factor of a higher resolution than the usual one.
    pub(super) finer: usize,
    /// Micrographs per pool; 1: every pair by itself.
    pub pool_size: usize,
    /// Peak height, in standard deviations, from which a pair is refined.
    pub threshold: Threshold,
    /// Peak height of a pool, from which its micrographs are tested one by one.
    pub pool_threshold: Threshold,
    /// Pairs with mirrored micrographs that are screened.
    pub decoy_pairs: u64,
    /// Group size, predicted recall of pairs that overlap by 0.3: what was considered.
    pub predicted: Vec<(usize, f64)>,
}

/// Pairs to be refined.
#[derive(Clone, Debug, Default)]
pub struct Screened {
    /// Pairs of the session.
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

    /// The number of parts.
    pub(super) fn count(self) -> usize {
        self.count
    }

    /// Whether a pair is in this part, by its first micrograph. Neighbours go together; those with many partners are dealt out evenly.
    pub(super) fn holds(self, first: u32) -> bool {
        first as usize / ROWS % self.count == self.index
    }
}

/// The number of pairs that a search among all will compare, as far as it is known before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Whether they are screened; otherwise all are refined.
    pub is_screened: bool,
    /// Whether they are screened at twice the resolution if the signal of the session requires it.
    pub may_be_finer: bool,
    /// Pairs that are refined, about.
    pub refined: u64,
    /// Pairs of a mirrored micrograph and another one, which are screened likewise.
    pub decoys: u64,
}

impl Extent {
    /// The extent of a search among `n` micrographs.
    #[must_use]
    pub fn of(n: usize, sensitivity: Sensitivity) -> Self {
        let pairs = all(n);
        if n < 8 || (pairs <= ALWAYS_REFINED && sensitivity != Sensitivity::Fast) {
            return Self { is_screened: false, may_be_finer: false, refined: pairs, decoys: pairs };
        }
        let decoys = decoys(n).map(|i| n as u64 - 1 - u64::from(i)).sum();
        let may_be_finer = sensitivity != Sensitivity::Fast && n <= MAX_FINER;
        Self { is_screened: true, may_be_finer, refined: refined_of(pairs).min(pairs), decoys }
    }
}

/// About the number of pairs that are refined among all, where they are screened.
pub(super) fn refined_of(pairs: u64) -> u64 {
    ((SHARE_REFINED * pairs as f64) as u64).clamp(ALWAYS_REFINED, MAX_REFINED)
}

/// Selects the pairs to be refined among all.
#[derive(Debug)]
pub struct Screener {
    /// The way in which they are selected.
    pub screening: Screening,
    pub(super) session: Arc<Session>,
    pub(super) low: Option<LowResolution>,
}

impl Screener {
    /// Decides how a session is screened.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`].
    pub fn plan(session: &Arc<Session>, sensitivity: Sensitivity, max_shift_reduced_px: Option<f64>, monitor: &Monitor) -> Result<Self> {
        let (session, n) = (Arc::clone(session), session.len());
        let pairs = all(n);
        let extent = Extent::of(n, sensitivity);
        let mut screening = Screening { pairs, finer: 1, pool_size: 1, decoy_pairs: extent.decoys, ..Screening::default() };
        if !extent.is_screened {
            return Ok(Self { screening, session, low: None });
        }
        let mut low = LowResolution::new(Arc::clone(&session), screening.finer, max_shift_reduced_px, monitor)?;
        let mut choice = choose(&low, pairs, sensitivity, monitor)?;
        if extent.may_be_finer && choice.single() < RECALL {
            drop(low);
            screening.finer = 2;
            low = LowResolution::new(Arc::clone(&session), screening.finer, max_shift_reduced_px, monitor)?;
            choice = choose(&low, pairs, Sensitivity::Full, monitor)?;
        }
        let Choice { threshold, pool_size, pool_threshold, predicted } = choice;
        screening = Screening { grid: Some(low.grid()), threshold, pool_size, pool_threshold, predicted, ..screening };
        Ok(Self { screening, session, low: Some(low) })
    }

    /// Selects among the pairs of a shard, with the first of each stored in an orientation, and rotated by each of the given angles.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`].
    pub fn screen(&self, shard: Shard, orientation: Orientation, turns_deg: &[f64], monitor: &Monitor) -> Result<Screened> {
        let n = self.session.len() as u32;
        let held = |firsts: &mut dyn Iterator<Item = u32>| firsts.filter(|&i| shard.holds(i)).collect::<Vec<u32>>();
        let firsts = held(&mut (0..n));
        let Some(low) = &self.low else {
            let every = || firsts.iter().flat_map(|&i| (i + 1..n).map(move |j| Candidate { i, j, z: 0.0 })).collect();
            return Ok(Screened { candidates: every(), decoys: every() });
        };
        let Screening { threshold, pool_threshold, pool_size, .. } = self.screening;
        let pools = (pool_size > 1).then(|| Pools::new(low, pool_size));
        let plain = Seen { orientation, ..Seen::default() };
        let candidates = at_every_turn(turns_deg, plain, |seen| match &pools {
            Some(pools) => pools.screen(low, &firsts, seen, pool_threshold, threshold, monitor),
            None => low.screen(&firsts, seen, threshold, monitor),
        })?;
        let (sampled, threshold) = (held(&mut decoys(n as usize)), Threshold { at_zero: f32::INFINITY, ..threshold });
        let mirrored = Seen { mirrored: true, ..Seen::default() };
        let decoys = at_every_turn(turns_deg, mirrored, |seen| low.screen(&sampled, seen, threshold, monitor))?;
        Ok(Screened { candidates, decoys })
    }
}

/// The number of all pairs of n.
fn all(n: usize) -> u64 {
    (n as u64) * (n as u64).saturating_sub(1) / 2
}

/// The micrographs whose mirror images are compared with all later ones.
fn decoys(n: usize) -> impl Iterator<Item = u32> {
    // An odd step takes micrographs of all the orientations that decoys have.
    (0..n as u32).step_by((all(n) / DECOYS) as usize | 1)
}

/// The pairs found at any rotation, each once.
fn at_every_turn(turns_deg: &[f64], seen: Seen, screen: impl Fn(Seen) -> Result<Vec<Candidate>>) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for &turn in turns_deg {
        found.extend(screen(Seen { warp: Warp::of(turn, 1.0), ..seen })?);
    }
    found.sort_by(|a, b| (a.i, a.j).cmp(&(b.i, b.j)).then(b.z.total_cmp(&a.z)));
    found.dedup_by_key(|candidate| (candidate.i, candidate.j));
    Ok(found)
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
        screener.screen(Shard::new(index, count).unwrap(), Orientation::default(), &[0.0], &Monitor::default()).unwrap()
    }

    #[test]
    fn every_pair_of_a_small_session_is_refined() {
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
        screener.save(directory.path()).unwrap();
        let opened = Screener::open(&screener.session, None, directory.path()).unwrap();
        assert_eq!(opened.screening, screener.screening);
        let mut parts: Vec<Screened> = (0..4).map(|index| screened(&opened, index, 4)).collect();
        let mut joined: Vec<Candidate> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.candidates)).collect();
        joined.sort_by_key(|one| (one.i, one.j));
        assert_eq!(joined, candidates);
        assert_eq!(parts.iter().map(|part| part.decoys.len()).sum::<usize>(), decoys.len());
        assert!(Shard::new(4, 4).is_err());
    }

    #[test]
    fn first_micrographs_are_dealt_out_whole_and_evenly() {
        let shards: Vec<Shard> = (0..4).map(|index| Shard::new(index, 4).unwrap()).collect();
        let held: Vec<usize> = (0..4000).map(|first| shards.iter().filter(|shard| shard.holds(first)).count()).collect();
        assert!(held.iter().all(|&count| count == 1));
        let sizes: Vec<usize> = shards.iter().map(|shard| (0..4000).filter(|&first| shard.holds(first)).count()).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= ROWS, "{sizes:?}");
    }
}

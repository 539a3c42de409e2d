//! Comparing the pairs of a session, in blocks that any number of processes can share.
//!
//! Whatever the number of blocks, joined they are the same to the bit: a pair's result does not depend on the other pairs, and each block
//! takes all pairs of its first micrographs.

use std::path::Path;
use std::sync::Arc;

use super::alignment::Pair;
use super::choice::Sensitivity;
use super::comparison::Comparison;
use super::refine::Matcher;
use super::screen::{Screener, Screening, Shard};
use crate::micrographs::Session;
use crate::micrographs::kernels::warp::{Orientation, Seen, Warp};
use crate::random::Random;
use crate::{Error, Monitor, Result};

/// Number of random pairs, compared if not all pairs are refined, to measure what unrelated pairs reach.
pub const RANDOM_PAIRS: usize = 10_000;

/// The shifts, and the rotations of the first micrograph, at which pairs are compared.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Largest shift along an axis, in pixels of the reduced micrographs; None: up to where a tenth of the frame overlaps.
    pub max_shift_reduced_px: Option<f64>,
    /// Rotations, in degrees, at which pairs are refined.
    pub turns_deg: Vec<f64>,
    /// Rotations, in degrees, at which pairs are screened.
    pub screened_turns_deg: Vec<f64>,
}

/// The pairs of a search.
#[derive(Debug)]
enum Pairs {
    /// All; `screener`: None where nothing is compared any more.
    All { screening: Screening, screener: Option<Box<Screener>> },
    /// The pairs of a window in the order of exposure, and some of them that are also compared mirrored.
    Window { pairs: Vec<Pair>, decoys: Vec<Pair> },
}

/// A session whose pairs are compared.
///
/// Screening takes time proportional to n² for n micrographs; pools of 2 to 16 micrographs divide it by up to as many. The pairs that pass
/// are refined: all of up to 200,000, else a share of them. Memory: the views, about 0.15 MB a micrograph unless the
/// session keeps them in a file, and 25 kB a micrograph for the screening.
#[derive(Debug)]
pub struct Search {
    /// The micrographs that are compared.
    pub session: Arc<Session>,
    pairs: Pairs,
    limits: Limits,
}

/// A comparison; `at`: by which those of several blocks are put into one order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listed {
    /// A number by which comparisons are sorted.
    pub at: u64,
    /// The comparison.
    pub found: Comparison,
}

/// Some of the pairs of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Pairs that may be duplicates.
    pub candidates: Vec<Listed>,
    /// Pairs with a mirrored micrograph.
    pub mirrored: Vec<Listed>,
    /// Random pairs, most of which are unrelated; none if all pairs are refined.
    pub random: Vec<Listed>,
}

impl Block {
    /// Candidates, mirrored and random pairs, without their places in the order.
    pub fn comparisons(&self) -> [Vec<Comparison>; 3] {
        [&self.candidates, &self.mirrored, &self.random].map(|ones| ones.iter().map(|one| one.found).collect())
    }

    /// All pairs, in the order that they have in one block.
    pub fn join(blocks: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for block in blocks {
            all.candidates.extend(block.candidates);
            all.mirrored.extend(block.mirrored);
            all.random.extend(block.random);
        }
        [&mut all.candidates, &mut all.mirrored, &mut all.random].into_iter().for_each(|one| one.sort_by_key(|listed| listed.at));
        all
    }
}

impl Search {
    /// A search among all pairs.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`].
    pub fn plan(session: Arc<Session>, sensitivity: Sensitivity, limits: Limits, monitor: &Monitor) -> Result<Self> {
        let screener = Screener::plan(&session, sensitivity, limits.max_shift_reduced_px, monitor)?;
        let pairs = Pairs::All { screening: screener.screening.clone(), screener: Some(Box::new(screener)) };
        Ok(Self { session, pairs, limits })
    }

    /// A search among some pairs; `decoys`: those that are also compared with one of the two mirrored.
    pub fn window(session: Arc<Session>, pairs: Vec<Pair>, decoys: Vec<Pair>, limits: Limits) -> Self {
        Self { session, pairs: Pairs::Window { pairs, decoys }, limits }
    }

    /// A search among all pairs that was saved; `compares`: whether pairs are still to be compared.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn open(session: Arc<Session>, limits: Limits, directory: &Path, compares: bool) -> Result<Self> {
        let screener = compares.then(|| Screener::open(&session, limits.max_shift_reduced_px, directory).map(Box::new)).transpose()?;
        let screening = screener.as_ref().map_or_else(|| Screening::open(directory), |screener| Ok(screener.screening.clone()))?;
        Ok(Self { session, pairs: Pairs::All { screening, screener }, limits })
    }

    /// Adds to a directory how the pairs are screened, for [`Search::open`]; nothing of a window.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, directory: &Path) -> Result<()> {
        match &self.pairs {
            Pairs::All { screener: Some(screener), .. } => screener.save(directory),
            _ => Ok(()),
        }
    }

    /// The way in which pairs are screened; None in a window.
    pub fn screening(&self) -> Option<&Screening> {
        match &self.pairs {
            Pairs::All { screening, .. } => Some(screening),
            Pairs::Window { .. } => None,
        }
    }

    /// Whether every pair of the session is refined.
    pub(in super::super) fn compares_all(&self) -> bool {
        match &self.pairs {
            Pairs::All { screening, .. } => screening.grid.is_none(),
            Pairs::Window { pairs, .. } => pairs.len() == self.session.len() * self.session.len().saturating_sub(1) / 2,
        }
    }

    /// The number of pairs, of which the candidates of `block` are the best, and that of pairs with a mirrored micrograph.
    pub fn tested(&self, block: &Block) -> (u64, u64) {
        match &self.pairs {
            Pairs::All { screening, .. } => (screening.pairs, screening.decoy_pairs),
            Pairs::Window { .. } => (block.candidates.len() as u64, block.mirrored.len() as u64),
        }
    }

    /// Compares the pairs of a shard.
    ///
    /// # Errors
    /// [`Error::Io`] of the views, [`Error::Interrupted`]; [`Error::Parameter`]: opened only to conclude.
    pub fn compare(&self, shard: Shard, monitor: &Monitor) -> Result<Block> {
        let n = self.session.len() as u64;
        monitor.begin("screening", n * n.saturating_sub(1) / 2 / shard.count() as u64);
        let (pairs, decoys) = self.pairs_of(shard, Orientation::default(), monitor)?;
        monitor.begin("comparing closely", pairs.len() as u64);
        let candidates = self.refine(&pairs, Seen::default(), monitor)?;
        monitor.begin("comparing with mirrored micrographs", decoys.len() as u64);
        let mirrored = self.refine(&decoys, Seen { mirrored: true, ..Seen::default() }, monitor)?;
        let random = if self.compares_all() { vec![] } else { numbered(random_pairs(n as u32)) };
        let random: Vec<(u64, Pair)> = random.into_iter().filter(|(_, pair)| shard.holds(pair.0)).collect();
        if !random.is_empty() {
            monitor.begin("comparing random pairs", random.len() as u64);
        }
        Ok(Block { candidates, mirrored, random: self.refine(&random, Seen::default(), monitor)? })
    }

    /// Compares all pairs, with the first of each stored in another orientation.
    ///
    /// # Errors
    /// As [`Search::compare`].
    pub(in super::super) fn in_orientation(&self, orientation: Orientation, monitor: &Monitor) -> Result<Vec<Comparison>> {
        let (pairs, _) = self.pairs_of(Shard::new(0, 1)?, orientation, monitor)?;
        monitor.begin("comparing in other orientations", pairs.len() as u64);
        let found = self.refine(&pairs, Seen { orientation, ..Seen::default() }, monitor)?;
        Ok(found.into_iter().map(|listed| listed.found).collect())
    }

    /// The pairs of a shard that are refined, and those with a mirrored micrograph.
    #[expect(clippy::type_complexity, reason = "two lists of the same")]
    fn pairs_of(&self, shard: Shard, orientation: Orientation, monitor: &Monitor) -> Result<(Vec<(u64, Pair)>, Vec<(u64, Pair)>)> {
        match &self.pairs {
            Pairs::Window { pairs, decoys } => {
                let held = |pairs: &[Pair]| {
                    let numbered = (0..).zip(pairs.iter().copied());
                    numbered.filter(|(_, pair)| shard.holds(pair.0)).collect()
                };
                Ok((held(pairs), held(decoys)))
            }
            Pairs::All { screener: None, .. } => Err(Error::parameter("search", "one opened to conclude", "one opened to compare")),
            Pairs::All { screener: Some(screener), .. } => {
                let found = screener.screen(shard, orientation, &self.limits.screened_turns_deg, monitor)?;
                let [pairs, decoys] =
                    [found.candidates, found.decoys].map(|ones| numbered(ones.into_iter().map(|one| (one.i, one.j)).collect()));
                Ok((pairs, decoys))
            }
        }
    }

    /// Compares pairs at every rotation; at zero shift only without rotation.
    fn refine(&self, pairs: &[(u64, Pair)], seen: Seen, monitor: &Monitor) -> Result<Vec<Listed>> {
        let only: Vec<Pair> = pairs.iter().map(|(_, pair)| *pair).collect();
        let matcher = Matcher::new(&self.session, self.limits.max_shift_reduced_px, self.screening().is_some_and(|how| how.grid.is_some()));
        let mut best: Vec<Listed> = Vec::new();
        for &turn_deg in &self.limits.turns_deg {
            let found = matcher.find(&only, Seen { warp: Warp::of(turn_deg, 1.0), ..seen }, monitor)?;
            let here = pairs.iter().zip(&found).map(|((at, pair), one)| Listed { at: *at, found: Comparison::new(*pair, one, turn_deg) });
            if best.is_empty() {
                best = here.collect();
            } else {
                best.iter_mut().zip(here).for_each(|(best, here)| best.found = best.found.or_better(here.found));
            }
        }
        Ok(best)
    }
}

/// Pairs with numbers by which they are in order.
fn numbered(pairs: Vec<Pair>) -> Vec<(u64, Pair)> {
    pairs.into_iter().map(|(i, j)| (u64::from(i) << 32 | u64::from(j), (i, j))).collect()
}

/// About [`RANDOM_PAIRS`] pairs of `n` micrographs, the same ones every time.
fn random_pairs(n: u32) -> Vec<Pair> {
    let mut random = Random::new(u64::from(n));
    let mut pairs: Vec<Pair> =
        (0..RANDOM_PAIRS).map(|_| (random.below(n), random.below(n))).filter(|(i, j)| i != j).map(|(i, j)| (i.min(j), i.max(j))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

//! Finds duplicate particles, and decides which of them are kept.
//!
//! Two particles of a group (a micrograph, a tomogram) are duplicates when their distance is at most the minimum separation. The kept
//! ones are found greedily, from the best to the worst: keep a particle unless an already kept one is within the separation. So no two
//! kept particles are duplicates, and every rejected one has a kept one within the separation that is at least as good.
//!
//! All searches but that of filaments use a k-d tree of each group. Time of a million particles in one group, by one thread, measured in a
//! disc and in a ball at separations of 0.02, 0.3 and 1 of the radius:
//!
//! | search | grows as | disc | ball |
//! |---|---|---|---|
//! | [`deduplicate`] | n log n | 0.2 to 0.3 s | 0.3 to 0.9 s |
//! | [`deduplicate`] by [`Rule::RemoveEntirely`] | n log n | 0.4 s | 0.6 to 0.8 s |
//! | [`nearest`], [`overlaps`], [`components`] | n log n | 0.1 to 0.6 s | 0.1 to 0.7 s |
//! | [`half_pairs`] | n^1.2 to n^1.5 (disc), n^1.2 to n^1.7 (ball) | 1 to 4 s | 0.8 to 39 s |
//! | [`kept_at`], 20 separations | as [`half_pairs`], then [`deduplicate`] for each | 3 to 4 s | 1.5 to 39 s |
//!
//! Memory is 60 to 85 bytes a particle of the groups that are in work, and the result; [`kept_at`] may list 24 pairs a particle besides. Of
//! micrographs of 300 particles each takes 0.04 to 0.13 µs, whatever is searched.

mod column;
mod components;
mod deduplicate;
mod equal;
mod filaments;
mod greedy;
mod groups;
mod half_pairs;
mod kept_at;
mod listing;
mod nearest;
mod overlaps;
mod ranking;
mod shuffled;
mod trees;

pub use components::components;
pub use deduplicate::{Duplicates, Rule, deduplicate};
pub use filaments::deduplicate_filaments;
pub use half_pairs::{HalfPairs, half_pairs};
pub use kept_at::kept_at;
pub use listing::{Listing, write_listing};
pub use nearest::nearest;
pub use overlaps::overlaps;

use rayon::prelude::*;

use crate::{Error, Result};

/// Squares of larger separations overflow.
const MAX_SEPARATION: f64 = 1e150;

/// The particles, as borrowed columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Particles<'a> {
    /// Coordinates, row-major (n, `dimensions`), in the unit of the separation.
    pub coordinates: &'a [f64],
    /// 2 or 3; for a separation of 0 any number of columns, which must be equal.
    pub dimensions: usize,
    /// The group of each particle, (n,), any number; `None`: all are in one group.
    pub groups: Option<&'a [u32]>,
    /// The score of each particle, (n,): higher is better, NaN is worst; `None`: an earlier particle is better.
    pub scores: Option<&'a [f64]>,
    /// The priority of each particle, (n,), which takes precedence over the score; lower is better.
    pub priority: Option<&'a [u32]>,
}

impl Particles<'_> {
    /// The number of particles.
    pub fn len(&self) -> usize {
        self.coordinates.len() / self.dimensions.max(1)
    }

    /// Whether there are no particles.
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    fn check(&self, min_separation: f64) -> Result<()> {
        check_separation(min_separation)?;
        self.check_columns()
    }

    fn check_columns(&self) -> Result<()> {
        let n = self.len();
        if self.dimensions == 0 || self.coordinates.len() != n * self.dimensions {
            return Err(Error::parameter(
                "coordinates",
                format!("{} values", self.coordinates.len()),
                format!("a multiple of {} columns", self.dimensions),
            ));
        }
        if n > i32::MAX as usize {
            return Err(Error::parameter("particles", n, format!("at most {}", i32::MAX)));
        }
        for (what, length) in
            [("groups", self.groups.map(<[_]>::len)), ("scores", self.scores.map(<[_]>::len)), ("priority", self.priority.map(<[_]>::len))]
        {
            if length.is_some_and(|length| length != n) {
                return Err(Error::parameter(what, format!("{} values", length.unwrap_or(0)), format!("{n}, one a particle")));
            }
        }
        if self.coordinates.par_chunks(1 << 16).all(|values| values.iter().all(|value| value.is_finite())) {
            return Ok(());
        }
        let bad = self.coordinates.iter().position(|value| !value.is_finite()).unwrap_or(0);
        let (particle, axis) = (bad / self.dimensions, bad % self.dimensions);
        Err(Error::parameter(format!("particle {particle}, coordinate {axis}"), self.coordinates[bad], "a finite number"))
    }
}

fn check_separation(min_separation: f64) -> Result<()> {
    if !(min_separation >= 0.0 && min_separation.is_finite()) {
        return Err(Error::parameter("minimum separation", min_separation, "a finite number, 0 or more"));
    }
    if min_separation > MAX_SEPARATION {
        return Err(Error::parameter("minimum separation", format!("{min_separation:e}"), "at most 1e150"));
    }
    Ok(())
}

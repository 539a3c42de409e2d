//! Watching and stopping a long job.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// A part of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name, such as `"screening"`.
    pub name: &'static str,
    /// Its number of units.
    pub total: u64,
}

/// Shared between a job and the one who waits for it: its stages, the units of the present one that are done, and a request to stop.
#[derive(Debug, Default)]
pub struct Monitor {
    begun: Mutex<Vec<Stage>>,
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl Monitor {
    /// A stage begins: nothing of it is done.
    pub fn begin(&self, name: &'static str, total: u64) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Stage { name, total });
        self.done.store(0, Ordering::Relaxed);
    }

    /// Whether a stage began since the last call of [`Monitor::take_begun`].
    pub fn has_begun(&self) -> bool {
        !self.begun.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The stages that began since the last call.
    pub fn take_begun(&self) -> Vec<Stage> {
        std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts `units` (bytes or points, whatever the job counts) as done.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once [`Monitor::cancel`] was called; the job passes it on.
    pub fn advance(&self, units: u64) -> Result<()> {
        self.done.fetch_add(units, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Units of the present stage, or of a job without stages, that are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Asks the job to stop at its next call of [`Monitor::advance`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

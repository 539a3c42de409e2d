//! Reading, reducing and flattening the micrographs of a session, once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::finite::{MAX_MASKED, Reduced};
use super::flatten::{Flattened, flatten};
use super::frame::{Frame, announce};
use super::reduce::Bins;
use crate::micrographs::cache::{self, Index, Key, Kind, Record, Writer};
use crate::micrographs::stored::Stored;
use crate::{Error, Monitor, Result};

/// Number of files that are announced to the system ahead of the one being read.
const AHEAD: usize = 4;

/// The key of records made for a single run, which are not looked up again.
const NO_KEY: Key = [0; 16];

/// The outcome for a frame: its record in the cache, or why it could not be read.
pub type Outcome = std::result::Result<Stored, String>;

/// The cache of a session while micrographs are prepared into it, each known by a key. Threads may share it.
#[derive(Debug)]
pub struct Preparation {
    path: Arc<Path>,
    known: HashMap<Key, Record>,
    broken: Vec<Key>,
    torn: bool,
    writer: Writer,
}

impl Preparation {
    /// Opens the cache at `path`. With `resume` its records are used again; otherwise it starts empty.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache, [`Error::Interrupted`].
    pub fn open(path: &Path, resume: bool, monitor: &Monitor) -> Result<Self> {
        let Index { records: known, end, torn, broken } = if resume { cache::index(path, monitor)? } else { Index::default() };
        Ok(Self { path: path.into(), known, broken, torn, writer: Writer::open(path, resume.then_some(end))? })
    }

    /// The records that the cache held when it was opened.
    pub fn known(&self, key: &Key) -> Option<Stored> {
        self.known.get(key).map(|&record| self.stored(record))
    }

    /// Whether the cache was damaged when it was opened: an incomplete record at its end, or a damaged one of these micrographs.
    pub fn damaged(&self, keys: &[Key]) -> bool {
        self.torn || self.broken.iter().any(|key| keys.contains(key))
    }

    /// Reads frames and adds them to the cache; returns the outcome of each. `bin`: pixels a bin, along each axis. One frame a thread is in
    /// memory at a time, as its reduced pixels. A frame that cannot be read does not stop the others.
    ///
    /// # Errors
    /// [`Error::Parameter`]: not a key for each frame, or fewer than two bins along a side. [`Error::Io`] of the cache,
    /// [`Error::Interrupted`].
    pub fn read(&self, frames: &[Frame], keys: &[Key], bin: usize, monitor: &Monitor) -> Result<Vec<Outcome>> {
        if frames.len() != keys.len() || frames.iter().any(|frame| !is_two_bins((frame.nx, frame.ny), bin)) {
            let found = "another number of keys, or frames of less than two bins";
            return Err(Error::parameter("frames", found, "a key for each, and two bins along each side"));
        }
        let read = |(at, (frame, key)): (usize, (&Frame, &Key))| {
            if let Some(next) = frames.get(at + AHEAD) {
                announce(&next.path);
            }
            match frame.reduce(bin, monitor) {
                Ok(reduced) => self.write(key, (frame.nx, frame.ny), bin, reduced).map(Ok),
                Err(Error::Interrupted) => Err(Error::Interrupted),
                Err(error) => Ok(Err(error.reason())),
            }
        };
        frames.par_iter().zip(keys).enumerate().map(read).collect()
    }

    /// Adds an image of `nx` columns that is in memory.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache.
    pub fn add(&self, pixels: &[f32], nx: usize, key: &Key, bin: usize) -> Result<Stored> {
        let size = (nx, pixels.len() / nx.max(1));
        if !is_two_bins(size, bin) {
            return Err(Error::parameter("image", "less than two bins", "two along each side"));
        }
        self.write(key, size, bin, Reduced::of(pixels, nx, bin))
    }

    /// Adds a copy of a record of another cache.
    ///
    /// # Errors
    /// [`Error::Io`] of either cache.
    pub fn copy(&self, record: &Stored) -> Result<Stored> {
        self.writer.append_copy(&NO_KEY, record).map(|record| self.stored(record))
    }

    /// Adds prepared pixels, in standard deviations of a record, in its place.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache.
    pub fn add_like(&self, pixels: &[f64], record: Record) -> Result<Stored> {
        if pixels.len() != record.width * record.height {
            return Err(Error::parameter("image", format!("{} pixels", pixels.len()), "those of the record"));
        }
        self.writer.append_like(&NO_KEY, pixels, record).map(|record| self.stored(record))
    }

    /// Removes all records after a given one.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache.
    pub fn truncate_after(&self, record: &Record) -> Result<()> {
        self.writer.truncate_after(record)
    }

    fn write(&self, key: &Key, (nx, ny): (usize, usize), bin: usize, Reduced { means, masked, .. }: Reduced) -> Result<Stored> {
        let size = (Bins::new(nx, bin).count, Bins::new(ny, bin).count);
        let mean = (means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / means.len().max(1) as f64) as f32;
        let record = |kind, sd| Record { pixels_at: 0, width: size.0, height: size.1, sd, mean, kind, masked, checksum: 0 };
        let flattened = if f64::from(masked) > MAX_MASKED * (nx * ny) as f64 { Flattened::NotFinite } else { flatten(means, size.0) };
        let written = match flattened {
            Flattened::Image(pixels) => self.writer.append_record(key, &pixels, record(Kind::Image, 1.0)),
            Flattened::Blank => self.writer.append_record(key, &[], record(Kind::Blank, 0.0)),
            Flattened::NotFinite => self.writer.append_record(key, &[], record(Kind::NotFinite, 0.0)),
        };
        written.map(|record| self.stored(record))
    }

    fn stored(&self, record: Record) -> Stored {
        Stored { path: Arc::clone(&self.path), record }
    }
}

fn is_two_bins(size: (usize, usize), bin: usize) -> bool {
    bin > 0 && size.0.min(size.1) >= 2 * bin
}

//! Reading, reducing and flattening the micrographs of a session, once.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::cache::{self, Index, Key, Kind, Record, Writer};
use super::frame::{Frame, announce};
use super::mask::{MAX_SHARE, Reduced};
use super::read::{Flattened, flatten};
use super::reduce::Bins;
use crate::{Error, Monitor, Result};

/// So many files after the one that a thread reads are announced to the system.
const AHEAD: usize = 4;

/// What became of a frame: its place in the cache, or why it could not be read.
pub type Outcome = std::result::Result<Record, String>;

/// The cache of a session while micrographs are prepared into it, each known by a key. Threads may share it.
#[derive(Debug)]
pub struct Preparation {
    known: HashMap<Key, Record>,
    broken: Vec<Key>,
    torn: bool,
    writer: Writer,
}

impl Preparation {
    /// Opens the cache at `path`. With `resume` what it holds already is not read again; else it begins anew.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache, [`Error::Interrupted`].
    pub fn open(path: &Path, resume: bool, monitor: &Monitor) -> Result<Self> {
        let Index { records: known, end, torn, broken } = if resume { cache::index(path, monitor)? } else { Index::default() };
        Ok(Self { known, broken, torn, writer: Writer::open(path, resume.then_some(end))? })
    }

    /// What the cache held when it was opened.
    pub fn known(&self, key: &Key) -> Option<Record> {
        self.known.get(key).copied()
    }

    /// Whether the cache was damaged when it was opened: half a record at its end, or a broken one of these micrographs.
    pub fn damaged(&self, keys: &[Key]) -> bool {
        self.torn || self.broken.iter().any(|key| keys.contains(key))
    }

    /// Reads frames. One that can not be read does not stop the others.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache, [`Error::Interrupted`].
    pub fn read(&self, frames: &[Frame], keys: &[Key], width: usize, monitor: &Monitor) -> Result<Vec<Outcome>> {
        let read = |(at, (frame, key)): (usize, (&Frame, &Key))| {
            if let Some(next) = frames.get(at + AHEAD) {
                announce(&next.path);
            }
            match frame.reduce(width, monitor) {
                Ok(reduced) => self.write(key, (frame.nx, frame.ny), width, reduced).map(Ok),
                Err(Error::Interrupted) => Err(Error::Interrupted),
                Err(Error::Io { source, .. }) => Ok(Err(source.to_string().split(" (os error").next().unwrap_or_default().to_lowercase())),
                Err(error) => {
                    let text = error.to_string();
                    Ok(Err(text.strip_prefix(&format!("{}: ", frame.path.display())).unwrap_or(&text).to_owned()))
                }
            }
        };
        frames.par_iter().zip(keys).enumerate().map(read).collect()
    }

    /// Adds an image of `nx` columns that is in memory.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache.
    pub fn add(&self, pixels: &[f32], nx: usize, key: &Key, width: usize) -> Result<Record> {
        self.write(key, (nx, pixels.len() / nx.max(1)), width, Reduced::of(pixels, nx, width))
    }

    fn write(&self, key: &Key, (nx, ny): (usize, usize), width: usize, Reduced { means, masked }: Reduced) -> Result<Record> {
        let size = (Bins::new(nx, width).count, Bins::new(ny, width).count);
        let mean = (means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / means.len().max(1) as f64) as f32;
        let record = |kind, sd| Record { pixels_at: 0, width: size.0, height: size.1, sd, mean, kind, masked };
        if f64::from(masked) > MAX_SHARE * (nx * ny) as f64 {
            return self.writer.append_record(key, &[], record(Kind::NotFinite, 0.0));
        }
        match flatten(means, size.0) {
            Flattened::Image(pixels, sd) => self.writer.append_record(key, &pixels, record(Kind::Image, sd)),
            Flattened::Blank => self.writer.append_record(key, &[], record(Kind::Blank, 0.0)),
            Flattened::NotFinite => self.writer.append_record(key, &[], record(Kind::NotFinite, 0.0)),
        }
    }
}

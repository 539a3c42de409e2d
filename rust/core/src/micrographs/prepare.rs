//! Reading, reducing and flattening the micrographs of a session, once.

use std::path::Path;

use rayon::prelude::*;

use super::cache::{self, Index, Key, Kind, Record, Writer};
use super::read::{Flattened, flatten};
use super::frame::{Frame, announce};
use super::reduce::Bins;
use crate::{Error, Monitor, Result};

/// So many files after the one that a thread reads are announced to the system.
const AHEAD: usize = 4;

/// What became of a frame: its place in the cache, or why it could not be read.
pub type Outcome = std::result::Result<Record, String>;

/// What was prepared.
#[derive(Debug)]
pub struct Prepared {
    /// Of each frame.
    pub outcomes: Vec<Outcome>,
    /// Whether the cache was damaged; what was lost was read again.
    pub damaged: bool,
}

/// Prepares frames, each known by a key, into the cache at `path`. With `resume` those that the cache holds already are not read again; else the
/// cache begins anew. A frame that can not be read does not stop the others.
///
/// # Errors
/// [`Error::Io`] of the cache, [`Error::Interrupted`].
pub fn prepare(frames: &[Frame], keys: &[Key], width: usize, path: &Path, resume: bool, monitor: &Monitor) -> Result<Prepared> {
    let Index { records: known, end, torn, broken } = if resume { cache::index(path, monitor)? } else { Index::default() };
    let writer = Writer::open(path, resume.then_some(end))?;
    let outcomes = frames
        .par_iter()
        .zip(keys)
        .enumerate()
        .map(|(at, (frame, key))| {
            if let Some(record) = known.get(key) {
                monitor.advance((frame.nx * frame.ny) as u64)?;
                return Ok(Ok(*record));
            }
            if let Some(next) = frames.get(at + AHEAD) {
                announce(&next.path);
            }
            match frame.reduce(width, monitor) {
                Ok(means) => write(&writer, key, frame, width, means).map(Ok),
                Err(Error::Interrupted) => Err(Error::Interrupted),
                Err(Error::Io { source, .. }) => Ok(Err(source.to_string().split(" (os error").next().unwrap_or_default().to_lowercase())),
                Err(error) => {
                    let text = error.to_string();
                    Ok(Err(text.strip_prefix(&format!("{}: ", frame.path.display())).unwrap_or(&text).to_owned()))
                }
            }
        })
        .collect::<Result<_>>()?;
    Ok(Prepared { outcomes, damaged: torn || broken.iter().any(|key| keys.contains(key)) })
}

fn write(writer: &Writer, key: &Key, frame: &Frame, width: usize, means: Vec<f32>) -> Result<Record> {
    let size = (Bins::new(frame.nx, width).count, Bins::new(frame.ny, width).count);
    let mean = (means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / means.len().max(1) as f64) as f32;
    match flatten(means, size.0) {
        Flattened::Image(pixels, sd) => writer.append(key, size, &pixels, sd, mean, Kind::Image),
        Flattened::Blank => writer.append(key, size, &[], 0.0, mean, Kind::Blank),
        Flattened::NotFinite => writer.append(key, size, &[], 0.0, mean, Kind::NotFinite),
    }
}

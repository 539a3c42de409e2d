//! Prepared micrographs, each a record in one of several caches.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::{Key, Record, UNITS_PER_SD, changed, index};
use crate::rows::Input;
use crate::{Monitor, Result};

/// A record and the file that holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The cache file.
    pub path: Arc<Path>,
    /// The record in it.
    pub record: Record,
}

/// A record and its file, open.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    input: Arc<Input>,
    pub(crate) record: Record,
}

/// Finds the records of some keys in several cache files; of several records of one key, that in the last file. None: in no file.
///
/// Time O(bytes): each file is read as a whole, since all checksums are compared. Memory: the heads of all records.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io), [`Error::Malformed`](crate::Error::Malformed) for a file that is no cache,
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn find_records(paths: &[PathBuf], keys: &[Key], monitor: &Monitor) -> Result<Vec<Option<Stored>>> {
    let mut known = HashMap::new();
    for path in paths {
        let of_file: Arc<Path> = path.as_path().into();
        let records = index(path, monitor)?.records.into_iter();
        known.extend(records.map(|(key, record)| (key, Stored { path: Arc::clone(&of_file), record })));
    }
    Ok(keys.iter().map(|key| known.get(key).cloned()).collect())
}

impl Stored {
    /// Reads some rows of the pixels, row-major, in standard deviations of the image.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`Error::Malformed`](crate::Error::Malformed) if the file was changed.
    pub fn pixels(&self, rows: Range<usize>) -> Result<Vec<f64>> {
        let source = Source { input: Arc::new(Input::open(&self.path)?), record: self.record };
        let rows = rows.start.min(rows.end).min(self.record.height)..rows.end.min(self.record.height);
        Ok(source.units(rows)?.into_iter().map(|unit| f64::from(unit) / f64::from(UNITS_PER_SD)).collect())
    }
}

/// Opens each file of some records once.
pub(crate) fn open_all<'a>(stored: &'a [Stored]) -> Result<Vec<Source>> {
    let mut inputs: HashMap<&'a Path, Arc<Input>> = HashMap::new();
    let open = |Stored { path, record }: &'a Stored| {
        let input = match inputs.get(&**path) {
            Some(input) => Arc::clone(input),
            None => Arc::clone(inputs.entry(path).or_insert(Arc::new(Input::open(path)?))),
        };
        Ok(Source { input, record: *record })
    };
    stored.iter().map(open).collect()
}

impl Source {
    /// Reads some rows of the pixels as they are stored, in the same unit for the whole image. All rows together are checked.
    pub(crate) fn units(&self, rows: Range<usize>) -> Result<Vec<i16>> {
        let Record { pixels_at, width, height, .. } = self.record;
        let at = |row: usize| pixels_at + 2 * (width * row) as u64;
        let mut bytes = Vec::new();
        if rows == (0..height) {
            self.record.read(&self.input, &mut bytes)?;
        } else {
            self.input.read(at(rows.start), at(rows.end), &mut bytes)?;
        }
        if bytes.len() != 2 * width * rows.len() {
            return Err(changed(self.input.path()));
        }
        Ok(bytes.as_chunks().0.iter().map(|unit| i16::from_le_bytes(*unit)).collect())
    }

    /// Reads the pixels.
    pub(crate) fn read(&self, buffer: &mut Vec<u8>, out: &mut Vec<f32>) -> Result<()> {
        self.record.read(&self.input, buffer)?;
        let scale = self.record.sd / UNITS_PER_SD;
        out.clear();
        out.extend(buffer.chunks_exact(2).map(|unit| f32::from(i16::from_le_bytes([unit[0], unit[1]])) * scale));
        Ok(())
    }
}

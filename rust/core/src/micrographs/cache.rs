//! The file of a prepared session: reduced and flattened micrographs, one record after the other, so that none is read twice.
//!
//! A record consists of a header of 64 bytes and the pixels as int16, little-endian. If a file ends in the middle of a record, as after a
//! crash, that record is lost; a record whose pixels do not match their checksum is ignored.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::error::Location;
use crate::micrographs::kernels::simd::fast;
use crate::micrographs::stored::Stored;
use crate::rows::Input;
use crate::{Error, Monitor, Result};

const MAGIC: &[u8; 8] = b"CRYODUP1";
const HEAD: usize = 64;
/// Int16 units per standard deviation, used only here: with values cut off at ten, the range is used well.
pub(crate) const UNITS_PER_SD: f32 = 3276.0;
/// No image has a longer side, pixels: a header that says so is damaged, and its size could not be calculated.
const MAX_SIDE: u32 = 1 << 24;

/// The key of a micrograph: a digest of its path, size, modification time and parameters.
pub type Key = [u8; 16];

/// The outcome of preparing a micrograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was prepared.
    Image,
    /// Every pixel has one value.
    Blank,
    /// Too many of its pixels are NaN or infinite.
    NotFinite,
}

impl Kind {
    /// The outcome in words: `image`, `blank` or `not finite`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Blank => "blank",
            Self::NotFinite => "not finite",
        }
    }
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// The offset of its pixels in the file.
    pub pixels_at: u64,
    /// Columns, in reduced pixels.
    pub width: usize,
    /// Rows, in reduced pixels.
    pub height: usize,
    /// Standard deviation of the pixels.
    pub sd: f32,
    /// Mean of the reduced micrograph, before it was flattened.
    pub mean: f32,
    /// The outcome of preparing it.
    pub kind: Kind,
    /// Pixels of the micrograph that are NaN or infinite.
    pub masked: u32,
    /// CRC-32 of its pixels as they are stored.
    pub checksum: u32,
}

/// A file to which records are appended.
#[derive(Debug)]
pub struct Writer {
    file: Mutex<(File, u64)>,
    path: PathBuf,
}

impl Writer {
    /// Starts a new file, or continues after the last complete record.
    pub fn open(path: &Path, resume_at: Option<u64>) -> Result<Self> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(resume_at.is_none()).open(path).map_err(Error::at(path))?;
        let end = resume_at.unwrap_or_default();
        file.set_len(end).map_err(Error::at(path))?;
        file.seek(SeekFrom::Start(end)).map_err(Error::at(path))?;
        Ok(Self { file: Mutex::new((file, end)), path: path.to_owned() })
    }

    /// Appends a record without masked pixels; `pixels` are empty for a micrograph that cannot be used.
    pub fn append(&self, key: &Key, (width, height): (usize, usize), pixels: &[f32], sd: f32, mean: f32, kind: Kind) -> Result<Record> {
        self.append_record(key, pixels, Record { pixels_at: 0, width, height, sd, mean, kind, masked: 0, checksum: 0 })
    }

    /// Appends a record, and returns it with the place of its pixels.
    pub fn append_record(&self, key: &Key, pixels: &[f32], record: Record) -> Result<Record> {
        let scale = if record.sd > 0.0 { UNITS_PER_SD / record.sd } else { 0.0 };
        let mut bytes = vec![0; HEAD + 2 * pixels.len()];
        to_units(pixels, scale, &mut bytes[HEAD..]);
        self.write(key, bytes, record)
    }

    /// Appends a copy of a record of another file.
    pub fn append_copy(&self, key: &Key, Stored { path, record }: &Stored) -> Result<Record> {
        let mut bytes = Vec::new();
        record.read(&Input::open(path)?, &mut bytes)?;
        self.write(key, [vec![0; HEAD], bytes].concat(), *record)
    }

    /// Appends pixels in standard deviations of a record, as a replacement for it; values beyond ten of their own standard deviations are
    /// cut off.
    pub fn append_like(&self, key: &Key, pixels: &[f64], record: Record) -> Result<Record> {
        let n = pixels.len() as f64;
        let mean = pixels.iter().sum::<f64>() / n;
        let sd = (pixels.iter().map(|pixel| (pixel - mean).powi(2)).sum::<f64>() / n).sqrt();
        let scale = f64::from(UNITS_PER_SD) / sd.max(1e-6);
        let unit = |pixel: &f64| ((pixel * scale).round_ties_even().clamp(-32_767.0, 32_767.0) as i16).to_le_bytes();
        let bytes = vec![0; HEAD].into_iter().chain(pixels.iter().flat_map(unit)).collect();
        self.write(key, bytes, Record { sd: (f64::from(record.sd) * sd) as f32, ..record })
    }

    /// Removes everything after a record.
    pub fn truncate_after(&self, record: &Record) -> Result<()> {
        let end = record.pixels_at + record.bytes();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.1 = end;
        file.0.set_len(end).map_err(Error::at(&self.path))?;
        file.0.seek(SeekFrom::Start(end)).map_err(Error::at(&self.path)).map(drop)
    }

    /// Writes a record; its pixels follow the space for its header.
    fn write(&self, key: &Key, mut bytes: Vec<u8>, record: Record) -> Result<Record> {
        let Record { width, height, sd, mean, kind, masked, .. } = record;
        let checksum = crc32fast::hash(&bytes[HEAD..]);
        let head = &mut bytes[..HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..24].copy_from_slice(key);
        let values = [width as u32, height as u32, kind as u32, checksum, sd.to_bits(), mean.to_bits(), masked];
        for (at, value) in (24..).step_by(4).zip(values) {
            head[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let of_head = crc32fast::hash(&head[..HEAD - 4]);
        head[HEAD - 4..].copy_from_slice(&of_head.to_le_bytes());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.0.write_all(&bytes).map_err(Error::at(&self.path))?;
        let pixels_at = file.1 + HEAD as u64;
        file.1 += bytes.len() as u64;
        Ok(Record { pixels_at, checksum, ..record })
    }
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Intact records.
    pub records: HashMap<Key, Record>,
    /// Offset of the end of the last complete record.
    pub end: u64,
    /// Whether data follow it: an incomplete record, as after a crash.
    pub torn: bool,
    /// Keys of records whose pixels do not match their checksum, unless there is also an intact one.
    pub broken: Vec<Key>,
}

/// Whether a file starts like a cache.
///
/// # Errors
/// As [`Input::open`].
pub fn is_cache(path: &Path) -> Result<bool> {
    let input = Input::open(path)?;
    let mut start = Vec::new();
    input.read(0, MAGIC.len() as u64, &mut start)?;
    Ok(start == MAGIC)
}

/// Reads the content of a file; a missing one is empty.
pub fn index(path: &Path, monitor: &Monitor) -> Result<Index> {
    if !path.exists() {
        return Ok(Index::default());
    }
    let input = Input::open(path)?;
    let (mut end, mut buffer, mut heads) = (0, Vec::new(), Vec::new());
    while end + HEAD as u64 <= input.size() {
        monitor.advance(0)?;
        input.read(end, end + HEAD as u64, &mut buffer)?;
        let Some((key, record)) = parse(&buffer, end) else { break };
        if record.pixels_at + record.bytes() > input.size() {
            break;
        }
        end = record.pixels_at + record.bytes();
        heads.push((key, record));
    }
    let sound = |buffer: &mut Vec<u8>, (_, record): &(Key, Record)| {
        monitor.advance(0)?;
        record.is_read(&input, buffer)
    };
    let sound: Vec<bool> = heads.par_iter().map_init(Vec::new, sound).collect::<Result<_>>()?;
    let (mut records, mut broken) = (HashMap::new(), Vec::new());
    for ((key, record), sound) in heads.into_iter().zip(sound) {
        if sound {
            records.insert(key, record);
        } else {
            broken.push(key);
        }
    }
    broken.retain(|key| !records.contains_key(key));
    Ok(Index { records, end, torn: end < input.size(), broken })
}

impl Record {
    /// The checksum of its pixels.
    pub(crate) fn bytes(&self) -> u64 {
        if self.kind == Kind::Image { 2 * (self.width * self.height) as u64 } else { 0 }
    }

    /// Reads its pixels as they are stored; whether they are the ones that were written.
    fn is_read(&self, input: &Input, buffer: &mut Vec<u8>) -> Result<bool> {
        input.read(self.pixels_at, self.pixels_at + self.bytes(), buffer)?;
        Ok(buffer.len() as u64 == self.bytes() && crc32fast::hash(buffer) == self.checksum)
    }

    /// Reads its pixels as they are stored.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`]: they are not the ones that were written.
    pub(crate) fn read(&self, input: &Input, buffer: &mut Vec<u8>) -> Result<()> {
        if self.is_read(input, buffer)? { Ok(()) } else { Err(changed(input.path())) }
    }
}

/// A cache was damaged, or written again, after its records were looked up.
pub(crate) fn changed(path: &Path) -> Error {
    let found = "prepared micrographs that have changed since this run began (the file is damaged, or was written again)";
    Error::malformed(path, Location::Whole, found, "the same as then; repeat the run, or the stages from --stage prepare on")
}

fast! {
    fn to_units(pixels: &[f32], scale: f32, out: &mut [u8]) {
        for (out, pixel) in out.as_chunks_mut::<2>().0.iter_mut().zip(pixels) {
            *out = ((pixel * scale).round_ties_even() as i16).to_le_bytes();
        }
    }
}

fn parse(head: &[u8], at: u64) -> Option<(Key, Record)> {
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    if head.get(..8)? != MAGIC || word(HEAD - 4)? != crc32fast::hash(&head[..HEAD - 4]) {
        return None;
    }
    let kind = [Kind::Image, Kind::Blank, Kind::NotFinite].into_iter().find(|&kind| kind as u32 == word(32).unwrap_or(9))?;
    if kind == Kind::Image && [word(24)?, word(28)?].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
        return None;
    }
    let record = Record {
        pixels_at: at + HEAD as u64,
        width: word(24)? as usize,
        height: word(28)? as usize,
        sd: f32::from_bits(word(40)?),
        mean: f32::from_bits(word(44)?),
        kind,
        masked: word(48)?,
        checksum: word(36)?,
    };
    Some((head[8..24].try_into().ok()?, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::stored::open_all;

    #[test]
    fn every_truncation_and_every_damaged_byte_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let writer = Writer::open(&path, None).unwrap();
        let pixels = |k: usize| (0..6).map(|i| (i * k) as f32 - 3.0).collect::<Vec<f32>>();
        for k in 0..3_u8 {
            writer.append(&[k; 16], (3, 2), &pixels(k as usize), 2.0, 100.0, Kind::Image).unwrap();
        }
        writer.append(&[9; 16], (3, 2), &[], 0.0, 5.0, Kind::Blank).unwrap();
        let measure = || index(&path, &Monitor::default()).unwrap();
        let Index { records, end, torn, broken } = measure();
        assert_eq!((records.len(), end, torn, broken.len()), (4, 4 * 64 + 3 * 12, false, 0));
        let mut out = Vec::new();
        let stored = Stored { path: path.as_path().into(), record: records[&[2; 16]] };
        open_all(&[stored]).unwrap()[0].read(&mut Vec::new(), &mut out).unwrap();
        assert!(out.iter().zip(pixels(2)).all(|(a, b)| (a - b).abs() < 1e-3));
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let found = measure();
            assert_eq!(found.records.len(), (length / 76).min(3), "{length}");
            assert_eq!(found.torn, ![0, 76, 152, 228].contains(&length), "{length}");
        }
        let stored = |k: u8| Stored { path: path.as_path().into(), record: records[&[k; 16]] };
        let readable = |k: u8| {
            let source = &open_all(&[stored(k)]).unwrap()[0];
            assert_eq!(source.read(&mut Vec::new(), &mut Vec::new()).is_ok(), source.units(0..2).is_ok());
            source.units(0..2).is_ok()
        };
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            assert!(measure().records.len() < 4 && (measure().torn || measure().broken.len() == 1), "{byte}");
            let holds = |k: u8| (usize::from(k) * 76 + 64..usize::from(k) * 76 + 76).contains(&byte);
            assert!((0..3).all(|k| readable(k) != holds(k)), "{byte}");
        }
        std::fs::write(&path, &whole[..80]).unwrap();
        Writer::open(&path, Some(measure().end)).unwrap().append(&[7; 16], (3, 2), &pixels(1), 2.0, 1.0, Kind::Image).unwrap();
        assert_eq!(measure().records.len(), 2);
    }

    /// Found by fuzzing: an image of no columns stopped the making of thumbnails; sides near 2^32 overflowed its size.
    #[test]
    fn an_image_without_pixels_or_beyond_any_size_is_no_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        for size in [(0, 4), (4, 0), (u32::MAX as usize, u32::MAX as usize), (1 << 31, 1 << 31)] {
            Writer::open(&path, None).unwrap().append(&[1; 16], size, &[], 1.0, 0.0, Kind::Image).unwrap();
            let Index { records, end, torn, .. } = index(&path, &Monitor::default()).unwrap();
            assert_eq!((records.len(), end, torn), (0, 0, true), "{size:?}");
        }
    }
}

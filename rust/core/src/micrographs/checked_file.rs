//! Files of numbers by which one process hands on to others what it worked out. They are whole and unchanged, or refused.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Location;
use crate::rows::Input;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"CRYODUP2";
/// Bytes behind a content: its checksum.
pub(crate) const CHECK: usize = 4;

/// The content of a file that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Pack(Vec<u8>);

impl Pack {
    pub(crate) fn whole(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    pub(crate) fn real(&mut self, number: f64) {
        self.0.extend(number.to_bits().to_le_bytes());
    }

    /// Bytes, with their number before them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.whole(bytes.len());
        self.0.extend(bytes);
    }

    /// Writes the file, and waits until it is on the disk.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut file = File::create(path).map_err(Error::at(path))?;
        for part in [MAGIC.as_slice(), &self.0, &crc32fast::hash(&self.0).to_le_bytes()] {
            file.write_all(part).map_err(Error::at(path))?;
        }
        file.sync_all().map_err(Error::at(path))
    }
}

/// The content of a file, read in the order in which it was put together.
#[derive(Debug)]
pub(crate) struct Unpack {
    path: PathBuf,
    bytes: Vec<u8>,
    at: usize,
}

impl Unpack {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let input = Input::open(path)?;
        let (start, mut bytes, mut rest) = (MAGIC.len() as u64, Vec::new(), Vec::new());
        let end = input.size().saturating_sub(CHECK as u64).max(start);
        input.read(0, start, &mut rest)?;
        let ours = rest == MAGIC;
        input.read(start, end, &mut bytes)?;
        input.read(end, end + CHECK as u64, &mut rest)?;
        let file = Self { path: path.to_owned(), bytes, at: 0 };
        if ours && rest == crc32fast::hash(&file.bytes).to_le_bytes() { Ok(file) } else { Err(file.damaged()) }
    }

    pub(crate) fn whole(&mut self) -> Result<usize> {
        Ok(u64::from_le_bytes(self.word()?) as usize)
    }

    pub(crate) fn real(&mut self) -> Result<f64> {
        Ok(f64::from_bits(u64::from_le_bytes(self.word()?)))
    }

    pub(crate) fn bytes(&mut self) -> Result<&[u8]> {
        let length = self.whole()?;
        let start = self.at;
        self.at = start.checked_add(length).filter(|&end| end <= self.bytes.len()).ok_or_else(|| self.damaged())?;
        Ok(&self.bytes[start..self.at])
    }

    fn word(&mut self) -> Result<[u8; 8]> {
        let word = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).copied().ok_or_else(|| self.damaged())?;
        self.at += word.len();
        Ok(word)
    }

    fn damaged(&self) -> Error {
        damaged(&self.path)
    }
}

/// Writes a part of a larger file, with its checksum behind it.
pub(crate) fn write_part(file: &mut impl Write, part: &[u8], path: &Path) -> Result<()> {
    [part, &crc32fast::hash(part).to_le_bytes()].into_iter().try_for_each(|bytes| file.write_all(bytes)).map_err(Error::at(path))
}

/// Reads a part of `length` bytes of a larger file.
pub(crate) fn read_part(input: &Input, start: usize, length: usize) -> Result<Vec<u8>> {
    let mut part = Vec::new();
    input.read(start as u64, (start + length + CHECK) as u64, &mut part)?;
    let checksum = part.split_off(length.min(part.len()));
    if checksum == crc32fast::hash(&part).to_le_bytes() { Ok(part) } else { Err(damaged(input.path())) }
}

/// Refuses a file of another size.
pub(crate) fn check_size(input: &Input, bytes: usize) -> Result<()> {
    if input.size() == bytes as u64 { Ok(()) } else { Err(damaged(input.path())) }
}

fn damaged(path: &Path) -> Error {
    let found = "a damaged file, or one of another version of cryodedup";
    Error::malformed(path, Location::Whole, found, "one of this version; run --stage plan again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written_and_every_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("saved");
        let mut pack = Pack::default();
        pack.whole(7);
        pack.bytes(b"abc");
        pack.real(-0.1);
        pack.write(&path).unwrap();
        let read = || {
            let mut file = Unpack::read(&path)?;
            Ok::<_, Error>((file.whole()?, file.bytes()?.to_vec(), file.real()?))
        };
        assert_eq!(read().unwrap(), (7, b"abc".to_vec(), -0.1));
        let written = std::fs::read(&path).unwrap();
        for length in 0..written.len() {
            std::fs::write(&path, &written[..length]).unwrap();
            assert!(read().is_err(), "{length}");
        }
        for at in 0..written.len() {
            let mut damaged = written.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, damaged).unwrap();
            assert!(read().is_err(), "{at}");
        }
    }
}

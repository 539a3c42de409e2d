//! Reading spans of a file by several threads.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Location;
use crate::{Error, Result};

/// An open input file of known size.
///
/// Spans are read into memory, not mapped: as fast from the page cache, faster on network file systems, and a file that shrinks
/// while it is read is an error, not the end of the process.
#[derive(Debug)]
pub struct Input {
    file: File,
    path: PathBuf,
    version: Version,
}

/// The state of a file: its size, time of change and number on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Version {
    size: u64,
    modified: Option<SystemTime>,
    /// Another file under the same name has another number, even if it was given the time of the first.
    number: u64,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = 0;
        Self { size: metadata.len(), modified: metadata.modified().ok(), number }
    }
}

impl Input {
    /// Opens a regular file.
    ///
    /// # Errors
    /// [`Error::Io`] if it can not be opened, [`Error::Malformed`] if it is a directory.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::at(path))?;
        let metadata = file.metadata().map_err(Error::at(path))?;
        if !metadata.is_file() {
            return Err(Error::malformed(path, Location::Whole, "a directory or a device", "a regular file"));
        }
        Ok(Self { file, path: path.to_owned(), version: Version::of(&metadata) })
    }

    /// Its path, as given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes, when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.version.size
    }

    /// The state of the file when it was opened.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Makes `buffer` hold the span from `start` to `end`, or to the file's end.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the file has become shorter, [`Error::Io`].
    pub fn read(&self, start: u64, end: u64, buffer: &mut Vec<u8>) -> Result<()> {
        let end = end.min(self.size());
        buffer.resize(end.saturating_sub(start) as usize, 0);
        self.read_exact_at(buffer, start).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                let expected = format!("the {} bytes it had when it was opened", self.size());
                Error::truncated(&self.path, "that it became shorter while it was read", expected)
            }
            _ => Error::at(&self.path)(error),
        })
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, start)
    }

    #[cfg(not(unix))]
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        use std::io::{Read, Seek};
        // A handle of its own: the offset of a shared one would be moved by other threads.
        let mut file = File::open(&self.path)?;
        file.seek(std::io::SeekFrom::Start(start))?;
        file.read_exact(buffer)
    }

    /// Counts the lines up to the one that holds `offset`, from 1: for error messages.
    ///
    /// # Errors
    /// As [`Input::read`].
    pub fn line_number(&self, offset: u64) -> Result<u64> {
        let mut buffer = Vec::new();
        let mut lines = 1;
        for start in (0..offset).step_by(1 << 20) {
            self.read(start, offset.min(start + (1 << 20)), &mut buffer)?;
            lines += memchr::memchr_iter(b'\n', &buffer).count() as u64;
        }
        Ok(lines)
    }
}

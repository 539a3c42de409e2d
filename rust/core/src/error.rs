//! The one error type: few kinds, each with its parts, so that callers match on the kind and never parse a message.

use std::fmt;
use std::path::{Path, PathBuf};

/// The error of every fallible function of this crate. Its text is one line: the place, what was found, what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value or an array that the caller gave can not be used.
    #[error("{name}: found {found}, expected {expected}")]
    Parameter {
        /// Which one.
        name: String,
        /// The value.
        found: String,
        /// The values that are allowed.
        expected: String,
    },
    /// A file holds what its format does not allow.
    #[error("{}{location}: found {found}, expected {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it.
        location: Location,
        /// The content there.
        found: String,
        /// The content that the format asks for.
        expected: String,
    },
    /// A file ends before what it has to hold, or became shorter while it was read.
    #[error("{}: found {found}, expected {expected}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The content that is there.
        found: String,
        /// The content that has to be there.
        expected: String,
    },
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The caller asked to stop, through [`crate::Monitor::cancel`].
    #[error("interrupted")]
    Interrupted,
}

/// A place in a file, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// The file as a whole.
    Whole,
    /// A line, counted from 1.
    Line(u64),
    /// The cell of a line, counted from 1, in the column of that name.
    Cell(u64, String),
}

impl Location {
    /// The line, if it is in one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::Line(line) | Self::Cell(line, _) => Some(*line),
        }
    }

    /// The column, if it is a cell.
    pub fn column(&self) -> Option<&str> {
        if let Self::Cell(_, column) = self { Some(column) } else { None }
    }
}

impl fmt::Display for Location {
    /// Writes what follows the name of the file.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Line(line) => write!(formatter, ", line {line}"),
            Self::Cell(line, column) => write!(formatter, ", line {line}: {column}"),
        }
    }
}

/// The message of a system error, without the number at its end.
pub fn text_of(error: &std::io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Parameter`].
    pub fn parameter(name: impl Into<String>, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self::Parameter { name: name.into(), found: found.to_string(), expected: expected.into() }
    }

    /// An [`Error::Malformed`].
    pub(crate) fn malformed(path: &Path, location: Location, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), location, found: found.into(), expected: expected.into() }
    }

    /// An [`Error::Truncated`].
    pub(crate) fn truncated(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Truncated { path: path.to_owned(), found: found.into(), expected: expected.into() }
    }

    /// The text without the file, for a list of files and reasons.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Malformed { location: Location::Whole, found, expected, .. } | Self::Truncated { found, expected, .. } => {
                format!("found {found}, expected {expected}")
            }
            Self::Io { source, .. } => text_of(source).to_lowercase(),
            other => other.to_string(),
        }
    }

    /// For `map_err`: names the file in which an input/output error happened.
    pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

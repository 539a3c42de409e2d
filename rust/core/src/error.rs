//! What can go wrong.

use std::path::{Path, PathBuf};

/// The error of every fallible function of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's data or parameters are wrong; the text is one line that names the place, what was found and what was expected.
    #[error("{0}")]
    Input(String),
    /// The operating system refused to read or write a file.
    #[error("{path}: {source}")]
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

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Input`] with the given text.
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }

    /// For `map_err`: names the file in which an input/output error happened.
    pub fn at(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

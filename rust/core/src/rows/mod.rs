//! Rows of a file as byte spans, and the writing of chosen ones.

mod batch;
mod cells;
mod input;
mod marks;
mod offsets;
mod rewrite;
mod split;

pub(crate) use cells::is_blank;
pub use cells::{Cell, Cells};
pub use input::{Input, Version};
pub(crate) use marks::Marks;
pub(crate) use offsets::Offsets;
pub use rewrite::Rewrite;
pub use split::{Part, split};

use std::path::Path;

use crate::error::Location;
use crate::{Error, Result};

/// Where the rows of a table are in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rows {
    of: Version,
    spans: Spans,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Spans {
    Records { start: u64, size: u64, count: u64 },
    Lines { starts: Offsets, gaps: Vec<(u64, u64)> },
}

impl Rows {
    /// `count` records of one size, in bytes, one after the other from the offset `start` on.
    pub fn records(of: Version, start: u64, size: u64, count: u64) -> Self {
        Self { of, spans: Spans::Records { start, size, count } }
    }

    /// Lines, with their ends: the offset of each, and that of the end of the last; and the spans between them that belong to none (comments,
    /// blank lines), ascending, at most one between two rows.
    pub(crate) fn lines(of: Version, starts: Offsets, gaps: Vec<(u64, u64)>) -> Self {
        Self { of, spans: Spans::Lines { starts, gaps } }
    }

    /// Opens the file that they are rows of.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it was changed since; as [`Input::open`].
    pub fn open(&self, path: &Path) -> Result<Input> {
        let input = Input::open(path)?;
        if input.version() == self.of {
            return Ok(input);
        }
        let found = "that it was changed after it had been read";
        Err(Error::malformed(path, Location::Whole, found, "it unchanged; run again"))
    }

    /// Offset of the first, bytes of each, and how many there are, if they are records of one size.
    pub(crate) fn as_records(&self) -> Option<(u64, u64, u64)> {
        if let Spans::Records { start, size, count } = self.spans { Some((start, size, count)) } else { None }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.spans {
            Spans::Records { count, .. } => *count as usize,
            Spans::Lines { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks the number of a row; the number of rows stands for the end of the last.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a larger number.
    pub fn check(&self, row: usize) -> Result<()> {
        if row <= self.len() { Ok(()) } else { Err(Error::parameter("row", row, format!("at most {}, the number of rows", self.len()))) }
    }

    /// Offset of a row, or of the end of the last.
    pub fn start(&self, row: usize) -> u64 {
        match &self.spans {
            Spans::Records { start, size, .. } => start + size * row as u64,
            Spans::Lines { starts, .. } => starts.get(row),
        }
    }

    /// The span of a row.
    pub fn span(&self, row: usize) -> (u64, u64) {
        let (start, next) = (self.start(row), self.start(row + 1));
        (start, self.next_gap(start).map_or(next, |gap| gap.0.min(next)))
    }

    /// The first row from `from` on that starts at `offset` or later; their number if none does.
    fn first_from(&self, from: usize, offset: u64) -> usize {
        match &self.spans {
            Spans::Records { start, size, .. } => {
                let before = offset.saturating_sub(*start).div_ceil((*size).max(1)) as usize;
                before.clamp(from, self.len())
            }
            Spans::Lines { starts, .. } => starts.first_from(from, offset).min(self.len()),
        }
    }

    /// The first gap from `from` on.
    fn next_gap(&self, from: u64) -> Option<(u64, u64)> {
        match &self.spans {
            Spans::Records { .. } => None,
            Spans::Lines { gaps, .. } => gaps.get(gaps.partition_point(|gap| gap.0 < from)).copied(),
        }
    }
}

//! Rows of a file as byte spans, and the writing of chosen ones.

mod batch;
mod cells;
mod input;
mod marks;
mod offsets;
mod rewrite;
mod split;

pub use cells::{Cell, Cells, is_blank};
pub use input::Input;
pub use marks::{Marks, Starts};
pub use offsets::Offsets;
pub use rewrite::Rewrite;
pub use split::{Part, split};

use crate::{Error, Result};

/// Where the rows of a table are in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Records of one size, one after the other.
    Records {
        /// Offset of the first.
        start: u64,
        /// Bytes of each.
        size: u64,
        /// How many.
        count: u64,
    },
    /// Lines, with their ends.
    Lines {
        /// Offset of each row, and that of the end of the last.
        starts: Offsets,
        /// Spans between rows that belong to none (comments, blank lines), ascending, at most one between two rows.
        gaps: Vec<(u64, u64)>,
    },
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Records { count, .. } => *count as usize,
            Self::Lines { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// # Errors
    /// [`Error::Parameter`] where there is no such row; their number is that of the end of the last.
    pub fn check(&self, row: usize) -> Result<()> {
        if row <= self.len() { Ok(()) } else { Err(Error::parameter("row", row, format!("at most {}, the number of rows", self.len()))) }
    }

    /// Offset of a row, or of the end of the last.
    pub fn start(&self, row: usize) -> u64 {
        match self {
            Self::Records { start, size, .. } => start + size * row as u64,
            Self::Lines { starts, .. } => starts.get(row),
        }
    }

    /// The span of a row.
    pub fn span(&self, row: usize) -> (u64, u64) {
        let (start, next) = (self.start(row), self.start(row + 1));
        (start, self.next_gap(start).map_or(next, |gap| gap.0.min(next)))
    }

    /// The first row from `from` on that starts at `offset` or later; their number if none does.
    fn first_from(&self, from: usize, offset: u64) -> usize {
        match self {
            Self::Records { start, size, .. } => {
                let before = offset.saturating_sub(*start).div_ceil((*size).max(1)) as usize;
                before.clamp(from, self.len())
            }
            Self::Lines { starts, .. } => starts.first_from(from, offset).min(self.len()),
        }
    }

    /// The first gap from `from` on.
    fn next_gap(&self, from: u64) -> Option<(u64, u64)> {
        match self {
            Self::Records { .. } => None,
            Self::Lines { gaps, .. } => gaps.get(gaps.partition_point(|gap| gap.0 < from)).copied(),
        }
    }
}

//! Rows of a file as byte spans, and the writing of chosen ones exactly as they stand.

mod input;
mod split;

pub use input::Input;
pub use split::{Part, Rewrite, split};

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
        starts: Vec<u64>,
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

    /// Offset of a row, or of the end of the last.
    pub fn start(&self, row: usize) -> u64 {
        match self {
            Self::Records { start, size, .. } => start + size * row as u64,
            Self::Lines { starts, .. } => starts[row],
        }
    }

    /// The gap after the first of the given rows and before the end of the last, if there is one.
    fn next_gap(&self, from: u64) -> Option<(u64, u64)> {
        match self {
            Self::Records { .. } => None,
            Self::Lines { gaps, .. } => gaps.get(gaps.partition_point(|gap| gap.0 < from)).copied(),
        }
    }

    /// The span of a row.
    pub fn span(&self, row: usize) -> (u64, u64) {
        let (start, next) = (self.start(row), self.start(row + 1));
        (start, self.next_gap(start).map_or(next, |gap| gap.0.min(next)))
    }
}

//! Parting a batch of rows, in memory, into those of one side and those of the other.

use super::{Input, Marks, Rewrite, Rows, rewrite};
use crate::error::Location;
use crate::{Error, Result};

/// Rows of a file, each into one of two files.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// Where the rows are.
    pub rows: &'a Rows,
    /// For each row whether it is kept.
    pub kept: &'a [bool],
    /// Cells to be written differently, ascending by column.
    pub rewrites: &'a [&'a Rewrite],
    /// Ends the last row by a newline if it has none.
    pub end_line: bool,
}

/// Buffers for one batch after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    marks: Marks,
}

impl Chosen<'_> {
    /// Appends the rows from `from` to `to` to one of `out`, and what is between them to both: kept, rejected.
    ///
    /// # Errors
    /// The file can not be read, or a cell not be rewritten.
    pub fn part(&self, input: &Input, (from, to): (usize, usize), scratch: &mut Scratch, out: &mut [Vec<u8>; 2]) -> Result<()> {
        let (base, end) = (self.rows.start(from), self.rows.start(to));
        input.read(base, end, &mut scratch.text)?;
        if !self.rewrites.is_empty() {
            scratch.marks.fill(&scratch.text);
        }
        let mut row = from;
        while row < to {
            // A run ends at a gap, too, which goes into both files. The gap is looked up first: to search for the end of the run beyond it,
            // again after each gap, took the square of the number of rows in a batch.
            let gap = self.rows.next_gap(self.rows.start(row)).filter(|gap| gap.0 < end);
            let behind_gap = gap.map_or(to, |gap| self.rows.first_from(row, gap.0));
            let next = self.run_end(row, behind_gap);
            let gap = gap.filter(|_| next == behind_gap);
            let run_end = gap.map_or(self.rows.start(next), |gap| gap.0);
            self.append(input, row..next, (base, run_end), scratch, &mut out[usize::from(!self.kept[row])])?;
            if let Some((from, to)) = gap {
                out.iter_mut().for_each(|out| out.extend(&scratch.text[(from - base) as usize..(to - base) as usize]));
            }
            row = next;
        }
        if self.end_line && to == self.rows.len() && scratch.text.last().is_some_and(|&last| last != b'\n') {
            out[usize::from(!self.kept[to - 1])].push(b'\n');
        }
        Ok(())
    }

    /// The first row from `row` on that goes to the other side, at most `to`.
    fn run_end(&self, row: usize, to: usize) -> usize {
        self.kept[row..to].iter().position(|&other| other != self.kept[row]).map_or(to, |length| row + length)
    }

    fn append(
        &self,
        input: &Input,
        rows: std::ops::Range<usize>,
        (base, end): (u64, u64),
        scratch: &Scratch,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let at = |offset: u64| (offset - base) as usize;
        if self.rewrites.is_empty() {
            out.extend(&scratch.text[at(self.rows.start(rows.start))..at(end)]);
            return Ok(());
        }
        for row in rows {
            let (from, to) = self.rows.span(row);
            rewrite::append(self.rewrites, (row, at(from), at(to)), &scratch.text, &scratch.marks, out).map_err(
                |(cell, column, expected)| {
                    let place = input.line_number(from).map(|line| Location::Cell(line, format!("column {}", column + 1)));
                    place.map_or_else(
                        |error| error,
                        |place| Error::malformed(input.path(), place, format!("'{}'", cell.escape_ascii()), expected),
                    )
                },
            )?;
        }
        Ok(())
    }
}

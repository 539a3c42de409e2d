//! One line of a loop: what it is, and its wanted cells.

use super::body::Body;
use super::column::{Kind, Piece};
use super::lines::{malformed, shown};
use crate::Error;
use crate::error::Location;
use crate::rows::{Cells, Input, Marks};

/// The kind of a line.
pub(super) enum Role {
    Row,
    Gap,
    End,
}

/// A fault in a row.
pub(super) struct Wrong {
    column: Option<String>,
    found: String,
    expected: String,
}

impl Wrong {
    /// The error of the row that starts at `offset`.
    pub fn at(self, input: &Input, offset: u64) -> Error {
        match (malformed(input, offset, self.found, self.expected), self.column) {
            (Error::Malformed { path, location: Location::Line(line), found, expected }, Some(column)) => {
                Error::Malformed { path, location: Location::Cell(line, column), found, expected }
            }
            (error, _) => error,
        }
    }
}

impl Body<'_> {
    pub(super) fn role(&self, text: &[u8], marks: &Marks, (at, next): (usize, usize)) -> Role {
        let Some(first) = marks.first(at, next) else { return Role::Gap };
        match text[first] {
            b'#' if self.keywords => Role::Gap,
            b'd' | b'l' | b'_' if self.keywords => self.role_of_word(&text[first..next]),
            _ => Role::Row,
        }
    }

    /// A row may begin with the word of another line, too; then it has more cells than that line would have.
    fn role_of_word(&self, text: &[u8]) -> Role {
        let cells = Cells::new(text).before_comment().count();
        let keyword = text.starts_with(b"data_") || text.trim_ascii_end() == b"loop_";
        let label = text[0] == b'_' && self.labels.len() > 2 && cells <= 2;
        if keyword && cells == 1 || label { Role::End } else { Role::Row }
    }

    pub(super) fn parse(
        &self,
        text: &[u8],
        marks: &Marks,
        (at, next): (usize, usize),
        places: &[(usize, Kind)],
        pieces: &mut [Piece],
    ) -> std::result::Result<(), Wrong> {
        let line = &text[at..next];
        if !marks.are_cells_of(line) {
            return self.parse_quoted(line, places, pieces);
        }
        let count = marks.count(at, next);
        if count != self.labels.len() {
            return Err(self.wrong_count(count));
        }
        let mut starts = marks.from(at);
        let mut passed = 0;
        for (&(place, _), piece) in places.iter().zip(pieces) {
            let cell = &text[starts.skip(place - passed)..next];
            passed = place + 1;
            piece.push_first(cell).map_err(|expected| self.wrong_cell(place, cell, expected))?;
        }
        Ok(())
    }

    fn parse_quoted(&self, line: &[u8], places: &[(usize, Kind)], pieces: &mut [Piece]) -> std::result::Result<(), Wrong> {
        // A cell too few or too many is the likelier cause of a wrong one, and says more.
        let count = Cells::new(line).before_comment().count();
        if count != self.labels.len() {
            return Err(self.wrong_count(count));
        }
        let mut cells = Cells::new(line);
        let mut passed = 0;
        for (&(place, _), piece) in places.iter().zip(pieces) {
            let Some(cell) = cells.nth(place - passed) else { return Err(self.wrong_count(count)) };
            passed = place + 1;
            piece.push_text(cell.text).map_err(|expected| self.wrong_cell(place, cell.text, expected))?;
        }
        Ok(())
    }

    fn wrong_count(&self, count: usize) -> Wrong {
        Wrong { column: None, found: format!("a row of {count} cells"), expected: self.labels.len().to_string() }
    }

    fn wrong_cell(&self, place: usize, cell: &[u8], expected: &str) -> Wrong {
        let cell = Cells::new(cell).next().map_or(cell, |cell| cell.text);
        Wrong { column: Some(self.labels[place].clone()), found: shown(cell), expected: expected.to_owned() }
    }
}

//! The lines of a STAR file outside the rows, and messages that name them.

use indexmap::IndexSet;

use crate::error::Location;
use crate::rows::{Cells, Input};
use crate::{Error, Result};

/// So many bytes are read at a time, or more for a longer line.
const WINDOW: u64 = 64 << 10;

/// An error of the line at `offset`, or why the line could not be counted.
pub(super) fn malformed(input: &Input, offset: u64, found: impl Into<String>, expected: impl Into<String>) -> Error {
    match input.line_number(offset) {
        Ok(line) => Error::malformed(input.path(), Location::Line(line), found, expected),
        Err(error) => error,
    }
}

/// The beginning of a line or cell, fit for an error message.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
    let short: String = text.trim().chars().take(40).flat_map(char::escape_debug).collect();
    if short.is_empty() { "nothing".to_owned() } else { format!("'{short}'") }
}

/// The kind of a line outside the rows.
pub(super) enum Line {
    Nothing,
    Block(String),
    Loop,
    Label(String, Vec<u8>),
    Other,
}

impl Line {
    pub fn of(line: &[u8]) -> Self {
        let mut cells = Cells::new(line).map(|cell| cell.text);
        let Some(first) = cells.next() else { return Self::Nothing };
        match first {
            [b'#', ..] => Self::Nothing,
            b"loop_" => Self::Loop,
            [b'd', b'a', b't', b'a', b'_', name @ ..] => Self::Block(String::from_utf8_lossy(name).into_owned()),
            [b'_', label @ ..] => {
                let value = cells.next().unwrap_or_default().to_owned();
                Self::Label(String::from_utf8_lossy(label).into_owned(), value)
            }
            _ => Self::Other,
        }
    }
}

/// The lines of a file, found one by one.
pub(super) struct Lines<'a> {
    input: &'a Input,
    buffer: Vec<u8>,
    base: u64,
}

impl<'a> Lines<'a> {
    pub fn new(input: &'a Input) -> Self {
        Self { input, buffer: Vec::new(), base: 0 }
    }

    pub fn skip_byte_order_mark(&mut self) -> Result<u64> {
        Ok(self.at(0)?.map_or(0, |(line, _)| if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }))
    }

    /// The line that starts at `offset`, and the offset of the next; none at the end of the file.
    pub fn at(&mut self, offset: u64) -> Result<Option<(&[u8], u64)>> {
        if offset >= self.input.size() {
            return Ok(None);
        }
        let mut want = WINDOW;
        loop {
            let from = offset.wrapping_sub(self.base) as usize;
            if let Some(rest) = self.buffer.get(from..)
                && let Some(length) = memchr::memchr(b'\n', rest)
            {
                return Ok(Some((&self.buffer[from..=from + length], offset + length as u64 + 1)));
            }
            if from == 0 && self.base + self.buffer.len() as u64 == self.input.size() {
                return Ok(Some((&self.buffer, self.input.size())));
            }
            self.input.read(offset, offset + want, &mut self.buffer)?;
            self.base = offset;
            want *= 2;
        }
    }

    /// The labels of a loop, and the offset of what follows them.
    pub fn labels(&mut self, mut offset: u64) -> Result<(Vec<String>, u64)> {
        let mut labels = IndexSet::new();
        let mut after = offset;
        while let Some((line, next)) = self.at(offset)? {
            match Line::of(line) {
                Line::Nothing => {}
                // A row may begin with an underscore, too; a label stands alone.
                Line::Label(label, _) if Cells::new(line).before_comment().count() == 1 => {
                    if labels.contains(&label) {
                        let found = format!("the label _{label} a second time in one loop");
                        return Err(malformed(self.input, offset, found, "each label once"));
                    }
                    labels.insert(label);
                    after = next;
                }
                _ => break,
            }
            offset = next;
        }
        if labels.is_empty() {
            return Err(malformed(self.input, offset, "a loop_ without labels", "a line that begins with _"));
        }
        Ok((labels.into_iter().collect(), after))
    }
}

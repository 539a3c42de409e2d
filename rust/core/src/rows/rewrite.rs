//! Cells of rows that are written differently.

use super::{Cells, Marks, is_blank};

/// New cells of one column; all else stays as it is, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Other texts for some texts, in all rows.
    Replace {
        /// Which column, from 0.
        column: usize,
        /// Old and new text, without quotes; others stay. A whole number is meant in each of its forms: 1 and 1.000000 are equal.
        values: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// The other half-set, 2 for 1 and 1 for 2, in some rows. Digits are changed, so that a number keeps its form: `1.000000` becomes
    /// `2.000000`.
    OtherHalf {
        /// Which column, from 0.
        column: usize,
        /// For each row of the table whether it moves.
        moves: Vec<bool>,
    },
}

impl Rewrite {
    /// The column whose cells are rewritten.
    pub(super) fn column(&self) -> usize {
        match self {
            Self::Replace { column, .. } | Self::OtherHalf { column, .. } => *column,
        }
    }

    /// The number of rows it is for, if that is fixed.
    pub(super) fn rows(&self) -> Option<usize> {
        if let Self::OtherHalf { moves, .. } = self { Some(moves.len()) } else { None }
    }

    /// Writes what stands in place of a cell, quotes included.
    fn write(&self, row: usize, cell: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Self::Replace { values, .. } => {
                let new = values.iter().find(|(old, _)| old == whole(without_quotes(cell))).map(|(_, new)| &new[..]);
                out.extend(new.unwrap_or(cell));
            }
            Self::OtherHalf { moves, .. } if moves[row] => return write_other_half(cell, out),
            Self::OtherHalf { .. } => out.extend(cell),
        }
        Ok(())
    }
}

/// A whole number without its decimals, which are all 0; any other text as it is.
fn whole(text: &[u8]) -> &[u8] {
    match text.iter().position(|&byte| byte == b'.') {
        Some(at) if at > 0 && text[..at].iter().all(u8::is_ascii_digit) && text[at + 1..].iter().all(|&byte| byte == b'0') => &text[..at],
        _ => text,
    }
}

/// Changes the first digit that is 1 or 2; what does not give the other half-set exactly is refused.
fn write_other_half(cell: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let value = |text: &[u8]| fast_float2::parse::<f64, _>(without_quotes(text)).ok();
    let at = out.len();
    out.extend(cell);
    if let Some(digit) = out[at..].iter_mut().find(|digit| matches!(digit, b'1' | b'2')) {
        *digit = b'1' + b'2' - *digit;
    }
    match (value(cell), value(&out[at..])) {
        (Some(1.0), Some(2.0)) | (Some(2.0), Some(1.0)) => Ok(()),
        _ => Err("the half-set 1 or 2"),
    }
}

/// Appends a row of `text`, whose cells `marks` knows, with its rewritten cells; `rewrites` ascend by column.
///
/// # Errors
/// The cell that can not be rewritten, its column, and what it should have been.
pub fn append<'a>(
    rewrites: &[&Rewrite],
    (row, from, to): (usize, usize, usize),
    text: &'a [u8],
    marks: &Marks,
    out: &mut Vec<u8>,
) -> Result<(), (&'a [u8], usize, &'static str)> {
    let mut written = from;
    for rewrite in rewrites {
        let Some((start, end)) = find(text, (from, to), marks, rewrite.column()) else { continue };
        out.extend(&text[written..start]);
        rewrite.write(row, &text[start..end], out).map_err(|expected| (&text[start..end], rewrite.column(), expected))?;
        written = end;
    }
    out.extend(&text[written..to]);
    Ok(())
}

/// The span of a cell, quotes included.
fn find(text: &[u8], (from, to): (usize, usize), marks: &Marks, column: usize) -> Option<(usize, usize)> {
    let line = &text[from..to];
    if !marks.are_cells_of(line) {
        return Cells::new(line).nth(column).map(|cell| (from + cell.start, from + cell.end));
    }
    if marks.count(from, to) <= column {
        return None;
    }
    let start = marks.from(from).skip(column);
    Some((start, text[start..to].iter().position(|&byte| is_blank(byte)).map_or(to, |length| start + length)))
}

fn without_quotes(cell: &[u8]) -> &[u8] {
    match cell {
        [first @ (b'"' | b'\''), text @ .., last] if first == last => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rewrites: &[Rewrite], text: &str) -> Result<String, String> {
        let (mut marks, mut out) = (Marks::default(), Vec::new());
        marks.fill(text.as_bytes());
        append(&rewrites.iter().collect::<Vec<_>>(), (0, 0, text.len()), text.as_bytes(), &marks, &mut out)
            .map_err(|(cell, column, expected)| format!("{column}: {}, {expected}", String::from_utf8_lossy(cell)))?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn moved(cell: &str) -> Result<String, String> {
        rewritten(&[Rewrite::OtherHalf { column: 0, moves: vec![true] }], cell)
    }

    #[test]
    fn the_other_half_keeps_the_form_of_its_number() {
        for (one, two) in [("1", "2"), ("1.000000", "2.000000"), ("+1.", "+2."), ("0.1e1", "0.2e1"), ("10e-1", "20e-1")] {
            assert_eq!((moved(one), moved(two)), (Ok(two.to_owned()), Ok(one.to_owned())));
        }
        for none in ["0", "0.99999999999999999999", "x", "3", "12", "<NA>"] {
            assert_eq!(moved(none), Err(format!("0: {none}, the half-set 1 or 2")));
        }
    }

    #[test]
    fn several_columns_and_nothing_else_change() {
        let values = vec![(b"1".to_vec(), b"7".to_vec())];
        let rewrites = [Rewrite::Replace { column: 1, values }, Rewrite::OtherHalf { column: 3, moves: vec![true] }];
        assert_eq!(rewritten(&rewrites, " 1\t1  1 2 1 \r\n"), Ok(" 1\t7  1 1 1 \r\n".to_owned()));
        assert_eq!(rewritten(&rewrites, "'a 1' '1' \"1\" '2' # 1\n"), Ok("'a 1' 7 \"1\" '1' # 1\n".to_owned()));
        assert_eq!(rewritten(&rewrites, "2 2\n"), Ok("2 2\n".to_owned()));
        assert_eq!(rewritten(&rewrites, "1 1 1 2"), Ok("1 7 1 1".to_owned()));
    }
}

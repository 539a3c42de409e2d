//! Columns that are parsed while rows are looked for.

use super::share::{Filled, Share, close};
use crate::interning::{Names, intern, join};
use crate::rows::is_blank;

/// The columns to parse, by label without the leading underscore; a label that a table lacks is ignored.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Parsed as numbers; `<NA>`, `None` and the like are NaN.
    pub numbers: Vec<String>,
    /// Parsed as names: indices into the list of distinct ones.
    pub names: Vec<String>,
    /// Only whether the numbers in it are not all the same.
    pub varying: Vec<String>,
}

/// A parsed column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// One number a row.
    Numbers(Vec<f64>),
    /// The index of each row's name, and the distinct names in the order of first appearance.
    Names(Vec<u32>, Vec<Vec<u8>>),
    /// Whether the values differ.
    Varying(bool),
}

/// The treatment of the cells at one place of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Name,
    Varying,
}

impl Wanted {
    /// The places of the wanted columns among `labels`, ascending, and their kinds.
    pub(super) fn places(&self, labels: &[String]) -> Vec<(usize, Kind)> {
        let kinds = [(Kind::Number, &self.numbers), (Kind::Name, &self.names), (Kind::Varying, &self.varying)];
        labels
            .iter()
            .enumerate()
            .filter_map(|(place, label)| kinds.iter().find(|(_, wanted)| wanted.contains(label)).map(|&(kind, _)| (place, kind)))
            .collect()
    }
}

/// The values of a column of all spans, each in its own room.
#[derive(Debug)]
pub(super) enum Store {
    Numbers(Vec<f64>),
    Names(Vec<u32>),
    Varying,
}

impl Store {
    pub fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Number => Self::Numbers(vec![0.0; rows]),
            Kind::Name => Self::Names(vec![0; rows]),
            Kind::Varying => Self::Varying,
        }
    }

    /// A piece a span, with room for so many rows.
    pub fn pieces(&mut self, room: usize) -> Box<dyn Iterator<Item = Piece<'_>> + '_> {
        match self {
            Self::Numbers(all) => Box::new(all.chunks_mut(room).map(|room| Piece::Numbers(Share::new(room)))),
            Self::Names(all) => Box::new(all.chunks_mut(room).map(|room| Piece::names(Share::new(room)))),
            Self::Varying => Box::new(std::iter::repeat_with(Piece::varying)),
        }
    }

    /// Puts the pieces of a column together, in order.
    pub fn assemble(self, room: usize, pieces: Vec<Done>) -> Column {
        match self {
            Self::Numbers(all) => {
                let filled = pieces.into_iter().filter_map(|piece| if let Done::Numbers(filled) = piece { Some(filled) } else { None });
                Column::Numbers(close(all, room, &filled.collect::<Vec<_>>()))
            }
            Self::Names(all) => {
                let parts = pieces
                    .into_iter()
                    .filter_map(|piece| if let Done::Names(filled, names) = piece { Some((filled, names)) } else { None });
                let (filled, names): (Vec<_>, Vec<_>) = parts.unzip();
                let mut indices = close(all, room, &filled);
                let mut rest = &mut indices[..];
                let parts = filled.iter().zip(names).map(|(filled, names)| {
                    let (part, behind) = std::mem::take(&mut rest).split_at_mut(filled.len());
                    rest = behind;
                    (part, names)
                });
                let names = join(parts.collect::<Vec<_>>());
                Column::Names(indices, names.into_iter().collect())
            }
            Self::Varying => {
                let mut whole = Piece::varying();
                let mut varying = false;
                for piece in pieces {
                    if let Done::Varying(Some(first), varies) = piece {
                        varying |= varies;
                        let _ = whole.push_text(&first);
                    }
                }
                Column::Varying(varying || matches!(whole, Piece::Varying(_, true)))
            }
        }
    }
}

/// The part of a column that one span of rows gives.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Numbers(Share<'a, f64>),
    Names {
        indices: Share<'a, u32>,
        names: Names,
        last: Vec<u8>,
    },
    /// The first value, and whether others differ.
    Varying(Option<Vec<u8>>, bool),
}

/// A piece that has all its rows.
#[derive(Debug)]
pub(super) enum Done {
    Numbers(Filled<f64>),
    Names(Filled<u32>, Names),
    Varying(Option<Vec<u8>>, bool),
}

impl<'a> Piece<'a> {
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Numbers(Share::new(&mut [])),
            Kind::Name => Self::names(Share::new(&mut [])),
            Kind::Varying => Self::varying(),
        }
    }

    fn names(indices: Share<'a, u32>) -> Self {
        Self::Names { indices, names: Names::default(), last: Vec::new() }
    }

    fn varying() -> Self {
        Self::Varying(None, false)
    }

    pub fn done(self) -> Done {
        match self {
            Self::Numbers(share) => Done::Numbers(share.filled()),
            Self::Names { indices, names, .. } => Done::Names(indices.filled(), names),
            Self::Varying(first, varies) => Done::Varying(first, varies),
        }
    }

    /// Takes the cell without quotes at the front of `line`.
    ///
    /// # Errors
    /// The error is what was expected instead.
    #[inline]
    pub fn push_first(&mut self, line: &[u8]) -> Result<(), &'static str> {
        match self {
            Self::Numbers(numbers) => numbers.push(first_number(line)?),
            Self::Names { indices, last, .. }
                if !last.is_empty() && line.starts_with(last) && line.get(last.len()).is_none_or(|&byte| is_blank(byte)) =>
            {
                // Rows of one micrograph mostly follow each other.
                let index = indices.last().unwrap_or_default();
                indices.push(index);
            }
            Self::Varying(_, true) => {}
            _ => return self.push_text(first_cell(line)),
        }
        Ok(())
    }

    /// Takes a cell.
    ///
    /// # Errors
    /// The error is what was expected instead.
    pub fn push_text(&mut self, cell: &[u8]) -> Result<(), &'static str> {
        match self {
            Self::Numbers(numbers) => numbers.push(number(cell)?),
            Self::Names { indices, names, last } => {
                indices.push(intern(names, cell));
                last.clear();
                // One with a blank, which stood in quotes, could be two cells of the next line.
                if !cell.iter().any(|&byte| is_blank(byte)) {
                    last.extend(cell);
                }
            }
            Self::Varying(first @ None, _) => *first = Some(cell.to_owned()),
            Self::Varying(Some(first), varies) => *varies = *varies || differs(first, cell),
        }
        Ok(())
    }
}

/// Whether two cells are neither equal texts nor equal numbers; all that stands for no number is equal.
#[expect(clippy::float_cmp, reason = "equal is meant")]
fn differs(a: &[u8], b: &[u8]) -> bool {
    let are_equal = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
    a != b && !matches!((number(a), number(b)), (Ok(a), Ok(b)) if are_equal(a, b))
}

fn first_cell(line: &[u8]) -> &[u8] {
    &line[..line.iter().position(|&byte| is_blank(byte)).unwrap_or(line.len())]
}

#[inline]
fn first_number(line: &[u8]) -> Result<f64, &'static str> {
    match fast_float2::parse_partial(line) {
        Ok((number, length)) if line.get(length).is_none_or(|&byte| is_blank(byte)) => Ok(number),
        _ => number(first_cell(line)),
    }
}

fn number(cell: &[u8]) -> Result<f64, &'static str> {
    if let Ok(number) = fast_float2::parse(cell) {
        return Ok(number);
    }
    match cell {
        b"<NA>" | b"NA" | b"None" | b"null" | b"NULL" => Ok(f64::NAN),
        _ => Err("a number"),
    }
}

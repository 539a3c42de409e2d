//! Columns that are parsed while rows are looked for.

use crate::interning::{Interner, join};

/// Which columns to parse, by label without the leading underscore. A table has those of them that it has.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// As numbers; `<NA>`, `None` and the like are NaN.
    pub numbers: Vec<String>,
    /// As names: indices into the list of distinct ones.
    pub names: Vec<String>,
    /// Only whether the numbers in it are not all the same.
    pub varying: Vec<String>,
}

/// A parsed column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// One number a row.
    Numbers(Vec<f64>),
    /// For each row the index of its name among the distinct ones, and these, in the order of first appearance.
    Names(Vec<u32>, Vec<Vec<u8>>),
    /// Whether the values differ.
    Varying(bool),
}

/// What to do with the cells at one place of the rows.
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

/// The part of a column that one span of rows gives.
#[derive(Debug)]
pub(super) enum Piece {
    Numbers(Vec<f64>),
    Names { indices: Vec<u32>, names: Interner<Vec<u8>>, last: Vec<u8> },
    Varying { first: Option<Vec<u8>>, varies: bool },
}

impl Piece {
    pub fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Number => Self::Numbers(Vec::with_capacity(rows)),
            Kind::Name => Self::Names { indices: Vec::with_capacity(rows), names: Interner::default(), last: Vec::new() },
            Kind::Varying => Self::Varying { first: None, varies: false },
        }
    }

    /// # Errors
    /// What was expected instead of the cell.
    #[inline]
    pub fn push(&mut self, cell: &[u8]) -> Result<(), &'static str> {
        match self {
            Self::Numbers(numbers) => numbers.push(number(cell)?),
            Self::Names { indices, names, last } => match indices.last() {
                // Rows of one micrograph mostly follow each other.
                Some(&index) if last == cell => indices.push(index),
                _ => {
                    indices.push(names.intern(cell));
                    last.clear();
                    last.extend(cell);
                }
            },
            Self::Varying { first: None, varies: _ } => *self = Self::Varying { first: Some(cell.to_owned()), varies: false },
            Self::Varying { first: Some(first), varies } => *varies = *varies || differs(first, cell),
        }
        Ok(())
    }
}

fn differs(a: &[u8], b: &[u8]) -> bool {
    a != b && number(a) != number(b)
}

#[inline]
fn number(cell: &[u8]) -> Result<f64, &'static str> {
    if let Ok(number) = fast_float2::parse(cell) {
        return Ok(number);
    }
    match cell {
        b"<NA>" | b"NA" | b"None" | b"null" | b"NULL" => Ok(f64::NAN),
        _ => Err("a number"),
    }
}

/// Puts the pieces of a column together, in order.
pub(super) fn assemble(kind: Kind, pieces: Vec<Piece>) -> Column {
    match kind {
        Kind::Number => {
            let mut all =
                Vec::with_capacity(pieces.iter().map(|piece| if let Piece::Numbers(numbers) = piece { numbers.len() } else { 0 }).sum());
            for piece in pieces {
                if let Piece::Numbers(numbers) = piece {
                    all.extend(numbers);
                }
            }
            Column::Numbers(all)
        }
        Kind::Name => {
            let parts = pieces.into_iter().filter_map(|piece| match piece {
                Piece::Names { indices, names, .. } => Some((indices, names.into_values())),
                _ => None,
            });
            let (indices, names) = join(parts.collect());
            Column::Names(indices, names)
        }
        Kind::Varying => {
            let mut whole = Piece::new(kind, 0);
            let mut varying = false;
            for piece in pieces {
                if let Piece::Varying { first: Some(first), varies } = piece {
                    varying |= varies;
                    let _ = whole.push(&first);
                }
            }
            Column::Varying(varying || matches!(whole, Piece::Varying { varies: true, .. }))
        }
    }
}

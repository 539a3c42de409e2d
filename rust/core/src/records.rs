//! The few needed fields of files of fixed-size records, such as CryoSPARC's `.cs` in NPY form.

use std::path::Path;

use rayon::prelude::*;

use crate::interning::{Names, intern, join};
use crate::rows::Rows;
use crate::{Error, Monitor, Result};

/// Records are read in spans of about this many bytes.
const SPAN: u64 = 1 << 20;

/// The type of one number in a record; little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
}

/// A field of each record to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// One number, as f64.
    Number {
        /// Bytes from the record's start.
        offset: usize,
        /// Its type.
        number: Number,
    },
    /// A 64-bit identifier.
    Identifier {
        /// Bytes from the record's start.
        offset: usize,
    },
    /// Bytes that are a name: indices into the list of distinct ones, without trailing zero bytes.
    Name {
        /// Bytes from the record's start.
        offset: usize,
        /// Its bytes.
        length: usize,
    },
}

/// A field of all records.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// The values of a [`Field::Number`].
    Numbers(Vec<f64>),
    /// The values of a [`Field::Identifier`].
    Identifiers(Vec<u64>),
    /// The values of a [`Field::Name`]: the index of each record's name, and the distinct names in the order of first appearance.
    Names(Vec<u32>, Vec<Vec<u8>>),
}

/// The part of a column that one span of records fills, at its place.
enum Piece<'a> {
    Numbers(&'a mut [f64]),
    Identifiers(&'a mut [u64]),
    Names(&'a mut [u32], Names),
}

impl Number {
    fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::F64 | Self::U64 | Self::I64 => 8,
        }
    }

    /// Reads one number of each record.
    fn read<'a>(self, records: impl Iterator<Item = &'a [u8]>, offset: usize, out: &mut [f64]) {
        match self {
            Self::F32 => fill(out, records, |record| f64::from(f32::from_le_bytes(bytes(record, offset)))),
            Self::F64 => fill(out, records, |record| f64::from_le_bytes(bytes(record, offset))),
            Self::U32 => fill(out, records, |record| f64::from(u32::from_le_bytes(bytes(record, offset)))),
            Self::I32 => fill(out, records, |record| f64::from(i32::from_le_bytes(bytes(record, offset)))),
            Self::U64 => fill(out, records, |record| u64::from_le_bytes(bytes(record, offset)) as f64),
            Self::I64 => fill(out, records, |record| i64::from_le_bytes(bytes(record, offset)) as f64),
        }
    }
}

impl Field {
    /// The field at `offset` of a type as numpy writes it: `f4`, `f8`, `u4`, `u8`, `i4`, `i8` for numbers, `S97` for a name of 97 bytes; or
    /// `uid` for an identifier.
    ///
    /// # Errors
    /// [`Error::Parameter`] for any other type.
    pub fn new(offset: usize, kind: &str) -> Result<Self> {
        let number = match kind {
            "f4" => Number::F32,
            "f8" => Number::F64,
            "u4" => Number::U32,
            "u8" => Number::U64,
            "i4" => Number::I32,
            "i8" => Number::I64,
            "uid" => return Ok(Self::Identifier { offset }),
            _ => {
                let length = kind.strip_prefix('S').and_then(|length| length.parse().ok());
                let wrong = || Error::parameter("fields", format_args!("type {kind}"), "f4, f8, u4, u8, i4, i8, uid or S");
                return length.map(|length| Self::Name { offset, length }).ok_or_else(wrong);
            }
        };
        Ok(Self::Number { offset, number })
    }

    fn end(self) -> usize {
        match self {
            Self::Number { offset, number } => offset + number.size(),
            Self::Identifier { offset } => offset + 8,
            Self::Name { offset, length } => offset + length,
        }
    }

    fn column(self, count: usize) -> Values {
        match self {
            Self::Number { .. } => Values::Numbers(vec![0.0; count]),
            Self::Identifier { .. } => Values::Identifiers(vec![0; count]),
            Self::Name { .. } => Values::Names(vec![0; count], Vec::new()),
        }
    }

    fn read(self, records: &[u8], size: usize, piece: &mut Piece) {
        let records = records.chunks_exact(size);
        match (self, piece) {
            (Self::Number { offset, number }, Piece::Numbers(out)) => number.read(records, offset, out),
            (Self::Identifier { offset }, Piece::Identifiers(out)) => {
                fill(out, records, |record| u64::from_le_bytes(bytes(record, offset)))
            }
            (Self::Name { offset, length }, Piece::Names(out, names)) => {
                let mut last = (&[][..], u32::MAX);
                fill(out, records, |record| {
                    let name = &record[offset..offset + length];
                    if last.1 == u32::MAX || last.0 != name {
                        let trimmed = name.iter().rposition(|&byte| byte != 0).map_or(0, |end| end + 1);
                        last = (name, intern(names, &name[..trimmed]));
                    }
                    last.1
                });
            }
            _ => unreachable!("a column is made for its field"),
        }
    }
}

fn fill<'a, T>(out: &mut [T], records: impl Iterator<Item = &'a [u8]>, mut read: impl FnMut(&'a [u8]) -> T) {
    out.iter_mut().zip(records).for_each(|(out, record)| *out = read(record));
}

fn bytes<const N: usize>(record: &[u8], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[offset..offset + N]);
    bytes
}

impl Values {
    /// A piece a span of so many records.
    fn pieces(&mut self, per_span: usize) -> Box<dyn Iterator<Item = Piece<'_>> + '_> {
        match self {
            Self::Numbers(values) => Box::new(values.chunks_mut(per_span).map(Piece::Numbers)),
            Self::Identifiers(values) => Box::new(values.chunks_mut(per_span).map(Piece::Identifiers)),
            Self::Names(indices, _) => Box::new(indices.chunks_mut(per_span).map(|indices| Piece::Names(indices, Names::default()))),
        }
    }
}

/// Reads the given fields of records. Time O(bytes of the file); memory for the fields, and one span of the file a thread.
///
/// # Errors
/// [`Error::Truncated`]: the file is too short. [`Error::Parameter`]: the rows are not records, or a field does not lie within one. As
/// [`Rows::open`].
pub fn read(path: &Path, rows: &Rows, fields: &[Field], monitor: &Monitor) -> Result<Vec<Values>> {
    let (start, size, count) = rows.as_records().ok_or_else(|| Error::parameter("rows", "lines", "records of one size"))?;
    let (input, size) = (rows.open(path)?, size as usize);
    let needed = (size as u64).checked_mul(count).and_then(|bytes| bytes.checked_add(start));
    if size == 0 || needed.is_none_or(|needed| needed > input.size()) {
        let present = input.size().saturating_sub(start) / (size as u64).max(1);
        return Err(Error::truncated(input.path(), format!("{present} whole records"), format!("{count} of {size} bytes")));
    }
    if let Some(field) = fields.iter().find(|field| field.end() > size) {
        return Err(Error::parameter("fields", format_args!("{field:?}"), format!("one within a record of {size} bytes")));
    }
    let per_span = (SPAN / size as u64).max(1);
    let mut columns: Vec<Values> = fields.iter().map(|field| field.column(count as usize)).collect();
    let mut pieces: Vec<_> = columns.iter_mut().map(|column| column.pieces(per_span as usize)).collect();
    let mut spans: Vec<Vec<Piece>> =
        (0..count.div_ceil(per_span)).map(|_| pieces.iter_mut().filter_map(Iterator::next).collect()).collect();
    drop(pieces);
    spans.par_iter_mut().enumerate().try_for_each_init(Vec::new, |buffer, (span, pieces)| {
        let first = span as u64 * per_span;
        let last = count.min(first + per_span);
        input.read(start + first * size as u64, start + last * size as u64, buffer)?;
        fields.iter().zip(pieces).for_each(|(field, piece)| field.read(buffer, size, piece));
        monitor.advance(buffer.len() as u64)
    })?;
    let names = fields.iter().enumerate().map(|(at, _)| join(spans.iter_mut().filter_map(|span| names_of(&mut span[at])))).collect();
    drop(spans);
    Ok(with_names(columns, names))
}

fn names_of<'a>(piece: &'a mut Piece<'_>) -> Option<(&'a mut [u32], Names)> {
    if let Piece::Names(indices, names) = piece { Some((indices, std::mem::take(names))) } else { None }
}

fn with_names(columns: Vec<Values>, names: Vec<Names>) -> Vec<Values> {
    let join = |(column, names): (Values, Names)| match column {
        Values::Names(indices, _) => Values::Names(indices, names.into_iter().collect()),
        other => other,
    };
    columns.into_iter().zip(names).map(join).collect()
}

//! The few needed fields of files of fixed-size records, such as CryoSPARC's `.cs` in NPY form.

use rayon::prelude::*;

use crate::interning::{Interner, join};
use crate::rows::Input;
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

/// What to read at one place of each record.
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
        /// How many bytes.
        length: usize,
    },
}

/// A field of all records.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of [`Field::Number`].
    Numbers(Vec<f64>),
    /// Of [`Field::Identifier`].
    Identifiers(Vec<u64>),
    /// Of [`Field::Name`]: for each record the index of its name, and the distinct names in the order of first appearance.
    Names(Vec<u32>, Vec<Vec<u8>>),
}

impl Field {
    fn end(self) -> usize {
        match self {
            Self::Number { offset, number: Number::F32 | Number::U32 | Number::I32 } => offset + 4,
            Self::Number { offset, .. } | Self::Identifier { offset } => offset + 8,
            Self::Name { offset, length } => offset + length,
        }
    }

    fn of(self, records: &[u8], size: usize) -> Values {
        let records = records.chunks_exact(size);
        match self {
            Self::Number { offset, number } => Values::Numbers(match number {
                Number::F32 => records.map(|record| f64::from(f32::from_le_bytes(bytes(record, offset)))).collect(),
                Number::F64 => records.map(|record| f64::from_le_bytes(bytes(record, offset))).collect(),
                Number::U32 => records.map(|record| f64::from(u32::from_le_bytes(bytes(record, offset)))).collect(),
                Number::I32 => records.map(|record| f64::from(i32::from_le_bytes(bytes(record, offset)))).collect(),
                Number::U64 => records.map(|record| u64::from_le_bytes(bytes(record, offset)) as f64).collect(),
                Number::I64 => records.map(|record| i64::from_le_bytes(bytes(record, offset)) as f64).collect(),
            }),
            Self::Identifier { offset } => Values::Identifiers(records.map(|record| u64::from_le_bytes(bytes(record, offset))).collect()),
            Self::Name { offset, length } => {
                let mut names = Interner::<Vec<u8>>::default();
                let mut last = (&[][..], u32::MAX);
                let indices = records.map(|record| {
                    let name = &record[offset..offset + length];
                    if last.1 == u32::MAX || last.0 != name {
                        let trimmed = name.iter().rposition(|&byte| byte != 0).map_or(0, |end| end + 1);
                        last = (name, names.intern(&name[..trimmed]));
                    }
                    last.1
                });
                let indices = indices.collect();
                Values::Names(indices, names.into_values())
            }
        }
    }
}

fn bytes<const N: usize>(record: &[u8], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[offset..offset + N]);
    bytes
}

/// Reads the given fields of `count` records of `size` bytes, the first at `start`.
///
/// # Errors
/// [`Error::Input`]: the file is shorter than that; a field does not lie within a record.
pub fn read(input: &Input, start: u64, size: usize, count: u64, fields: &[Field], monitor: &Monitor) -> Result<Vec<Values>> {
    let needed = (size as u64).checked_mul(count).and_then(|bytes| bytes.checked_add(start));
    if needed.is_none_or(|needed| needed > input.size()) {
        let present = input.size().saturating_sub(start) / (size as u64).max(1);
        return Err(Error::input(format!("{}: found {present} whole records, expected {count} of {size} bytes", input.path().display())));
    }
    if let Some(field) = fields.iter().find(|field| field.end() > size) {
        return Err(Error::input(format!("{}: {field:?} does not lie within a record of {size} bytes", input.path().display())));
    }
    let per_span = (SPAN / (size as u64).max(1)).max(1);
    let spans: Vec<Vec<Values>> = (0..count.div_ceil(per_span))
        .into_par_iter()
        .map_init(Vec::new, |buffer, span| {
            let first = span * per_span;
            let last = count.min(first + per_span);
            input.read(start + first * size as u64, start + last * size as u64, buffer)?;
            monitor.advance(buffer.len() as u64)?;
            Ok(fields.iter().map(|field| field.of(buffer, size)).collect())
        })
        .collect::<Result<_>>()?;

    let mut columns: Vec<Vec<Values>> = fields.iter().map(|_| Vec::with_capacity(spans.len())).collect();
    for span in spans {
        for (column, values) in columns.iter_mut().zip(span) {
            column.push(values);
        }
    }
    Ok(fields.par_iter().zip(columns).map(|(field, pieces)| assemble(*field, pieces)).collect())
}

fn assemble(field: Field, pieces: Vec<Values>) -> Values {
    match field {
        Field::Number { .. } => Values::Numbers(concatenate(pieces.into_iter().filter_map(|piece| match piece {
            Values::Numbers(values) => Some(values),
            _ => None,
        }))),
        Field::Identifier { .. } => Values::Identifiers(concatenate(pieces.into_iter().filter_map(|piece| match piece {
            Values::Identifiers(values) => Some(values),
            _ => None,
        }))),
        Field::Name { .. } => {
            let parts = pieces.into_iter().filter_map(|piece| match piece {
                Values::Names(indices, names) => Some((indices, names)),
                _ => None,
            });
            let (indices, names) = join(parts.collect());
            Values::Names(indices, names)
        }
    }
}

/// Frees each piece as soon as it is copied.
fn concatenate<T: Copy>(pieces: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    let mut all = Vec::new();
    pieces.for_each(|piece| all.extend_from_slice(&piece));
    all
}

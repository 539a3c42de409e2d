//! A table of a STAR file.

use std::collections::HashMap;
use std::path::Path;

use super::Column;
use crate::Result;
use crate::rows::{Cells, Rows};

/// One block with its pairs, or with its loop.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name that follows `data_`.
    pub block: String,
    /// Offset of the line `data_...`.
    pub start: u64,
    /// The values of `_label value` lines.
    pub pairs: Vec<(String, Vec<u8>)>,
    /// The columns of the loop, without underscore; empty if the block has none.
    pub labels: Vec<String>,
    /// The rows of the loop.
    pub rows: Rows,
    /// The wanted columns that the loop has, by label.
    pub columns: HashMap<String, Column>,
}

/// Reads all cells of the chosen rows, without quotes: of small tables, or of a few rows.
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) for a row that is not there; as [`Rows::open`].
pub fn read_cells(path: &Path, rows: &Rows, chosen: impl IntoIterator<Item = usize>) -> Result<Vec<Vec<Vec<u8>>>> {
    let input = rows.open(path)?;
    let mut line = Vec::new();
    chosen
        .into_iter()
        .map(|row| {
            rows.check(row + 1)?;
            let (start, end) = rows.span(row);
            input.read(start, end, &mut line)?;
            Ok(Cells::new(&line).before_comment().map(|cell| cell.text.to_owned()).collect())
        })
        .collect()
}

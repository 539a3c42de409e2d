//! A table of a STAR file.

use std::collections::HashMap;
use std::path::Path;

use super::Column;
use crate::Result;
use crate::rows::{Cells, Input, Rows};

/// One block with its pairs, or with its loop.
#[derive(Clone, Debug)]
pub struct Table {
    /// What follows `data_`.
    pub block: String,
    /// Offset of the line `data_...`.
    pub start: u64,
    /// The values of `_label value` lines.
    pub pairs: Vec<(String, Vec<u8>)>,
    /// The columns of the loop, without underscore; empty if the block has none.
    pub labels: Vec<String>,
    /// The rows of the loop.
    pub rows: Rows,
    /// Those of the wanted columns that the loop has.
    pub columns: HashMap<String, Column>,
}

/// All cells of the given rows, without quotes: for tables that are small.
pub fn read_cells(path: &Path, rows: &Rows) -> Result<Vec<Vec<Vec<u8>>>> {
    let input = Input::open(path)?;
    let mut line = Vec::new();
    (0..rows.len())
        .map(|row| {
            let (start, end) = rows.span(row);
            input.read(start, end, &mut line)?;
            Ok(Cells::new(&line).before_comment().map(|cell| cell.text.to_owned()).collect())
        })
        .collect()
}

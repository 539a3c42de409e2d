//! Going through a file once, from block to block.

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::body::Body;
use super::column::Wanted;
use super::lines::{Line, Lines, malformed, shown};
use super::table::Table;
use crate::error::Location;
use crate::rows::{Input, Offsets, Rows, Version};
use crate::{Error, Monitor, Result};

/// Finds all tables of a STAR file, with the wanted columns.
///
/// Time O(bytes); memory for the wanted columns, and 4 bytes for each row.
///
/// # Errors
/// [`Error::Malformed`], with the line: no STAR file; a row with fewer or more cells than the loop has columns; a cell of a wanted number
/// that is none. [`Error::Truncated`], [`Error::Io`].
pub fn scan(input: &Input, wanted: &Wanted, monitor: &Monitor) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    let mut lines = Lines::new(input);
    let mut offset = lines.skip_byte_order_mark()?;
    while let Some((line, next)) = lines.at(offset)? {
        let start = offset;
        offset = next;
        match (Line::of(line), tables.last_mut()) {
            (Line::Nothing, _) => {}
            (Line::Block(name), _) => tables.push(Table::new(input.version(), name, start)),
            (Line::Loop, Some(table)) => {
                if !table.labels.is_empty() {
                    let second = Table::new(input.version(), table.block.clone(), start);
                    tables.push(second);
                }
                let (labels, first_row) = lines.labels(next)?;
                let body = Body { input, labels: &labels, keywords: true }.scan(first_row, wanted, monitor)?;
                offset = body.end;
                if let Some(table) = tables.last_mut() {
                    (table.labels, table.rows, table.columns) = (labels, body.rows, body.columns);
                }
            }
            (Line::Label(label, value), Some(table)) => table.pairs.push((label, value)),
            (_, None) => return Err(malformed(input, start, shown(line), "data_, as STAR files begin")),
            (Line::Other, _) => return Err(malformed(input, start, shown(line), "data_, loop_ or a label")),
        }
    }
    if tables.is_empty() {
        return Err(Error::malformed(input.path(), Location::Whole, "no data_ line", "a STAR file"));
    }
    Ok(tables)
}

/// The rows of a table without a head, which begin at `start` and go on to the file's end, as of `.box` and `.txt` files.
///
/// # Errors
/// As [`scan`].
pub fn scan_rows(input: &Input, start: u64, labels: &[String], wanted: &Wanted, monitor: &Monitor) -> Result<Table> {
    let body = Body { input, labels, keywords: false }.scan(start, wanted, monitor)?;
    Ok(Table { labels: labels.to_vec(), rows: body.rows, columns: body.columns, ..Table::new(input.version(), String::new(), start) })
}

/// Scans several files, in parallel.
///
/// # Errors
/// As [`scan`]; the first one in the order of the files.
pub fn scan_files(paths: &[PathBuf], wanted: &Wanted, monitor: &Monitor) -> Result<Vec<Vec<Table>>> {
    let scanned: Vec<_> = paths.par_iter().map(|path| scan(&Input::open(path)?, wanted, monitor)).collect();
    first_error(scanned)
}

/// [`scan_rows`] for several files, in parallel; `starts` and `labels`: of each.
///
/// # Errors
/// As [`scan`]; columns of different lengths.
pub fn scan_rows_of_files(
    paths: &[PathBuf],
    starts: &[u64],
    labels: &[Vec<String>],
    wanted: &Wanted,
    monitor: &Monitor,
) -> Result<Vec<Table>> {
    if starts.len() != paths.len() || labels.len() != paths.len() {
        let found = format!("{} starts and {} lists of labels", starts.len(), labels.len());
        return Err(Error::parameter("paths", found, format!("one for each of {} files", paths.len())));
    }
    let all = paths.par_iter().zip(starts).zip(labels);
    let scanned: Vec<_> = all.map(|((path, &start), labels)| scan_rows(&Input::open(path)?, start, labels, wanted, monitor)).collect();
    first_error(scanned)
}

/// All, or the error of the first file that has one, whichever thread came to it first; but if the job was interrupted, that.
fn first_error<T>(files: Vec<Result<T>>) -> Result<Vec<T>> {
    if files.iter().any(|file| matches!(file, Err(Error::Interrupted))) {
        return Err(Error::Interrupted);
    }
    files.into_iter().collect()
}

impl Table {
    fn new(of: Version, block: String, start: u64) -> Self {
        let rows = Rows::lines(of, Offsets::from_iter([start]), Vec::new());
        Self { block, start, pairs: Vec::new(), labels: Vec::new(), rows, columns: HashMap::new() }
    }
}

//! Going through a file once: the tables' heads by one thread, the rows of a loop by all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::column::{Column, Kind, Piece, Wanted, assemble};
use super::lines::{Line, Lines, fail, shown};
use super::{Cells, Table};
use crate::rows::{Input, Rows};
use crate::{Error, Monitor, Result};

/// The first rows of a loop are read by one thread: most tables are small, and where one ends is seen only by reading it.
const FIRST: u64 = 64 << 10;
/// Then each thread takes the rows that start in a span of this many bytes.
const SPAN: u64 = 1 << 20;

/// All tables of a STAR file, with the wanted columns.
///
/// # Errors
/// [`Error::Input`], naming the line: not a STAR file; a row with fewer or more cells than the loop has columns; a cell of a wanted number
/// that is none.
pub fn scan(input: &Input, wanted: &Wanted, monitor: &Monitor) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    let mut lines = Lines::new(input);
    let mut offset = lines.skip_byte_order_mark()?;
    while let Some((line, next)) = lines.at(offset)? {
        match (Line::of(line), tables.last_mut()) {
            (Line::Nothing, _) => {}
            (Line::Block(name), _) => tables.push(Table::new(name, offset)),
            (Line::Loop, Some(table)) => {
                if !table.labels.is_empty() {
                    let second = Table::new(table.block.clone(), offset);
                    tables.push(second);
                }
                let (labels, first_row) = lines.labels(next)?;
                let body = Body { input, labels: &labels, keywords: true }.scan(first_row, wanted, monitor)?;
                offset = body.end;
                if let Some(table) = tables.last_mut() {
                    (table.labels, table.rows, table.columns) = (labels, body.rows, body.columns);
                }
                continue;
            }
            (Line::Label(label, value), Some(table)) => table.pairs.push((label, value)),
            (_, None) => return Err(fail(input, offset, &format!("not a STAR file: found {}, expected data_", shown(line)))),
            (Line::Other, _) => {
                return Err(fail(input, offset, &format!("found {}, expected data_, loop_ or a label", shown(line))));
            }
        }
        offset = next;
    }
    if tables.is_empty() {
        return Err(Error::input(format!("{}: not a STAR file: found no data_ line", input.path().display())));
    }
    Ok(tables)
}

/// The rows of a table without a head, which begin at `start` and go on to the file's end, as of `.box` and `.txt` files.
///
/// # Errors
/// As [`scan`].
pub fn scan_rows(input: &Input, start: u64, labels: &[String], wanted: &Wanted, monitor: &Monitor) -> Result<Table> {
    let body = Body { input, labels, keywords: false }.scan(start, wanted, monitor)?;
    Ok(Table { labels: labels.to_vec(), rows: body.rows, columns: body.columns, ..Table::new(String::new(), start) })
}

impl Table {
    fn new(block: String, start: u64) -> Self {
        let rows = Rows::Lines { starts: vec![start], gaps: Vec::new() };
        Self { block, start, pairs: Vec::new(), labels: Vec::new(), rows, columns: HashMap::new() }
    }
}

/// The rows of one loop.
struct Body<'a> {
    input: &'a Input,
    labels: &'a [String],
    /// Whether `data_`, `loop_` and labels end it.
    keywords: bool,
}

struct Scanned {
    rows: Rows,
    columns: HashMap<String, Column>,
    end: u64,
}

/// What one span of the file holds.
struct Span {
    starts: Vec<u64>,
    gaps: Vec<(u64, u64)>,
    pieces: Vec<Piece>,
    /// The end of the last row.
    end: Option<u64>,
    /// The offset of the line that ends the loop.
    stop: Option<u64>,
}

impl Body<'_> {
    fn scan(&self, first_row: u64, wanted: &Wanted, monitor: &Monitor) -> Result<Scanned> {
        let places = wanted.places(self.labels);
        let size = self.input.size();
        let stop = AtomicU64::new(size);
        let read = |buffer: &mut Vec<u8>, from: u64, length: u64| {
            if from > stop.load(Ordering::Relaxed) {
                return Ok(None); // behind the end of the loop, as another thread has found
            }
            monitor.advance(length.min(size.saturating_sub(from)))?;
            let span = self.span(buffer, from, (from + length).min(size), from == first_row, &places)?;
            stop.fetch_min(span.stop.unwrap_or(size), Ordering::Relaxed);
            Ok(Some(span))
        };
        let mut spans: Vec<Span> = read(&mut Vec::new(), first_row, FIRST)?.into_iter().collect();
        if spans.first().is_some_and(|span| span.stop.is_none()) {
            let rest = first_row + FIRST;
            let count = size.saturating_sub(rest).div_ceil(SPAN);
            let further: Vec<Option<Result<Span>>> =
                (0..count).into_par_iter().map_init(Vec::new, |buffer, i| read(buffer, rest + i * SPAN, SPAN).transpose()).collect();
            for span in further.into_iter().flatten() {
                let span = span?;
                let last = span.stop.is_some();
                spans.push(span);
                if last {
                    break;
                }
            }
        }
        Ok(self.assemble(first_row, &places, spans))
    }

    fn assemble(&self, first_row: u64, places: &[(usize, Kind)], spans: Vec<Span>) -> Scanned {
        let end = spans.iter().find_map(|span| span.stop).unwrap_or(self.input.size());
        let rows_end = spans.iter().rev().find_map(|span| span.end).unwrap_or(first_row);
        let mut starts = Vec::with_capacity(spans.iter().map(|span| span.starts.len()).sum::<usize>() + 1);
        let mut gaps = Vec::new();
        let mut pieces: Vec<Vec<Piece>> = places.iter().map(|_| Vec::with_capacity(spans.len())).collect();
        for span in spans {
            starts.extend(span.starts);
            span.gaps.into_iter().filter(|gap| gap.0 < rows_end).for_each(|gap| add_gap(&mut gaps, gap));
            for (pieces, piece) in pieces.iter_mut().zip(span.pieces) {
                pieces.push(piece);
            }
        }
        starts.push(rows_end);
        // What comes before the first row belongs to the head.
        gaps.retain(|gap| gap.0 > starts[0]);
        let columns =
            places.par_iter().zip(pieces).map(|(&(place, kind), pieces)| (self.labels[place].clone(), assemble(kind, pieces))).collect();
        Scanned { rows: Rows::Lines { starts, gaps }, columns, end }
    }

    /// The rows whose lines start from `from` on and before `to`.
    fn span(&self, buffer: &mut Vec<u8>, from: u64, to: u64, at_line_start: bool, places: &[(usize, Kind)]) -> Result<Span> {
        // One byte more at the front tells whether a line starts at `from`.
        let base = if at_line_start { from } else { from - 1 };
        self.input.read(base, to, buffer)?;
        let mut at = if at_line_start { 0 } else { memchr::memchr(b'\n', buffer).map_or(buffer.len(), |newline| newline + 1) };
        if at as u64 + base < to {
            self.complete_last_line(buffer, base, to)?;
        }
        let estimate = buffer.len() / (8 * self.labels.len()) + 1;
        let pieces = places.iter().map(|&(_, kind)| Piece::new(kind, estimate)).collect();
        let mut span = Span { starts: Vec::with_capacity(estimate), gaps: Vec::new(), pieces, end: None, stop: None };
        while at as u64 + base < to {
            let next = memchr::memchr(b'\n', &buffer[at..]).map_or(buffer.len(), |length| at + length + 1);
            let (line, start, end) = (&buffer[at..next], base + at as u64, base + next as u64);
            match self.role(line) {
                Role::Row => {
                    self.parse(line, places, &mut span.pieces).map_err(|message| fail(self.input, start, &message))?;
                    span.starts.push(start);
                    span.end = Some(end);
                }
                Role::Gap => add_gap(&mut span.gaps, (start, end)),
                Role::End => {
                    span.stop = Some(start);
                    break;
                }
            }
            at = next;
        }
        Ok(span)
    }

    fn complete_last_line(&self, buffer: &mut Vec<u8>, base: u64, to: u64) -> Result<()> {
        let mut more = FIRST;
        let mut rest = Vec::new();
        while buffer.last() != Some(&b'\n') && base + (buffer.len() as u64) < self.input.size() {
            let end = base + buffer.len() as u64;
            self.input.read(end, end + more, &mut rest)?;
            let line_end = memchr::memchr(b'\n', &rest).map_or(rest.len(), |newline| newline + 1);
            buffer.extend(&rest[..line_end]);
            more *= 2;
        }
        debug_assert!(base + buffer.len() as u64 >= to);
        Ok(())
    }

    fn role(&self, line: &[u8]) -> Role {
        let Some(first) = line.iter().position(|&byte| byte > b' ') else { return Role::Gap };
        let text = &line[first..];
        match text[0] {
            b'#' if self.keywords => Role::Gap,
            b'd' | b'l' | b'_' if self.keywords => {
                // A row may begin with such a word, too; then it has more cells than the keyword's line would have.
                let alone = Cells::new(text).count_rest() == 1;
                let keyword = text.starts_with(b"data_") || text.trim_ascii_end() == b"loop_";
                let label = text[0] == b'_' && self.labels.len() > 2 && Cells::new(text).count_rest() <= 2;
                if keyword && alone || label { Role::End } else { Role::Row }
            }
            _ => Role::Row,
        }
    }

    fn parse(&self, line: &[u8], places: &[(usize, Kind)], pieces: &mut [Piece]) -> std::result::Result<(), String> {
        let mut cells = Cells::new(line);
        let mut passed = 0;
        for (&(place, _), piece) in places.iter().zip(pieces) {
            let Some(cell) = cells.nth(place - passed) else { return Err(self.wrong_count(line)) };
            passed = place + 1;
            piece.push(cell.text).map_err(|expected| {
                // A cell too few or too many is the likelier cause, and tells more.
                if Cells::new(line).count_rest() == self.labels.len() {
                    format!("{}: found {}, expected {expected}", self.labels[place], shown(cell.text))
                } else {
                    self.wrong_count(line)
                }
            })?;
        }
        if passed + cells.count_rest() == self.labels.len() { Ok(()) } else { Err(self.wrong_count(line)) }
    }

    fn wrong_count(&self, line: &[u8]) -> String {
        format!("found a row of {} cells, expected {}", Cells::new(line).count_rest(), self.labels.len())
    }
}

enum Role {
    Row,
    Gap,
    End,
}

fn add_gap(gaps: &mut Vec<(u64, u64)>, gap: (u64, u64)) {
    match gaps.last_mut() {
        Some(last) if last.1 == gap.0 => last.1 = gap.1,
        _ => gaps.push(gap),
    }
}

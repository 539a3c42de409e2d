//! The rows of a loop, read by all threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::column::{Column, Done, Kind, Piece, Store, Wanted};
use super::row::Role;
use super::share::{Filled, Share, close};
use crate::rows::{Input, Marks, Offsets, Rows};
use crate::{Monitor, Result};

/// The first rows of a loop are read by one thread: most tables are small, and where one ends is seen only by reading it.
const FIRST: u64 = 64 << 10;
/// And of these so many bytes at first, then twice as many, and so on: a file may have 100,000 tables.
const BEGIN: u64 = 1 << 10;
/// Then each thread takes the rows that start in a span of this many bytes, which stay in its own cache.
const SPAN: u64 = 512 << 10;
/// A span has room for this many times the rows that the first ones make expect.
const ROOM: f64 = 1.25;

/// The rows of one loop.
pub(super) struct Body<'a> {
    pub input: &'a Input,
    pub labels: &'a [String],
    /// Whether `data_`, `loop_` and labels end it.
    pub keywords: bool,
}

pub(super) struct Scanned {
    pub rows: Rows,
    pub columns: HashMap<String, Column>,
    pub end: u64,
}

/// The content of one span of the file.
struct Span<'a> {
    /// Lower halves of the rows' offsets.
    starts: Share<'a, u32>,
    pieces: Vec<Piece<'a>>,
    found: Found,
}

/// Where the rows of a span are.
#[derive(Default)]
struct Found {
    /// The offsets of the first and the last row.
    ends: Option<(u64, u64)>,
    gaps: Vec<(u64, u64)>,
    /// The end of the last row.
    rows_end: Option<u64>,
    /// The offset of the line that ends the loop.
    stop: Option<u64>,
}

/// One thread's memory, kept from span to span.
#[derive(Default)]
struct Scratch {
    text: Vec<u8>,
    marks: Marks,
}

impl Body<'_> {
    pub fn scan(&self, first_row: u64, wanted: &Wanted, monitor: &Monitor) -> Result<Scanned> {
        let places = wanted.places(self.labels);
        let mut first = Span {
            starts: Share::new(&mut []),
            pieces: places.iter().map(|&(_, kind)| Piece::new(kind)).collect(),
            found: Found::default(),
        };
        let size = self.input.size();
        let rest = first_row + FIRST;
        let (mut scratch, mut from, mut length) = (Scratch::default(), first_row, BEGIN);
        while from < rest.min(size) && first.found.stop.is_none() {
            self.span(&mut scratch, (from, length.min(rest - from)), from == first_row, &places, &mut first, monitor)?;
            from += length;
            length *= 2;
        }
        let count = if first.found.stop.is_some() { 0 } else { size.saturating_sub(rest).div_ceil(SPAN) as usize };
        let first = first.done();
        // The first span has no room: its values are all beyond it. A small file has no other, and thousands of them may be open.
        let room = if count == 0 { 0 } else { ((first.starts.len() as f64 * (SPAN as f64 / FIRST as f64) * ROOM) as usize).max(64) };
        let mut starts = vec![0; (count + 1) * room];
        let mut stores: Vec<Store> = places.iter().map(|&(_, kind)| Store::new(kind, (count + 1) * room)).collect();
        let mut spans = vec![first];
        if count > 0 {
            let mut pieces: Vec<_> = stores.iter_mut().map(|store| store.pieces(room).skip(1)).collect();
            let further: Vec<Span> = starts
                .chunks_mut(room)
                .skip(1)
                .map(|room| Span {
                    starts: Share::new(room),
                    pieces: pieces.iter_mut().filter_map(Iterator::next).collect(),
                    found: Found::default(),
                })
                .collect();
            spans.extend(self.scan_rest(further, rest, &places, monitor)?);
        }
        Ok(self.assemble(first_row, &places, (starts, stores, room), spans))
    }

    /// Scans the spans that follow each other from `rest` on, and leaves out those behind the end of the loop.
    fn scan_rest(&self, spans: Vec<Span>, rest: u64, places: &[(usize, Kind)], monitor: &Monitor) -> Result<Vec<Ready>> {
        let stop = AtomicU64::new(u64::MAX);
        let scan = |scratch: &mut Scratch, (at, mut span): (usize, Span)| {
            let from = rest + at as u64 * SPAN;
            if from > stop.load(Ordering::Relaxed) {
                return None; // behind the end of the loop, as another thread has found
            }
            let scanned = self.span(scratch, (from, SPAN), false, places, &mut span, monitor);
            stop.fetch_min(span.found.stop.unwrap_or(u64::MAX), Ordering::Relaxed);
            Some(scanned.map(|()| span.done()))
        };
        let scanned: Vec<Option<Result<Ready>>> = spans.into_par_iter().enumerate().map_init(Scratch::default, scan).collect();
        let mut ready = Vec::with_capacity(scanned.len());
        for span in scanned.into_iter().flatten() {
            let span = span?;
            let last = span.found.stop.is_some();
            ready.push(span);
            if last {
                break;
            }
        }
        Ok(ready)
    }

    fn assemble(
        &self,
        first_row: u64,
        places: &[(usize, Kind)],
        (starts, stores, room): (Vec<u32>, Vec<Store>, usize),
        spans: Vec<Ready>,
    ) -> Scanned {
        let end = spans.iter().find_map(|span| span.found.stop).unwrap_or(self.input.size());
        let rows_end = spans.iter().rev().find_map(|span| span.found.rows_end).unwrap_or(first_row);
        let mut gaps = Vec::new();
        let mut columns: Vec<Vec<Done>> = places.iter().map(|_| Vec::with_capacity(spans.len())).collect();
        let mut shares = Vec::with_capacity(spans.len());
        let mut ends = Vec::with_capacity(spans.len());
        for span in spans {
            ends.push((span.starts.len(), span.found.ends));
            shares.push(span.starts);
            span.found.gaps.into_iter().filter(|gap| gap.0 < rows_end).for_each(|gap| add_gap(&mut gaps, gap));
            columns.iter_mut().zip(span.pieces).for_each(|(column, piece)| column.push(piece));
        }
        let mut starts = offsets(close(starts, room, &shares), &ends);
        starts.push(rows_end);
        // What comes before the first row belongs to the head.
        gaps.retain(|gap| gap.0 > starts.get(0));
        let label = |&(place, _): &(usize, Kind)| self.labels[place].clone();
        // One column after the other: each gives its spare room back before the next is closed up.
        let columns =
            places.iter().map(label).zip(stores.into_iter().zip(columns).map(|(store, pieces)| store.assemble(room, pieces))).collect();
        Scanned { rows: Rows::lines(self.input.version(), starts, gaps), columns, end }
    }

    /// The rows whose lines start from `from` on within `length` bytes.
    fn span(
        &self,
        scratch: &mut Scratch,
        (from, length): (u64, u64),
        at_line_start: bool,
        places: &[(usize, Kind)],
        span: &mut Span,
        monitor: &Monitor,
    ) -> Result<()> {
        let Scratch { text, marks } = scratch;
        let to = (from + length).min(self.input.size());
        monitor.advance(to.saturating_sub(from))?;
        // One byte more at the front shows whether a line starts at `from`.
        let base = if at_line_start { from } else { from - 1 };
        self.input.read(base, to, text)?;
        let mut at = if at_line_start { 0 } else { memchr::memchr(b'\n', text).map_or(text.len(), |newline| newline + 1) };
        if at as u64 + base < to {
            self.complete_last_line(text, base)?;
        }
        marks.fill(text);
        while at as u64 + base < to {
            let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length + 1);
            let (start, end) = (base + at as u64, base + next as u64);
            match self.role(text, marks, (at, next)) {
                Role::Row => {
                    self.parse(text, marks, (at, next), places, &mut span.pieces).map_err(|wrong| wrong.at(self.input, start))?;
                    span.starts.push(start as u32);
                    span.found.add_row(start, end);
                }
                Role::Gap => add_gap(&mut span.found.gaps, (start, end)),
                Role::End => {
                    span.found.stop = Some(start);
                    break;
                }
            }
            at = next;
        }
        Ok(())
    }

    fn complete_last_line(&self, text: &mut Vec<u8>, base: u64) -> Result<()> {
        let mut more = BEGIN;
        let mut rest = Vec::new();
        while text.last() != Some(&b'\n') && base + (text.len() as u64) < self.input.size() {
            let end = base + text.len() as u64;
            self.input.read(end, end + more, &mut rest)?;
            let line_end = memchr::memchr(b'\n', &rest).map_or(rest.len(), |newline| newline + 1);
            text.extend(&rest[..line_end]);
            more *= 2;
        }
        Ok(())
    }
}

/// A span that was scanned.
struct Ready {
    starts: Filled<u32>,
    pieces: Vec<Done>,
    found: Found,
}

impl Span<'_> {
    fn done(self) -> Ready {
        Ready { starts: self.starts.filled(), pieces: self.pieces.into_iter().map(Piece::done).collect(), found: self.found }
    }
}

impl Found {
    fn add_row(&mut self, start: u64, end: u64) {
        self.ends = Some((self.ends.map_or(start, |ends| ends.0), start));
        self.rows_end = Some(end);
    }
}

/// From lower halves to offsets; `ends`: of each span the number of its rows, and the offsets of the first and the last.
fn offsets(low: Vec<u32>, ends: &[(usize, Option<(u64, u64)>)]) -> Offsets {
    let mut turns: Vec<usize> = Vec::new();
    let mut at = 0;
    for &(count, ends) in ends {
        if let Some((first, last)) = ends {
            turns.resize((first >> 32) as usize, at);
            let within = low[at..at + count].partition_point(|&low| low >= first as u32);
            turns.resize((last >> 32) as usize, at + within);
        }
        at += count;
    }
    Offsets::from_halves(low, turns)
}

fn add_gap(gaps: &mut Vec<(u64, u64)>, gap: (u64, u64)) {
    match gaps.last_mut() {
        Some(last) if last.1 == gap.0 => last.1 = gap.1,
        _ => gaps.push(gap),
    }
}

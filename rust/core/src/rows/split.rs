//! Writing the kept rows to one file and the rejected ones to another.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Input, Rows};
use crate::star::Cells;
use crate::{Error, Monitor, Result};

/// Rows are read in batches of about this many bytes.
const BATCH: u64 = 512 << 10;

/// As many batches wait for each writer.
const QUEUE: usize = 8;

/// One piece of the two output files.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// The same place, different texts.
    Text {
        /// Into the file of the kept rows.
        kept: Vec<u8>,
        /// Into the file of the rejected rows.
        rejected: Vec<u8>,
    },
    /// A span of a file, into both.
    Span {
        /// The file.
        path: PathBuf,
        /// First byte.
        start: u64,
        /// The byte after the last.
        end: u64,
    },
    /// Rows of a file, each into one of the two, and what is between them into both.
    Rows {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: &'a Rows,
        /// For each row whether it is kept.
        kept: &'a [bool],
        /// Cells to be written differently.
        rewrite: Option<Rewrite>,
        /// Ends the last row by a newline if it has none.
        end_line: bool,
    },
}

/// Replaces some values of one column of lines of cells.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// Which column, from 0.
    pub column: usize,
    /// Old and new text; others stay.
    pub values: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Writes the parts one after the other to both files; reading goes on while the files are written.
///
/// # Errors
/// [`Error::Io`]; the files are then incomplete.
pub fn split(parts: &[Part], kept: &Path, rejected: &Path, monitor: &Monitor) -> Result<()> {
    let create = |path: &Path| File::create(path).map_err(Error::at(path));
    let files = [(create(kept)?, kept), (create(rejected)?, rejected)];
    std::thread::scope(|scope| {
        let outputs = files.map(|(file, path)| {
            let (full, filled) = sync_channel(QUEUE);
            let (empty, emptied) = sync_channel(QUEUE + 1);
            (Output { full, emptied }, scope.spawn(move || write(file, path, &filled, &empty)))
        });
        let [(kept, kept_writer), (rejected, rejected_writer)] = outputs;
        let mut outputs = Outputs { kept, rejected };
        let sent = parts.iter().try_for_each(|part| outputs.send(part, monitor));
        drop(outputs);
        for writer in [kept_writer, rejected_writer] {
            writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        sent
    })
}

fn write(mut file: File, path: &Path, filled: &Receiver<Vec<u8>>, empty: &SyncSender<Vec<u8>>) -> Result<()> {
    for mut buffer in filled {
        file.write_all(&buffer).map_err(Error::at(path))?;
        buffer.clear();
        let _ = empty.try_send(buffer);
    }
    Ok(())
}

/// The way to one file: buffers go to its writer and come back, so that their memory stays warm.
struct Output {
    full: SyncSender<Vec<u8>>,
    emptied: Receiver<Vec<u8>>,
}

impl Output {
    fn buffer(&self) -> Vec<u8> {
        self.emptied.try_recv().unwrap_or_default()
    }

    /// A writer that has stopped says why when it is joined; here it only ends the reading.
    fn send(&self, buffer: Vec<u8>) -> Result<()> {
        if buffer.is_empty() { Ok(()) } else { self.full.send(buffer).map_err(|_| Error::Interrupted) }
    }
}

struct Outputs {
    kept: Output,
    rejected: Output,
}

impl Outputs {
    fn send(&mut self, part: &Part, monitor: &Monitor) -> Result<()> {
        match part {
            Part::Text { kept, rejected } => {
                self.kept.send(kept.clone())?;
                self.rejected.send(rejected.clone())
            }
            Part::Span { path, start, end } => {
                let input = Input::open(path)?;
                let mut buffer = Vec::new();
                (*start..*end).step_by(BATCH as usize).try_for_each(|from| {
                    input.read(from, (*end).min(from + BATCH), &mut buffer)?;
                    monitor.advance(buffer.len() as u64)?;
                    self.kept.send(buffer.clone())?;
                    self.rejected.send(buffer.clone())
                })
            }
            Part::Rows { path, rows, kept, rewrite, end_line } => {
                let input = Input::open(path)?;
                let mut from = 0;
                let mut buffer = Vec::new();
                while from < rows.len() {
                    let to = batch_end(rows, from);
                    let batch = Batch { rows, from, to, kept, rewrite: rewrite.as_ref(), end_line: *end_line };
                    let mut outputs = (self.kept.buffer(), self.rejected.buffer());
                    batch.split(&input, &mut buffer, &mut outputs)?;
                    self.kept.send(outputs.0)?;
                    self.rejected.send(outputs.1)?;
                    monitor.advance(rows.start(to) - rows.start(from))?;
                    from = to;
                }
                Ok(())
            }
        }
    }
}

fn batch_end(rows: &Rows, from: usize) -> usize {
    let limit = rows.start(from) + BATCH;
    match rows {
        Rows::Records { size, .. } => rows.len().min(from + (BATCH / (*size).max(1)).max(1) as usize),
        Rows::Lines { starts, .. } => (from + 1).max(from + starts[from..rows.len()].partition_point(|&start| start < limit)),
    }
}

struct Batch<'a> {
    rows: &'a Rows,
    from: usize,
    to: usize,
    kept: &'a [bool],
    rewrite: Option<&'a Rewrite>,
    end_line: bool,
}

impl Batch<'_> {
    fn split(&self, input: &Input, buffer: &mut Vec<u8>, (kept, rejected): &mut (Vec<u8>, Vec<u8>)) -> Result<()> {
        let base = self.rows.start(self.from);
        let end = self.rows.start(self.to);
        input.read(base, end, buffer)?;
        let span = |from: u64, to: u64| &buffer[(from - base) as usize..(to - base) as usize];
        kept.reserve(buffer.len());
        let mut gap = self.rows.next_gap(base).filter(|gap| gap.0 < end);
        let mut row = self.from;
        while row < self.to {
            let keep = self.kept[row];
            let same = self.kept[row..self.to].iter().position(|&other| other != keep).map_or(self.to, |length| row + length);
            let out = if keep { &mut *kept } else { &mut *rejected };
            // A run of rows up to the next gap, which goes into both.
            let next = match gap {
                Some(gap) if gap.0 < self.rows.start(same) => row + self.rows_before(row, same, gap.0),
                _ => same,
            };
            let run_end = gap.map_or(self.rows.start(next), |gap| gap.0.min(self.rows.start(next)));
            self.append(out, span(self.rows.start(row), run_end), row..next);
            if let Some((from, to)) = gap
                && from == run_end
            {
                kept.extend(span(from, to));
                rejected.extend(span(from, to));
                gap = self.rows.next_gap(to).filter(|gap| gap.0 < end);
            }
            row = next;
        }
        if self.end_line && self.to == self.rows.len() && buffer.last().is_some_and(|&last| last != b'\n') {
            let out = if self.kept[self.to - 1] { kept } else { rejected };
            out.push(b'\n');
        }
        Ok(())
    }

    /// How many of the rows from `row` to `same` start before `gap`.
    fn rows_before(&self, row: usize, same: usize, gap: u64) -> usize {
        (row..same).take_while(|&row| self.rows.start(row) < gap).count()
    }

    fn append(&self, out: &mut Vec<u8>, run: &[u8], rows: std::ops::Range<usize>) {
        let Some(rewrite) = self.rewrite else { return out.extend(run) };
        let base = self.rows.start(rows.start);
        for row in rows {
            let (from, to) = self.rows.span(row);
            rewrite.append(out, &run[(from - base) as usize..(to - base) as usize]);
        }
    }
}

impl Rewrite {
    fn append(&self, out: &mut Vec<u8>, line: &[u8]) {
        let found = Cells::new(line).nth(self.column).and_then(|cell| {
            let new = &self.values.iter().find(|(old, _)| old == cell.text)?.1;
            Some((cell, new))
        });
        match found {
            Some((cell, new)) => {
                out.extend(&line[..cell.start]);
                out.extend(new);
                out.extend(&line[cell.end..]);
            }
            None => out.extend(line),
        }
    }
}

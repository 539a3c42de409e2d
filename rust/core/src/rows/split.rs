//! Writing the kept rows to one file and the rejected ones to another.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::batch::{Chosen, Scratch};
use super::{Input, Rewrite, Rows};
use crate::{Error, Monitor, Result};

/// Rows are read in batches of about this many bytes.
const BATCH: u64 = 512 << 10;

/// As many batches wait for each writer.
const QUEUE: usize = 4;

/// One piece of the two output files.
#[derive(Debug)]
pub enum Part {
    /// Two texts at the same place.
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
        rows: Arc<Rows>,
        /// For each row whether it is kept.
        kept: Vec<bool>,
        /// Cells to be written differently, at most one rewrite a column.
        rewrites: Vec<Arc<Rewrite>>,
        /// Ends the last row by a newline if it has none.
        end_line: bool,
    },
}

impl Part {
    fn check(&self) -> Result<()> {
        let Part::Rows { rows, kept, rewrites, .. } = self else { return Ok(()) };
        let lengths = rewrites.iter().filter_map(|rewrite| rewrite.rows()).chain([kept.len()]);
        match lengths.into_iter().find(|&length| length != rows.len()) {
            Some(length) => {
                Err(Error::parameter("rows", format_args!("{length} decisions"), format!("one for each of {} rows", rows.len())))
            }
            None => Ok(()),
        }
    }
}

/// Writes the parts one after the other to both files; reading goes on while the files are written.
///
/// Time O(bytes). Memory does not grow with the files: batches of 512 KiB, four of which wait for each writer.
///
/// # Errors
/// [`Error::Parameter`]: not one decision a row. [`Error::Io`], [`Error::Malformed`] for a cell that can not be rewritten; the files are then incomplete.
pub fn split(parts: &[&Part], kept: &Path, rejected: &Path, monitor: &Monitor) -> Result<()> {
    parts.iter().try_for_each(|part| part.check())?;
    let create = |path: &Path| File::create(path).map_err(Error::at(path));
    let files = [(create(kept)?, kept), (create(rejected)?, rejected)];
    std::thread::scope(|scope| {
        let outputs = files.map(|(file, path)| {
            let (full, filled) = sync_channel(QUEUE);
            let (empty, emptied) = sync_channel(QUEUE + 1);
            (Output { full, emptied }, scope.spawn(move || write(file, path, &filled, &empty)))
        });
        let [(kept, kept_writer), (rejected, rejected_writer)] = outputs;
        let outputs = [kept, rejected];
        let sent = parts.iter().try_for_each(|part| send(&outputs, part, monitor));
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

fn send(outputs: &[Output; 2], part: &Part, monitor: &Monitor) -> Result<()> {
    match part {
        Part::Text { kept, rejected } => {
            outputs[0].send(kept.clone())?;
            outputs[1].send(rejected.clone())
        }
        Part::Span { path, start, end } => send_span(outputs, &Input::open(path)?, (*start, *end), monitor),
        Part::Rows { path, rows, kept, rewrites, end_line } => {
            let mut rewrites: Vec<&Rewrite> = rewrites.iter().map(AsRef::as_ref).collect();
            rewrites.sort_by_key(|rewrite| rewrite.column());
            let chosen = Chosen { rows, kept, rewrites: &rewrites, end_line: *end_line };
            send_rows(outputs, &rows.open(path)?, chosen, monitor)
        }
    }
}

fn send_span(outputs: &[Output; 2], input: &Input, (start, end): (u64, u64), monitor: &Monitor) -> Result<()> {
    let mut buffer = Vec::new();
    (start..end).step_by(BATCH as usize).try_for_each(|from| {
        input.read(from, end.min(from + BATCH), &mut buffer)?;
        monitor.advance(buffer.len() as u64)?;
        outputs.iter().try_for_each(|output| output.send(buffer.clone()))
    })
}

fn send_rows(outputs: &[Output; 2], input: &Input, chosen: Chosen, monitor: &Monitor) -> Result<()> {
    let (rows, mut from, mut scratch) = (chosen.rows, 0, Scratch::default());
    while from < rows.len() {
        let to = rows.first_from(from + 1, rows.start(from) + BATCH);
        let mut parted = outputs.each_ref().map(Output::buffer);
        chosen.part(input, (from, to), &mut scratch, &mut parted)?;
        outputs.iter().zip(parted).try_for_each(|(output, buffer)| output.send(buffer))?;
        monitor.advance(rows.start(to) - rows.start(from))?;
        from = to;
    }
    Ok(())
}

//! The table of rejected particles, `duplicates.csv`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use rayon::prelude::*;

use crate::{Error, Monitor, Result};

/// The columns of the listing; all are in the order of the particles of all sources, one source after the other.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// The rejected particles, ascending.
    pub rejected: &'a [u64],
    /// The kept one that each rejected one duplicates, itself if it duplicates none; empty if all duplicates are removed.
    pub kept: &'a [u64],
    /// The distance of each rejected one to the particle it duplicates, in Å; NaN: there is none.
    pub distances_a: &'a [f64],
    /// Coordinates, row-major (n, `dimensions`), in Å.
    pub coordinates_a: &'a [f64],
    /// The columns of the coordinates, 2 or 3.
    pub dimensions: usize,
    /// The index of each particle's micrograph in `micrographs`, (n,).
    pub micrograph_of: &'a [u32],
    /// Names as they are to stand in a cell: the caller has replaced what acts on a terminal or in a spreadsheet.
    pub micrographs: &'a [String],
    /// The score of each particle, (n,); NaN: missing.
    pub scores: Option<&'a [f64]>,
    /// Unique identifiers; used for the sources that have some.
    pub uids: Option<&'a [u64]>,
    /// Name as it is to stand in a cell, first particle, and whether the source has unique identifiers.
    pub sources: &'a [(String, u64, bool)],
}

/// Writes the table as CSV (RFC 4180, lines end in `\n`), with a line of column names.
///
/// # Errors
/// [`Error::Parameter`]: a column is too short, or an index too large. [`Error::Io`], [`Error::Interrupted`].
pub fn write_listing(path: &Path, listing: &Listing, monitor: &Monitor) -> Result<()> {
    listing.check()?;
    let mut file = File::create(path).map_err(Error::at(path))?;
    let z = if listing.dimensions == 3 { "z_a," } else { "" };
    let names = format!("source,row,uid,micrograph,x_a,y_a,{z}score,kept_source,kept_row,kept_uid,distance_a\n");
    file.write_all(names.as_bytes()).map_err(Error::at(path))?;
    // Batches of some megabytes: the whole text would take more memory than the particles.
    let rows: Vec<u32> = (0..listing.rejected.len() as u32).collect();
    for batch in rows.chunks(1 << 15) {
        let texts: Vec<Vec<u8>> = batch.par_chunks(1 << 11).map(|rows| listing.lines(rows)).collect();
        for text in texts {
            file.write_all(&text).map_err(Error::at(path))?;
        }
        monitor.advance(batch.len() as u64)?;
    }
    Ok(())
}

impl Listing<'_> {
    fn check(&self) -> Result<()> {
        let n = self.micrograph_of.len();
        let fits = self.coordinates_a.len() == n * self.dimensions
            && self.distances_a.len() == self.rejected.len()
            && (self.kept.is_empty() || self.kept.len() == self.rejected.len())
            && self.scores.is_none_or(|scores| scores.len() == n)
            && self.uids.is_none_or(|uids| uids.len() == n)
            && self.sources.first().is_some_and(|source| source.1 == 0)
            && self.rejected.iter().chain(self.kept).all(|&particle| (particle as usize) < n)
            && self.micrograph_of.iter().all(|&micrograph| (micrograph as usize) < self.micrographs.len());
        if fits {
            Ok(())
        } else {
            Err(Error::parameter("listing", "columns of different lengths, or an index beyond their end", "one value a particle"))
        }
    }

    fn lines(&self, rows: &[u32]) -> Vec<u8> {
        let mut text = Vec::with_capacity(rows.len() * 128);
        for row in rows.iter().map(|&row| row as usize) {
            let particle = self.rejected[row];
            self.identity(&mut text, particle, true);
            let start = particle as usize * self.dimensions;
            for &coordinate in &self.coordinates_a[start..start + self.dimensions] {
                thousandths(&mut text, coordinate);
                text.push(b',');
            }
            if let Some(score) = self.scores.map(|scores| scores[particle as usize]) {
                shortest(&mut text, score);
            }
            text.push(b',');
            match self.kept.get(row) {
                Some(&kept) if kept != particle => self.identity(&mut text, kept, false),
                _ => text.extend(b",,,"),
            }
            thousandths(&mut text, self.distances_a[row]);
            text.push(b'\n');
        }
        text
    }

    /// Source, row and uid, then the micrograph if requested, each followed by a comma.
    fn identity(&self, text: &mut Vec<u8>, particle: u64, micrograph: bool) {
        let source = self.sources.partition_point(|source| source.1 <= particle) - 1;
        let (name, start, has_uid) = &self.sources[source];
        quoted(text, name);
        text.push(b',');
        digits(text, particle - start, 1);
        text.push(b',');
        if let (Some(uids), true) = (self.uids, has_uid) {
            digits(text, uids[particle as usize], 1);
        }
        text.push(b',');
        if micrograph {
            quoted(text, &self.micrographs[self.micrograph_of[particle as usize] as usize]);
            text.push(b',');
        }
    }
}

fn put(text: &mut Vec<u8>, arguments: std::fmt::Arguments) {
    // Writing to a vector cannot fail.
    let _ = text.write_fmt(arguments);
}

fn quoted(text: &mut Vec<u8>, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        text.push(b'"');
        text.extend(field.replace('"', "\"\"").bytes());
        text.push(b'"');
    } else {
        text.extend(field.bytes());
    }
}

/// Three decimals; by integers, since formatting millions of floats costs more than finding the duplicates.
fn thousandths(text: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return;
    }
    let scaled = (value * 1000.0).round();
    if scaled.abs() >= 1e15 {
        return put(text, format_args!("{value:.3}"));
    }
    if scaled < 0.0 {
        text.push(b'-');
    }
    let magnitude = scaled.abs() as u64;
    digits(text, magnitude / 1000, 1);
    text.push(b'.');
    digits(text, magnitude % 1000, 3);
}

/// A whole number with zeros in front up to `width` digits; `format_args` takes three times as long.
fn digits(text: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut reversed = [b'0'; 20];
    let mut count = 0;
    while number > 0 || count < width {
        reversed[count] = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
    }
    text.extend(reversed[..count].iter().rev());
}

/// As few digits as identify the value, among single-precision values if it is one.
fn shortest(text: &mut Vec<u8>, value: f64) {
    let single = value as f32;
    if value.is_nan() {
    } else if f64::from(single).to_bits() == value.to_bits() {
        put(text, format_args!("{single}"));
    } else {
        put(text, format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8(text).expect("utf-8")
    }

    #[test]
    fn numbers_are_short_and_right() {
        assert_eq!(text(|t| thousandths(t, -1.5)), "-1.500");
        assert_eq!(text(|t| thousandths(t, 0.0004)), "0.000");
        assert_eq!(text(|t| thousandths(t, -0.0004)), "0.000");
        assert_eq!(text(|t| thousandths(t, 7010.05)), "7010.050");
        assert_eq!(text(|t| digits(t, u64::MAX, 1)), u64::MAX.to_string());
        assert_eq!(text(|t| thousandths(t, 2e15)), "2000000000000000.000");
        assert_eq!(text(|t| shortest(t, f64::from(0.165_609_f32))), "0.165609");
        assert_eq!(text(|t| shortest(t, 0.030_862)), "0.030862");
        assert_eq!(text(|t| shortest(t, f64::NAN)), "");
    }

    #[test]
    fn names_with_commas_and_quotes_are_quoted() {
        assert_eq!(text(|t| quoted(t, "a \"b\", c.mrc")), "\"a \"\"b\"\", c.mrc\"");
        assert_eq!(text(|t| quoted(t, "a b.mrc")), "a b.mrc");
    }
}

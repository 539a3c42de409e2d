//! Small pictures of micrographs: as they were reduced, and as they were compared.

use rayon::prelude::*;

pub use super::kernels::picture::picture;
use super::session::Session;
use super::stored::{Source, Stored, open_all};
use crate::{Error, Monitor, Result};

/// A picture in grey levels, rows from the top down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Grey levels, row after row.
    pub pixels: Vec<u8>,
    /// The number of columns.
    pub width: usize,
}

/// Makes pictures of prepared micrographs, of at most `max_side` pixels along the longer side.
///
/// # Errors
/// As [`Stored::pixels`]; [`Error::Interrupted`].
pub fn thumbnails(records: &[Stored], max_side: usize, monitor: &Monitor) -> Result<Vec<Thumbnail>> {
    let make = |source: &Source| {
        monitor.advance(1)?;
        let (width, height) = (source.record.width, source.record.height);
        Ok(thumbnail(&source.units(0..height)?, (width, height), max_side))
    };
    open_all(records)?.par_iter().map(make).collect()
}

/// Makes pictures of the views of some micrographs of a session, by their numbers, of at most `max_side` pixels along the longer side.
///
/// # Errors
/// [`Error::Parameter`]: a number that no micrograph has. [`Error::Io`]: views in a file that cannot be read.
pub fn of_views(session: &Session, of: &[usize], max_side: usize, monitor: &Monitor) -> Result<Vec<Thumbnail>> {
    if let Some(beyond) = of.iter().find(|&&i| i >= session.len()) {
        return Err(Error::parameter("numbers", beyond.to_string(), format!("less than {}", session.len())));
    }
    let make = |&i: &usize| {
        monitor.advance(1)?;
        Ok(thumbnail(session.view(i)?.view().pixels, session.view_size, max_side))
    };
    of.par_iter().map(make).collect()
}

fn thumbnail<T: Copy + Into<i64>>(units: &[T], (width, height): (usize, usize), max_side: usize) -> Thumbnail {
    let step = width.max(height).div_ceil(max_side.max(1)).max(1);
    let (means, width) = averaged(units, width, step);
    Thumbnail { pixels: picture(&means, width), width }
}

/// Means of squares of `step` pixels a side, the last row first: row 0 of an MRC file is the bottom of its image. Incomplete squares are
/// left out.
fn averaged<T: Copy + Into<i64>>(units: &[T], width: usize, step: usize) -> (Vec<f64>, usize) {
    let (columns, rows) = (width / step, units.len() / width / step);
    let mut means = Vec::with_capacity(columns * rows);
    for row in (0..rows).rev() {
        let lines = &units[row * step * width..][..step * width];
        means.extend((0..columns).map(|column| {
            let sum: i64 = lines.chunks_exact(width).flat_map(|line| &line[column * step..][..step]).map(|&unit| unit.into()).sum();
            sum as f64 / (step * step) as f64
        }));
    }
    (means, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_averaged_and_rows_turned_over() {
        let units: Vec<i16> = (0..35).collect();
        let (means, width) = averaged(&units, 7, 2);
        assert_eq!(width, 3);
        assert_eq!(means, [18.0, 20.0, 22.0, 4.0, 6.0, 8.0]);
    }
}

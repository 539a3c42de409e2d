//! Pairs of micrographs, and the shifts and rotations that align them.

use crate::{Error, Result};

/// Two micrographs, by their numbers.
pub type Pair = (u32, u32);

/// The shift and rotation at which a pair was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Alignment {
    /// The numbers of the two micrographs.
    pub pair: Pair,
    /// The shift that superimposes the second on the first in the middle of their overlap, in pixels of the reduced micrographs.
    pub shift: (f64, f64),
    /// The rotation of the first, in degrees.
    pub turn_deg: f64,
}

impl Alignment {
    /// The same as a lag, as exact as a match is.
    pub(super) fn lag(&self) -> (f64, f64) {
        (-f64::from(self.shift.0 as f32), -f64::from(self.shift.1 as f32))
    }
}

/// Pairs of `n` micrographs from their numbers, two at a time.
///
/// # Errors
/// [`Error::Parameter`]: a number that is too large.
pub fn pairs(numbers: &[u32], n: usize) -> Result<Vec<Pair>> {
    match numbers.iter().find(|&&number| number as usize >= n) {
        Some(number) => Err(Error::parameter("pairs", number, format!("numbers below {n}"))),
        None => Ok(numbers.as_chunks().0.iter().map(|&[i, j]| (i, j)).collect()),
    }
}

/// Alignments from their columns; pairs and shifts two numbers at a time.
///
/// # Errors
/// As [`pairs`]; columns of different lengths.
pub fn alignments(numbers: &[u32], shifts: &[f64], turns_deg: &[f64], n: usize) -> Result<Vec<Alignment>> {
    let (pairs, shifts) = (pairs(numbers, n)?, shifts.as_chunks::<2>().0);
    if shifts.len() != pairs.len() || turns_deg.len() != pairs.len() {
        let found = format!("{} shifts and {} turns", shifts.len(), turns_deg.len());
        return Err(Error::parameter("alignments", found, format!("one for each of {} pairs", pairs.len())));
    }
    let alignment = |((&pair, &[x, y]), &turn_deg): ((&Pair, &[f64; 2]), &f64)| Alignment { pair, shift: (x, y), turn_deg };
    Ok(pairs.iter().zip(shifts).zip(turns_deg).map(alignment).collect())
}

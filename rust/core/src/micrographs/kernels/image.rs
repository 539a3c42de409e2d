//! An int8 image with precomputed sums over rectangles.

use std::ops::Range;

use super::common::Moments;
use super::simd::fast;

/// Sums are kept for cells of this many columns and rows.
const CELL: (usize, usize) = (32, 8);

/// A sum of pixels, and of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sum of the pixels.
    pub values: i64,
    /// The sum of their squares.
    pub squares: i64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self { values: self.values + other.values, squares: self.squares + other.squares }
    }

    fn minus(self, other: Self) -> Self {
        Self { values: self.values - other.values, squares: self.squares - other.squares }
    }
}

/// Sums of an image's pixels above and to the left of the corners of its cells.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<Sums>);

impl Table {
    /// Sums up an image of `width` columns.
    pub fn new(pixels: &[i8], width: usize) -> Self {
        let across = width.div_ceil(CELL.0) + 1;
        let mut corners = vec![Sums::default(); across];
        for rows in pixels.chunks(CELL.1 * width) {
            let mut left = Sums::default();
            let above = corners.len() - across;
            corners.push(left);
            for column in (0..width).step_by(CELL.0) {
                for row in rows.chunks_exact(width) {
                    left = left.plus(sums(&row[column..(column + CELL.0).min(width)]));
                }
                corners.push(corners[above + column / CELL.0 + 1].plus(left));
            }
        }
        Self(corners)
    }
}

/// An image of `width` columns.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Row after row.
    pub pixels: &'a [i8],
    /// Columns.
    pub width: usize,
    /// Its sums.
    pub table: &'a Table,
}

/// An image with its sums.
#[derive(Clone, Debug)]
pub struct OwnedImage {
    pixels: Vec<i8>,
    width: usize,
    table: Table,
}

impl OwnedImage {
    /// Takes pixels row after row.
    pub fn new(pixels: Vec<i8>, width: usize) -> Self {
        Self { table: Table::new(&pixels, width), pixels, width }
    }

    /// The image.
    pub fn view(&self) -> Image<'_> {
        Image { pixels: &self.pixels, width: self.width, table: &self.table }
    }
}

impl Image<'_> {
    /// Rows.
    pub fn height(&self) -> usize {
        self.pixels.len() / self.width.max(1)
    }

    /// The same over a rectangle, as numbers of any size.
    pub(crate) fn moments(&self, columns: Range<usize>, rows: Range<usize>) -> Moments {
        let pixels = (columns.len() * rows.len()) as f64;
        let sums = self.sums(columns, rows);
        Moments { pixels, sum: sums.values as f64, squares: sums.squares as f64 }
    }

    /// The sums over a rectangle.
    pub fn sums(&self, columns: Range<usize>, rows: Range<usize>) -> Sums {
        let inner = |range: &Range<usize>, size: usize, cell: usize| {
            let end = if range.end == size { size } else { range.end / cell * cell };
            range.start.div_ceil(cell) * cell..end
        };
        let (cells, lines) = (inner(&columns, self.width, CELL.0), inner(&rows, self.height(), CELL.1));
        if cells.is_empty() || lines.is_empty() {
            return self.add_up(columns, rows);
        }
        let across = self.width.div_ceil(CELL.0) + 1;
        let corner = |x: usize, y: usize| self.table.0[y.div_ceil(CELL.1) * across + x.div_ceil(CELL.0)];
        let whole = corner(cells.end, lines.end)
            .minus(corner(cells.start, lines.end))
            .minus(corner(cells.end, lines.start))
            .plus(corner(cells.start, lines.start));
        whole
            .plus(self.add_up(columns.clone(), rows.start..lines.start))
            .plus(self.add_up(columns.clone(), lines.end..rows.end))
            .plus(self.add_up(columns.start..cells.start, lines.clone()))
            .plus(self.add_up(cells.end..columns.end, lines))
    }

    fn add_up(&self, columns: Range<usize>, rows: Range<usize>) -> Sums {
        if columns.is_empty() {
            return Sums::default();
        }
        let row = |y: usize| sums(&self.pixels[y * self.width..][columns.clone()]);
        rows.map(row).fold(Sums::default(), Sums::plus)
    }
}

/// Units of an int8 image's pixels per standard deviation: the noise of rounding is 0.06 % of the image's power.
pub const UNITS: f32 = 12.0;

/// To int8 of standard deviation [`UNITS`].
pub fn quantise(image: &[f32], out: &mut [i8]) {
    let power = image.chunks(1 << 12).map(|part| f64::from(squares(part))).sum::<f64>() / image.len() as f64;
    round(image, if power > 0.0 { f64::from(UNITS) / power.sqrt() } else { 0.0 } as f32, out);
}

fast! {
    fn squares(pixels: &[f32]) -> f32 {
        let (parts, rest) = pixels.as_chunks::<16>();
        let mut sums = [0.0; 16];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, pixel)| *sum += pixel * pixel);
        }
        sums.iter().sum::<f32>() + rest.iter().map(|pixel| pixel * pixel).sum::<f32>()
    }
}

fast! {
    /// To int8, with this many units per 1.
    pub(crate) fn round(image: &[f32], factor: f32, out: &mut [i8]) {
        for (out, pixel) in out.iter_mut().zip(image) {
            *out = (pixel * factor).round_ties_even().clamp(-127.0, 127.0) as i8;
        }
    }
}

fn sums(pixels: &[i8]) -> Sums {
    let [values, squares] = sums_of_row(pixels);
    Sums { values: values.into(), squares: squares.into() }
}

fast! {
    fn sums_of_row(pixels: &[i8]) -> [i32; 2] {
        let (mut values, mut squares) = (0, 0);
        for &pixel in pixels {
            values += i32::from(pixel);
            squares += i32::from(i16::from(pixel) * i16::from(pixel));
        }
        [values, squares]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_rectangle() {
        for (width, height) in [(70, 21), (32, 8), (5, 3), (64, 16)] {
            let pixels: Vec<i8> = (0..width * height).map(|i| ((i * 7919 + 13) % 255) as i8).collect();
            let table = Table::new(&pixels, width);
            let image = Image { pixels: &pixels, width, table: &table };
            for (x, y) in (0..=width).step_by(3).chain([width]).flat_map(|x| (0..=height).map(move |y| (x, y))) {
                for (columns, rows) in [(0..x, 0..y), (x..width, y..height), (0..x, y..height), (x / 2..x, y / 3..y)] {
                    let mut expected = Sums::default();
                    for pixel in rows.clone().flat_map(|y| columns.clone().map(move |x| y * width + x)).map(|at| i64::from(pixels[at])) {
                        expected = expected.plus(Sums { values: pixel, squares: pixel * pixel });
                    }
                    assert_eq!(image.sums(columns.clone(), rows.clone()), expected, "{columns:?} {rows:?}");
                }
            }
        }
    }

    #[test]
    fn rows_of_any_length_are_summed_and_rounded_as_by_a_plain_loop() {
        for n in (0..70).chain([127, 128, 129, 1000]) {
            let image: Vec<f32> = (0..n).map(|i| ((i * 7919 + 13) % 1009) as f32 * 0.5 - 250.0).collect();
            let plain: f64 = image.iter().map(|&pixel| f64::from(pixel) * f64::from(pixel)).sum();
            assert!((f64::from(squares(&image)) - plain).abs() <= 1e-6 * plain, "{n}");
            let mut units = vec![1; n];
            round(&image, 0.7, &mut units);
            let mut expected = [0, 0];
            for (&unit, &pixel) in units.iter().zip(&image) {
                assert_eq!(i32::from(unit), ((pixel * 0.7).round_ties_even() as i32).clamp(-127, 127), "{pixel}");
                expected = [expected[0] + i32::from(unit), expected[1] + i32::from(unit) * i32::from(unit)];
            }
            assert_eq!(sums_of_row(&units), expected, "{n}");
        }
    }
}

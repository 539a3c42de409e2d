//! The correlation of two images at one shift, exactly, over what overlaps.

use super::simd::fast;

/// An overlap is cut into so many columns and rows of blocks.
const BLOCKS: usize = 6;
/// Blocks are not made smaller than this many pixels.
const LEAST_BLOCK: usize = 8;

/// Two images of `width` columns, the second shifted: its pixel x + `shift` lies on the first one's pixel x.
#[derive(Clone, Copy, Debug)]
pub struct Overlap<'a> {
    first: &'a [i8],
    second: &'a [i8],
    width: usize,
    height: usize,
}

/// What two images have in common at one shift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Common {
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// The same without the block of the overlap that contributes most: a single bright thing in each image does not make a match.
    pub without_best: f64,
    /// Pixels of the overlap.
    pub pixels: f64,
}

impl<'a> Overlap<'a> {
    /// Of two images of one size.
    pub fn new(first: &'a [i8], second: &'a [i8], width: usize) -> Self {
        Self { first, second, width, height: first.len().min(second.len()) / width.max(1) }
    }

    /// Columns and rows of the first image that are covered, and where in the second they begin.
    fn region(&self, (x, y): (i32, i32)) -> Option<(Span, Span)> {
        Some((Span::new(self.width, x)?, Span::new(self.height, y)?))
    }

    /// Sum of products over the overlap by the root of its size: what a map of correlations shows.
    pub fn product(&self, shift: (i32, i32)) -> f64 {
        let Some((columns, rows)) = self.region(shift) else { return f64::MIN };
        let sum: i64 = (0..rows.length)
            .map(|row| {
                let (a, b) = self.row(&columns, &rows, row);
                i64::from(dot(a, b))
            })
            .sum();
        sum as f64 / ((columns.length * rows.length) as f64).sqrt()
    }

    fn row(&self, columns: &Span, rows: &Span, row: usize) -> (&'a [i8], &'a [i8]) {
        let a = (rows.first + row) * self.width + columns.first;
        let b = (rows.second + row) * self.width + columns.second;
        (&self.first[a..a + columns.length], &self.second[b..b + columns.length])
    }

    /// The shift of the highest product near `start`, by going uphill at most `steps` steps.
    pub fn climb(&self, start: (i32, i32), steps: usize) -> (i32, i32) {
        let (mut at, mut height) = (start, self.product(start));
        for _ in 0..steps {
            let from = at;
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                let there = (from.0 + dx, from.1 + dy);
                let found = self.product(there);
                if found > height {
                    (at, height) = (there, found);
                }
            }
            if at == from {
                break;
            }
        }
        at
    }

    /// The top of the parabola through the products at a shift and beside it, for each axis.
    pub fn sub_pixel(&self, (x, y): (i32, i32)) -> (f64, f64) {
        let middle = self.product((x, y));
        let top = |before: f64, after: f64, at: i32| {
            let bend = before - 2.0 * middle + after;
            f64::from(at) + if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        (top(self.product((x - 1, y)), self.product((x + 1, y)), x), top(self.product((x, y - 1)), self.product((x, y + 1)), y))
    }

    /// The correlation over the overlap at a shift; 0 where one of the images is flat, or nothing overlaps.
    pub fn common(&self, shift: (i32, i32)) -> Common {
        let Some((columns, rows)) = self.region(shift) else { return Common::default() };
        let count = |length: usize| (length / LEAST_BLOCK).clamp(1, BLOCKS);
        let (across, down) = (count(columns.length), count(rows.length));
        let mut blocks = [[0_i64; BLOCKS]; BLOCKS];
        let mut total = Sums::default();
        // Wide blocks begin at multiples of what a processor multiplies at once.
        let step = if columns.length / across >= 64 { 32 } else { 1 };
        let edge = |k: usize| if k == across { columns.length } else { k * columns.length / across / step * step };
        for row in 0..rows.length {
            let (a, b) = self.row(&columns, &rows, row);
            let line = &mut blocks[row * down / rows.length];
            for (k, block) in line.iter_mut().enumerate().take(across) {
                *block += total.add(&a[edge(k)..edge(k + 1)], &b[edge(k)..edge(k + 1)]);
            }
        }
        let pixels = (columns.length * rows.length) as f64;
        let (mean_a, mean_b) = (total.values[0] as f64 / pixels, total.values[1] as f64 / pixels);
        let spread = |squares: i64, mean: f64| (squares as f64 - pixels * mean * mean).max(0.0);
        let length = (spread(total.squares[0], mean_a) * spread(total.squares[1], mean_b)).sqrt();
        if length <= 0.0 {
            return Common { pixels, ..Common::default() };
        }
        let product = total.product as f64 - pixels * mean_a * mean_b;
        let number = (across * down) as f64;
        let best = blocks.iter().flatten().copied().max().unwrap_or_default() as f64 - pixels * mean_a * mean_b / number;
        let without = if number > 1.0 { (product - best) * (number / (number - 1.0)).sqrt() } else { product };
        Common { ncc: (product / length).clamp(-1.0, 1.0), without_best: (without / length).clamp(-1.0, 1.0), pixels }
    }

    /// Pearson's coefficient over the whole frame, what the shifted second image does not cover filled with its mean: of `ncc` and the power
    /// of both images inside and outside the overlap, both being around 0.
    pub fn whole_frame(&self, shift: (i32, i32)) -> f64 {
        self.whole_frame_of(shift, spread(self.first))
    }

    /// The same, the first image's [`spread`] being known.
    pub fn whole_frame_of(&self, shift: (i32, i32), spread_a: f64) -> f64 {
        let Some((columns, rows)) = self.region(shift) else { return 0.0 };
        let mut covered = Sums::default();
        for row in 0..rows.length {
            let (a, b) = self.row(&columns, &rows, row);
            covered.add(a, b);
        }
        let pixels = (columns.length * rows.length) as f64;
        let mean_b = covered.values[1] as f64 / pixels;
        let spread_b = covered.squares[1] as f64 - pixels * mean_b * mean_b;
        let product = covered.product as f64 - mean_b * covered.values[0] as f64;
        let length = (spread_a.max(0.0) * spread_b.max(0.0)).sqrt();
        if length > 0.0 { (product / length).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

/// Sum of the squares of an image's pixels around their mean.
pub fn spread(image: &[i8]) -> f64 {
    let mut sums = Sums::default();
    for part in image.chunks(1 << 12) {
        sums.add(part, part);
    }
    let n = image.len() as f64;
    (sums.squares[0] as f64 - (sums.values[0] as f64).powi(2) / n).max(0.0)
}

/// One axis of an overlap.
pub(super) struct Span {
    /// Where the overlap begins in the first image.
    pub(super) first: usize,
    /// Where it begins in the second.
    pub(super) second: usize,
    /// Pixels.
    pub(super) length: usize,
}

impl Span {
    pub(super) fn new(size: usize, shift: i32) -> Option<Self> {
        let distance = shift.unsigned_abs() as usize;
        if distance >= size {
            return None;
        }
        let (first, second) = if shift < 0 { (distance, 0) } else { (0, distance) };
        Some(Self { first, second, length: size - distance })
    }
}

/// Sums over an overlap: of both images, of their squares, of their products.
#[derive(Default)]
struct Sums {
    values: [i64; 2],
    squares: [i64; 2],
    product: i64,
}

impl Sums {
    /// Adds pieces of a row; returns the sum of their products.
    fn add(&mut self, a: &[i8], b: &[i8]) -> i64 {
        let found = sums(a, b).map(i64::from);
        self.values.iter_mut().zip(&found[..2]).for_each(|(sum, found)| *sum += found);
        self.squares.iter_mut().zip(&found[2..4]).for_each(|(sum, found)| *sum += found);
        self.product += found[4];
        found[4]
    }
}

fast! {
    fn dot(a: &[i8], b: &[i8]) -> i32 {
        a.iter().zip(b).map(|(&a, &b)| i32::from(i16::from(a) * i16::from(b))).sum()
    }
}

/// As many int8 values can be summed in an int16.
const SUMMED_AT_ONCE: usize = 256;

fast! {
    /// Sums of a, b, a², b², ab.
    fn sums(a: &[i8], b: &[i8]) -> [i32; 5] {
        let mut total = [0_i32; 5];
        for (a, b) in a.chunks(SUMMED_AT_ONCE).zip(b.chunks(SUMMED_AT_ONCE)) {
            let (mut sums, mut products) = ([0_i16; 2], [0_i32; 3]);
            for (&a, &b) in a.iter().zip(b) {
                let (a, b) = (i16::from(a), i16::from(b));
                sums[0] += a;
                sums[1] += b;
                products[0] += i32::from(a * a);
                products[1] += i32::from(b * b);
                products[2] += i32::from(a * b);
            }
            let found = [i32::from(sums[0]), i32::from(sums[1]), products[0], products[1], products[2]];
            total.iter_mut().zip(found).for_each(|(total, found)| *total += found);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<i8> {
        (0..n as u64).map(|i| ((i + 1).wrapping_mul(6_364_136_223_846_793_005) >> 57) as i8 - 64).collect()
    }

    #[test]
    fn an_image_and_itself_its_negative_and_a_flat_one() {
        let image = noise(60 * 40);
        let negative: Vec<i8> = image.iter().map(|&pixel| -pixel).collect();
        let of = |other: &[i8]| Overlap::new(&image, other, 60).common((0, 0));
        assert!((of(&image).ncc - 1.0).abs() < 1e-12);
        assert!((of(&negative).ncc + 1.0).abs() < 1e-12);
        assert!(of(&vec![5; 2400]).ncc.abs() < 1e-12);
        assert!(Overlap::new(&image, &vec![5; 2400], 60).whole_frame((3, 2)).abs() < 1e-12);
        assert!((Overlap::new(&image, &image, 60).whole_frame((0, 0)) - 1.0).abs() < 1e-12);
        assert_eq!(Overlap::new(&image, &image, 60).common((60, 0)), Common::default());
    }

    #[test]
    fn the_shift_found_is_that_applied_and_swapped_images_give_its_opposite() {
        let (width, height) = (60_usize, 40_usize);
        let world: Vec<f64> = (0..100 * 100)
            .map(|i| {
                let (x, y) = (f64::from(i % 100), f64::from(i / 100));
                (x * 0.7).sin() * 30.0 + (y * 0.5 + x * 0.13).cos() * 30.0 + (x * y * 0.01).sin() * 30.0
            })
            .collect();
        let window = |ox: usize, oy: usize| -> Vec<i8> {
            (0..width * height).map(|i| world[(i / width + oy) * 100 + i % width + ox] as i8).collect()
        };
        let (first, second) = (window(10, 12), window(13, 7));
        // Pixel x of the first is pixel x + (10 - 13, 12 - 7) of the second.
        let there = Overlap::new(&first, &second, width);
        assert_eq!(there.climb((-2, 4), 4), (-3, 5));
        assert_eq!(Overlap::new(&second, &first, width).climb((2, -4), 4), (3, -5));
        assert!((there.common((-3, 5)).ncc - 1.0).abs() < 1e-12);
        assert!((there.common((-3, 5)).pixels - 57.0 * 35.0).abs() < 1e-9);
        let (x, y) = there.sub_pixel((-3, 5));
        assert!((x + 3.0).abs() < 0.2 && (y - 5.0).abs() < 0.2);
    }

    #[test]
    fn one_bright_thing_in_each_makes_no_match() {
        let mut first = noise(96 * 96);
        let mut second: Vec<i8> = noise(2 * 96 * 96)[96 * 96..].to_vec();
        first.iter_mut().chain(&mut second).for_each(|pixel| *pixel /= 8);
        for i in 0..100 {
            let at = (20 + i / 10) * 96 + 30 + i % 10;
            (first[at], second[at]) = (127, 127);
        }
        let found = Overlap::new(&first, &second, 96).common((0, 0));
        assert!(found.ncc > 0.5 && found.without_best < 0.2, "{found:?}");
    }
}

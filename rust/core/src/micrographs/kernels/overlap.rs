//! The correlation of two images at one lag, exactly, over what overlaps.

use std::ops::Range;

use super::common::{BLOCKS, Blocks, Common, MIN_BLOCK};
use super::image::{Image, UNITS};
use super::peak::vertex;
use super::simd::fast;

/// Wide blocks begin at multiples of this many columns.
const MULTIPLIED_AT_ONCE: usize = 32;

/// Two images of one size. At a *lag*, pixel x of the first lies on pixel x + lag of the second: the opposite of the shift that
/// superimposes the second on the first.
#[derive(Clone, Copy, Debug)]
pub struct Overlap<'a> {
    first: Image<'a>,
    second: Image<'a>,
}

/// A lag, and the sums of products there and beside it: left, right, above, below.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// The lag.
    pub at: (i32, i32),
    height: f64,
    beside: [f64; 4],
}

const BESIDE: [(i32, i32); 4] = [(-1, 0), (1, 0), (0, -1), (0, 1)];

impl<'a> Overlap<'a> {
    /// Takes two images of one size.
    pub fn new(first: Image<'a>, second: Image<'a>) -> Self {
        Self { first, second }
    }

    /// Columns and rows of the first image that are covered, and where in the second they begin.
    fn region(&self, (x, y): (i32, i32)) -> Option<(Span, Span)> {
        Some((Span::new(self.first.width, x)?, Span::new(self.first.height().min(self.second.height()), y)?))
    }

    /// Columns and rows of the images.
    pub fn size(&self) -> (usize, usize) {
        (self.first.width, self.first.height().min(self.second.height()))
    }

    /// The overlap at a lag, divided into parts along each side: columns and rows of the first image, `margin` pixels inside. None if it is
    /// too small.
    pub fn regions(&self, lag: (i32, i32), parts: usize, margin: usize) -> Option<Vec<(Range<usize>, Range<usize>)>> {
        let (columns, rows) = self.region(lag)?;
        let cut = |span: &Span, k: usize| {
            let (start, length) = (span.first + margin, span.length.saturating_sub(2 * margin));
            start + k * length / parts..start + (k + 1) * length / parts
        };
        let all = (0..parts * parts).map(|k| (cut(&columns, k % parts), cut(&rows, k / parts)));
        let all: Vec<_> = all.filter(|(columns, rows)| columns.len().min(rows.len()) >= MIN_BLOCK).collect();
        (all.len() == parts * parts).then_some(all)
    }

    /// The sum of products over some columns and rows of the first image, which the second has to cover at the lag.
    pub fn product_of_region(&self, columns: &Range<usize>, rows: &Range<usize>, (x, y): (i32, i32)) -> f64 {
        let width = self.first.width;
        let first = rows.start * width + columns.start;
        let second = (rows.start as i64 + i64::from(y)) as usize * width + (columns.start as i64 + i64::from(x)) as usize;
        sum_of_products(&self.first.pixels[first..], &self.second.pixels[second..], width, (columns.len(), rows.len())) as f64
    }

    /// Sum of products over the overlap by the root of its size: what a map of correlations shows.
    pub fn product(&self, lag: (i32, i32)) -> f64 {
        self.product_of_rows(lag, 1)
    }

    /// Finds the lag of the highest product among some.
    pub fn highest(&self, lags: impl Iterator<Item = (i32, i32)>) -> Option<(i32, i32)> {
        let products = lags.map(|lag| (lag, self.product(lag)));
        products.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(lag, _)| lag)
    }

    /// The same as [`Self::product`], of one row in `step`.
    fn product_of_rows(&self, lag: (i32, i32), step: usize) -> f64 {
        let Some((columns, rows)) = self.region(lag) else { return f64::MIN };
        let (a, b) = self.from(&columns, &rows);
        let sum = sum_of_products(a, b, step * self.first.width, (columns.length, rows.length.div_ceil(step)));
        sum as f64 / ((columns.length * rows.length) as f64).sqrt()
    }

    /// The pixels of both images from the beginning of the overlap on.
    fn from(&self, columns: &Span, rows: &Span) -> (&'a [i8], &'a [i8]) {
        let width = self.first.width;
        (&self.first.pixels[rows.first * width + columns.first..], &self.second.pixels[rows.second * width + columns.second..])
    }

    /// The highest product near `start`, by at most `steps` uphill steps; of one row in `every`.
    pub fn climb(&self, start: (i32, i32), steps: usize, every: usize) -> Peak {
        let beside = |(x, y): (i32, i32), side: usize| (x + BESIDE[side].0, y + BESIDE[side].1);
        let mut peak = Peak { at: start, height: self.product_of_rows(start, every), beside: [f64::NAN; 4] };
        for step in 0..=steps {
            for side in 0..4 {
                if peak.beside[side].is_nan() {
                    peak.beside[side] = self.product_of_rows(beside(peak.at, side), every);
                }
            }
            let side = (0..4).max_by(|&a, &b| peak.beside[a].total_cmp(&peak.beside[b])).unwrap_or_default();
            if step == steps || peak.beside[side] <= peak.height {
                break;
            }
            let mut next = Peak { at: beside(peak.at, side), height: peak.beside[side], beside: [f64::NAN; 4] };
            next.beside[side ^ 1] = peak.height; // where it came from
            peak = next;
        }
        peak
    }

    /// The correlation over the overlap at a lag; 0 where one of the images is flat, or nothing overlaps.
    pub fn common(&self, lag: (i32, i32)) -> Common {
        let Some((columns, rows)) = self.region(lag) else { return Common::default() };
        let first = self.first.moments(columns.first..columns.first + columns.length, rows.first..rows.first + rows.length);
        let second = self.second.moments(columns.second..columns.second + columns.length, rows.second..rows.second + rows.length);
        let whole = self.first.moments(0..self.first.width, 0..self.first.height());
        let blocks = Blocks::new(columns.length, rows.length, MULTIPLIED_AT_ONCE);
        let products = self.products(&columns, &rows, &blocks);
        let shown = (first.squares.min(second.squares) / f64::from(UNITS * UNITS)).min(first.pixels);
        Common { shown, ..Common::of(first, second, whole, &products, blocks.across * blocks.down) }
    }

    /// Sums of products, block by block.
    fn products(&self, columns: &Span, rows: &Span, blocks: &Blocks) -> [[f64; BLOCKS]; BLOCKS] {
        let width = self.first.width;
        let (a, b) = self.from(columns, rows);
        // As many rows in each as `row * down / rows` says.
        let top = |line: usize| (line * rows.length).div_ceil(blocks.down);
        let product = |line: usize, block: usize| {
            let (x, y) = (blocks.edges[block], top(line));
            let at = y * width + x;
            sum_of_products(&a[at..], &b[at..], width, (blocks.edges[block + 1] - x, top(line + 1) - y)) as f64
        };
        let line = |line: usize| std::array::from_fn(|block| if block < blocks.across { product(line, block) } else { 0.0 });
        std::array::from_fn(|down| if down < blocks.down { line(down) } else { [0.0; BLOCKS] })
    }
}

impl Peak {
    /// The top of the parabola through the products at the lag and beside it, for each axis.
    pub fn sub_pixel(&self) -> (f64, f64) {
        let top = |before: f64, after: f64, at: i32| f64::from(at) + vertex(before, self.height, after);
        (top(self.beside[0], self.beside[1], self.at.0), top(self.beside[2], self.beside[3], self.at.1))
    }
}

/// One axis of an overlap.
pub(crate) struct Span {
    /// Where the overlap begins in the first image.
    pub(crate) first: usize,
    /// Where it begins in the second.
    pub(crate) second: usize,
    /// Pixels.
    pub(crate) length: usize,
}

impl Span {
    pub(crate) fn new(size: usize, lag: i32) -> Option<Self> {
        let distance = lag.unsigned_abs() as usize;
        if distance >= size {
            return None;
        }
        let (first, second) = if lag < 0 { (distance, 0) } else { (0, distance) };
        Some(Self { first, second, length: size - distance })
    }
}

/// Pixels that are multiplied at once.
const LANES: usize = 32;

fast! {
    avx512:
    /// The sum of products of two rectangles of the given columns and rows, which begin where the slices do; their rows begin `stride`
    /// pixels after each other.
    ///
    /// The rest of a row after whole lanes is multiplied with its last lanes, where those that were counted are set to 0: a loop over
    /// the rest, pixel by pixel, takes longer than all before it.
    pub(crate) fn sum_of_products(a: &[i8], b: &[i8], stride: usize, (columns, rows): (usize, usize)) -> i64 {
        let mut sums = [0_i32; LANES];
        let mut total = 0;
        let wide = columns / (2 * LANES) * 2 * LANES;
        let rest: [i8; LANES] = std::array::from_fn(|k| if k >= LANES - columns % LANES { -1 } else { 0 });
        for row in 0..rows {
            let (a, b) = (&a[row * stride..][..columns], &b[row * stride..][..columns]);
            let in_wide = a[..wide].iter().zip(&b[..wide]);
            let mut sum: i32 = in_wide.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            if let (Some(a), Some(b)) = (a[wide..].first_chunk::<LANES>(), b[wide..].first_chunk::<LANES>()) {
                for k in 0..LANES {
                    sums[k] += i32::from(i16::from(a[k]) * i16::from(b[k]));
                }
            }
            if columns.is_multiple_of(LANES) {
                // Nothing is left.
            } else if let (Some(a), Some(b)) = (a.last_chunk::<LANES>(), b.last_chunk::<LANES>()) {
                for k in 0..LANES {
                    sums[k] += i32::from(i16::from(a[k] & rest[k]) * i16::from(b[k]));
                }
            } else {
                sum += a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
            }
            total += i64::from(sum);
        }
        total + sums.into_iter().map(i64::from).sum::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::Table;
    use super::*;

    fn overlap<T>(first: &[i8], second: &[i8], width: usize, measure: impl Fn(&Overlap) -> T) -> T {
        let tables = [first, second].map(|pixels| Table::new(pixels, width));
        measure(&Overlap::new(Image { pixels: first, width, table: &tables[0] }, Image { pixels: second, width, table: &tables[1] }))
    }

    fn noise(n: usize) -> Vec<i8> {
        (0..n as u64).map(|i| ((i + 1).wrapping_mul(6_364_136_223_846_793_005) >> 57) as i8 - 64).collect()
    }

    #[test]
    fn an_image_and_itself_its_negative_and_a_flat_one() {
        let image = noise(60 * 40);
        let negative: Vec<i8> = image.iter().map(|&pixel| -pixel).collect();
        let of = |other: &[i8], shift| overlap(&image, other, 60, |overlap| overlap.common(shift));
        assert!((of(&image, (0, 0)).ncc - 1.0).abs() < 1e-12);
        assert!((of(&negative, (0, 0)).ncc + 1.0).abs() < 1e-12);
        assert!(of(&vec![5; 2400], (0, 0)).ncc.abs() < 1e-12);
        assert!(of(&vec![5; 2400], (3, 2)).whole_frame.abs() < 1e-12);
        assert!((of(&image, (0, 0)).whole_frame - 1.0).abs() < 1e-12);
        assert_eq!(of(&image, (60, 0)), Common::default());
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
        overlap(&first, &second, width, |there| {
            let peak = there.climb((-2, 4), 4, 1);
            assert_eq!(peak.at, (-3, 5));
            assert!((there.common((-3, 5)).ncc - 1.0).abs() < 1e-12);
            assert!((there.common((-3, 5)).pixels - 57.0 * 35.0).abs() < 1e-9);
            let (x, y) = peak.sub_pixel();
            assert!((x + 3.0).abs() < 0.2 && (y - 5.0).abs() < 0.2);
        });
        overlap(&second, &first, width, |back| assert_eq!(back.climb((2, -4), 4, 3).at, (3, -5)));
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
        let found = overlap(&first, &second, 96, |overlap| overlap.common((0, 0)));
        assert!(found.ncc > 0.5 && found.without_best < 0.2, "{found:?}");
    }

    #[test]
    fn products_of_rectangles_of_any_size_are_those_of_a_plain_loop() {
        for columns in (1..140).chain([255, 256, 257, 1000]) {
            let (stride, rows) = (columns + 3, 1 + columns % 4);
            let (a, b) = (noise(stride * rows), noise(2 * stride * rows).split_off(stride * rows));
            let inside = (0..rows).flat_map(|row| (0..columns).map(move |column| row * stride + column));
            let plain: i64 = inside.map(|i| i64::from(a[i]) * i64::from(b[i])).sum();
            assert_eq!(sum_of_products(&a, &b, stride, (columns, rows)), plain, "{columns}");
        }
        let most = |value| vec![value; 5000 * 40];
        assert_eq!(sum_of_products(&most(-127), &most(127), 40, (40, 5000)), -127 * 127 * 5000 * 40);
        assert_eq!(sum_of_products(&most(127), &most(127), 5000, (5000, 0)), 0);
    }
}

//! Correlation of images on a grid, for every shift at once.

use rustfft::num_complex::Complex32;

use super::extremes::{Extremes, highest, largest};
use super::fft::{BLOCK, Plan, Scratch};
use super::peak::vertex;
use super::simd::fast;
use super::spectra::{multiply, multiply_packed};

/// Lags at which less than this share of a frame overlaps are not searched.
pub const MIN_OVERLAP: f64 = 0.1;

/// Peaks of a map are searched for in blocks of this many columns.
const PEAK_BLOCK: usize = 16;

/// Correlates spectra of zero-padded images. The result is divided by the root of the overlap, so that noise is the same for all shifts.
#[derive(Debug)]
pub struct Correlator {
    /// Of the grid.
    pub plan: Plan,
    weights: Vec<f32>,
    searched: f32,
    /// Which blocks of rows have a lag that is searched, or zero.
    wanted: Vec<bool>,
}

/// Memory of one thread.
#[derive(Debug)]
pub struct Maps {
    half_way: Vec<Complex32>,
    scratch: Scratch,
}

/// The correlation of two images at every shift.
#[derive(Clone, Debug, Default)]
pub struct Map {
    values: Vec<f32>,
    maxima: Vec<f32>,
}

/// The highest values of two maps, in standard deviations of their map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Highest {
    /// Of each map the largest, or the largest absolute value.
    pub z: [f32; 2],
    /// At zero shift, which is excluded above, since the fixed pattern of the camera correlates there.
    pub at_zero: [f32; 2],
}

impl Correlator {
    /// For images of `image` columns and rows (of the grid's pixels, perhaps not whole) on a grid of `grid`; shifts beyond `max_shift` grid
    /// pixels along an axis are not searched, nor are those of up to `zero` (if that is not 0) along both. On a grid of less than twice the
    /// image's size two shifts share a place.
    pub fn new(image: (f64, f64), grid: (usize, usize), max_shift: Option<(f64, f64)>, zero: usize) -> Self {
        let along = |image: f64, grid: usize, max_shift: Option<f64>| {
            move |k: usize| {
                let allowed = |shift: f64| f64::from(u8::from(max_shift.is_none_or(|max| shift <= max)));
                let (there, back) = (k as f64, (grid - k) as f64);
                let overlap = (image - there).max(0.0) + (image - back).max(0.0);
                let searched = allowed(there) * (image - there).max(0.0) + allowed(back) * (image - back).max(0.0);
                (overlap / image, if searched > 0.0 { overlap / image } else { 0.0 })
            }
        };
        let (x, y) = (along(image.0, grid.0, max_shift.map(|max| max.0)), along(image.1, grid.1, max_shift.map(|max| max.1)));
        let weight = |(noise_x, overlap_x): (f64, f64), (noise_y, overlap_y): (f64, f64)| {
            if overlap_x * overlap_y >= MIN_OVERLAP { (1.0 / (noise_x * noise_y).sqrt()) as f32 } else { 0.0 }
        };
        let near = |k: usize, n: usize, zero: usize| zero > 0 && (k <= zero || n - k <= zero);
        let weights_without = |zero: usize| -> Vec<f32> {
            (0..grid.0 * grid.1)
                .map(|i| (i % grid.0, i / grid.0))
                .map(|(u, v)| if near(u, grid.0, zero) && near(v, grid.1, zero) { 0.0 } else { weight(x(u), y(v)) })
                .collect()
        };
        let mut weights = weights_without(zero);
        if weights.iter().all(|&weight| weight <= 0.0) {
            weights = weights_without(0); // no other shift is allowed
        }
        let searched = weights.iter().filter(|&&weight| weight > 0.0).count().max(1) as f32;
        let wanted =
            weights.chunks(BLOCK * grid.0).enumerate().map(|(y, rows)| y == 0 || rows.iter().any(|&weight| weight > 0.0)).collect();
        Self { plan: Plan::new(grid.0, grid.1), weights, searched, wanted }
    }

    /// Memory for one thread.
    pub fn maps(&self) -> Maps {
        Maps { half_way: vec![Complex32::default(); self.plan.len()], scratch: self.plan.scratch() }
    }

    /// The highest values of the correlation of one image with two packed into one spectrum, that of the second plus i times the third.
    /// `absolute`: of the absolute values.
    pub fn highest(&self, first: &[i16], packed: &[i16], absolute: bool, maps: &mut Maps) -> Highest {
        let mut found = Extremes::new();
        let mut zero = Complex32::default();
        let (height, width) = (self.plan.height, self.plan.width);
        self.plan.inverse_by_blocks(
            &mut maps.half_way,
            &mut maps.scratch,
            |x, block| multiply(block, x * height, first, packed),
            |y| self.wanted[y],
            |y, rows| {
                if y == 0 {
                    zero = rows[0];
                }
                let weights = &self.weights[y * width..][..rows.len()];
                if absolute { largest(rows, weights, &mut found) } else { highest(rows, weights, &mut found) }
            },
        );
        let found = [0, 1].map(|part| found.of_part(part));
        let sd = found.map(|(_, power)| (power / self.searched).sqrt().max(f32::MIN_POSITIVE));
        Highest { z: [found[0].0 / sd[0], found[1].0 / sd[1]], at_zero: [zero.re / sd[0], zero.im / sd[1]] }
    }

    /// The two maps themselves, weighted, and of each their maxima in blocks of [`PEAK_BLOCK`] columns and [`BLOCK`] rows; row after row,
    /// zero shift first. The value at lag s is the sum over x of first(x) · second(x + s); `f32::MIN` where it is not searched.
    pub fn maps_of(&self, first: &[i16], second: &[i16], third: &[i16], maps: &mut Maps, out: &mut [Map; 2]) {
        let height = self.plan.height;
        let product = |x: usize, block: &mut [Complex32]| multiply_packed(block, x * height, first, second, third);
        self.maps_of_product(product, maps, out);
    }

    /// The same of a product of spectra that `fill` writes, blocks of columns from a given one on.
    pub fn maps_of_product(&self, fill: impl FnMut(usize, &mut [Complex32]), maps: &mut Maps, out: &mut [Map; 2]) {
        let (height, width) = (self.plan.height, self.plan.width);
        let across = width.div_ceil(PEAK_BLOCK);
        for map in out.iter_mut() {
            map.values.resize(self.plan.len(), f32::MIN);
            map.maxima.resize(across * height.div_ceil(BLOCK), f32::MIN);
        }
        self.plan.inverse_by_blocks(
            &mut maps.half_way,
            &mut maps.scratch,
            fill,
            |y| self.wanted[y],
            |y, rows| {
                let at = y * width..y * width + rows.len();
                let [re, im] = out;
                weigh(rows, &self.weights[at.clone()], &mut re.values[at.clone()], &mut im.values[at.clone()]);
                for map in [re, im] {
                    block_maxima(&map.values[at.clone()], width, &mut map.maxima[y / BLOCK * across..][..across]);
                }
            },
        );
    }

    /// The places of the highest values of a map, one a block, highest first; of two in neighbouring pixels only the higher.
    pub fn peaks(&self, map: &Map, most: usize) -> Vec<usize> {
        let width = self.plan.width;
        let across = width.div_ceil(PEAK_BLOCK);
        let mut order: Vec<usize> = (0..map.maxima.len()).collect();
        let wanted = (4 * most).min(order.len());
        if wanted < order.len() {
            order.select_nth_unstable_by(wanted, |&a, &b| map.maxima[b].total_cmp(&map.maxima[a]).then(a.cmp(&b)));
        }
        order.truncate(wanted);
        order.sort_unstable_by(|&a, &b| map.maxima[b].total_cmp(&map.maxima[a]).then(a.cmp(&b)));
        let mut places: Vec<usize> = Vec::with_capacity(most);
        for block in order {
            let place = self.locate(map, block / across * BLOCK, block % across * PEAK_BLOCK, map.maxima[block]);
            let beside = |&other: &usize| (other % width).abs_diff(place % width) <= 2 && (other / width).abs_diff(place / width) <= 2;
            if !places.iter().any(beside) {
                places.push(place);
            }
            if places.len() == most {
                break;
            }
        }
        places
    }

    fn locate(&self, map: &Map, y: usize, x: usize, value: f32) -> usize {
        let width = self.plan.width;
        let end = (x + PEAK_BLOCK).min(width);
        let rows = y..(y + BLOCK).min(self.plan.height);
        rows.flat_map(|y| (x..end).map(move |x| y * width + x)).find(|&place| map.values[place] >= value).unwrap_or_default()
    }

    /// The lag of a peak between the grid's pixels: the top of the parabola through it and its neighbours, for each axis.
    pub fn sub_pixel(&self, map: &Map, place: usize) -> (f64, f64) {
        let (width, height) = (self.plan.width, self.plan.height);
        let (u, v) = (place % width, place / width);
        let value = |u: usize, v: usize| f64::from(map.values[v % height * width + u % width]);
        let middle = value(u, v);
        let (x, y) = self.lag(place);
        (x + vertex(value(u + width - 1, v), middle, value(u + 1, v)), y + vertex(value(u, v + height - 1), middle, value(u, v + 1)))
    }

    /// The signed lag, in grid pixels, of a place in a map.
    pub fn lag(&self, place: usize) -> (f64, f64) {
        let signed = |k: usize, n: usize| if 2 * k > n { k as f64 - n as f64 } else { k as f64 };
        (signed(place % self.plan.width, self.plan.width), signed(place / self.plan.width, self.plan.height))
    }
}

fast! {
    fn weigh(rows: &[Complex32], weights: &[f32], re: &mut [f32], im: &mut [f32]) {
        for (((value, weight), re), im) in rows.iter().zip(weights).zip(re).zip(im) {
            (*re, *im) = if *weight > 0.0 { (value.re * weight, value.im * weight) } else { (f32::MIN, f32::MIN) };
        }
    }
}

fast! {
    fn block_maxima(rows: &[f32], width: usize, out: &mut [f32]) {
        out.fill(f32::MIN);
        for row in rows.chunks_exact(width) {
            let (blocks, rest) = row.as_chunks::<PEAK_BLOCK>();
            for (block, most) in blocks.iter().zip(out.iter_mut()) {
                let mut four = [block[0], block[1], block[2], block[3]];
                for k in 4..PEAK_BLOCK {
                    four[k % 4] = if block[k] > four[k % 4] { block[k] } else { four[k % 4] };
                }
                let found = four[0].max(four[1]).max(four[2].max(four[3]));
                *most = if found > *most { found } else { *most };
            }
            if let (Some(most), false) = (out.last_mut(), rest.is_empty()) {
                *most = rest.iter().copied().fold(*most, f32::max);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers and conversions are exact")]
mod tests {
    use super::super::spectra::{keep, zeros};
    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next()).collect()
    }

    fn kept(spectrum: &[Complex32]) -> Vec<i16> {
        let mut out = zeros(1, spectrum.len());
        keep(spectrum, 1.0, &mut out);
        out
    }

    fn spectrum(plan: &Plan, image: &[f32], width: usize) -> Vec<Complex32> {
        let mut padded = vec![Complex32::default(); plan.len()];
        for (row, pixels) in image.chunks(width).enumerate() {
            for (x, &pixel) in pixels.iter().enumerate() {
                padded[row * plan.width + x].re = pixel;
            }
        }
        let mut spectrum = padded.clone();
        plan.forward(&mut padded, &mut spectrum, &mut plan.scratch());
        spectrum
    }

    #[test]
    fn maps_are_the_direct_sums_over_the_overlap() {
        let (width, height, grid) = (12_usize, 9_usize, (24, 18));
        let correlator = Correlator::new((12.0, 9.0), grid, None, 0);
        let [a, b, c] = [1, 2, 3].map(|seed| noise(width * height, seed));
        let first = kept(&spectrum(&correlator.plan, &a, width));
        let (second, third) = (spectrum(&correlator.plan, &b, width), spectrum(&correlator.plan, &c, width));
        let mut out = [Map::default(), Map::default()];
        let mut maps = correlator.maps();
        correlator.maps_of(&first, &kept(&second), &kept(&third), &mut maps, &mut out);
        let packed: Vec<_> = second.iter().zip(&third).map(|(b, c)| b + Complex32::i() * c).collect();
        let highest = correlator.highest(&first, &kept(&packed), false, &mut maps);
        for (found, other, z) in [(&out[0], &b, highest.z[0]), (&out[1], &c, highest.z[1])] {
            let map = &found.values;
            let direct = |sx: i64, sy: i64| -> f64 {
                let mut sum = 0.0;
                for y in 0..height as i64 {
                    for x in 0..width as i64 {
                        if (0..width as i64).contains(&(x + sx)) && (0..height as i64).contains(&(y + sy)) {
                            sum += f64::from(a[(y * width as i64 + x) as usize])
                                * f64::from(other[((y + sy) * width as i64 + x + sx) as usize]);
                        }
                    }
                }
                let overlap = (1.0 - sx.abs() as f64 / width as f64) * (1.0 - sy.abs() as f64 / height as f64);
                if overlap >= MIN_OVERLAP { sum / overlap.sqrt() } else { f64::from(f32::MIN) }
            };
            let expected: Vec<f64> = (0..map.len()).map(|place| correlator.lag(place)).map(|(x, y)| direct(x as i64, y as i64)).collect();
            let largest = (0..map.len()).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
            let scale = f64::from(map[largest]) / expected[largest];
            let searched = |value: f64| value > f64::from(f32::MIN);
            let same = |(&found, &expected): (&f32, &f64)| {
                if searched(expected) { (f64::from(found) / scale - expected).abs() < 5e-3 } else { !searched(found.into()) }
            };
            assert!(map.iter().zip(&expected).all(same));
            let values: Vec<f32> = map.iter().copied().filter(|&value| searched(value.into())).collect();
            let most = map.iter().copied().fold(f32::MIN, f32::max);
            let sd = (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt();
            assert!((z - most / sd).abs() < 1e-2);
            let peaks = correlator.peaks(found, 3);
            assert!(map[peaks[0]] >= most && map[peaks[1]] >= map[peaks[2]]);
        }
    }

    #[test]
    fn flat_images_give_zero_not_nan() {
        let correlator = Correlator::new((6.0, 6.0), (8, 8), None, 0);
        let zero = zeros(1, 64);
        for absolute in [false, true] {
            assert_eq!(correlator.highest(&zero, &zero, absolute, &mut correlator.maps()), Highest::default());
        }
    }

    #[test]
    fn rows_of_any_length_are_weighed_and_searched_as_by_a_plain_loop() {
        for width in (1..70).chain([255, 256, 257]) {
            let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 - 500.0;
            let rows: Vec<Complex32> = (0..width).map(|i| Complex32::new(value(i), value(i + 7))).collect();
            let weights: Vec<f32> = (0..width).map(|i| (i % 5) as f32).collect();
            let (mut re, mut im) = (vec![0.0; width], vec![0.0; width]);
            weigh(&rows, &weights, &mut re, &mut im);
            for i in 0..width {
                let seen = weights[i] > 0.0;
                let expected = if seen { (rows[i].re * weights[i], rows[i].im * weights[i]) } else { (f32::MIN, f32::MIN) };
                assert_eq!((re[i], im[i]), expected, "{i} of {width}");
            }
            let image: Vec<f32> = (0..3 * width).map(value).collect();
            let mut found = vec![0.0; width.div_ceil(PEAK_BLOCK)];
            block_maxima(&image, width, &mut found);
            for (block, found) in found.iter().enumerate() {
                let columns = block * PEAK_BLOCK..((block + 1) * PEAK_BLOCK).min(width);
                let plain = (0..3).flat_map(|y| columns.clone().map(move |x| y * width + x)).map(|at| image[at]).fold(f32::MIN, f32::max);
                assert_eq!(*found, plain, "block {block} of {width}");
            }
        }
    }
}

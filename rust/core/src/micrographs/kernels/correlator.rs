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
    /// The transforms of the grid.
    pub plan: Plan,
    axes: [Axis; 2],
    weights: Vec<f32>,
    searched: f32,
    /// Which blocks of rows have a lag that is searched, or zero.
    wanted: Vec<bool>,
}

/// Memory of one thread, and what was last computed in it: the correlations of an image with two others, as real and imaginary parts.
#[derive(Debug)]
pub struct Maps {
    values: Vec<Complex32>,
    scratch: Scratch,
    /// The largest weighted values of both in blocks of [`PEAK_BLOCK`] columns and [`BLOCK`] rows.
    maxima: [Vec<f32>; 2],
}

/// The highest values of two maps, in standard deviations of their map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Highest {
    /// The largest value of each map, or the largest absolute one.
    pub z: [f32; 2],
    /// At zero shift, which is excluded above, since the fixed pattern of the camera correlates there.
    pub at_zero: [f32; 2],
}

impl Correlator {
    /// For images of `image` columns and rows (of the grid's pixels, perhaps not whole) on a grid of `grid`; shifts beyond `max_shift` grid
    /// pixels along an axis are not searched, nor are those of up to `zero` (if that is not 0) along both. On a grid of less than twice the
    /// image's size two shifts along an axis share a place.
    pub fn new(image: (f64, f64), grid: (usize, usize), max_shift: Option<(f64, f64)>, zero: usize) -> Self {
        let x = Axis { image: image.0, grid: grid.0, max_shift: max_shift.map(|max| max.0) };
        let y = Axis { image: image.1, grid: grid.1, max_shift: max_shift.map(|max| max.1) };
        let weight = |u: usize, v: usize| {
            let most = x.searched(u) * y.searched(v);
            if most >= MIN_OVERLAP { (1.0 / (x.noise(u) * y.noise(v)).sqrt()) as f32 } else { 0.0 }
        };
        let near = |k: usize, n: usize, zero: usize| zero > 0 && (k <= zero || n - k <= zero);
        let weights_without = |zero: usize| -> Vec<f32> {
            (0..grid.0 * grid.1)
                .map(|i| (i % grid.0, i / grid.0))
                .map(|(u, v)| if near(u, grid.0, zero) && near(v, grid.1, zero) { 0.0 } else { weight(u, v) })
                .collect()
        };
        let mut weights = weights_without(zero);
        if weights.iter().all(|&weight| weight <= 0.0) {
            weights = weights_without(0); // no other shift is allowed
        }
        let searched = weights.iter().filter(|&&weight| weight > 0.0).count().max(1) as f32;
        let wanted =
            weights.chunks(BLOCK * grid.0).enumerate().map(|(y, rows)| y == 0 || rows.iter().any(|&weight| weight > 0.0)).collect();
        Self { plan: Plan::new(grid.0, grid.1), axes: [x, y], weights, searched, wanted }
    }

    /// Memory for one thread.
    pub fn maps(&self) -> Maps {
        let blocks = self.blocks_across() * self.plan.height.div_ceil(BLOCK);
        let maxima = [vec![f32::MIN; blocks], vec![f32::MIN; blocks]];
        Maps { values: vec![Complex32::default(); self.plan.len()], scratch: self.plan.scratch(), maxima }
    }

    fn blocks_across(&self) -> usize {
        self.plan.width.div_ceil(PEAK_BLOCK)
    }

    /// The highest values of the correlation of one image with two packed into one spectrum, that of the second plus i times the third.
    /// `absolute`: of the absolute values.
    pub fn highest(&self, first: &[i16], packed: &[i16], absolute: bool, maps: &mut Maps) -> Highest {
        let mut found = Extremes::new();
        let mut zero = Complex32::default();
        let (height, width) = (self.plan.height, self.plan.width);
        self.plan.inverse_by_blocks(
            &mut maps.values,
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

    /// The two maps themselves, row after row, zero shift first. The value at lag s is the sum over x of first(x) · second(x + s).
    pub fn fill(&self, maps: &mut Maps, first: &[i16], second: &[i16], third: &[i16]) {
        let height = self.plan.height;
        self.fill_with_product(maps, |x, block| multiply_packed(block, x * height, first, second, third));
    }

    /// The same of a product of spectra that `product` writes, blocks of columns from a given one on.
    pub fn fill_with_product(&self, maps: &mut Maps, product: impl FnMut(usize, &mut [Complex32])) {
        let (width, across) = (self.plan.width, self.blocks_across());
        let [of_re, of_im] = &mut maps.maxima;
        self.plan.inverse_by_blocks(
            &mut maps.values,
            &mut maps.scratch,
            product,
            |y| self.wanted[y],
            |y, rows| {
                let blocks = y / BLOCK * across..(y / BLOCK + 1) * across;
                let weights = &self.weights[y * width..][..rows.len()];
                block_maxima(rows, weights, width, &mut of_re[blocks.clone()], &mut of_im[blocks]);
            },
        );
    }

    /// The places of the highest values of a map, the real (0) or the imaginary (1), one a block, highest first; of two in neighbouring
    /// pixels only the higher.
    pub fn peaks(&self, maps: &Maps, part: usize, most: usize) -> Vec<usize> {
        let (width, across) = (self.plan.width, self.blocks_across());
        let maxima = &maps.maxima[part];
        let mut order: Vec<usize> = (0..maxima.len()).collect();
        let wanted = (4 * most).min(order.len());
        if wanted < order.len() {
            order.select_nth_unstable_by(wanted, |&a, &b| maxima[b].total_cmp(&maxima[a]).then(a.cmp(&b)));
        }
        order.truncate(wanted);
        order.sort_unstable_by(|&a, &b| maxima[b].total_cmp(&maxima[a]).then(a.cmp(&b)));
        let mut places: Vec<usize> = Vec::with_capacity(most);
        for block in order {
            let (x, y) = (block % across * PEAK_BLOCK, block / across * BLOCK);
            let inside = (y..(y + BLOCK).min(self.plan.height)).flat_map(|y| (x..(x + PEAK_BLOCK).min(width)).map(move |x| y * width + x));
            let place = inside.into_iter().find(|&place| self.value(maps, part, place) >= maxima[block]).unwrap_or_default();
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

    /// The weighted value at a place of a map; `f32::MIN` where it is not searched.
    fn value(&self, maps: &Maps, part: usize, place: usize) -> f32 {
        let (value, weight) = (maps.values[place], self.weights[place]);
        if weight > 0.0 { [value.re, value.im][part] * weight } else { f32::MIN }
    }

    /// The lags that a place of a map stands for, in grid pixels: one if the grid is twice the image's size.
    pub fn lags(&self, place: usize) -> Vec<(i32, i32)> {
        let [across, down] = &self.axes;
        let (u, v) = (place % self.plan.width, place / self.plan.width);
        let all = down.lags(v).flat_map(|(y, rows)| across.lags(u).map(move |(x, columns)| (x as i32, y as i32, columns * rows)));
        all.filter(|&(.., overlap)| overlap >= MIN_OVERLAP).map(|(x, y, _)| (x, y)).collect()
    }

    /// Measures how far from its place a peak lies, at most half a pixel: the top of the parabola through it and its neighbours along each axis.
    pub fn beside(&self, maps: &Maps, part: usize, place: usize) -> (f64, f64) {
        let (width, height) = (self.plan.width, self.plan.height);
        let (u, v) = (place % width, place / width);
        let value = |u: usize, v: usize| f64::from(self.value(maps, part, v % height * width + u % width));
        let middle = value(u, v);
        let along = |before, after| vertex(before, middle, after);
        (along(value(u + width - 1, v), value(u + 1, v)), along(value(u, v + height - 1), value(u, v + 1)))
    }
}

/// Lags along one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    image: f64,
    grid: usize,
    max_shift: Option<f64>,
}

impl Axis {
    /// The lags that share a place of a map, and the share of the image that overlaps at each.
    fn both(self, k: usize) -> [(f64, f64); 2] {
        [k as f64, k as f64 - self.grid as f64].map(|lag| (lag, (1.0 - lag.abs() / self.image).max(0.0)))
    }

    /// The lags of a place that are searched.
    fn lags(self, k: usize) -> impl Iterator<Item = (f64, f64)> {
        let searched = move |&(lag, overlap): &(f64, f64)| overlap > 0.0 && self.max_shift.is_none_or(|max| lag.abs() <= max);
        self.both(k).into_iter().filter(searched)
    }

    /// The largest overlap of a lag that is searched.
    fn searched(self, k: usize) -> f64 {
        self.lags(k).map(|(_, overlap)| overlap).fold(0.0, f64::max)
    }

    /// The overlap of both lags together, whose noise adds up.
    fn noise(self, k: usize) -> f64 {
        self.both(k).into_iter().map(|(_, overlap)| overlap).sum()
    }
}

fast! {
    fn block_maxima(rows: &[Complex32], weights: &[f32], width: usize, of_re: &mut [f32], of_im: &mut [f32]) {
        let weighted = |value: f32, weight: f32| if weight > 0.0 { value * weight } else { f32::MIN };
        for (block, (of_re, of_im)) in of_re.iter_mut().zip(of_im).enumerate() {
            let columns = block * PEAK_BLOCK..((block + 1) * PEAK_BLOCK).min(width);
            let mut most = [f32::MIN; 2 * PEAK_BLOCK];
            for (row, weights) in rows.chunks_exact(width).zip(weights.chunks_exact(width)) {
                let (values, weights) = (&row[columns.clone()], &weights[columns.clone()]);
                if let (Ok(values), Ok(weights)) = (<&[_; PEAK_BLOCK]>::try_from(values), <&[_; PEAK_BLOCK]>::try_from(weights)) {
                    for k in 0..2 * PEAK_BLOCK {
                        let value = weighted(if k % 2 == 0 { values[k / 2].re } else { values[k / 2].im }, weights[k / 2]);
                        most[k] = if value > most[k] { value } else { most[k] };
                    }
                } else {
                    for (value, &weight) in values.iter().zip(weights) {
                        most[0] = most[0].max(weighted(value.re, weight));
                        most[1] = most[1].max(weighted(value.im, weight));
                    }
                }
            }
            *of_re = most.iter().step_by(2).copied().fold(f32::MIN, f32::max);
            *of_im = most.iter().skip(1).step_by(2).copied().fold(f32::MIN, f32::max);
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
        let mut maps = correlator.maps();
        let packed: Vec<_> = second.iter().zip(&third).map(|(b, c)| b + Complex32::i() * c).collect();
        let highest = correlator.highest(&first, &kept(&packed), false, &mut maps);
        correlator.fill(&mut maps, &first, &kept(&second), &kept(&third));
        for (part, other) in [&b, &c].into_iter().enumerate() {
            let map: Vec<f32> = (0..grid.0 * grid.1).map(|place| correlator.value(&maps, part, place)).collect();
            let z = highest.z[part];
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
                sum / overlap.sqrt()
            };
            let lag = |place| correlator.lags(place).first().copied();
            let unsearched = f64::from(f32::MIN);
            let expected: Vec<f64> =
                (0..map.len()).map(|place| lag(place).map_or(unsearched, |(x, y)| direct(x.into(), y.into()))).collect();
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
            let peaks = correlator.peaks(&maps, part, 3);
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
            let rows: Vec<Complex32> = (0..3 * width).map(|i| Complex32::new(value(i), value(i + 7))).collect();
            let weights: Vec<f32> = (0..3 * width).map(|i| (i % 5) as f32).collect();
            let mut found = [vec![0.0; width.div_ceil(PEAK_BLOCK)], vec![0.0; width.div_ceil(PEAK_BLOCK)]];
            let [of_re, of_im] = &mut found;
            block_maxima(&rows, &weights, width, of_re, of_im);
            for (part, found) in found.iter().enumerate() {
                for (block, found) in found.iter().enumerate() {
                    let columns = block * PEAK_BLOCK..((block + 1) * PEAK_BLOCK).min(width);
                    let places = (0..3).flat_map(|y| columns.clone().map(move |x| y * width + x)).filter(|&at| weights[at] > 0.0);
                    let plain = places.map(|at| [rows[at].re, rows[at].im][part] * weights[at]).fold(f32::MIN, f32::max);
                    assert_eq!(*found, plain, "block {block} of {width}");
                }
            }
        }
    }
}

//! Maps of an image's local properties, one value a cell of some pixels.

use super::simd::fast;

/// Cells of this side are read fastest.
const USUAL_SIDE: usize = 8;
/// Gaussians of at least this many cells are made of boxes.
const WIDE: f32 = 3.0;

/// A value for each cell of an image, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Cells along x.
    pub across: usize,
    /// Cells along y.
    pub down: usize,
    /// Pixels of a cell's side; the last column and row of cells may have fewer.
    pub side: usize,
    /// The values.
    pub values: Vec<f32>,
}

impl Cells {
    /// Cells of an image of `width` x `height` pixels, all of one value.
    pub fn new((width, height): (usize, usize), side: usize, value: f32) -> Self {
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        Self { across, down, side, values: vec![value; across * down] }
    }

    /// Other values for the same cells.
    pub fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// The given percentile of the values.
    pub fn percentile(&self, percent: usize) -> f32 {
        let mut values = self.values.clone();
        let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
        if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(at, f32::total_cmp).1 }
    }

    /// The largest value within `reach` cells along both axes.
    pub fn dilated(&self, reach: usize) -> Self {
        let along = |values: &[f32], length: usize, step: usize| -> Vec<f32> {
            let mut out = values.to_vec();
            for (at, out) in out.iter_mut().enumerate() {
                let k = at / step % length;
                for other in k.saturating_sub(reach)..=(k + reach).min(length - 1) {
                    *out = out.max(values[at + other * step - k * step]);
                }
            }
            out
        };
        let rows = along(&self.values, self.across, 1);
        self.with(along(&rows, self.down, self.across))
    }

    /// Measures the largest difference of neighbours on opposite sides of each cell; those that are `wild` do not count.
    pub fn steps(&self, wild: &Self) -> Self {
        let mut out = self.with(vec![0.0; self.values.len()]);
        let known: Vec<f32> =
            self.values.iter().zip(&wild.values).map(|(&value, &wild)| if wild > 0.0 { f32::NAN } else { value }).collect();
        let rows = |y: usize| &known[y * self.across..][..self.across];
        for (y, out) in out.values.chunks_exact_mut(self.across).enumerate() {
            let (above, here, below) = (rows(y.saturating_sub(1)), rows(y), rows((y + 1).min(self.down - 1)));
            for (x, out) in out.iter_mut().enumerate() {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(self.across - 1));
                let pairs = [(here[left], here[right]), (above[x], below[x]), (above[left], below[right]), (above[right], below[left])];
                // The maximum of a number and NaN is the number.
                *out = pairs.into_iter().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            }
        }
        out
    }

    /// The cells above 0, in parts connected by their sides.
    pub fn connected(&self) -> Vec<Vec<usize>> {
        let mut left: Vec<bool> = self.values.iter().map(|&value| value > 0.0).collect();
        let mut parts = Vec::new();
        for start in 0..left.len() {
            if !std::mem::take(&mut left[start]) {
                continue;
            }
            let (mut part, mut next) = (vec![start], 0);
            while let Some(&at) = part.get(next) {
                next += 1;
                let beside = [
                    (at >= self.across).then(|| at - self.across),
                    (at + self.across < left.len()).then_some(at + self.across),
                    (!at.is_multiple_of(self.across)).then(|| at - 1),
                    (!(at + 1).is_multiple_of(self.across)).then_some(at + 1),
                ];
                part.extend(beside.into_iter().flatten().filter(|&other| std::mem::take(&mut left[other])));
            }
            parts.push(part);
        }
        parts
    }

    /// The means of several maps around each cell, by Gaussian weights of `sigma` cells times `weights`; `otherwise` where these are 0.
    pub fn smoothed<const N: usize>(maps: [&Self; N], weights: &Self, sigma: f32, otherwise: [f32; N]) -> [Self; N] {
        let totals = weights.blurred(sigma);
        let mut otherwise = otherwise.into_iter();
        maps.map(|map| {
            let weighted = map.values.iter().zip(&weights.values).map(|(value, weight)| value * weight).collect();
            let (sums, otherwise) = (map.with(weighted).blurred(sigma), otherwise.next().unwrap_or_default());
            let mean = |(sum, total): (&f32, &f32)| if *total > 1e-4 { sum / total } else { otherwise };
            map.with(sums.values.iter().zip(&totals.values).map(mean).collect())
        })
    }

    /// The means around each cell by Gaussian weights of `sigma` cells.
    pub fn smooth(&self, sigma: f32) -> Self {
        let [smooth] = Self::smoothed([self], &self.with(vec![1.0; self.values.len()]), sigma, [0.0]);
        smooth
    }

    /// Convolved with a Gaussian of `sigma` cells; beyond the edge there is nothing.
    fn blurred(&self, sigma: f32) -> Self {
        if sigma < WIDE {
            return self.rows_by_gaussian(sigma).turned().rows_by_gaussian(sigma).turned();
        }
        // Three boxes of width w have the variance (w² - 1) / 4.
        let reach = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
        self.rows_by_boxes(reach).turned().rows_by_boxes(reach).turned()
    }

    fn rows_by_gaussian(&self, sigma: f32) -> Self {
        let reach = (3.0 * sigma).ceil() as usize;
        let gauss = |distance: usize| (-0.5 * (distance as f32 / sigma.max(1e-3)).powi(2)).exp();
        let kernel: Vec<f32> = (0..=2 * reach).map(|k| gauss(k.abs_diff(reach))).collect();
        let sum: f32 = kernel.iter().sum();
        let mut out = Vec::with_capacity(self.values.len());
        for row in self.values.chunks_exact(self.across) {
            out.extend((0..self.across).map(|x| {
                let (start, end) = (x.saturating_sub(reach), (x + reach + 1).min(self.across));
                row[start..end].iter().zip(&kernel[start + reach - x..]).map(|(value, weight)| value * weight).sum::<f32>() / sum
            }));
        }
        self.with(out)
    }

    fn rows_by_boxes(&self, reach: usize) -> Self {
        let (mut out, mut sums) = (self.values.clone(), vec![0.0_f64; self.across + 1]);
        let share = 1.0 / (2 * reach + 1) as f64;
        for row in out.chunks_exact_mut(self.across) {
            for _ in 0..3 {
                for (x, value) in row.iter().enumerate() {
                    sums[x + 1] = sums[x] + f64::from(*value);
                }
                for (x, value) in row.iter_mut().enumerate() {
                    *value = ((sums[(x + reach + 1).min(sums.len() - 1)] - sums[x.saturating_sub(reach)]) * share) as f32;
                }
            }
        }
        self.with(out)
    }

    /// Rows as columns.
    fn turned(&self) -> Self {
        let (across, down) = (self.down, self.across);
        let values = (0..across * down).map(|at| self.values[at % across * self.across + at / across]).collect();
        Self { across, down, side: self.side, values }
    }

    /// The values at a row of pixels, interpolated between the middles of cells. `line` has room for a row of cells.
    pub fn row(&self, y: usize, line: &mut [f32], out: &mut [f32]) {
        let (above, below, part) = self.between(y, self.down);
        let (first, second) = (&self.values[above * self.across..][..self.across], &self.values[below * self.across..][..self.across]);
        line.iter_mut().zip(first.iter().zip(second)).for_each(|(line, (first, second))| *line = first + part * (second - first));
        // Pixels up to the middle of the first cell, then from middle to middle, and those after the last.
        let half = self.side / 2;
        let even = self.side.is_multiple_of(2);
        let middle = |cell: usize| cell * self.side + half + usize::from(!even);
        let start = middle(0).min(out.len());
        out[..start].fill(line[0]);
        let offset = if even { 0.5 } else { 1.0 };
        let end = middle(self.across - 1).min(out.len());
        let done = if self.side == USUAL_SIDE { ramps(&mut out[start..end], line) } else { 0 };
        let step = 1.0 / self.side as f32;
        for cell in done..self.across - 1 {
            let (from, to) = (middle(cell).min(out.len()), middle(cell + 1).min(out.len()));
            let (value, slope) = (line[cell], (line[cell + 1] - line[cell]) * step);
            for (k, out) in out[from..to].iter_mut().enumerate() {
                *out = value + slope * (k as f32 + offset);
            }
        }
        out[end..].fill(line[self.across - 1]);
    }

    /// The cells whose middles a pixel's row lies between, and how far from the first.
    fn between(&self, y: usize, count: usize) -> (usize, usize, f32) {
        let at = ((y as f32 + 0.5) / self.side as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let above = (at as usize).min(count - 1);
        (above, (above + 1).min(count - 1), at - above as f32)
    }
}

fast! {
    /// Interpolates between the values of cells of the usual side, from middle to middle; returns between how many.
    fn ramps(out: &mut [f32], line: &[f32]) -> usize {
        let (whole, _) = out.as_chunks_mut::<USUAL_SIDE>();
        for (out, ends) in whole.iter_mut().zip(line.windows(2)) {
            let slope = (ends[1] - ends[0]) / USUAL_SIDE as f32;
            for (k, out) in out.iter_mut().enumerate() {
                *out = ends[0] + slope * (k as f32 + 0.5);
            }
        }
        whole.len().min(line.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(size: (usize, usize), side: usize, value: impl Fn(usize, usize) -> f32) -> Cells {
        let empty = Cells::new(size, side, 0.0);
        let values = (0..empty.values.len()).map(|at| value(at % empty.across, at / empty.across)).collect();
        empty.with(values)
    }

    #[test]
    fn rows_of_pixels_lie_on_a_plane_that_the_middles_of_cells_lie_on() {
        for side in [5, 8] {
            let plane = cells((64, 40), side, |x, y| {
                let middle = |cell: usize| (cell * side) as f32 + (side as f32 - 1.0) / 2.0;
                2.0 * middle(x) - middle(y)
            });
            let (mut line, mut row) = (vec![0.0; plane.across], vec![0.0; 64]);
            for y in side..40 - side {
                plane.row(y, &mut line, &mut row);
                for (x, value) in row.iter().enumerate().take(64 - side).skip(side) {
                    assert!((value - (2.0 * x as f32 - y as f32)).abs() < 1e-3, "{side} {x} {y}: {value}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_weight_does_not_count() {
        for sigma in [1.0, 6.0] {
            let values = cells((400, 300), 8, |x, _| if x < 25 { 3.0 } else { 900.0 });
            let weights = cells((400, 300), 8, |x, _| f32::from(u8::from(x < 25)));
            let [smooth] = Cells::smoothed([&values], &weights, sigma, [7.0]);
            assert!((smooth.values[10] - 3.0).abs() < 1e-3 && (smooth.values[24] - 3.0).abs() < 1e-3);
            assert!((smooth.values[49] - if sigma < 2.0 { 7.0 } else { 3.0 }).abs() < 4.1);
        }
    }

    #[test]
    fn boxes_are_like_a_gaussian() {
        let peak = cells((8 * 81, 8 * 81), 8, |x, y| f32::from(u8::from((x, y) == (40, 40))));
        let sigma = 5.0_f32;
        let found = peak.blurred(sigma);
        let moment = |power: i32| (0..81 * 81).map(|at| found.values[at] * (at as f32 % 81.0 - 40.0).powi(power)).sum::<f32>();
        assert!((moment(0) - 1.0).abs() < 1e-3 && moment(1).abs() < 1e-2);
        assert!((moment(2).sqrt() / sigma - 1.0).abs() < 0.12, "{}", moment(2).sqrt());
    }

    #[test]
    fn parts_are_connected_by_their_sides() {
        // A column of zeros parts the cells; the one at the corner touches the others by its corner only.
        let map = cells((80, 64), 8, |x, y| f32::from(u8::from(x != 4 && (x, y) != (9, 1) && (x, y) != (8, 0))));
        let mut parts: Vec<usize> = map.connected().iter().map(Vec::len).collect();
        parts.sort_unstable();
        assert_eq!(parts, [1, 32, 37]);
        assert_eq!(map.connected().concat().len(), 70);
        assert!(map.with(vec![0.0; 80]).connected().is_empty());
    }

    #[test]
    fn steps_are_between_the_neighbours_of_a_cell() {
        let edge = cells((80, 64), 8, |x, y| {
            if (x, y) == (8, 4) {
                1e6
            } else if x < 5 {
                2.0
            } else {
                9.0
            }
        });
        let wild = edge.with(edge.values.iter().map(|&value| f32::from(u8::from(value > 100.0))).collect());
        for (at, step) in edge.steps(&wild).values.iter().enumerate() {
            assert!((step - if matches!(at % 10, 4 | 5) { 7.0 } else { 0.0 }).abs() < 1e-6, "{at}");
        }
    }

    #[test]
    fn dilation_and_percentiles() {
        let one = cells((80, 64), 8, |x, y| f32::from(u8::from((x, y) == (3, 2))));
        let wide = one.dilated(2);
        assert!((wide.values.iter().sum::<f32>() - 25.0).abs() < 1e-6);
        assert!(wide.values[0] < 0.5 && wide.values[10 + 1] > 0.5);
        let rising = cells((80, 80), 8, |x, y| (10 * y + x) as f32);
        assert!((rising.percentile(50) - 50.0).abs() < 1e-6 && (rising.percentile(90) - 90.0).abs() < 1e-6);
    }
}

//! Maps of an image's local properties, one value a cell of some pixels.

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
    /// Of an image of `width` x `height` pixels, all of one value.
    pub fn new((width, height): (usize, usize), side: usize, value: f32) -> Self {
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        Self { across, down, side, values: vec![value; across * down] }
    }

    /// Other values for the same cells.
    pub fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// The value that so many of 100 are below.
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

    /// The mean of the values around each cell, by Gaussian weights of `sigma` cells times `weights`; `otherwise` where these are 0.
    pub fn smoothed(&self, weights: &Self, sigma: f32, otherwise: f32) -> Self {
        let weighted: Vec<f32> = self.values.iter().zip(&weights.values).map(|(value, weight)| value * weight).collect();
        let (sums, totals) = (self.with(weighted).blurred(sigma), weights.blurred(sigma));
        let mean = |(sum, total): (&f32, &f32)| if *total > 1e-4 { sum / total } else { otherwise };
        self.with(sums.values.iter().zip(&totals.values).map(mean).collect())
    }

    /// Convolved with a Gaussian of `sigma` cells; beyond the edge there is nothing.
    fn blurred(&self, sigma: f32) -> Self {
        let reach = (3.0 * sigma).ceil() as usize;
        let gauss = |distance: usize| (-0.5 * (distance as f32 / sigma.max(1e-3)).powi(2)).exp();
        let kernel: Vec<f32> = (0..=2 * reach).map(|k| gauss(k.abs_diff(reach))).collect();
        let sum: f32 = kernel.iter().sum();
        let mut rows = vec![0.0; self.values.len()];
        for (out, row) in rows.chunks_exact_mut(self.across).zip(self.values.chunks_exact(self.across)) {
            for (x, out) in out.iter_mut().enumerate() {
                let (start, end) = (x.saturating_sub(reach), (x + reach + 1).min(self.across));
                let weights = &kernel[start + reach - x..];
                *out = row[start..end].iter().zip(weights).map(|(value, weight)| value * weight).sum::<f32>() / sum;
            }
        }
        let mut out = vec![0.0; self.values.len()];
        for (y, line) in out.chunks_exact_mut(self.across).enumerate() {
            for from in y.saturating_sub(reach)..(y + reach + 1).min(self.down) {
                let weight = kernel[from + reach - y] / sum;
                line.iter_mut().zip(&rows[from * self.across..][..self.across]).for_each(|(out, value)| *out += weight * value);
            }
        }
        self.with(out)
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
        let step = 1.0 / self.side as f32;
        for cell in 0..self.across - 1 {
            let (from, to) = (middle(cell).min(out.len()), middle(cell + 1).min(out.len()));
            let (value, slope) = (line[cell], (line[cell + 1] - line[cell]) * step);
            for (k, out) in out[from..to].iter_mut().enumerate() {
                *out = value + slope * (k as f32 + offset);
            }
        }
        let end = middle(self.across - 1).min(out.len());
        out[end..].fill(line[self.across - 1]);
    }

    /// The cells whose middles a pixel's row lies between, and how far from the first.
    fn between(&self, y: usize, count: usize) -> (usize, usize, f32) {
        let at = ((y as f32 + 0.5) / self.side as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let above = (at as usize).min(count - 1);
        (above, (above + 1).min(count - 1), at - above as f32)
    }
}

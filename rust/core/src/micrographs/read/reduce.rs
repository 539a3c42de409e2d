//! Averaging of square bins of pixels, as IMOD's `newstack -bin` does for images of any size.

use crate::micrographs::kernels::simd::fast;

/// The bins of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bins {
    /// Pixels of the axis.
    pub size: usize,
    /// Pixels a bin.
    pub width: usize,
    /// The number of bins.
    pub count: usize,
    /// The pixels of the first bin.
    pub first: usize,
}

impl Bins {
    /// The bins of an axis of `size` pixels. Those at its ends may have fewer pixels, so that the centre of the image does not move.
    ///
    /// Divides n pixels into bins of b. With n' = n div b and r = n mod b: if n and n' are both even or both odd, two bins are added when r > 1;
    /// else one is, and r grows by b. If then r > 1, the first bin begins b - r div 2 pixels before the image (IMOD 5, newstack).
    pub fn new(size: usize, width: usize) -> Self {
        let (mut count, mut rest) = (size / width, size % width);
        if count % 2 == size % 2 {
            count += 2 * usize::from(rest > 1);
        } else {
            count += 1;
            rest += width;
        }
        Self { size, width, count, first: if rest > 1 { rest / 2 } else { width } }
    }

    /// First pixel of a bin, and the pixel after its last.
    pub fn span(&self, bin: usize) -> (usize, usize) {
        let end = (self.first + bin * self.width).min(self.size);
        (if bin == 0 { 0 } else { end.min(self.first + (bin - 1) * self.width) }, end)
    }
}

/// Sums rows into bins as they come.
#[derive(Debug)]
pub struct Reduction {
    columns: Bins,
    rows: Bins,
    row: usize,
    bin: usize,
    sums: Vec<f32>,
    /// Means of the bins, row after row.
    pub means: Vec<f32>,
}

impl Reduction {
    /// For an image of `nx` columns and `ny` rows.
    pub fn new(nx: usize, ny: usize, width: usize) -> Self {
        let (columns, rows) = (Bins::new(nx, width), Bins::new(ny, width));
        Self { columns, rows, row: 0, bin: 0, sums: vec![0.0; nx], means: Vec::with_capacity(columns.count * rows.count) }
    }

    /// Bins of a row.
    pub fn columns(&self) -> usize {
        self.columns.count
    }

    /// Adds the next rows, `nx` pixels each; `add` adds one row to sums.
    pub fn add_rows_by<T>(&mut self, rows: &[T], add: impl Fn(&mut [f32], &[T])) {
        for row in rows.chunks_exact(self.columns.size) {
            if self.bin < self.rows.count {
                add(&mut self.sums, row);
                self.row += 1;
                self.end_bin();
            }
        }
    }

    /// Adds the next rows, `nx` pixels each.
    pub fn add_rows(&mut self, rows: &[f32]) {
        let nx = self.columns.size;
        let mut rest = rows;
        while !rest.is_empty() && self.bin < self.rows.count {
            let eight = self.row == self.rows.span(self.bin).0 && rest.len() >= 8 * nx && self.rows.span(self.bin).1 - self.row == 8;
            let (now, later) = rest.split_at(if eight { 8 * nx } else { nx });
            if eight {
                sum_eight(&mut self.sums, now);
                self.row += 8;
                self.end_bin();
            } else {
                self.add_rows_by(now, add_into);
            }
            rest = later;
        }
    }

    fn end_bin(&mut self) {
        let (start, end) = self.rows.span(self.bin);
        if self.row < end {
            return;
        }
        let height = (end - start) as f32;
        let (count, width, first) = (self.columns.count, self.columns.width, self.columns.first);
        let at = self.means.len();
        self.means.resize(at + count, 0.0);
        let out = &mut self.means[at..];
        let mean = |bin: usize| {
            let (start, end) = self.columns.span(bin);
            self.sums[start..end].iter().sum::<f32>() / ((end - start) as f32 * height)
        };
        (out[0], out[count - 1]) = (mean(0), mean(count - 1));
        if count > 2 {
            sum_columns(&mut out[1..count - 1], &self.sums[first..], width, 1.0 / (width as f32 * height));
        }
        self.sums.fill(0.0);
        self.bin += 1;
    }
}

fast! {
    fn add_into(sums: &mut [f32], row: &[f32]) {
        for (sum, pixel) in sums.iter_mut().zip(row) {
            *sum += pixel;
        }
    }
}

fast! {
    /// The sums of eight rows: each pixel is added in registers.
    fn sum_eight(sums: &mut [f32], rows: &[f32]) {
        let n = sums.len();
        let mut row = rows.chunks_exact(n);
        let rows: [&[f32]; 8] = std::array::from_fn(|_| row.next().unwrap_or_default());
        if rows.iter().any(|row| row.len() != n) {
            return;
        }
        for x in 0..n {
            let (a, b) = (rows[0][x] + rows[1][x], rows[2][x] + rows[3][x]);
            let (c, d) = (rows[4][x] + rows[5][x], rows[6][x] + rows[7][x]);
            sums[x] = (a + b) + (c + d);
        }
    }
}

fast! {
    fn sum_columns(out: &mut [f32], sums: &[f32], width: usize, scale: f32) {
        if width == 8 {
            for (out, bin) in out.iter_mut().zip(sums.chunks_exact(8)) {
                *out = (((bin[0] + bin[1]) + (bin[2] + bin[3])) + ((bin[4] + bin[5]) + (bin[6] + bin[7]))) * scale;
            }
        } else {
            for (out, bin) in out.iter_mut().zip(sums.chunks_exact(width)) {
                *out = bin.iter().sum::<f32>() * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bins, Reduction, add_into, sum_columns, sum_eight};

    #[test]
    fn ends_of_4092_by_8_have_six_rows() {
        let bins = Bins::new(4092, 8);
        assert_eq!((bins.count, bins.span(0), bins.span(511)), (512, (0, 6), (4086, 4092)));
        assert_eq!(Bins::new(5760, 8).count, 720);
    }

    #[test]
    fn bins_cover_the_axis_once_and_each_has_a_pixel() {
        for width in 1..20 {
            for size in width..200 {
                let bins = Bins::new(size, width);
                let mut at = 0;
                for bin in 0..bins.count {
                    let (start, end) = bins.span(bin);
                    assert!(start == at && end > start && end - start <= width, "{size} by {width}: bin {bin} is {start}..{end}");
                    at = end;
                }
                assert!(size - at <= 1, "{size} by {width} ends at {at}");
            }
        }
    }

    #[test]
    fn whole_rows_and_single_ones_give_the_same_means() {
        let (nx, ny, width) = (83, 41, 8);
        let image: Vec<f32> = (0..nx * ny).map(|i| ((i * 7919) % 1013) as f32).collect();
        let mut at_once = Reduction::new(nx, ny, width);
        at_once.add_rows(&image);
        let mut singly = Reduction::new(nx, ny, width);
        image.chunks(nx).for_each(|row| singly.add_rows(row));
        assert!(at_once.means.iter().zip(&singly.means).all(|(a, b)| (a - b).abs() < 1e-3));
        let bins = (Bins::new(nx, width), Bins::new(ny, width));
        assert_eq!(at_once.means.len(), bins.0.count * bins.1.count);
        let ((x0, x1), (y0, y1)) = (bins.0.span(2), bins.1.span(3));
        let sum: f32 = (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y))).map(|(x, y)| image[y * nx + x]).sum();
        assert!((at_once.means[3 * bins.0.count + 2] - sum / ((x1 - x0) * (y1 - y0)) as f32).abs() < 1e-3);
    }

    #[test]
    fn rows_of_any_length_are_summed_as_by_a_plain_loop() {
        for n in (1..70).chain([127, 128, 129]) {
            let rows: Vec<f32> = (0..8 * n).map(|i| ((i * 7919 + 13) % 1009) as f32).collect();
            let (mut eight, mut singly) = (vec![7.0; n], vec![0.0; n]);
            sum_eight(&mut eight, &rows);
            rows.chunks(n).for_each(|row| add_into(&mut singly, row));
            // Whole numbers below 2^24: any order gives the same sum.
            let plain: Vec<f32> = (0..n).map(|x| (0..8).map(|y| rows[y * n + x]).sum()).collect();
            assert_eq!((&eight, &singly), (&plain, &plain), "{n}");
            for width in 1..10 {
                let mut means = vec![0.0; n / width];
                sum_columns(&mut means, &plain, width, 0.25);
                let expected: Vec<f32> = plain.chunks_exact(width).map(|bin| bin.iter().sum::<f32>() * 0.25).collect();
                assert_eq!(means, expected, "{n} by {width}");
            }
        }
    }
}

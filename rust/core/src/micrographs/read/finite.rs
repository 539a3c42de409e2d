//! Frames with a few NaN or infinite pixels: bins are means of the finite ones.

use super::reduce::Reduction;

/// The largest share of a frame's pixels that may be masked.
pub const MAX_MASKED: f64 = 0.01;

/// An image whose pixels are the means of bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduced {
    /// Means of the bins, row after row.
    pub means: Vec<f32>,
    /// The number of bins in a row.
    pub columns: usize,
    /// Pixels of the frame that are NaN or infinite; of more than [`MAX_MASKED`] of them, bins without a finite pixel are NaN.
    pub masked: u32,
}

impl Reduced {
    /// Averages bins of `width` x `width` pixels of an image of `nx` columns.
    pub(super) fn of(pixels: &[f32], nx: usize, width: usize) -> Self {
        let ny = pixels.len() / nx.max(1);
        let mut reduction = Reduction::new(nx, ny, width);
        reduction.add_rows(pixels);
        if all_finite(&reduction.means) {
            return reduction.into();
        }
        let mut finite = Finite::new(nx, ny, width);
        finite.add_rows(pixels, |pixel| pixel);
        finite.reduced()
    }
}

impl From<Reduction> for Reduced {
    /// Means that are all finite.
    fn from(reduction: Reduction) -> Self {
        Self { columns: reduction.columns(), means: reduction.means, masked: 0 }
    }
}

/// Whether all values are finite. In blocks without an early end, so that the processor tests several at once.
pub fn all_finite(values: &[f32]) -> bool {
    values.chunks(1 << 10).all(|block| block.iter().fold(true, |finite, value| finite & value.is_finite()))
}

/// Sums the finite pixels of bins, and counts the others.
#[derive(Debug)]
pub struct Finite {
    columns: usize,
    pixels: usize,
    sums: Reduction,
    gaps: Reduction,
    masked: u32,
}

impl Finite {
    /// For an image of `nx` columns and `ny` rows.
    pub fn new(nx: usize, ny: usize, width: usize) -> Self {
        let (sums, gaps) = (Reduction::new(nx, ny, width), Reduction::new(nx, ny, width));
        Self { columns: nx, pixels: nx * ny, sums, gaps, masked: 0 }
    }

    /// Adds the next rows.
    pub fn add_rows<T: Copy>(&mut self, rows: &[T], to_f32: impl Fn(T) -> f32) {
        let (mut values, mut gaps) = (vec![0.0; self.columns], vec![0.0; self.columns]);
        for row in rows.chunks_exact(self.columns) {
            for ((value, gap), &pixel) in values.iter_mut().zip(&mut gaps).zip(row) {
                let pixel = to_f32(pixel);
                let finite = pixel.is_finite();
                (*value, *gap) = if finite { (pixel, 0.0) } else { (0.0, 1.0) };
                self.masked += u32::from(!finite);
            }
            self.sums.add_rows(&values);
            self.gaps.add_rows(&gaps);
        }
    }

    /// The means of the finite pixels; bins without one are filled from those around them, if few pixels are masked.
    pub fn reduced(self) -> Reduced {
        let Self { sums, gaps, masked, .. } = self;
        let columns = sums.columns();
        let mut means = sums.means;
        for (mean, gap) in means.iter_mut().zip(gaps.means) {
            *mean = if gap < 1.0 - f32::EPSILON { *mean / (1.0 - gap) } else { f32::NAN };
        }
        if f64::from(masked) <= MAX_MASKED * self.pixels as f64 {
            fill_gaps(&mut means, columns);
        }
        Reduced { means, columns, masked }
    }
}

/// Fills NaN with the mean of the neighbours that are not NaN, from the border of each gap to its middle.
fn fill_gaps(image: &mut [f32], width: usize) {
    let mut gaps: Vec<usize> = (0..image.len()).filter(|&at| image[at].is_nan()).collect();
    while !gaps.is_empty() {
        let found: Vec<(usize, f32)> = gaps.iter().filter_map(|&at| Some((at, mean_around(image, width, at)?))).collect();
        if found.is_empty() {
            return;
        }
        found.into_iter().for_each(|(at, mean)| image[at] = mean);
        gaps.retain(|&at| image[at].is_nan());
    }
}

/// The mean of those of the eight neighbours of a pixel that are not NaN.
fn mean_around(image: &[f32], width: usize, at: usize) -> Option<f32> {
    let (x, y, height) = (at % width, at / width, image.len() / width);
    let rows = y.saturating_sub(1)..(y + 2).min(height);
    let columns = x.saturating_sub(1)..(x + 2).min(width);
    let near = rows.flat_map(|y| columns.clone().map(move |x| image[y * width + x])).filter(|pixel| !pixel.is_nan());
    let (count, sum) = near.fold((0, 0.0), |(count, sum), pixel| (count + 1, sum + pixel));
    (count > 0).then(|| sum / count as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(nx: usize, ny: usize) -> Vec<f32> {
        (0..nx * ny).map(|at| 100.0 + (at % nx) as f32 + 2.0 * (at / nx) as f32).collect()
    }

    #[test]
    fn a_bin_is_the_mean_of_its_finite_pixels() {
        let (nx, ny, width) = (45, 37, 4);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut image = ramp(nx, ny);
            let whole = Reduced::of(&image, nx, width);
            image[10 * nx + 10] = value;
            let Reduced { means, masked, .. } = Reduced::of(&image, nx, width);
            assert_eq!((whole.masked, masked), (0, 1));
            let changed: Vec<usize> = (0..means.len()).filter(|&at| (means[at] - whole.means[at]).abs() > 1e-4).collect();
            assert!(changed.len() <= 1 && changed.iter().all(|&at| (means[at] - whole.means[at]).abs() < 0.5), "{value}");
        }
    }

    #[test]
    fn a_gap_is_filled_from_its_border() {
        let (nx, ny) = (200, 200);
        let mut image = ramp(nx, ny);
        (50..66).for_each(|y| image[y * nx + 40..][..16].fill(f32::NAN));
        let Reduced { means, masked, .. } = Reduced::of(&image, nx, 4);
        assert_eq!(masked, 256);
        let expected = Reduced::of(&ramp(nx, ny), nx, 4).means;
        assert!(means.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 25.0));
    }

    #[test]
    fn too_many_are_counted_and_not_filled() {
        let mut image = ramp(64, 64);
        image[..32 * 64].fill(f32::NAN);
        let Reduced { means, masked, .. } = Reduced::of(&image, 64, 8);
        assert_eq!((masked, means.iter().filter(|mean| mean.is_nan()).count()), (32 * 64, 32));
        assert!(Reduced::of(&[f32::NAN; 64 * 64], 64, 8).means.iter().all(|mean| mean.is_nan()));
    }

    #[test]
    fn every_block_is_tested() {
        for length in [0, 1, 1023, 1024, 3000] {
            let mut values = vec![1.0; length];
            assert!(all_finite(&values));
            if let Some(last) = values.last_mut() {
                *last = f32::NAN;
                assert!(!all_finite(&values), "{length}");
            }
        }
    }
}

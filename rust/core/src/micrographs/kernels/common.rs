//! Compares two images, by sums over their overlap.

/// An overlap is cut into at most this many columns and rows of blocks.
pub(crate) const BLOCKS: usize = 6;
/// Blocks are not made smaller than this many pixels.
pub(crate) const MIN_BLOCK: usize = 8;

/// Sums over the pixels of a rectangle of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Number of pixels.
    pub pixels: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

impl Moments {
    /// The sum of the squares of the distances from the mean.
    pub fn spread(self) -> f64 {
        (self.squares - self.sum.powi(2) / self.pixels).max(0.0)
    }

    pub(crate) fn add(&mut self, pixels: &[f32]) {
        self.pixels += pixels.len() as f64;
        for &pixel in pixels {
            self.sum += f64::from(pixel);
            self.squares += f64::from(pixel).powi(2);
        }
    }
}

/// The division of an overlap into blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    /// Where columns of blocks begin and end.
    pub(crate) edges: [usize; BLOCKS + 1],
    /// Columns of blocks.
    pub(crate) across: usize,
    /// Rows of blocks.
    pub(crate) down: usize,
}

impl Blocks {
    /// Blocks for an overlap of the given columns and rows; wide blocks begin at multiples of `step` columns.
    pub(crate) fn new(columns: usize, rows: usize, step: usize) -> Self {
        let count = |length: usize| (length / MIN_BLOCK).clamp(1, BLOCKS);
        let (across, down) = (count(columns), count(rows));
        let step = if columns / across >= 2 * step { step } else { 1 };
        let edge = |k: usize| if k >= across { columns } else { k * columns / across / step * step };
        Self { edges: std::array::from_fn(edge), across, down }
    }
}

/// The correlation of two images at one shift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Common {
    /// Normalised cross-correlation over the overlap.
    pub ncc: f64,
    /// The same without the block of the overlap that contributes most: a single bright feature in each image does not make a match.
    pub without_best: f64,
    /// Pearson's coefficient over the whole first frame; the part not covered by the shifted second image is filled with its mean.
    pub whole_frame: f64,
    /// Pixels of the overlap.
    pub pixels: f64,
    /// Pixels that show something, in the image where fewer do.
    pub shown: f64,
}

impl Common {
    /// From the moments of both images in the overlap, those of the whole first one, and the products' sums in `number` blocks (the other
    /// blocks are 0).
    pub(crate) fn of(first: Moments, second: Moments, whole_first: Moments, products: &[[f64; BLOCKS]; BLOCKS], number: usize) -> Self {
        let means = first.sum * second.sum / first.pixels;
        let number = number as f64;
        let product = products.iter().flatten().sum::<f64>() - means;
        let best = products.iter().flatten().copied().fold(f64::MIN, f64::max) - means / number;
        let without = if number > 1.0 { (product - best) * (number / (number - 1.0)).sqrt() } else { product };
        let squares = first.spread() * second.spread();
        Self {
            ncc: ratio(product, squares),
            without_best: ratio(without, squares),
            whole_frame: ratio(product, whole_first.spread() * second.spread()),
            pixels: first.pixels,
            shown: first.pixels,
        }
    }

    /// The significance: atanh of the correlation without its best block, times the root of the number of independent values;
    /// `independent`: such values per pixel. Fisher's transform has the variance 1 / n for n independent values (Fisher 1915, Biometrika
    /// 10, 507).
    pub fn z(self, independent: f64) -> f64 {
        self.without_best.clamp(-0.999_999, 0.999_999).atanh() * (self.shown * independent).sqrt()
    }
}

fn ratio(product: f64, squares: f64) -> f64 {
    let value = product / squares.sqrt();
    if squares > 0.0 && value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
}

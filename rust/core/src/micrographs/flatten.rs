//! Taking the slow change of brightness out of an image.

use super::simd::fast;

/// Polynomials of up to this degree in x times such in y.
const DEGREE: i32 = 3;

/// Values further from 0 than this many standard deviations are cut off: hot pixels, and what is left of foils.
pub const MOST_SD: f32 = 10.0;

/// An image without its slow change of brightness.
#[derive(Clone, Debug, PartialEq)]
pub enum Flattened {
    /// Pixels around 0, and their standard deviation; relative to the local brightness where the image has one.
    Image(Vec<f32>, f32),
    /// Every pixel has one value.
    Blank,
    /// There are NaN or infinite pixels.
    NotFinite,
}

/// Subtracts the polynomial surface of least squares, and divides by it where it is positive everywhere: so an uneven beam or ice of uneven
/// thickness changes neither mean nor contrast.
pub fn flatten(mut image: Vec<f32>, width: usize) -> Flattened {
    let height = image.len() / width.max(1);
    if image.iter().any(|pixel| !pixel.is_finite()) {
        return Flattened::NotFinite;
    }
    let first = image.first().copied().unwrap_or_default();
    #[expect(clippy::float_cmp, reason = "a frame without beam has one value")]
    if image.iter().all(|&pixel| pixel == first) {
        return Flattened::Blank;
    }
    let surface = Surface::fit(&image, width, height);
    let mut row = vec![0.0; width];
    let (mut least, mut sum) = (f32::INFINITY, 0.0_f64);
    for y in 0..height {
        surface.row(y, &mut row);
        least = row.iter().copied().fold(least, f32::min);
        sum += row.iter().map(|&value| f64::from(value)).sum::<f64>();
    }
    let relative = f64::from(least) > 0.3 * sum / image.len() as f64 && least > 0.0;
    for (y, pixels) in image.chunks_exact_mut(width).enumerate() {
        surface.row(y, &mut row);
        for (pixel, &level) in pixels.iter_mut().zip(&row) {
            *pixel = if relative { *pixel / level - 1.0 } else { *pixel - level };
        }
    }
    let sd = standard_deviation(&image);
    let level = if relative { 1.0 } else { first.abs() };
    if sd <= 1e-6 * level || !sd.is_finite() {
        return Flattened::Blank;
    }
    let limit = MOST_SD * sd;
    image.iter_mut().for_each(|pixel| *pixel = pixel.clamp(-limit, limit));
    Flattened::Image(image, sd)
}

fn standard_deviation(image: &[f32]) -> f32 {
    let n = image.len() as f64;
    let mean = image.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / n;
    (image.iter().map(|&pixel| (f64::from(pixel) - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
}

struct Surface {
    columns: Vec<Vec<f32>>,
    rows: Vec<Vec<f32>>,
    coefficients: Vec<f64>,
}

impl Surface {
    fn fit(image: &[f32], width: usize, height: usize) -> Self {
        let (columns, rows) = (orthonormal(width), orthonormal(height));
        let mut coefficients = vec![0.0; columns.len() * rows.len()];
        for (y, pixels) in image.chunks_exact(width).enumerate() {
            for (k, column) in columns.iter().enumerate() {
                let along = f64::from(dot(pixels, column));
                for (l, row) in rows.iter().enumerate() {
                    coefficients[l * columns.len() + k] += along * f64::from(row[y]);
                }
            }
        }
        Self { columns, rows, coefficients }
    }

    fn row(&self, y: usize, out: &mut [f32]) {
        out.fill(0.0);
        for (k, column) in self.columns.iter().enumerate() {
            let along: f64 =
                self.rows.iter().enumerate().map(|(l, row)| self.coefficients[l * self.columns.len() + k] * f64::from(row[y])).sum();
            out.iter_mut().zip(column).for_each(|(out, value)| *out += along as f32 * value);
        }
    }
}

fast! {
    /// The sum of the products.
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [0.0_f32; 16];
        let (pairs, rest) = (a.chunks_exact(16).zip(b.chunks_exact(16)), a.len() / 16 * 16);
        for (a, b) in pairs {
            for k in 0..16 {
                sums[k] += a[k] * b[k];
            }
        }
        sums.iter().sum::<f32>() + a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum::<f32>()
    }
}

/// Polynomials of degree 0 to [`DEGREE`] on `n` points, each of length 1 and at right angles to the others.
fn orthonormal(n: usize) -> Vec<Vec<f32>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for degree in (0..=DEGREE).take(n) {
        let at = |i: usize| (2.0 * (i as f64 + 0.5) / n as f64 - 1.0).powi(degree);
        let mut new: Vec<f64> = (0..n).map(at).collect();
        for old in &basis {
            let along: f64 = new.iter().zip(old).map(|(a, b)| a * b).sum();
            new.iter_mut().zip(old).for_each(|(a, b)| *a -= along * b);
        }
        let length = new.iter().map(|a| a * a).sum::<f64>().sqrt();
        new.iter_mut().for_each(|a| *a /= length);
        basis.push(new);
    }
    basis.into_iter().map(|polynomial| polynomial.into_iter().map(|value| value as f32).collect()).collect()
}

/// Rises from 0 to 1 over the outer `share` of an axis of `n` points by half a cosine, and falls again.
pub fn taper(n: usize, share: f32) -> Vec<f32> {
    let edge = (n as f32 * share).round().max(1.0);
    let rise = |distance: usize| {
        let along = ((distance as f32 + 0.5) / edge).min(1.0);
        0.5 - 0.5 * (std::f32::consts::PI * along).cos()
    };
    (0..n).map(|i| rise(i.min(n - 1 - i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_surface_goes_and_what_lies_on_it_stays() {
        let (width, height) = (60, 40);
        let surface = |x: usize, y: usize| {
            let (x, y) = (x as f32 / 60.0, y as f32 / 40.0);
            1000.0 * (1.0 + 0.3 * x - 0.2 * y * y + 0.1 * x * x * x)
        };
        let mark = |x: usize, y: usize| if x % 2 == y % 2 { 1.01 } else { 0.99 };
        let image = (0..width * height).map(|i| surface(i % width, i / width) * mark(i % width, i / width)).collect();
        let Flattened::Image(flat, sd) = flatten(image, width) else { panic!("an image") };
        assert!((sd - 0.01).abs() < 1e-3);
        assert!(flat.iter().enumerate().all(|(i, &pixel)| (pixel - (mark(i % width, i / width) - 1.0)).abs() < 2e-3));
    }

    #[test]
    fn blank_and_not_finite() {
        assert_eq!(flatten(vec![7.0; 100], 10), Flattened::Blank);
        assert_eq!(flatten(vec![0.0; 100], 10), Flattened::Blank);
        let mut image = vec![1.0; 100];
        image[3] = f32::NAN;
        assert_eq!(flatten(image, 10), Flattened::NotFinite);
    }

    #[test]
    fn the_unit_of_the_pixels_does_not_matter() {
        for unit in [1e-3_f32, 1.0, 30_000.0, 1e6] {
            let image = (0..4000).map(|i| unit * (1.0 + 0.01 * ((i * 7919 % 1013) as f32 / 1013.0 - 0.5))).collect();
            let Flattened::Image(_, sd) = flatten(image, 80) else { panic!("an image at {unit}") };
            assert!((sd - 0.0029).abs() < 2e-4, "{sd} at {unit}");
        }
    }

    #[test]
    fn an_image_around_zero_is_not_divided() {
        let image: Vec<f32> = (0..400).map(|i| if i % 3 == 0 { 1.0 } else { -0.5 }).collect();
        let Flattened::Image(flat, sd) = flatten(image, 20) else { panic!("an image") };
        assert!(sd > 0.5 && flat.iter().all(|pixel| pixel.abs() < 2.0));
    }
}

//! Removes from an image what is not specimen: the slow change of brightness, areas outside the beam or under an opaque foil, and pixel
//! values that electrons cannot cause.

use super::mask::Shown;
use super::surface::surface;
use crate::micrographs::kernels::cells::Cells;
use crate::micrographs::kernels::simd::fast;

/// Pixels of a cell's side.
const CELL: usize = 8;
/// Local means are those of Gaussian windows of this share of the frame's side.
const WINDOW: f32 = 0.1;
/// Pixels further from the local mean than this many standard deviations of the local noise are cut.
const CLIP: f32 = 5.0;
/// No pixel is further from 0 than this many standard deviations of the image.
pub const MAX_SD: f32 = 10.0;
/// An image without its slow change of brightness.
#[derive(Clone, Debug, PartialEq)]
pub enum Flattened {
    /// Pixels around 0, 0 exactly where they are masked, the others of standard deviation 1. In units of the local variance of the noise:
    /// as electrons are counted, that is a constant for each image times the contrast relative to the local brightness, also where the
    /// image was moved to another mean.
    Image(Vec<f32>),
    /// All pixels have the same value.
    Blank,
    /// There are NaN or infinite pixels.
    NotFinite,
}

/// Subtracts the local mean, masks what is dark or wild, cuts outliers, and divides by the local variance of the noise.
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
    let maps = Maps::new(&image, (width, height));
    let sd = maps.apply(&mut image, width);
    if maps.blank || sd <= 0.0 || !sd.is_finite() {
        return Flattened::Blank;
    }
    // Of standard deviation 1, so that no unit comes near the limits of a float.
    let factor = 1.0 / sd;
    image.iter_mut().for_each(|pixel| *pixel = (*pixel * factor).clamp(-MAX_SD, MAX_SD));
    Flattened::Image(image)
}

/// The local mean and the weight of each cell, and what its pixels are divided by.
struct Maps {
    mean: Cells,
    weight: Cells,
    /// The local standard deviation of the noise.
    noise: Cells,
    /// Whether what varies is no more than rounding.
    blank: bool,
}

impl Maps {
    fn new(image: &[f32], size: (usize, usize)) -> Self {
        let (means, variances) = statistics(image, size);
        let Shown { weight, parts, usual } = Shown::of(&means, &variances);
        let sigma = WINDOW * ((size.0 * size.1) as f32).sqrt() / CELL as f32;
        let surface = surface(&means, &parts[0]);
        let rest = means.with(means.values.iter().zip(&surface).map(|(mean, surface)| mean - surface).collect());
        let limited = variances.with(variances.values.iter().map(|value| value.clamp(0.1 * usual, 2.0 * usual)).collect());
        let [mut local, mut noise] = Cells::smoothed([&rest, &limited], &parts[0], sigma, [0.0, usual]);
        for part in &parts[1..] {
            let of_part = Cells::smoothed([&rest, &limited], part, sigma, [0.0, usual]);
            // Up to the cells around it: pixels take what lies between the values of two cells.
            for (at, _) in part.dilated(1).values.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                (local.values[at], noise.values[at]) = (of_part[0].values[at], of_part[1].values[at]);
            }
        }
        let mean = local.with(local.values.iter().zip(&surface).map(|(local, surface)| local + surface).collect());
        let noise = noise.with(noise.values.iter().map(|variance| variance.max(0.0).sqrt()).collect());
        let level = means.values.iter().fold(0.0_f32, |most, mean| most.max(mean.abs()));
        Self { mean, weight, noise, blank: usual.sqrt() <= 1e-6 * level }
    }

    /// Changes the image, and returns the standard deviation of the pixels that are not masked.
    fn apply(&self, image: &mut [f32], width: usize) -> f32 {
        let (mut mean, mut weight, mut noise) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        let mut line = vec![0.0; self.mean.across];
        let (mut squares, mut left) = (0.0_f64, 0.0_f64);
        for (y, pixels) in image.chunks_exact_mut(width).enumerate() {
            self.mean.row(y, &mut line, &mut mean);
            self.weight.row(y, &mut line, &mut weight);
            self.noise.row(y, &mut line, &mut noise);
            let [sum, count] = level_row(pixels, &mean, &weight, &noise);
            (squares, left) = (squares + f64::from(sum), left + f64::from(count));
        }
        (squares / left.max(1.0)).sqrt() as f32
    }
}

fast! {
    /// Changes a row; returns the sum of the squares and the number of the pixels that are not masked.
    fn level_row(pixels: &mut [f32], mean: &[f32], weight: &[f32], noise: &[f32]) -> [f32; 2] {
        for (((pixel, &mean), &weight), &noise) in pixels.iter_mut().zip(mean).zip(weight).zip(noise) {
            let limit = CLIP * noise;
            *pixel = weight * (*pixel - mean).max(-limit).min(limit) / (noise * noise).max(f32::MIN_POSITIVE);
        }
        let (mut sums, mut counts) = ([0.0_f32; 16], [0.0_f32; 16]);
        let (whole, rest) = pixels.as_chunks::<16>();
        for pixels in whole {
            for k in 0..16 {
                sums[k] += pixels[k] * pixels[k];
                counts[k] += if pixels[k] == 0.0 { 0.0 } else { 1.0 };
            }
        }
        let rest = rest.iter().fold([0.0, 0.0], |[sum, count], pixel| [sum + pixel * pixel, count + if *pixel == 0.0 { 0.0 } else { 1.0 }]);
        [sums.iter().sum::<f32>() + rest[0], counts.iter().sum::<f32>() + rest[1]]
    }
}

/// The mean and the variance of each cell's pixels.
fn statistics(image: &[f32], size: (usize, usize)) -> (Cells, Cells) {
    let (mut means, mut variances) = (Cells::new(size, CELL, 0.0), Cells::new(size, CELL, 0.0));
    let across = means.across;
    let mut origins = vec![0.0; across];
    for (row, rows) in image.chunks(CELL * size.0).enumerate() {
        let line = row * across..(row + 1) * across;
        let (means, squares) = (&mut means.values[line.clone()], &mut variances.values[line]);
        // Sums are of distances from a pixel of the cell: squares of large means would drown the variance.
        origins.iter_mut().zip(rows.chunks(CELL)).for_each(|(origin, cell)| *origin = cell[0]);
        for pixels in rows.chunks_exact(size.0) {
            add_row(pixels, &origins, means, squares);
        }
        for (cell, ((mean, variance), origin)) in means.iter_mut().zip(squares).zip(&origins).enumerate() {
            let count = (CELL.min(size.0 - cell * CELL) * (rows.len() / size.0)) as f32;
            *mean /= count;
            *variance = (*variance / count - *mean * *mean).max(0.0);
            *mean += origin;
        }
    }
    (means, variances)
}

fast! {
    fn add_row(pixels: &[f32], origins: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        let (whole, rest) = pixels.as_chunks::<CELL>();
        for (((cell, origin), sum), square) in whole.iter().zip(origins).zip(sums.iter_mut()).zip(squares.iter_mut()) {
            for pixel in cell {
                let value = pixel - origin;
                *sum += value;
                *square += value * value;
            }
        }
        for pixel in rest {
            let value = pixel - origins[origins.len() - 1];
            sums[origins.len() - 1] += value;
            squares[origins.len() - 1] += value * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_surface_goes_and_what_lies_on_it_stays_relative_to_it() {
        let (width, height) = (160, 120);
        let surface = |x: usize, y: usize| {
            let (x, y) = (x as f32 / 160.0, y as f32 / 120.0);
            1000.0 * (1.0 + 0.3 * x - 0.2 * y * y + 0.1 * x * x * x)
        };
        // As electrons are counted, the noise is the root of the level.
        let image = (0..width * height).map(|at| surface(at % width, at / width)).enumerate();
        let mark = |at: usize| if (at % width) % 2 == (at / width) % 2 { 1.0 } else { -1.0 };
        let Flattened::Image(flat) = flatten(image.map(|(at, level)| level + mark(at) * level.sqrt()).collect(), width) else {
            panic!("an image")
        };
        let relative = |at: usize| flat[at] * surface(at % width, at / width).sqrt() / mark(at);
        let usual = relative(60 * width + 80);
        // Far from the corners: there local means are of few cells.
        let inner = (16..height - 16).flat_map(|y| (16..width - 16).map(move |x| y * width + x));
        let worst = inner.map(|at| (relative(at) / usual - 1.0).abs()).fold(0.0, f32::max);
        assert!(worst < 0.2, "{worst}");
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
        let flat = |unit: f32| {
            let image = (0..4000).map(|i| unit * (1.0 + 0.01 * ((i * 7919 % 1013) as f32 / 1013.0 - 0.5))).collect();
            let Flattened::Image(flat) = flatten(image, 80) else { panic!("an image at {unit}") };
            assert!((sd(&flat) - 1.0).abs() < 0.01);
            flat
        };
        let expected = flat(1.0);
        for unit in [1e-3_f32, 30_000.0, 1e6] {
            assert!(flat(unit).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 0.02), "{unit}");
        }
    }

    #[test]
    fn an_image_around_zero_is_not_divided() {
        let image: Vec<f32> = (0..400).map(|i| if i % 3 == 0 { 1.0 } else { -0.5 }).collect();
        let Flattened::Image(flat) = flatten(image, 20) else { panic!("an image") };
        assert!(sd(&flat) > 0.5 && flat.iter().all(|pixel| pixel.abs() < 2.0));
    }

    /// The standard deviation of the pixels that are not masked.
    fn sd(flat: &[f32]) -> f32 {
        let seen: Vec<f32> = flat.iter().copied().filter(|&pixel| pixel != 0.0).collect();
        let mean = seen.iter().sum::<f32>() / seen.len() as f32;
        (seen.iter().map(|pixel| (pixel - mean).powi(2)).sum::<f32>() / seen.len() as f32).sqrt()
    }

    fn noise(seed: u64, n: usize) -> Vec<f32> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next() + next() + next()).collect()
    }

    #[test]
    fn what_the_beam_does_not_reach_is_masked_and_its_edge_leaves_no_trace() {
        let (width, height) = (320, 256);
        let image: Vec<f32> = noise(3, width * height)
            .into_iter()
            .enumerate()
            .map(|(at, noise)| {
                let level: f32 = if (at % width) as f32 + 0.3 * (at / width) as f32 > 90.0 { 1000.0 } else { 20.0 };
                level + level.sqrt() * noise
            })
            .collect();
        let Flattened::Image(flat) = flatten(image, width) else { panic!("an image") };
        let rows = |from: usize, to: usize| (0..height).flat_map(move |y| (from..to).map(move |x| (x, y)));
        let edge = |y: usize| (90.0 - 0.3 * y as f32).max(0.0) as usize;
        assert!(rows(0, width).filter(|&(x, y)| x < edge(y)).all(|(x, y)| flat[y * width + x] == 0.0));
        assert!(rows(0, width).filter(|&(x, y)| x > edge(y) + 50).all(|(x, y)| flat[y * width + x] != 0.0 || x == 0));
        assert!(flat.iter().all(|pixel| pixel.abs() < 6.0));
    }

    #[test]
    fn within_a_flake_that_lets_some_through_the_specimen_stays_and_its_edge_goes() {
        let (width, height) = (320, 256);
        let radius = |at: usize| ((at % width) as f32 - 150.0).hypot((at / width) as f32 - 120.0);
        let image = |through: f32| -> Vec<f32> {
            let level = |at: usize| if radius(at) < 50.0 { 1000.0 * through } else { 1000.0 };
            noise(3, width * height).into_iter().enumerate().map(|(at, noise)| level(at) + level(at).sqrt() * noise).collect()
        };
        let flat = |through: f32| match flatten(image(through), width) {
            Flattened::Image(flat) => flat,
            _ => panic!("an image"),
        };
        let plain = flat(1.0);
        for through in [0.6, 0.3, 0.25] {
            let flat = flat(through);
            let of = |from: f32, to: f32| (0..flat.len()).filter(move |&at| (from..to).contains(&radius(at)));
            assert!(of(46.0, 54.0).all(|at| flat[at].abs() < 2.0), "{through}");
            // Of electrons, the contrast stands out of the noise by less: both are divided by the variance.
            let unlike = |at: usize| (flat[at] - plain[at] / through.sqrt()).abs();
            let worst = of(0.0, 30.0).map(unlike).fold(0.0, f32::max);
            assert!(worst < 0.3 / through, "{through}: {worst}");
            assert!(of(80.0, 110.0).all(|at| (flat[at] - plain[at]).abs() < 0.3), "{through}");
        }
    }

    #[test]
    fn an_image_that_is_wild_all_over_is_used_as_it_is() {
        let (width, height) = (160, 128);
        let mut image: Vec<f32> = noise(5, width * height).into_iter().map(|noise| 100.0 + 10.0 * noise).collect();
        for (x, y) in (0..20).flat_map(|x| (0..16).map(move |y| (x, y))).filter(|(x, y)| (x + y) % 2 == 0) {
            image[(8 * y + 4) * width + 8 * x + 4] = 1e4;
        }
        let Flattened::Image(flat) = flatten(image, width) else { panic!("an image") };
        assert!(sd(&flat) > 0.1, "{}", sd(&flat));
        assert!(flat.iter().filter(|pixel| **pixel != 0.0).count() > flat.len() / 2);
    }

    #[test]
    fn hot_pixels_and_one_frame_in_another_unit_do_not_dominate() {
        let (width, height) = (160, 128);
        let plain: Vec<f32> = noise(5, width * height).into_iter().map(|noise| 100.0 + 10.0 * noise).collect();
        let mut hot = plain.clone();
        hot[50 * width + 70] = 1e6;
        let scaled: Vec<f32> = plain.iter().map(|pixel| 0.002 * (pixel - 100.0)).collect();
        let flat = |image: Vec<f32>| match flatten(image, width) {
            Flattened::Image(flat) => flat,
            _ => panic!("an image"),
        };
        let plain = flat(plain);
        let far = |other: &[f32]| plain.iter().zip(other).filter(|(a, b)| (*a - *b).abs() > 0.05).count();
        assert!((sd(&plain) - 1.0).abs() < 0.01);
        let around = far(&flat(hot));
        assert!(around < 2000, "{around}");
        assert_eq!(far(&flat(scaled)), 0);
    }
}

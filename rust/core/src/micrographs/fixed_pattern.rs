//! What micrographs taken with one gain reference have in common: its fixed pattern.
//!
//! A reference changes now and then, and a folder may hold several sessions. So a micrograph is not taken to show the pattern of those next to
//! it: it is fitted by the means of those around it, by least squares, and what fits is taken out.

use std::path::Path;

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::cache::Record;
use super::reader::Reader;
use super::simd::fast;
use super::spectrum::RINGS;
use super::views::{Power, Views};
use crate::{Monitor, Result};

/// So many micrographs, in the order given, make a block; every other one is of its second half.
const BLOCK: usize = 48;
/// A micrograph is fitted by the halves of so many blocks, its own in the middle.
const AROUND: usize = 3;
const HALVES: usize = 2 * AROUND;
/// Of fewer micrographs no pattern is taken out: their mean would hold what they show.
pub const LEAST_FOR_PATTERN: usize = 24;
/// One micrograph of so many tells what power they have.
const SAMPLED: usize = 4;
/// The fit looks at one row of so many: more than enough pixels for five unknowns.
const ROWS_APART: usize = 4;
/// A mean that is of the others but for such a share of its power is not fitted.
const LEAST_PIVOT: f64 = 1e-6;

/// The means of micrographs of one size.
#[derive(Debug, Default)]
pub(super) struct FixedPatterns {
    micrographs: usize,
    width: usize,
    halves: Vec<Half>,
    /// For each run of [`AROUND`] blocks the probe of each half (row) times the mean of each (column).
    products: Vec<[[f64; HALVES]; HALVES]>,
}

/// The mean of half a block.
#[derive(Debug)]
struct Half {
    /// Each ring of its spectrum weighted by how far its power is above that of a mean of unrelated micrographs.
    mean: Rounded,
    /// The mean divided by the power of one micrograph, ring by ring; some rows.
    probe: Rounded,
}

/// Values rounded to so many `unit`s each: in a mean of micrographs that makes no difference.
#[derive(Debug)]
struct Rounded {
    units: Vec<i8>,
    unit: f32,
}

impl FixedPatterns {
    /// Reads micrographs of one size.
    pub(super) fn measure(cache: &Path, records: &[Record], views: &Views, monitor: &Monitor) -> Result<Self> {
        let micrographs = records.len();
        let blocks = if micrographs < LEAST_FOR_PATTERN { 0 } else { (micrographs / BLOCK).max(AROUND) };
        let halves = (0..blocks).into_par_iter().map(|block| {
            let mut reader = Reader::open(cache, &views.plan)?;
            let mut half = |half: usize| {
                let members = (0..micrographs).filter(|&i| half_of(i, micrographs, blocks) == half).map(|i| records[i]);
                Mean::of(&members.collect::<Vec<_>>(), views, &mut reader, monitor)
            };
            let means = [half(2 * block)?, half(2 * block + 1)?];
            Ok(halves_of(&means, views, &mut reader))
        });
        let halves: Vec<Half> = halves.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        let width = views.plan.width;
        let products = (0..(blocks + 1).saturating_sub(AROUND)).into_par_iter().map(|first| {
            let run = &halves[2 * first..][..HALVES];
            let means: Vec<Vec<f32>> = run.iter().map(|half| half.mean.values()).collect();
            std::array::from_fn(|row| std::array::from_fn(|column| run[row].times(&means[column], width)))
        });
        Ok(Self { micrographs, width, products: products.collect(), halves })
    }

    /// Takes out of a micrograph what fits the means around it.
    pub(super) fn take_out(&self, micrograph: usize, pixels: &mut [f32]) {
        if self.halves.is_empty() {
            return;
        }
        let own = half_of(micrograph, self.micrographs, self.halves.len() / 2);
        let first = (own / 2).saturating_sub(AROUND / 2).min(self.products.len() - 1);
        let (run, products, own) = (&self.halves[2 * first..][..HALVES], &self.products[first], own - 2 * first);
        // The others tell: the mean of its own half would fit because the micrograph is in it.
        let others = (0..HALVES).filter(|&half| half != own);
        let equation = |row: usize| {
            let factors = others.clone().map(|column| products[row][column]);
            factors.chain([run[row].times(pixels, self.width), products[row][own]]).collect()
        };
        let amounts = solve(others.clone().map(equation).collect());
        // As it is in what is taken out of its neighbours, it has to be in what is taken out of it: else they would have in common the noise of
        // that. So its own half has the part that makes the noise least, and of the others goes what they would tell of that.
        let squares = |amount: fn(&[f64; 2]) -> f64| amounts.iter().map(|both| amount(both).powi(2)).sum::<f64>();
        let (without, with) = (squares(|[image, _]| *image), 1.0 + squares(|[image, half]| image - half));
        let of_own = without / (without + with);
        for (half, [image, of_half]) in others.zip(&amounts) {
            run[half].subtract(image - of_own * of_half, pixels);
        }
        run[own].subtract(of_own, pixels);
    }
}

impl Half {
    /// The sum of the products of its probe with an image's pixels.
    fn times(&self, image: &[f32], width: usize) -> f64 {
        let rows = image.chunks_exact(width).step_by(ROWS_APART);
        let sum: f64 = rows.zip(self.probe.units.chunks_exact(width)).map(|(image, probe)| f64::from(product(image, probe))).sum();
        sum * f64::from(self.probe.unit)
    }

    fn subtract(&self, amount: f64, pixels: &mut [f32]) {
        subtract(pixels, &self.mean.units, amount as f32 * self.mean.unit);
    }
}

impl Rounded {
    fn new(values: impl Iterator<Item = f32> + Clone) -> Self {
        let unit = values.clone().fold(0.0_f32, |most, value| most.max(value.abs())) / f32::from(i8::MAX);
        Self { units: values.map(|value| if unit > 0.0 { (value / unit).round() as i8 } else { 0 }).collect(), unit }
    }

    fn values(&self) -> Vec<f32> {
        self.units.iter().map(|&units| f32::from(units) * self.unit).collect()
    }
}

/// The mean of some micrographs, and the power in rings of its spectrum that it would have were they unrelated.
struct Mean {
    pixels: Vec<f32>,
    unrelated: Power,
}

impl Mean {
    fn of(members: &[Record], views: &Views, reader: &mut Reader, monitor: &Monitor) -> Result<Self> {
        // Each in its own standard deviations: one unit for all, and none dominates.
        let weight = 1.0 / members.len().max(1) as f32;
        let mut pixels = vec![0.0; views.plan.len()];
        for record in members {
            monitor.advance(0)?;
            reader.read(record)?;
            add(&mut pixels, &reader.pixels, weight / record.sd);
        }
        let mut unrelated = [0.0; RINGS];
        let sampled: Vec<&Record> = members.iter().step_by(SAMPLED).collect();
        let number = members.len() as f64 / sampled.len() as f64;
        for two in sampled.chunks(2) {
            monitor.advance(0)?;
            for (part, record) in two.iter().enumerate() {
                reader.read(record)?;
                reader.fade(&views.tapers, 1.0 / record.sd, part);
            }
            for (_, power) in two.iter().zip(views.power(&mut reader.workspace)) {
                let share = number * f64::from(weight).powi(2);
                unrelated.iter_mut().zip(power).for_each(|(sum, power)| *sum += power * share);
            }
        }
        Ok(Self { pixels, unrelated })
    }
}

/// Means to be fitted to micrographs, of those of the two halves of a block.
fn halves_of(means: &[Mean; 2], views: &Views, reader: &mut Reader) -> [Half; 2] {
    let plan = &views.plan;
    for (part, mean) in means.iter().enumerate() {
        reader.pixels.clone_from(&mean.pixels);
        reader.fade(&views.tapers, 1.0, part);
    }
    let power = views.power(&mut reader.workspace);
    let power: Power = std::array::from_fn(|ring| power[0][ring] + power[1][ring]);
    let unrelated: Power = std::array::from_fn(|ring| means[0].unrelated[ring] + means[1].unrelated[ring]);
    let common: Power = std::array::from_fn(|ring| {
        let common = (power[ring] - unrelated[ring]).max(0.0);
        // As many halves as are fitted leave less noise than one.
        if common > 0.0 { common / (common + unrelated[ring] / (HALVES - 1) as f64) } else { 0.0 }
    });
    let probed: Power = std::array::from_fn(|ring| if unrelated[ring] > 0.0 { common[ring] / unrelated[ring] } else { 0.0 });
    let scale = 1.0 / plan.len() as f32;
    let mut filtered = |filter: &Power| {
        let workspace = &mut reader.workspace;
        let both = means[0].pixels.iter().zip(&means[1].pixels);
        workspace.image.iter_mut().zip(both).for_each(|(value, (&first, &second))| *value = Complex32::new(first, second));
        workspace.forward(plan);
        workspace.spectrum.iter_mut().enumerate().for_each(|(at, value)| *value *= filter[views.rings.of(at)] as f32 * scale);
        workspace.inverse(plan);
        let parts: [fn(&Complex32) -> f32; 2] = [|value| value.re, |value| value.im];
        parts.map(|part| workspace.image.iter().map(part).collect::<Vec<f32>>())
    };
    let ([first, second], [first_probe, second_probe]) = (filtered(&common), filtered(&probed));
    [(first, first_probe), (second, second_probe)].map(|(mean, probe)| Half {
        mean: Rounded::new(mean.iter().copied()),
        probe: Rounded::new(probe.chunks_exact(plan.width).step_by(ROWS_APART).flatten().copied()),
    })
}

/// Solves linear equations, each a row of factors and two right sides; an unknown that the others make superfluous is 0.
fn solve(mut equations: Vec<Vec<f64>>) -> Vec<[f64; 2]> {
    let n = equations.len();
    let least: Vec<f64> = (0..n).map(|k| LEAST_PIVOT * equations[k][k].max(0.0)).collect();
    for k in 0..n {
        let pivot = equations[k].clone();
        if pivot[k] > least[k] {
            for (_, row) in equations.iter_mut().enumerate().filter(|&(other, _)| other != k) {
                let factor = row[k] / pivot[k];
                row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    let told = |k: usize| if equations[k][k] > least[k] { 1.0 / equations[k][k] } else { 0.0 };
    (0..n).map(|k| [equations[k][n] * told(k), equations[k][n + 1] * told(k)]).collect()
}

fast! {
    fn add(sum: &mut [f32], pixels: &[f32], factor: f32) {
        sum.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum += pixel * factor);
    }
}

fast! {
    fn product(pixels: &[f32], probe: &[i8]) -> f32 {
        let mut sums = [0.0_f32; 16];
        let rest = pixels.len() / 16 * 16;
        for (pixels, probe) in pixels.chunks_exact(16).zip(probe.chunks_exact(16)) {
            for k in 0..16 {
                sums[k] += pixels[k] * f32::from(probe[k]);
            }
        }
        sums.iter().sum::<f32>() + pixels[rest..].iter().zip(&probe[rest..]).map(|(pixel, &probe)| pixel * f32::from(probe)).sum::<f32>()
    }
}

fast! {
    /// Pixels that are exactly 0 are masked, and show no pattern.
    fn subtract(pixels: &mut [f32], mean: &[i8], factor: f32) {
        for (pixel, &value) in pixels.iter_mut().zip(mean) {
            let of_pattern = f32::from(value) * factor;
            // Chosen, not branched to: eight pixels at once.
            *pixel -= if *pixel == 0.0 { 0.0 } else { of_pattern };
        }
    }
}

/// The half block of a micrograph: 2 x block, and 1 more for every other one.
fn half_of(i: usize, n: usize, blocks: usize) -> usize {
    2 * (i * blocks / n) + i % 2
}

#[cfg(test)]
mod tests {
    use super::super::cache::{Kind, Writer};
    use super::super::session::tests::noise;
    use super::super::spectrum::Band;
    use super::*;

    const SIZE: (usize, usize) = (96, 64);
    const PIXELS: usize = SIZE.0 * SIZE.1;

    /// Micrographs of noise of variance 1 and of the pattern of a reference each, if any: read, and what is left of them.
    fn taken_out(references: &[Option<usize>], strength: f32) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let writer = Writer::open(&path, None).unwrap();
        let n = references.len();
        let values: Vec<f32> = noise((n + 10) * 4).iter().map(|&value| f32::from(value) / 18.5).collect();
        let record = |(i, reference): (usize, &Option<usize>)| {
            let mut pixels = values[i * PIXELS..][..PIXELS].to_vec();
            if let Some(reference) = reference {
                add(&mut pixels, &values[(n + reference) * PIXELS..][..PIXELS], strength);
            }
            writer.append(&[i as u8; 16], SIZE, &pixels, 1.0 + strength * strength, 0.0, Kind::Image).unwrap()
        };
        let records: Vec<Record> = references.iter().enumerate().map(record).collect();
        let views = Views::new(SIZE, Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 });
        let patterns = FixedPatterns::measure(&path, &records, &views, &Monitor::default()).unwrap();
        let mut reader = Reader::open(&path, &views.plan).unwrap();
        let both = (0..n).map(|i| {
            reader.read(&records[i]).unwrap();
            let read = reader.pixels.clone();
            patterns.take_out(i, &mut reader.pixels);
            (read, reader.pixels.clone())
        });
        both.unzip()
    }

    /// The mean covariance of all pairs that are of one reference, of one half (first) and of two.
    fn in_common(references: &[Option<usize>], images: &[Vec<f32>]) -> [f64; 2] {
        let n = images.len();
        let half = |i| half_of(i, n, (n / BLOCK).max(AROUND));
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| references[i] == references[j]) {
            let which = usize::from(half(i) != half(j));
            sums[which] += images[i].iter().zip(&images[j]).map(|(a, b)| f64::from(a * b)).sum::<f64>() / PIXELS as f64;
            counts[which] += 1.0;
        }
        [0, 1].map(|which| sums[which] / counts[which])
    }

    #[test]
    fn nothing_is_left_of_the_patterns_of_changing_references() {
        let reference_of = |case: &str, i: usize| match case {
            "one" => 0,
            "change" => i / 70,
            "back" => usize::from((50..100).contains(&i)),
            _ => i % 2,
        };
        for case in ["one", "change", "back", "alternating"] {
            let references: Vec<Option<usize>> = (0..150).map(|i| Some(reference_of(case, i))).collect();
            for strength in [0.3, 0.6] {
                let (read, left) = taken_out(&references, strength);
                let power = f64::from(strength * strength);
                assert!(in_common(&references, &read).iter().all(|common| (common / power - 1.0).abs() < 0.1), "{case} {strength}");
                // As each is in the mean that is taken out of the others, a hundredth or so is negative: in no case positive.
                assert!(in_common(&references, &left).iter().all(|common| (-0.03..0.001).contains(common)), "{case} {strength}");
            }
        }
    }

    #[test]
    fn micrographs_without_a_pattern_stay_as_they_are() {
        let mut references = [Some(0); 150];
        (0..150).step_by(40).for_each(|i| references[i] = None);
        let (read, left) = taken_out(&references, 0.6);
        let share = |i: usize| read[i].iter().zip(&left[i]).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / PIXELS as f32;
        for (i, reference) in references.iter().enumerate() {
            assert!(if reference.is_none() { share(i) < 0.02 } else { (0.2..0.5).contains(&share(i)) }, "{i} {}", share(i));
        }
    }

    #[test]
    fn few_micrographs_have_no_pattern() {
        let (read, left) = taken_out(&[Some(0); LEAST_FOR_PATTERN - 1], 0.6);
        assert_eq!(read, left);
    }

    #[test]
    fn equations_are_solved_and_superfluous_unknowns_are_0() {
        let rows = |c: [f64; 3]| vec![vec![2.0, 1.0, 0.5, c[0], 1.0], vec![1.0, 2.0, 0.5, c[1], 0.0], vec![0.5, 0.5, 1.0, c[2], 0.0]];
        let (x, y, z) = (1.0, -2.0, 3.0);
        let found = solve(rows([2.0 * x + y + 0.5 * z, x + 2.0 * y + 0.5 * z, 0.5 * x + 0.5 * y + z]));
        assert!(found.iter().zip([x, y, z]).all(|([found, _], expected)| (found - expected).abs() < 1e-12), "{found:?}");
        assert_eq!(solve(vec![vec![1.0, 1.0, 2.0, 4.0], vec![1.0, 1.0, 2.0, 4.0]]), [[2.0, 4.0], [0.0, 0.0]]);
        assert_eq!(solve(vec![vec![0.0, 0.0, 1.0, 1.0], vec![0.0, 2.0, 2.0, 4.0]]), [[0.0, 0.0], [1.0, 2.0]]);
    }

    #[test]
    fn blocks_of_micrographs_are_nearly_equal() {
        for n in [30, 192, 1000] {
            let blocks = (n / BLOCK).max(AROUND);
            let mut counts = vec![0; 2 * blocks];
            (0..n).for_each(|i| counts[half_of(i, n, blocks)] += 1);
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }
}

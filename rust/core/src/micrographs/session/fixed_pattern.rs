//! The fixed pattern that micrographs taken with one gain reference have in common.
//!
//! A reference changes now and then, and a folder may hold several sessions. So a micrograph is not taken to show the pattern of those next
//! to it: the means of those around it are fitted to it by least squares, and the fit is subtracted.

use std::ops::Range;

use rayon::prelude::*;

use super::pattern_means::{AROUND, HALVES, Half, Mean, halves_of};
use super::reader::Reader;
use super::resemblance::{Resemblance, resemblance};
use super::views::Views;
use crate::micrographs::checked_file::{Pack, Unpack};
use crate::micrographs::kernels::equations::solve;
use crate::micrographs::kernels::rings::Band;
use crate::micrographs::stored::{Source, Stored, open_all};
use crate::{Monitor, Result};

/// So many micrographs, in the order given, make a block; every other one is of its second half.
const BLOCK: usize = 48;
/// With fewer micrographs no pattern is subtracted: their mean would contain their specimen.
pub const MIN_FOR_FIXED_PATTERN: usize = 24;
/// A mean that is of the others but for such a share of its power is not fitted.
const MIN_PIVOT: f64 = 1e-6;

/// The means of micrographs of one size: of all of a session, or of some that follow each other.
#[derive(Debug, Default)]
pub struct FixedPatterns {
    /// The number of the first of them in the session.
    first: usize,
    micrographs: usize,
    width: usize,
    /// The number of the area that each shows with some others, or 0: these do not show what the pattern is, and it is not taken out of them.
    areas: Vec<u32>,
    /// Whether all of a run seem to show one place.
    pub(super) show_one_area: bool,
    halves: Vec<Half>,
    /// For each run of [`AROUND`] blocks the probe of each half (row) times the mean of each (column).
    products: Vec<[[f64; HALVES]; HALVES]>,
}

impl FixedPatterns {
    /// Measures the pattern of prepared micrographs of one size. `first`: the number of the first of them in the session; `band`: that of
    /// the views in which they will be compared.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Interrupted`].
    pub fn of(records: &[Stored], first: usize, band: Band, monitor: &Monitor) -> Result<Self> {
        let size = records.first().map_or((2, 2), |stored| (stored.record.width, stored.record.height));
        let measured = Self::measure(&open_all(records)?, &Views::new(size, band), monitor)?;
        Ok(Self { first, ..measured })
    }

    /// Reads micrographs of one size.
    pub(crate) fn measure(records: &[Source], views: &Views, monitor: &Monitor) -> Result<Self> {
        let micrographs = records.len();
        let blocks = if micrographs < MIN_FOR_FIXED_PATTERN { 0 } else { (micrographs / BLOCK).max(AROUND) };
        let Resemblance { areas, show_one_area } = resemblance(records, views, &runs(micrographs, blocks), monitor)?;
        let halves = (0..blocks).into_par_iter().map(|block| {
            let mut reader = Reader::new(&views.plan);
            let mut half = |half: usize| {
                let members = (0..micrographs).filter(|&i| half_of(i, micrographs, blocks) == half && areas[i] == 0).map(|i| &records[i]);
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
        Ok(Self { first: 0, micrographs, width, areas, show_one_area, products: products.collect(), halves })
    }

    pub(super) fn pack(&self, pack: &mut Pack) {
        pack.whole(self.first);
        pack.whole(self.micrographs);
        pack.whole(self.width);
        pack.whole(self.show_one_area.into());
        self.areas.iter().for_each(|&area| pack.whole(area as usize));
        pack.whole(self.halves.len());
        self.halves.iter().for_each(|half| half.pack(pack));
        pack.whole(self.products.len());
        self.products.iter().flatten().flatten().for_each(|&product| pack.real(product));
    }

    pub(super) fn unpack(file: &mut Unpack) -> Result<Self> {
        let (first, micrographs, width) = (file.whole()?, file.whole()?, file.whole()?);
        let show_one_area = file.whole()? != 0;
        let areas = (0..micrographs).map(|_| Ok(file.whole()? as u32)).collect::<Result<_>>()?;
        let halves = (0..file.whole()?).map(|_| Half::unpack(file)).collect::<Result<_>>()?;
        let mut products = vec![[[0.0; HALVES]; HALVES]; file.whole()?];
        for product in products.as_flattened_mut().as_flattened_mut() {
            *product = file.real()?;
        }
        Ok(Self { first, micrographs, width, areas, show_one_area, halves, products })
    }

    /// The number of the area that a micrograph of a session shows with some others; 0: none that is known.
    pub(super) fn area(&self, micrograph: usize) -> u32 {
        micrograph.checked_sub(self.first).and_then(|member| self.areas.get(member)).copied().unwrap_or(0)
    }

    /// Subtracts from a micrograph of a session the fit of the means around it; of the last ones, if it is none of those that were measured.
    pub(crate) fn take_out(&self, micrograph: usize, pixels: &mut [f32]) {
        match micrograph.checked_sub(self.first) {
            _ if self.halves.is_empty() => {}
            Some(_) if self.area(micrograph) > 0 => {}
            Some(member) if member < self.micrographs => self.take_out_of_member(member, pixels),
            _ => {
                let first = self.products.len() - 1;
                let (run, products) = (&self.halves[2 * first..][..HALVES], &self.products[first]);
                let equation = |row: usize| products[row].into_iter().chain([run[row].times(pixels, self.width), 0.0]).collect();
                let mut equations: Vec<Vec<f64>> = (0..HALVES).map(equation).collect();
                let amounts = solve(&mut equations, MIN_PIVOT);
                run.iter().zip(&amounts).for_each(|(half, [amount, _])| half.subtract(*amount, pixels));
            }
        }
    }

    fn take_out_of_member(&self, member: usize, pixels: &mut [f32]) {
        let own = half_of(member, self.micrographs, self.halves.len() / 2);
        let first = (own / 2).saturating_sub(AROUND / 2).min(self.products.len() - 1);
        let (run, products, own) = (&self.halves[2 * first..][..HALVES], &self.products[first], own - 2 * first);
        // The other halves are fitted: the mean of its own would fit because the micrograph is in it.
        let others = (0..HALVES).filter(|&half| half != own);
        let equation = |row: usize| {
            let factors = others.clone().map(|column| products[row][column]);
            factors.chain([run[row].times(pixels, self.width), products[row][own]]).collect()
        };
        let mut equations: Vec<Vec<f64>> = others.clone().map(equation).collect();
        let amounts = solve(&mut equations, MIN_PIVOT);
        // As it is in what is taken out of its neighbours, it has to be in what is taken out of it: else they would have in common the
        // noise of that. So its own half has the part that makes the noise smallest, and of the others goes what they would say of that.
        let squares = |amount: fn(&[f64; 2]) -> f64| amounts.iter().map(|both| amount(both).powi(2)).sum::<f64>();
        let (without, with) = (squares(|[image, _]| *image), 1.0 + squares(|[image, half]| image - half));
        let of_own = without / (without + with);
        for (half, [image, of_half]) in others.zip(&amounts) {
            run[half].subtract(image - of_own * of_half, pixels);
        }
        run[own].subtract(of_own, pixels);
    }
}

/// The micrographs of each [`AROUND`] blocks that follow each other.
fn runs(n: usize, blocks: usize) -> Vec<Range<usize>> {
    let start = |block: usize| (block * n).div_ceil(blocks.max(1));
    (0..(blocks + 1).saturating_sub(AROUND)).map(|block| start(block)..start(block + AROUND)).collect()
}

/// The half block of a micrograph: 2 x block, and 1 more for every other one.
fn half_of(i: usize, n: usize, blocks: usize) -> usize {
    2 * (i * blocks / n) + i % 2
}

#[cfg(test)]
mod tests {
    use super::super::pattern_means::add;
    use super::super::tests::noise;
    use super::*;
    use crate::micrographs::cache::{Kind, Writer};

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
            let record = writer.append(&[i as u8; 16], SIZE, &pixels, 1.0 + strength * strength, 0.0, Kind::Image).unwrap();
            Stored { path: path.as_path().into(), record }
        };
        let records = open_all(&references.iter().enumerate().map(record).collect::<Vec<_>>()).unwrap();
        let views = Views::new(SIZE, Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 });
        let patterns = FixedPatterns::measure(&records, &views, &Monitor::default()).unwrap();
        let mut reader = Reader::new(&views.plan);
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
    fn the_pattern_is_taken_out_of_other_micrographs_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let writer = Writer::open(&path, None).unwrap();
        let values: Vec<f32> = noise((160 + 1) * 4).iter().map(|&value| f32::from(value) / 18.5).collect();
        let stored = |i: usize| {
            let mut pixels = values[i * PIXELS..][..PIXELS].to_vec();
            add(&mut pixels, &values[160 * PIXELS..][..PIXELS], 0.5);
            let record = writer.append(&[i as u8; 16], SIZE, &pixels, 1.25, 0.0, Kind::Image).unwrap();
            Stored { path: path.as_path().into(), record }
        };
        let all: Vec<Stored> = (0..160).map(stored).collect();
        let band = Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 };
        let patterns = FixedPatterns::of(&all[..150], 0, band, &Monitor::default()).unwrap();
        let mut reader = Reader::new(&Views::new(SIZE, band).plan);
        let left: Vec<Vec<f32>> = open_all(&all[150..])
            .unwrap()
            .iter()
            .zip(150..)
            .map(|(source, i)| {
                reader.read(source).unwrap();
                patterns.take_out(i, &mut reader.pixels);
                reader.pixels.clone()
            })
            .collect();
        let covariance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / PIXELS as f64;
        let pairs = (0..10).flat_map(|i| (0..i).map(move |j| (i, j)));
        let mean = pairs.map(|(i, j)| covariance(&left[i], &left[j])).sum::<f64>() / 45.0;
        assert!(mean.abs() < 0.03, "{mean}");
    }

    #[test]
    fn few_micrographs_have_no_pattern() {
        let (read, left) = taken_out(&[Some(0); MIN_FOR_FIXED_PATTERN - 1], 0.6);
        assert_eq!(read, left);
    }

    #[test]
    fn runs_are_those_of_the_blocks() {
        for n in [30, 144, 192, 1000] {
            let blocks = (n / BLOCK).max(AROUND);
            let of_block = |i: usize| half_of(i, n, blocks) / 2;
            for (first, run) in runs(n, blocks).into_iter().enumerate() {
                assert!((0..n).all(|i| run.contains(&i) == (first..first + AROUND).contains(&of_block(i))), "{n} {first}");
            }
        }
        assert!(runs(5, 0).is_empty());
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

//! The means of half a block of micrographs, from which their fixed pattern is taken.

use rustfft::num_complex::Complex32;

use super::reader::Reader;
use super::views::{Power, Views};
use crate::micrographs::checked_file::{Pack, Unpack};
use crate::micrographs::kernels::rings::RINGS;
use crate::micrographs::kernels::simd::fast;
use crate::micrographs::stored::Source;
use crate::{Error, Monitor, Result};

/// One micrograph in this many is transformed to measure their power.
const SAMPLED: usize = 4;
/// The halves of this many blocks are fitted to a micrograph, its own block in the middle.
pub(super) const AROUND: usize = 3;
pub(super) const HALVES: usize = 2 * AROUND;
/// The fit uses one row in this many: more than enough pixels for five unknowns.
const ROWS_APART: usize = 4;

/// The mean of half a block.
#[derive(Debug)]
pub(super) struct Half {
    /// Each ring of its spectrum weighted by how far its power is above that of a mean of unrelated micrographs.
    pub(super) mean: Rounded,
    /// The mean divided by the power of one micrograph, ring by ring; some rows.
    pub(super) probe: Rounded,
}

/// Values rounded to multiples of `unit`, which makes no difference in a mean of micrographs.
#[derive(Debug)]
pub(super) struct Rounded {
    units: Vec<i8>,
    unit: f32,
}

impl Half {
    /// The sum of the products of its probe with an image's pixels.
    pub(super) fn times(&self, image: &[f32], width: usize) -> f64 {
        let rows = image.chunks_exact(width).step_by(ROWS_APART);
        let sum: f64 = rows.zip(self.probe.units.chunks_exact(width)).map(|(image, probe)| f64::from(product(image, probe))).sum();
        sum * f64::from(self.probe.unit)
    }

    pub(super) fn pack(&self, pack: &mut Pack) {
        for Rounded { units, unit } in [&self.mean, &self.probe] {
            pack.real((*unit).into());
            pack.bytes(&units.iter().map(|unit| unit.cast_unsigned()).collect::<Vec<u8>>());
        }
    }

    pub(super) fn unpack(file: &mut Unpack) -> Result<Self> {
        let mut rounded = || {
            let unit = file.real()? as f32;
            Ok::<_, Error>(Rounded { unit, units: file.bytes()?.iter().map(|unit| unit.cast_signed()).collect() })
        };
        Ok(Self { mean: rounded()?, probe: rounded()? })
    }

    pub(super) fn subtract(&self, amount: f64, pixels: &mut [f32]) {
        subtract(pixels, &self.mean.units, amount as f32 * self.mean.unit);
    }
}

impl Rounded {
    pub(super) fn new(values: impl Iterator<Item = f32> + Clone) -> Self {
        let unit = values.clone().fold(0.0_f32, |most, value| most.max(value.abs())) / f32::from(i8::MAX);
        Self { units: values.map(|value| if unit > 0.0 { (value / unit).round() as i8 } else { 0 }).collect(), unit }
    }

    pub(super) fn values(&self) -> Vec<f32> {
        self.units.iter().map(|&units| f32::from(units) * self.unit).collect()
    }
}

/// The mean of some micrographs, and the power in rings of its spectrum that it would have were they unrelated.
pub(super) struct Mean {
    pixels: Vec<f32>,
    unrelated: Power,
}

impl Mean {
    /// Averages micrographs.
    pub(super) fn of(members: &[&Source], views: &Views, reader: &mut Reader, monitor: &Monitor) -> Result<Self> {
        let mut pixels = vec![0.0; views.plan.len()];
        for source in members {
            monitor.advance(0)?;
            reader.read(source)?;
            // Each in its own standard deviations: one unit for all, and none dominates.
            add(&mut pixels, &reader.pixels, 1.0 / (members.len() as f32 * source.record.sd));
        }
        let mut unrelated = [0.0; RINGS];
        let sampled: Vec<&Source> = members.iter().step_by(SAMPLED).copied().collect();
        let share = 1.0 / (members.len() * sampled.len()) as f64;
        for two in sampled.chunks(2) {
            monitor.advance(0)?;
            for (part, source) in two.iter().enumerate() {
                reader.read(source)?;
                reader.fade(&views.tapers, 1.0 / source.record.sd, part);
            }
            for (_, power) in two.iter().zip(views.power(&mut reader.workspace)) {
                unrelated.iter_mut().zip(power).for_each(|(sum, power)| *sum += power * share);
            }
        }
        Ok(Self { pixels, unrelated })
    }
}

/// Means to be fitted to micrographs, of those of the two halves of a block.
pub(super) fn halves_of(means: &[Mean; 2], views: &Views, reader: &mut Reader) -> [Half; 2] {
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

fast! {
    pub(super) fn add(sum: &mut [f32], pixels: &[f32], factor: f32) {
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

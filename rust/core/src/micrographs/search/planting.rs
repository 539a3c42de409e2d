//! The height of the peak of a second exposure, estimated from the session itself: shifted copies of its micrographs, reduced to their
//! signal and mixed with other micrographs of the session as noise, are planted and searched, one by one and in pools.

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::low_resolution::{LowResolution, Thread, normalise};
use super::pools::{SIZES, keep_sum, sign};
use crate::micrographs::kernels::fft::frequency;
use crate::micrographs::kernels::rings::RINGS;
use crate::micrographs::kernels::spectra::{add, zeros};
use crate::micrographs::kernels::warp::Seen;
use crate::{Monitor, Result};

/// The share of a peak's height that a second exposure keeps after damage, another defocus and movement.
const KEPT_BY_SECOND_EXPOSURE: f32 = 0.65;
/// Planted copies overlap by this much.
const PLANTED_OVERLAP: f64 = 0.3;

/// Peak heights of planted copies in the correlation with one micrograph and with pools of each of [`SIZES`].
#[derive(Clone, Debug, PartialEq)]
pub struct Planted {
    /// Found one by one.
    pub single: f32,
    /// Found in a pool.
    pub pooled: [f32; SIZES.len()],
}

/// Plants a second exposure of each of some micrographs, and measures the height of its peak.
pub fn plant(low: &LowResolution, micrographs: &[u32], monitor: &Monitor) -> Result<Vec<Planted>> {
    micrographs
        .par_iter()
        .enumerate()
        .map_init(
            || (low.thread(), [(); 3].map(|()| zeros(1, low.length())), vec![Complex32::default(); low.length()]),
            |(thread, [first, planted, pool], sum), (turn, &i)| {
                monitor.advance(0)?;
                let others = Others { i: i as usize, turn, n: low.session.len() };
                second_exposure(low, &others, thread)?;
                low.spectrum(thread, planted);
                low.single(i as usize, Seen::default(), thread, first)?;
                let single = low.correlator.highest(first, planted, false, &mut thread.maps).z[0];
                sum.fill(Complex32::default());
                add(sum, planted, 1.0);
                let mut count = 1;
                let pooled = SIZES.map(|size| {
                    while count < size {
                        let k = others.pick(count + 2) / 2;
                        add(sum, low.packed(k), sign(k));
                        count += 1;
                    }
                    keep_sum(sum, count, pool);
                    low.correlator.highest(first, pool, true, &mut thread.maps).z[0]
                });
                Ok(Planted { single, pooled })
            },
        )
        .collect()
}

/// Other micrographs of the session, far from a given one.
struct Others {
    i: usize,
    turn: usize,
    n: usize,
}

impl Others {
    fn pick(&self, number: usize) -> usize {
        let step = (self.n / 3).max(2) + 7 * number + self.turn % 5;
        let other = (self.i + number * step + self.n / 2) % self.n;
        if other / 2 == self.i / 2 { (other + 2) % self.n } else { other }
    }
}

/// Sets `thread.small` to a second exposure of micrograph i, shifted so that 0.3 of the frame overlaps.
fn second_exposure(low: &LowResolution, others: &Others, thread: &mut Thread) -> Result<()> {
    let plan = &low.image;
    let (mut image, mut spectrum) = (vec![Complex32::default(); plan.len()], vec![Complex32::default(); plan.len()]);
    low.shrink(others.pick(1), None, Seen::default(), thread)?;
    std::mem::swap(&mut image, &mut thread.small);
    let mut noise = spectrum.clone();
    plan.forward(&mut image, &mut noise, &mut plan.scratch());
    low.shrink(others.i, None, Seen::default(), thread)?;
    std::mem::swap(&mut image, &mut thread.small);
    plan.forward(&mut image, &mut spectrum, &mut plan.scratch());
    let signal = &low.session.signal[others.i];
    let (width, height) = low.session.size;
    for (at, (value, noise)) in spectrum.iter_mut().zip(&noise).enumerate() {
        let (x, y) = (at / plan.height, at % plan.height);
        let radius = (frequency(x, plan.width) * plan.width as f32 / width as f32)
            .hypot(frequency(y, plan.height) * plan.height as f32 / height as f32);
        let ring = ((radius * std::f32::consts::SQRT_2 * RINGS as f32) as usize).min(RINGS - 1);
        let kept = KEPT_BY_SECOND_EXPOSURE * signal[ring];
        *value = *value * kept + noise * (1.0 - kept * kept).sqrt();
    }
    plan.inverse(&mut spectrum, &mut image, &mut plan.scratch());
    image.iter_mut().for_each(|value| value.im = 0.0);
    normalise(&mut image);
    low.shrink(others.pick(2), None, Seen::default(), thread)?;
    // Along one axis, the other, or both.
    let max = |scale: f64| low.max_shift_reduced_px.map_or(f64::INFINITY, |max| max * scale);
    let along = |share: f64, size: usize, full: usize| ((1.0 - share) * size as f64).min(max(size as f64 / full as f64)).round() as usize;
    let (dx, dy) = match others.turn % 3 {
        0 => (along(PLANTED_OVERLAP, plan.width, width), 0),
        1 => (0, along(PLANTED_OVERLAP, plan.height, height)),
        _ => (along(PLANTED_OVERLAP.sqrt(), plan.width, width), along(PLANTED_OVERLAP.sqrt(), plan.height, height)),
    };
    for y in 0..plan.height - dy {
        for x in 0..plan.width - dx {
            thread.small[y * plan.width + x] = image[(y + dy) * plan.width + x + dx];
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::pools::tests::low;
    use super::*;
    use crate::micrographs::session::tests::noise;

    #[test]
    fn planted_second_exposures_are_lower_in_larger_pools() {
        let low = low(&noise(60));
        let planted = plant(&low, &(0..60).step_by(5).collect::<Vec<_>>(), &Monitor::default()).unwrap();
        let mean = |of: &dyn Fn(&Planted) -> f32| planted.iter().map(of).sum::<f32>() / planted.len() as f32;
        let heights = [mean(&|planted| planted.single), mean(&|planted| planted.pooled[1]), mean(&|planted| planted.pooled[3])];
        assert!(heights[0] > 1.3 * heights[1] && heights[1] > heights[2], "{heights:?}");
    }
}

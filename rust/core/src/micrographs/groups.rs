//! Group testing: one correlation with the sum of several micrographs tests all of them; what passes is resolved one by one.
//!
//! The noise of a sum of m grows as the root of m, so the signal decides how large m may be. How high the peak of a second exposure would
//! be is measured on the session itself: shifted copies of its micrographs, weakened to what of them is signal and mixed with other
//! micrographs of the session as noise, are planted and searched.

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::coarse::{Candidate, Coarse, Least, Thread, normalise};
use super::correlator::Highest;
use super::fft::frequency;
use super::kept::{add, keep, zeros};
use super::spectrum::RINGS;
use super::warp::Seen;
use crate::{Monitor, Result};

/// Sizes of groups that are considered.
pub const SIZES: [usize; 4] = [2, 4, 8, 16];
/// Members of a group stand this far apart (in packed pairs), so that those of one hole are in different ones.
const STRIDE: usize = 8;
/// Of a peak's height, what a second exposure keeps: damage, another defocus and movement take the rest.
const KEPT_BY_SECOND_EXPOSURE: f32 = 0.65;
/// Planted copies overlap by this much.
const PLANTED_OVERLAP: f64 = 0.3;

/// Sums of packed spectra.
#[derive(Debug)]
pub struct Groups {
    /// Micrographs a group.
    pub size: usize,
    sums: Vec<i16>,
    members: Vec<Vec<usize>>,
}

/// Of planted copies, the peak height in the correlation with one micrograph and with groups of each of [`SIZES`].
#[derive(Clone, Debug, PartialEq)]
pub struct Planted {
    /// Found one by one.
    pub single: f32,
    /// Found in a group.
    pub grouped: [f32; SIZES.len()],
}

impl Groups {
    /// Sums of `size` micrographs each, with signs that look random.
    pub fn new(coarse: &Coarse, size: usize) -> Self {
        let packed = coarse.session.len().div_ceil(2);
        let mut members = Vec::new();
        for start in (0..packed).step_by(size * STRIDE) {
            let end = (start + size * STRIDE).min(packed);
            let stride = (end - start).div_ceil(size);
            members.extend((0..stride).map(|first| (start + first..end).step_by(stride).collect::<Vec<_>>()));
        }
        let length = coarse.length();
        let mut sums = zeros(members.len(), length);
        sums.par_chunks_mut(2 * length).zip(&members).for_each(|(out, members)| {
            let mut sum = vec![Complex32::default(); length];
            for &k in members {
                add(&mut sum, coarse.packed(k), sign(k));
            }
            keep_sum(&sum, members.len(), out);
        });
        Self { size, sums, members }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn sum(&self, group: usize, length: usize) -> &[i16] {
        let length = 2 * length;
        &self.sums[group * length..(group + 1) * length]
    }

    /// The heights of the peaks of some (micrograph, group), the first seen in a given way.
    pub fn sample(&self, coarse: &Coarse, tests: &[(u32, u32)], seen: Seen, monitor: &Monitor) -> Result<Vec<Highest>> {
        coarse
            .each(tests, seen, monitor, |first, group, maps| coarse.correlator.highest(first, self.sum(group, coarse.length()), true, maps))
    }

    /// Whether a micrograph is among those of a group.
    pub fn holds(&self, group: usize, micrograph: usize) -> bool {
        self.members[group].contains(&(micrograph / 2))
    }

    /// All pairs (i, j > i) whose peak is high enough, of those whose group's peak is; the first seen in a given way.
    pub fn screen(&self, coarse: &Coarse, seen: Seen, least_of_group: Least, least: Least, monitor: &Monitor) -> Result<Vec<Candidate>> {
        let firsts: Vec<u32> = (0..coarse.session.len() as u32).collect();
        coarse.rows(&firsts, seen, monitor, |block, thread, found| {
            for (group, members) in self.members.iter().enumerate() {
                for row in block {
                    let own = row.i as usize / 2;
                    if members.last().is_none_or(|&last| last < own) {
                        continue;
                    }
                    let passes = members.contains(&own) || {
                        let sum = self.sum(group, coarse.length());
                        let highest = coarse.correlator.highest(&row.spectrum, sum, true, &mut thread.maps);
                        highest.z.iter().any(|&z| z >= least_of_group.elsewhere)
                            || highest.at_zero.iter().any(|z| z.abs() >= least_of_group.at_zero)
                    };
                    if passes {
                        for &k in members.iter().filter(|&&k| k >= own) {
                            let highest = coarse.correlator.highest(&row.spectrum, coarse.packed(k), false, &mut thread.maps);
                            coarse.keep(row.i, k, &highest, least, found);
                        }
                    }
                }
            }
        })
    }
}

/// +1 or -1: what all micrographs have in common does not add up.
fn sign(k: usize) -> f32 {
    // The mixing of splitmix64: neighbours and multiples have nothing to do with each other.
    let mut bits = (k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    if (bits ^ (bits >> 31)) & 1 == 0 { 1.0 } else { -1.0 }
}

fn keep_sum(sum: &[Complex32], members: usize, out: &mut [i16]) {
    keep(sum, (members as f32).sqrt(), out);
}

/// Plants a second exposure of each of some micrographs, and measures the height of its peak.
pub fn plant(coarse: &Coarse, micrographs: &[u32], monitor: &Monitor) -> Result<Vec<Planted>> {
    micrographs
        .par_iter()
        .enumerate()
        .map_init(
            || (coarse.thread(), [(); 3].map(|()| zeros(1, coarse.length())), vec![Complex32::default(); coarse.length()]),
            |(thread, [first, planted, group], sum), (turn, &i)| {
                monitor.advance(0)?;
                let others = Others { i: i as usize, turn, n: coarse.session.len() };
                second_exposure(coarse, &others, thread);
                coarse.spectrum(thread, planted);
                coarse.single(i as usize, Seen::default(), thread, first);
                let single = coarse.correlator.highest(first, planted, false, &mut thread.maps).z[0];
                sum.fill(Complex32::default());
                add(sum, planted, 1.0);
                let mut count = 1;
                let grouped = SIZES.map(|size| {
                    while count < size {
                        let k = others.pick(count + 2) / 2;
                        add(sum, coarse.packed(k), sign(k));
                        count += 1;
                    }
                    keep_sum(sum, count, group);
                    coarse.correlator.highest(first, group, true, &mut thread.maps).z[0]
                });
                Ok(Planted { single, grouped })
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

/// Makes `thread.small` what a second exposure of micrograph i would be, shifted so that 0.3 of the frame overlaps.
fn second_exposure(coarse: &Coarse, others: &Others, thread: &mut Thread) {
    let plan = &coarse.image;
    let (mut image, mut spectrum) = (vec![Complex32::default(); plan.len()], vec![Complex32::default(); plan.len()]);
    coarse.shrink(others.pick(1), None, Seen::default(), thread);
    std::mem::swap(&mut image, &mut thread.small);
    let mut noise = spectrum.clone();
    plan.forward(&mut image, &mut noise, &mut plan.scratch());
    coarse.shrink(others.i, None, Seen::default(), thread);
    std::mem::swap(&mut image, &mut thread.small);
    plan.forward(&mut image, &mut spectrum, &mut plan.scratch());
    let signal = &coarse.session.signal[others.i];
    let (width, height) = coarse.session.size;
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
    coarse.shrink(others.pick(2), None, Seen::default(), thread);
    // Along one axis, the other, or both.
    let most = |scale: f64| coarse.most.map_or(f64::INFINITY, |most| most * scale);
    let along = |share: f64, size: usize, full: usize| ((1.0 - share) * size as f64).min(most(size as f64 / full as f64)).round() as usize;
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::session::Session;
    use super::super::session::tests::{SIZE, noise, shifted};
    use super::*;

    const ALL: Least = Least { elsewhere: -1.0, at_zero: -1.0 };

    fn coarse(views: Vec<i8>) -> Coarse {
        Coarse::new(Arc::new(Session::of_views(SIZE, views, 0.9)), 1, None, &Monitor::default()).unwrap()
    }

    #[test]
    fn single_and_grouped_screening_look_at_every_pair_once_and_alike() {
        for (n, size) in [(37, 4), (16, 2), (9, 16)] {
            let coarse = coarse(noise(n));
            let firsts: Vec<u32> = (0..n as u32).collect();
            let single = coarse.screen(&firsts, Seen::default(), ALL, &Monitor::default()).unwrap();
            let pairs: Vec<(u32, u32)> = single.iter().map(|found| (found.i, found.j)).collect();
            let expected: Vec<(u32, u32)> = firsts.iter().flat_map(|&i| (i + 1..n as u32).map(move |j| (i, j))).collect();
            assert_eq!(pairs, expected);
            let groups = Groups::new(&coarse, size);
            assert_eq!(groups.screen(&coarse, Seen::default(), ALL, ALL, &Monitor::default()).unwrap(), single);
            let mut members: Vec<usize> = groups.members.concat();
            members.sort_unstable();
            assert_eq!(members, (0..n.div_ceil(2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_a_pair_shows_does_not_depend_on_the_image_it_is_packed_with() {
        let views = noise(6);
        let (five, six) = (coarse(views[..5 * SIZE.0 * SIZE.1].to_vec()), coarse(views));
        let of = |coarse: &Coarse| coarse.screen(&[0, 1, 2, 3], Seen::default(), ALL, &Monitor::default()).unwrap();
        let (five, six) = (of(&five), of(&six));
        for found in &five {
            let other = six.iter().find(|other| (other.i, other.j) == (found.i, found.j)).unwrap();
            assert!((found.z - other.z).abs() < 1e-2, "{found:?} {other:?}");
        }
    }

    #[test]
    fn a_shifted_copy_stands_out_singly_and_in_a_group() {
        let mut views = noise(40);
        let copy = shifted(&views, 3, (7, -5));
        views[30 * copy.len()..31 * copy.len()].copy_from_slice(&copy);
        let coarse = coarse(views);
        let single = coarse.screen(&(0..40).collect::<Vec<_>>(), Seen::default(), ALL, &Monitor::default()).unwrap();
        let best = single.iter().max_by(|a, b| a.z.total_cmp(&b.z)).unwrap();
        assert_eq!((best.i, best.j), (3, 30));
        let groups = Groups::new(&coarse, 4);
        let tests: Vec<(u32, u32)> = (0..groups.len() as u32).map(|group| (3, group)).collect();
        let heights = groups.sample(&coarse, &tests, Seen::default(), &Monitor::default()).unwrap();
        let highest = (0..groups.len()).filter(|&group| !groups.holds(group, 3)).max_by(|&a, &b| {
            let height = |group: usize| heights[group].z.into_iter().fold(0.0, f32::max);
            height(a).total_cmp(&height(b))
        });
        assert!(groups.holds(highest.unwrap(), 30));
        // Mirrored, it shows nothing of the other.
        let mirrored = coarse.screen(&[3], Seen { mirrored: true, ..Seen::default() }, ALL, &Monitor::default()).unwrap();
        assert!(mirrored.iter().all(|found| found.z < 0.6 * best.z));
    }

    #[test]
    fn planted_second_exposures_are_lower_in_larger_groups() {
        let coarse = coarse(noise(60));
        let planted = plant(&coarse, &(0..60).step_by(5).collect::<Vec<_>>(), &Monitor::default()).unwrap();
        let mean = |of: &dyn Fn(&Planted) -> f32| planted.iter().map(of).sum::<f32>() / planted.len() as f32;
        let heights = [mean(&|planted| planted.single), mean(&|planted| planted.grouped[1]), mean(&|planted| planted.grouped[3])];
        assert!(heights[0] > 1.3 * heights[1] && heights[1] > heights[2], "{heights:?}");
    }
}

//! Whether two micrographs that match without any shift share a scene, or a pattern of the camera.
//!
//! A few frames with another gain reference than the rest keep a pattern in common, which makes a match as significant as any. Two things
//! tell it from a scene, once the two are correlated in annuli of their spectra (a Fourier ring correlation: Saxton and Baumeister 1982,
//! J. Microsc. 127, 127). The ratio of two references has fine detail, down to single pixels, where two exposures of one scene have only
//! noise, which differs. And behind a pattern each of the two has a scene of its own, as strong as those of other micrographs; two exposures
//! of one scene have hardly anything that the other has not.

use std::ops::Range;

use rayon::prelude::*;

use super::place::Pair;
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::rings::{RINGS, Rings, radii, ring_radius};
use crate::micrographs::kernels::taper::taper;
use crate::micrographs::session::Session;
use crate::micrographs::session::reader::Reader;
use crate::{Monitor, Result};

/// The outer part of each side over which a micrograph fades.
const TAPER: f32 = 0.025;
/// Annuli in cycles per reduced pixel: where a scene is strongest, and where hardly any signal reaches.
const COARSE: Range<f32> = 0.02..0.08;
const FINE: Range<f32> = 0.40..0.71;
/// A pattern correlates in fine detail by at least this share of the correlation in coarse detail: 0.13 or more for simulated references
/// that are not smooth, up to 0.055 for scenes (seeds 1 and 2)...
const MIN_FINE: f64 = 0.08;
/// ...and by so many times what noise reaches.
const MIN_FINE_SIGMAS: f64 = 3.0;
/// If both correlate more than this, it is one exposure, noise and all.
const ONE_EXPOSURE: f64 = 0.9;
/// Of their coarse signal two exposures of one scene share at least so much (0.85 in three exposures that damage it; patterns up to 0.84),
/// or what is left is less than this part of the signal of the session's middle micrograph (1.1 or more behind smooth patterns).
const MIN_SHARED: f64 = 0.85;
const MAX_LEFT: f64 = 0.5;

/// What two micrographs have in common as they lie.
#[derive(Clone, Copy, Debug)]
struct InCommon {
    /// Their correlation in coarse and in fine detail, and what noise reaches in that.
    coarse: f64,
    fine: f64,
    sigma: f64,
    /// The share of their coarse signal, noise apart, that they have in common.
    shared: f64,
    /// What is left of it, in units of the signal of the session's middle micrograph.
    left: f64,
}

impl InCommon {
    fn is_pattern(self) -> bool {
        let has_fine_detail = self.fine >= f64::max(MIN_FINE * self.coarse, MIN_FINE_SIGMAS * self.sigma);
        let hides_scenes = self.shared < MIN_SHARED && self.left > MAX_LEFT;
        self.coarse.min(self.fine) < ONE_EXPOSURE && (has_fine_detail || hides_scenes)
    }
}

/// Which pairs, that match without any shift once what all micrographs share is taken out, share a pattern of the camera.
///
/// # Errors
/// [`crate::Error::Parameter`]: the session was made of views. [`crate::Error::Io`], [`crate::Error::Interrupted`].
pub fn share_pattern(session: &Session, pairs: &[Pair], monitor: &Monitor) -> Result<Vec<bool>> {
    let plan = Plan::new(session.size.0, session.size.1);
    let rings = Rings::new(radii(&plan));
    let filtering = session.filtering(&plan, None, (taper(plan.width, TAPER), taper(plan.height, TAPER)))?;
    let strengths: Vec<f64> = session.signal.iter().map(strength).collect();
    let mut sorted = strengths.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let usual = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let is_pattern = |reader: &mut Reader, &(i, j): &Pair| {
        monitor.advance(0)?;
        let two = [i as usize, j as usize];
        filtering.transform(two, reader)?;
        let products = rings.products(&reader.workspace.spectrum, &plan);
        Ok(in_common(&products, two.map(|i| strengths[i]), usual).is_pattern())
    };
    pairs.par_iter().map_init(|| Reader::new(&plan), is_pattern).collect()
}

/// The coarse signal of a micrograph, in units of its noise; `shares`: of its power, ring by ring.
fn strength(shares: &[f32; RINGS]) -> f64 {
    let rings: Vec<usize> = rings_in(&COARSE).collect();
    rings.iter().map(|&ring| f64::from(shares[ring] / (1.0 - shares[ring]).max(1e-3))).sum::<f64>() / rings.len() as f64
}

fn rings_in(annulus: &Range<f32>) -> impl Iterator<Item = usize> {
    (0..RINGS).filter(|&ring| annulus.contains(&ring_radius(ring)))
}

/// `products`: as [`Rings::products`] has them; `strengths`: of the two, `usual`: of the session's middle micrograph.
fn in_common(products: &[[f64; 4]; RINGS], strengths: [f64; 2], usual: f64) -> InCommon {
    let within = |annulus: &Range<f32>| rings_in(annulus).fold([0.0; 4], |sum, ring| std::array::from_fn(|k| sum[k] + products[ring][k]));
    let (coarse, fine) = (within(&COARSE), within(&FINE));
    let relative = |product: f64, powers: [f64; 2]| {
        if powers.iter().all(|&power| power > 0.0) { product / (powers[0] * powers[1]).sqrt() } else { 0.0 }
    };
    let signal = [1, 2].map(|k| coarse[k] - fine[k] / fine[3].max(1.0) * coarse[3]);
    let shared = relative(coarse[0], signal);
    InCommon {
        coarse: relative(coarse[0], [coarse[1], coarse[2]]),
        fine: relative(fine[0], [fine[1], fine[2]]),
        sigma: 1.0 / fine[3].max(1.0).sqrt(),
        shared,
        left: (1.0 - shared) * (strengths[0] * strengths[1]).sqrt() / usual.max(f64::MIN_POSITIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums over rings for two micrographs of noise 1, with a scene of their own and one in common, in coarse detail, and a pattern.
    fn products(own: f64, scene: f64, [coarse, fine]: [f64; 2]) -> [[f64; 4]; RINGS] {
        std::array::from_fn(|ring| {
            let is_coarse = COARSE.contains(&ring_radius(ring));
            let (own, scene) = if is_coarse { (own, scene) } else { (0.0, 0.0) };
            let shared = scene + if is_coarse { coarse } else { fine };
            let power = 1.0 + own + shared;
            [100.0 * shared, 100.0 * power, 100.0 * power, 100.0]
        })
    }

    #[test]
    fn scenes_and_patterns_are_told_apart() {
        let is_pattern = |products: [[f64; 4]; RINGS], strength: f64| in_common(&products, [strength; 2], 4.0).is_pattern();
        assert!(!is_pattern(products(0.0, 4.0, [0.0, 0.0]), 4.0), "one scene");
        assert!(!is_pattern(products(0.5, 3.0, [0.05, 0.02]), 3.5), "one scene, damaged, with what is left of a pattern");
        assert!(!is_pattern(products(0.02, 0.2, [0.0, 0.0]), 0.22), "one dim scene");
        assert!(is_pattern(products(4.0, 0.0, [0.3, 0.3]), 4.3), "a white pattern");
        assert!(is_pattern(products(4.0, 0.0, [12.0, 0.3]), 16.0), "one that is stronger in coarse detail");
        assert!(is_pattern(products(4.0, 0.0, [16.0, 0.0]), 20.0), "a smooth one");
        assert!(!is_pattern(products(0.0, 4.0, [50.0, 50.0]), 4.0), "one exposure twice");
        assert!(!is_pattern([[0.0; 4]; RINGS], 0.0), "nothing");
    }
}

//! Whether two micrographs that match without any shift share a scene, or a pattern of the camera.
//!
//! A few frames with another gain reference than the rest keep a pattern in common, which makes a match as significant as any.

use rayon::prelude::*;

use super::alignment::Pair;
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::rings::{RINGS, Rings, radii};
use crate::micrographs::kernels::taper::taper;
use crate::micrographs::session::Session;
use crate::micrographs::session::in_common::{COARSE, InCommon, rings_in};
use crate::micrographs::session::reader::Reader;
use crate::{Monitor, Result};

/// The outer part of each side over which a micrograph fades.
const TAPER: f32 = 0.025;
/// The part that two exposures of one scene do not share is less than this part of the signal of the session's middle micrograph: up to 0.17 in three
/// exposures that damage it, 1.1 or more behind smooth patterns (seeds 1 to 3), 0.5 behind
/// columns and clusters of bad pixels...
const MAX_LEFT: f64 = 0.3;
/// ...whose signal is taken to be at least so strong, in units of its noise.
const MIN_USUAL: f64 = 0.1;

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
        Ok(is_pattern(&InCommon::of(&products, &COARSE), two.map(|i| strengths[i]), usual))
    };
    pairs.par_iter().map_init(|| Reader::new(&plan), is_pattern).collect()
}

/// `strengths`: of the two; `usual`: of the session's middle micrograph.
fn is_pattern(found: &InCommon, strengths: [f64; 2], usual: f64) -> bool {
    let left = (1.0 - found.shared) * (strengths[0] * strengths[1]).sqrt() / usual.max(MIN_USUAL);
    !found.is_one_exposure() && (found.has_fine_detail(0.0) || left > MAX_LEFT)
}

/// The coarse signal of a micrograph, in units of its noise; `shares`: of its power, ring by ring.
fn strength(shares: &[f32; RINGS]) -> f64 {
    let strengths: Vec<f64> = rings_in(&COARSE).map(|ring| f64::from(shares[ring] / (1.0 - shares[ring]).max(1e-3))).collect();
    strengths.iter().sum::<f64>() / strengths.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::kernels::rings::ring_radius;

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
        let of_pattern = |products: [[f64; 4]; RINGS], strength: f64| is_pattern(&InCommon::of(&products, &COARSE), [strength; 2], 4.0);
        assert!(!of_pattern(products(0.0, 4.0, [0.0, 0.0]), 4.0), "one scene");
        assert!(!of_pattern(products(0.5, 3.0, [0.05, 0.02]), 3.5), "one scene, damaged, with what is left of a pattern");
        assert!(!of_pattern(products(0.02, 0.2, [0.0, 0.0]), 0.22), "one dim scene");
        assert!(of_pattern(products(4.0, 0.0, [0.3, 0.3]), 4.3), "a white pattern");
        assert!(of_pattern(products(4.0, 0.0, [12.0, 0.3]), 16.0), "one that is stronger in coarse detail");
        assert!(of_pattern(products(4.0, 0.0, [16.0, 0.0]), 20.0), "a smooth one");
        assert!(of_pattern(products(1.7, 0.0, [6.0, 0.02]), 7.7), "columns and clusters of bad pixels, some pixels wide");
        assert!(!of_pattern(products(0.7, 4.0, [0.0, 0.0]), 4.7), "one scene, damaged further");
        assert!(!of_pattern(products(0.0, 4.0, [50.0, 50.0]), 4.0), "one exposure twice");
        assert!(!of_pattern([[0.0; 4]; RINGS], 0.0), "nothing");
    }
}

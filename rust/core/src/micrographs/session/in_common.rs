//! Measures what two micrographs share at zero shift: a scene, or a pattern of the camera.
//!
//! Two things tell them apart, once the two are correlated in annuli of their spectra (a Fourier ring correlation: Saxton and Baumeister
//! 1982, J. Microsc. 127, 127). The ratio of two gain references has fine detail, down to single pixels, where two exposures of one scene
//! have only noise, which differs. And behind a pattern each of the two has a scene of its own, as strong as those of other micrographs; two
//! exposures of one scene have hardly anything that the other has not.

use std::ops::Range;

use crate::micrographs::kernels::rings::{RINGS, ring_radius};

/// Where a scene is strongest, cycles per reduced pixel...
pub(crate) const COARSE: Range<f32> = 0.02..0.08;
/// ...also if it moved by some pixels.
pub(super) const COARSEST: Range<f32> = 0.02..0.05;
/// Where hardly any signal reaches.
const FINE: Range<f32> = 0.40..0.71;
/// A pattern correlates in fine detail by at least this share of the correlation in coarse detail: 0.13 or more for simulated references
/// that are not smooth, up to 0.055 for scenes (seeds 1 and 2)...
const MIN_FINE: f64 = 0.08;
/// ...and by so many times what noise reaches.
const MIN_FINE_SIGMAS: f64 = 3.0;
/// If both correlate more than this, it is one exposure, noise and all.
const ONE_EXPOSURE: f64 = 0.9;

/// The signal that two micrographs share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InCommon {
    /// Their correlation in coarse and in fine detail, and what noise reaches in that.
    pub(crate) coarse: f64,
    pub(crate) fine: f64,
    pub(super) sigma: f64,
    /// The share of their coarse signal, noise apart, that they have in common.
    pub(crate) shared: f64,
}

impl InCommon {
    /// `products`: as [`Rings::products`](crate::micrographs::kernels::rings::Rings::products) has them; `coarse`: which detail is coarse.
    pub(crate) fn of(products: &[[f64; 4]; RINGS], coarse: &Range<f32>) -> Self {
        let within =
            |annulus: &Range<f32>| rings_in(annulus).fold([0.0; 4], |sum, ring| std::array::from_fn(|k| sum[k] + products[ring][k]));
        let (coarse, fine) = (within(coarse), within(&FINE));
        let relative = |product: f64, [first, second]: [f64; 2]| {
            if first > 0.0 && second > 0.0 { product / (first * second).sqrt() } else { 0.0 }
        };
        Self {
            coarse: relative(coarse[0], [coarse[1], coarse[2]]),
            fine: relative(fine[0], [fine[1], fine[2]]),
            sigma: 1.0 / fine[3].max(1.0).sqrt(),
            shared: relative(coarse[0], [1, 2].map(|k| coarse[k] - fine[k] / fine[3].max(1.0) * coarse[3])),
        }
    }

    /// Whether the fine detail is that of a gain reference; `usual`: what any two have in common in fine detail.
    pub(crate) fn has_fine_detail(&self, usual: f64) -> bool {
        self.fine - usual >= f64::max(MIN_FINE * self.coarse, MIN_FINE_SIGMAS * self.sigma)
    }

    /// Whether the two are one exposure, noise and all.
    pub(crate) fn is_one_exposure(&self) -> bool {
        self.coarse.min(self.fine) >= ONE_EXPOSURE
    }
}

/// The rings of an annulus.
pub(crate) fn rings_in(annulus: &Range<f32>) -> impl Iterator<Item = usize> {
    (0..RINGS).filter(|&ring| annulus.contains(&ring_radius(ring)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::noise;
    use super::super::views::Workspace;
    use super::*;
    use crate::micrographs::kernels::fft::Plan;
    use crate::micrographs::kernels::rings::{Rings, radii};

    #[test]
    fn correlations_are_those_of_the_two_images_in_each_annulus() {
        let plan = Plan::new(96, 64);
        let rings = Rings::new(radii(&plan));
        let values: Vec<f32> = noise(8).iter().map(|&value| value.into()).collect();
        let (a, b) = (&values[..plan.len()], &values[plan.len()..][..plan.len()]);
        let both: Vec<f32> = a.iter().zip(b).map(|(a, b)| a + b).collect();
        let opposite: Vec<f32> = a.iter().map(|a| -a).collect();
        for (second, expected) in [(a, 1.0), (b, 0.0), (&both, std::f64::consts::FRAC_1_SQRT_2), (&opposite, -1.0)] {
            let mut workspace = Workspace::new(&plan);
            for (value, (&re, &im)) in workspace.image.iter_mut().zip(a.iter().zip(second)) {
                (value.re, value.im) = (re, im);
            }
            workspace.forward(&plan);
            let found = InCommon::of(&rings.products(&workspace.spectrum, &plan), &(0.05..0.3));
            assert!((found.coarse - expected).abs() < 0.05 && (found.fine - expected).abs() < 0.05, "{expected} {found:?}");
            assert_eq!(found.is_one_exposure(), expected > 0.9);
            assert_eq!(found.has_fine_detail(0.0), expected > 0.5);
        }
    }
}

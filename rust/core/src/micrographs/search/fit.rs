//! The rotation, magnification and stretch between two exposures of one scene, from the relative shifts of parts of their overlap.
//!
//! Each part's products at shifts around the common one are computed once. A map of the plane predicts a shift for every part, and its
//! score is the sum of the products at these shifts: so parts too dim to show a shift of their own still count.

use std::ops::Range;

use crate::micrographs::kernels::overlap::Overlap;
use crate::micrographs::kernels::warp::{Warp, weights};

/// Parts of the overlap along each side.
const PARTS: usize = 4;
/// Products of parts are computed up to this many pixels of the image on either side of the common lag.
const REACH: i32 = 4;
const SIDE: usize = 2 * REACH as usize + 1;
/// Rotations, and magnifications as angles whose sine they add, are searched up to this many degrees, in this many steps on either side.
const MAX_DEG: f64 = 0.9;
const STEPS: i32 = 9;
/// The score of a map must exceed that of none by this many standard deviations...
const MIN_GAIN: f64 = 2.0;
/// ...and by this share of it.
const MIN_SHARE: f64 = 0.01;

/// A part of an overlap: its middle from the frame's, in pixels of the reduced micrograph, and its products at the shifts around the common
/// one.
struct Part {
    middle: [f64; 2],
    products: [f64; SIDE * SIDE],
}

/// The map to apply to the first image for the best match with the second, near a shift in pixels of the image; `None` if the improvement
/// is too small. `pixel`: columns and rows of the reduced micrograph that a pixel takes; `unit`: the standard deviation of the sum of
/// products over the overlap, by the root of its size, that unrelated images have.
pub fn fit(overlap: &Overlap, shift: (i32, i32), pixel: (f64, f64), unit: f64) -> Warp {
    let Some((parts, pixels)) = parts(overlap, shift, pixel) else { return Warp::default() };
    let worth =
        |warp: Warp, moved: [f64; 2]| -> f64 { parts.iter().map(|part| part.at(warp, moved, pixel)).sum::<f64>() / pixels.sqrt() / unit };
    // Further translations of the whole overlap, in steps of a fraction of a pixel.
    let best_move = |warp: Warp, part: i32| {
        let moves = (-part..=part).flat_map(|y| (-part..=part).map(move |x| [x, y].map(|k| f64::from(k) / f64::from(part))));
        moves.map(|moved| worth(warp, moved)).fold(f64::MIN, f64::max)
    };
    let (none, coarse) = (best_move(Warp::default(), 3), best_move(Warp::default(), 1));
    let step = MAX_DEG / f64::from(STEPS);
    let candidates = (-STEPS..=STEPS)
        .flat_map(|turn| (-STEPS..=STEPS).map(move |size| (f64::from(turn) * step, 1.0 + (f64::from(size) * step).to_radians())));
    let (mut best, mut height) = (Warp::default(), coarse);
    for (turn, scale) in candidates {
        let warp = Warp::of(turn, scale);
        let found = best_move(warp, 1);
        if found > height {
            (best, height) = (warp, found);
        }
    }
    // Stretches, and steps between those of the grid.
    let mut step = step.to_radians();
    height = best_move(best, 3);
    for _ in 0..12 {
        let around = (0..8).map(|k| {
            let mut matrix = best.0;
            matrix[k / 4][k / 2 % 2] += if k % 2 == 0 { step } else { -step };
            Warp(matrix)
        });
        let next = around.map(|warp| (best_move(warp, 3), warp)).max_by(|a, b| a.0.total_cmp(&b.0));
        match next {
            Some((found, warp)) if found > height => (best, height) = (warp, found),
            _ => step *= 0.5,
        }
    }
    if height - none > MIN_GAIN.max(MIN_SHARE * none) { best } else { Warp::default() }
}

fn parts(overlap: &Overlap, shift: (i32, i32), pixel: (f64, f64)) -> Option<(Vec<Part>, f64)> {
    let size = overlap.size();
    let regions = overlap.regions(shift, PARTS, REACH as usize)?;
    let pixels = regions.iter().map(|(columns, rows)| (columns.len() * rows.len()) as f64).sum();
    let part = |(columns, rows): &(Range<usize>, Range<usize>)| {
        let middle = |range: &Range<usize>, size: usize, pixel: f64| ((range.start + range.end) as f64 - size as f64) / 2.0 * pixel;
        let products = std::array::from_fn(|at| {
            let (x, y) = (at as i32 % SIDE as i32 - REACH, at as i32 / SIDE as i32 - REACH);
            overlap.product_of_region(columns, rows, (shift.0 + x, shift.1 + y))
        });
        Part { middle: [middle(columns, size.0, pixel.0), middle(rows, size.1, pixel.1)], products }
    };
    Some((regions.iter().map(part).collect(), pixels))
}

impl Part {
    /// The product at the shift of the part by a map and a further translation, interpolated.
    fn at(&self, warp: Warp, moved: [f64; 2], pixel: (f64, f64)) -> f64 {
        // The made image shows at p what the first shows at m(p): what the first shows at q is at about q - (m - 1) q, and moves on by that
        // much.
        let [[a, b], [c, d]] = warp.0;
        let [x, y] = self.middle;
        let by = [((a - 1.0) * x + b * y) / pixel.0, (c * x + (d - 1.0) * y) / pixel.1];
        let (u, v) = (moved[0] - by[0], moved[1] - by[1]);
        if u.abs().max(v.abs()) >= f64::from(REACH - 1) {
            return 0.0;
        }
        let (u, v) = (u + f64::from(REACH), v + f64::from(REACH));
        let (left, top) = (u as usize, v as usize);
        let (across, down) = (weights((u - left as f64) as f32), weights((v - top as f64) as f32));
        let row = |y: usize| &self.products[(top + y - 1) * SIDE + left - 1..][..4];
        let line = |y: usize| row(y).iter().zip(across).map(|(value, weight)| value * f64::from(weight)).sum::<f64>();
        (0..4).map(|y| line(y) * f64::from(down[y])).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::kernels::image::{Image, Table};

    /// Noise of a few pixels' size: waves of many directions.
    fn scene(x: f64, y: f64) -> f64 {
        let wave = |k: u32| {
            let (angle, frequency) = (f64::from(k) * 2.399, 0.6 + 0.03 * f64::from(k * 7 % 31));
            (frequency * (angle.cos() * x + angle.sin() * y) + f64::from(k * k)).cos()
        };
        (1..60).map(wave).sum()
    }

    #[test]
    fn turn_and_magnification_are_found_and_none_where_there_is_none() {
        let (width, height, pixel) = (192, 128, (2.0, 2.0));
        let seen = |warp: Warp, (ox, oy): (f64, f64)| -> Vec<i8> {
            let [[a, b], [c, d]] = warp.0;
            let at = |at: usize| ((at % width) as f64 - 95.5, (at / width) as f64 - 63.5);
            (0..width * height).map(at).map(|(x, y)| (2.0 * scene(a * x + b * y + ox, c * x + d * y + oy)) as i8).collect()
        };
        let second = seen(Warp::default(), (0.0, 0.0));
        for (turn, scale) in [(0.0, 1.0), (0.5, 1.0), (-0.6, 1.005), (0.0, 0.99)] {
            // The second is the first turned: the map that undoes it has to be applied to the first.
            let first = seen(Warp::of(-turn, 1.0 / scale), (12.0, -7.0));
            let tables = [&first, &second].map(|pixels| Table::new(pixels, width));
            let images = [(&first, &tables[0]), (&second, &tables[1])].map(|(pixels, table)| Image { pixels, width, table });
            let overlap = Overlap::new(images[0], images[1]);
            let at = overlap.climb((12, -7), 4, 1).at;
            let (found_turn, found_scale) = fit(&overlap, at, pixel, 140.0).turn_and_scale();
            assert!((found_turn - turn).abs() < 0.15 && (found_scale - scale).abs() < 0.004, "{turn} {scale}: {found_turn} {found_scale}");
        }
    }
}

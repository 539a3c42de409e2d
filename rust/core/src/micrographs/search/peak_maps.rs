//! The correlation around the shift of a pair, to be shown.

use rayon::prelude::*;

use super::alignment::Alignment;
use super::refine::Matcher;
use crate::{Monitor, Result};

impl Matcher<'_> {
    /// Maps the correlation at shifts of up to `reach` view pixels around that of each place: squares of 2 · `reach` + 1 a side, row after
    /// row, the largest y first; NaN without overlap.
    ///
    /// # Errors
    /// [`crate::Error::Io`] of the views, [`crate::Error::Interrupted`].
    pub fn peak_maps(&self, alignments: &[Alignment], reach: u16, monitor: &Monitor) -> Result<Vec<Vec<f64>>> {
        let reach = i32::from(reach);
        let map = |alignment: &Alignment| {
            monitor.advance(1)?;
            // A lag is a shift with its sign changed: the largest y and the smallest x are the smallest lag down and the largest across.
            self.at_alignment(alignment, |overlap, _, (x, y)| {
                let around = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (x - dx, y + dy)));
                around.map(|lag| overlap.product(lag)).map(|value| if value > f64::MIN { value } else { f64::NAN }).collect()
            })
        };
        alignments.par_iter().map(map).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::session::Session;
    use crate::micrographs::session::tests::{SIZE, noise, shifted};

    #[test]
    fn the_peak_is_where_the_shift_is() {
        let mut views = noise(5);
        let copy = shifted(&views, 0, (7, -5));
        views[3 * copy.len()..4 * copy.len()].copy_from_slice(&copy);
        let session = Session::of_views(SIZE, &views, 0.9);
        let highest = |shift| {
            let alignment = Alignment { pair: (0, 3), shift, turn_deg: 0.0 };
            let maps = Matcher::new(&session, None, false).peak_maps(&[alignment], 4, &Monitor::default()).unwrap();
            let best = (0..81).max_by(|&a, &b| maps[0][a].total_cmp(&maps[0][b])).unwrap();
            (best % 9, best / 9)
        };
        let outside = Alignment { pair: (0, 3), shift: (46.0, 0.0), turn_deg: 0.0 };
        let maps = Matcher::new(&session, None, false).peak_maps(&[outside], 4, &Monitor::default()).unwrap();
        assert!(maps[0][0].is_finite() && maps[0][8].is_nan(), "48 columns: no overlap beyond a shift of 47");
        assert_eq!(highest((-7.0, 5.0)), (4, 4));
        assert_eq!(highest((-9.0, 5.0)), (6, 4), "two to the right of the middle");
        assert_eq!(highest((-7.0, 4.0)), (4, 3), "one above the middle");
    }
}

//! The micrographs of a session while they are read, two at a time: to make their views, or filtered at their full reduced size.

use std::sync::Arc;

use rayon::prelude::*;

use super::Session;
use super::fixed_pattern::FixedPatterns;
use super::reader::Reader;
use super::store::Shown;
use super::views::{Views, quantise_both};
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::image::OwnedImage;
use crate::micrographs::kernels::rings::RINGS;
use crate::micrographs::kernels::warp::Warp;
use crate::micrographs::stored::Source;
use crate::{Monitor, Result};

/// So many pairs of views a thread are made before they are stored.
const BATCH: usize = 16;

/// The micrographs of a session, or its last ones, while they are read; `first`: the number of the first of them.
pub(super) struct Frames<'a> {
    pub size: (usize, usize),
    pub sources: &'a [Source],
    pub maps: &'a [Warp],
    pub patterns: &'a FixedPatterns,
    pub first: usize,
}

impl Frames<'_> {
    /// Makes the views of all, and hands them on in order, each with its share of power that is not shot noise, ring by ring.
    pub fn make(&self, views: &Views, monitor: &Monitor, mut take: impl FnMut((Shown, [f32; RINGS])) -> Result<()>) -> Result<()> {
        let n = self.sources.len();
        let pairs: Vec<usize> = (0..n.div_ceil(2)).collect();
        for batch in pairs.chunks(BATCH * rayon::current_num_threads()) {
            let make = |reader: &mut Reader, &k: &usize| {
                let two = [2 * k, (2 * k + 1).min(n - 1)];
                monitor.advance((two[1] - two[0] + 1) as u64)?;
                self.read_two(two, &views.tapers, reader)?;
                Ok(views.make(&mut reader.workspace))
            };
            let made = batch.par_iter().map_init(|| Reader::new(&views.plan), make).collect::<Result<Vec<_>>>()?;
            made.into_iter().flatten().take(n - 2 * batch[0]).try_for_each(&mut take)?;
        }
        Ok(())
    }

    /// Reads two micrographs without their fixed pattern, faded at their edges, of standard deviation 1 (so that
    /// neither drowns in the rounding of the other), as real and imaginary part of the image to be transformed.
    fn read_two(&self, two: [usize; 2], tapers: &(Vec<f32>, Vec<f32>), reader: &mut Reader) -> Result<()> {
        for (part, i) in two.into_iter().enumerate() {
            reader.read(&self.sources[i])?;
            self.patterns.take_out(self.first + i, &mut reader.pixels);
            if let Some(map) = self.maps.get(i).filter(|map| !map.is_none()) {
                reader.pixels = map.apply(&reader.pixels, self.size.0, (1.0, 1.0));
            }
            reader.fade(tapers, 1.0 / self.sources[i].record.sd, part);
        }
        Ok(())
    }
}

/// The micrographs of a session at their full reduced size, faded at their edges and filtered.
pub(crate) struct Filtering<'a> {
    pub(super) session: &'a Session,
    pub(super) sources: Vec<Source>,
    pub(super) patterns: Arc<FixedPatterns>,
    pub(super) plan: &'a Plan,
    pub(super) filter: Vec<f32>,
    pub(super) tapers: (Vec<f32>, Vec<f32>),
}

impl Filtering<'_> {
    /// The spectrum of two of them, as real and imaginary part of one image.
    pub(crate) fn transform(&self, two: [usize; 2], reader: &mut Reader) -> Result<()> {
        let Self { session, sources, patterns, plan, filter, tapers } = self;
        Frames { size: session.size, sources, maps: &session.maps, patterns, first: 0 }.read_two(two, tapers, reader)?;
        reader.workspace.forward(plan);
        // The filter is real and even: real and imaginary part do not mix.
        reader.workspace.spectrum.iter_mut().zip(filter).for_each(|(value, filter)| *value *= filter);
        Ok(())
    }

    /// Two of them, in int8.
    pub(crate) fn two(&self, two: [usize; 2], reader: &mut Reader) -> Result<[OwnedImage; 2]> {
        self.transform(two, reader)?;
        let (plan, workspace) = (self.plan, &mut reader.workspace);
        workspace.inverse(plan);
        let (mut first, mut second) = (vec![0; plan.len()], vec![0; plan.len()]);
        quantise_both(&workspace.image, [&mut first, &mut second]);
        Ok([first, second].map(|pixels| OwnedImage::new(pixels, plan.width)))
    }
}

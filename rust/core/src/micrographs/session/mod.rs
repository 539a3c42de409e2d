//! The micrographs of one size, ready to be compared.

mod equalise;
pub mod fixed_pattern;
mod pattern_means;
pub(crate) mod reader;
mod views;
mod whiten;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::micrographs::cache::Record;
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::image::{Image, Table};
use crate::micrographs::kernels::rings::{Band, RINGS};
use crate::micrographs::kernels::warp::Warp;
use crate::rows::Input;
use crate::{Error, Monitor, Result};
use fixed_pattern::FixedPatterns;
use reader::Reader;
use views::{Views, quantise_both, reduce, small_plan};

/// Micrographs of one size. Each has a *view*: reduced further, its spectrum whitened and limited to the most informative band, in int8.
#[derive(Debug)]
pub struct Session {
    /// Columns and rows of the reduced micrographs.
    pub size: (usize, usize),
    /// Columns and rows of the views.
    pub view_size: (usize, usize),
    /// Columns and rows of the small views, of two thirds of the resolution, in which peaks are searched for.
    pub small_size: (usize, usize),
    /// Independent values per pixel of the view: less than 1, since the band is limited.
    pub independent: f64,
    /// For each micrograph the share of its power that is not shot noise, in rings of the reduced micrograph's spectrum.
    pub signal: Vec<[f32; RINGS]>,
    /// The cache of the prepared micrographs; `None` for a session made of views.
    cache: Option<Arc<Input>>,
    records: Vec<Record>,
    maps: Vec<Warp>,
    patterns: FixedPatterns,
    views: Vec<i8>,
    tables: Vec<Table>,
    small_views: Vec<i8>,
}

impl Session {
    /// Reads the micrographs at these places of a cache, all of one size, takes out what is the same in all (the fixed pattern of the gain
    /// reference), and makes their views. `band`: of the view, in cycles per reduced pixel. `maps`: of each micrograph how it is seen, as
    /// one that was tilted; none: as they are.
    pub fn load(cache: &Path, records: &[Record], band: Band, maps: Vec<Warp>, monitor: &Monitor) -> Result<Self> {
        let size = records.first().map_or((2, 2), |record| (record.width, record.height));
        let views = Views::new(size, band);
        let [view_size, small_size] = views.sizes();
        let cache = Arc::new(Input::open(cache)?);
        let mut session = Self {
            size,
            view_size,
            small_size,
            independent: views.independent(),
            signal: Vec::new(),
            cache: Some(cache.clone()),
            records: records.to_vec(),
            maps,
            patterns: FixedPatterns::default(),
            views: Vec::new(),
            tables: Vec::new(),
            small_views: Vec::new(),
        };
        session.patterns = FixedPatterns::measure(&cache, records, &views, monitor)?;
        let (length, small_length) = (view_size.0 * view_size.1, small_size.0 * small_size.1);
        let mut all = (vec![0; length * records.len()], vec![0; small_length * records.len()]);
        let signal = all
            .0
            .par_chunks_mut(2 * length)
            .zip(all.1.par_chunks_mut(2 * small_length))
            .enumerate()
            .map_init(
                || Reader::new(&cache, &views.plan),
                |reader, (k, (view, small))| {
                    let count = view.len() / length;
                    monitor.advance(count as u64)?;
                    session.read_two([2 * k, 2 * k + count - 1], &views.tapers, reader)?;
                    let signal = views.make(&mut reader.workspace, split(view, length), split(small, small_length));
                    Ok(signal.into_iter().take(count).collect())
                },
            )
            .collect::<Result<Vec<Vec<_>>>>()?
            .concat();
        (session.views, session.small_views) = all;
        session.tables = tables(&session.views, view_size);
        session.signal = signal;
        Ok(session)
    }

    /// A session of existing views, one after the other: for benchmarks. `signal`: the share of power that is not noise.
    pub fn of_views(view_size: (usize, usize), views: Vec<i8>, signal: f32) -> Self {
        let n = views.len() / (view_size.0 * view_size.1);
        let plan = small_plan(&Plan::new(view_size.0, view_size.1));
        let (length, small_size) = (view_size.0 * view_size.1, (plan.width, plan.height));
        let mut small_views = vec![0; n * plan.len()];
        small_views.par_chunks_mut(2 * plan.len()).zip(views.par_chunks(2 * length)).for_each(|(small, two)| {
            reduce(view_size, [&two[..length], &two[two.len() - length..]], split(small, plan.len()));
        });
        Self {
            size: view_size,
            view_size,
            small_size,
            independent: 1.0,
            signal: vec![[signal; RINGS]; n],
            cache: None,
            records: vec![],
            maps: vec![],
            patterns: FixedPatterns::default(),
            tables: tables(&views, view_size),
            views,
            small_views,
        }
    }

    /// The number of micrographs.
    pub fn len(&self) -> usize {
        self.signal.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.signal.is_empty()
    }

    /// The view of a micrograph.
    pub fn view(&self, i: usize) -> Image<'_> {
        let (width, height) = self.view_size;
        Image { pixels: &self.views[i * width * height..][..width * height], width, table: &self.tables[i] }
    }

    /// The small view of a micrograph.
    pub fn small_view(&self, i: usize) -> &[i8] {
        let length = self.small_size.0 * self.small_size.1;
        &self.small_views[i * length..(i + 1) * length]
    }

    /// Columns and rows of the reduced micrographs per pixel of an image of the given columns and rows.
    pub fn pixel_of(&self, (width, height): (usize, usize)) -> (f64, f64) {
        (self.size.0 as f64 / width as f64, self.size.1 as f64 / height as f64)
    }

    /// The cache of the prepared micrographs.
    ///
    /// # Errors
    /// [`Error::Parameter`]: the session was made of views.
    pub(crate) fn cache(&self) -> Result<&Arc<Input>> {
        self.cache.as_ref().ok_or_else(|| Error::parameter("session", "views without micrographs", "micrographs that were prepared"))
    }

    /// Reads two micrographs without their fixed pattern, faded at their edges, of standard deviation 1 (so that
    /// neither drowns in the rounding of the other), as real and imaginary part of the image to be transformed.
    fn read_two(&self, two: [usize; 2], tapers: &(Vec<f32>, Vec<f32>), reader: &mut Reader) -> Result<()> {
        for (part, i) in two.into_iter().enumerate() {
            reader.read(&self.records[i])?;
            self.patterns.take_out(i, &mut reader.pixels);
            if let Some(map) = self.maps.get(i).filter(|map| !map.is_none()) {
                reader.pixels = map.apply(&reader.pixels, self.size.0, (1.0, 1.0));
            }
            reader.fade(tapers, 1.0 / self.records[i].sd, part);
        }
        Ok(())
    }

    /// Two micrographs at their full reduced size, faded at their edges and filtered, in int8.
    pub(crate) fn filtered(
        &self,
        two: [usize; 2],
        plan: &Plan,
        filter: &[f32],
        tapers: &(Vec<f32>, Vec<f32>),
        reader: &mut Reader,
    ) -> Result<[Vec<i8>; 2]> {
        self.read_two(two, tapers, reader)?;
        let workspace = &mut reader.workspace;
        workspace.forward(plan);
        // The filter is real and even: real and imaginary part do not mix.
        workspace.spectrum.iter_mut().zip(filter).for_each(|(value, filter)| *value *= filter);
        workspace.inverse(plan);
        let (mut first, mut second) = (vec![0; plan.len()], vec![0; plan.len()]);
        quantise_both(&workspace.image, [&mut first, &mut second]);
        Ok([first, second])
    }
}

/// The first elements, and the rest.
fn split(both: &mut [i8], length: usize) -> [&mut [i8]; 2] {
    let (first, second) = both.split_at_mut(length);
    [first, second]
}

fn tables(views: &[i8], (width, height): (usize, usize)) -> Vec<Table> {
    views.par_chunks(width * height).map(|view| Table::new(view, width)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::micrographs::cache::{Kind, Writer};

    pub(crate) const SIZE: (usize, usize) = (48, 32);

    /// Views of noise, one after the other.
    pub(crate) fn noise(n: usize) -> Vec<i8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 58) as i32 - 32
        };
        (0..n * SIZE.0 * SIZE.1).map(|_| next() as i8).collect()
    }

    /// A view whose pixel x + shift is pixel x of a given one; beyond that, another one's.
    pub(crate) fn shifted(views: &[i8], i: usize, (dx, dy): (i64, i64)) -> Vec<i8> {
        let (width, height) = (SIZE.0 as i64, SIZE.1 as i64);
        let view = &views[i * SIZE.0 * SIZE.1..];
        let other = &views[(i + 1) * SIZE.0 * SIZE.1..];
        (0..width * height)
            .map(|at| {
                let (x, y) = (at % width - dx, at / width - dy);
                if (0..width).contains(&x) && (0..height).contains(&y) { view[(y * width + x) as usize] } else { other[at as usize] }
            })
            .collect()
    }

    #[test]
    fn small_views_are_the_views_reduced() {
        let wave = |width: usize, height: usize, (u, v): (f64, f64)| -> Vec<i8> {
            let turns = move |at: usize| u * (at % width) as f64 / width as f64 + v * (at / width) as f64 / height as f64;
            (0..width * height).map(|at| (17.0 * (std::f64::consts::TAU * turns(at)).cos()).round() as i8).collect()
        };
        let waves = [(1.0, 2.0), (3.0, 0.0), (0.0, 1.0)];
        let session = Session::of_views((24, 12), waves.map(|wave_of| wave(24, 12, wave_of)).concat(), 0.5);
        assert_eq!((session.len(), session.small_size), (3, (16, 8)));
        for (i, wave_of) in waves.into_iter().enumerate() {
            let expected = wave(16, 8, wave_of);
            assert!(session.small_view(i).iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1), "{i}");
        }
    }

    #[test]
    fn what_a_view_shows_does_not_depend_on_the_image_it_is_transformed_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let view_of = |wild: f32| {
            let writer = Writer::open(&path, None).unwrap();
            let records: Vec<Record> = (0..30_u8)
                .map(|i| {
                    let mut pixels: Vec<f32> = noise(31)[usize::from(i) * 48 * 32..][..48 * 32].iter().map(|&pixel| pixel.into()).collect();
                    if i == 3 {
                        pixels[700] = wild;
                    }
                    let sd = (pixels.iter().map(|pixel| f64::from(pixel * pixel)).sum::<f64>() / pixels.len() as f64).sqrt() as f32;
                    pixels.iter_mut().for_each(|pixel| *pixel = pixel.clamp(-10.0 * sd, 10.0 * sd));
                    writer.append(&[i; 16], SIZE, &pixels, sd, 0.0, Kind::Image).unwrap()
                })
                .collect();
            let band = Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 };
            let session = Session::load(&path, &records, band, vec![], &Monitor::default()).unwrap();
            [session.view(2).pixels.to_vec(), session.view(20).pixels.to_vec(), session.small_view(2).to_vec()]
        };
        let expected = view_of(5.0);
        for wild in [1e4, 1e8, 1e14] {
            for (found, expected) in view_of(wild).iter().zip(&expected) {
                assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 2), "{wild}");
            }
        }
    }
}

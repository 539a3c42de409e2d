//! The micrographs of one size, ready to be compared.

mod coarse;
mod equalise;
mod fixed_pattern;
mod frames;
pub(crate) mod in_common;
mod pattern_means;
pub(crate) mod reader;
mod resemblance;
mod session_file;
mod store;
mod views;
mod whiten;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::kernels::image::OwnedImage;
use crate::micrographs::kernels::rings::{Band, RINGS};
use crate::micrographs::kernels::warp::Warp;
use crate::micrographs::stored::{Stored, open_all};
use crate::{Error, Monitor, Result};
pub use fixed_pattern::{FixedPatterns, MIN_FOR_FIXED_PATTERN};
pub(crate) use frames::Filtering;
use frames::Frames;
use session_file::VIEWS;
use store::{Shown, Store};
use views::{Views, reduce, small_plan};

/// Micrographs of one size. Each has a *view*: reduced further, its spectrum whitened and limited to the most informative band, in int8.
#[derive(Debug)]
pub struct Session {
    /// Columns and rows of the reduced micrographs.
    pub size: (usize, usize),
    /// Columns and rows of the views.
    pub(crate) view_size: (usize, usize),
    /// Columns and rows of the small views, of two thirds of the resolution, in which peaks are searched for.
    pub(crate) small_size: (usize, usize),
    /// Independent values per pixel of the view: less than 1, since the band is limited.
    pub(crate) independent: f64,
    /// The share of each micrograph's power that is not shot noise, in rings of the reduced micrograph's spectrum, (n, rings).
    pub signal: Vec<[f32; RINGS]>,
    /// The prepared micrographs; none for a session made of views.
    records: Vec<Stored>,
    maps: Vec<Warp>,
    patterns: OnceLock<Arc<FixedPatterns>>,
    /// The directory from which the patterns are read when they are needed.
    saved: Option<PathBuf>,
    store: Store,
}

impl Session {
    /// Reads prepared micrographs, all of one size, subtracts what is the same in all (the fixed pattern of the gain reference), and makes
    /// their views. `band`: that of the views, in cycles per reduced pixel. `maps`: the map in which each micrograph is seen, as one that was
    /// tilted; none: as they are. `directory`: where the views are written, if memory is not to hold them.
    ///
    /// Time O(n) for n micrographs; memory for the views, about 0.15 MB each, unless they are written to a directory.
    ///
    /// # Errors
    /// [`Error::Io`] of the cache or the directory, [`Error::Malformed`] for a damaged record, [`Error::Interrupted`].
    pub fn load(records: &[Stored], band: Band, maps: Vec<Warp>, directory: Option<&Path>, monitor: &Monitor) -> Result<Self> {
        let size = records.first().map_or((2, 2), |stored| (stored.record.width, stored.record.height));
        let views = Views::new(size, band);
        let sources = open_all(records)?;
        let patterns = Arc::new(FixedPatterns::measure(&sources, &views, monitor)?);
        let [view_size, small_size] = views.sizes();
        let mut store = Store::new(views.sizes(), directory.map(|directory| directory.join(VIEWS)).as_deref())?;
        let frames = Frames { size, sources: &sources, maps: &maps, patterns: &patterns, first: 0 };
        let mut signal = Vec::with_capacity(records.len());
        frames.make(&views, monitor, |(shown, shares)| {
            signal.push(shares);
            store.append(shown)
        })?;
        Ok(Self {
            size,
            view_size,
            small_size,
            independent: views.independent(),
            signal,
            records: records.to_vec(),
            maps,
            patterns: OnceLock::from(patterns),
            saved: None,
            store: store.complete()?,
        })
    }

    /// A session with more micrographs, which shares the memory of this one. `patterns`: those that are taken out from here on, of any of
    /// these micrographs. Two are transformed as one complex image: the last of an odd number is made again with the next, as it would be
    /// in a session of all.
    ///
    /// # Errors
    /// [`Error::Parameter`]: views in a file; micrographs of another size. [`Error::Io`], [`Error::Interrupted`].
    pub fn extended(&self, more: &[Stored], band: Band, patterns: &Arc<FixedPatterns>, monitor: &Monitor) -> Result<Self> {
        let views = Views::new(self.size, band);
        if more.iter().any(|stored| (stored.record.width, stored.record.height) != self.size) || !self.maps.is_empty() {
            return Err(Error::parameter("records", "micrographs of several sizes or tilts", "one"));
        }
        let (records, whole) = ([&self.records, more].concat(), self.len() / 2 * 2);
        let frames = Frames { size: self.size, sources: &open_all(&records[whole..])?, maps: &[], patterns, first: whole };
        let (mut signal, mut made) = (self.signal[..whole].to_vec(), Vec::new());
        frames.make(&views, monitor, |(shown, shares)| {
            signal.push(shares);
            made.push(shown);
            Ok(())
        })?;
        Ok(Self {
            signal,
            records,
            maps: vec![],
            patterns: OnceLock::from(Arc::clone(patterns)),
            saved: None,
            store: self.store.extended(whole, made)?,
            ..*self
        })
    }

    /// A session of existing views, one after the other: for benchmarks. `signal`: the share of power that is not noise.
    #[doc(hidden)]
    pub fn of_views(view_size: (usize, usize), views: &[i8], signal: f32) -> Self {
        let length = view_size.0 * view_size.1;
        let n = views.len() / length;
        let plan = small_plan(&Plan::new(view_size.0, view_size.1));
        let small_size = (plan.width, plan.height);
        let small: Vec<Vec<i8>> =
            views.par_chunks(2 * length).flat_map(|two| reduce(view_size, [&two[..length], &two[two.len() - length..]])).collect();
        let store =
            Store::in_memory(view_size.0, views.chunks(length).zip(small).map(|(view, small)| Shown { view: view.to_vec(), small }));
        Self {
            size: view_size,
            view_size,
            small_size,
            independent: 1.0,
            signal: vec![[signal; RINGS]; n],
            records: vec![],
            maps: vec![],
            patterns: OnceLock::new(),
            saved: None,
            store,
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

    /// The prepared micrographs.
    pub fn records(&self) -> &[Stored] {
        &self.records
    }

    /// The number of the area that each micrograph shows with some others, as exposures of one spot do; 0: none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn areas(&self) -> Result<Vec<u32>> {
        let patterns = self.patterns()?;
        Ok((0..self.len()).map(|i| patterns.area(i)).collect())
    }

    /// Whether all micrographs, or all of many that follow each other, seem to show one place: what they share is taken for a pattern.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn show_one_area(&self) -> Result<bool> {
        Ok(self.patterns()?.show_one_area)
    }

    /// The view of a micrograph.
    pub(crate) fn view(&self, i: usize) -> Result<Cow<'_, OwnedImage>> {
        self.store.view(i)
    }

    /// The small view of a micrograph.
    pub(crate) fn small_view(&self, i: usize) -> Result<Cow<'_, [i8]>> {
        self.store.small(i)
    }

    /// Columns and rows of the reduced micrographs per pixel of an image of the given columns and rows.
    pub(crate) fn pixel_of(&self, (width, height): (usize, usize)) -> (f64, f64) {
        (self.size.0 as f64 / width as f64, self.size.1 as f64 / height as f64)
    }

    /// The micrographs at their full reduced size; `band`: which they are filtered by, if any.
    ///
    /// # Errors
    /// [`Error::Parameter`]: the session was made of views. [`Error::Io`].
    pub(crate) fn filtering<'a>(&'a self, plan: &'a Plan, band: Option<Band>, tapers: (Vec<f32>, Vec<f32>)) -> Result<Filtering<'a>> {
        if self.records.len() != self.len() {
            return Err(Error::parameter("session", "views without micrographs", "micrographs that were prepared"));
        }
        let patterns = Arc::clone(self.patterns()?);
        Ok(Filtering {
            session: self,
            sources: open_all(&self.records)?,
            patterns,
            plan,
            filter: band.map(|band| band.filter(plan)).unwrap_or_default(),
            tapers,
        })
    }

    fn patterns(&self) -> Result<&Arc<FixedPatterns>> {
        if let Some(patterns) = self.patterns.get() {
            return Ok(patterns);
        }
        let read = self.saved.as_deref().map_or_else(|| Ok(FixedPatterns::default()), session_file::patterns)?;
        Ok(self.patterns.get_or_init(|| Arc::new(read)))
    }
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
        let session = Session::of_views((24, 12), &waves.map(|wave_of| wave(24, 12, wave_of)).concat(), 0.5);
        assert_eq!((session.len(), session.small_size), (3, (16, 8)));
        for (i, wave_of) in waves.into_iter().enumerate() {
            let expected = wave(16, 8, wave_of);
            assert!(session.small_view(i).unwrap().iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1), "{i}");
        }
    }

    const BAND: Band = Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 };

    /// Micrographs of noise in a cache; `wild`: a pixel of the fourth.
    fn stored(path: &Path, n: u8, wild: f32) -> Vec<Stored> {
        let writer = Writer::open(path, None).unwrap();
        let one = |i: u8| {
            let mut pixels: Vec<f32> = noise(31)[usize::from(i) * 48 * 32..][..48 * 32].iter().map(|&pixel| pixel.into()).collect();
            if i == 3 {
                pixels[700] = wild;
            }
            let sd = (pixels.iter().map(|pixel| f64::from(pixel * pixel)).sum::<f64>() / pixels.len() as f64).sqrt() as f32;
            pixels.iter_mut().for_each(|pixel| *pixel = pixel.clamp(-10.0 * sd, 10.0 * sd));
            let record = writer.append(&[i; 16], SIZE, &pixels, sd, 0.0, Kind::Image).unwrap();
            Stored { path: path.into(), record }
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn what_a_view_shows_does_not_depend_on_the_image_it_is_transformed_with() {
        let directory = tempfile::tempdir().unwrap();
        let load = |records: &[Stored]| Session::load(records, BAND, vec![], None, &Monitor::default()).unwrap();
        let view_of = |wild: f32| {
            let session = load(&stored(&directory.path().join("cache"), 30, wild));
            let view = |i| session.view(i).unwrap().view().pixels.to_vec();
            [view(2), view(20), session.small_view(2).unwrap().to_vec()]
        };
        let expected = view_of(5.0);
        for wild in [1e4, 1e8, 1e14] {
            for (found, expected) in view_of(wild).iter().zip(&expected) {
                assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 2), "{wild}");
            }
        }
        let records = stored(&directory.path().join("extended"), 12, 5.0);
        let whole = load(&records);
        for n in [1, 4, 7, 11] {
            let extended = load(&records[..n]).extended(&records[n..], BAND, &Arc::default(), &Monitor::default()).unwrap();
            assert_eq!(extended.signal, whole.signal);
            let shown = |session: &Session, i| (session.view(i).unwrap().view().pixels.to_vec(), session.small_view(i).unwrap().to_vec());
            assert!((0..12).all(|i| shown(&extended, i) == shown(&whole, i)), "{n}");
        }
    }
}

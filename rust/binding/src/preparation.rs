//! Reading micrographs into the cache of a session, and what is in it.

use std::path::PathBuf;

use cryodedup_core::micrographs::cache::{self, Kind};
use cryodedup_core::micrographs::kernels::picture::picture as core_picture;
use cryodedup_core::micrographs::read::{self, Packing};
use cryodedup_core::micrographs::thumbnails::thumbnails as core_thumbnails;
use numpy::{Element, IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::micrographs::Progress;
use crate::particles::Shape;
use crate::watched::run;

type Key = [u8; 16];
type Image<'py, T> = PyResult<Bound<'py, PyArray2<T>>>;

#[pyclass(frozen, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Frame(read::Frame);

#[pymethods]
impl Frame {
    #[new]
    #[pyo3(signature = (path, *, start, mode, nx, ny, swapped=false, packing=""))]
    fn new(path: PathBuf, start: u64, mode: i32, nx: usize, ny: usize, swapped: bool, packing: &str) -> Self {
        let packing = match packing {
            "gz" => Packing::Gzip,
            "bz2" => Packing::Bzip2,
            _ => Packing::None,
        };
        Self(read::Frame { path, start, mode, swapped, nx, ny, packing })
    }
}

#[pyclass(frozen, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Record(pub cache::Record);

macro_rules! getters {
    ($class:ident: $($name:ident -> $type:ty = $of:expr;)+) => {
        #[pymethods]
        impl $class {
            $(#[getter]
            fn $name(&self) -> $type {
                ($of)(&self.0)
            })+
        }
    };
}

getters! {
    Record:
    width -> usize = |record: &cache::Record| record.width;
    height -> usize = |record: &cache::Record| record.height;
    sd -> f32 = |record: &cache::Record| record.sd;
    mean -> f32 = |record: &cache::Record| record.mean;
    masked_px -> u32 = |record: &cache::Record| record.masked;
    kind -> &'static str = |record: &cache::Record| match record.kind {
        Kind::Image => "image",
        Kind::Blank => "blank",
        Kind::NotFinite => "not finite",
    };
}

/// What became of a frame.
#[derive(IntoPyObject)]
enum Outcome {
    Prepared(Record),
    Unreadable(String),
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Preparation(read::Preparation);

#[pymethods]
impl Preparation {
    #[staticmethod]
    #[pyo3(signature = (cache, *, resume))]
    fn open(py: Python<'_>, cache: PathBuf, resume: bool) -> PyResult<Self> {
        run(py, 0, None, |monitor| read::Preparation::open(&cache, resume, monitor)).map(Self)
    }

    #[staticmethod]
    fn is_cache(path: PathBuf) -> PyResult<bool> {
        cache::is_cache(&path).map_err(to_python)
    }

    fn known(&self, keys: Vec<Key>) -> Vec<Option<Record>> {
        keys.iter().map(|key| self.0.known(key).map(Record)).collect()
    }

    fn damaged(&self, keys: Vec<Key>) -> bool {
        self.0.damaged(&keys)
    }

    #[pyo3(signature = (frames, keys, *, bin, threads, progress=None))]
    fn read(
        &self,
        py: Python<'_>,
        frames: Vec<Frame>,
        keys: Vec<Key>,
        bin: usize,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Vec<Outcome>> {
        let frames: Vec<read::Frame> = frames.into_iter().map(|frame| frame.0).collect();
        let outcomes = run(py, threads, progress.as_ref(), |monitor| self.0.read(&frames, &keys, bin, monitor))?;
        let outcome = |outcome: read::Outcome| outcome.map_or_else(Outcome::Unreadable, |record| Outcome::Prepared(Record(record)));
        Ok(outcomes.into_iter().map(outcome).collect())
    }

    #[pyo3(signature = (image, key, *, bin))]
    fn add(&self, py: Python<'_>, image: PyReadonlyArray2<'_, f32>, key: Key, bin: usize) -> PyResult<Record> {
        let (pixels, columns) = (image.as_slice()?, image.shape_of()[1]);
        py.detach(|| self.0.add(pixels, columns, &key, bin)).map(Record).map_err(to_python)
    }

    fn copy(&self, py: Python<'_>, cache: PathBuf, record: Record) -> PyResult<Record> {
        py.detach(|| self.0.copy(&cache, record.0)).map(Record).map_err(to_python)
    }

    fn add_like(&self, image: PyReadonlyArray2<'_, f64>, record: Record) -> PyResult<Record> {
        self.0.add_like(image.as_slice()?, record.0).map(Record).map_err(to_python)
    }

    fn truncate_after(&self, record: Record) -> PyResult<()> {
        self.0.truncate_after(&record.0).map_err(to_python)
    }
}

#[pyfunction]
#[pyo3(signature = (cache, record, *, start=0, stop=None))]
pub fn read_pixels(py: Python<'_>, cache: PathBuf, record: Record, start: usize, stop: Option<usize>) -> Image<'_, f64> {
    let rows = start..stop.unwrap_or(record.0.height);
    let pixels = py.detach(|| record.0.pixels(&cache, rows)).map_err(to_python)?;
    to_image(py, pixels, record.0.width)
}

#[pyfunction]
#[pyo3(signature = (cache, records, *, max_side_px, threads))]
pub fn thumbnails(
    py: Python<'_>,
    cache: PathBuf,
    records: Vec<Record>,
    max_side_px: usize,
    threads: usize,
) -> PyResult<Vec<Bound<'_, PyArray2<u8>>>> {
    let records: Vec<cache::Record> = records.into_iter().map(|record| record.0).collect();
    let made = run(py, threads, None, |monitor| core_thumbnails(&cache, &records, max_side_px, monitor))?;
    made.into_iter().map(|one| to_image(py, one.pixels, one.width)).collect()
}

#[pyfunction]
pub fn picture<'py>(py: Python<'py>, image: PyReadonlyArray2<'py, f64>) -> Image<'py, u8> {
    let width = image.shape_of()[1];
    to_image(py, core_picture(image.as_slice()?, width), width)
}

#[pyfunction]
#[pyo3(signature = (frame, *, bin))]
pub fn reduce_frame(py: Python<'_>, frame: Frame, bin: usize) -> Image<'_, f32> {
    let reduced = run(py, 1, None, |monitor| frame.0.reduce(bin, monitor))?;
    to_image(py, reduced.means, read::reduce::Bins::new(frame.0.nx, bin).count)
}

pub fn to_image<T: Element>(py: Python<'_>, pixels: Vec<T>, width: usize) -> Image<'_, T> {
    let rows = pixels.len() / width.max(1);
    pixels.into_pyarray(py).reshape([rows, width])
}

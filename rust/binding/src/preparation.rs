//! Reading micrographs into the cache of a session, and what is in it.

use std::path::PathBuf;

use cryodedup_core::micrographs::{read, thumbnails as pictures};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

use crate::arrays::{Image, Progress, Shape, readable};
use crate::errors::to_python;
use crate::watched::run;

type Key = [u8; 16];

#[pyclass(frozen, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Frame(read::Frame);

#[pymethods]
impl Frame {
    #[new]
    #[pyo3(signature = (path, *, start, mode, nx, ny, swapped=false, packing=""))]
    fn new(path: PathBuf, start: u64, mode: i32, nx: usize, ny: usize, swapped: bool, packing: &str) -> PyResult<Self> {
        let packing = packing.parse().map_err(to_python)?;
        Ok(Self(read::Frame { path, start, mode, swapped, nx, ny, packing }))
    }
}

readable! {
    Record(read::Stored) {
        width: usize = |stored| stored.record.width;
        height: usize = |stored| stored.record.height;
        sd: f32 = |stored| stored.record.sd;
        mean: f32 = |stored| stored.record.mean;
        masked_px: u32 = |stored| stored.record.masked;
        kind: &'static str = |stored| stored.record.kind.name();
        checksum: u32 = |stored| stored.record.checksum;
    }
}

/// The records of these keys in some caches; `None`: in none of them.
#[pyfunction]
#[pyo3(signature = (caches, keys, *, threads, progress=None))]
pub fn find_records(
    py: Python<'_>,
    caches: Vec<PathBuf>,
    keys: Vec<Key>,
    threads: usize,
    progress: Progress<'_>,
) -> PyResult<Vec<Option<Record>>> {
    let found = run(py, threads, progress.as_ref(), |monitor| read::find_records(&caches, &keys, monitor))?;
    Ok(found.into_iter().map(|found| found.map(Record)).collect())
}

/// The outcome for a frame.
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
        read::is_cache(&path).map_err(to_python)
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

    fn copy(&self, py: Python<'_>, record: Record) -> PyResult<Record> {
        py.detach(|| self.0.copy(&record.0)).map(Record).map_err(to_python)
    }

    fn add_like(&self, image: PyReadonlyArray2<'_, f64>, record: Record) -> PyResult<Record> {
        self.0.add_like(image.as_slice()?, record.0.record).map(Record).map_err(to_python)
    }

    fn truncate_after(&self, record: Record) -> PyResult<()> {
        self.0.truncate_after(&record.0.record).map_err(to_python)
    }
}

#[pyfunction]
#[pyo3(signature = (record, *, start=0, stop=None))]
pub fn read_pixels(py: Python<'_>, record: Record, start: usize, stop: Option<usize>) -> PyResult<Image<f64>> {
    let read::Record { width, height, .. } = record.0.record;
    py.detach(|| record.0.pixels(start..stop.unwrap_or(height))).map(|pixels| Image(pixels, width)).map_err(to_python)
}

#[pyfunction]
#[pyo3(signature = (records, *, max_side_px, threads))]
pub fn thumbnails(py: Python<'_>, records: Vec<Record>, max_side_px: usize, threads: usize) -> PyResult<Vec<Image<u8>>> {
    let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
    let made = run(py, threads, None, |monitor| pictures::thumbnails(&records, max_side_px, monitor))?;
    Ok(made.into_iter().map(|one| Image(one.pixels, one.width)).collect())
}

#[pyfunction]
pub fn picture(image: PyReadonlyArray2<'_, f64>) -> PyResult<Image<u8>> {
    let width = image.shape_of()[1];
    Ok(Image(pictures::picture(image.as_slice()?, width), width))
}

#[pyfunction]
#[pyo3(signature = (frame, *, bin))]
pub fn reduce_frame(py: Python<'_>, frame: Frame, bin: usize) -> PyResult<Image<f32>> {
    let reduced = run(py, 1, None, |monitor| frame.0.reduce(bin, monitor))?;
    Ok(Image(reduced.means, reduced.columns))
}

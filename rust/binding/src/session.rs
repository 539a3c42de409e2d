//! Micrographs that are ready to be compared.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::search::{self, Matcher};
use cryodedup_core::micrographs::thumbnails::of_views;
use cryodedup_core::micrographs::{self, Seen, Warp};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

use crate::arrays::{Image, Progress, Shape};
use crate::errors::to_python;
use crate::micrographs::{Alignments, BandOf, Confirmed, Matches, to_band};
use crate::preparation::Record;
use crate::screening::Decisions;
use crate::watched::run;

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Session(pub Arc<micrographs::Session>);

#[pymethods]
impl Session {
    #[staticmethod]
    #[pyo3(signature = (records, *, band, maps=vec![], directory=None, threads, progress=None))]
    fn load(
        py: Python<'_>,
        records: Vec<Record>,
        band: BandOf,
        maps: Vec<[[f64; 2]; 2]>,
        directory: Option<PathBuf>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
        let maps: Vec<Warp> = maps.into_iter().map(Warp).collect();
        let load = |monitor: &_| micrographs::Session::load(&records, to_band(band), maps, directory.as_deref(), monitor);
        Ok(Self(Arc::new(run(py, threads, progress.as_ref(), load)?)))
    }

    #[staticmethod]
    fn of_views(views: PyReadonlyArray2<'_, i8>, width: usize, signal: f32) -> PyResult<Self> {
        let height = views.shape_of()[1] / width;
        Ok(Self(Arc::new(micrographs::Session::of_views((width, height), views.as_slice()?, signal))))
    }

    #[staticmethod]
    fn open(py: Python<'_>, directory: PathBuf, base: PathBuf) -> PyResult<Self> {
        py.detach(|| micrographs::Session::open(&directory, &base)).map(|session| Self(Arc::new(session))).map_err(to_python)
    }

    fn save(&self, py: Python<'_>, directory: PathBuf, base: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&directory, &base)).map_err(to_python)
    }

    #[getter]
    fn records(&self) -> Vec<Record> {
        self.0.records().iter().cloned().map(Record).collect()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn size(&self) -> (usize, usize) {
        self.0.size
    }

    #[getter]
    fn signal(&self) -> Image<f32> {
        self.0.signal.iter().copied().collect()
    }

    fn show_one_area(&self) -> PyResult<bool> {
        self.0.show_one_area().map_err(to_python)
    }

    #[pyo3(signature = (pairs, max_shift_reduced_px, *, mirrored, threads))]
    fn find(
        &self,
        py: Python<'_>,
        pairs: PyReadonlyArray2<'_, u32>,
        max_shift_reduced_px: Option<f64>,
        mirrored: bool,
        threads: usize,
    ) -> PyResult<Matches> {
        let pairs = search::pairs(pairs.as_slice()?, self.0.len()).map_err(to_python)?;
        let seen = Seen { mirrored, ..Seen::default() };
        let find = |monitor: &_| Matcher::new(&self.0, max_shift_reduced_px, false).find(&pairs, seen, monitor);
        Ok(Matches(Arc::new(run(py, threads, None, find)?)))
    }

    #[pyo3(signature = (found, rows, *, reach, threads))]
    fn peak_maps(&self, py: Python<'_>, found: &Decisions, rows: Vec<usize>, reach: u16, threads: usize) -> PyResult<Vec<Image<f64>>> {
        let alignments = found.alignments(&rows);
        let maps = run(py, threads, None, |monitor| Matcher::new(&self.0, None, false).peak_maps(&alignments, reach, monitor))?;
        Ok(maps.into_iter().map(|map| Image(map, 2 * usize::from(reach) + 1)).collect())
    }

    #[pyo3(signature = (numbers, *, max_side_px, threads))]
    fn thumbnails(&self, py: Python<'_>, numbers: Vec<usize>, max_side_px: usize, threads: usize) -> PyResult<Vec<Image<u8>>> {
        let made = run(py, threads, None, |monitor| of_views(&self.0, &numbers, max_side_px, monitor))?;
        Ok(made.into_iter().map(|one| Image(one.pixels, one.width)).collect())
    }

    #[pyo3(signature = (alignments, *, band, threads, progress=None))]
    fn confirm(
        &self,
        py: Python<'_>,
        alignments: Alignments<'_>,
        band: BandOf,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Confirmed> {
        let alignments = alignments.among(self.0.len())?;
        let confirm = |monitor: &_| search::confirm(&self.0, to_band(band), &alignments, monitor);
        Ok(Confirmed(Arc::new(run(py, threads, progress.as_ref(), confirm)?)))
    }
}

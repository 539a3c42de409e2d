//! Which pairs of micrographs are compared closely.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::Orientation;
use cryodedup_core::micrographs::search::{self, Candidate, Shard};
use pyo3::prelude::*;

use crate::arrays::{Column, Image, Progress, readable};
use crate::errors::to_python;
use crate::session::Session;
use crate::watched::run;

readable! {
    Screened(Arc<search::Screened>) {
        pairs: Image<u32> = |found| found.candidates.iter().map(|&Candidate { i, j, .. }| [i, j]).collect();
        decoys: Image<u32> = |found| found.decoys.iter().map(|&Candidate { i, j, .. }| [i, j]).collect();
    }
}

readable! {
    Screening(search::Screening) {
        pairs: u64 = |how| how.pairs;
        decoy_pairs: u64 = |how| how.decoy_pairs;
        grid: Option<(usize, usize)> = |how| how.grid;
        pool_size: usize = |how| how.pool_size;
        min_z: f32 = |how| how.threshold.elsewhere;
        min_z_of_pool: f32 = |how| how.pool_threshold.elsewhere;
        predicted_recall: Vec<(usize, f64)> = |how| how.predicted.clone();
    }
}

/// How the pairs of a session that was saved are screened.
#[pyfunction]
pub fn read_screening(directory: PathBuf) -> PyResult<Screening> {
    search::Screening::open(&directory).map(Screening).map_err(to_python)
}

/// Which pairs, by their first micrograph, are of a shard.
#[pyfunction]
pub fn in_shard(firsts: Vec<u32>, shard: (usize, usize)) -> PyResult<Column<bool>> {
    let shard = Shard::new(shard.0, shard.1).map_err(to_python)?;
    Ok(firsts.into_iter().map(|first| shard.holds(first)).collect())
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Screener(search::Screener);

#[pymethods]
impl Screener {
    #[staticmethod]
    #[pyo3(signature = (session, sensitivity, max_shift_px, *, threads, progress=None))]
    fn plan(
        py: Python<'_>,
        session: &Session,
        sensitivity: &str,
        max_shift_px: Option<f64>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let sensitivity = sensitivity.parse().map_err(to_python)?;
        run(py, threads, progress.as_ref(), |monitor| search::Screener::plan(&session.0, sensitivity, max_shift_px, monitor)).map(Self)
    }

    #[staticmethod]
    fn open(py: Python<'_>, session: &Session, max_shift_px: Option<f64>, directory: PathBuf) -> PyResult<Self> {
        py.detach(|| search::Screener::open(&session.0, max_shift_px, &directory)).map(Self).map_err(to_python)
    }

    fn save(&self, py: Python<'_>, directory: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&directory)).map_err(to_python)
    }

    #[getter]
    fn screening(&self) -> Screening {
        Screening(self.0.screening.clone())
    }

    #[pyo3(signature = (*, shard, turns_deg, orientation=0, threads, progress=None))]
    fn screen(
        &self,
        py: Python<'_>,
        shard: (usize, usize),
        turns_deg: Vec<f64>,
        orientation: u8,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Screened> {
        let shard = Shard::new(shard.0, shard.1).map_err(to_python)?;
        let screen = |monitor: &_| self.0.screen(shard, Orientation(orientation), &turns_deg, monitor);
        Ok(Screened(Arc::new(run(py, threads, progress.as_ref(), screen)?)))
    }
}

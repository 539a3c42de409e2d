//! Micrographs during data collection.

use std::sync::Arc;

use cryodedup_core::micrographs::live;
use pyo3::prelude::*;

use crate::micrographs::{BandOf, to_band};
use crate::pickling::{of_state, state_of};
use crate::preparation::Record;
use crate::screening::{Decisions, Wanted};
use crate::watched::run;

#[pyclass(module = "cryodedup._core")]
pub struct Collection(live::Collection);

#[pymethods]
impl Collection {
    #[new]
    #[pyo3(signature = (records, state, *, band, max_shift_reduced_px, threads))]
    fn new(
        py: Python<'_>,
        records: Vec<Record>,
        state: Option<&[u8]>,
        band: BandOf,
        max_shift_reduced_px: Option<f64>,
        threads: usize,
    ) -> PyResult<Self> {
        let gathered = state.map_or_else(|| Ok(live::Gathered::default()), of_state)?;
        let records = records.into_iter().map(|record| record.0).collect();
        run(py, threads, None, |monitor| live::Collection::new(records, gathered, to_band(band), max_shift_reduced_px, monitor)).map(Self)
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn covered(&self) -> usize {
        self.0.gathered().covered
    }

    #[getter]
    fn state(&self) -> PyResult<Vec<u8>> {
        Ok(state_of(self.0.gathered())?.0)
    }

    #[pyo3(signature = (record, *, threads))]
    fn add(&mut self, py: Python<'_>, record: Record, threads: usize) -> PyResult<usize> {
        run(py, threads, None, |monitor| self.0.add(record.0, monitor))
    }

    #[pyo3(signature = (*, asked, threads))]
    fn conclude(&self, py: Python<'_>, asked: Wanted<'_>, threads: usize) -> PyResult<Option<Decisions>> {
        let (shots, criteria) = asked.parts()?;
        let decided = run(py, threads, None, |monitor| self.0.conclude(&shots, &criteria, monitor))?;
        Ok(decided.map(|decided| Decisions(Arc::new(decided))))
    }
}

//! Rows of files, and the writing of chosen ones.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::rows::{self, Input};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::arrays::Progress;
use crate::errors::to_python;
use crate::pickling::{of_state, state_of};
use crate::watched::run;

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Rows(pub Arc<rows::Rows>);

#[pymethods]
impl Rows {
    #[new]
    fn new(state: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(of_state(state)?)))
    }

    fn __getnewargs__(&self) -> PyResult<(Vec<u8>,)> {
        state_of(&*self.0)
    }

    #[staticmethod]
    fn records(path: PathBuf, start: u64, size: u64, count: u64) -> PyResult<Self> {
        let input = Input::open(&path).map_err(to_python)?;
        Ok(Self(Arc::new(rows::Rows::records(input.version(), start, size, count))))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn start(&self, row: usize) -> PyResult<u64> {
        self.0.check(row).map_err(to_python)?;
        Ok(self.0.start(row))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Rewrite(Arc<rows::Rewrite>);

#[pymethods]
impl Rewrite {
    #[staticmethod]
    fn replace(column: usize, values: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self(Arc::new(rows::Rewrite::Replace { column, values }))
    }

    #[staticmethod]
    fn other_half(column: usize, moves: PyReadonlyArray1<'_, bool>) -> PyResult<Self> {
        Ok(Self(Arc::new(rows::Rewrite::OtherHalf { column, moves: moves.as_slice()?.to_vec() })))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Part(rows::Part);

#[pymethods]
impl Part {
    #[staticmethod]
    fn text(kept: Vec<u8>, rejected: Vec<u8>) -> Self {
        Self(rows::Part::Text { kept, rejected })
    }

    #[staticmethod]
    fn span(path: PathBuf, start: u64, end: u64) -> Self {
        Self(rows::Part::Span { path, start, end })
    }

    #[staticmethod]
    #[pyo3(signature = (path, rows, kept, *, rewrites=vec![], end_line=false))]
    fn rows(path: PathBuf, rows: Py<Rows>, kept: PyReadonlyArray1<'_, bool>, rewrites: Vec<Py<Rewrite>>, end_line: bool) -> PyResult<Self> {
        let rewrites = rewrites.iter().map(|rewrite| Arc::clone(&rewrite.get().0)).collect();
        Ok(Self(rows::Part::Rows { path, rows: Arc::clone(&rows.get().0), kept: kept.as_slice()?.to_vec(), rewrites, end_line }))
    }
}

#[pyfunction]
#[pyo3(signature = (parts, kept, rejected, *, progress=None))]
pub fn split(py: Python<'_>, parts: Vec<Py<Part>>, kept: PathBuf, rejected: PathBuf, progress: Progress<'_>) -> PyResult<()> {
    let parts: Vec<_> = parts.iter().map(|part| &part.get().0).collect();
    run(py, 1, progress.as_ref(), |monitor| rows::split(&parts, &kept, &rejected, monitor))
}

#[pyfunction]
pub fn line_number(path: PathBuf, offset: u64) -> PyResult<u64> {
    Input::open(&path).and_then(|input| input.line_number(offset)).map_err(to_python)
}

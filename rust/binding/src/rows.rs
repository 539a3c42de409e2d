//! Rows of files, and the writing of chosen ones.

use std::path::PathBuf;

use cryodedup_core::rows::{self, Input};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::arrays::Progress;
use crate::errors::to_python;
use crate::watched::run;

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Rows(pub rows::Rows);

#[pymethods]
impl Rows {
    #[staticmethod]
    fn records(path: PathBuf, start: u64, size: u64, count: u64) -> PyResult<Self> {
        let input = Input::open(&path).map_err(to_python)?;
        Ok(Self(rows::Rows::records(input.version(), start, size, count)))
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
pub struct Rewrite(rows::Rewrite);

#[pymethods]
impl Rewrite {
    #[staticmethod]
    fn replace(column: usize, values: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self(rows::Rewrite::Replace { column, values })
    }

    #[staticmethod]
    fn other_half(column: usize, moves: PyReadonlyArray1<'_, bool>) -> PyResult<Self> {
        Ok(Self(rows::Rewrite::OtherHalf { column, moves: moves.as_slice()?.to_vec() }))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Part(Piece);

enum Piece {
    Text(Vec<u8>, Vec<u8>),
    Span(PathBuf, u64, u64),
    Rows { path: PathBuf, rows: Py<Rows>, kept: Vec<bool>, rewrites: Vec<Py<Rewrite>>, end_line: bool },
}

#[pymethods]
impl Part {
    #[staticmethod]
    fn text(kept: Vec<u8>, rejected: Vec<u8>) -> Self {
        Self(Piece::Text(kept, rejected))
    }

    #[staticmethod]
    fn span(path: PathBuf, start: u64, end: u64) -> Self {
        Self(Piece::Span(path, start, end))
    }

    #[staticmethod]
    #[pyo3(signature = (path, rows, kept, *, rewrites=vec![], end_line=false))]
    fn rows(path: PathBuf, rows: Py<Rows>, kept: PyReadonlyArray1<'_, bool>, rewrites: Vec<Py<Rewrite>>, end_line: bool) -> PyResult<Self> {
        Ok(Self(Piece::Rows { path, rows, kept: kept.as_slice()?.to_vec(), rewrites, end_line }))
    }
}

impl Part {
    fn as_part(&self) -> rows::Part<'_> {
        match &self.0 {
            Piece::Text(kept, rejected) => rows::Part::Text { kept, rejected },
            Piece::Span(path, start, end) => rows::Part::Span { path: path.clone(), start: *start, end: *end },
            Piece::Rows { path, rows, kept, rewrites, end_line } => {
                let rewrites = rewrites.iter().map(|rewrite| &rewrite.get().0).collect();
                rows::Part::Rows { path: path.clone(), rows: &rows.get().0, kept, rewrites, end_line: *end_line }
            }
        }
    }
}

#[pyfunction]
#[pyo3(signature = (parts, kept, rejected, *, progress=None))]
pub fn split(py: Python<'_>, parts: Vec<Py<Part>>, kept: PathBuf, rejected: PathBuf, progress: Progress<'_>) -> PyResult<()> {
    let parts: Vec<rows::Part> = parts.iter().map(|part| part.get().as_part()).collect();
    run(py, 1, progress.as_ref(), |monitor| rows::split(&parts, &kept, &rejected, monitor))
}

#[pyfunction]
pub fn line_number(path: PathBuf, offset: u64) -> PyResult<u64> {
    Input::open(&path).and_then(|input| input.line_number(offset)).map_err(to_python)
}

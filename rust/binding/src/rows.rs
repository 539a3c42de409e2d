//! Rows of files, and the writing of chosen ones.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::rows::{self, Input, Part, Rewrite};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::InputError;
use crate::watched::{run, to_python};

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Rows(pub Arc<rows::Rows>);

#[pymethods]
impl Rows {
    #[staticmethod]
    fn records(start: u64, size: u64, count: u64) -> Self {
        Self(Arc::new(rows::Rows::Records { start, size, count }))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn start(&self, row: usize) -> PyResult<u64> {
        if row > self.0.len() {
            return Err(InputError::new_err(format!("found row {row}, expected one up to {}", self.0.len())));
        }
        Ok(self.0.start(row))
    }
}

#[pyfunction]
pub fn line_number(path: PathBuf, offset: u64) -> PyResult<u64> {
    Input::open(&path).and_then(|input| input.line_number(offset)).map_err(to_python)
}

/// A column, and old and new values of its cells.
type AnyRewrite = (usize, Vec<(Vec<u8>, Vec<u8>)>);

/// The three kinds of parts, by the length of the tuple Python gives.
#[derive(FromPyObject)]
pub enum AnyPart<'py> {
    Rows(PathBuf, Bound<'py, Rows>, PyReadonlyArray1<'py, bool>, Option<AnyRewrite>, bool),
    Span(PathBuf, u64, u64),
    Text(Vec<u8>, Vec<u8>),
}

impl AnyPart<'_> {
    fn as_part(&self) -> PyResult<Part<'_>> {
        Ok(match self {
            Self::Text(kept, rejected) => Part::Text { kept: kept.clone(), rejected: rejected.clone() },
            Self::Span(path, start, end) => Part::Span { path: path.clone(), start: *start, end: *end },
            Self::Rows(path, rows, kept, rewrite, end_line) => {
                let (rows, kept) = (&rows.get().0, kept.as_slice()?);
                if rows.len() != kept.len() {
                    return Err(InputError::new_err(format!(
                        "found {} decisions, expected one for each of {} rows",
                        kept.len(),
                        rows.len()
                    )));
                }
                let rewrite = rewrite.clone().map(|(column, values)| Rewrite { column, values });
                Part::Rows { path: path.clone(), rows, kept, rewrite, end_line: *end_line }
            }
        })
    }
}

#[pyfunction]
#[pyo3(signature = (parts, kept, rejected, *, progress=None))]
pub fn split(
    py: Python<'_>,
    parts: Vec<AnyPart<'_>>,
    kept: PathBuf,
    rejected: PathBuf,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let parts: Vec<Part> = parts.iter().map(AnyPart::as_part).collect::<PyResult<_>>()?;
    run(py, 1, progress.as_ref(), |monitor| rows::split(&parts, &kept, &rejected, monitor))
}

//! STAR files, and files of rows like them.

use std::path::PathBuf;

use cryodedup_core::rows::Cells;
use cryodedup_core::star::{self, Column, Wanted};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyTuple};

use crate::arrays::Progress;
use crate::errors::to_python;
use crate::records::names_to_object;
use crate::rows::Rows;
use crate::watched::run;

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Table {
    block: String,
    start: u64,
    pairs: Vec<(String, Py<PyBytes>)>,
    labels: Vec<String>,
    rows: Py<Rows>,
    columns: Py<PyDict>,
}

#[pymethods]
impl Table {
    #[new]
    fn new(block: String, start: u64, pairs: Vec<(String, Py<PyBytes>)>, labels: Vec<String>, rows: Py<Rows>, columns: Py<PyDict>) -> Self {
        Self { block, start, pairs, labels, rows, columns }
    }

    fn __getnewargs__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let parts = ["block", "start", "pairs", "labels", "rows", "columns"].map(|name| slf.getattr(name));
        PyTuple::new(slf.py(), parts.into_iter().collect::<PyResult<Vec<_>>>()?)
    }
}

impl Table {
    fn wrap(py: Python<'_>, table: star::Table) -> PyResult<Self> {
        let columns = PyDict::new(py);
        for (label, column) in table.columns {
            match column {
                Column::Numbers(values) => columns.set_item(label, values.into_pyarray(py))?,
                Column::Names(indices, names) => columns.set_item(label, names_to_object(py, indices, &names)?)?,
                Column::Varying(varying) => columns.set_item(label, PyBool::new(py, varying))?,
            }
        }
        Ok(Self {
            block: table.block,
            start: table.start,
            pairs: table.pairs.into_iter().map(|(label, value)| (label, PyBytes::new(py, &value).unbind())).collect(),
            labels: table.labels,
            rows: Py::new(py, Rows(table.rows.into()))?,
            columns: columns.unbind(),
        })
    }
}

#[pyfunction]
#[pyo3(signature = (paths, *, numbers, names, varying, threads, progress=None))]
pub fn scan_star(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    numbers: Vec<String>,
    names: Vec<String>,
    varying: Vec<String>,
    threads: usize,
    progress: Progress<'_>,
) -> PyResult<Vec<Vec<Table>>> {
    let wanted = Wanted { numbers, names, varying };
    let files = run(py, threads, progress.as_ref(), |monitor| star::scan_files(&paths, &wanted, monitor))?;
    files.into_iter().map(|tables| tables.into_iter().map(|table| Table::wrap(py, table)).collect()).collect()
}

#[pyfunction]
#[pyo3(signature = (paths, starts, labels, *, numbers, names, threads, progress=None))]
#[expect(clippy::too_many_arguments, reason = "one an option")]
pub fn scan_rows(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    starts: Vec<u64>,
    labels: Vec<Vec<String>>,
    numbers: Vec<String>,
    names: Vec<String>,
    threads: usize,
    progress: Progress<'_>,
) -> PyResult<Vec<Table>> {
    let wanted = Wanted { numbers, names, varying: Vec::new() };
    let tables = run(py, threads, progress.as_ref(), |monitor| star::scan_rows_of_files(&paths, &starts, &labels, &wanted, monitor))?;
    tables.into_iter().map(|table| Table::wrap(py, table)).collect()
}

#[pyfunction]
pub fn cell_spans(line: &[u8]) -> Vec<(usize, usize)> {
    Cells::new(line).before_comment().map(|cell| (cell.start, cell.end)).collect()
}

#[pyfunction]
#[pyo3(signature = (path, rows, chosen=None))]
pub fn read_cells<'py>(
    py: Python<'py>,
    path: PathBuf,
    rows: &Bound<'py, Rows>,
    chosen: Option<Vec<usize>>,
) -> PyResult<Vec<Vec<Bound<'py, PyBytes>>>> {
    let rows = &rows.get().0;
    let cells = star::read_cells(&path, rows, chosen.unwrap_or_else(|| (0..rows.len()).collect())).map_err(to_python)?;
    Ok(cells.into_iter().map(|row| row.into_iter().map(|cell| PyBytes::new(py, &cell)).collect()).collect())
}

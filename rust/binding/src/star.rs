//! STAR files, and files of rows like them.

use std::path::PathBuf;

use cryodedup_core::rows::{Cells, Input};
use cryodedup_core::star::{self, Column, Wanted};
use cryodedup_core::{Monitor, Result};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict};
use rayon::prelude::*;

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
            rows: Py::new(py, Rows(table.rows))?,
            columns: columns.unbind(),
        })
    }
}

/// Scans the files in parallel, and each large one by all threads.
fn scan_all(
    py: Python<'_>,
    paths: &[PathBuf],
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    scan: impl Fn(usize, &Input, &Monitor) -> Result<Vec<star::Table>> + Sync,
) -> PyResult<Vec<Vec<Table>>> {
    let files = run(py, threads, progress, |monitor| {
        let scan = |(i, path): (usize, &PathBuf)| scan(i, &Input::open(path)?, monitor);
        paths.par_iter().enumerate().map(scan).collect::<Result<Vec<_>>>()
    })?;
    files.into_iter().map(|tables| tables.into_iter().map(|table| Table::wrap(py, table)).collect()).collect()
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
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Vec<Vec<Table>>> {
    let wanted = Wanted { numbers, names, varying };
    scan_all(py, &paths, threads, progress.as_ref(), |_, input, monitor| star::scan(input, &wanted, monitor))
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
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Vec<Table>> {
    let wanted = Wanted { numbers, names, varying: Vec::new() };
    let files = scan_all(py, &paths, threads, progress.as_ref(), |i, input, monitor| {
        Ok(vec![star::scan_rows(input, starts[i], &labels[i], &wanted, monitor)?])
    })?;
    Ok(files.into_iter().flatten().collect())
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

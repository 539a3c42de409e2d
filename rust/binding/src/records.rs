//! Files of fixed-size records.

use std::path::PathBuf;

use cryodedup_core::records::{self, Field, Values};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::arrays::Progress;
use crate::errors::to_python;
use crate::rows::Rows;
use crate::watched::run;

#[pyfunction]
#[pyo3(signature = (path, rows, fields, *, threads, progress=None))]
pub fn read_records<'py>(
    py: Python<'py>,
    path: PathBuf,
    rows: &Bound<'py, Rows>,
    fields: Vec<(usize, String)>,
    threads: usize,
    progress: Progress<'py>,
) -> PyResult<Bound<'py, PyList>> {
    let fields = fields.iter().map(|(offset, kind)| Field::new(*offset, kind)).collect::<Result<Vec<_>, _>>().map_err(to_python)?;
    let rows = &rows.get().0;
    let columns = run(py, threads, progress.as_ref(), |monitor| records::read(&path, rows, &fields, monitor))?;
    PyList::new(py, columns.into_iter().map(|values| to_object(py, values)).collect::<PyResult<Vec<_>>>()?)
}

fn to_object(py: Python<'_>, values: Values) -> PyResult<Bound<'_, PyAny>> {
    Ok(match values {
        Values::Numbers(values) => values.into_pyarray(py).into_any(),
        Values::Identifiers(values) => values.into_pyarray(py).into_any(),
        Values::Names(indices, names) => names_to_object(py, indices, &names)?,
    })
}

/// A pair of indices (uint32) and the list of distinct names (bytes).
pub fn names_to_object<'py>(py: Python<'py>, indices: Vec<u32>, names: &[Vec<u8>]) -> PyResult<Bound<'py, PyAny>> {
    let names = PyList::new(py, names.iter().map(|name| PyBytes::new(py, name)))?;
    Ok((indices.into_pyarray(py), names).into_pyobject(py)?.into_any())
}

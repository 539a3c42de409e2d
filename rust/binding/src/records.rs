//! Files of fixed-size records.

use std::path::PathBuf;

use cryodedup_core::records::{self, Field, Values};
use cryodedup_core::rows::Input;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::arrays::Progress;
use crate::errors::to_python;
use crate::watched::run;

#[pyfunction]
#[pyo3(signature = (path, start, size, count, fields, *, threads, progress=None))]
#[expect(clippy::too_many_arguments, reason = "one an option")]
pub fn read_records<'py>(
    py: Python<'py>,
    path: PathBuf,
    start: u64,
    size: usize,
    count: u64,
    fields: Vec<(usize, String)>,
    threads: usize,
    progress: Progress<'py>,
) -> PyResult<Bound<'py, PyList>> {
    let fields = fields.iter().map(|(offset, kind)| Field::new(*offset, kind)).collect::<Result<Vec<_>, _>>().map_err(to_python)?;
    let input = Input::open(&path).map_err(to_python)?;
    let columns = run(py, threads, progress.as_ref(), |monitor| records::read(&input, start, size, count, &fields, monitor))?;
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

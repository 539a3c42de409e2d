//! Files of fixed-size records.

use std::path::PathBuf;

use cryodedup_core::records::{self, Field, Number, Values};
use cryodedup_core::rows::Input;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::InputError;
use crate::watched::{run, to_python};

/// `kind` is a number's type as numpy writes it (`f4`), `uid`, or the length of a name (`S97`).
fn field(offset: usize, kind: &str) -> PyResult<Field> {
    let number = match kind {
        "f4" => Number::F32,
        "f8" => Number::F64,
        "u4" => Number::U32,
        "u8" => Number::U64,
        "i4" => Number::I32,
        "i8" => Number::I64,
        "uid" => return Ok(Field::Identifier { offset }),
        _ => {
            let length = kind.strip_prefix('S').and_then(|length| length.parse().ok());
            return match length {
                Some(length) => Ok(Field::Name { offset, length }),
                None => Err(InputError::new_err(format!("found a field of type {kind}, expected f4, f8, u4, u8, i4, i8 or S"))),
            };
        }
    };
    Ok(Field::Number { offset, number })
}

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
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let fields: Vec<Field> = fields.iter().map(|(offset, kind)| field(*offset, kind)).collect::<PyResult<_>>()?;
    let input = Input::open(&path).map_err(to_python)?;
    let columns = run(py, threads, progress.as_ref(), |monitor| records::read(&input, start, size, count, &fields, monitor))?;
    let columns: Vec<Bound<'py, PyAny>> = columns.into_iter().map(|values| to_object(py, values)).collect::<PyResult<_>>()?;
    PyList::new(py, columns)
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

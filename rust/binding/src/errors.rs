//! The exceptions for errors of the core.

use cryodedup_core::Error;
use cryodedup_core::error::text_of;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyType};

/// The exception for an error of the core.
pub fn to_python(error: Error) -> PyErr {
    match error {
        Error::Parameter { name, found, expected } => input_error("parameter", |parts| parts.set_item("field", name), &found, &expected),
        Error::Malformed { path, location, found, expected } => {
            let set = |parts: &Bound<'_, PyDict>| {
                parts.set_item("path", path)?;
                parts.set_item("line", location.line())?;
                parts.set_item("field", location.column())
            };
            input_error("malformed", set, &found, &expected)
        }
        Error::Truncated { path, found, expected } => input_error("truncated", |parts| parts.set_item("path", path), &found, &expected),
        Error::Io { path, source } => {
            let text = text_of(&source);
            match source.raw_os_error() {
                Some(code) => PyOSError::new_err((code, text, path)),
                None => PyOSError::new_err(format!("{}: {text}", path.display())),
            }
        }
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        other => PyRuntimeError::new_err(other.to_string()),
    }
}

/// An `InputError`, which makes its sentence of the parts; `place` sets those that say where.
fn input_error(kind: &str, place: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>, found: &str, expected: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Python::attach(|py| {
        let parts = [("kind", kind), ("found", found), ("expected", expected)].into_py_dict(py)?;
        place(&parts)?;
        let error = CLASS.import(py, "cryodedup.errors", "InputError")?.call((), Some(&parts))?;
        Ok(PyErr::from_value(error))
    })
    .unwrap_or_else(|failed: PyErr| failed)
}

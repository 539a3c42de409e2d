//! The exceptions for errors of the core.

use cryodedup_core::Error;
use cryodedup_core::error::text_of;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(cryodedup, InputError, PyValueError, "The user's data or parameters are wrong; one line says where.");

/// What an `InputError` says in parts; None where it does not have them.
const PARTS: [&str; 6] = ["kind", "name", "path", "line", "found", "expected"];

pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let kind = module.py().get_type::<InputError>();
    PARTS.iter().try_for_each(|part| kind.setattr(*part, module.py().None()))?;
    module.add("InputError", kind)
}

/// The exception for an error of the core.
pub fn to_python(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Parameter { name, found, expected } => input_error(text, ("parameter", Some(name), None, None, found, expected)),
        Error::Malformed { path, place, found, expected } => {
            let (line, column) = (place.line(), place.column().map(ToOwned::to_owned));
            input_error(text, ("malformed", column, Some(path), line, found, expected))
        }
        Error::Truncated { path, found, expected } => input_error(text, ("truncated", None, Some(path), None, found, expected)),
        Error::Io { path, source } => {
            let text = text_of(&source);
            match source.raw_os_error() {
                Some(code) => PyOSError::new_err((code, text, path)),
                None => PyOSError::new_err(format!("{}: {text}", path.display())),
            }
        }
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
    }
}

type Parts = (&'static str, Option<String>, Option<std::path::PathBuf>, Option<u64>, String, String);

fn input_error(text: String, parts: Parts) -> PyErr {
    Python::attach(|py| {
        let error = InputError::new_err(text);
        let set = |parts: Bound<'_, PyAny>| {
            PARTS.iter().zip(parts.try_iter()?).try_for_each(|(name, part)| error.value(py).setattr(*name, part?))
        };
        parts.into_pyobject(py).and_then(|parts| set(parts.into_any())).map_or_else(|failed| failed, |()| error)
    })
}

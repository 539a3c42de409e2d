//! Objects of the core that pickle: a result goes from one process to another, as joblib and multiprocessing send it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The arguments of the class from which pickle makes an object again.
pub fn state_of(value: &impl Serialize) -> PyResult<(Vec<u8>,)> {
    Ok((postcard::to_allocvec(value).map_err(refused)?,))
}

/// The value of such a state.
pub fn of_state<T: DeserializeOwned>(state: &[u8]) -> PyResult<T> {
    postcard::from_bytes(state).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: postcard::Error) -> PyErr {
    PyValueError::new_err(format!("not the state of an object of this version of cryodedup: {error}"))
}

//! Values that become arrays of numpy, and classes of which Python only reads.

use std::convert::Infallible;

use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;

/// Called with the units done; of a job of several stages a `cryodedup.progress.Progress`.
pub type Progress<'py> = Option<Bound<'py, PyAny>>;

/// An array (n,).
pub struct Column<T>(pub Vec<T>);

/// An array (n, width), row after row.
pub struct Image<T>(pub Vec<T>, pub usize);

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T: Copy, const N: usize> FromIterator<[T; N]> for Image<T> {
    fn from_iter<I: IntoIterator<Item = [T; N]>>(rows: I) -> Self {
        Self(rows.into_iter().flatten().collect(), N)
    }
}

impl<'py, T: Element> IntoPyObject<'py> for Column<T> {
    type Target = PyArray1<T>;
    type Output = Bound<'py, PyArray1<T>>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
        Ok(self.0.into_pyarray(py))
    }
}

impl<'py, T: Element> IntoPyObject<'py> for Image<T> {
    type Target = PyArray2<T>;
    type Output = Bound<'py, PyArray2<T>>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let rows = self.0.len() / self.1.max(1);
        self.0.into_pyarray(py).reshape([rows, self.1])
    }
}

/// The shape of an array, as its read-only view does not give it.
pub trait Shape {
    fn shape_of(&self) -> [usize; 2];
}

impl<T: Element> Shape for PyReadonlyArray2<'_, T> {
    fn shape_of(&self) -> [usize; 2] {
        let view = self.as_array();
        [view.nrows(), view.ncols()]
    }
}

/// A class around a value of the core, which Python reads by these names.
macro_rules! readable {
    ($class:ident($inner:ty) { $($name:ident: $type:ty = $of:expr;)+ }) => {
        #[pyclass(frozen, from_py_object, module = "cryodedup._core")]
        #[derive(Clone)]
        pub struct $class(pub $inner);

        #[pymethods]
        impl $class {
            $(#[getter]
            fn $name(&self) -> $type {
                let of: fn(&$inner) -> $type = $of;
                of(&self.0)
            })+
        }
    };
}
pub(crate) use readable;

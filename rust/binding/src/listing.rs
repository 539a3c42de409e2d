//! The table of rejected particles.

use std::path::PathBuf;

use cryodedup_core::particles::{Listing, write_listing as write};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::Shape;
use crate::watched::run;

#[pyfunction]
#[pyo3(signature = (path, rejected, kept, distances_a, coordinates_a, micrograph_of, micrographs, scores, uids, sources, *, threads))]
#[expect(clippy::too_many_arguments, reason = "one a column")]
pub fn write_listing(
    py: Python<'_>,
    path: PathBuf,
    rejected: PyReadonlyArray1<'_, u64>,
    kept: PyReadonlyArray1<'_, u64>,
    distances_a: PyReadonlyArray1<'_, f64>,
    coordinates_a: PyReadonlyArray2<'_, f64>,
    micrograph_of: PyReadonlyArray1<'_, u32>,
    micrographs: Vec<String>,
    scores: Option<PyReadonlyArray1<'_, f64>>,
    uids: Option<PyReadonlyArray1<'_, u64>>,
    sources: Vec<(String, u64, bool)>,
    threads: usize,
) -> PyResult<()> {
    let listing = Listing {
        rejected: rejected.as_slice()?,
        kept: kept.as_slice()?,
        distances_a: distances_a.as_slice()?,
        coordinates_a: coordinates_a.as_slice()?,
        dimensions: coordinates_a.shape_of()[1],
        micrograph_of: micrograph_of.as_slice()?,
        micrographs: &micrographs,
        scores: scores.as_ref().map(|scores| scores.as_slice()).transpose()?,
        uids: uids.as_ref().map(|uids| uids.as_slice()).transpose()?,
        sources: &sources,
    };
    run(py, threads, None, |monitor| write(&path, &listing, monitor))
}

//! Duplicates among particles.

use cryodedup_core::particles::{self, HalfPairs as Counts, Particles, Rule};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{Column, Image, Progress, Shape, readable};
use crate::watched::run;

/// Anything that has these columns.
#[derive(FromPyObject)]
pub struct Points<'py> {
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    scores: Option<PyReadonlyArray1<'py, f64>>,
    priority: Option<PyReadonlyArray1<'py, u32>>,
}

impl Points<'_> {
    fn core(&self) -> PyResult<Particles<'_>> {
        Ok(Particles {
            coordinates: self.coordinates.as_slice()?,
            dimensions: self.coordinates.shape_of()[1],
            groups: self.groups.as_ref().map(|groups| groups.as_slice()).transpose()?,
            scores: self.scores.as_ref().map(|scores| scores.as_slice()).transpose()?,
            priority: self.priority.as_ref().map(|priority| priority.as_slice()).transpose()?,
        })
    }
}

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Duplicates {
    kept: Py<PyArray1<bool>>,
    rejected: Py<PyArray1<i64>>,
    duplicate_of: Py<PyArray1<i64>>,
    distances: Py<PyArray1<f64>>,
}

readable! {
    HalfPairs(Counts) {
        within_one: u64 = |found| found.within_one;
        within_two: u64 = |found| found.within_two;
        across: u64 = |found| found.across;
        concerned: u64 = |found| found.concerned;
    }
}

#[pyfunction]
#[pyo3(signature = (points, min_separation, *, half_vectors=None, remove_entirely=false, threads, progress=None))]
pub fn deduplicate<'py>(
    py: Python<'py>,
    points: Points<'py>,
    min_separation: f64,
    half_vectors: Option<PyReadonlyArray2<'py, f64>>,
    remove_entirely: bool,
    threads: usize,
    progress: Progress<'py>,
) -> PyResult<Duplicates> {
    let (points, rule) = (points.core()?, if remove_entirely { Rule::RemoveEntirely } else { Rule::KeepBest });
    let half_vectors = half_vectors.as_ref().map(|vectors| vectors.as_slice()).transpose()?;
    let found = run(py, threads, progress.as_ref(), |monitor| match half_vectors {
        None => particles::deduplicate(&points, min_separation, rule, monitor),
        Some(vectors) => particles::deduplicate_filaments(&points, vectors, min_separation, rule, monitor),
    })?;
    Ok(Duplicates {
        kept: found.kept.into_pyarray(py).unbind(),
        rejected: found.rejected.into_pyarray(py).unbind(),
        duplicate_of: found.duplicate_of.into_pyarray(py).unbind(),
        distances: found.distances.into_pyarray(py).unbind(),
    })
}

#[pyfunction]
#[pyo3(signature = (points, sources, n_sources, separation, *, threads))]
pub fn overlaps(
    py: Python<'_>,
    points: Points<'_>,
    sources: PyReadonlyArray1<'_, u32>,
    n_sources: usize,
    separation: f64,
    threads: usize,
) -> PyResult<Image<u64>> {
    let (points, sources) = (points.core()?, sources.as_slice()?);
    let counts = run(py, threads, None, |monitor| particles::overlaps(&points, sources, n_sources, separation, monitor))?;
    Ok(Image(counts, n_sources))
}

#[pyfunction]
#[pyo3(signature = (points, reach, *, threads))]
pub fn nearest(py: Python<'_>, points: Points<'_>, reach: f64, threads: usize) -> PyResult<Column<f32>> {
    let points = points.core()?;
    run(py, threads, None, |monitor| particles::nearest(&points, reach, monitor)).map(Column)
}

#[pyfunction]
#[pyo3(signature = (points, halves, separation, *, threads))]
pub fn half_pairs(
    py: Python<'_>,
    points: Points<'_>,
    halves: PyReadonlyArray1<'_, u8>,
    separation: f64,
    threads: usize,
) -> PyResult<HalfPairs> {
    let (points, halves) = (points.core()?, halves.as_slice()?);
    run(py, threads, None, |monitor| particles::half_pairs(&points, halves, separation, monitor)).map(HalfPairs)
}

#[pyfunction]
#[pyo3(signature = (points, separation, *, threads))]
pub fn components(py: Python<'_>, points: Points<'_>, separation: f64, threads: usize) -> PyResult<Column<u32>> {
    let points = points.core()?;
    run(py, threads, None, |monitor| particles::components(&points, separation, monitor)).map(Column)
}

#[pyfunction]
#[pyo3(signature = (points, separations, *, threads))]
pub fn kept_at(py: Python<'_>, points: Points<'_>, separations: Vec<f64>, threads: usize) -> PyResult<Vec<u64>> {
    let points = points.core()?;
    run(py, threads, None, |monitor| particles::kept_at(&points, &separations, monitor))
}

//! Duplicates among particles.

use cryodedup_core::particles::{self, Particles, Rule};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::watched::run;

/// What stays, as arrays of numpy.
#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Duplicates {
    kept: Py<PyArray1<bool>>,
    rejected: Py<PyArray1<i64>>,
    duplicate_of: Py<PyArray1<i64>>,
    distances: Py<PyArray1<f64>>,
}

/// Pairs of duplicates by half-set.
#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct HalfPairs {
    within_one: u64,
    within_two: u64,
    across: u64,
    concerned: u64,
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, scores, priority, min_separation, *, remove_entirely, threads, progress=None))]
#[expect(clippy::too_many_arguments, reason = "one a column or option")]
pub fn deduplicate<'py>(
    py: Python<'py>,
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    scores: Option<PyReadonlyArray1<'py, f64>>,
    priority: Option<PyReadonlyArray1<'py, u32>>,
    min_separation: f64,
    remove_entirely: bool,
    threads: usize,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Duplicates> {
    let problem = problem(&coordinates, groups.as_ref(), scores.as_ref(), priority.as_ref())?;
    let rule = if remove_entirely { Rule::RemoveEntirely } else { Rule::KeepBest };
    let found = run(py, threads, progress.as_ref(), |monitor| particles::deduplicate(&problem, min_separation, rule, monitor))?;
    Ok(Duplicates {
        kept: found.kept.into_pyarray(py).unbind(),
        rejected: found.rejected.into_pyarray(py).unbind(),
        duplicate_of: found.duplicate_of.into_pyarray(py).unbind(),
        distances: found.distances.into_pyarray(py).unbind(),
    })
}

/// The shape of an array, as its read-only view does not give it.
pub trait Shape {
    fn shape_of(&self) -> [usize; 2];
}

impl<T: numpy::Element> Shape for PyReadonlyArray2<'_, T> {
    fn shape_of(&self) -> [usize; 2] {
        let view = self.as_array();
        [view.nrows(), view.ncols()]
    }
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, sources, n_sources, min_separation, *, threads))]
pub fn overlaps<'py>(
    py: Python<'py>,
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    sources: PyReadonlyArray1<'py, u32>,
    n_sources: usize,
    min_separation: f64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let problem = problem(&coordinates, groups.as_ref(), None, None)?;
    let sources = sources.as_slice()?;
    let counts = run(py, threads, None, |monitor| particles::overlaps(&problem, sources, n_sources, min_separation, monitor))?;
    counts.into_pyarray(py).reshape([n_sources, n_sources])
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, reach, *, threads))]
pub fn nearest<'py>(
    py: Python<'py>,
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    reach: f64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let problem = problem(&coordinates, groups.as_ref(), None, None)?;
    Ok(run(py, threads, None, |monitor| particles::nearest(&problem, reach, monitor))?.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, halves, separation, *, threads))]
pub fn half_pairs(
    py: Python<'_>,
    coordinates: PyReadonlyArray2<'_, f64>,
    groups: Option<PyReadonlyArray1<'_, u32>>,
    halves: PyReadonlyArray1<'_, u8>,
    separation: f64,
    threads: usize,
) -> PyResult<HalfPairs> {
    let problem = problem(&coordinates, groups.as_ref(), None, None)?;
    let halves = halves.as_slice()?;
    let found = run(py, threads, None, |monitor| particles::half_pairs(&problem, halves, separation, monitor))?;
    Ok(HalfPairs { within_one: found.within_one, within_two: found.within_two, across: found.across, concerned: found.concerned })
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, scores, priority, separation, *, threads))]
pub fn components<'py>(
    py: Python<'py>,
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    scores: Option<PyReadonlyArray1<'py, f64>>,
    priority: Option<PyReadonlyArray1<'py, u32>>,
    separation: f64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let problem = problem(&coordinates, groups.as_ref(), scores.as_ref(), priority.as_ref())?;
    Ok(run(py, threads, None, |monitor| particles::components(&problem, separation, monitor))?.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (coordinates, groups, scores, priority, separations, *, threads))]
pub fn kept_at(
    py: Python<'_>,
    coordinates: PyReadonlyArray2<'_, f64>,
    groups: Option<PyReadonlyArray1<'_, u32>>,
    scores: Option<PyReadonlyArray1<'_, f64>>,
    priority: Option<PyReadonlyArray1<'_, u32>>,
    separations: Vec<f64>,
    threads: usize,
) -> PyResult<Vec<u64>> {
    let problem = problem(&coordinates, groups.as_ref(), scores.as_ref(), priority.as_ref())?;
    run(py, threads, None, |monitor| particles::kept_at(&problem, &separations, monitor))
}

fn problem<'a>(
    coordinates: &'a PyReadonlyArray2<'_, f64>,
    groups: Option<&'a PyReadonlyArray1<'_, u32>>,
    scores: Option<&'a PyReadonlyArray1<'_, f64>>,
    priority: Option<&'a PyReadonlyArray1<'_, u32>>,
) -> PyResult<Particles<'a>> {
    Ok(Particles {
        coordinates: coordinates.as_slice()?,
        dimensions: coordinates.shape_of()[1],
        groups: groups.map(|groups| groups.as_slice()).transpose()?,
        scores: scores.map(|scores| scores.as_slice()).transpose()?,
        priority: priority.map(|priority| priority.as_slice()).transpose()?,
    })
}

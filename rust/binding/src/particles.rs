//! Duplicates among particles.

use cryodedup_core::particles::{self, Particles, Rule};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::watched::run;

type Columns<'py> = (Bound<'py, PyArray1<bool>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>);

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
) -> PyResult<Columns<'py>> {
    let problem = problem(&coordinates, groups.as_ref(), scores.as_ref(), priority.as_ref())?;
    let dimensions = problem.dimensions;
    let rule = if remove_entirely { Rule::RemoveEntirely } else { Rule::KeepBest };
    let (kept, rejected, of, distances) = run(py, threads, progress.as_ref(), |monitor| {
        let duplicate_of = particles::deduplicate(&problem, min_separation, rule, monitor)?;
        let point = |i: usize| &problem.coordinates[i * dimensions..(i + 1) * dimensions];
        let kept: Vec<bool> = duplicate_of.par_iter().enumerate().map(|(i, &of)| i as u32 == of).collect();
        let rejected: Vec<i64> = (0..kept.len()).into_par_iter().filter(|&i| !kept[i]).map(to_i64).collect();
        let of: Vec<i64> = rejected.iter().map(|&i| i64::from(duplicate_of[i as usize])).collect();
        let distance =
            |(&i, &of): (&i64, &i64)| point(i as usize).iter().zip(point(of as usize)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let distances: Vec<f64> = rejected.iter().zip(&of).map(distance).collect();
        Ok((kept, rejected, of, distances))
    })?;
    Ok((kept.into_pyarray(py), rejected.into_pyarray(py), of.into_pyarray(py), distances.into_pyarray(py)))
}

/// At most `i32::MAX` particles were admitted.
fn to_i64(i: usize) -> i64 {
    i64::try_from(i).unwrap_or(i64::MAX)
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
#[pyo3(signature = (coordinates, groups, reach, *, enough, threads))]
pub fn nearest<'py>(
    py: Python<'py>,
    coordinates: PyReadonlyArray2<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, u32>>,
    reach: f64,
    enough: f64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let problem = problem(&coordinates, groups.as_ref(), None, None)?;
    Ok(run(py, threads, None, |monitor| particles::nearest(&problem, reach, enough, monitor))?.into_pyarray(py))
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
) -> PyResult<(u64, u64, u64, u64)> {
    let problem = problem(&coordinates, groups.as_ref(), None, None)?;
    let halves = halves.as_slice()?;
    let found = run(py, threads, None, |monitor| particles::half_pairs(&problem, halves, separation, monitor))?;
    Ok((found.within_one, found.within_two, found.across, found.concerned))
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

//! Duplicates among micrographs.

use std::sync::Arc;

use cryodedup_core::micrographs::search::{self, Alignment, Confirmed as Measures, Match};
use cryodedup_core::micrographs::{Band, single_images};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{Column, Image, Shape, readable};
use crate::errors::to_python;

pub type BandOf = (f32, f32, f32);

/// Anything that has these columns.
#[derive(FromPyObject)]
pub struct Alignments<'py> {
    pairs: PyReadonlyArray2<'py, u32>,
    shift_reduced_px: PyReadonlyArray2<'py, f64>,
    turn_deg: PyReadonlyArray1<'py, f64>,
}

impl Alignments<'_> {
    pub fn among(&self, n: usize) -> PyResult<Vec<Alignment>> {
        search::alignments(self.pairs.as_slice()?, self.shift_reduced_px.as_slice()?, self.turn_deg.as_slice()?, n).map_err(to_python)
    }
}

readable! {
    Matches(Arc<Vec<Match>>) {
        z: Column<f32> = |found| found.iter().map(|one| one.z).collect();
        shift_reduced_px: Image<f32> = |found| found.iter().map(|one| <[f32; 2]>::from(one.shift)).collect();
        z_at_zero: Column<f32> = |found| found.iter().map(|one| one.z_at_zero).collect();
        z_next: Column<f32> = |found| found.iter().map(|one| one.z_next).collect();
    }
}

readable! {
    Confirmed(Arc<Vec<Measures>>) {
        shift_reduced_px: Image<f64> = |found| found.iter().map(|one| <[f64; 2]>::from(one.shift)).collect();
        ncc: Column<f64> = |found| found.iter().map(|one| one.ncc).collect();
        ccc: Column<f64> = |found| found.iter().map(|one| one.ccc).collect();
        overlap: Column<f64> = |found| found.iter().map(|one| one.overlap).collect();
        rotation_deg: Column<f64> = |found| found.iter().map(|one| one.turn_deg).collect();
        scale: Column<f64> = |found| found.iter().map(|one| one.scale).collect();
    }
}

/// The correlation of two images at their best shift.
#[pyclass(frozen, get_all, eq, module = "cryodedup._core")]
#[derive(PartialEq)]
pub struct Correlation {
    shift_px: (f64, f64),
    ncc: f64,
    ccc: f64,
    overlap: f64,
    z: f64,
}

#[pymethods]
impl Correlation {
    fn __repr__(&self) -> String {
        let Self { shift_px, ncc, ccc, overlap, z } = self;
        format!("Correlation(shift_px={shift_px:?}, ncc={ncc:?}, ccc={ccc:?}, overlap={overlap:?}, z={z:?})")
    }
}

#[pyfunction]
#[pyo3(signature = (image, *, bin, band))]
pub fn prepare_image(py: Python<'_>, image: PyReadonlyArray2<'_, f32>, bin: usize, band: BandOf) -> PyResult<Image<f32>> {
    let (pixels, width) = (image.as_slice()?, image.shape_of()[1]);
    let found = py.detach(|| single_images::prepare(pixels, width, bin, to_band(band)));
    found.map(|(pixels, width)| Image(pixels, width)).map_err(to_python)
}

#[pyfunction]
#[pyo3(signature = (first, second, *, max_shift_px=None))]
pub fn correlate(
    py: Python<'_>,
    first: PyReadonlyArray2<'_, f32>,
    second: PyReadonlyArray2<'_, f32>,
    max_shift_px: Option<f64>,
) -> PyResult<Correlation> {
    let shapes = [first.shape_of(), second.shape_of()];
    let (first, second) = (first.as_slice()?, second.as_slice()?);
    let found = py.detach(|| single_images::correlate(first, second, shapes, max_shift_px)).map_err(to_python)?;
    let single_images::Correlation { shift, ncc, ccc, overlap, z } = found;
    Ok(Correlation { shift_px: shift, ncc, ccc, overlap, z })
}

pub fn to_band((highpass, lowpass, falloff): BandOf) -> Band {
    Band { highpass, lowpass, falloff }
}

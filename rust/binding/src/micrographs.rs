//! Duplicates among micrographs.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::Error;
use cryodedup_core::micrographs::cache::{Kind, Record};
use cryodedup_core::micrographs::{self, Band, Candidate, Confirmed, Matcher, Place, Seen, Sensitivity, Warp};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::{InputError, to_python};
use crate::particles::Shape;
use crate::preparation::AnyRecord;
use crate::watched::run;

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Session(Arc<micrographs::Session>);

type Pairs<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray1<f32>>);
/// Significances and shifts.
type Places<'py> = (Bound<'py, PyArray1<f32>>, Bound<'py, PyArray2<f32>>);
/// Pairs, grid, group size, least height of a pair and of a group, pairs with mirrored ones, predictions.
type Report = (u64, (usize, usize), usize, f32, f32, u64, Vec<(usize, f64)>);

#[pymethods]
impl Session {
    #[staticmethod]
    #[pyo3(signature = (cache, records, *, band, maps=vec![], threads, progress=None))]
    fn load(
        py: Python<'_>,
        cache: PathBuf,
        records: Vec<AnyRecord>,
        band: (f32, f32, f32),
        maps: Vec<[[f64; 2]; 2]>,
        threads: usize,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let records: Vec<Record> = records
            .into_iter()
            .map(|(pixels_at, width, height, sd, mean, _, masked)| Record { pixels_at, width, height, sd, mean, kind: Kind::Image, masked })
            .collect();
        let maps: Vec<Warp> = maps.into_iter().map(Warp).collect();
        let load = |monitor: &_| micrographs::Session::load(&cache, &records, to_band(band), maps, monitor);
        let session = run(py, threads, progress.as_ref(), load)?;
        Ok(Self(Arc::new(session)))
    }

    #[staticmethod]
    fn of_views(views: PyReadonlyArray2<'_, i8>, width: usize, signal: f32) -> PyResult<Self> {
        let height = views.shape_of()[1] / width;
        Ok(Self(Arc::new(micrographs::Session::of_views((width, height), views.as_slice()?.to_vec(), signal))))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn view_size(&self) -> (usize, usize) {
        self.0.view_size
    }

    #[getter]
    fn signal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let shape = [self.0.len(), self.0.signal.first().map_or(0, |row| row.len())];
        self.0.signal.concat().into_pyarray(py).reshape(shape)
    }

    #[pyo3(signature = (sensitivity, most, *, turns_deg, threads, progress=None))]
    fn screen<'py>(
        &self,
        py: Python<'py>,
        sensitivity: &str,
        most: Option<f64>,
        turns_deg: Vec<f64>,
        threads: usize,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Pairs<'py>, Pairs<'py>, Report)> {
        let sensitivity = match sensitivity {
            "fast" => Sensitivity::Fast,
            "auto" => Sensitivity::Auto,
            _ => Sensitivity::Full,
        };
        let found = run(py, threads, progress.as_ref(), |monitor| micrographs::screen(&self.0, sensitivity, most, &turns_deg, monitor))?;
        let done = found.screening;
        let report =
            (done.pairs, done.grid, done.group_size, done.least.elsewhere, done.least_of_group.elsewhere, done.decoy_pairs, done.predicted);
        Ok((to_pairs(py, &found.candidates)?, to_pairs(py, &found.decoys)?, report))
    }

    #[pyo3(signature = (pairs, most, *, mirrored, turn_deg=0.0, threads, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "one an option")]
    #[expect(clippy::type_complexity, reason = "four columns")]
    fn find<'py>(
        &self,
        py: Python<'py>,
        pairs: PyReadonlyArray2<'py, u32>,
        most: Option<f64>,
        mirrored: bool,
        turn_deg: f64,
        threads: usize,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyArray1<f32>>, Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<f32>>)> {
        let pairs = self.pairs(&pairs)?;
        let seen = Seen { mirrored, warp: Warp::of(turn_deg, 1.0) };
        let found = run(py, threads, progress.as_ref(), |monitor| Matcher::new(&self.0, most).find(&pairs, seen, monitor))?;
        let z: Vec<f32> = found.iter().map(|found| found.z).collect();
        let shifts: Vec<f32> = found.iter().flat_map(|found| [found.shift.0, found.shift.1]).collect();
        let at_zero: Vec<f32> = found.iter().map(|found| found.z_at_zero).collect();
        let next: Vec<f32> = found.iter().map(|found| found.z_next).collect();
        Ok((z.into_pyarray(py), shifts.into_pyarray(py).reshape([found.len(), 2])?, at_zero.into_pyarray(py), next.into_pyarray(py)))
    }

    #[pyo3(signature = (pairs, shifts, turns_deg, *, threads))]
    fn find_near<'py>(
        &self,
        py: Python<'py>,
        pairs: PyReadonlyArray2<'py, u32>,
        shifts: PyReadonlyArray2<'py, f32>,
        turns_deg: PyReadonlyArray1<'py, f32>,
        threads: usize,
    ) -> PyResult<Places<'py>> {
        let places = self.places(&pairs, &shifts, &turns_deg)?;
        let found = run(py, threads, None, |monitor| Matcher::new(&self.0, None).find_near(&places, monitor))?;
        let z: Vec<f32> = found.iter().map(|found| found.z).collect();
        let shifts: Vec<f32> = found.iter().flat_map(|found| [found.shift.0, found.shift.1]).collect();
        Ok((z.into_pyarray(py), shifts.into_pyarray(py).reshape([found.len(), 2])?))
    }

    #[pyo3(signature = (pairs, shifts, turns_deg, *, band, threads, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "one a column or option")]
    fn confirm<'py>(
        &self,
        py: Python<'py>,
        pairs: PyReadonlyArray2<'py, u32>,
        shifts: PyReadonlyArray2<'py, f32>,
        turns_deg: PyReadonlyArray1<'py, f32>,
        band: (f32, f32, f32),
        threads: usize,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let places = self.places(&pairs, &shifts, &turns_deg)?;
        let found = run(py, threads, progress.as_ref(), |monitor| micrographs::confirm(&self.0, to_band(band), &places, monitor))?;
        let row = |found: &Confirmed| [found.shift.0, found.shift.1, found.ncc, found.ccc, found.overlap, found.turn_deg, found.scale];
        let columns: Vec<f64> = found.iter().flat_map(row).collect();
        columns.into_pyarray(py).reshape([found.len(), 7])
    }
}

impl Session {
    fn places(
        &self,
        pairs: &PyReadonlyArray2<'_, u32>,
        shifts: &PyReadonlyArray2<'_, f32>,
        turns_deg: &PyReadonlyArray1<'_, f32>,
    ) -> PyResult<Vec<Place>> {
        let pairs = self.pairs(pairs)?;
        let (shifts, turns) = (shifts.as_slice()?.as_chunks::<2>().0, turns_deg.as_slice()?);
        if shifts.len() != pairs.len() || turns.len() != pairs.len() {
            let text = format!("found {} shifts and {} turns, expected one for each of {} pairs", shifts.len(), turns.len(), pairs.len());
            return Err(InputError::new_err(text));
        }
        let place =
            |((pair, shift), turn): ((&(u32, u32), &[f32; 2]), &f32)| Place { pair: *pair, shift: (shift[0], shift[1]), turn_deg: *turn };
        Ok(pairs.iter().zip(shifts).zip(turns).map(place).collect())
    }

    fn pairs(&self, pairs: &PyReadonlyArray2<'_, u32>) -> PyResult<Vec<(u32, u32)>> {
        let n = self.0.len() as u32;
        let pairs: Vec<(u32, u32)> = pairs.as_slice()?.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        match pairs.iter().find(|(i, j)| *i >= n || *j >= n) {
            Some(pair) => Err(InputError::new_err(format!("found pair {pair:?}, expected numbers below {n}"))),
            None => Ok(pairs),
        }
    }
}

fn to_band((highpass, lowpass, falloff): (f32, f32, f32)) -> Band {
    Band { highpass, lowpass, falloff }
}

fn to_pairs<'py>(py: Python<'py>, candidates: &[Candidate]) -> PyResult<Pairs<'py>> {
    let pairs: Vec<u32> = candidates.iter().flat_map(|candidate| [candidate.i, candidate.j]).collect();
    let heights: Vec<f32> = candidates.iter().map(|candidate| candidate.z).collect();
    Ok((pairs.into_pyarray(py).reshape([candidates.len(), 2])?, heights.into_pyarray(py)))
}

#[pyfunction]
#[pyo3(signature = (image, *, bin, band))]
pub fn prepare_image<'py>(
    py: Python<'py>,
    image: PyReadonlyArray2<'py, f32>,
    bin: usize,
    band: (f32, f32, f32),
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let [rows, columns] = image.shape_of();
    if bin == 0 || rows.min(columns) < 2 * bin {
        return Err(InputError::new_err(format!(
            "image: found {rows} x {columns} pixels, expected at least two bins of {bin} along each side"
        )));
    }
    let (pixels, width) = micrographs::prepare_image(image.as_slice()?, columns, bin, to_band(band)).map_err(to_python)?;
    let rows = pixels.len() / width;
    pixels.into_pyarray(py).reshape([rows, width])
}

/// Shift, ncc, ccc, overlap, z.
type Fit = ((f64, f64), f64, f64, f64, f64);

#[pyfunction]
#[pyo3(signature = (first, second, *, most=None))]
pub fn correlate(first: PyReadonlyArray2<'_, f32>, second: PyReadonlyArray2<'_, f32>, most: Option<f64>) -> PyResult<Fit> {
    if first.shape_of() != second.shape_of() || first.shape_of().contains(&0) {
        return Err(to_python(Error::input(format!(
            "found images of shapes {:?} and {:?}, expected two of one shape",
            first.shape_of(),
            second.shape_of()
        ))));
    }
    let fit = micrographs::correlate(first.as_slice()?, second.as_slice()?, first.shape_of()[1], most);
    Ok((fit.shift, fit.ncc, fit.ccc, fit.overlap, fit.z))
}

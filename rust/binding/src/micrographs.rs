//! Duplicates among micrographs.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::search::{self, Candidate, Lead, Lists, Matcher, Place, Questions as CoreQuestions, Sensitivity, Shots};
use cryodedup_core::micrographs::{self, Band, Seen, Warp, single_images};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::{InputError, to_python};
use crate::particles::Shape;
use crate::preparation::{Record, to_image};
use crate::watched::run;

pub type Progress<'py> = Option<Bound<'py, PyAny>>;
type Column1<'py, T> = PyReadonlyArray1<'py, T>;
type Pairs<'py> = PyReadonlyArray2<'py, u32>;
type BandOf = (f32, f32, f32);
type Column<T> = Py<PyArray1<T>>;
type Table<T> = Py<PyArray2<T>>;

/// Anything that has these columns.
#[derive(FromPyObject)]
struct Places<'py> {
    pairs: Pairs<'py>,
    shift_px: PyReadonlyArray2<'py, f64>,
    turn_deg: Column1<'py, f64>,
}

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Screening {
    pairs: Table<u32>,
    decoys: Table<u32>,
    tested: u64,
    decoys_tested: u64,
    grid: Option<(usize, usize)>,
    pool_size: usize,
    min_z: f32,
    min_z_of_pool: f32,
    predicted_recall: Vec<(usize, f64)>,
}

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Matches {
    z: Column<f32>,
    shift_px: Table<f32>,
    z_at_zero: Column<f32>,
    z_next: Column<f32>,
}

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Confirmed {
    shift_px: Table<f64>,
    ncc: Column<f64>,
    ccc: Column<f64>,
    overlap: Column<f64>,
    rotation_deg: Column<f64>,
    scale: Column<f64>,
}

/// How well two images fit at their best shift.
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

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Session(Arc<micrographs::Session>);

#[pymethods]
impl Session {
    #[staticmethod]
    #[pyo3(signature = (cache, records, *, band, maps=vec![], threads, progress=None))]
    fn load(
        py: Python<'_>,
        cache: PathBuf,
        records: Vec<Record>,
        band: BandOf,
        maps: Vec<[[f64; 2]; 2]>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
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

    #[pyo3(signature = (sensitivity, max_shift_px, *, turns_deg, threads, progress=None))]
    fn screen(
        &self,
        py: Python<'_>,
        sensitivity: &str,
        max_shift_px: Option<f64>,
        turns_deg: Vec<f64>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Screening> {
        let sensitivity = match sensitivity {
            "fast" => Sensitivity::Fast,
            "auto" => Sensitivity::Auto,
            _ => Sensitivity::Full,
        };
        let screen = |monitor: &_| search::screen(&self.0, sensitivity, max_shift_px, &turns_deg, monitor);
        let found = run(py, threads, progress.as_ref(), screen)?;
        let done = found.screening;
        let pairs = |candidates: &[Candidate]| table(py, candidates.iter().map(|candidate| [candidate.i, candidate.j]));
        Ok(Screening {
            pairs: pairs(&found.candidates)?,
            decoys: pairs(&found.decoys)?,
            tested: done.pairs,
            decoys_tested: done.decoy_pairs,
            grid: (done.grid != (0, 0)).then_some(done.grid),
            pool_size: done.pool_size,
            min_z: done.threshold.elsewhere,
            min_z_of_pool: done.pool_threshold.elsewhere,
            predicted_recall: done.predicted,
        })
    }

    #[pyo3(signature = (pairs, max_shift_px, *, mirrored, turn_deg=0.0, threads, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "one an option")]
    fn find(
        &self,
        py: Python<'_>,
        pairs: Pairs<'_>,
        max_shift_px: Option<f64>,
        mirrored: bool,
        turn_deg: f64,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Matches> {
        let pairs = checked(&pairs, self.0.len())?;
        let seen = Seen { mirrored, warp: Warp::of(turn_deg, 1.0) };
        let find = |monitor: &_| Matcher::new(&self.0, max_shift_px).find(&pairs, seen, monitor);
        matches(py, &run(py, threads, progress.as_ref(), find)?)
    }

    #[pyo3(signature = (places, *, threads))]
    fn find_near(&self, py: Python<'_>, places: Places<'_>, threads: usize) -> PyResult<Matches> {
        let places = self.places(&places)?;
        matches(py, &run(py, threads, None, |monitor| Matcher::new(&self.0, None).find_near(&places, monitor))?)
    }

    #[pyo3(signature = (places, *, band, threads, progress=None))]
    fn confirm(&self, py: Python<'_>, places: Places<'_>, band: BandOf, threads: usize, progress: Progress<'_>) -> PyResult<Confirmed> {
        let places = self.places(&places)?;
        let found = run(py, threads, progress.as_ref(), |monitor| search::confirm(&self.0, to_band(band), &places, monitor))?;
        Ok(Confirmed {
            shift_px: table(py, found.iter().map(|found| [found.shift.0, found.shift.1]))?,
            ncc: column(py, found.iter().map(|found| found.ncc)),
            ccc: column(py, found.iter().map(|found| found.ccc)),
            overlap: column(py, found.iter().map(|found| found.overlap)),
            rotation_deg: column(py, found.iter().map(|found| found.turn_deg)),
            scale: column(py, found.iter().map(|found| found.scale)),
        })
    }
}

impl Session {
    fn places(&self, places: &Places<'_>) -> PyResult<Vec<Place>> {
        let pairs = checked(&places.pairs, self.0.len())?;
        let (shifts, turns) = (places.shift_px.as_slice()?.as_chunks::<2>().0, places.turn_deg.as_slice()?);
        if shifts.len() != pairs.len() || turns.len() != pairs.len() {
            let text = format!("found {} shifts and {} turns, expected one for each of {} pairs", shifts.len(), turns.len(), pairs.len());
            return Err(InputError::new_err(text));
        }
        let place = |((&pair, &[x, y]), &turn): ((&(u32, u32), &[f64; 2]), &f64)| Place {
            pair,
            shift: (x as f32, y as f32),
            turn_deg: turn as f32,
        };
        Ok(pairs.iter().zip(shifts).zip(turns).map(place).collect())
    }
}

/// Pairs of numbers below `n`.
fn checked(pairs: &Pairs<'_>, n: usize) -> PyResult<Vec<(u32, u32)>> {
    let pairs: Vec<(u32, u32)> = pairs.as_slice()?.as_chunks().0.iter().map(|&[i, j]| (i, j)).collect();
    match pairs.iter().find(|(i, j)| *i.max(j) as usize >= n) {
        Some(pair) => Err(InputError::new_err(format!("found pair {pair:?}, expected numbers below {n}"))),
        None => Ok(pairs),
    }
}

fn column<T: numpy::Element>(py: Python<'_>, values: impl Iterator<Item = T>) -> Column<T> {
    values.collect::<Vec<T>>().into_pyarray(py).unbind()
}

fn table<T: numpy::Element + Copy, const N: usize>(py: Python<'_>, rows: impl ExactSizeIterator<Item = [T; N]>) -> PyResult<Table<T>> {
    let n = rows.len();
    Ok(rows.flatten().collect::<Vec<T>>().into_pyarray(py).reshape([n, N])?.unbind())
}

fn matches(py: Python<'_>, found: &[search::Match]) -> PyResult<Matches> {
    Ok(Matches {
        z: column(py, found.iter().map(|found| found.z)),
        shift_px: table(py, found.iter().map(|found| [found.shift.0, found.shift.1]))?,
        z_at_zero: column(py, found.iter().map(|found| found.z_at_zero)),
        z_next: column(py, found.iter().map(|found| found.z_next)),
    })
}

fn to_band((highpass, lowpass, falloff): BandOf) -> Band {
    Band { highpass, lowpass, falloff }
}

fn lists(py: Python<'_>, lists: Lists) -> (Column<u32>, Column<u64>) {
    (lists.values.into_pyarray(py).unbind(), lists.starts.into_pyarray(py).unbind())
}

#[pyclass(frozen, get_all, module = "cryodedup._core")]
pub struct Questions {
    pairs: Table<u32>,
    shift_px: Table<f64>,
    turn_deg: Column<f64>,
    members: (Column<u32>, Column<u64>),
    decoys: (Column<u32>, Column<u64>),
    decoy_members: (Column<u32>, Column<u64>),
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Leads(Shots, Vec<Lead>);

#[pymethods]
impl Leads {
    #[new]
    #[pyo3(signature = (places, *, by_place, holes, shots))]
    fn new(places: Places<'_>, by_place: Column1<'_, bool>, holes: Column1<'_, u32>, shots: Column1<'_, u32>) -> PyResult<Self> {
        let shots = Shots::new(holes.as_slice()?.to_vec(), shots.as_slice()?.to_vec());
        let pairs = checked(&places.pairs, shots.len())?;
        let at = places.shift_px.as_slice()?.as_chunks::<2>().0.iter().zip(places.turn_deg.as_slice()?);
        let leads = pairs.iter().zip(at).zip(by_place.as_slice()?);
        let leads = leads.map(|((&pair, (&[x, y], &turn)), &by_place)| Lead::new(&shots, pair, [x, y, turn], by_place)).collect();
        Ok(Self(shots, leads))
    }

    #[getter]
    fn by_name(&self, py: Python<'_>) -> Column<bool> {
        column(py, self.1.iter().map(|lead| lead.by_name))
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> PyResult<Table<u32>> {
        table(py, self.1.iter().flat_map(|lead| &lead.members).map(|&(a, b)| [a, b]).collect::<Vec<_>>().into_iter())
    }

    #[getter]
    fn candidates(&self, py: Python<'_>) -> Column<i64> {
        column(py, self.1.iter().map(|lead| lead.candidates(&self.0).count() as i64))
    }

    fn ask(&self, py: Python<'_>, chosen: Vec<Vec<u32>>) -> PyResult<Questions> {
        let asked = CoreQuestions::new(&self.0, &self.1, chosen.iter().map(Vec::as_slice));
        Ok(Questions {
            pairs: table(py, asked.pairs.iter().map(|&(i, j)| [i, j]))?,
            shift_px: table(py, asked.places.iter().map(|&[x, y, _]| [x, y]))?,
            turn_deg: column(py, asked.places.iter().map(|place| place[2])),
            members: lists(py, asked.members),
            decoys: lists(py, asked.decoys),
            decoy_members: lists(py, asked.decoy_members),
        })
    }
}

#[pyfunction]
#[pyo3(signature = (image, *, bin, band))]
pub fn prepare_image<'py>(
    py: Python<'py>,
    image: PyReadonlyArray2<'py, f32>,
    bin: usize,
    band: BandOf,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let (pixels, width) = single_images::prepare(image.as_slice()?, image.shape_of()[1], bin, to_band(band)).map_err(to_python)?;
    to_image(py, pixels, width)
}

#[pyfunction]
#[pyo3(signature = (first, second, *, max_shift_px=None))]
pub fn correlate(first: PyReadonlyArray2<'_, f32>, second: PyReadonlyArray2<'_, f32>, max_shift_px: Option<f64>) -> PyResult<Correlation> {
    let shapes = [first.shape_of(), second.shape_of()];
    let found = single_images::correlate(first.as_slice()?, second.as_slice()?, shapes, max_shift_px).map_err(to_python)?;
    let single_images::Correlation { shift, ncc, ccc, overlap, z } = found;
    Ok(Correlation { shift_px: shift, ncc, ccc, overlap, z })
}

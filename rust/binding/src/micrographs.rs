//! Duplicates among micrographs.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::search::{self, Candidate, Confirmed as Measures, Match, Matcher, Place, Shard, Shots, Threshold};
use cryodedup_core::micrographs::session::FixedPatterns;
use cryodedup_core::micrographs::{self, Band, Seen, Warp, single_images};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{Column, Image, Progress, Shape, readable};
use crate::errors::to_python;
use crate::preparation::Record;
use crate::watched::run;

type BandOf = (f32, f32, f32);
type Lists = (Column<u32>, Column<u64>);

/// Anything that has these columns.
#[derive(FromPyObject)]
pub struct Places<'py> {
    pairs: PyReadonlyArray2<'py, u32>,
    shift_px: PyReadonlyArray2<'py, f64>,
    turn_deg: PyReadonlyArray1<'py, f64>,
}

impl Places<'_> {
    fn among(&self, n: usize) -> PyResult<Vec<Place>> {
        search::places(self.pairs.as_slice()?, self.shift_px.as_slice()?, self.turn_deg.as_slice()?, n).map_err(to_python)
    }
}

readable! {
    Screened(Arc<search::Screened>) {
        pairs: Image<u32> = |found| found.candidates.iter().map(|&Candidate { i, j, .. }| [i, j]).collect();
        decoys: Image<u32> = |found| found.decoys.iter().map(|&Candidate { i, j, .. }| [i, j]).collect();
    }
}

type Heights = (f32, f32);

/// How pairs are screened.
#[pyclass(frozen, get_all, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Screening {
    pairs: u64,
    decoy_pairs: u64,
    grid: Option<(usize, usize)>,
    finer: usize,
    pool_size: usize,
    min_z: Heights,
    min_z_of_pool: Heights,
    predicted_recall: Vec<(usize, f64)>,
}

#[pymethods]
impl Screening {
    #[new]
    #[pyo3(signature = (*, pairs, decoy_pairs, grid, finer, pool_size, min_z, min_z_of_pool, predicted_recall))]
    #[expect(clippy::too_many_arguments, reason = "one an attribute")]
    fn new(
        pairs: u64,
        decoy_pairs: u64,
        grid: Option<(usize, usize)>,
        finer: usize,
        pool_size: usize,
        min_z: Heights,
        min_z_of_pool: Heights,
        predicted_recall: Vec<(usize, f64)>,
    ) -> Self {
        Self { pairs, decoy_pairs, grid, finer, pool_size, min_z, min_z_of_pool, predicted_recall }
    }
}

impl From<&search::Screening> for Screening {
    fn from(one: &search::Screening) -> Self {
        let heights = |Threshold { elsewhere, at_zero }: Threshold| (elsewhere, at_zero);
        Self {
            pairs: one.pairs,
            decoy_pairs: one.decoy_pairs,
            grid: one.grid,
            finer: one.finer,
            pool_size: one.pool_size,
            min_z: heights(one.threshold),
            min_z_of_pool: heights(one.pool_threshold),
            predicted_recall: one.predicted.clone(),
        }
    }
}

impl From<Screening> for search::Screening {
    fn from(one: Screening) -> Self {
        let threshold = |(elsewhere, at_zero): Heights| Threshold { elsewhere, at_zero };
        Self {
            pairs: one.pairs,
            decoy_pairs: one.decoy_pairs,
            grid: one.grid,
            finer: one.finer,
            pool_size: one.pool_size,
            threshold: threshold(one.min_z),
            pool_threshold: threshold(one.min_z_of_pool),
            predicted: one.predicted_recall,
        }
    }
}

/// Which pairs, by their first micrograph, are of a shard.
#[pyfunction]
pub fn in_shard(firsts: Vec<u32>, shard: (usize, usize)) -> PyResult<Column<bool>> {
    let shard = Shard::new(shard.0, shard.1).map_err(to_python)?;
    Ok(firsts.into_iter().map(|first| shard.holds(first)).collect())
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Screener(search::Screener);

#[pymethods]
impl Screener {
    #[staticmethod]
    #[pyo3(signature = (session, sensitivity, max_shift_px, *, threads, progress=None))]
    fn plan(
        py: Python<'_>,
        session: &Session,
        sensitivity: &str,
        max_shift_px: Option<f64>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let sensitivity = sensitivity.parse().map_err(to_python)?;
        run(py, threads, progress.as_ref(), |monitor| search::Screener::plan(&session.0, sensitivity, max_shift_px, monitor)).map(Self)
    }

    #[staticmethod]
    #[pyo3(signature = (session, screening, max_shift_px, path))]
    fn open(py: Python<'_>, session: &Session, screening: Screening, max_shift_px: Option<f64>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| search::Screener::open(&session.0, screening.into(), max_shift_px, &path)).map(Self).map_err(to_python)
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(to_python)
    }

    #[getter]
    fn screening(&self) -> Screening {
        (&self.0.screening).into()
    }

    #[pyo3(signature = (*, shard, turns_deg, threads, progress=None))]
    fn screen(
        &self,
        py: Python<'_>,
        shard: (usize, usize),
        turns_deg: Vec<f64>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Screened> {
        let shard = Shard::new(shard.0, shard.1).map_err(to_python)?;
        Ok(Screened(Arc::new(run(py, threads, progress.as_ref(), |monitor| self.0.screen(shard, &turns_deg, monitor))?)))
    }
}

readable! {
    Matches(Arc<Vec<Match>>) {
        z: Column<f32> = |found| found.iter().map(|one| one.z).collect();
        shift_px: Image<f32> = |found| found.iter().map(|one| <[f32; 2]>::from(one.shift)).collect();
        z_at_zero: Column<f32> = |found| found.iter().map(|one| one.z_at_zero).collect();
        z_next: Column<f32> = |found| found.iter().map(|one| one.z_next).collect();
    }
}

readable! {
    Confirmed(Arc<Vec<Measures>>) {
        shift_px: Image<f64> = |found| found.iter().map(|one| <[f64; 2]>::from(one.shift)).collect();
        ncc: Column<f64> = |found| found.iter().map(|one| one.ncc).collect();
        ccc: Column<f64> = |found| found.iter().map(|one| one.ccc).collect();
        overlap: Column<f64> = |found| found.iter().map(|one| one.overlap).collect();
        rotation_deg: Column<f64> = |found| found.iter().map(|one| one.turn_deg).collect();
        scale: Column<f64> = |found| found.iter().map(|one| one.scale).collect();
    }
}

readable! {
    Questions(Arc<search::Questions>) {
        pairs: Image<u32> = |asked| asked.pairs.iter().map(|&pair| <[u32; 2]>::from(pair)).collect();
        shift_px: Image<f64> = |asked| asked.places.iter().map(|&[x, y, _]| [x, y]).collect();
        turn_deg: Column<f64> = |asked| asked.places.iter().map(|place| place[2]).collect();
        members: Lists = |asked| lists(&asked.members);
        decoys: Lists = |asked| lists(&asked.decoys);
        decoy_members: Lists = |asked| lists(&asked.decoy_members);
    }
}

fn lists(lists: &search::Lists) -> Lists {
    (Column(lists.values.clone()), Column(lists.starts.clone()))
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
    #[pyo3(signature = (records, *, band, maps=vec![], directory=None, threads, progress=None))]
    fn load(
        py: Python<'_>,
        records: Vec<Record>,
        band: BandOf,
        maps: Vec<[[f64; 2]; 2]>,
        directory: Option<PathBuf>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
        let maps: Vec<Warp> = maps.into_iter().map(Warp).collect();
        let load = |monitor: &_| micrographs::Session::load(&records, to_band(band), maps, directory.as_deref(), monitor);
        Ok(Self(Arc::new(run(py, threads, progress.as_ref(), load)?)))
    }

    #[staticmethod]
    fn of_views(views: PyReadonlyArray2<'_, i8>, width: usize, signal: f32) -> PyResult<Self> {
        let height = views.shape_of()[1] / width;
        Ok(Self(Arc::new(micrographs::Session::of_views((width, height), views.as_slice()?, signal))))
    }

    #[staticmethod]
    fn open(py: Python<'_>, directory: PathBuf, base: PathBuf) -> PyResult<Self> {
        py.detach(|| micrographs::Session::open(&directory, &base)).map(|session| Self(Arc::new(session))).map_err(to_python)
    }

    #[pyo3(signature = (records, *, band, pattern, threads))]
    fn extended(&self, py: Python<'_>, records: Vec<Record>, band: BandOf, pattern: &FixedPattern, threads: usize) -> PyResult<Self> {
        let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
        let extended = run(py, threads, None, |monitor| self.0.extended(&records, to_band(band), &pattern.0, monitor))?;
        Ok(Self(Arc::new(extended)))
    }

    fn save(&self, py: Python<'_>, directory: PathBuf, base: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&directory, &base)).map_err(to_python)
    }

    #[getter]
    fn records(&self) -> Vec<Record> {
        self.0.records().iter().cloned().map(Record).collect()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn view_size(&self) -> (usize, usize) {
        self.0.view_size
    }

    #[getter]
    fn signal(&self) -> Image<f32> {
        self.0.signal.iter().copied().collect()
    }

    #[pyo3(signature = (pairs, max_shift_px, *, mirrored, turn_deg=0.0, threads, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "one an option")]
    fn find(
        &self,
        py: Python<'_>,
        pairs: PyReadonlyArray2<'_, u32>,
        max_shift_px: Option<f64>,
        mirrored: bool,
        turn_deg: f64,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Matches> {
        let pairs = search::pairs(pairs.as_slice()?, self.0.len()).map_err(to_python)?;
        let seen = Seen { mirrored, warp: Warp::of(turn_deg, 1.0) };
        let find = |monitor: &_| Matcher::new(&self.0, max_shift_px).find(&pairs, seen, monitor);
        Ok(Matches(Arc::new(run(py, threads, progress.as_ref(), find)?)))
    }

    #[pyo3(signature = (places, *, threads))]
    fn find_near(&self, py: Python<'_>, places: Places<'_>, threads: usize) -> PyResult<Matches> {
        let places = places.among(self.0.len())?;
        Ok(Matches(Arc::new(run(py, threads, None, |monitor| Matcher::new(&self.0, None).find_near(&places, monitor))?)))
    }

    #[pyo3(signature = (places, *, band, threads, progress=None))]
    fn confirm(&self, py: Python<'_>, places: Places<'_>, band: BandOf, threads: usize, progress: Progress<'_>) -> PyResult<Confirmed> {
        let places = places.among(self.0.len())?;
        let confirm = |monitor: &_| search::confirm(&self.0, to_band(band), &places, monitor);
        Ok(Confirmed(Arc::new(run(py, threads, progress.as_ref(), confirm)?)))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct FixedPattern(Arc<FixedPatterns>);

#[pymethods]
impl FixedPattern {
    #[new]
    #[pyo3(signature = (records, *, band, threads))]
    fn new(py: Python<'_>, records: Vec<Record>, band: BandOf, threads: usize) -> PyResult<Self> {
        let records: Vec<_> = records.into_iter().map(|record| record.0).collect();
        Ok(Self(Arc::new(run(py, threads, None, |monitor| FixedPatterns::of(&records, to_band(band), monitor))?)))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Coarse(search::Coarse);

#[pymethods]
impl Coarse {
    #[new]
    #[pyo3(signature = (session, max_shift_px, *, threads))]
    fn new(py: Python<'_>, session: &Session, max_shift_px: Option<f64>, threads: usize) -> PyResult<Self> {
        run(py, threads, None, |monitor| search::Coarse::new(Arc::clone(&session.0), 1, max_shift_px, monitor)).map(Self)
    }

    #[pyo3(signature = (session, *, threads))]
    fn extended(&self, py: Python<'_>, session: &Session, threads: usize) -> PyResult<Self> {
        run(py, threads, None, |monitor| self.0.extended(Arc::clone(&session.0), monitor)).map(Self)
    }

    #[pyo3(signature = (i, count, *, mirrored, threads))]
    fn nearest(&self, py: Python<'_>, i: u32, count: usize, mirrored: bool, threads: usize) -> PyResult<Column<u32>> {
        let seen = Seen { mirrored, ..Seen::default() };
        run(py, threads, None, |monitor| self.0.nearest(i, seen, count, monitor)).map(Column)
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Leads(search::Leads);

#[pymethods]
impl Leads {
    #[new]
    #[pyo3(signature = (places, *, by_place, holes, shots))]
    fn new(
        places: Places<'_>,
        by_place: PyReadonlyArray1<'_, bool>,
        holes: PyReadonlyArray1<'_, u32>,
        shots: PyReadonlyArray1<'_, u32>,
    ) -> PyResult<Self> {
        let shots = Shots::new(holes.as_slice()?.to_vec(), shots.as_slice()?.to_vec());
        let places = places.among(shots.len())?;
        Ok(Self(search::Leads::new(shots, &places, by_place.as_slice()?)))
    }

    #[getter]
    fn by_name(&self) -> Column<bool> {
        self.0.by_name().collect()
    }

    #[getter]
    fn members(&self) -> Image<u32> {
        self.0.members().map(<[u32; 2]>::from).collect()
    }

    #[getter]
    fn candidates(&self) -> Column<i64> {
        self.0.candidates().map(|count| count as i64).collect()
    }

    fn ask(&self, chosen: Vec<Vec<u32>>) -> Questions {
        Questions(Arc::new(self.0.ask(&chosen)))
    }
}

fn to_band((highpass, lowpass, falloff): BandOf) -> Band {
    Band { highpass, lowpass, falloff }
}

#[pyfunction]
#[pyo3(signature = (image, *, bin, band))]
pub fn prepare_image(image: PyReadonlyArray2<'_, f32>, bin: usize, band: BandOf) -> PyResult<Image<f32>> {
    let found = single_images::prepare(image.as_slice()?, image.shape_of()[1], bin, to_band(band));
    found.map(|(pixels, width)| Image(pixels, width)).map_err(to_python)
}

#[pyfunction]
#[pyo3(signature = (first, second, *, max_shift_px=None))]
pub fn correlate(first: PyReadonlyArray2<'_, f32>, second: PyReadonlyArray2<'_, f32>, max_shift_px: Option<f64>) -> PyResult<Correlation> {
    let shapes = [first.shape_of(), second.shape_of()];
    let found = single_images::correlate(first.as_slice()?, second.as_slice()?, shapes, max_shift_px).map_err(to_python)?;
    let single_images::Correlation { shift, ncc, ccc, overlap, z } = found;
    Ok(Correlation { shift_px: shift, ncc, ccc, overlap, z })
}

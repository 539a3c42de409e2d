//! Comparing the pairs of a session, and deciding which of them are duplicates.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::search::{self, Alignment, Comparison, Limits, Listed, Shard};
use cryodedup_core::micrographs::significance::{self, Agreement, Criteria, Criterion, Decision, Gumbel, Shots, Tail};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{Column, Image, Progress, readable};
use crate::errors::to_python;
use crate::micrographs::{BandOf, to_band};
use crate::pickling::{of_state, state_of};
use crate::session::Session;
use crate::watched::{run, run_in_stages};

readable! {
    Screening(search::Screening) {
        pairs: u64 = |how| how.pairs;
        grid: Option<(usize, usize)> = |how| how.grid;
        pool_size: usize = |how| how.pool_size;
        min_z: f32 = |how| how.threshold.elsewhere;
        min_z_of_pool: f32 = |how| how.pool_threshold.elsewhere;
        predicted_recall: Vec<(usize, f64)> = |how| how.predicted.clone();
    }
}

readable! {
    Comparisons(Arc<Vec<Listed>>) {
        at: Column<u64> = |ones| ones.iter().map(|one| one.at).collect();
        pairs: Image<u32> = |ones| ones.iter().map(|one| <[u32; 2]>::from(one.found.alignment.pair)).collect();
        shift_reduced_px: Image<f64> = |ones| ones.iter().map(|one| <[f64; 2]>::from(one.found.alignment.shift)).collect();
        turn_deg: Column<f64> = |ones| ones.iter().map(|one| one.found.alignment.turn_deg).collect();
        z: Column<f64> = |ones| ones.iter().map(|one| one.found.z).collect();
        z_next: Column<f64> = |ones| ones.iter().map(|one| one.found.z_next).collect();
        z_at_zero: Column<f64> = |ones| ones.iter().map(|one| one.found.z_at_zero).collect();
    }
}

/// Anything that has the columns of [`Comparisons`].
#[derive(FromPyObject)]
pub struct Columns<'py> {
    at: PyReadonlyArray1<'py, u64>,
    pairs: PyReadonlyArray2<'py, u32>,
    shift_reduced_px: PyReadonlyArray2<'py, f64>,
    turn_deg: PyReadonlyArray1<'py, f64>,
    z: PyReadonlyArray1<'py, f64>,
    z_next: PyReadonlyArray1<'py, f64>,
    z_at_zero: PyReadonlyArray1<'py, f64>,
}

impl Columns<'_> {
    fn listed(&self) -> PyResult<Vec<Listed>> {
        let alignments =
            search::alignments(self.pairs.as_slice()?, self.shift_reduced_px.as_slice()?, self.turn_deg.as_slice()?, usize::MAX);
        let [z, z_next, z_at_zero] = [&self.z, &self.z_next, &self.z_at_zero].map(|column| column.as_array());
        let at = self.at.as_array();
        let listed = |(row, alignment): (usize, Alignment)| {
            let found = Comparison { alignment, z: *z.get(row)?, z_next: *z_next.get(row)?, z_at_zero: *z_at_zero.get(row)? };
            Some(Listed { at: *at.get(row)?, found })
        };
        let alignments = alignments.map_err(to_python)?;
        let count = alignments.len();
        let short = || cryodedup_core::Error::parameter("comparisons", "columns of different lengths", format!("{count} rows in each"));
        alignments.into_iter().enumerate().map(listed).collect::<Option<_>>().ok_or_else(|| to_python(short()))
    }
}

#[pyclass(frozen, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Block(Arc<search::Block>);

#[pymethods]
impl Block {
    #[new]
    fn new(candidates: Columns<'_>, mirrored: Columns<'_>, random: Columns<'_>) -> PyResult<Self> {
        let block = search::Block { candidates: candidates.listed()?, mirrored: mirrored.listed()?, random: random.listed()? };
        Ok(Self(Arc::new(block)))
    }

    #[staticmethod]
    fn join(blocks: Vec<Self>) -> Self {
        Self(Arc::new(search::Block::join(blocks.into_iter().map(|block| Arc::unwrap_or_clone(block.0)))))
    }

    #[getter]
    fn candidates(&self) -> Comparisons {
        Comparisons(Arc::new(self.0.candidates.clone()))
    }

    #[getter]
    fn mirrored(&self) -> Comparisons {
        Comparisons(Arc::new(self.0.mirrored.clone()))
    }

    #[getter]
    fn random(&self) -> Comparisons {
        Comparisons(Arc::new(self.0.random.clone()))
    }

    fn __len__(&self) -> usize {
        self.0.candidates.len()
    }
}

readable! {
    NullTail(Tail) {
        start: f64 = |tail| tail.start;
        scale: f64 = |tail| tail.scale;
        rate: f64 = |tail| tail.rate;
        values: Column<f64> = |tail| Column(tail.values.clone());
    }
}

readable! {
    NullBulk(Gumbel) {
        middle: f64 = |bulk| bulk.middle;
        spread: f64 = |bulk| bulk.spread;
    }
}

#[pyclass(frozen, from_py_object, module = "cryodedup._core")]
#[derive(Clone)]
pub struct Null(Arc<significance::Null>);

#[pymethods]
impl Null {
    #[new]
    fn new(state: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(of_state(state)?)))
    }

    fn __getnewargs__(&self) -> PyResult<(Vec<u8>,)> {
        state_of(&*self.0)
    }

    #[getter]
    fn mirrored(&self) -> NullTail {
        NullTail(self.0.mirrored.clone())
    }

    #[getter]
    fn cohort(&self) -> Option<NullBulk> {
        self.0.cohort.map(NullBulk)
    }

    #[getter]
    fn periodic(&self) -> f64 {
        self.0.periodic
    }

    #[getter]
    fn has_pattern(&self) -> bool {
        self.0.has_pattern
    }

    #[getter]
    fn is_usual(&self) -> bool {
        self.0.is_usual()
    }

    fn standard(&self, z: f64, overlap: f64) -> f64 {
        self.0.standard(z, overlap)
    }

    fn beyond(&self, z: f64) -> f64 {
        self.0.beyond(z)
    }

    fn least_z(&self, chance: f64) -> f64 {
        self.0.min_z(chance)
    }
}

readable! {
    Decisions(Arc<significance::Decisions>) {
        null: Null = |all| Null(Arc::new(all.null.clone()));
        observed: Column<f64> = |all| Column(all.observed.clone());
        of_pattern: Image<u32> = |all| all.of_pattern.iter().map(|&pair| <[u32; 2]>::from(pair)).collect();
        mirrored: Image<u32> = |all| all.mirrored.iter().map(|&pair| <[u32; 2]>::from(pair)).collect();
        pairs: Image<u32> = |all| measured(all).map(|one| <[u32; 2]>::from(one.alignment.pair)).collect();
        z: Column<f64> = |all| measured(all).map(|one| one.z).collect();
        q: Column<f64> = |all| measured(all).map(|one| one.q).collect();
        accepted: Column<bool> = |all| measured(all).map(|one| one.is_accepted).collect();
        shot_agreement: Vec<String> = |all| measured(all).map(|one| words(one.agreement)).collect();
        shift_reduced_px: Image<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| <[f64; 2]>::from(one.shift)).collect();
        ncc: Column<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| one.ncc).collect();
        ccc: Column<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| one.ccc).collect();
        overlap: Column<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| one.overlap).collect();
        rotation_deg: Column<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| one.turn_deg).collect();
        scale: Column<f64> = |all| measured(all).filter_map(|one| one.measured).map(|one| one.scale).collect();
    }
}

impl Decisions {
    /// Where the pairs of some rows were found.
    pub fn alignments(&self, rows: &[usize]) -> Vec<Alignment> {
        let all: Vec<Alignment> = measured(&self.0).map(|one| one.alignment).collect();
        rows.iter().filter_map(|&row| all.get(row).copied()).collect()
    }
}

/// The pairs of which all is known.
fn measured(all: &Arc<significance::Decisions>) -> impl Iterator<Item = &Decision> {
    all.pairs.iter().filter(|one| one.measured.is_some())
}

fn words(agreement: Agreement) -> String {
    match agreement {
        Agreement::Unknown => String::new(),
        Agreement::Shots(agreeing, all) => format!("{agreeing} of {all}"),
        Agreement::InARow(number) => format!("{number} in a row"),
        Agreement::Contradicted => "contradicted".to_owned(),
    }
}

/// The criteria of a decision: `holes` and `shots` are numbers of each micrograph's, 0 if unknown.
#[derive(FromPyObject)]
pub struct Wanted<'py> {
    holes: PyReadonlyArray1<'py, u32>,
    shots: PyReadonlyArray1<'py, u32>,
    fdr: f64,
    threshold: Option<f64>,
    band: BandOf,
    first: u32,
    measure_all: bool,
    share_patterns: bool,
}

impl Wanted<'_> {
    pub fn parts(&self) -> PyResult<(Shots, Criteria)> {
        let criterion = self.threshold.map_or(Criterion::Fdr(self.fdr), Criterion::Ccc);
        let criteria = Criteria {
            criterion,
            band: to_band(self.band),
            from: self.first,
            measure_all: self.measure_all,
            share_patterns: self.share_patterns,
        };
        Ok((Shots::new(self.holes.as_slice()?.to_vec(), self.shots.as_slice()?.to_vec()), criteria))
    }
}

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Search(search::Search);

#[pymethods]
impl Search {
    #[staticmethod]
    #[pyo3(signature = (session, *, sensitivity, max_shift_reduced_px, turns_deg, screened_turns_deg, threads, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "one an option")]
    fn plan(
        py: Python<'_>,
        session: &Session,
        sensitivity: &str,
        max_shift_reduced_px: Option<f64>,
        turns_deg: Vec<f64>,
        screened_turns_deg: Vec<f64>,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Self> {
        let sensitivity = sensitivity.parse().map_err(to_python)?;
        let (session, limits) = (Arc::clone(&session.0), Limits { max_shift_reduced_px, turns_deg, screened_turns_deg });
        run(py, threads, progress.as_ref(), |monitor| search::Search::plan(session, sensitivity, limits, monitor)).map(Self)
    }

    #[staticmethod]
    fn extent(n: usize, sensitivity: &str) -> PyResult<(bool, bool, u64, u64)> {
        let extent = search::Extent::of(n, sensitivity.parse().map_err(to_python)?);
        Ok((extent.is_screened, extent.may_be_finer, extent.refined, extent.decoys))
    }

    #[staticmethod]
    fn window_pairs(ordinals: Vec<u32>, distances: Vec<u32>) -> (Image<u32>, Image<u32>) {
        let pairs = search::window_pairs(&ordinals, &distances);
        let [pairs, decoys] =
            [&pairs, &search::window_decoys(&pairs)].map(|some| some.iter().map(|&pair| <[u32; 2]>::from(pair)).collect());
        (pairs, decoys)
    }

    #[staticmethod]
    #[pyo3(signature = (session, pairs, decoys, *, max_shift_reduced_px, turns_deg))]
    fn window(
        session: &Session,
        pairs: PyReadonlyArray2<'_, u32>,
        decoys: PyReadonlyArray2<'_, u32>,
        max_shift_reduced_px: Option<f64>,
        turns_deg: Vec<f64>,
    ) -> PyResult<Self> {
        let among = |some: PyReadonlyArray2<'_, u32>| search::pairs(some.as_slice()?, session.0.len()).map_err(to_python);
        let limits = Limits { max_shift_reduced_px, turns_deg, screened_turns_deg: vec![] };
        Ok(Self(search::Search::window(Arc::clone(&session.0), among(pairs)?, among(decoys)?, limits)))
    }

    #[staticmethod]
    #[pyo3(signature = (session, directory, *, max_shift_reduced_px, turns_deg, screened_turns_deg, compares))]
    fn open(
        py: Python<'_>,
        session: &Session,
        directory: PathBuf,
        max_shift_reduced_px: Option<f64>,
        turns_deg: Vec<f64>,
        screened_turns_deg: Vec<f64>,
        compares: bool,
    ) -> PyResult<Self> {
        let (session, limits) = (Arc::clone(&session.0), Limits { max_shift_reduced_px, turns_deg, screened_turns_deg });
        py.detach(|| search::Search::open(session, limits, &directory, compares)).map(Self).map_err(to_python)
    }

    fn save(&self, py: Python<'_>, directory: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&directory)).map_err(to_python)
    }

    #[getter]
    fn session(&self) -> Session {
        Session(Arc::clone(&self.0.session))
    }

    #[getter]
    fn screening(&self) -> Option<Screening> {
        self.0.screening().cloned().map(Screening)
    }

    fn tested(&self, block: &Block) -> (u64, u64) {
        self.0.tested(&block.0)
    }

    #[pyo3(signature = (*, shard, threads, progress=None))]
    fn compare(&self, py: Python<'_>, shard: (usize, usize), threads: usize, progress: Progress<'_>) -> PyResult<Block> {
        let shard = Shard::new(shard.0, shard.1).map_err(to_python)?;
        Ok(Block(Arc::new(run_in_stages(py, threads, progress.as_ref(), |monitor| self.0.compare(shard, monitor))?)))
    }

    #[pyo3(signature = (block, *, orientations, threads, progress=None))]
    fn orientations(
        &self,
        py: Python<'_>,
        block: &Block,
        orientations: u8,
        threads: usize,
        progress: Progress<'_>,
    ) -> PyResult<Vec<(u32, u8)>> {
        let find = |monitor: &_| significance::find_orientations(&self.0, &block.0, orientations, monitor);
        let found = run_in_stages(py, threads, progress.as_ref(), find)?;
        Ok(found.into_iter().map(|(i, orientation)| (i, orientation.0)).collect())
    }

    #[pyo3(signature = (block, *, asked, threads, progress=None))]
    fn conclude(&self, py: Python<'_>, block: &Block, asked: Wanted<'_>, threads: usize, progress: Progress<'_>) -> PyResult<Decisions> {
        let (shots, criteria) = asked.parts()?;
        let conclude = |monitor: &_| significance::conclude_search(&self.0, &block.0, &shots, &criteria, monitor);
        Ok(Decisions(Arc::new(run_in_stages(py, threads, progress.as_ref(), conclude)?)))
    }
}

//! Long calls that end on Ctrl-C and report their progress.

use cryodedup_core::{Monitor, jobs};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

use crate::errors::to_python;

/// Bytes that have to be free before a long call: what fails in it ends the process, which no Rust of today can make an error of.
const MARGIN: usize = 32 << 20;

fn check_memory() -> PyResult<()> {
    let mut some = Vec::<u8>::new();
    let there = some.try_reserve_exact(MARGIN);
    std::hint::black_box(&some);
    there.map_err(|error| PyMemoryError::new_err(error.to_string()))
}

/// Runs `job` by this many threads (0: one per processor) without the interpreter; calls `progress` with the units done.
pub fn run<T: Send>(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    job: impl FnOnce(&Monitor) -> cryodedup_core::Result<T> + Send,
) -> PyResult<T> {
    let progress = progress.map(|progress| progress.clone().unbind());
    let tell = |py: Python<'_>, monitor: &Monitor| progress.as_ref().map_or(Ok(()), |call| call.call1(py, (monitor.done(),)).map(drop));
    watch(py, threads, tell, job)
}

/// The same for a job of several stages; `progress`: a `cryodedup.progress.Progress`.
pub fn run_in_stages<T: Send>(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    job: impl FnOnce(&Monitor) -> cryodedup_core::Result<T> + Send,
) -> PyResult<T> {
    let progress = progress.map(|progress| progress.clone().unbind());
    let tell = |py: Python<'_>, monitor: &Monitor| {
        let Some(progress) = &progress else { return Ok(()) };
        for stage in monitor.take_begun() {
            progress.call_method1(py, "stage", (stage.name, stage.total))?;
        }
        progress.call_method1(py, "advance_to", (monitor.done(),)).map(drop)
    };
    watch(py, threads, tell, job)
}

fn watch<T: Send>(
    py: Python<'_>,
    threads: usize,
    tell: impl Fn(Python<'_>, &Monitor) -> PyResult<()> + Sync,
    job: impl FnOnce(&Monitor) -> cryodedup_core::Result<T> + Send,
) -> PyResult<T> {
    check_memory()?;
    // While the interpreter is held: no other thread can fork now.
    let pool = jobs::pool(threads).map_err(|error| PyMemoryError::new_err(format!("no thread pool: {error}")))?;
    let tick = |monitor: &Monitor| {
        Python::attach(|py| {
            py.check_signals()?;
            tell(py, monitor)
        })
    };
    py.detach(|| jobs::run(&pool, job, tick))?.map_err(to_python)
}

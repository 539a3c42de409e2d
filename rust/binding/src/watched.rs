//! Running a job of the core while Python stays responsive.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cryodedup_core::Monitor;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::to_python;

/// How often signals are looked for, and progress is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// The pools of one process.
struct Pools {
    process: u32,
    by_threads: HashMap<usize, Arc<ThreadPool>>,
}

/// Only locked by a thread that holds the interpreter, and so does one that forks: no child begins with a lock that nobody will open.
static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// The pool of so many threads (0: one a processor), made when it is first asked for. To make one for each call cost 0.1 ms, more than many calls.
fn pool(_held: Python<'_>, threads: usize) -> PyResult<Arc<ThreadPool>> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if pools.as_ref().is_some_and(|pools| pools.process != process) {
        // The threads of these pools stayed in the parent: even to drop them could wait for what one of them held.
        std::mem::forget(pools.take());
    }
    let by_threads = &mut pools.get_or_insert_with(|| Pools { process, by_threads: HashMap::new() }).by_threads;
    if let Some(pool) = by_threads.get(&threads) {
        return Ok(pool.clone());
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = Arc::new(pool.map_err(|error| PyRuntimeError::new_err(format!("no thread pool: {error}")))?);
    by_threads.insert(threads, pool.clone());
    Ok(pool)
}

/// Runs `job` in a pool of `threads` threads (0: one a processor), calls `progress` with the units done, and stops the job when Ctrl-C is
/// pressed.
pub fn run<T: Send>(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    job: impl FnOnce(&Monitor) -> cryodedup_core::Result<T> + Send,
) -> PyResult<T> {
    let pool = pool(py, threads)?;
    let (monitor, (sender, receiver)) = (Monitor::default(), channel());
    let receiver = Mutex::new(receiver); // a receiver alone can not go where the interpreter is released
    let wait = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(INTERVAL);
    let (result, raised) = pool.in_place_scope(|scope| {
        let monitor = &monitor;
        // The sender goes along: a job that panics drops it, which ends the waiting.
        scope.spawn(move |_| drop(sender.send(job(monitor))));
        let mut raised = Ok(());
        loop {
            match py.detach(wait) {
                Err(RecvTimeoutError::Timeout) if raised.is_ok() => {
                    raised = py.check_signals().and_then(|()| progress.map_or(Ok(()), |call| call.call1((monitor.done(),)).map(drop)));
                    if raised.is_err() {
                        monitor.cancel();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                result => break (result.ok(), raised),
            }
        }
    });
    // A signal's exception, or the progress function's own, goes before the job's result.
    raised?;
    result.map_or_else(|| Err(PyRuntimeError::new_err("the job ended without a result")), |result| result.map_err(to_python))
}

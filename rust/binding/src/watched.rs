//! Running a job of the core while Python stays responsive.

use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cryodedup_core::{Error, Monitor};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;

use crate::InputError;

/// How often signals are looked for, and progress is told.
const INTERVAL: Duration = Duration::from_millis(100);

/// Runs `job` in a pool of its own of `threads` threads (0: one a processor), calls `progress` with the units done, and stops the job when
/// Ctrl-C is pressed. A pool a call costs 0.1 ms, and leaves no thread behind that a later `fork` would lose.
pub fn run<T: Send>(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    job: impl FnOnce(&Monitor) -> cryodedup_core::Result<T> + Send,
) -> PyResult<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("no thread pool: {error}")))?;
    let monitor = Monitor::default();
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let receiver = Mutex::new(receiver); // a receiver alone can not go where the interpreter is released
        let monitor = &monitor;
        let worker = scope.spawn(move || {
            let _ = sender.send(pool.install(|| job(monitor)));
        });
        // A signal's exception, or the progress function's own, goes before the job's result.
        let mut raised = Ok(());
        let result = loop {
            match py.detach(|| receiver.lock().map_or(Err(RecvTimeoutError::Disconnected), |receiver| receiver.recv_timeout(INTERVAL))) {
                Ok(result) => break Some(result),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) if raised.is_ok() => {
                    raised = py.check_signals().and_then(|()| match progress {
                        Some(progress) => progress.call1((monitor.done(),)).map(drop),
                        None => Ok(()),
                    });
                    if raised.is_err() {
                        monitor.cancel();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        if let Err(panic) = worker.join() {
            std::panic::resume_unwind(panic);
        }
        raised?;
        match result {
            Some(result) => result.map_err(to_python),
            None => Err(PyRuntimeError::new_err("the job ended without a result")),
        }
    })
}

/// The exception for an error of the core.
pub fn to_python(error: Error) -> PyErr {
    match error {
        Error::Input(text) => InputError::new_err(text),
        Error::Io { path, source } => {
            let text = source.to_string();
            match source.raw_os_error() {
                Some(code) => PyOSError::new_err((code, text.split(" (os error").next().unwrap_or_default().to_owned(), path)),
                None => PyOSError::new_err(format!("{}: {text}", path.display())),
            }
        }
        Error::Interrupted => pyo3::exceptions::PyKeyboardInterrupt::new_err(()),
    }
}

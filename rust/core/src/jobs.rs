//! Running a job by threads of a pool while its caller stays responsive.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::{Error, Monitor, Result};

/// The interval at which the caller of a job is asked whether it may go on.
const INTERVAL: Duration = Duration::from_millis(100);

/// The pools of one process.
struct Pools {
    process: u32,
    by_threads: HashMap<usize, Arc<ThreadPool>>,
}

static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// Number of processors that the process may use; 0: not set, which leaves it to rayon.
static PROCESSORS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads `0` stands for, in calls from now on. Schedulers give a job fewer processors than the system shows.
pub fn set_processors(processors: usize) {
    PROCESSORS.store(processors, Ordering::Relaxed);
}

/// The pool with this many threads (0: one per processor), made at the first call. A pool for each call would cost 0.1 ms, more than many calls.
///
/// A program that forks must not do so while another of its threads is in here: the child would wait for a lock that nobody opens.
///
/// # Errors
/// The system gives no threads.
pub fn pool(threads: usize) -> std::result::Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    let threads = if threads == 0 { PROCESSORS.load(Ordering::Relaxed) } else { threads };
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if pools.as_ref().is_some_and(|pools| pools.process != process) {
        // The threads of these pools stayed in the parent: even to drop them could wait for what one of them held.
        std::mem::forget(pools.take());
    }
    let by_threads = &mut pools.get_or_insert_with(|| Pools { process, by_threads: HashMap::new() }).by_threads;
    if let Some(pool) = by_threads.get(&threads) {
        return Ok(Arc::clone(pool));
    }
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(threads).build()?);
    by_threads.insert(threads, Arc::clone(&pool));
    Ok(pool)
}

/// Runs `job` in a pool, and calls `tick` from this thread ten times a second, and once more if a stage began since. If that fails, the job is stopped.
///
/// # Errors
/// The error of `tick`, which takes precedence over the job's own.
///
/// # Panics
/// If the job does.
pub fn run<T: Send, E>(
    pool: &ThreadPool,
    job: impl FnOnce(&Monitor) -> Result<T> + Send,
    mut tick: impl FnMut(&Monitor) -> std::result::Result<(), E>,
) -> std::result::Result<Result<T>, E> {
    let (monitor, (sender, receiver)) = (&Monitor::default(), channel());
    pool.in_place_scope(|scope| {
        // The sender goes along: a job that panics drops it, which ends the waiting, and the scope then passes the panic on.
        scope.spawn(move |_| drop(sender.send(job(monitor))));
        let mut ticked = Ok(());
        loop {
            match receiver.recv_timeout(INTERVAL) {
                Ok(result) if ticked.is_ok() && monitor.has_begun() => return tick(monitor).map(|()| result),
                Ok(result) => return ticked.map(|()| result),
                Err(RecvTimeoutError::Disconnected) => return ticked.map(|()| Err(Error::Interrupted)),
                Err(RecvTimeoutError::Timeout) if ticked.is_ok() => {
                    ticked = tick(monitor);
                    if ticked.is_err() {
                        monitor.cancel();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until_cancelled(monitor: &Monitor) -> Result<()> {
        loop {
            monitor.advance(1)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn calls_share_a_pool() {
        let (first, again, other) = (pool(2).expect("a pool"), pool(2).expect("a pool"), pool(3).expect("a pool"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!((first.current_num_threads(), other.current_num_threads()), (2, 3));
    }

    #[test]
    fn no_number_stands_for_the_processors_of_the_process() {
        set_processors(5);
        let found = pool(0).expect("a pool");
        set_processors(0);
        assert!(Arc::ptr_eq(&found, &pool(5).expect("a pool")));
    }

    #[test]
    fn a_failing_tick_ends_the_job() {
        let mut ticks = 0;
        let found = run(&pool(1).expect("a pool"), until_cancelled, |monitor| {
            ticks += 1;
            if monitor.done() > 0 { Err("stop") } else { Ok(()) } // a busy machine may not have begun
        });
        assert!(matches!(found, Err("stop")));
        assert!(ticks > 0);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let job = |_: &Monitor| -> Result<()> { panic!("of the job") };
        let caught = std::panic::catch_unwind(|| run(&pool(1).expect("a pool"), job, |_| Ok::<_, ()>(())));
        assert_eq!(caught.expect_err("a panic").downcast_ref(), Some(&"of the job"));
        assert!(matches!(run(&pool(1).expect("a pool"), |_| Ok(7), |_| Ok::<_, ()>(())), Ok(Ok(7))));
    }
}

//! The one thread that writes.
//!
//! `SQLite` has one writer at a time. A thread that owns the connection makes that a queue instead of a contest, and keeps
//! disk waits off the runtime's threads.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Transaction;
use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;
use super::durability::Durability;
use super::failure::Outcome;
use super::writing::Writing;

/// Calls that wait for the writer; more of them wait in their callers.
const QUEUE: usize = 16;

type Job = Box<dyn FnOnce(&mut Writing) + Send>;

/// A handle to the thread.
pub(super) struct Writer {
    running: Mutex<Option<Running>>,
}

struct Running {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(mut writing: Writing) -> Result<Self, StoreError> {
        let (jobs, mut arriving) = mpsc::channel::<Job>(QUEUE);
        let work = move || {
            while let Some(job) = arriving.blocking_recv() {
                job(&mut writing);
            }
            writing.close()
        };
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(work).map_err(|error| {
                StoreError::Unavailable(format!("the writer's thread cannot be started: {error}"))
            })?;
        Ok(Self { running: Mutex::new(Some(Running { jobs, thread })) })
    }

    /// Does `work` in one transaction: all of it or, when it fails, nothing.
    ///
    /// Work that was handed over is done even when the caller stops waiting.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let job = Box::new(move |writing: &mut Writing| {
            let unheard = done.send(writing.transact(durability, work)).is_err();
            if unheard {
                tracing::debug!("a caller of the store stopped waiting for its answer");
            }
        });
        self.jobs()?.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Finishes what is queued, empties the log and ends the thread; nothing more to do the second time.
    pub(super) fn stop(&self) -> Result<(), StoreError> {
        let Some(Running { jobs, thread }) = self.running().take() else { return Ok(()) };
        drop(jobs);
        thread.join().unwrap_or_else(|_| Err(stopped()))
    }

    fn jobs(&self) -> Result<mpsc::Sender<Job>, StoreError> {
        self.running().as_ref().map(|running| running.jobs.clone()).ok_or_else(stopped)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        // Taken or not, it is whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped; restart the daemon".to_owned())
}

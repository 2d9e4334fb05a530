//! The one that writes: a thread, or the caller in a simulation.
//!
//! `SQLite` has one writer at a time. A thread that owns the connection makes that a queue instead of a contest, and keeps
//! disk waits off the runtime's threads.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Transaction;
use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;
use super::super::durability::Durability;
use super::failure::Outcome;
use super::writing::Writing;

/// Calls that wait for the writer; more of them wait in their callers.
const QUEUE: usize = 16;

type Job = Box<dyn FnOnce(&mut Writing) + Send>;

/// Writes one transaction after the other.
pub(super) struct Writer {
    running: Mutex<Option<Running>>,
}

enum Running {
    Thread { jobs: mpsc::Sender<Job>, thread: JoinHandle<Result<(), StoreError>> },
    InPlace(Writing),
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
        Ok(Self { running: Mutex::new(Some(Running::Thread { jobs, thread })) })
    }

    /// Writes on the thread of the caller.
    pub(super) fn in_place(writing: Writing) -> Self {
        Self { running: Mutex::new(Some(Running::InPlace(writing))) }
    }

    /// Does `work` in one transaction: all of it or, when it fails, nothing.
    ///
    /// Work that was handed over is done even when the caller stops waiting.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let jobs = match self.running().as_mut().ok_or_else(stopped)? {
            Running::Thread { jobs, .. } => jobs.clone(),
            Running::InPlace(writing) => return writing.transact(durability, work),
        };
        let (done, answer) = oneshot::channel();
        let job = Box::new(move |writing: &mut Writing| {
            let unheard = done.send(writing.transact(durability, work)).is_err();
            if unheard {
                tracing::debug!("a caller of the store stopped waiting for its answer");
            }
        });
        jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Finishes what is queued, empties the log and closes the file; nothing more to do the second time.
    pub(super) fn stop(&self) -> Result<(), StoreError> {
        let running = self.running().take();
        match running {
            None => Ok(()),
            Some(Running::Thread { jobs, thread }) => {
                drop(jobs);
                thread.join().unwrap_or_else(|_| Err(stopped()))
            }
            Some(Running::InPlace(writing)) => writing.close(),
        }
    }

    /// Tells whether stopping waits for no other thread.
    pub(super) fn is_in_place(&self) -> bool {
        matches!(*self.running(), Some(Running::InPlace(_)))
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        // Taken or not, it is whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped; restart the daemon".to_owned())
}

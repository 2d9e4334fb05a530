//! The one thread that writes.
//!
//! `SQLite` has one writer at a time. A thread that owns the connection makes that a queue instead of a contest, and keeps
//! disk waits off the runtime's threads.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;
use super::durability::Durability;
use super::failure::{Failure, Outcome};
use super::{connection, file};

/// Calls that wait for the writer; more of them wait in their callers.
const QUEUE: usize = 16;

/// The write-ahead log is cut back to nothing when a commit leaves it longer than this.
const LONG_LOG: u64 = 32 * 1024 * 1024;

type Job = Box<dyn FnOnce(&mut Writing) + Send>;

/// A handle to the thread.
pub(super) struct Writer {
    path: Arc<Path>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<Outcome<()>>>,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(connection: Connection, path: Arc<Path>) -> Result<Self, StoreError> {
        let (jobs, mut arriving) = mpsc::channel::<Job>(QUEUE);
        let mut writing = Writing { connection, path: Arc::clone(&path), durability: None };
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
        Ok(Self { path, jobs: Some(jobs), thread: Some(thread) })
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
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?.map_err(|failure| failure.at(&self.path))
    }

    /// Finishes what is queued, empties the log and ends the thread.
    pub(super) fn stop(&mut self) -> Result<(), StoreError> {
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended.map_err(|failure| failure.at(&self.path)),
            Some(Err(_)) => Err(stopped()),
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped; restart the daemon".to_owned())
}

/// What the thread owns.
struct Writing {
    connection: Connection,
    path: Arc<Path>,
    durability: Option<Durability>,
}

impl Writing {
    fn transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        self.recover()?;
        self.set(durability)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        self.trim();
        Ok(value)
    }

    /// Ends a transaction whose rollback failed, on a failing disk, so that the next one can begin.
    fn recover(&self) -> Outcome<()> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// `SQLite` takes this setting only between transactions.
    fn set(&mut self, durability: Durability) -> Outcome<()> {
        if self.durability != Some(durability) {
            self.connection.pragma_update(None, "synchronous", durability.synchronous())?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    fn trim(&self) {
        if file::log_length(&self.path) > LONG_LOG
            && let Err(failure) = self.empty_log()
        {
            tracing::debug!(?failure, "the write-ahead log stays long until the next commit");
        }
    }

    /// Moves the log into the file and cuts it to nothing, unless a reader still needs it.
    fn empty_log(&self) -> Outcome<()> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.busy_timeout(connection::PATIENCE)?;
        Ok(emptied?)
    }

    fn close(self) -> Outcome<()> {
        self.empty_log()?;
        self.connection.close().map_err(|(_, error)| Failure::Sql(error))
    }
}

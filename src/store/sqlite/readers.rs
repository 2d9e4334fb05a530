//! The connections that read, beside the writer and without waiting for it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::{Semaphore, mpsc};

use super::super::StoreError;
use super::Take;
use super::connection;
use super::failure::Outcome;

/// Two: one long list must not keep the outbox waiting.
const READERS: usize = 2;

/// Chunks that wait to be taken; reading goes on meanwhile.
const CHUNKS_AHEAD: usize = 2;

/// A few connections, each used by one call at a time.
pub(super) struct Readers {
    path: Arc<Path>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    in_place: bool,
}

impl Readers {
    /// Keeps `first` and opens the others when they are needed.
    pub(super) fn new(first: Connection, path: Arc<Path>) -> Self {
        let permits = Arc::new(Semaphore::new(READERS));
        Self { path, permits, idle: Arc::new(Mutex::new(vec![first])), in_place: false }
    }

    /// The same, reading on the caller's own thread.
    pub(super) fn in_place(first: Connection, path: Arc<Path>) -> Self {
        Self { in_place: true, ..Self::new(first, path) }
    }

    /// Does `work` on one consistent state, on a thread that may wait for the disk.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.in_place {
            return self.read_here(work);
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
        let job = move || {
            let result = on_idle(&idle, &path, work);
            drop(permit);
            result.map_err(|failure| failure.at(&path))
        };
        tokio::task::spawn_blocking(job).await.map_err(|_| closed())?
    }

    /// Does `work` on one consistent state, and hands over chunks as they are read, until `each` wants no more.
    pub(super) async fn stream<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, Take<'_, T>) -> Outcome<()> + Send + 'static,
        each: &mut (dyn FnMut(Vec<T>) -> bool + Send),
    ) -> Result<(), StoreError> {
        if self.in_place {
            return self.read_here(|transaction| work(transaction, &mut |chunk| each(chunk)));
        }
        let (taker, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reading = self.read(move |transaction| {
            work(transaction, &mut |chunk| taker.blocking_send(chunk).is_ok())
        });
        tokio::join!(reading, hand_over(chunks, each)).0
    }

    fn read_here<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if self.permits.is_closed() {
            return Err(closed());
        }
        on_idle(&self.idle, &self.path, work).map_err(|failure| failure.at(&self.path))
    }

    /// Closes what is idle and lets nobody in any more.
    pub(super) fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
    }
}

async fn hand_over<T>(
    mut chunks: mpsc::Receiver<Vec<T>>,
    each: &mut (dyn FnMut(Vec<T>) -> bool + Send),
) {
    while let Some(chunk) = chunks.recv().await {
        if !each(chunk) {
            break;
        }
    }
}

fn on_idle<T>(
    idle: &Mutex<Vec<Connection>>,
    path: &Path,
    work: impl FnOnce(&Transaction<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let waiting = lock(idle).pop();
    let mut connection = match waiting {
        Some(connection) => connection,
        None => connection::reading(path)?,
    };
    let transaction = connection.transaction()?;
    let result = work(&transaction);
    drop(transaction);
    lock(idle).push(connection);
    result
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    // A panic while the list was held cannot leave it half changed.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is being closed".to_owned())
}

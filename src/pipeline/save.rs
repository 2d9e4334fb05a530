//! Hands one transaction at a time to the store while the next is being drafted.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::expiry::View;
use crate::store::{Commit, Store, StoreError};

/// Longest pause between two tries to write.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a transaction wrote.
pub(super) struct Saved {
    /// The state of the inventory that it made durable, if certificates changed.
    pub(super) view: Option<Arc<View>>,
    /// Whether it put something into the outbox.
    pub(super) said: bool,
}

struct Flight {
    commit: Arc<Commit>,
    view: Option<Arc<View>>,
}

/// One transaction in flight.
pub(super) struct Saver {
    store: Arc<dyn Store>,
    flight: Option<Flight>,
    /// Holds at most the one task that writes, so that the pipeline goes on meanwhile.
    writing: JoinSet<Result<(), StoreError>>,
}

impl Saver {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, flight: None, writing: JoinSet::new() }
    }

    /// Begins to write. The transaction before must be finished.
    pub(super) fn begin(&mut self, commit: Commit, view: Option<Arc<View>>) {
        let commit = Arc::new(commit);
        self.write(Arc::clone(&commit));
        self.flight = Some(Flight { commit, view });
    }

    fn write(&mut self, commit: Arc<Commit>) {
        let store = Arc::clone(&self.store);
        self.writing.spawn(async move { store.commit(commit).await });
    }

    /// Waits until the transaction in flight is durable. A full disk is waited for: the draft is kept, the scans
    /// wait behind it, and readers keep the last state that was saved.
    pub(super) async fn finish(&mut self) -> Result<Option<Saved>, StoreError> {
        let Some(flight) = self.flight.take() else { return Ok(None) };
        let mut pause = Duration::from_secs(1);
        while let Some(written) = self.writing.join_next().await {
            match written {
                Ok(Ok(())) => break,
                Ok(Err(error @ (StoreError::Full(_) | StoreError::Unavailable(_)))) => {
                    tracing::error!(%error, "nothing was written and nothing is lost; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.write(Arc::clone(&flight.commit));
                }
                Ok(Err(error)) => return Err(error),
                Err(panic) => return Err(StoreError::Unavailable(panic.to_string())),
            }
        }
        let said = !flight.commit.outbox.is_empty();
        Ok(Some(Saved { view: flight.view, said }))
    }
}

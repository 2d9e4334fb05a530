//! How many events wait for a channel, and how many messages to it were given up and need somebody.

use super::worker::{DIGEST_WAIT, MOST_EVENTS, Worker};
use crate::expiry::{Event, Timestamp};
use crate::store::{Pending, StoreError};

/// Returns when an event began to wait. One that is for the digest only does so on purpose at first.
fn due(event: &Event) -> Timestamp {
    let wait = i64::try_from(DIGEST_WAIT.as_secs()).unwrap_or(i64::MAX);
    event.at.plus(if event.is_for_the_digest() { wait } else { 0 })
}

impl Worker {
    /// Counts them, where that may have changed since the last count.
    pub(super) async fn count_given_up(&mut self) -> Result<(), StoreError> {
        if self.given_up_counted {
            return Ok(());
        }
        let counts = self.shared.store.given_up().await?;
        let own = counts.into_iter().find(|(channel, _)| *channel == self.settings.name);
        self.shared.watcher.given_up(&self.settings.name, own.map_or(0, |(_, count)| count));
        self.given_up_counted = true;
        Ok(())
    }

    /// Counts what waits; not since when what waits for others on purpose does.
    pub(super) async fn count(&self, pending: &[Pending], all: usize) -> Result<(), StoreError> {
        if all >= MOST_EVENTS {
            return self.count_backlog().await;
        }
        let now = self.shared.clock.now();
        let oldest =
            pending.iter().map(|pending| due(&pending.event)).filter(|due| *due <= now).min();
        let count = u64::try_from(all).unwrap_or(u64::MAX);
        self.shared.watcher.pending(&self.settings.name, count, oldest);
        Ok(())
    }

    async fn count_backlog(&self) -> Result<(), StoreError> {
        let backlog = self.shared.store.backlog().await?;
        let own = backlog.into_iter().find(|(channel, _, _)| *channel == self.settings.name);
        let (count, oldest) = own.map_or((0, None), |(_, count, oldest)| (count, Some(oldest)));
        self.shared.watcher.pending(&self.settings.name, count, oldest);
        Ok(())
    }
}

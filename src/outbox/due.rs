//! When the next attempt is due.

use std::time::Duration;

use tokio::time::Instant;

use super::worker::{DIGEST_WAIT, MOST_EVENTS, Worker};
use crate::store::{Pending, StoreError};

/// The least time between two attempts of which a new critical event pulls the second forward.
const PULL: Duration = Duration::from_mins(2);

impl Worker {
    /// Returns how long it is until the next attempt.
    pub(super) async fn until_due(&mut self, pending: &[Pending]) -> Result<Duration, StoreError> {
        let Some(at) = self.retry_at else {
            let resumes = pending.iter().any(|one| one.batch.is_some());
            return Ok(if resumes { Duration::ZERO } else { self.gather(pending) });
        };
        let wait = at.saturating_duration_since(Instant::now());
        let Some((tried, newest)) = self.tried else { return Ok(wait) };
        // What is new may stand behind more than goes into a message.
        let (_, critical) = self.shared.store.came_after(&self.settings.name, newest).await?;
        if critical {
            return Ok(wait.min((tried + PULL).saturating_duration_since(Instant::now())));
        }
        Ok(wait)
    }

    /// Returns how much longer events wait for others. Those that are for the digest only wait until there
    /// is something else to say, and for a day at most; with more of them than fit, others may be behind them.
    fn gather(&mut self, pending: &[Pending]) -> Duration {
        let wait = self.settings.group_wait;
        let Some(first) = pending.first() else { return wait };
        if first.event.is_canary() {
            return Duration::ZERO;
        }
        match pending.iter().find(|pending| !pending.event.is_for_the_digest()) {
            Some(oldest) => self.left(oldest, wait),
            None if pending.len() < MOST_EVENTS => self.left(first, DIGEST_WAIT),
            None => self.left(first, wait),
        }
    }

    /// Returns what is left of the time that an event waits for others.
    fn left(&mut self, oldest: &Pending, wait: Duration) -> Duration {
        let seen = match self.oldest {
            Some((delivery, seen)) if delivery == oldest.delivery => seen,
            _ => self.oldest.insert((oldest.delivery, Instant::now())).1,
        };
        let waited = Duration::from_millis(
            u64::try_from(
                self.shared
                    .clock
                    .millis()
                    .saturating_sub(oldest.event.at.seconds().saturating_mul(1000)),
            )
            .unwrap_or(0),
        );
        wait.saturating_sub(waited.max(seen.elapsed()))
    }
}

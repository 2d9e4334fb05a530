//! What waits for the right time: by a clock that is not trusted nobody is told when something ends, and no snooze has ended.

use tokio::sync::watch;

use super::worker::Worker;
use crate::expiry::{Event, Topic};
use crate::store::Pending;

impl Worker {
    /// Returns whether the machine's clock is trusted.
    pub(super) fn clock_is_trusted(&self) -> bool {
        *self.shared.clock_trusted.borrow()
    }
}

/// Waits until the machine's clock is trusted, or is not any more.
pub(super) async fn clock_turned(trusted: &mut watch::Receiver<bool>) {
    if trusted.changed().await.is_err() {
        // The pipeline has ended, and nobody looks at the clock any more.
        std::future::pending::<()>().await;
    }
}

/// Leaves what can be said whatever the time is. What may have arrived is repeated as it was.
pub(super) fn keep_timeless(pending: &mut Vec<Pending>) {
    let may_have_arrived = |one: &Pending| one.batch.as_ref().is_some_and(|batch| batch.begun);
    pending.retain(|one| may_have_arrived(one) || !tells_time(&one.event));
}

/// Returns whether an event tells when something ends.
fn tells_time(event: &Event) -> bool {
    let is_about_months = matches!(event.topic, Topic::FleetCliff { .. });
    event.facts().is_some() || event.daily().is_some() || is_about_months
}

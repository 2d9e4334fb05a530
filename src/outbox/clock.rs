//! What waits for the right time: by a clock that is not trusted nobody is told when something ends, and no snooze has ended.

use super::worker::Worker;
use crate::expiry::{Event, Timestamp, Topic};
use crate::store::{Pending, StoreError};

impl Worker {
    /// Returns whether the machine's clock is trusted.
    pub(super) fn clock_is_trusted(&self) -> bool {
        *self.shared.clock_trusted.borrow()
    }

    /// Takes out what is not to be said now, and answers when the first of that is.
    pub(super) async fn hold_back(
        &self,
        pending: &mut Vec<Pending>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        if !self.clock_is_trusted() {
            keep_timeless(pending);
            return Ok(None);
        }
        let muted = self.settings.hold.take_out(pending, now);
        Ok(self.leave_out(pending, now).await?.into_iter().chain(muted).min())
    }
}

/// Leaves what can be said whatever the time is. What may have arrived is repeated as it was.
fn keep_timeless(pending: &mut Vec<Pending>) {
    let may_have_arrived = |one: &Pending| one.batch.as_ref().is_some_and(|batch| batch.begun);
    pending.retain(|one| may_have_arrived(one) || !tells_time(&one.event));
}

/// Returns whether an event tells when something ends.
fn tells_time(event: &Event) -> bool {
    let is_about_months = matches!(event.topic, Topic::FleetCliff { .. });
    event.facts().is_some() || event.daily().is_some() || is_about_months
}

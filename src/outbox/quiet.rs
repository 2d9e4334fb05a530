//! What is snoozed by the time that it would be composed.

use std::sync::Arc;

use super::worker::Worker;
use crate::expiry::{Snoozes, Timestamp};
use crate::store::{Pending, StoreError};

impl Worker {
    /// Takes out what is snoozed, and answers when the first of that is to be said after all.
    pub(super) async fn leave_out(
        &self,
        pending: &mut Vec<Pending>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let snoozes = Arc::clone(&self.shared.snoozes.borrow());
        let taken = take_out(&snoozes, pending, now);
        if !taken.settled.is_empty() {
            let name = &self.settings.name;
            let count = self.shared.store.leave_out(name, &taken.settled, now).await?;
            self.shared.watcher.settled(name, count);
        }
        Ok(taken.first)
    }
}

/// What was taken out.
#[derive(Debug, Default)]
struct TakenOut {
    /// Alerts about certificates: what stands when the snooze ends is decided then.
    settled: Vec<i64>,
    /// When the first of those ends that only wait: what they tell of is said then, unless it is over.
    first: Option<Timestamp>,
}

/// Takes out what is snoozed now. What may have arrived is repeated whatever is snoozed.
fn take_out(snoozes: &Snoozes, pending: &mut Vec<Pending>, now: Timestamp) -> TakenOut {
    let mut taken = TakenOut::default();
    if snoozes.is_empty() {
        return taken;
    }
    pending.retain(|one| {
        let may_have_arrived = one.batch.as_ref().is_some_and(|batch| batch.begun);
        let hushing = snoozes.hushing(&one.event, now).filter(|_| !may_have_arrived);
        match hushing.map(Arc::as_ref) {
            None => return true,
            Some(_) if one.event.facts().is_some() => taken.settled.push(one.delivery),
            Some(snooze) => taken.first = taken.first.into_iter().chain([snooze.until]).min(),
        }
        false
    });
    taken
}

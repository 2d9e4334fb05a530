//! What is sent next: which deliveries, as which message.

use crate::expiry::{Detail, Message, Timestamp, batch_id};
use crate::store::{Batch, Pending};

use super::Settings;

/// A batch and what is in it.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) members: Vec<Pending>,
    /// Whether an earlier request with it may have arrived.
    pub(super) fixed: bool,
}

impl Job {
    /// Takes up what may have arrived already, as it was; else what was kept together after a refusal, else everything.
    pub(super) fn of(pending: Vec<Pending>, now: Timestamp) -> Self {
        let begun = pending.iter().filter_map(|one| one.batch.as_ref()).find(|batch| batch.begun);
        if let Some(batch) = begun.cloned() {
            let belongs =
                |one: &Pending| one.batch.as_ref().is_some_and(|other| other.id == batch.id);
            return Self { members: only(pending, belongs), batch, fixed: true };
        }
        let kept = pending.iter().find_map(|one| one.batch.clone());
        let members = match &kept {
            Some(_) => only(pending, |one| one.batch.is_some()),
            None => pending,
        };
        let batch = Batch {
            id: batch_id(members.iter().map(|one| &one.event)),
            attempts: kept.as_ref().map_or(0, |batch| batch.attempts),
            detail: kept.as_ref().map_or(Detail::Full.index(), |batch| batch.detail),
            next_at: now,
            composed_at: now,
            begun: true,
            pages: 0,
        };
        Self { batch, members, fixed: false }
    }

    /// Returns the message: the same each time, for as long as the batch is the same.
    pub(super) fn compose(&self, settings: &Settings) -> Message {
        let events = self.members.iter().map(|pending| pending.event.clone()).collect();
        let mut message = Message::compose(
            self.batch.id.clone(),
            self.batch.composed_at,
            settings.language,
            events,
            settings.external_url.as_deref(),
        );
        message.detail = Detail::from_index(self.batch.detail);
        message
    }

    /// Returns the deliveries in it.
    pub(super) fn deliveries(&self) -> Vec<i64> {
        self.members.iter().map(|pending| pending.delivery).collect()
    }
}

fn only(pending: Vec<Pending>, which: impl Fn(&Pending) -> bool) -> Vec<Pending> {
    pending.into_iter().filter(which).collect()
}

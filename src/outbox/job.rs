//! What is sent next: which deliveries, as which message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::channel::{Channel, LinkKey, Ticket};
use crate::expiry::{Detail, Manner, Message, Timestamp, batch_id};
use crate::store::{Batch, Body, Pending, Store, StoreError};

use super::Settings;

/// A batch and what is in it.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) members: Vec<Pending>,
    /// What its requests say.
    pub(super) body: Body,
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
            let (members, body) = (only(pending, belongs), Body::default());
            return Self { members, batch, body, fixed: true };
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
        Self { batch, members, body: Body::default(), fixed: false }
    }

    /// Takes up what was said before, or says it in words. Answers whether these are new.
    pub(super) async fn word(
        &mut self,
        (settings, key): (&Settings, Option<&LinkKey>),
        channel: &dyn Channel,
        store: &dyn Store,
    ) -> Result<bool, StoreError> {
        if self.fixed
            && let Some(kept) = store.body(&settings.name, &self.batch.id).await?
        {
            if kept.kind == settings.kind {
                self.body = kept;
                return Ok(false);
            }
            // The service of before has seen pages of its own; this one has seen none.
            self.batch.pages = 0;
        }
        let message = self.compose(settings, key);
        // Who cannot say it says nothing, which costs an attempt.
        let pages = catch_unwind(AssertUnwindSafe(|| channel.encode(&message)));
        self.body = Body { kind: settings.kind.clone(), pages: pages.unwrap_or_default() };
        Ok(true)
    }

    /// Returns the message: the same each time, for as long as batch and settings are the same.
    fn compose(&self, settings: &Settings, key: Option<&LinkKey>) -> Message {
        let events = self.members.iter().map(|pending| pending.event.clone()).collect();
        let is_daily = self.members.iter().any(|pending| pending.event.daily().is_some());
        let language = settings.daily_language.filter(|_| is_daily);
        let language = language.unwrap_or(settings.manner.language);
        let mut message = Message::compose(
            self.batch.id.clone(),
            self.batch.composed_at,
            Manner { language, ..settings.manner },
            events,
            settings.external_url.as_deref(),
        );
        message.detail = Detail::from_index(self.batch.detail);
        message.snooze = snooze_link(&message, settings, key);
        message
    }

    /// Returns whether it is a canary, which goes alone.
    pub(super) fn is_canary(&self) -> bool {
        self.members.iter().all(|one| one.event.is_canary())
    }

    /// Returns the deliveries in it.
    pub(super) fn deliveries(&self) -> Vec<i64> {
        self.members.iter().map(|pending| pending.delivery).collect()
    }
}

/// Returns where the only certificate of a message may be snoozed, by whoever reads it.
fn snooze_link(message: &Message, settings: &Settings, key: Option<&LinkKey>) -> Option<String> {
    let (base, key) = settings.external_url.as_deref().zip(key)?;
    let token = Ticket::of(message.only_alert()?, message.at)?.sign(key)?;
    Some(format!("{base}/snooze?token={token}"))
}

fn only(pending: Vec<Pending>, which: impl Fn(&Pending) -> bool) -> Vec<Pending> {
    pending.into_iter().filter(which).collect()
}

//! Events that are to be delivered, and how far each delivery has come.

use std::collections::{BTreeMap, BTreeSet};

use super::super::types::KEPT;
use super::super::{Batch, BatchUpdate, ChannelState, Pending, StoreError};
use crate::expiry::{Event, Timestamp};

#[derive(Default)]
pub(super) struct Outbox {
    last: i64,
    waiting: BTreeMap<i64, Waiting>,
    events: BTreeMap<String, Event>,
    /// Event and channel of every delivery, those that ended included.
    deliveries: BTreeSet<(String, String)>,
    /// Event and channel of what was delivered, by when and number.
    sent: BTreeMap<(Timestamp, i64), (String, String)>,
    /// By channel and id.
    batches: BTreeMap<(String, String), Batch>,
    states: BTreeMap<String, ChannelState>,
}

struct Waiting {
    event: String,
    channel: String,
    created: Timestamp,
    batch: Option<String>,
}

impl Outbox {
    /// Puts events into the outbox; what is in it already, by event and channel, stays as it is.
    pub(super) fn enqueue(&mut self, outbox: &[(Event, Vec<String>)]) {
        for (event, channels) in outbox.iter().filter(|(_, channels)| !channels.is_empty()) {
            self.events.entry(event.id.clone()).or_insert_with(|| event.clone());
            channels.iter().for_each(|channel| self.enqueue_one(event, channel));
        }
    }

    pub(super) fn pending(&self, channel: &str, limit: usize) -> Vec<Pending> {
        let waiting = self.waiting.iter().filter(|(_, one)| one.channel == channel);
        waiting
            .filter_map(|(delivery, one)| {
                let event = self.events.get(&one.event)?.clone();
                let batch = one.batch.as_ref().and_then(|id| self.batches.get(&key(channel, id)));
                Some(Pending { delivery: *delivery, event, batch: batch.cloned() })
            })
            .take(limit)
            .collect()
    }

    pub(super) fn backlog(&self) -> Vec<(String, u64, Timestamp)> {
        let mut backlog = BTreeMap::<&str, (u64, Timestamp)>::new();
        for one in self.waiting.values() {
            let (count, oldest) = backlog.entry(&one.channel).or_insert((0, one.created));
            (*count, *oldest) = (*count + 1, one.created.min(*oldest));
        }
        backlog
            .into_iter()
            .map(|(channel, (count, oldest))| (channel.to_owned(), count, oldest))
            .collect()
    }

    /// Freezes deliveries into a batch; all of them, or none when one is not free.
    pub(super) fn freeze(&mut self, deliveries: &[i64], batch: &Batch) -> Result<(), StoreError> {
        let Some(first) = deliveries.first() else { return Ok(()) };
        let channel = self.waiting.get(first).map(|one| one.channel.clone()).unwrap_or_default();
        let free = |one: &Waiting| {
            one.channel == channel && one.batch.as_ref().is_none_or(|id| *id == batch.id)
        };
        if let Some(taken) = deliveries.iter().find(|id| !self.waiting.get(id).is_some_and(free)) {
            let id = &batch.id;
            let text = format!("delivery {taken} is not free to be frozen into batch {id}");
            return Err(StoreError::Damaged(text));
        }
        self.batches.insert(key(&channel, &batch.id), batch.clone());
        for delivery in deliveries {
            if let Some(one) = self.waiting.get_mut(delivery) {
                one.batch = Some(batch.id.clone());
            }
        }
        Ok(())
    }

    /// Records how a batch ended or goes on, and the channel's state with it.
    pub(super) fn settle(
        &mut self,
        (channel, batch): (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
    ) -> Result<(), StoreError> {
        match update {
            BatchUpdate::Delivered { at } => self.delivered(channel, batch, *at),
            BatchUpdate::Retry(next) if next.id == batch => {
                if let Some(known) = self.batches.get_mut(&key(channel, batch)) {
                    known.clone_from(next);
                }
            }
            BatchUpdate::Retry(next) => {
                let text = format!("batch {batch} cannot become {}", next.id);
                return Err(StoreError::Damaged(text));
            }
            // Its deliveries stay known, so that they are not enqueued again.
            BatchUpdate::Dead { .. } => drop(self.end(channel, batch)),
        }
        self.states.insert(channel.to_owned(), state.clone());
        Ok(())
    }

    pub(super) fn channel_state(&self, channel: &str) -> ChannelState {
        self.states.get(channel).cloned().unwrap_or_default()
    }

    fn enqueue_one(&mut self, event: &Event, channel: &str) {
        if self.deliveries.insert((event.id.clone(), channel.to_owned())) {
            self.last += 1;
            let (id, channel) = (event.id.clone(), channel.to_owned());
            let waiting = Waiting { event: id, channel, created: event.at, batch: None };
            self.waiting.insert(self.last, waiting);
        }
    }

    fn delivered(&mut self, channel: &str, batch: &str, at: Timestamp) {
        let ended = self.end(channel, batch);
        let sent = ended.into_iter().map(|(number, one)| ((at, number), (one.event, one.channel)));
        self.sent.extend(sent);
        self.batches.remove(&key(channel, batch));
        self.forget_sent_before(at.plus(-KEPT));
    }

    fn end(&mut self, channel: &str, batch: &str) -> Vec<(i64, Waiting)> {
        let member = |one: &Waiting| one.channel == channel && one.batch.as_deref() == Some(batch);
        self.waiting.extract_if(.., |_, one| member(one)).collect()
    }

    fn forget_sent_before(&mut self, before: Timestamp) {
        while let Some(oldest) = self.sent.first_entry().filter(|one| one.key().0 < before) {
            let delivery = oldest.remove();
            self.deliveries.remove(&delivery);
            let event = delivery.0;
            let mut others = self.deliveries.range((event.clone(), String::new())..);
            if others.next().is_none_or(|(other, _)| *other != event) {
                self.events.remove(&event);
            }
        }
    }
}

fn key(channel: &str, batch: &str) -> (String, String) {
    (channel.to_owned(), batch.to_owned())
}

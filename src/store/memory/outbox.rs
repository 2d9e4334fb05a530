//! Events that are to be delivered, and how far each delivery has come.

use std::collections::{BTreeMap, BTreeSet};

use super::super::types::{KEPT, KEPT_DEAD};
use super::super::{Batch, BatchUpdate, ChannelState, Pending, StoreError};
use crate::expiry::{Event, Timestamp};

#[derive(Default)]
pub(super) struct Outbox {
    last: i64,
    waiting: BTreeMap<i64, Waiting>,
    events: BTreeMap<String, Event>,
    /// Event and channel of every delivery, those that ended included.
    deliveries: BTreeSet<(String, String)>,
    /// What was delivered.
    sent: Ended,
    /// What was given up.
    dead: Ended,
    /// By channel and id.
    batches: BTreeMap<(String, String), Batch>,
    states: BTreeMap<String, ChannelState>,
}

/// Event, channel and batch of deliveries, by when they ended and their number.
type Ended = BTreeMap<(Timestamp, i64), (String, String, String)>;

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
            BatchUpdate::Dead { at, .. } => {
                let ended = self.end(channel, batch, *at);
                self.dead.extend(ended);
                self.forget_what_ended_long_before(*at);
            }
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
        let ended = self.end(channel, batch, at);
        self.sent.extend(ended);
        self.batches.remove(&key(channel, batch));
        self.forget_what_ended_long_before(at);
    }

    fn end(&mut self, channel: &str, batch: &str, at: Timestamp) -> Ended {
        let member = |one: &Waiting| one.channel == channel && one.batch.as_deref() == Some(batch);
        let ended = self.waiting.extract_if(.., |_, one| member(one));
        let named = |one: Waiting| (one.event, one.channel, batch.to_owned());
        ended.map(|(number, one)| ((at, number), named(one))).collect()
    }

    fn forget_what_ended_long_before(&mut self, now: Timestamp) {
        let sent = take_before(&mut self.sent, now.plus(-KEPT));
        let dead = take_before(&mut self.dead, now.plus(-KEPT_DEAD));
        for (event, channel, batch) in sent.chain(dead) {
            self.forget(event, channel, &batch);
        }
    }

    fn forget(&mut self, event: String, channel: String, batch: &str) {
        let is_member =
            |one: &Waiting| one.channel == channel && one.batch.as_deref() == Some(batch);
        if !self.waiting.values().any(is_member) {
            self.batches.remove(&key(&channel, batch));
        }
        self.deliveries.remove(&(event.clone(), channel));
        let mut others = self.deliveries.range((event.clone(), String::new())..);
        if others.next().is_none_or(|(other, _)| *other != event) {
            self.events.remove(&event);
        }
    }
}

/// Takes out what ended before then.
fn take_before(
    ended: &mut Ended,
    before: Timestamp,
) -> impl Iterator<Item = (String, String, String)> + use<> {
    let kept = ended.split_off(&(before, i64::MIN));
    std::mem::replace(ended, kept).into_values()
}

fn key(channel: &str, batch: &str) -> (String, String) {
    (channel.to_owned(), batch.to_owned())
}

//! Events that are to be delivered, and how far each delivery has come.

use std::collections::BTreeMap;

use super::super::types::{KEPT, KEPT_DEAD};
use super::super::{About, Batch, BatchUpdate, Body, ChannelState, Pending, StoreError};
use super::known::Known;
use crate::expiry::{Event, Heard, Timestamp, said_again};

#[derive(Clone, Default)]
pub(super) struct Outbox {
    last: i64,
    pub(super) deliveries: BTreeMap<i64, Delivery>,
    pub(super) events: BTreeMap<String, Event>,
    /// By channel and id.
    batches: BTreeMap<(String, String), Batch>,
    /// What their requests say.
    bodies: BTreeMap<(String, String), Body>,
    states: BTreeMap<String, ChannelState>,
}

#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) event: String,
    pub(super) channel: String,
    pub(super) state: State,
    pub(super) about: About,
    pub(super) created: Timestamp,
    pub(super) batch: Option<String>,
    /// The service's word for a dead one.
    pub(super) code: Option<String>,
    /// It was given up, and what it says was said again since, or is true no more.
    pub(super) replaced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Sent(Timestamp),
    Dead(Timestamp),
    Settled(Timestamp),
}

impl Outbox {
    /// Puts an event into the outbox; what is in it already, by event and channel, stays as it is. What was settled was
    /// never sent; `anew` brings back what had ended otherwise, too.
    pub(super) fn enqueue(
        &mut self,
        event: &Event,
        channels: &[String],
        about: &About,
        anew: bool,
    ) {
        for channel in channels {
            self.events.entry(event.id.clone()).or_insert_with(|| event.clone());
            let same = |one: &Delivery| one.event == event.id && one.channel == *channel;
            let known = self.deliveries.iter().rev().find(|(_, one)| same(one));
            let stays = known.map(|(number, one)| match one.state {
                State::Pending => Ok(()),
                State::Sent(_) | State::Dead(_) if !anew => Ok(()),
                State::Settled(_) | State::Sent(_) | State::Dead(_) => Err(*number),
            });
            match stays {
                Some(Ok(())) => continue,
                Some(Err(number)) => drop(self.deliveries.remove(&number)),
                None => {}
            }
            self.last += 1;
            let delivery = Delivery {
                event: event.id.clone(),
                channel: channel.clone(),
                state: State::Pending,
                about: about.clone(),
                created: event.at,
                batch: None,
                code: None,
                replaced: false,
            };
            self.deliveries.insert(self.last, delivery);
        }
    }

    pub(super) fn pending(&self, channel: &str, limit: usize) -> Vec<Pending> {
        let waiting = self.waiting().filter(|(_, one)| one.channel == channel);
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
        for (_, one) in self.waiting() {
            let (count, oldest) = backlog.entry(&one.channel).or_insert((0, one.created));
            (*count, *oldest) = (*count + 1, one.created.min(*oldest));
        }
        backlog
            .into_iter()
            .map(|(channel, (count, oldest))| (channel.to_owned(), count, oldest))
            .collect()
    }

    /// Freezes deliveries into a batch; all of them, or none when one is not free.
    pub(super) fn freeze(&mut self, deliveries: &[i64], batch: &Batch, body: &Body) -> bool {
        let Some(first) = deliveries.first() else { return true };
        let channel = self.deliveries.get(first).map(|one| one.channel.clone()).unwrap_or_default();
        let free = |one: &Delivery| {
            let mine = one.batch.as_ref().is_none_or(|id| *id == batch.id);
            one.channel == channel && one.state == State::Pending && (mine || !self.has_begun(one))
        };
        if !deliveries.iter().all(|id| self.deliveries.get(id).is_some_and(free)) {
            return false;
        }
        self.batches.insert(key(&channel, &batch.id), batch.clone());
        self.bodies.insert(key(&channel, &batch.id), body.clone());
        for delivery in deliveries {
            if let Some(one) = self.deliveries.get_mut(delivery) {
                one.batch = Some(batch.id.clone());
            }
        }
        true
    }

    /// Records how a batch ended or goes on, and the channel's state with it.
    pub(super) fn settle(
        &mut self,
        (channel, batch): (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
        known: &mut Known,
    ) -> Result<(), StoreError> {
        match update {
            BatchUpdate::Delivered { at } => self.delivered(channel, batch, *at, known),
            BatchUpdate::Retry(next) if next.id == batch => {
                if let Some(known) = self.batches.get_mut(&key(channel, batch)) {
                    known.clone_from(next);
                }
            }
            BatchUpdate::Retry(next) => {
                let text = format!("batch {batch} cannot become {}", next.id);
                return Err(StoreError::Damaged(text));
            }
            BatchUpdate::Released => {
                self.members(channel, batch).for_each(|one| one.batch = None);
                self.forget_batch(channel, batch);
            }
            // Its deliveries stay known, so that they are not enqueued again.
            BatchUpdate::Dead { at, code } => {
                self.members(channel, batch).for_each(|one| {
                    (one.state, one.code) = (State::Dead(*at), Some(code.clone()));
                });
                self.forget_long_before(*at, known);
            }
        }
        self.states.insert(channel.to_owned(), state.clone());
        Ok(())
    }

    /// Puts back what was given up before a time and is still open, as events of their own.
    pub(super) fn say_again(&mut self, channel: &str, before: Timestamp, at: Timestamp) -> u64 {
        let mut again = Vec::new();
        for one in self.deliveries.values_mut().filter(|one| one.channel == channel) {
            let open = matches!(one.about, About::Certificate(_));
            if open && matches!(one.state, State::Dead(died) if died <= before) {
                one.replaced = true;
                let about = std::mem::replace(&mut one.about, About::Nothing);
                again.push((one.state, one.event.clone(), about));
            }
        }
        again.sort_by_key(|(state, ..)| match state {
            State::Dead(died) => *died,
            State::Pending | State::Sent(_) | State::Settled(_) => before,
        });
        for (_, event, about) in &again {
            if let Some(event) = self.events.get(event).map(|event| said_again(event, at)) {
                self.enqueue(&event, &[channel.to_owned()], about, false);
            }
        }
        again.len() as u64
    }

    pub(super) fn body(&self, channel: &str, batch: &str) -> Option<Body> {
        self.bodies.get(&key(channel, batch)).filter(|body| !body.pages.is_empty()).cloned()
    }

    pub(super) fn channel_state(&self, channel: &str) -> ChannelState {
        self.states.get(channel).cloned().unwrap_or_default()
    }

    /// A batch that was given up is composed anew.
    pub(super) fn refresh(&mut self, channel: &str, batch: &str) {
        if let Some(batch) = self.batches.get_mut(&key(channel, batch)) {
            (batch.attempts, batch.detail, batch.begun, batch.pages) = (0, 0, false, 0);
        }
    }

    /// Returns whether a request with the delivery may have arrived.
    pub(super) fn has_begun(&self, one: &Delivery) -> bool {
        let batch = one.batch.as_ref().and_then(|id| self.batches.get(&key(&one.channel, id)));
        batch.is_some_and(|batch| batch.begun)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = (&i64, &Delivery)> {
        self.deliveries.iter().filter(|(_, one)| one.state == State::Pending)
    }

    fn members(&mut self, channel: &str, batch: &str) -> impl Iterator<Item = &mut Delivery> {
        self.deliveries.values_mut().filter(move |one| {
            let member = one.channel == channel && one.batch.as_deref() == Some(batch);
            member && one.state == State::Pending
        })
    }

    fn delivered(&mut self, channel: &str, batch: &str, at: Timestamp, known: &mut Known) {
        let mut sent = 0;
        for one in self.members(channel, batch) {
            sent += 1;
            one.state = State::Sent(at);
            if let About::Certificate(row) = one.about {
                one.about = About::Nothing;
                if let Some((said, told)) = known.ledger.get_mut(&row) {
                    let late = Some(at).filter(|at| at.since(said.at) > Heard::SOON);
                    told.insert(channel.to_owned(), late);
                }
            }
        }
        self.forget_batch(channel, batch);
        if sent > 0 {
            self.say_again(channel, at, at);
        }
        self.forget_long_before(at, known);
    }

    fn forget_batch(&mut self, channel: &str, batch: &str) {
        self.batches.remove(&key(channel, batch));
        self.bodies.remove(&key(channel, batch));
    }

    /// What was said of a condition is known for as long as it stands: it is said once.
    fn forget_long_before(&mut self, now: Timestamp, known: &Known) {
        let stands = |about: &About| matches!(about, About::Condition(key) if known.stands(key));
        let old = |one: &Delivery| match one.state {
            State::Sent(at) => at < now.plus(-KEPT) && !stands(&one.about),
            State::Settled(at) => at < now.plus(-KEPT),
            State::Dead(at) => at < now.plus(-KEPT_DEAD),
            State::Pending => false,
        };
        if !self.deliveries.values().any(&old) {
            return;
        }
        self.deliveries.retain(|_, one| !old(one));
        let used: std::collections::BTreeSet<_> =
            self.deliveries.values().map(|one| one.event.as_str()).collect();
        self.events.retain(|id, _| used.contains(id.as_str()));
    }
}

fn key(channel: &str, batch: &str) -> (String, String) {
    (channel.to_owned(), batch.to_owned())
}

//! Events that are to be delivered, and how far each delivery has come.

use std::collections::BTreeMap;

use super::super::types::{KEPT, KEPT_DEAD};
use super::super::{About, Batch, BatchUpdate, Body, ChannelState, Pending, StoreError};
use super::deliveries::{Deliveries, Delivery, State};
use super::known::Known;
use crate::expiry::{Event, Heard, Severity, Timestamp, said_again};

#[derive(Clone, Default)]
pub(super) struct Outbox {
    pub(super) deliveries: Deliveries,
    pub(super) events: BTreeMap<String, Event>,
    /// By channel and id.
    batches: BTreeMap<(String, String), Batch>,
    /// What their requests say.
    bodies: BTreeMap<(String, String), Body>,
    states: BTreeMap<String, ChannelState>,
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
            let stays =
                self.deliveries.latest(&event.id, channel).map(|(number, one)| match one.state {
                    State::Pending => Ok(()),
                    State::Sent(_) | State::Dead(_) if !anew => Ok(()),
                    State::Settled(_) | State::Sent(_) | State::Dead(_) => Err(number),
                });
            match stays {
                Some(Ok(())) => continue,
                Some(Err(number)) => self.deliveries.remove(number),
                None => {}
            }
            self.deliveries.push(Delivery {
                event: event.id.clone(),
                channel: channel.clone(),
                state: State::Pending,
                about: about.clone(),
                created: event.at,
                batch: None,
                code: None,
                replaced: false,
            });
        }
    }

    pub(super) fn pending(&self, channel: &str, limit: usize) -> Vec<Pending> {
        let waiting = self.deliveries.waiting_for(channel);
        waiting
            .filter_map(|(delivery, one)| {
                let event = self.events.get(&one.event)?.clone();
                let batch = one.batch.as_ref().and_then(|id| self.batches.get(&key(channel, id)));
                Some(Pending { delivery, event, batch: batch.cloned() })
            })
            .take(limit)
            .collect()
    }

    pub(super) fn came_after(&self, channel: &str, delivery: i64) -> (i64, bool) {
        let waiting = || self.deliveries.waiting_for(channel);
        let is_critical = |event: &Event| event.severity == Severity::Critical;
        let mut after = waiting().filter(|(number, _)| *number > delivery);
        let critical = after.any(|(_, one)| self.events.get(&one.event).is_some_and(is_critical));
        (waiting().map(|(number, _)| number).max().unwrap_or_default(), critical)
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
        let channel =
            self.deliveries.get(*first).map(|one| one.channel.clone()).unwrap_or_default();
        let free = |one: &Delivery| {
            let mine = one.batch.as_ref().is_none_or(|id| *id == batch.id);
            one.channel == channel && one.state == State::Pending && (mine || !self.has_begun(one))
        };
        if !deliveries.iter().all(|id| self.deliveries.get(*id).is_some_and(free)) {
            return false;
        }
        self.batches.insert(key(&channel, &batch.id), batch.clone());
        self.bodies.insert(key(&channel, &batch.id), body.clone());
        for delivery in deliveries {
            self.deliveries.change(*delivery, |one| one.batch = Some(batch.id.clone()));
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
                for member in self.members(channel, batch) {
                    self.deliveries.change(member, |one| one.batch = None);
                }
                self.forget_batch(channel, batch);
            }
            // Its deliveries stay known, so that they are not enqueued again.
            BatchUpdate::Dead { at, code } => {
                for member in self.members(channel, batch) {
                    let given_up = (State::Dead(*at), Some(code.clone()));
                    self.deliveries.change(member, |one| (one.state, one.code) = given_up);
                }
            }
        }
        self.states.insert(channel.to_owned(), state.clone());
        Ok(())
    }

    /// Puts back what was given up before a time and is still open, as events of their own.
    pub(super) fn say_again(&mut self, channel: &str, before: Timestamp, at: Timestamp) -> u64 {
        let is_open = |one: &Delivery| matches!(one.about, About::Certificate(_));
        let is_dead = |one: &Delivery| matches!(one.state, State::Dead(died) if died <= before);
        let dead = self.deliveries.dead();
        let dead = dead.filter(|(_, one)| one.channel == channel && is_open(one) && is_dead(one));
        let dead: Vec<i64> = dead.map(|(number, _)| number).collect();
        let mut again = Vec::new();
        for number in dead {
            self.deliveries.change(number, |one| {
                one.replaced = true;
                let about = std::mem::replace(&mut one.about, About::Nothing);
                again.push((one.state, one.event.clone(), about));
            });
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

    pub(super) fn waiting(&self) -> impl Iterator<Item = (i64, &Delivery)> {
        self.deliveries.waiting()
    }

    fn members(&self, channel: &str, batch: &str) -> Vec<i64> {
        let waiting = self.deliveries.waiting_for(channel);
        let members = waiting.filter(|(_, one)| one.batch.as_deref() == Some(batch));
        members.map(|(number, _)| number).collect()
    }

    fn delivered(&mut self, channel: &str, batch: &str, at: Timestamp, known: &mut Known) {
        let members = self.members(channel, batch);
        for member in &members {
            self.deliveries.change(*member, |one| {
                one.state = State::Sent(at);
                if let About::Certificate(row) = one.about {
                    one.about = About::Nothing;
                    if let Some((said, told)) = known.ledger.get_mut(&row) {
                        let late = Some(at).filter(|at| at.since(said.at) > Heard::SOON);
                        told.insert(channel.to_owned(), late);
                    }
                }
            });
        }
        self.forget_batch(channel, batch);
        if !members.is_empty() {
            self.say_again(channel, at, at);
        }
    }

    fn forget_batch(&mut self, channel: &str, batch: &str) {
        self.batches.remove(&key(channel, batch));
        self.bodies.remove(&key(channel, batch));
    }

    /// What was said of a condition is known for as long as it stands: it is said once.
    pub(super) fn forget_long_before(&mut self, now: Timestamp, known: &Known) {
        let stands = |about: &About| matches!(about, About::Condition(key) if known.stands(key));
        let old = |one: &Delivery| match one.state {
            State::Sent(at) => at < now.plus(-KEPT) && !stands(&one.about),
            State::Settled(at) => at < now.plus(-KEPT),
            State::Dead(at) => at < now.plus(-KEPT_DEAD),
            State::Pending => false,
        };
        let ended = self.deliveries.ended_before(now.plus(-KEPT.min(KEPT_DEAD)));
        let gone = ended.filter(|(_, one)| old(one));
        let gone: Vec<(i64, String)> =
            gone.map(|(number, one)| (number, one.event.clone())).collect();
        for (number, event) in gone {
            self.deliveries.remove(number);
            if !self.deliveries.has_event(&event) {
                self.events.remove(&event);
            }
        }
    }
}

fn key(channel: &str, batch: &str) -> (String, String) {
    (channel.to_owned(), batch.to_owned())
}

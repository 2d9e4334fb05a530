//! The outbox as people look at it, and what they do about it.

use super::super::entries::{Line, by_message};
use super::super::{About, EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, Standing};
use super::deliveries::{Delivery, State};
use super::outbox::Outbox;
use crate::expiry::{Event, Timestamp};

impl State {
    fn standing(self) -> Option<(Standing, Option<Timestamp>)> {
        match self {
            Self::Pending => Some((Standing::Waiting, None)),
            Self::Dead(at) => Some((Standing::Dead, Some(at))),
            Self::Sent(at) => Some((Standing::Sent, Some(at))),
            Self::Settled(_) => None,
        }
    }
}

impl Outbox {
    /// Lists messages: what waits longest first, what has ended last first.
    pub(super) fn entries(&self, query: &EntryQuery) -> Vec<OutboxEntry> {
        let fits = |one: &Delivery| {
            let standing = one.state.standing().map(|(standing, _)| standing);
            standing == Some(query.standing)
                && query.channel.as_ref().is_none_or(|channel| *channel == one.channel)
        };
        let found = self.deliveries.iter().filter(|(_, one)| fits(one));
        let mut lines: Vec<_> = found.map(|(id, one)| line(id, one)).collect();
        match query.standing {
            Standing::Waiting => {
                lines.sort_by(|one, other| (&one.channel, one.id).cmp(&(&other.channel, other.id)));
            }
            Standing::Dead => lines.sort_by_key(|line| (std::cmp::Reverse(line.ended), line.id)),
            Standing::Sent => {
                lines.sort_by_key(|line| std::cmp::Reverse((line.ended, line.id)));
            }
        }
        let entry = |found: (Line<String>, u64)| {
            let event = self.events.get(&found.0.event)?.clone();
            Some(OutboxEntry::of(found, query.standing, event))
        };
        by_message(lines, query.limit).into_iter().filter_map(entry).collect()
    }

    /// Returns what was said of a certificate, the newest first.
    pub(super) fn said_of(&self, id: &str) -> Vec<OutboxEntry> {
        let is_about = |one: &Delivery| {
            let event = self.events.get(&one.event);
            event.and_then(|event| event.facts()).is_some_and(|facts| facts.id() == id)
        };
        let found = self.deliveries.iter().rev().filter(|(_, one)| is_about(one));
        let lines = found.filter_map(|(id, one)| {
            let (standing, _) = one.state.standing()?;
            let line = line(id, one);
            let event = (standing, self.events.get(&one.event)?.clone());
            let Line { id, channel, batch, decided, ended, code, replaced, .. } = line;
            Some(Line { id, event, channel, batch, decided, ended, code, replaced })
        });
        let entry = |(line, count): (Line<(Standing, Event)>, u64)| {
            let (standing, event) = line.event.clone();
            OutboxEntry::of((line, count), standing, event)
        };
        by_message(lines, 200).into_iter().map(entry).collect()
    }

    /// Counts what was given up for each channel, and not said again since.
    pub(super) fn given_up(&self) -> Vec<(String, u64)> {
        let dead = self.deliveries.dead().filter(|(_, one)| !one.replaced);
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for (line, _) in by_message(dead.map(|(id, one)| line(id, one)), usize::MAX) {
            *counts.entry(line.channel).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// Does what an operator wants done with a message.
    pub(super) fn order(
        &mut self,
        (id, order): (i64, OutboxOrder),
        channels: &[String],
        at: Timestamp,
    ) -> OutboxAnswer {
        let Some(one) = self.deliveries.get(id) else { return OutboxAnswer::Unknown };
        let (channel, state, batch) = (one.channel.clone(), one.state, one.batch.clone());
        let same = |number: i64, other: &Delivery| {
            let member = batch.is_some() && other.batch == batch && other.channel == channel;
            number == id || member
        };
        match (order, state) {
            (_, State::Settled(_)) => return OutboxAnswer::Unknown,
            (OutboxOrder::Drop, State::Pending | State::Dead(_)) => {
                let alike = |other: State| match state {
                    State::Pending => other == State::Pending,
                    _ => matches!(other, State::Dead(_)),
                };
                let dropped = |number, other: &Delivery| same(number, other) && alike(other.state);
                let settled = (State::Settled(at), About::Nothing);
                let events = self.change_where(dropped, |other| {
                    (other.state, other.about) = settled.clone();
                });
                return OutboxAnswer::Done { channel, events };
            }
            (OutboxOrder::Retry, State::Dead(_)) => {}
            _ => return OutboxAnswer::NotGivenUp,
        }
        if !channels.contains(&channel) {
            return OutboxAnswer::NoChannel(channel);
        }
        let again =
            |number, other: &Delivery| same(number, other) && is_dead(other) && !other.replaced;
        let events = self.change_where(again, |other| {
            (other.state, other.code) = (State::Pending, None);
        });
        if events == 0 {
            return OutboxAnswer::Replaced;
        }
        if let Some(batch) = &batch {
            self.refresh(&channel, batch);
        }
        OutboxAnswer::Done { channel, events }
    }

    /// Changes some deliveries. Returns how many.
    fn change_where(
        &mut self,
        which: impl Fn(i64, &Delivery) -> bool,
        change: impl Fn(&mut Delivery),
    ) -> u64 {
        let some = self.deliveries.iter().filter(|(number, one)| which(*number, one));
        let some: Vec<i64> = some.map(|(number, _)| number).collect();
        for number in &some {
            self.deliveries.change(*number, &change);
        }
        some.len() as u64
    }
}

const fn is_dead(one: &Delivery) -> bool {
    matches!(one.state, State::Dead(_))
}

fn line(id: i64, one: &Delivery) -> Line<String> {
    Line {
        id,
        event: one.event.clone(),
        channel: one.channel.clone(),
        batch: one.batch.clone(),
        decided: one.created,
        ended: one.state.standing().and_then(|(_, ended)| ended),
        code: one.code.clone(),
        replaced: one.replaced,
    }
}

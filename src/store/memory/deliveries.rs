//! Every delivery that is known, found by what is asked for: what waits, what an event became, what is about a certificate.

use std::collections::{BTreeMap, BTreeSet};

use super::super::About;
use crate::expiry::{RowId, Timestamp};

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

/// Deliveries by number. What is found by is changed in [`Deliveries::change`] alone.
#[derive(Clone, Default)]
pub(super) struct Deliveries {
    last: i64,
    all: BTreeMap<i64, Delivery>,
    waiting: BTreeSet<i64>,
    waiting_for: BTreeMap<String, BTreeSet<i64>>,
    dead: BTreeSet<i64>,
    /// Those that wait no more, by when that was.
    ended: BTreeSet<(Timestamp, i64)>,
    by_event: BTreeMap<String, BTreeSet<i64>>,
    by_row: BTreeMap<RowId, BTreeSet<i64>>,
}

impl Deliveries {
    pub(super) fn push(&mut self, delivery: Delivery) {
        self.last += 1;
        let number = self.last;
        self.by_event.entry(delivery.event.clone()).or_default().insert(number);
        self.find_by(number, &delivery);
        self.all.insert(number, delivery);
    }

    pub(super) fn remove(&mut self, number: i64) {
        if let Some(one) = self.all.remove(&number) {
            self.lose(number, &one);
            if let Some(numbers) = self.by_event.get_mut(&one.event) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_event.remove(&one.event);
                }
            }
        }
    }

    pub(super) fn change(&mut self, number: i64, change: impl FnOnce(&mut Delivery)) {
        if let Some(mut one) = self.all.remove(&number) {
            self.lose(number, &one);
            change(&mut one);
            self.find_by(number, &one);
            self.all.insert(number, one);
        }
    }

    pub(super) fn get(&self, number: i64) -> Option<&Delivery> {
        self.all.get(&number)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &Delivery)> {
        self.all.iter().map(|(number, one)| (*number, one))
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = (i64, &Delivery)> {
        self.numbered(self.waiting.iter())
    }

    /// Returns what waits for a channel, the first decided first.
    pub(super) fn waiting_for(&self, channel: &str) -> impl Iterator<Item = (i64, &Delivery)> {
        self.numbered(self.waiting_for.get(channel).map(BTreeSet::iter).unwrap_or_default())
    }

    /// Returns what was given up.
    pub(super) fn dead(&self) -> impl Iterator<Item = (i64, &Delivery)> {
        self.numbered(self.dead.iter())
    }

    /// Returns what ended before a time.
    pub(super) fn ended_before(&self, time: Timestamp) -> impl Iterator<Item = (i64, &Delivery)> {
        let ended = self.ended.iter().take_while(move |(at, _)| *at < time);
        ended.filter_map(|(_, number)| Some((*number, self.all.get(number)?)))
    }

    /// Returns the latest delivery of an event to a channel.
    pub(super) fn latest(&self, event: &str, channel: &str) -> Option<(i64, &Delivery)> {
        let numbers = self.by_event.get(event).map(BTreeSet::iter).unwrap_or_default();
        self.numbered(numbers).rev().find(|(_, one)| one.channel == channel)
    }

    /// Returns the deliveries that are about something.
    pub(super) fn about(&self, about: &About) -> Vec<(i64, &Delivery)> {
        match about {
            About::Certificate(row) => self
                .numbered(self.by_row.get(row).map(BTreeSet::iter).unwrap_or_default())
                .collect(),
            _ => self.iter().filter(|(_, one)| one.about == *about).collect(),
        }
    }

    pub(super) fn has_event(&self, id: &str) -> bool {
        self.by_event.contains_key(id)
    }

    fn numbered<'a>(
        &'a self,
        numbers: impl DoubleEndedIterator<Item = &'a i64>,
    ) -> impl DoubleEndedIterator<Item = (i64, &'a Delivery)> {
        numbers.filter_map(|number| Some((*number, self.all.get(number)?)))
    }

    fn find_by(&mut self, number: i64, one: &Delivery) {
        match one.state {
            State::Pending => {
                self.waiting.insert(number);
                self.waiting_for.entry(one.channel.clone()).or_default().insert(number);
            }
            State::Sent(at) | State::Dead(at) | State::Settled(at) => {
                self.ended.insert((at, number));
            }
        }
        if let State::Dead(_) = one.state {
            self.dead.insert(number);
        }
        if let About::Certificate(row) = one.about {
            self.by_row.entry(row).or_default().insert(number);
        }
    }

    fn lose(&mut self, number: i64, one: &Delivery) {
        match one.state {
            State::Pending => {
                self.waiting.remove(&number);
                self.waiting_for.entry(one.channel.clone()).or_default().remove(&number);
            }
            State::Sent(at) | State::Dead(at) | State::Settled(at) => {
                self.ended.remove(&(at, number));
            }
        }
        self.dead.remove(&number);
        if let About::Certificate(row) = one.about
            && let Some(numbers) = self.by_row.get_mut(&row)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_row.remove(&row);
            }
        }
    }
}

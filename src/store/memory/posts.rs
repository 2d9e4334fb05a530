//! What a step of the pipeline does to the outbox.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{About, Post, Settled, Stranded};
use super::deliveries::{Delivery, State};
use super::known::{Ledger, Told};
use super::outbox::Outbox;
use crate::expiry::{Heard, RowId, Timestamp};

impl Outbox {
    /// Does what the posts say, in their order, and answers with what they settled.
    pub(super) fn post(&mut self, posts: &[Post], ledger: &mut Ledger) -> Settled {
        let mut settled = Settled::new();
        for one in posts {
            for channel in self.post_one(one, ledger) {
                *settled.entry(channel).or_default() += 1;
            }
        }
        settled
    }

    fn post_one(&mut self, post: &Post, ledger: &mut Ledger) -> Vec<String> {
        match post {
            Post::Say { event, channels, about } => {
                self.enqueue(event, channels, about, false);
                Vec::new()
            }
            Post::Rung { row, event, channels } => {
                let settled = self.settle_certificate(*row, event.at);
                let opens = !ledger.contains_key(row);
                self.enqueue(event, channels, &About::Certificate(*row), opens);
                settled
            }
            Post::Closed { row, at, event, channels } => {
                let settled = self.settle_certificate(*row, *at);
                let told = self.recipients(*row, ledger, channels);
                if let Some(event) = event {
                    // The same may have been said of it before: it was alerted about again since.
                    self.enqueue(event, &told, &About::Nothing, true);
                }
                self.leave(&About::Certificate(*row), |_| true);
                ledger.remove(row);
                settled
            }
            Post::Held { about: About::Nothing, .. } => Vec::new(),
            Post::Held { about: About::Certificate(row), at } => self.settle_certificate(*row, *at),
            Post::Held { about: about @ About::Condition(_), at } => self.settle_about(about, *at),
            Post::Over { key, at, event, channels, otherwise } => {
                let about = About::Condition(key.clone());
                let had = self.channels_of(&about, channels, |_| true);
                let settled = self.settle_about(&about, *at);
                let heard =
                    self.channels_of(&about, channels, |state| !matches!(state, State::Dead(_)));
                let told = if had.is_empty() { otherwise } else { &heard };
                self.leave(&about, |_| true);
                if let Some(event) = event {
                    self.enqueue(event, told, &About::Nothing, false);
                }
                settled
            }
            Post::Channels { at, names } => {
                let gone = |channel: &String| !names.contains(channel);
                for (_, told) in ledger.values_mut() {
                    told.retain(|channel, _| !gone(channel));
                }
                let settles = self.waiting().filter(|(_, one)| gone(&one.channel));
                let settles = settles.map(|(number, _)| number).collect();
                self.settle_numbers(settles, *at)
            }
        }
    }

    /// Returns those of some channels that have it to deliver, or had: in a state that counts.
    fn channels_of(
        &self,
        about: &About,
        channels: &[String],
        counts: impl Fn(&State) -> bool,
    ) -> Vec<String> {
        let of_it = self.deliveries.about(about).into_iter().filter(|(_, one)| counts(&one.state));
        let of_it: BTreeSet<&String> = of_it.map(|(_, one)| &one.channel).collect();
        of_it.into_iter().filter(|one| channels.contains(one)).cloned().collect()
    }

    pub(super) fn stranded(&self, channels: &[String]) -> Vec<Stranded> {
        let mut stranded = BTreeMap::<&str, (i64, &About)>::new();
        for (number, one) in self.waiting().filter(|(_, one)| !channels.contains(&one.channel)) {
            stranded.entry(&one.event).or_insert((number, &one.about));
        }
        let mut found: Vec<_> = stranded.into_iter().collect();
        found.sort_unstable_by_key(|(_, (number, _))| *number);
        let named = |(event, (_, about)): (&str, (i64, &About))| {
            Some(Stranded { event: self.events.get(event)?.clone(), about: about.clone() })
        };
        found.into_iter().filter_map(named).collect()
    }

    /// Returns who was told of an alert late, and to whom a message about it may have arrived; `told` are those who were told.
    pub(super) fn heard(&self, row: RowId, told: Option<&Told>) -> Vec<Heard> {
        let about = self.deliveries.about(&About::Certificate(row));
        let open: BTreeSet<&str> = about.iter().map(|(_, one)| one.channel.as_str()).collect();
        let late = told.into_iter().flatten();
        let late = late.filter_map(|(channel, at)| Some((channel.as_str(), Some((*at)?))));
        let mut heard: BTreeMap<&str, Option<Timestamp>> =
            late.filter(|(channel, _)| !open.contains(channel)).collect();
        let begun = about.iter().map(|(_, one)| one);
        let waits = |one: &Delivery| match one.state {
            State::Pending => !self.has_begun(one),
            State::Dead(_) => true,
            State::Sent(_) | State::Settled(_) => false,
        };
        // What else waits for it would be replaced by what is said to others: it is told with them.
        let more: BTreeSet<&str> = about
            .iter()
            .filter(|(_, one)| waits(one))
            .map(|(_, one)| one.channel.as_str())
            .collect();
        let begun = begun.filter(|one| one.state == State::Pending && self.has_begun(one));
        let begun = begun.filter(|one| !more.contains(one.channel.as_str()));
        heard.extend(begun.map(|one| (one.channel.as_str(), None)));
        let heard = heard.into_iter();
        heard.map(|(channel, at)| Heard { channel: channel.to_owned(), at }).collect()
    }

    /// Returns whether something about a certificate waits, or was given up and is to be said again.
    pub(super) fn is_about(&self, row: RowId) -> bool {
        !self.deliveries.about(&About::Certificate(row)).is_empty()
    }

    fn settle_certificate(&mut self, row: RowId, at: Timestamp) -> Vec<String> {
        let about = About::Certificate(row);
        let settled = self.settle_about(&about, at);
        self.leave(&about, |state| matches!(state, State::Dead(_)));
        settled
    }

    fn settle_about(&mut self, about: &About, at: Timestamp) -> Vec<String> {
        let about = self.deliveries.about(about).into_iter();
        let settles = about.filter(|(_, one)| one.state == State::Pending && !self.has_begun(one));
        let settles = settles.map(|(number, _)| number).collect();
        self.settle_numbers(settles, at)
    }

    fn settle_numbers(&mut self, numbers: Vec<i64>, at: Timestamp) -> Vec<String> {
        let mut channels = Vec::new();
        for number in numbers {
            self.deliveries.change(number, |one| {
                one.state = State::Settled(at);
                one.about = About::Nothing;
                channels.push(one.channel.clone());
            });
        }
        channels
    }

    /// Settles what waits for a channel among these.
    pub(super) fn leave_out(&mut self, channel: &str, deliveries: &[i64], at: Timestamp) -> u64 {
        let wanted = |number: i64| deliveries.contains(&number);
        let settled: Vec<i64> = self
            .waiting()
            .filter(|(number, one)| {
                wanted(*number) && one.channel == channel && !self.has_begun(one)
            })
            .map(|(number, _)| number)
            .collect();
        self.settle_numbers(settled, at).len() as u64
    }

    fn leave(&mut self, about: &About, which: impl Fn(State) -> bool) {
        let leaving = self.deliveries.about(about).into_iter();
        let leaving = leaving.filter(|(_, one)| which(one.state));
        for number in leaving.map(|(number, _)| number).collect::<Vec<_>>() {
            self.deliveries.change(number, |one| {
                one.about = About::Nothing;
                one.replaced |= matches!(one.state, State::Dead(_));
            });
        }
    }

    /// Those that were told, and those that a message is on its way to.
    fn recipients(&self, row: RowId, ledger: &Ledger, channels: &[String]) -> Vec<String> {
        let told = ledger.get(&row).into_iter().flat_map(|(_, told)| told.keys());
        let mut told: BTreeSet<String> = told.cloned().collect();
        let about = About::Certificate(row);
        let under_way = self.deliveries.about(&about).into_iter();
        let under_way = under_way.filter(|(_, one)| one.state == State::Pending);
        told.extend(under_way.map(|(_, one)| one.channel.clone()));
        told.into_iter().filter(|channel| channels.contains(channel)).collect()
    }
}

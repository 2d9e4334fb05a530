//! Liveness, after the faults and some quiet days: everything owed was said, everything is known, nothing waits.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::{Kind, Status, Timestamp};
use notafter::facade::store::{ListQuery, Store};

use super::super::cloud::name_of;
use super::super::config::{Step, routed};
use super::super::scene::Settings;
use super::super::stage::Stage;
use super::super::truth::{Certificate, DAY, State};
use super::rungs::tightest;
use super::shown::alerts;
use super::{Judge, LIVENESS};

/// What did not change for so long is known.
const STABLE: i64 = 4 * DAY;

/// What was crossed so long ago is said.
const SAID: i64 = 2 * DAY;

/// What is for the digest only waits for a day.
const LONGEST_WAIT: i64 = 25 * 3600;

/// Written lengths up to this are critical.
const CRITICAL: i64 = 3 * DAY;

/// Judges what is left at the end of a play.
pub(crate) async fn the_end(stage: &Stage, store: &dyn Store, settings: Settings) {
    let every = ListQuery { source: None, ends_before: None, limit: usize::MAX };
    let known = store.list(&every).await.unwrap();
    let known = known.into_iter().map(|facts| {
        let end = facts.not_after.map(Timestamp::seconds);
        ((facts.source, facts.serial), (end, facts.status))
    });
    let (known, backlog) = (known.collect(), store.backlog().await.unwrap());
    let conditions = store.saved().await.unwrap().conditions;
    let mut judge = stage.judge();
    judge.inventory(&known);
    judge.owed(settings);
    judge.endings_owed();
    judge.waits(&backlog);
    judge.still_held(&conditions);
    judge.beats();
    judge.reach("a play came to its end");
    if judge.scene.crowded {
        judge.reach("twenty thousand ended in one second");
    }
}

/// How a certificate was for some days.
enum Stable {
    Changed,
    NotThere,
    There(State),
}

type Known = BTreeMap<(String, String), (Option<i64>, Status)>;

impl Judge {
    /// Returns what is true of a certificate now and was for some days.
    fn stable(&self, one: &Certificate) -> Stable {
        let now = self.right();
        let states = one.states.iter().map(|(at, _)| *at);
        let others = [Some(one.listed), one.deleted, one.moved.map(|(at, _)| at)];
        let linked = one.linked.iter().map(|(at, _)| *at);
        let mut changes = states.chain(linked).chain(others.into_iter().flatten());
        let is_stable = changes.all(|at| at <= now - STABLE || at > now);
        match (is_stable, one.is_listed(now)) {
            (false, _) => Stable::Changed,
            (true, false) => Stable::NotThere,
            (true, true) => Stable::There(one.state(now)),
        }
    }

    /// Returns whether another takes the place of one, if that did not change for some days.
    fn replaced(&self, place: usize, own: State) -> Option<bool> {
        let one = self.certificate(place);
        let mut kin = self.kin.at(place).iter().map(|new| self.certificate(*new));
        let mut is_replaced = false;
        let stable = kin.all(|new| {
            let possible = one.is_replaced_by(
                State { status: Status::Active, ..own },
                new,
                State { end: i64::MAX, status: Status::Active, linked: true },
            );
            match self.stable(new) {
                _ if !possible => true,
                Stable::Changed => false,
                Stable::NotThere => true,
                Stable::There(state) => {
                    is_replaced |= one.is_replaced_by(own, new, state);
                    true
                }
            }
        });
        stable.then_some(is_replaced)
    }

    fn inventory(&mut self, known: &Known) {
        let mut wrong = Vec::new();
        for (place, one) in self.scene.certificates.iter().enumerate() {
            let found = known.get(&(name_of(one.source), one.serial.clone()));
            let truth = match self.stable(one) {
                Stable::Changed => continue,
                Stable::There(truth) => truth,
                Stable::NotThere => {
                    let wrong_of = |found| format!("{found:?} is known, and not there: {one:?}");
                    wrong.extend(found.map(wrong_of));
                    continue;
                }
            };
            let Some(replaced) = self.replaced(place, truth) else { continue };
            let status = if replaced { Status::Superseded } else { truth.status };
            if found != Some(&(Some(truth.end), status)) {
                wrong.push(format!(
                    "{found:?} is known, and true are {truth:?} {status:?}: {one:?}"
                ));
            }
        }
        if let Some(wrong) = wrong.pop() {
            self.never(wrong);
        }
    }

    fn owed(&mut self, settings: Settings) {
        let now = self.right();
        let mut lost = Vec::new();
        for (place, one) in self.scene.certificates.iter().enumerate() {
            let Stable::There(state) = self.stable(one) else { continue };
            if !alerts(state.status) || self.replaced(place, state) != Some(false) {
                continue;
            }
            let lifetime = one.lifetime(state.end);
            let Some((step, length)) = tightest(settings.ladder, state.end, lifetime, now - SAID)
            else {
                continue;
            };
            for room in self.rooms_owed(settings, one, (state, step)) {
                let taken = self.books[room].taken.get(&place).into_iter().flatten();
                // Who is newly routed to an alert is told of it, unless it was told of a looser rung of the same end.
                let longest = if self.times.has_rerouted() { i64::MAX } else { length + 2 };
                let mut taken =
                    taken.filter(|(_, end, said)| *end == state.end && *said <= longest);
                if taken.next().is_none() {
                    lost.push(format!("room {room} never heard {step:?} of {state:?}: {one:?}"));
                }
            }
        }
        if let Some(lost) = lost.pop() {
            self.never(lost);
        }
    }

    /// Returns the rooms that are to hear of a rung. What ended long ago may have been said as critical or for the digest.
    fn rooms_owed(
        &self,
        settings: Settings,
        one: &Certificate,
        (state, step): (State, Step),
    ) -> Vec<usize> {
        let seconds = match step {
            Step::Before(seconds) => seconds,
            Step::Percent(percent) => percent * 398 * DAY / 100,
        };
        let critical = state.status == Status::Active && seconds <= CRITICAL;
        // A certificate that was switched off was said mildly, and is not said again for being so.
        let changed = !one.states.is_empty() && settings.routing == 1;
        if changed { vec![0] } else { routed(&self.scene, settings, one.source, critical) }
    }

    /// Those who were told of a certificate that was renewed or deleted were told of that.
    fn endings_owed(&mut self) {
        let now = self.right();
        let mut lost = Vec::new();
        for (place, one) in self.scene.certificates.iter().enumerate() {
            let is_odd = !one.states.is_empty() || one.moved.is_some() || one.kind == Kind::Ca;
            // What ends while it is snoozed ends without a word.
            if is_odd || self.was_snoozed(one.source, i64::MIN) {
                continue;
            }
            let over = match self.stable(one) {
                Stable::Changed => continue,
                Stable::NotThere => true,
                Stable::There(state) => self.replaced(place, state) == Some(true),
            };
            let successor = one.linked.as_ref().map(|(_, serial)| (one.source, serial.clone()));
            let successor = successor.and_then(|key| self.places.get(&key));
            let has_ended = successor.is_some_and(|new| self.certificate(*new).end <= now);
            if !over || has_ended || one.listed > now {
                continue;
            }
            for (room, book) in self.books.iter().enumerate() {
                let told = book.taken.get(&place).and_then(|all| all.last());
                let closed = book.closed.get(&place).and_then(|all| all.last());
                if let Some((told, ..)) = told
                    && closed.is_none_or(|closed| closed < told)
                    && !book.gave_up()
                {
                    lost.push(format!(
                        "room {room} heard of it at {told} and never of its end: {one:?}"
                    ));
                }
            }
        }
        if let Some(lost) = lost.pop() {
            self.never(lost);
        }
    }

    fn waits(&mut self, backlog: &[(String, u64, Timestamp)]) {
        let now = self.right();
        for (channel, count, oldest) in backlog {
            if now - oldest.seconds() > LONGEST_WAIT {
                self.never(format!("{count} wait for {channel}, since {oldest:?}"));
            }
        }
    }

    fn still_held(&mut self, conditions: &[(String, Timestamp)]) {
        let held: BTreeSet<&str> = conditions.iter().map(|(key, _)| key.as_str()).collect();
        let is_trouble = |key: &&str| {
            let kind = key.split('\u{1f}').next().unwrap_or_default();
            ["source", "channel", "scope", "contradiction", "offset"].contains(&kind)
                || *key == "clock"
        };
        if let Some(key) = held.into_iter().find(is_trouble) {
            self.violates(LIVENESS, format!("after all faults it still holds that {key:?}"));
        }
    }
}

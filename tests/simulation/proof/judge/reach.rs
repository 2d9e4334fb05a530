//! Situations that a run has to come to: one at zero means that something is not tested any more.

use std::collections::BTreeMap;

use notafter::facade::expiry::Event;

use super::super::scene::{Act, Lie, RoomFault, StoreFault};

#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Reach {
    pub(super) fn note(&mut self, situation: &'static str) {
        *self.counts.entry(situation).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (situation, count) in &other.counts {
            *self.counts.entry(situation).or_default() += count;
        }
    }

    /// Returns the situations that were never reached.
    pub(crate) fn never(&self) -> Vec<&'static str> {
        ALL.iter().copied().filter(|one| !self.counts.contains_key(one)).collect()
    }
}

/// Every situation that a run has to come to.
pub(crate) const ALL: &[&str] = &[
    "a connection is refused",
    "a condition is over",
    "a list",
    "a list hides rows",
    "a list is empty",
    "a list is short",
    "a filter is not applied",
    "a message is rejected",
    "a page failed",
    "a page is repeated",
    "a play came to its end",
    "a provider is asked as fast as is allowed",
    "a process ended over a store that is damaged",
    "a provider lies",
    "a provider's clock is wrong",
    "a reminder",
    "a room answers 200 and means no",
    "a room asks for a pause",
    "a room fails",
    "a room fails with an error",
    "a room hangs",
    "a room is not found",
    "a room panics",
    "a room wants a person",
    "a rung is posted",
    "a scope is not there",
    "a sign of life",
    "a sign that something is wrong",
    "a signature is refused",
    "a snooze begins",
    "a snooze ends",
    "a source is read in summer time",
    "a total is wrong",
    "an alert is closed aloud",
    "an alert is closed quietly",
    "an alert is held",
    "certificate.expired",
    "certificate.expiring",
    "certificate.gone",
    "certificate.renewed",
    "channel.down",
    "channel.up",
    "channels are settled",
    "clock.offset",
    "clock.recovered",
    "clock.suspect",
    "digest.daily",
    "enos is read as it is written",
    "given up",
    "inventory.consistent",
    "inventory.contradicts",
    "inventory.shrunk",
    "killed between send and settle",
    "killed while it started",
    "missing and not there",
    "missing and there",
    "readers are asked",
    "removed",
    "rows are doubled",
    "rows are reordered",
    "rows have no ends",
    "said again after a snooze",
    "said again after it was given up",
    "somebody wishes for quiet",
    "source.recovered",
    "source.stale",
    "tencent-mqtt is read as it is written",
    "tencent-ssl is read as it is written",
    "taken twice, since nobody knew",
    "taken, and the connection is cut",
    "the clock drifts",
    "the clock is a second off",
    "the clock is far ahead",
    "the clock is far behind",
    "the clock is four minutes off",
    "the configuration is read again",
    "the disk is full",
    "the machine sleeps",
    "the power is cut",
    "the process is killed",
    "the process is restarted",
    "the store hides what it wrote",
    "the store is away",
    "the store is damaged",
    "the store is slow",
    "the year is 1970",
    "twenty thousand ended in one second",
];

pub(super) const fn of_act(act: Act) -> &'static str {
    match act {
        Act::Kill { power: false, .. } => "the process is killed",
        Act::Kill { power: true, .. } => "the power is cut",
        Act::Restart => "the process is restarted",
        Act::Reload { .. } => "the configuration is read again",
        Act::Store { fault: StoreFault::Full, .. } => "the disk is full",
        Act::Store { fault: StoreFault::UnavailableBefore, .. } => "the store is away",
        Act::Store { fault: StoreFault::UnavailableAfter, .. } => "the store hides what it wrote",
        Act::Store { fault: StoreFault::Slow, .. } => "the store is slow",
        Act::Store { fault: StoreFault::Damaged, .. } => "the store is damaged",
        Act::Bend { seconds: 1 | -1, .. } => "the clock is a second off",
        Act::Bend { seconds: 240 | -240, .. } => "the clock is four minutes off",
        Act::Bend { seconds: -1_800_000_000, .. } => "the year is 1970",
        Act::Bend { seconds, .. } if seconds > 0 => "the clock is far ahead",
        Act::Bend { .. } => "the clock is far behind",
        Act::Drift { .. } => "the clock drifts",
        Act::Sleep { .. } => "the machine sleeps",
        Act::Snooze { .. } => "somebody wishes for quiet",
        Act::Cloud { .. } => "a provider lies",
        Act::Room { .. } => "a room fails",
    }
}

pub(super) const fn of_lie(lie: Lie) -> &'static str {
    match lie {
        Lie::Short => "a list is short",
        Lie::Hidden => "a list hides rows",
        Lie::Doubled => "rows are doubled",
        Lie::Reordered => "rows are reordered",
        Lie::TotalOff => "a total is wrong",
        Lie::Repeated => "a page is repeated",
        Lie::Endless => "rows have no ends",
        Lie::Empty => "a list is empty",
        Lie::ClockOff => "a provider's clock is wrong",
        Lie::Unfiltered => "a filter is not applied",
        Lie::ScopeGone => "a scope is not there",
        Lie::Throttled | Lie::Away | Lie::Hangs | Lie::Refused => "no answer",
    }
}

pub(super) const fn of_room(fault: RoomFault) -> &'static str {
    match fault {
        RoomFault::Fails => "a room fails with an error",
        RoomFault::Unknown => "a room answers 200 and means no",
        RoomFault::CutBefore => "a connection is refused",
        RoomFault::CutAfter => "taken, and the connection is cut",
        RoomFault::Throttles => "a room asks for a pause",
        RoomFault::NotFound => "a room is not found",
        RoomFault::Down => "a room wants a person",
        RoomFault::Rejects => "a message is rejected",
        RoomFault::Panics => "a room panics",
        RoomFault::Hangs => "a room hangs",
    }
}

pub(super) fn of_event(event: &Event) -> &'static str {
    event.kind()
}

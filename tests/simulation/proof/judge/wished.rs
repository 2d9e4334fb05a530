//! What somebody wished and the daemon decides by itself: quiet, and once a day how everything stands.
//!
//! 1: nothing is said of what is snoozed, but that it has ended. 2: a digest is said once for each time of its schedule.

use std::collections::BTreeMap;

use notafter::facade::expiry::{Cover, Event, Rung, Snooze, Timestamp, Topic};

use super::super::cloud::name_of;
use super::super::truth::DAY;
use super::Judge;

/// When the digest is due, in seconds of a day.
const DUE: i64 = 9 * 3600 + 1800;

/// The wishes that were granted, by id.
#[derive(Default)]
pub(super) struct Wished {
    snoozes: BTreeMap<String, Snooze>,
    /// The id of each digest, by channel and time.
    digests: BTreeMap<(String, Timestamp), String>,
}

fn is_about(snooze: &Snooze, source: &str) -> bool {
    match &snooze.cover {
        Cover::Match(wanted) => format!("{wanted:?}").contains(source),
        Cover::Certificate(_) => false,
    }
}

fn end(snooze: &Snooze) -> Timestamp {
    snooze.ended.map_or(snooze.until, |(at, _)| at.min(snooze.until))
}

impl Judge {
    pub(super) fn granted(&mut self, snoozes: &[Snooze]) {
        for snooze in snoozes {
            self.reach(if snooze.ended.is_some() { "a snooze ends" } else { "a snooze begins" });
            self.wished.snoozes.insert(snooze.id.clone(), snooze.clone());
        }
    }

    /// Returns the ids of the snoozes of a source that hold.
    pub(crate) fn snoozes_of(&self, source: usize) -> Vec<String> {
        let name = name_of(source);
        let hold = self.wished.snoozes.values().filter(|one| one.ended.is_none());
        hold.filter(|one| is_about(one, &name)).map(|one| one.id.clone()).collect()
    }

    /// Returns whether a snooze of a source held at some time since then.
    pub(super) fn was_snoozed(&self, source: usize, since: i64) -> bool {
        let name = name_of(source);
        let mut all = self.wished.snoozes.values();
        all.any(|one| is_about(one, &name) && end(one).seconds() >= since)
    }

    /// A rung is decided.
    pub(super) fn judge_quiet(&mut self, event: &Event) {
        let Topic::Expiring { facts, rung, .. } = &event.topic else { return };
        if *rung == Rung::Expired {
            return;
        }
        let holds = |one: &&Snooze| {
            is_about(one, &facts.source) && one.made < event.at && event.at < end(one)
        };
        if let Some(snooze) = self.wished.snoozes.values().find(holds) {
            let text = format!("said although {snooze:?}: {event:?}");
            self.violates(1, text);
        }
    }

    /// It is decided to say how everything stands.
    pub(super) fn judge_digest(&mut self, event: &Event) {
        let Topic::DailyDigest(digest) = &event.topic else { return };
        let scheduled = digest.scheduled;
        if scheduled.seconds().rem_euclid(DAY) != DUE {
            self.violates(2, format!("no time for a digest: {event:?}"));
        }
        let known = self.written.rows.len() as u64;
        // What a power cut took was written once.
        let is_known = !self.reach.counts.contains_key("the power is cut");
        if is_known && digest.total != known {
            self.violates(9, format!("{known} are written: {event:?}"));
        }
        let key = (digest.channel.clone(), scheduled);
        let before = self.wished.digests.insert(key, event.id.clone());
        if before.is_some_and(|before| before != event.id) {
            self.violates(2, format!("said before under another id: {event:?}"));
        }
    }
}

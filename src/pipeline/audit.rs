//! What is written down of what happens: with the transactions that there are, and never one more for it.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::config::difference;
use crate::expiry::text::iso;
use crate::expiry::{Cover, Event, Facts, Rung, Severity, Snooze, Timestamp, Topic};
use crate::store::{AuditEntry, Audited, Decided, SHORT};

/// What was decided since the last transaction. What is alike is counted once it is a list.
#[derive(Default)]
pub(super) struct Decisions {
    groups: BTreeMap<Alike, Group>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    kind: &'static str,
    reason: &'static str,
    severity: Severity,
    rung: Option<Rung>,
    channels: Vec<String>,
}

struct Group {
    at: Timestamp,
    count: u64,
    soonest: Option<Timestamp>,
    /// The first few.
    first: Vec<AuditEntry>,
}

impl Decisions {
    /// Something is to be said for the first time.
    pub(super) fn add(&mut self, event: &Event, reason: &'static str, channels: &[String]) {
        let (kind, severity, rung) = (event.kind(), event.severity, rung(event));
        let alike = Alike { kind, reason, severity, rung, channels: channels.to_vec() };
        let end = event.facts().and_then(|facts| facts.not_after);
        let group = self.groups.entry(alike.clone()).or_insert_with(|| Group {
            at: event.at,
            count: 0,
            soonest: end,
            first: Vec::new(),
        });
        group.count += 1;
        group.soonest = group.soonest.into_iter().chain(end).min();
        if group.count <= SHORT {
            group.first.push(single(&alike, event));
        }
    }

    /// Returns what is to be written of them. There are none after it.
    pub(super) fn take(&mut self) -> Vec<AuditEntry> {
        let groups = std::mem::take(&mut self.groups);
        let entries = groups.into_iter().flat_map(|(alike, group)| match group.count {
            ..=SHORT => group.first,
            _ => vec![list(&alike, &group)],
        });
        entries.collect()
    }
}

fn rung(event: &Event) -> Option<Rung> {
    match &event.topic {
        Topic::Expiring { rung, .. } | Topic::NotDeployed { rung, .. } => Some(*rung),
        _ => None,
    }
}

fn decided(alike: &Alike) -> Decided {
    Decided {
        event: alike.kind.to_owned(),
        reason: alike.reason.to_owned(),
        severity: alike.severity.as_str().to_owned(),
        channels: alike.channels.clone(),
        count: 1,
        id: None,
        source: None,
        about: None,
        serial: None,
        rung: alike.rung.as_ref().map(Rung::as_label),
        not_after: None,
    }
}

fn single(alike: &Alike, event: &Event) -> AuditEntry {
    let facts = event.facts();
    let decided = Decided {
        id: Some(event.id.clone()),
        source: event.source().map(str::to_owned),
        about: Some(event.about().to_owned()).filter(|about| !about.is_empty()),
        serial: facts.map(|facts| facts.serial.clone()),
        not_after: facts.and_then(|facts| facts.not_after).map(iso),
        ..decided(alike)
    };
    let certificate = facts.map(Facts::id);
    AuditEntry { at: event.at, certificate, what: Audited::Decision(decided) }
}

fn list(alike: &Alike, group: &Group) -> AuditEntry {
    let not_after = group.soonest.map(iso);
    let decided = Decided { count: group.count, not_after, ..decided(alike) };
    AuditEntry { at: group.at, certificate: None, what: Audited::Decision(decided) }
}

impl Pipeline {
    /// Something happened; it is written down with the next transaction.
    pub(super) fn happened(&mut self, what: Audited) {
        let at = self.parts.clock.now();
        self.draft.happened(AuditEntry { at, certificate: None, what });
    }

    pub(super) fn started(&mut self) {
        let certificates = self.inventory.view().len() as u64;
        let config = &self.settings.config;
        self.happened(Audited::Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sources: config.sources.len() as u64,
            channels: config.channels.len() as u64,
            certificates,
        });
    }

    /// A snooze began, or ended.
    pub(super) fn snoozed(&mut self, snooze: &Snooze) {
        let (certificate, covers) = match &snooze.cover {
            Cover::Certificate(one) => (Some(one.id.clone()), None),
            Cover::Match(wanted) => (None, Some(wanted.text())),
        };
        let what = Audited::Snooze {
            action: if snooze.ended.is_some() { "ended" } else { "began" }.to_owned(),
            id: snooze.id.clone(),
            covers,
            until: iso(snooze.until),
            author: snooze.author.clone(),
            reason: snooze.reason.clone(),
            ended_by: snooze.ended.map(|(_, end)| end.as_str().to_owned()),
        };
        let at = self.parts.clock.now();
        self.draft.happened(AuditEntry { at, certificate, what });
    }

    pub(super) fn reloaded(&mut self, config: &crate::config::Config) {
        let difference = difference(&self.settings.config, config);
        self.happened(Audited::Reload { difference });
    }
}

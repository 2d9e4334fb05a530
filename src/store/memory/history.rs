//! What happened, the ends that certificates had, and what was said of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::audit::{SHORT, of_message};
use super::super::{AuditEntry, AuditQuery, AuditSize, Commit, Verdict};
use super::known::Known;
use super::outbox::Outbox;
use crate::expiry::{Event, RowId, Timestamp};

/// Ends that are kept of a certificate.
const ENDS: usize = 10;

#[derive(Clone, Default)]
pub(super) struct History {
    last: i64,
    entries: BTreeMap<i64, Arc<AuditEntry>>,
    dropped: u64,
    ends: BTreeMap<RowId, Vec<(Timestamp, Timestamp)>>,
}

impl History {
    /// Keeps what happened, and the ends that are about to be replaced. To be called before they are.
    pub(super) fn apply(&mut self, commit: &Commit, known: &Known) {
        for (row, at) in &commit.former_ends {
            if let Some(end) = known.facts(*row).and_then(|facts| facts.not_after) {
                let ends = self.ends.entry(*row).or_default();
                ends.push((end, *at));
                let excess = ends.len().saturating_sub(ENDS);
                ends.drain(..excess);
            }
        }
        for row in &commit.removed {
            self.ends.remove(row);
        }
        self.add(commit.audit.clone());
    }

    /// Keeps what became of an attempt to send a batch that still waits.
    pub(super) fn sent(&mut self, outbox: &Outbox, key: (&str, &str), verdict: &Verdict) {
        let (channel, batch) = key;
        let waiting = outbox.deliveries.waiting_for(channel).map(|(_, one)| one);
        let members = waiting
            .filter(|one| one.batch.as_deref() == Some(batch))
            .filter_map(|one| outbox.events.get(&one.event));
        let events: Vec<Event> = members.cloned().collect();
        let count = events.len() as u64;
        let some = if count <= SHORT { events } else { Vec::new() };
        self.add(of_message(key, (&some, count), verdict));
    }

    fn add(&mut self, entries: Vec<AuditEntry>) {
        for entry in entries {
            self.last += 1;
            self.entries.insert(self.last, Arc::new(entry));
        }
    }

    pub(super) fn read(&self, query: &AuditQuery) -> Vec<(i64, AuditEntry)> {
        let fits = |entry: &AuditEntry| {
            let is_named = |id: &String| query.certificates.contains(id);
            let asked = query.certificates.is_empty();
            query.since.is_none_or(|since| entry.at >= since)
                && (asked || entry.certificate.as_ref().is_some_and(is_named))
        };
        let later = self.entries.range(query.after.saturating_add(1)..);
        let found = later.filter(|(_, entry)| fits(entry)).take(query.limit);
        found.map(|(number, entry)| (*number, AuditEntry::clone(entry))).collect()
    }

    /// Drops what happened before a time, and what is too much; here an entry counts for 256 bytes.
    pub(super) fn trim(&mut self, before: Option<Timestamp>, most: u64) -> AuditSize {
        self.entries.retain(|_, entry| before.is_none_or(|before| entry.at >= before));
        while self.bytes() > most && self.entries.pop_first().is_some() {
            self.dropped += 1;
        }
        AuditSize { bytes: self.bytes(), dropped: self.dropped }
    }

    fn bytes(&self) -> u64 {
        self.entries.len() as u64 * 256
    }

    pub(super) fn ends(&self, row: RowId) -> Vec<(Timestamp, Timestamp)> {
        self.ends.get(&row).cloned().unwrap_or_default()
    }
}

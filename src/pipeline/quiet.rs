//! What is snoozed, and what that hushes now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::expiry::{DigestSnooze, Event, RowId, Rung, Snooze, Snoozes, Timestamp};

/// So many snoozes hold at a time: whoever wants more wants a route.
const MOST: usize = 1000;

/// After so many seconds it is looked again what snoozes by match cover.
const LOOK_AGAIN: i64 = 3600;

/// A snooze that ends within so many seconds is worth a line in the digest.
const ENDS_SOON: i64 = 3 * 86_400;

/// The snoozes that hold, and what they hush.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    snoozes: Snoozes,
    /// Certificates on a rung of which nothing is said, with that rung.
    hushed: BTreeMap<RowId, Rung>,
    /// What the look under way found so far, and by which snooze.
    found: BTreeSet<RowId>,
    counts: BTreeMap<String, u64>,
    /// Snoozes that have just ended: what they covered and still stands is said.
    over: Vec<Arc<Snooze>>,
    /// When it was last looked what is covered; `None`: it is time.
    looked: Option<Timestamp>,
}

impl Quiet {
    /// Goes on with the snoozes of the last process.
    pub(super) fn restored(snoozes: Vec<Snooze>) -> Self {
        Self { snoozes: snoozes.into_iter().collect(), ..Self::default() }
    }

    pub(super) const fn snoozes(&self) -> &Snoozes {
        &self.snoozes
    }

    pub(super) fn is_full(&self) -> bool {
        self.snoozes.len() >= MOST
    }

    pub(super) fn add(&mut self, snooze: Snooze) {
        self.snoozes.add(snooze);
        self.looked = None;
    }

    /// Takes out one that has ended. What it covered is said in the next look, where that is due.
    pub(super) fn remove(&mut self, snooze: &Snooze) {
        let Some(removed) = self.snoozes.remove(&snooze.id) else { return };
        if snooze.ended.is_some_and(|(_, end)| end.says_what_stands()) {
            self.over.push(removed);
        }
        self.looked = None;
    }

    /// Returns whether it is to be looked at what is covered.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        if self.snoozes.is_empty() && self.over.is_empty() && self.hushed.is_empty() {
            return false;
        }
        let late = |looked: Timestamp| now >= looked.plus(LOOK_AGAIN) || now < looked;
        self.looked.is_none_or(late)
    }

    /// Returns every snooze that a look is about: those that hold, and those that have just ended.
    pub(super) fn looked_for(&self) -> impl Iterator<Item = &Arc<Snooze>> {
        self.snoozes.iter().chain(&self.over)
    }

    /// It is looked anew what is covered.
    pub(super) fn begin_look(&mut self) {
        self.found.clear();
        self.counts.clear();
    }

    /// The look is over.
    pub(super) fn end_look(&mut self, now: Timestamp) {
        let found = std::mem::take(&mut self.found);
        self.hushed.retain(|row, _| found.contains(row));
        self.over.clear();
        self.looked = Some(now);
    }

    /// Returns how many certificates are hushed, and how many snoozes hush something and how many nothing.
    pub(super) fn sums(&self) -> (u64, [u64; 2]) {
        let is_active = |snooze: &&Arc<Snooze>| {
            snooze.is_about_notafter() || self.counts.contains_key(snooze.id.as_str())
        };
        let active = self.snoozes.iter().filter(is_active).count() as u64;
        let idle = (self.snoozes.len() as u64).saturating_sub(active);
        (self.hushed.len() as u64, [active, idle])
    }

    /// Returns whether nothing is said of a certificate for a while.
    pub(super) fn is_hushed(&self, row: RowId) -> bool {
        self.hushed.contains_key(&row)
    }

    /// Returns the snoozes that end soon or hush nothing, the first to end first.
    pub(super) fn noteworthy(&self, now: Timestamp) -> Vec<DigestSnooze> {
        let note = |snooze: &Arc<Snooze>| {
            let is_active =
                snooze.is_about_notafter() || self.counts.contains_key(snooze.id.as_str());
            let ends_soon = snooze.until <= now.plus(ENDS_SOON);
            (ends_soon || !is_active).then(|| DigestSnooze {
                id: snooze.id.clone(),
                author: snooze.author.clone(),
                reason: snooze.reason.clone(),
                until: snooze.until,
                idle: !is_active,
            })
        };
        let mut notes: Vec<_> = self.snoozes.iter().filter_map(note).collect();
        notes.sort_by(|one, other| (one.until, &one.id).cmp(&(other.until, &other.id)));
        notes
    }

    /// Returns the snooze that hushes an event.
    pub(super) fn hushing(&self, event: &Event, now: Timestamp) -> Option<Arc<Snooze>> {
        self.snoozes.hushing(event, now).cloned()
    }

    /// A rung is hushed by a snooze. Answers whether that is news.
    pub(super) fn note(&mut self, row: RowId, rung: Rung, by: &Snooze) -> bool {
        *self.counts.entry(by.id.clone()).or_default() += 1;
        self.found.insert(row);
        self.hushed.insert(row, rung) != Some(rung)
    }

    /// Returns the snooze that covered an event and has just ended.
    pub(super) fn ended(&self, event: &Event) -> Option<&Snooze> {
        self.over.iter().find(|snooze| snooze.covers(event)).map(|snooze| &**snooze)
    }
}

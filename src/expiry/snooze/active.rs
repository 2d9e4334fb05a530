//! All snoozes that hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{Cover, Snooze, Snoozed};
use crate::expiry::certificate::Timestamp;
use crate::expiry::event::{Event, Severity, Topic};
use crate::expiry::facts::Facts;
use crate::expiry::ladder::Rung;

/// All snoozes that hold, by what they cover. A clone shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snoozes {
    /// Those of one certificate, by its id.
    certificates: BTreeMap<String, Vec<Arc<Snooze>>>,
    matches: Vec<Arc<Snooze>>,
}

impl FromIterator<Snooze> for Snoozes {
    fn from_iter<T: IntoIterator<Item = Snooze>>(snoozes: T) -> Self {
        let mut all = Self::default();
        snoozes.into_iter().for_each(|snooze| all.add(snooze));
        all
    }
}

impl Snoozes {
    /// Adds one, if it has not ended.
    pub fn add(&mut self, snooze: Snooze) {
        if snooze.ended.is_some() {
            return;
        }
        match &snooze.cover {
            Cover::Certificate(one) => {
                self.certificates.entry(one.id.clone()).or_default().push(Arc::new(snooze));
            }
            Cover::Match(_) => self.matches.push(Arc::new(snooze)),
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Snooze>> {
        let found = self.iter().find(|snooze| snooze.id == id).cloned()?;
        self.matches.retain(|snooze| snooze.id != id);
        self.certificates.values_mut().for_each(|all| all.retain(|snooze| snooze.id != id));
        self.certificates.retain(|_, all| !all.is_empty());
        Some(found)
    }

    /// Returns every one: those of one certificate first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Snooze>> {
        self.certificates.values().flatten().chain(&self.matches)
    }

    /// Returns what tells these from others.
    pub fn tag(&self) -> u64 {
        let ids = self.iter().flat_map(|snooze| [snooze.id.as_str(), "\n"]);
        xxh3_64(ids.collect::<String>().as_bytes())
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.certificates.values().map(Vec::len).sum::<usize>() + self.matches.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.matches.is_empty()
    }

    /// Returns those of one certificate, with it as it stood then.
    pub fn of_certificates(&self) -> impl Iterator<Item = (&Arc<Snooze>, &Snoozed)> {
        self.certificates.values().flatten().filter_map(|snooze| match &snooze.cover {
            Cover::Certificate(one) => Some((snooze, one)),
            Cover::Match(_) => None,
        })
    }

    /// Returns whether any is by match.
    pub fn has_matches(&self) -> bool {
        !self.matches.is_empty()
    }

    /// Returns the one that hushes an event, of several the one that lasts longest.
    pub fn hushing(&self, event: &Event, now: Timestamp) -> Option<&Arc<Snooze>> {
        if self.is_empty() {
            return None;
        }
        let hushing = self.about(event.facts()).filter(|snooze| snooze.hushes(event, now));
        hushing.max_by_key(|snooze| snooze.until)
    }

    /// Returns until when nothing is said of a certificate that stands on this rung, if on any.
    pub fn until(&self, facts: &Facts, rung: Option<Rung>, now: Timestamp) -> Option<Timestamp> {
        if self.is_empty() {
            return None;
        }
        self.covering(facts, rung, now).map(|snooze| snooze.until).max()
    }

    /// Returns those that cover a certificate that stands on this rung, if on any.
    fn covering(
        &self,
        facts: &Facts,
        rung: Option<Rung>,
        now: Timestamp,
    ) -> impl Iterator<Item = &Arc<Snooze>> {
        let event = rung.map(|rung| event(facts, rung, now));
        let covers = move |snooze: &&Arc<Snooze>| {
            snooze.is_active(now) && snooze.covers_facts(facts, event.as_ref())
        };
        self.about(Some(facts)).filter(covers)
    }

    /// Returns when the next one ends by itself.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.iter().map(|snooze| snooze.until).min()
    }

    /// Returns those that may be about a certificate.
    fn about(&self, facts: Option<&Facts>) -> impl Iterator<Item = &Arc<Snooze>> {
        let wanted = facts.filter(|_| !self.certificates.is_empty());
        let own = wanted.and_then(|facts| self.certificates.get(&facts.id()));
        own.into_iter().flatten().chain(&self.matches)
    }
}

/// Returns what would be said of a certificate on a rung.
fn event(facts: &Facts, rung: Rung, now: Timestamp) -> Event {
    let severity = crate::expiry::plan::severity(facts.status, rung);
    let (leaves, newer, unserved, places) = (None, None, false, None);
    let facts = facts.clone();
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
    Event { id: String::new(), at: now, severity: Severity::max(severity, Severity::Info), topic }
}

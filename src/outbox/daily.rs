//! The daily digest is a message of its own, with what waited for it.

use super::canary;
use super::job::Job;
use super::worker::Worker;
use crate::store::{BatchUpdate, EntryQuery, Pending, Standing, StoreError};

/// Among so many messages the last digest is looked for at a start.
const LOOKED_AT: usize = 500;

impl Worker {
    /// Keeps of what waits what goes into the next message.
    pub(super) fn choose(&self, pending: &mut Vec<Pending>) {
        choose(pending, self.settings.gathers);
    }

    /// Tells when a digest was delivered.
    pub(super) fn note_daily(&self, job: &Job, update: &BatchUpdate) {
        let is_daily = job.members.iter().any(|one| one.event.daily().is_some());
        if let (true, BatchUpdate::Delivered { at }) = (is_daily, update) {
            self.shared.watcher.told_daily(&self.settings.name, *at);
        }
    }

    /// Tells when a digest was last delivered, as far as the last messages show it.
    pub(super) async fn restore_daily(&self) -> Result<(), StoreError> {
        if !self.settings.gathers {
            return Ok(());
        }
        let name = &self.settings.name;
        let (standing, channel) = (Standing::Sent, Some(name.clone()));
        let sent = EntryQuery { standing, channel, limit: LOOKED_AT };
        let entries = self.shared.store.entries(&sent).await?;
        let daily = entries.iter().filter(|entry| entry.event.daily().is_some());
        if let Some(at) = daily.filter_map(|entry| entry.ended).max() {
            self.shared.watcher.told_daily(name, at);
        }
        Ok(())
    }
}

/// Keeps of what waits what goes into the next message. `gathers`: the channel hears the daily digest, and what is only good
/// to know waits for it.
///
/// What needs somebody goes first and alone, so that no digest holds it up; a digest follows at once.
fn choose(pending: &mut Vec<Pending>, gathers: bool) {
    if pending.iter().any(|one| one.batch.is_some()) || canary::alone(pending) {
        return;
    }
    let waits = |one: &Pending| gathers && one.event.is_for_the_digest();
    let is_ordinary = |one: &Pending| one.event.daily().is_none() && !one.event.is_for_the_digest();
    if pending.iter().any(is_ordinary) {
        pending.retain(|one| one.event.daily().is_none() && !waits(one));
        return;
    }
    let Some(first) = pending.iter().find(|one| one.event.daily().is_some()) else {
        pending.retain(|one| !waits(one));
        return;
    };
    let first = first.delivery;
    pending.retain(|one| one.event.daily().is_none() || one.delivery == first);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{DailyDigest, Event, Rung, Severity, Timestamp, Topic, sample};
    use crate::store::Batch;

    /// Returns what waits: `d` is a digest, `i` only good to know, everything else ordinary.
    fn waiting(letters: &str) -> Vec<Pending> {
        let at = Timestamp::from_seconds(1_800_000_000);
        let topic = |letter: char| match letter {
            'd' => Topic::DailyDigest(Box::new(DailyDigest::new("ops".into(), at))),
            'i' => Topic::Expiring {
                facts: sample::facts("a", 3),
                rung: Rung::Expired,
                leaves: None,
                newer: None,
                unserved: false,
                places: None,
            },
            _ => Topic::Test,
        };
        let pending = |(delivery, letter): (i64, char)| {
            let (id, severity) = (letter.to_string(), Severity::Info);
            let event = Event { id, at, severity, topic: topic(letter) };
            Pending { delivery, event, batch: None }
        };
        (1..).zip(letters.chars()).map(pending).collect()
    }

    fn chosen(letters: &str, gathers: bool) -> String {
        let mut pending = waiting(letters);
        choose(&mut pending, gathers);
        pending.into_iter().map(|one| one.event.id).collect()
    }

    #[test]
    fn a_digest_goes_alone_with_what_waited_for_it_and_behind_what_needs_somebody() {
        for (letters, gathers, otherwise) in [
            ("", "", ""),
            ("a", "a", "a"),
            ("ii", "", "ii"),
            ("iai", "a", "iai"),
            ("idi", "idi", "idi"),
            ("iadi", "a", "iai"),
            ("did", "di", "di"),
        ] {
            assert_eq!(chosen(letters, true), gathers, "{letters}");
            assert_eq!(chosen(letters, false), otherwise, "{letters}");
        }
    }

    #[test]
    fn what_may_have_arrived_is_repeated_as_it_was() {
        let mut pending = waiting("aid");
        pending[0].batch = Some(Batch {
            id: "b".into(),
            attempts: 1,
            detail: 0,
            next_at: Timestamp::from_seconds(0),
            composed_at: Timestamp::from_seconds(0),
            begun: true,
            pages: 0,
        });
        choose(&mut pending, true);
        assert_eq!(pending.len(), 3);
    }
}

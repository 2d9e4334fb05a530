//! What is said again of certificates whose rung was said before.

use super::Pipeline;
use super::decide::routed;
use super::draft::BATCH;
use crate::expiry::{
    Again, DecisionReason, Facts, Heard, Notice, Notified, Reminders, RowId, Status, Timestamp,
    Verdict, again,
};
use crate::store::{About, Post};

impl Pipeline {
    /// Begins to remind anew, of everything that was said; `late` is who was told of it long after.
    pub(super) fn restart_reminders(&mut self, late: Vec<(RowId, Timestamp)>) {
        self.reminders = Reminders::new(self.settings.config.alerts.reminding);
        let rows: Vec<RowId> = self.ledger.rows().collect();
        for row in rows {
            if let Some(notified) = self.ledger.get(row) {
                self.expect_reminder(row, notified);
            }
        }
        for (row, at) in late {
            if let Some(notified) = self.ledger.get(row) {
                self.expect_reminder(row, notified.heard_at(at));
            }
        }
    }

    /// Keeps what was said of a certificate.
    pub(super) fn keep_notified(&mut self, row: RowId, notified: Notified) {
        self.ledger.set(row, notified);
        self.expect_reminder(row, notified);
    }

    fn expect_reminder(&mut self, row: RowId, notified: Notified) {
        if let Some(end) = self.inventory.row(row).and_then(|known| known.not_after) {
            self.reminders.note(row, notified, end);
        }
    }

    pub(super) async fn notify_reminders(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let due: Vec<RowId> = self.reminders.take(now).into_iter().collect();
        if self.settings.config.channels.is_empty() {
            return Ok(());
        }
        for some in due.chunks(BATCH) {
            self.remind(some, now).await?;
        }
        Ok(())
    }

    /// Says again what is due: to all at once where all count from the last round, else to each in its time.
    async fn remind(&mut self, due: &[RowId], now: Timestamp) -> anyhow::Result<()> {
        self.settle().await?;
        let heard = self.parts.store.heard(due).await?;
        let (mut together, mut apart) = (Vec::new(), Vec::new());
        for (row, heard) in due.iter().zip(heard) {
            let Some(notice) = self.reminder(*row, now, !heard.is_empty()) else { continue };
            if heard.is_empty() {
                together.push(notice);
            } else {
                apart.push((notice, heard));
            }
        }
        self.notify_some(&together, now).await?;
        self.remind_apart(&apart, now).await
    }

    /// Returns what is to be said again of a certificate, if it stands where it stood then. `apart`: not to all at once.
    fn reminder(&mut self, row: RowId, now: Timestamp, apart: bool) -> Option<Notice> {
        let (notified, known) = (self.ledger.get(row)?, self.inventory.row(row)?);
        let end = known.not_after?;
        // What was said in this very turn is not in the store yet, which was asked who heard what.
        let is_due =
            if apart { notified.at != now } else { self.reminders.is_due(notified, end, now) };
        if !is_due || known.status != Status::Active {
            return None;
        }
        let held = self.renewing.holds(row) || self.missed.contains(&row);
        if self.absence.holds_back(row) || held {
            self.reminders.put_off(row, now);
            return None;
        }
        let verdict = Verdict {
            row,
            scope: known.scope,
            rung: notified.rung,
            crossed: notified.at,
            status: known.status,
            kind: known.kind,
            not_after: end,
            lifetime: None,
        };
        let reason = DecisionReason::Reminder(notified.count.saturating_add(1));
        Some(Notice { verdict, reason })
    }

    async fn remind_apart(
        &mut self,
        apart: &[(Notice, Vec<Heard>)],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let rows: Vec<RowId> = apart.iter().map(|(notice, _)| notice.verdict.row).collect();
        let facts = self.facts(&rows).await?;
        let newer = self.newer(&rows).await?;
        for (((notice, heard), facts), newer) in apart.iter().zip(facts).zip(newer) {
            if let Some(facts) = facts {
                self.remind_each(notice, heard, (facts, newer.as_ref()), now);
            }
        }
        Ok(())
    }

    /// Says it again to those whose time has come, and looks at it again when that of others has.
    fn remind_each(
        &mut self,
        notice: &Notice,
        heard: &[Heard],
        (facts, newer): (Facts, Option<&Facts>),
        now: Timestamp,
    ) {
        let Verdict { row, not_after, .. } = notice.verdict;
        let Some((rule, last)) = self.reminders.rule().zip(self.ledger.get(row)) else { return };
        let next = Notified { at: now, count: last.count.saturating_add(1), ..last };
        let event = self.rung_event(row, next, facts.clone(), newer);
        let routed = routed(&self.settings.config, &event);
        let (said, later) = again((rule, last, not_after), heard, &routed, now);
        if let Some(later) = later {
            self.reminders.put_off_until(row, later);
        }
        let (event, channels, is_next) = match said {
            Again::Nothing => return,
            Again::Next(channels) => (event, channels, true),
            Again::Last(channels) => {
                let last = Notified { at: now, ..last };
                (self.rung_event(row, last, facts, newer), channels, false)
            }
        };
        let Some(event) = self.unless_hushed(notice, event, now) else { return };
        self.choose(&event, notice.reason.as_str());
        if is_next {
            self.keep_notified(row, next);
            self.draft.post(Post::Rung { row, event, channels });
            self.draft.ledger(row, Some(next));
        } else {
            let about = About::Certificate(row);
            self.draft.post(Post::Say { event, channels, about });
        }
    }
}

//! What is said again of certificates whose rung was said before.

use super::Pipeline;
use super::draft::BATCH;
use crate::expiry::{
    DecisionReason, Notice, Notified, Reminders, RowId, Status, Timestamp, Verdict,
};

impl Pipeline {
    /// Begins to remind anew, of everything that was said.
    pub(super) fn restart_reminders(&mut self) {
        self.reminders = Reminders::new(self.settings.config.alerts.reminding);
        let rows: Vec<RowId> = self.ledger.rows().collect();
        for row in rows {
            if let Some(notified) = self.ledger.get(row) {
                self.expect_reminder(row, notified);
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
        let due = self.reminders.take(now);
        if self.settings.config.channels.is_empty() {
            return Ok(());
        }
        let notices: Vec<Notice> =
            due.into_iter().filter_map(|row| self.reminder(row, now)).collect();
        for some in notices.chunks(BATCH) {
            self.notify_some(some, now).await?;
        }
        Ok(())
    }

    /// Returns what is to be said again of a certificate, if it stands where it stood then.
    fn reminder(&mut self, row: RowId, now: Timestamp) -> Option<Notice> {
        let (notified, known) = (self.ledger.get(row)?, self.inventory.row(row)?);
        let end = known.not_after?;
        if !self.reminders.is_due(notified, end, now) || known.status != Status::Active {
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
}

//! Certificates that look renewed: noted at once, said when two readings in a row show it.

use super::Pipeline;
use super::draft::AlertChanges;
use crate::expiry::{Part, Renewals, Renewing, RowId, Timestamp, plan_renewed};
use crate::store::{About, Post};

impl Pipeline {
    /// Notes which open alerts something new may have ended. Nothing is said of those for now, and a restart remembers
    /// them.
    pub(super) fn note_renewals(&mut self) {
        let AlertChanges { applied, statuses } = self.draft.take_alert_changes();
        self.hold_withdrawn(applied.iter().map(|applied| applied.row));
        let Renewals { renewed, returned, over } =
            plan_renewed(&applied, &statuses, &self.inventory, &self.ledger, &self.renewing);
        let at = self.parts.clock.now();
        for (row, from) in renewed {
            if self.renewing.note(row, from) {
                self.draft.condition(Renewing::key(row), Some(from));
                self.draft.post(Post::Held { about: About::Certificate(row), at });
            }
        }
        for row in returned {
            self.renewing.take_back(row);
        }
        for row in over {
            self.close(row, None);
        }
    }

    /// A reading of a part ends: takes in which renewals it showed.
    pub(super) fn see_renewals(&mut self, part: &Part) {
        self.note_renewals();
        for row in self.renewing.rows() {
            if self.absence.has_listed(part, self.inventory.successor(row).unwrap_or(row)) {
                self.renewing.see(row);
            }
        }
    }

    /// Notifies those who heard of the old ones of renewals that are sure. Where the old state is back, its alert is open as
    /// before.
    pub(super) async fn notify_renewed(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.note_renewals();
        let rows = self.renewing.confirmed();
        let returned = self.renewing.returned();
        if rows.is_empty() && returned.is_empty() {
            return Ok(());
        }
        let successor = |row: &RowId| self.inventory.successor(*row).unwrap_or(*row);
        let successors: Vec<RowId> = rows.iter().map(successor).collect();
        let old = self.facts(&rows).await?;
        let new = self.facts(&successors).await?;
        for ((row, old), new) in rows.into_iter().zip(old).zip(new) {
            match (old, new) {
                (Some(old), Some(new)) => self.close_renewed(row, old, &new, now),
                _ => self.close(row, None),
            }
        }
        self.open_again(&returned).await?;
        // A later end may be on a rung as well, of which nothing was said so far.
        self.evaluator.revisit();
        Ok(())
    }

    /// Tells those who were to hear of these alerts when nothing was to be said of them.
    async fn open_again(&mut self, rows: &[RowId]) -> anyhow::Result<()> {
        self.tell_others(rows).await?;
        for row in rows {
            self.renewing.remove(*row);
            self.draft.condition(Renewing::key(*row), None);
        }
        Ok(())
    }
}

//! Open alerts about certificates that were not found, or that are revoked or retired: what waits about them is held until the
//! next reading tells whether they are gone, or until they are in use again, over a restart as well.

use std::collections::BTreeSet;

use super::Pipeline;
use crate::expiry::{Inventory, Ledger, RowId, Status, Timestamp};
use crate::store::{About, Post};

/// Before the number of a certificate in the key under which it is stored that what waits about it is held.
const KEY: &str = "missed\u{1f}";

/// Returns whether it is stored under a key that something is held.
pub(super) fn is_key(key: &str) -> bool {
    row_of(key).is_some()
}

fn key(row: RowId) -> String {
    format!("{KEY}{}", row.0)
}

fn row_of(key: &str) -> Option<RowId> {
    key.strip_prefix(KEY)?.parse().ok().map(RowId)
}

/// Returns what was stored, of alerts that are open.
pub(super) fn restored<'a>(
    stored: impl IntoIterator<Item = &'a (String, Timestamp)>,
    ledger: &Ledger,
) -> BTreeSet<RowId> {
    let rows = stored.into_iter().filter_map(|(key, _)| row_of(key));
    rows.filter(|row| ledger.contains(*row)).collect()
}

/// Returns those of them that were not found: the others are there, and nothing is said of them.
pub(super) fn not_found<'a>(
    missed: &'a BTreeSet<RowId>,
    inventory: &Inventory,
) -> impl Iterator<Item = &'a RowId> {
    missed.iter().filter(|row| !is_withdrawn(inventory, **row))
}

/// Returns whether a certificate is one that is never alerted about, whatever its end.
fn is_withdrawn(inventory: &Inventory, row: RowId) -> bool {
    let status = inventory.row(row).map(|known| known.status);
    matches!(status, Some(Status::Revoked | Status::Retired))
}

impl Pipeline {
    /// Of certificates that are revoked or retired nothing is said from now on.
    pub(super) fn hold_withdrawn(&mut self, rows: impl Iterator<Item = RowId>) {
        let rows: Vec<RowId> = rows.filter(|row| is_withdrawn(&self.inventory, *row)).collect();
        self.hold_missed(&rows);
    }

    /// These are not there. Nothing is said of open alerts about them for now.
    pub(super) fn hold_missed(&mut self, rows: &[RowId]) {
        let at = self.parts.clock.now();
        for row in rows {
            if self.ledger.contains(*row) && self.missed.insert(*row) {
                self.draft.condition(key(*row), Some(at));
                self.draft.post(Post::Held { about: About::Certificate(*row), at });
            }
        }
    }

    /// Tells those who were to hear of certificates that are there after all.
    pub(super) async fn tell_found(&mut self) -> anyhow::Result<()> {
        let found: Vec<RowId> =
            self.missed.iter().copied().filter(|row| !self.is_missed(*row)).collect();
        if found.is_empty() {
            return Ok(());
        }
        let open: Vec<RowId> =
            found.iter().copied().filter(|row| !self.renewing.holds(*row)).collect();
        self.tell_others(&open).await?;
        for row in found {
            self.forget_missed(row);
        }
        // A tighter rung may have been crossed meanwhile.
        self.evaluator.revisit();
        Ok(())
    }

    /// Nothing is held of a certificate any more.
    pub(super) fn forget_missed(&mut self, row: RowId) {
        if self.missed.remove(&row) {
            self.draft.condition(key(row), None);
        }
    }

    fn is_missed(&self, row: RowId) -> bool {
        let scope = self.inventory.scope_of(row);
        let is_absent = scope.is_some_and(|scope| self.absence.is_absent(scope));
        self.absence.is_missed(row) || is_absent || is_withdrawn(&self.inventory, row)
    }
}

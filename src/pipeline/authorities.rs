//! A CA in many places, as an intermediate that a thousand endpoints send, is one CA: it is told of once.
//!
//! One of its places speaks for the others. When the CA goes from there and stays elsewhere, another place takes the alert over,
//! and nothing is said; when the last place lets go of it, the alert is closed.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::expiry::{Notice, RowId};

impl Pipeline {
    /// Leaves one notice for each CA in several places: that of the place whose alert is open, else the first.
    pub(super) fn once_for_each_authority(&self, notices: &mut Vec<Notice>) {
        let mut speakers = BTreeMap::new();
        notices.retain(|notice| {
            let row = notice.verdict.row;
            let Some(authority) = self.inventory.authority(row) else { return true };
            let speaker = || self.speaker(row).unwrap_or(row);
            *speakers.entry(authority).or_insert_with(speaker) == row
        });
    }

    /// Returns the copy of a CA whose alert is open.
    fn speaker(&self, row: RowId) -> Option<RowId> {
        self.inventory.copies(row).into_iter().find(|copy| self.ledger.contains(*copy))
    }

    /// Returns in how many places a CA is, when these are several.
    pub(super) fn places_of(&self, row: RowId) -> Option<u64> {
        let copies = self.inventory.copies(row).len();
        u64::try_from(copies).ok().filter(|places| *places > 1)
    }

    /// These are about to be forgotten: what was said of CAs among them counts for the places where they still are.
    pub(super) async fn hand_over(&mut self, gone: &[RowId]) -> anyhow::Result<()> {
        let alerted = gone.iter().filter(|row| self.ledger.contains(**row));
        let heirs: Vec<_> =
            alerted.filter_map(|row| Some((*row, self.heir(*row, gone)?))).collect();
        if heirs.is_empty() {
            return Ok(());
        }
        for (from, to) in &heirs {
            if let Some(said) = self.ledger.get(*from).filter(|_| !self.ledger.contains(*to)) {
                self.keep_notified(*to, said);
                self.draft.inherit(*from, *to);
            }
        }
        self.save().await?;
        self.settle().await?;
        for (from, _) in &heirs {
            self.close(*from, None);
        }
        let heirs: Vec<RowId> = heirs.into_iter().map(|(_, to)| to).collect();
        self.tell_others(&heirs).await?;
        let missed: Vec<RowId> =
            heirs.into_iter().filter(|row| self.absence.is_missed(*row)).collect();
        self.hold_missed(&missed);
        Ok(())
    }

    /// Returns the place that speaks for a CA from now on: one where it was just seen, if there is one.
    fn heir(&self, row: RowId, gone: &[RowId]) -> Option<RowId> {
        let copies = self.inventory.copies(row);
        let stays = |copy: &&RowId| **copy != row && !gone.contains(copy);
        copies.iter().filter(stays).min_by_key(|copy| self.absence.is_missed(**copy)).copied()
    }
}

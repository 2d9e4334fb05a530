//! Succession applied: which certificates are superseded as things stand.

use super::super::certificate::Status;
use super::record::NO_END;
use super::{Inventory, RowId};

impl Inventory {
    /// Returns the certificate that takes the place of `row`: of all that do, the one that ends last.
    pub fn successor(&self, row: RowId) -> Option<RowId> {
        let mark = self.chunks.mark(row)?;
        let replaceable = matches!(mark.provider()?, Status::Active | Status::Superseded);
        let later = self.later(row).filter(|_| replaceable);
        later.max_by_key(|(other, end)| (*end, std::cmp::Reverse(*other))).map(|(other, _)| other)
    }

    /// Brings the status of each of `rows` up to date, and returns those that changed.
    pub(super) fn restate(&mut self, mut rows: Vec<RowId>) -> Vec<(RowId, Status)> {
        rows.sort_unstable();
        rows.dedup();
        let mut changed = Vec::new();
        for row in rows {
            let Some(status) = self.derived(row) else { continue };
            if self.status(row) != Some(status) {
                self.set_status(row, status);
                changed.push((row, status));
            }
        }
        changed
    }

    fn derived(&self, row: RowId) -> Option<Status> {
        let record = self.chunks.record(row)?;
        let provider = record.mark.provider()?;
        Some(match provider {
            _ if record.end == NO_END => Status::Undated,
            Status::Active if self.later(row).next().is_some() => Status::Superseded,
            other => other,
        })
    }

    /// Returns the certificates that take the place of `row`, with their ends.
    fn later(&self, row: RowId) -> impl Iterator<Item = (RowId, i64)> + '_ {
        let record = self.chunks.record(row).filter(|record| record.end != NO_END);
        record.into_iter().flat_map(move |old| {
            let kin = self.index.members(&self.chunks, old.group);
            kin.chain(self.links.successors(row))
                .filter_map(|other| Some((other, self.chunks.active_end(other)?)))
                .filter(move |(other, end)| *other != row && *end > old.end)
        })
    }
}

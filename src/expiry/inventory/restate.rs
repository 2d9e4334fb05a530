//! Succession applied: which certificates are superseded as things stand.

use super::super::bound::Bound;
use super::super::certificate::Status;
use super::record::{NO_END, Record};
use super::{Inventory, RowId};

impl Inventory {
    /// Returns the certificate that takes the place of `row`: of all that do, the one that ends last.
    pub fn successor(&self, row: RowId) -> Option<RowId> {
        let mark = self.chunks.mark(row)?;
        let replaceable = matches!(mark.provider()?, Status::Active | Status::Superseded);
        let later = self.later(row).filter(|_| replaceable);
        let last = later.max_by_key(|(other, end)| (*end, std::cmp::Reverse(*other)));
        last.map(|(other, _)| other).or_else(|| self.outliving(row).filter(|_| replaceable))
    }

    /// Returns the certificate for the names of one that is in use nowhere, if it ends later.
    fn outliving(&self, row: RowId) -> Option<RowId> {
        self.bound.get(&row).filter(|bound| **bound == Bound::Nowhere)?;
        let end = self.chunks.record(row)?.end;
        self.newest_for(row).filter(|(later, _)| *later > end).map(|(_, other)| other)
    }

    /// Returns whether another certificate has taken the place of `row`. What is still in use, or may be, was not replaced.
    fn is_replaced(&self, row: RowId) -> bool {
        let by_list = || self.later(row).next().is_some();
        match self.bound.get(&row) {
            None => by_list(),
            Some(Bound::To(_) | Bound::Unknown) => false,
            Some(Bound::Nowhere) => by_list() || self.outliving(row).is_some(),
        }
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
            Status::Active if self.is_replaced(row) => Status::Superseded,
            other => other,
        })
    }

    /// Returns the certificate in use that ends last of those that cover the names of `row`, itself among them.
    pub(super) fn newest_for(&self, row: RowId) -> Option<(i64, RowId)> {
        let known = self.ending_later(self.links.all_covering(row), NO_END);
        let last = known.max_by_key(|(other, end)| (*end, std::cmp::Reverse(*other)));
        last.map(|(other, end)| (end, other))
    }

    /// Returns the certificate that has replaced `row`, which is gone: its successor, or else the newest that covers its
    /// names, in the same scope and, where it was in a place, in the same place.
    pub fn replacement(&self, row: RowId) -> Option<RowId> {
        let old = self.chunks.record(row)?;
        let same_place = |other: &RowId| self.links.share_a_place(row, *other);
        let covering = || self.newest(self.links.covering(row).filter(same_place), &old);
        self.successor(row).or_else(covering)
    }

    /// Returns the certificate that still covers the names of `row`, which is gone, in another place: the newest that ends
    /// no sooner.
    pub fn elsewhere(&self, row: RowId) -> Option<RowId> {
        let old = self.chunks.record(row)?;
        let others = self.links.covering(row).filter(|other| *other != row);
        self.newest(others, &Record { end: old.end.saturating_sub(1), ..old })
    }

    fn newest(&self, others: impl Iterator<Item = RowId>, old: &Record) -> Option<RowId> {
        let later = self.ending_later(others, old.end);
        later.max_by_key(|(other, end)| (*end, std::cmp::Reverse(*other))).map(|(other, _)| other)
    }

    /// Returns the certificates that take the place of `row`, with their ends.
    pub(super) fn later(&self, row: RowId) -> impl Iterator<Item = (RowId, i64)> + '_ {
        let placed = self.links.placed(row).is_some();
        let record = self.chunks.record(row).filter(|record| record.end != NO_END && !placed);
        record.into_iter().flat_map(move |old| {
            let kin = self.index.members(&self.chunks, old.group);
            let kin = kin.filter(move |other| *other != row && self.may_follow(*other, &old));
            self.ending_later(kin.chain(self.links.successors(row)), old.end)
        })
    }

    fn ending_later<'a>(
        &'a self,
        others: impl Iterator<Item = RowId> + 'a,
        end: i64,
    ) -> impl Iterator<Item = (RowId, i64)> + 'a {
        others
            .filter_map(|other| Some((other, self.chunks.active_end(other)?)))
            .filter(move |(_, later)| *later > end)
    }

    fn may_follow(&self, other: RowId, old: &Record) -> bool {
        self.chunks.record(other).is_some_and(|new| new.may_follow(old))
    }
}

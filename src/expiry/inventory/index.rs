//! Finding a certificate by its identity, and those of one holder by each other.

use std::collections::BTreeMap;

use hashbrown::hash_table::Entry;

use super::RowId;
use super::chunk::Chunks;
use super::shares::Shares;

/// More certificates of one holder under one issuer than this are a shared identity, not a chain of renewals: a fleet
/// in which every device presents the same client id. Taking the last of them for the successor of all others would
/// mute every real end but one, so none of them succeeds another.
///
/// A holder that is renewed every day and never cleaned up reaches it too, and then its old certificates count as
/// active again. That is the safe side: notified too often, never too seldom.
pub(super) const MOST_OF_ONE_HOLDER: usize = 64;

/// Numbers by identity and by group. The keys themselves are in the columns.
#[derive(Debug, Default)]
pub(super) struct Index {
    identities: Shares,
    groups: Shares,
    /// How many certificates share an identity that too many share. They are not in `groups`, where equal keys cost
    /// a walk over all of them.
    crowds: BTreeMap<u64, usize>,
}

impl Index {
    pub(super) fn find(&self, chunks: &Chunks, identity: u128) -> Option<RowId> {
        let same = |row: &u32| chunks.identity(RowId(*row)) == identity;
        self.identities.of(half(identity)).find(half(identity), same).copied().map(RowId)
    }

    /// Adds a certificate whose columns are not written yet, and must be before the next one is added; false when its
    /// identity is known.
    pub(super) fn claim(&mut self, chunks: &Chunks, identity: u128, row: RowId) -> bool {
        let same = |other: &u32| chunks.identity(RowId(*other)) == identity;
        let key = |other: &u32| half(chunks.identity(RowId(*other)));
        match self.identities.of_mut(half(identity)).entry(half(identity), same, key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(row.0);
                true
            }
        }
    }

    /// Takes back what [`Index::claim`] did.
    pub(super) fn unclaim(&mut self, identity: u128, row: RowId) {
        let hash = half(identity);
        if let Ok(entry) = self.identities.of_mut(hash).find_entry(hash, |other| *other == row.0) {
            entry.remove();
        }
    }

    /// Adds a certificate whose columns are written.
    pub(super) fn insert(&mut self, chunks: &Chunks, row: RowId) {
        let key = |row: &u32| half(chunks.identity(RowId(*row)));
        let hash = key(&row.0);
        self.identities.of_mut(hash).insert_unique(hash, row.0, key);
    }

    /// Drops a certificate whose columns are still written.
    pub(super) fn remove(&mut self, chunks: &Chunks, row: RowId) {
        self.unclaim(chunks.identity(row), row);
    }

    /// Returns those that share `group`, unless too many do.
    pub(super) fn members<'a>(
        &'a self,
        chunks: &'a Chunks,
        group: u64,
    ) -> impl Iterator<Item = RowId> + 'a {
        let known = (group != 0).then(|| self.groups.of(group).iter_hash(group));
        known
            .into_iter()
            .flatten()
            .map(|row| RowId(*row))
            .filter(move |row| chunks.group(*row) == group)
    }

    /// Adds a certificate, whose columns are written, to its group.
    pub(super) fn join(&mut self, chunks: &Chunks, row: RowId) {
        let group = chunks.group(row);
        if group == 0 {
            return;
        }
        if let Some(count) = self.crowds.get_mut(&group) {
            *count += 1;
            return;
        }
        let same = |other: &u32| chunks.group(RowId(*other)) == group;
        let key = |other: &u32| chunks.group(RowId(*other));
        // Most certificates are their holder's only one.
        if let Entry::Vacant(free) = self.groups.of_mut(group).entry(group, same, key) {
            free.insert(row.0);
            return;
        }
        self.groups.of_mut(group).insert_unique(group, row.0, key);
        let count = self.members(chunks, group).count();
        if count > MOST_OF_ONE_HOLDER {
            self.crowds.insert(group, count);
            self.scatter(chunks, group);
        }
    }

    /// Drops a certificate, whose columns are still written, from its group. The group's other certificates are looked
    /// for with `sharing` when there are few enough of them again.
    pub(super) fn leave<I: Iterator<Item = RowId>>(
        &mut self,
        chunks: &Chunks,
        row: RowId,
        sharing: impl FnOnce(u64) -> I,
    ) {
        let group = chunks.group(row);
        if group == 0 {
            return;
        }
        if let Ok(entry) = self.groups.of_mut(group).find_entry(group, |other| *other == row.0) {
            entry.remove();
            return;
        }
        let Some(count) = self.crowds.get_mut(&group) else { return };
        *count -= 1;
        if *count <= MOST_OF_ONE_HOLDER {
            self.crowds.remove(&group);
            for other in sharing(group).filter(|other| *other != row) {
                self.groups
                    .of_mut(group)
                    .insert_unique(group, other.0, |row| chunks.group(RowId(*row)));
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.identities.heap_bytes() + self.groups.heap_bytes()
    }

    fn scatter(&mut self, chunks: &Chunks, group: u64) {
        let same = |row: &u32| chunks.group(RowId(*row)) == group;
        while let Ok(entry) = self.groups.of_mut(group).find_entry(group, same) {
            entry.remove();
        }
    }
}

/// Returns the half of a digest that places it in a table.
const fn half(identity: u128) -> u64 {
    (identity >> 64) as u64
}

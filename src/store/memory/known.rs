//! Certificates, what was notified about them, scans and checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::names::index_text;
use super::super::{
    Checkpoint, Commit, Kept, ListQuery, NameHits, NameQuery, RowWrite, Saved, ScanRecord,
    StoreError,
};
use crate::expiry::{
    Facts, Month, Notified, RowId, ScopeId, Status, StoredParts, StoredRow, Timestamp,
};

/// Source, scope, and the window or key.
type Key = (String, String, String);

/// What was notified about certificates, and who was told.
pub(super) type Ledger = BTreeMap<RowId, (Notified, Told)>;

/// The channels that were told, and when, where that was long after.
pub(super) type Told = BTreeMap<String, Option<Timestamp>>;

#[derive(Clone, Default)]
pub(super) struct Known {
    scopes: BTreeMap<ScopeId, (String, String)>,
    rows: BTreeMap<RowId, RowWrite>,
    pub(super) ledger: Ledger,
    conditions: BTreeMap<String, Timestamp>,
    scans: BTreeMap<Key, ScanRecord>,
    checkpoints: BTreeMap<Key, String>,
    renewals: BTreeMap<(String, Month), u64>,
}

impl Known {
    /// Applies a step but for its scopes and outbox, in the order that `Commit` promises.
    pub(super) fn apply(&mut self, commit: &Commit) {
        for row in &commit.removed {
            self.rows.remove(row);
            self.ledger.remove(row);
        }
        commit.rows.iter().for_each(|write| self.write_row(write));
        commit.statuses.iter().for_each(|(row, status)| self.write_status(*row, *status));
        commit.ledger.iter().for_each(|(row, notified)| self.write_ledger(*row, *notified));
        for (from, to) in &commit.inherited {
            if let Some(entry) = self.ledger.get(from).cloned() {
                self.ledger.entry(*to).or_insert(entry);
            }
        }
        put(&mut self.conditions, commit.conditions.iter().cloned());
        for (source, scope) in &commit.unlisted {
            let stays = |key: &Key| (&key.0, &key.1) != (source, scope);
            self.scans.retain(|key, _| stays(key));
            self.checkpoints.retain(|key, _| stays(key));
        }
        put(&mut self.checkpoints, commit.checkpoints.iter().map(checkpoint_entry));
        self.scans.extend(commit.scans.iter().map(scan_entry));
        for (source, month, count) in &commit.renewals {
            *self.renewals.entry((source.clone(), *month)).or_default() += count;
        }
    }

    /// Returns whether a condition began and is not over.
    pub(super) fn stands(&self, key: &str) -> bool {
        self.conditions.contains_key(key)
    }

    pub(super) fn saved(&self) -> Saved {
        let scope = |(id, (source, scope)): (&ScopeId, &(String, String))| {
            (*id, source.clone(), scope.clone())
        };
        Saved {
            scopes: self.scopes.iter().map(scope).collect(),
            ledger: self.ledger.iter().map(|(row, (notified, _))| (*row, *notified)).collect(),
            conditions: self.conditions.clone().into_iter().collect(),
            scans: self.scans.values().cloned().collect(),
            snoozes: Vec::new(),
            renewals: self
                .renewals
                .iter()
                .map(|((source, month), count)| (source.clone(), *month, *count))
                .collect(),
        }
    }

    pub(super) fn rows(&self) -> Vec<(ScopeId, StoredRow)> {
        self.rows.values().map(|write| (write.scope, stored(write))).collect()
    }

    pub(super) fn facts(&self, row: RowId) -> Option<Facts> {
        let write = self.rows.get(&row)?;
        let (source, scope) = self.scopes.get(&write.scope)?.clone();
        Some(Facts::of(source, scope, write.sighting.clone(), write.status))
    }

    pub(super) fn kept(&self, row: RowId) -> Option<Kept> {
        let write = self.rows.get(&row)?;
        Some(Kept {
            facts: self.facts(row)?,
            first_seen: write.first_seen,
            names: write.sighting.names.clone(),
            successors: write.sighting.successors.clone(),
        })
    }

    pub(super) fn find_names(&self, query: &NameQuery) -> NameHits {
        let holds = |row: &RowId| {
            let text = self.kept(*row).map(|kept| index_text(&kept)).unwrap_or_default();
            query.parts.iter().all(|part| text.contains(part))
        };
        let mut found = self.rows.keys().copied().filter(holds);
        let rows: Vec<RowId> = found.by_ref().take(query.most).collect();
        NameHits { rows, more: found.next().is_some(), unindexed: None }
    }

    pub(super) fn list(&self, query: &ListQuery) -> Vec<Facts> {
        let mut soonest: Vec<_> = self
            .rows
            .values()
            .filter_map(|write| Some((write.sighting.not_after?, write.row)))
            .filter(|(end, _)| query.ends_before.is_none_or(|before| *end < before))
            .collect();
        soonest.sort_unstable();
        soonest
            .into_iter()
            .filter_map(|(_, row)| self.facts(row))
            .filter(|facts| query.source.as_ref().is_none_or(|source| facts.source == *source))
            .take(query.limit)
            .collect()
    }

    pub(super) fn checkpoints(&self, source: &str) -> Vec<Checkpoint> {
        let of_source = self.checkpoints.iter().filter(|(key, _)| key.0 == source);
        of_source
            .map(|((source, scope, key), value)| Checkpoint {
                source: source.clone(),
                scope: scope.clone(),
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect()
    }

    pub(super) fn retain_sources(&mut self, sources: &[String]) {
        let dropped: BTreeSet<ScopeId> = self
            .scopes
            .extract_if(.., |_, (source, _)| !sources.contains(source))
            .map(|(id, _)| id)
            .collect();
        for (row, _) in self.rows.extract_if(.., |_, write| dropped.contains(&write.scope)) {
            self.ledger.remove(&row);
        }
        self.scans.retain(|key, _| sources.contains(&key.0));
        self.checkpoints.retain(|key, _| sources.contains(&key.0));
        self.renewals.retain(|(source, _), _| sources.contains(source));
    }

    /// Adds scopes; none of them when one is there already.
    pub(super) fn add_scopes(
        &mut self,
        new: &[(ScopeId, Arc<str>, Arc<str>)],
    ) -> Result<(), StoreError> {
        let mut scopes = self.scopes.clone();
        for (id, source, scope) in new {
            let names = (source.to_string(), scope.to_string());
            if scopes.contains_key(id) || scopes.values().any(|known| *known == names) {
                let text = format!("scope {} of {source}/{scope} is there already", id.0);
                return Err(StoreError::Damaged(text));
            }
            scopes.insert(*id, names);
        }
        self.scopes = scopes;
        Ok(())
    }

    fn write_row(&mut self, write: &RowWrite) {
        let first_seen = self.rows.get(&write.row).map_or(write.first_seen, |row| row.first_seen);
        self.rows.insert(write.row, RowWrite { first_seen, ..write.clone() });
    }

    fn write_ledger(&mut self, row: RowId, notified: Option<Notified>) {
        match notified {
            Some(notified) => {
                self.ledger.entry(row).or_insert((notified, Told::new())).0 = notified;
            }
            None => drop(self.ledger.remove(&row)),
        }
    }

    fn write_status(&mut self, row: RowId, status: Status) {
        if let Some(write) = self.rows.get_mut(&row) {
            write.status = status;
        }
    }
}

fn stored(write: &RowWrite) -> StoredRow {
    let sighting = &write.sighting;
    let parts =
        StoredParts { status: write.status, ..StoredParts::of(sighting, sighting.row_digest()) };
    StoredRow::new(write.row, parts)
}

fn checkpoint_entry(checkpoint: &Checkpoint) -> (Key, Option<String>) {
    (
        (checkpoint.source.clone(), checkpoint.scope.clone(), checkpoint.key.clone()),
        checkpoint.value.clone(),
    )
}

fn scan_entry(scan: &ScanRecord) -> (Key, ScanRecord) {
    ((scan.source.clone(), scan.scope.clone(), scan.window.clone()), scan.clone())
}

/// Keeps what has a value, and forgets what has none.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, changes: impl Iterator<Item = (K, Option<V>)>) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(map.insert(key, value)),
            None => drop(map.remove(&key)),
        }
    }
}

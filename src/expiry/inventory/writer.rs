//! The inventory and everything that changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::super::bound::Bound;
use super::super::certificate::{Kind, Sighting, Status, Timestamp};
use super::super::ladders::Issuers;
use super::super::sightings::{Digests, Sightings};
use super::super::succession::{Linked, Links};
use super::authorities::{Authorities, Authority};
use super::chunk::{Chunk, Chunks, row_at};
use super::index::Index;
use super::record::{
    Found, NO_END, Record, StoredParts, StoredRow, TakenOver, identity_of, inside, signer, signers,
};
use super::slots::Slots;
use super::view::{Names, View};
use super::{Applied, Change, Row, RowId, ScopeId, Undeployed};

/// Everything known. Owned by the pipeline, which is the only writer.
///
/// Nothing leaves it but through [`Inventory::remove`].
#[derive(Debug, Default)]
pub struct Inventory {
    pub(super) chunks: Chunks,
    pub(super) index: Index,
    pub(super) links: Links,
    pub(super) authorities: Arc<Authorities>,
    slots: Slots,
    pub(super) names: Arc<Names>,
    pub(super) scopes: BTreeMap<Arc<str>, BTreeMap<Arc<str>, ScopeId>>,
    version: u64,
    /// Where the next sighting is looked for first: providers list certificates in the order in which they listed
    /// them the first time, and a look at the next place is cheaper than one into a table of millions.
    expected: Option<RowId>,
    pub(super) taken_over: TakenOver,
    /// Few, so they are kept beside the columns.
    end_unlisted: RoaringBitmap,
    /// What issuers are called. Those of certificates that were read back are not known at first.
    issuers: Arc<Issuers>,
    /// Sources whose places are endpoints.
    pub(super) serving: BTreeSet<Arc<str>>,
    /// Where providers use certificates that others may have replaced, of those that were asked about.
    pub(super) bound: BTreeMap<RowId, Bound>,
    /// What they serve and should not any more, with the version of the names that it was found in.
    pub(super) undeployed: Option<(u64, Arc<Undeployed>)>,
}

impl Inventory {
    /// Returns an inventory in which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings back a scope under the number that it had.
    pub fn restore_scope(&mut self, id: ScopeId, source: &str, scope: &str) {
        self.version += 1;
        let (source, scope) = (Arc::<str>::from(source), Arc::<str>::from(scope));
        self.scopes.entry(Arc::clone(&source)).or_default().insert(Arc::clone(&scope), id);
        Arc::make_mut(&mut self.names).insert(id, (source, scope));
    }

    /// Brings back a certificate under the number and with the status that it had. Any order will do.
    ///
    /// Returns false, and changes nothing, when it contradicts what was restored before: its number is taken or lies
    /// among those of another scope, or its identity is known. A store never hands out such a row.
    pub fn restore(&mut self, scope: ScopeId, row: StoredRow) -> bool {
        let record = row.record.inside(scope);
        let taken = self.chunks.mark(row.row).is_some();
        if taken || !self.index.claim(&self.chunks, record.identity, row.row) {
            return false;
        }
        if !self.slots.claim(&mut self.chunks, scope, row.row) {
            self.index.unclaim(record.identity, row.row);
            return false;
        }
        self.put(row.row, &record);
        self.index.join(&self.chunks, row.row);
        self.note_end(row.row, row.end_unlisted);
        self.relate(scope, row.row, record.mark.kind(), row.linked);
        true
    }

    /// Returns the number of a scope, and whether it is new.
    pub fn scope(&mut self, source: &str, scope: &str) -> (ScopeId, bool) {
        if let Some(id) = self.find_scope(source, scope) {
            return (id, false);
        }
        let id = ScopeId(self.names.keys().next_back().map_or(1, |last| last.0.saturating_add(1)));
        self.restore_scope(id, source, scope);
        (id, true)
    }

    /// Returns the number of a scope that is known.
    pub fn find_scope(&self, source: &str, scope: &str) -> Option<ScopeId> {
        self.scopes.get(source)?.get(scope).copied()
    }

    /// Returns the number of a certificate that is known, of those that no place tells apart.
    pub fn find(&self, scope: ScopeId, issuer: &str, serial: &str) -> Option<RowId> {
        let identity = identity_of(issuer, serial, "", None);
        self.index.find(&self.chunks, inside(scope, identity))
    }

    /// Returns, for each sighting of a page, the certificate that it is of, where it says nothing that is not known.
    ///
    /// All at once, so that the waits for memory of one look-up overlap those of the next.
    pub fn recognise(&mut self, scope: ScopeId, sightings: &Sightings) -> Vec<Option<RowId>> {
        let seen = sightings.seen().map(|seen| {
            let Digests { identity, row_digest } = seen.digests();
            let known = if seen.has_place() {
                self.find_placed(scope, &seen.sighting(), identity).row
            } else {
                self.expect(inside(scope, identity))
            };
            let row = known?;
            self.expected = row.0.checked_add(1).map(RowId);
            (self.chunks.row_digest(row) == Some(row_digest)).then_some(row)
        });
        seen.collect()
    }

    /// Brings in what a provider reported about one certificate.
    ///
    /// Nothing is copied or written when its `row_digest` is the one that is known.
    pub fn apply<T>(&mut self, scope: ScopeId, sighting: &Sighting<T>) -> Applied
    where
        T: AsRef<str> + AsRef<[u8]>,
    {
        let Digests { identity, row_digest } = Digests::of(sighting, &mut Vec::with_capacity(256));
        let found = self.find_sighted(scope, sighting, identity);
        let row = found.row.unwrap_or_else(|| self.slots.next(&mut self.chunks, scope));
        self.expected = row.0.checked_add(1).map(RowId);
        let parts =
            StoredParts { collides: found.collides, ..StoredParts::of(sighting, row_digest) };
        self.name_issuer(signer(parts.signer), parts.issuer);
        let mut applied = if found.row.is_none() {
            self.add(scope, StoredRow::new(row, parts))
        } else if let Some(status) = self.unchanged(row, row_digest) {
            Applied::unchanged(row, status)
        } else {
            self.change(scope, StoredRow::new(row, parts))
        };
        applied.collides = found.collides;
        applied.inherits = self.inherit(&found, &applied);
        applied
    }

    /// Returns one certificate of each issuer of which it is not known what it is called.
    pub fn unnamed_issuers(&self) -> Vec<RowId> {
        let mut unnamed = BTreeMap::new();
        for (number, chunk) in (0_u32..).zip(&self.chunks.0) {
            for slot in chunk.iter() {
                let issuer = chunk.issuer(slot.offset);
                if issuer != 0 && !self.issuers.contains_key(&issuer) {
                    unnamed.entry(issuer).or_insert_with(|| row_at(number, slot.offset));
                }
            }
        }
        unnamed.into_values().collect()
    }

    /// Takes in what the issuer of a certificate is called.
    pub fn name_issuer_of(&mut self, row: RowId, name: &str) {
        if let Some(record) = self.chunks.record(row) {
            self.name_issuer(record.issuer, name);
        }
    }

    fn name_issuer(&mut self, issuer: u64, name: &str) {
        if issuer != 0 && !self.issuers.contains_key(&issuer) {
            Arc::make_mut(&mut self.issuers).insert(issuer, Arc::from(name));
        }
    }

    /// Returns the known certificate that a sighting is of.
    fn find_sighted<T: AsRef<str>>(
        &self,
        scope: ScopeId,
        sighting: &Sighting<T>,
        identity: u128,
    ) -> Found {
        if sighting.place.as_ref().is_empty() {
            return Found::plain(self.expect(inside(scope, identity)));
        }
        self.find_placed(scope, sighting, identity)
    }

    /// Forgets a certificate, and returns the others whose derived status changed because it is gone.
    pub fn remove(&mut self, row: RowId) -> Vec<(RowId, Status)> {
        let Some((chunk, _)) = self.chunks.of(row) else { return Vec::new() };
        let (Some(scope), Some(record)) = (chunk.scope(), self.chunks.record(row)) else {
            return Vec::new();
        };
        let mut affected = self.kin(row);
        self.leave_group(scope, row);
        affected.extend(self.index.members(&self.chunks, record.group));
        self.index.remove(&self.chunks, row);
        self.bound.remove(&row);
        self.version += 1;
        self.note_end(row, false);
        self.relate(scope, row, Kind::Device, None);
        if let Some((chunk, offset)) = self.chunks.touch(row, self.version) {
            chunk.vacate(offset);
        }
        self.slots.rest(scope, row);
        affected.retain(|other| *other != row);
        self.restate(affected)
    }

    /// Returns the number of the state as it is now, which a [`View`] of it has.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns every scope: its number, source and name.
    pub fn scopes(&self) -> impl Iterator<Item = (ScopeId, &Arc<str>, &Arc<str>)> {
        self.names.iter().map(|(id, (source, scope))| (*id, source, scope))
    }

    /// Returns one certificate.
    pub fn row(&self, row: RowId) -> Option<Row> {
        self.chunks.of(row).and_then(|(chunk, offset)| chunk.row(offset))
    }

    /// Returns the scope that a certificate is in.
    pub fn scope_of(&self, row: RowId) -> Option<ScopeId> {
        self.chunks.of(row).and_then(|(chunk, _)| chunk.scope())
    }

    /// Returns whether the provider's list says when a certificate ends: only then does a filter by time find it.
    pub fn lists_end(&self, row: RowId) -> bool {
        !self.end_unlisted.contains(row.0)
            && self.row(row).is_some_and(|row| row.not_after.is_some())
    }

    /// Returns what the provider last said of a certificate's state.
    pub fn provider_status(&self, row: RowId) -> Option<Status> {
        self.chunks.mark(row)?.provider()
    }

    /// Returns the certificates of a scope: of one kind, and with an end between two times, both included. A
    /// certificate without a known end lies between no two times.
    pub fn rows(
        &self,
        scope: ScopeId,
        kind: Option<Kind>,
        within: Option<(Timestamp, Timestamp)>,
    ) -> impl Iterator<Item = RowId> + '_ {
        let chunks = self.chunks_of(scope).filter(move |(_, chunk)| {
            within.is_none_or(|(from, to)| chunk.may_end_within(from, to))
        });
        let slots = chunks.flat_map(|(number, chunk)| chunk.iter().map(move |slot| (number, slot)));
        slots
            .filter(move |(_, slot)| kind.is_none_or(|kind| slot.kind() == kind))
            .filter(move |(_, slot)| {
                within.is_none_or(|(from, to)| {
                    slot.not_after().is_some_and(|end| from <= end && end <= to)
                })
            })
            .map(|(number, slot)| row_at(number, slot.offset))
    }

    /// Counts the active certificates of the same scope that an authority has signed; `None` when that is not known: what
    /// an authority in a file has signed may be elsewhere. Walks over the whole scope.
    pub fn leaves(&self, ca: RowId) -> Option<u64> {
        let scope = self.chunks.of(ca).and_then(|(chunk, _)| chunk.scope())?;
        let names: Vec<u64> = signers(&self.authorities.get(scope, ca)?.signs).collect();
        let leaves = |chunk: &Chunk| {
            chunk.active_leaves().filter(|(issuer, _)| names.contains(issuer)).count() as u64
        };
        let count = self.chunks_of(scope).map(|(_, chunk)| leaves(chunk)).sum();
        (count > 0 || self.links.placed(ca).is_none()).then_some(count)
    }

    /// Returns the state as it is now, sharing every chunk, and lets slots that were freed be used again.
    pub fn view(&mut self) -> View {
        self.slots.wake();
        View::new(
            self.version,
            self.chunks.0.as_slice().into(),
            Arc::clone(&self.names),
            Arc::clone(&self.authorities),
            Arc::clone(&self.issuers),
        )
    }

    /// Returns the bytes that columns and hash tables hold. Texts of authorities and links are not in it.
    pub fn heap_bytes(&self) -> usize {
        let chunks: usize = self.chunks.0.iter().map(|chunk| chunk.heap_bytes()).sum();
        chunks + self.index.heap_bytes()
    }

    pub(super) fn chunks_of(&self, scope: ScopeId) -> impl Iterator<Item = (u32, &Chunk)> {
        let numbers = self.slots.chunks(scope).iter();
        numbers.filter_map(|number| Some((*number, &**self.chunks.0.get(*number as usize)?)))
    }

    pub(super) fn expect(&self, identity: u128) -> Option<RowId> {
        // A vacant slot has the identity 0, which no digest is.
        let here = |row: &RowId| self.chunks.identity(*row) == identity;
        self.expected.filter(here).or_else(|| self.index.find(&self.chunks, identity))
    }

    fn unchanged(&self, row: RowId, row_digest: u64) -> Option<Status> {
        let same = self.chunks.row_digest(row) == Some(row_digest);
        same.then(|| self.status(row))?
    }

    fn add(&mut self, scope: ScopeId, fresh: StoredRow) -> Applied {
        let (row, record) = (fresh.row, fresh.record.inside(scope));
        let mut affected: Vec<_> = self.index.members(&self.chunks, record.group).collect();
        self.put(row, &record);
        self.index.insert(&self.chunks, row);
        self.index.join(&self.chunks, row);
        self.note_end(row, fresh.end_unlisted);
        self.relate(scope, row, record.mark.kind(), fresh.linked);
        affected.extend(self.kin(row));
        self.applied(row, Change::Added, affected)
    }

    fn change(&mut self, scope: ScopeId, fresh: StoredRow) -> Applied {
        let (row, record) = (fresh.row, fresh.record.inside(scope));
        let old = self.chunks.record(row).unwrap_or(Record::VACANT);
        let mut affected = self.kin(row);
        let moves = old.group != record.group;
        if moves {
            self.leave_group(scope, row);
            affected.extend(self.index.members(&self.chunks, old.group));
            affected.extend(self.index.members(&self.chunks, record.group));
        }
        self.put(row, &record);
        if moves {
            self.index.join(&self.chunks, row);
        }
        self.note_end(row, fresh.end_unlisted);
        self.relate(scope, row, record.mark.kind(), fresh.linked);
        affected.extend(self.kin(row));
        if old.identity != record.identity {
            // It was kept before places were, and is found in one now.
            self.index.unclaim(old.identity, row);
            self.index.insert(&self.chunks, row);
        }
        let change = Change::Changed { renewed_from: renewed_from(&old, &record) };
        let mut applied = self.applied(row, change, affected);
        applied.end_moved =
            [old.end, record.end].iter().all(|end| *end != NO_END) && old.end != record.end;
        applied
    }

    /// Settles the status of `row` and of the others that may depend on it.
    fn applied(&mut self, row: RowId, change: Change, mut affected: Vec<RowId>) -> Applied {
        affected.retain(|other| *other != row);
        self.restate(vec![row]);
        let restated = self.restate(affected);
        let status = self.status(row).unwrap_or(Status::Undated);
        Applied { change, restated, ..Applied::unchanged(row, status) }
    }

    /// Returns the others whose status may depend on `row` as things stand.
    fn kin(&self, row: RowId) -> Vec<RowId> {
        let group = self.chunks.group(row);
        self.index.members(&self.chunks, group).chain(self.links.wanting(row)).collect()
    }

    fn leave_group(&mut self, scope: ScopeId, row: RowId) {
        let numbers = self.slots.chunks(scope).iter().copied();
        let chunks = &self.chunks;
        self.index.leave(chunks, row, |group| {
            numbers.flat_map(move |number| {
                let found = chunks.0.get(number as usize).into_iter();
                found
                    .flat_map(move |chunk| chunk.sharing(group))
                    .map(move |offset| row_at(number, offset))
            })
        });
    }

    fn note_end(&mut self, row: RowId, unlisted: bool) {
        if unlisted {
            self.end_unlisted.insert(row.0);
        } else if !self.end_unlisted.is_empty() {
            self.end_unlisted.remove(row.0);
        }
    }

    /// Keeps the texts that authorities and links need, or forgets them.
    fn relate(&mut self, scope: ScopeId, row: RowId, kind: Kind, linked: Option<Box<Linked>>) {
        let was_signer = self.authorities.get(scope, row).is_some();
        match (kind, &linked) {
            (Kind::Ca, Some(linked)) => {
                let (serial, signs) = (Arc::clone(&linked.serial), Arc::clone(&linked.signs));
                let authority = Authority { serial, signs };
                Arc::make_mut(&mut self.authorities).put(scope, row, authority, self.version);
            }
            _ if was_signer => {
                Arc::make_mut(&mut self.authorities).remove(scope, row, self.version);
            }
            _ => {}
        }
        self.links.put(scope, row, linked);
    }

    fn put(&mut self, row: RowId, record: &Record) {
        self.version += 1;
        if let Some((chunk, offset)) = self.chunks.touch(row, self.version) {
            chunk.put(offset, record);
        }
    }

    pub(super) fn status(&self, row: RowId) -> Option<Status> {
        self.chunks.mark(row)?.status()
    }

    pub(super) fn set_status(&mut self, row: RowId, status: Status) {
        self.version += 1;
        if let Some((chunk, offset)) = self.chunks.touch(row, self.version) {
            chunk.set_status(offset, status);
        }
    }
}

fn renewed_from(old: &Record, new: &Record) -> Option<Timestamp> {
    (old.end != NO_END && new.end > old.end).then(|| Timestamp::from_seconds(old.end))
}

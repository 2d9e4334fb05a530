//! Up to 4096 certificates of one scope, in columns.

use std::sync::Arc;

use super::super::certificate::{Kind, Status, Timestamp};
use super::record::{Mark, NO_END, Record};
use super::{Row, RowId, ScopeId};

/// Certificates in a chunk. The number of a certificate is its chunk's number times this, plus its offset.
pub(super) const ROWS: u32 = 4096;

/// Columns grow from this many slots in doublings, so that small scopes stay small.
const FIRST_SLOTS: usize = 16;

/// Up to 4096 certificates of one scope. Shared between the writer and its views; never changed once shared.
#[derive(Clone, Debug)]
pub(in super::super) struct Chunk {
    scope: Option<ScopeId>,
    /// The version of the inventory that last touched it; tells two states of the same chunk apart.
    pub(super) stamp: u64,
    occupied: u32,
    dated: u32,
    span: Span,
    keys: Vec<Key>,
    ends: Vec<i64>,
    lifetimes: Vec<u32>,
    groups: Vec<u64>,
    issuers: Vec<u64>,
    marks: Vec<Mark>,
}

/// What a sighting is recognised by. Side by side, because a rescan looks at both of them and at nothing else, and in a
/// large fleet each look is a wait for memory.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// Two halves, the upper first: a whole one would be aligned to 16 bytes, and cost a quarter more.
    identity: [u64; 2],
    row_digest: u64,
}

impl Key {
    const fn of(record: &Record) -> Self {
        let identity = [(record.identity >> 64) as u64, (record.identity << 64 >> 64) as u64];
        Self { identity, row_digest: record.row_digest }
    }

    fn identity(self) -> u128 {
        let [upper, lower] = self.identity.map(u128::from);
        upper << 64 | lower
    }
}

/// Between which times the certificates of a chunk end. Widened by what is written and not narrowed by what is removed,
/// so that it says "none ends there" only when it is so.
#[derive(Clone, Copy, Debug)]
struct Span {
    earliest: i64,
    latest: i64,
}

impl Span {
    const NOTHING: Self = Self { earliest: i64::MAX, latest: NO_END };

    fn widen(&mut self, end: i64) {
        if end != NO_END {
            self.earliest = self.earliest.min(end);
            self.latest = self.latest.max(end);
        }
    }
}

/// A certificate as a pass over a chunk meets it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Slot {
    /// Its place in the chunk.
    pub(in super::super) offset: u32,
    pub(super) mark: Mark,
    pub(super) end: i64,
}

impl Slot {
    /// Returns its end, if known.
    pub(in super::super) fn not_after(self) -> Option<Timestamp> {
        (self.end != NO_END).then(|| Timestamp::from_seconds(self.end))
    }

    /// Returns its status after succession.
    pub(in super::super) fn status(self) -> Option<Status> {
        self.mark.status()
    }

    /// Returns what it is used for.
    pub(in super::super) fn kind(self) -> Kind {
        self.mark.kind()
    }
}

impl Chunk {
    /// Returns a chunk of `scope`; of no scope when it only fills a gap in the numbers.
    pub(super) fn new(scope: Option<ScopeId>) -> Self {
        Self {
            scope,
            stamp: 0,
            occupied: 0,
            dated: 0,
            span: Span::NOTHING,
            keys: Vec::new(),
            ends: Vec::new(),
            lifetimes: Vec::new(),
            groups: Vec::new(),
            issuers: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Returns the scope that all its certificates belong to.
    pub(in super::super) fn scope(&self) -> Option<ScopeId> {
        self.scope
    }

    /// Returns the version of the inventory that last touched it.
    pub(in super::super) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Returns the slots in use or freed, from the first on.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.marks.len()).unwrap_or(ROWS)
    }

    pub(super) fn occupied(&self) -> u32 {
        self.occupied
    }

    pub(super) fn dated(&self) -> u32 {
        self.dated
    }

    /// Returns whether a certificate in it may end between two times, both included.
    pub(super) fn may_end_within(&self, from: Timestamp, to: Timestamp) -> bool {
        self.span.earliest <= to.seconds() && from.seconds() <= self.span.latest
    }

    /// Returns a time before which none of its certificates ends; the end of time when none has an end.
    pub(in super::super) fn earliest_end(&self) -> Timestamp {
        Timestamp::from_seconds(self.span.earliest)
    }

    /// Returns the times between which its certificates end, both included; `None` when none has an end.
    pub(super) fn ends(&self) -> Option<(i64, i64)> {
        (self.dated > 0).then_some((self.span.earliest, self.span.latest))
    }

    /// Returns every certificate in it.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        (0_u32..)
            .zip(self.marks.iter().zip(&self.ends))
            .map(|(offset, (mark, end))| Slot { offset, mark: *mark, end: *end })
            .filter(|slot| !slot.mark.is_vacant())
    }

    /// Returns one certificate in it.
    pub(super) fn slot(&self, offset: usize) -> Option<Slot> {
        let (mark, end) = (self.mark(offset)?, *self.ends.get(offset)?);
        Some(Slot { offset: u32::try_from(offset).ok()?, mark, end })
    }

    /// Returns the digests of the identities in it, with their places. A vacant slot has 0, which no identity is.
    pub(super) fn identities(&self) -> impl Iterator<Item = (u32, u128)> + '_ {
        (0_u32..).zip(&self.keys).map(|(offset, key)| (offset, key.identity()))
    }

    /// Returns the digests that certificates share with others of their holder, with their places; 0 for none.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0_u32..).zip(self.groups.iter().copied())
    }

    /// Returns every active certificate in it that is not an authority, with the digest of its issuer.
    pub(super) fn active_leaves(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.marks
            .iter()
            .zip(&self.issuers)
            .zip(&self.ends)
            .filter(|((mark, _), _)| mark.is_active() && mark.kind() != Kind::Ca)
            .map(|((_, issuer), end)| (*issuer, *end))
    }

    /// Returns the offsets of the certificates that share `group`.
    pub(super) fn sharing(&self, group: u64) -> impl Iterator<Item = u32> + '_ {
        (0_u32..)
            .zip(&self.groups)
            .filter(move |(_, other)| **other == group)
            .map(|(offset, _)| offset)
    }

    /// Returns everything that is kept about one certificate.
    pub(super) fn record(&self, offset: usize) -> Option<Record> {
        let (mark, key) = (self.mark(offset)?, self.keys.get(offset)?);
        Some(Record {
            identity: key.identity(),
            end: *self.ends.get(offset)?,
            lifetime: *self.lifetimes.get(offset)?,
            row_digest: key.row_digest,
            group: *self.groups.get(offset)?,
            issuer: *self.issuers.get(offset)?,
            mark,
        })
    }

    pub(super) fn mark(&self, offset: usize) -> Option<Mark> {
        self.marks.get(offset).copied().filter(|mark| !mark.is_vacant())
    }

    pub(super) fn row_digest(&self, offset: usize) -> Option<u64> {
        self.keys.get(offset).map(|key| key.row_digest)
    }

    pub(super) fn identity(&self, offset: usize) -> u128 {
        self.keys.get(offset).map_or(0, |key| key.identity())
    }

    pub(super) fn group(&self, offset: usize) -> u64 {
        self.groups.get(offset).copied().unwrap_or(0)
    }

    /// Returns the end of a certificate that its provider calls active, if the end is known.
    pub(super) fn active_end(&self, offset: usize) -> Option<i64> {
        let active = self.mark(offset)?.provider() == Some(Status::Active);
        self.ends.get(offset).copied().filter(|end| active && *end != NO_END)
    }

    /// Returns the digest of the issuer of one certificate.
    pub(in super::super) fn issuer(&self, offset: u32) -> u64 {
        self.issuers.get(offset as usize).copied().unwrap_or(0)
    }

    /// Returns the lifetime in seconds, if known.
    pub(in super::super) fn lifetime(&self, offset: u32) -> Option<u32> {
        self.lifetimes.get(offset as usize).copied().filter(|seconds| *seconds != 0)
    }

    /// Returns one certificate as readers see it.
    pub(super) fn row(&self, offset: usize) -> Option<Row> {
        let record = self.record(offset)?;
        let not_after = (record.end != NO_END).then(|| Timestamp::from_seconds(record.end));
        let not_before = record.begin().map(Timestamp::from_seconds);
        Some(Row {
            scope: self.scope?,
            kind: record.mark.kind(),
            status: record.mark.status()?,
            not_before,
            not_after,
            row_digest: record.row_digest,
        })
    }

    /// Writes one certificate, with vacant slots before it where there are none yet.
    pub(super) fn put(&mut self, offset: usize, record: &Record) {
        self.forget(offset);
        while self.marks.len() <= offset {
            self.make_room();
            self.push(&Record::VACANT);
        }
        self.write(offset, record);
        self.span.widen(record.end);
        self.occupied += 1;
        self.dated += u32::from(record.end != NO_END);
    }

    /// Frees the slot of one certificate.
    pub(super) fn vacate(&mut self, offset: usize) {
        self.forget(offset);
        if offset < self.marks.len() {
            self.write(offset, &Record::VACANT);
        }
    }

    pub(super) fn set_status(&mut self, offset: usize, status: Status) {
        if let Some(mark) = self.marks.get_mut(offset).filter(|mark| !mark.is_vacant()) {
            *mark = mark.with_status(status);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + self.keys.capacity() * size_of::<Key>()
            + self.lifetimes.capacity() * size_of::<u32>()
            + self.marks.capacity()
            + (self.ends.capacity() + self.groups.capacity() + self.issuers.capacity())
                * size_of::<u64>()
    }

    fn forget(&mut self, offset: usize) {
        if let Some(record) = self.record(offset) {
            self.occupied -= 1;
            self.dated -= u32::from(record.end != NO_END);
        }
        if self.dated == 0 {
            self.span = Span::NOTHING;
        }
    }

    /// Doubles the columns when they are full, and never beyond a chunk: a copy of a shared chunk is exactly as large
    /// as its contents, so leaving it to the vectors would give most chunks twice the memory that they can use.
    fn make_room(&mut self) {
        let used = self.marks.len();
        if used < self.marks.capacity() {
            return;
        }
        let more = used.max(FIRST_SLOTS).min((ROWS as usize).saturating_sub(used)).max(1);
        self.keys.reserve_exact(more);
        self.ends.reserve_exact(more);
        self.lifetimes.reserve_exact(more);
        self.groups.reserve_exact(more);
        self.issuers.reserve_exact(more);
        self.marks.reserve_exact(more);
    }

    fn push(&mut self, record: &Record) {
        self.keys.push(Key::of(record));
        self.ends.push(record.end);
        self.lifetimes.push(record.lifetime);
        self.groups.push(record.group);
        self.issuers.push(record.issuer);
        self.marks.push(record.mark);
    }

    fn write(&mut self, offset: usize, record: &Record) {
        self.keys[offset] = Key::of(record);
        self.ends[offset] = record.end;
        self.lifetimes[offset] = record.lifetime;
        self.groups[offset] = record.group;
        self.issuers[offset] = record.issuer;
        self.marks[offset] = record.mark;
    }
}

/// Every chunk, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks(pub(super) Vec<Arc<Chunk>>);

impl Chunks {
    /// Returns the chunk that holds `row` and its offset inside.
    pub(super) fn of(&self, row: RowId) -> Option<(&Chunk, usize)> {
        let (number, offset) = place(row);
        self.0.get(number).map(|chunk| (&**chunk, offset))
    }

    pub(super) fn record(&self, row: RowId) -> Option<Record> {
        self.of(row).and_then(|(chunk, offset)| chunk.record(offset))
    }

    pub(super) fn mark(&self, row: RowId) -> Option<Mark> {
        self.of(row).and_then(|(chunk, offset)| chunk.mark(offset))
    }

    pub(super) fn identity(&self, row: RowId) -> u128 {
        self.of(row).map_or(0, |(chunk, offset)| chunk.identity(offset))
    }

    pub(super) fn row_digest(&self, row: RowId) -> Option<u64> {
        self.of(row).and_then(|(chunk, offset)| chunk.row_digest(offset))
    }

    pub(super) fn group(&self, row: RowId) -> u64 {
        self.of(row).map_or(0, |(chunk, offset)| chunk.group(offset))
    }

    pub(super) fn active_end(&self, row: RowId) -> Option<i64> {
        self.of(row).and_then(|(chunk, offset)| chunk.active_end(offset))
    }

    /// Returns the chunk that holds `row`, copied first when a view shares it, marked as touched by `version`.
    pub(super) fn touch(&mut self, row: RowId, version: u64) -> Option<(&mut Chunk, usize)> {
        let (number, offset) = place(row);
        let chunk = Arc::make_mut(self.0.get_mut(number)?);
        chunk.stamp = version;
        Some((chunk, offset))
    }
}

/// Returns the number of the chunk that holds `row` and its offset inside.
pub(super) const fn place(row: RowId) -> (usize, usize) {
    ((row.0 / ROWS) as usize, (row.0 % ROWS) as usize)
}

/// Returns the number of the certificate at `offset` in a chunk. Chunk numbers stay below 2^20.
pub(in super::super) const fn row_at(chunk: u32, offset: u32) -> RowId {
    RowId(chunk.saturating_mul(ROWS).saturating_add(offset))
}

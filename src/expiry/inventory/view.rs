//! What readers get: one state that never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::certificate::{Kind, Timestamp};
use super::super::ladders::Issuers;
use super::authorities::{Authorities, Signers};
use super::chunk::{Chunk, ROWS, Slot, place, row_at};
use super::top_k::TopK;
use super::{Ahead, Row, RowId, ScopeId, Undeployed};

/// A certificate that ended longer ago than this is ranked behind those that end in the future.
pub(super) const LONG_ENDED_SECONDS: i64 = 30 * 86_400;

/// Source and scope by number.
pub(super) type Names = BTreeMap<ScopeId, (Arc<str>, Arc<str>)>;

/// An immutable state of the inventory. Cloning shares every chunk.
///
/// The chunks that a view holds are copied when the writer changes them, so a view is best dropped soon.
#[derive(Clone, Debug, Default)]
pub struct View {
    version: u64,
    chunks: Arc<[Arc<Chunk>]>,
    names: Arc<Names>,
    authorities: Arc<Authorities>,
    undeployed: Arc<Undeployed>,
    ahead: Arc<Ahead>,
    issuers: Arc<Issuers>,
}

/// A certificate that signs others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaRow {
    /// Its number.
    pub row: RowId,
    /// Its serial.
    pub serial: Arc<str>,
    /// What its leaves have as their signer.
    pub signs: Arc<str>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
}

impl View {
    pub(super) fn new(
        version: u64,
        chunks: Arc<[Arc<Chunk>]>,
        names: Arc<Names>,
        authorities: Arc<Authorities>,
        issuers: Arc<Issuers>,
    ) -> Self {
        let (undeployed, ahead) = (Arc::default(), Arc::default());
        Self { version, chunks, names, authorities, undeployed, ahead, issuers }
    }

    /// Returns the same state with what is served although a newer one is known.
    #[must_use]
    pub fn with_undeployed(self, undeployed: Arc<Undeployed>) -> Self {
        Self { undeployed, ..self }
    }

    /// Returns what is served although a newer one is known.
    pub fn undeployed(&self) -> &Arc<Undeployed> {
        &self.undeployed
    }

    /// Returns the same state with what was warned of ahead.
    #[must_use]
    pub fn with_ahead(self, ahead: Arc<Ahead>) -> Self {
        Self { ahead, ..self }
    }

    /// Returns what was warned of ahead, and is true still.
    pub fn ahead(&self) -> &Arc<Ahead> {
        &self.ahead
    }

    /// Returns what issuers are called, by their digests, as far as that is known.
    pub(in super::super) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Returns what the issuer of a certificate is called, as far as that is known.
    pub fn issuer_name(&self, row: RowId) -> Option<&str> {
        let (number, offset) = place(row);
        let chunk = self.chunks.get(number)?;
        let slot = chunk.slot(offset)?;
        self.issuers.get(&chunk.issuer(slot.offset)).map(|name| &**name)
    }

    /// Returns the source and the name of a scope.
    pub(in super::super) fn names_of(&self, scope: ScopeId) -> (&str, &str) {
        self.names.get(&scope).map_or(("", ""), |(source, name)| (source, name))
    }

    /// Returns the number of the state: two states of one inventory with the same number are the same.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns how many certificates are known.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.occupied() as usize).sum()
    }

    /// Returns a number that no certificate's number reaches.
    pub fn bound(&self) -> u32 {
        u32::try_from(self.chunks.len()).unwrap_or(u32::MAX).saturating_mul(ROWS)
    }

    /// Returns whether no certificate is known.
    pub fn is_empty(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.occupied() == 0)
    }

    /// Returns every scope: its number, source and name.
    pub fn scopes(&self) -> impl Iterator<Item = (ScopeId, &Arc<str>, &Arc<str>)> {
        self.names.iter().map(|(id, (source, scope))| (*id, source, scope))
    }

    /// Returns the same state with those scopes alone that `is_kept`, by source, name and whether it holds certificates.
    /// A scope outlives its last certificate: one whose source is not configured any more, or that its provider does not
    /// list any more, would be counted for ever, as empty.
    #[must_use]
    pub fn of_scopes(&self, is_kept: impl Fn(&str, &str, bool) -> bool) -> Self {
        let full: BTreeSet<ScopeId> = self
            .chunks
            .iter()
            .filter(|chunk| chunk.occupied() > 0)
            .filter_map(|chunk| chunk.scope())
            .collect();
        let is_kept = |id: &ScopeId, (source, scope): &(Arc<str>, Arc<str>)| {
            is_kept(source, scope, full.contains(id))
        };
        let mut view = self.clone();
        if !view.names.iter().all(|(id, names)| is_kept(id, names)) {
            Arc::make_mut(&mut view.names).retain(|id, names| is_kept(id, names));
        }
        view
    }

    /// Returns one certificate.
    pub fn row(&self, row: RowId) -> Option<Row> {
        let (number, offset) = place(row);
        self.chunks.get(number)?.row(offset)
    }

    /// Returns every certificate in the order of the numbers.
    pub fn rows(&self) -> impl Iterator<Item = (RowId, Row)> + '_ {
        self.numbered().flat_map(|(number, chunk)| {
            chunk.iter().filter_map(move |slot| {
                Some((row_at(number, slot.offset), chunk.row(slot.offset as usize)?))
            })
        })
    }

    /// Returns the certificates of a source with a known end that matter most, the first first.
    ///
    /// Active before other statuses; then those that end in the future or ended at most 30 days ago; then the soonest.
    /// Walks over the source, but for chunks that cannot hold any of them; a caller that asks often keeps the answer
    /// until the version changes.
    pub fn soonest(&self, source: &str, limit: usize, now: Timestamp) -> Vec<RowId> {
        let mut best = TopK::new(limit);
        let long_ended = now.seconds().saturating_sub(LONG_ENDED_SECONDS);
        let chunks = self.chunks_of(source);
        let mut chunks: Vec<_> = chunks
            .filter_map(|(number, chunk)| Some((Rank::first_in(chunk, long_ended)?, number, chunk)))
            .collect();
        chunks.sort_unstable_by_key(|(first, number, _)| (*first, *number));
        for (first, number, chunk) in chunks {
            if !best.wants(first) {
                break;
            }
            for slot in chunk.iter() {
                let rank = Rank::of(slot, long_ended, row_at(number, slot.offset));
                if let Some(rank) = rank {
                    best.offer(rank);
                }
            }
        }
        best.into_sorted().into_iter().map(|rank| rank.row).collect()
    }

    /// Returns the number of a scope, if it is known.
    pub fn find_scope(&self, source: &str, scope: &str) -> Option<ScopeId> {
        let named = |(of, name): &(Arc<str>, Arc<str>)| **of == *source && **name == *scope;
        self.names.iter().find(|(_, names)| named(names)).map(|(id, _)| *id)
    }

    /// Counts the certificates of a scope, of every kind.
    pub fn count(&self, scope: ScopeId) -> u64 {
        self.chunks_in(scope).map(|chunk| u64::from(chunk.occupied())).sum()
    }

    /// Returns the first `most` known ends, at or after a time, of the certificates of a scope: of one kind, one for
    /// each certificate, the earliest first. Walks over the scope, but for chunks that cannot hold any of them.
    pub fn ends_after(
        &self,
        scope: ScopeId,
        kind: Option<Kind>,
        from: Timestamp,
        most: usize,
    ) -> Vec<Timestamp> {
        let mut top = TopK::new(most);
        let latest = Timestamp::from_seconds(i64::MAX);
        for chunk in self.chunks_in(scope) {
            if chunk.may_end_within(from, latest) && top.wants(chunk.earliest_end()) {
                let slots = chunk.iter().filter(|slot| kind.is_none_or(|kind| slot.kind() == kind));
                let ends = slots.filter_map(Slot::not_after).filter(|end| *end >= from);
                ends.for_each(|end| top.offer(end));
            }
        }
        top.into_sorted()
    }

    /// Counts the certificates of a source with a known end.
    pub fn dated(&self, source: &str) -> u64 {
        self.chunks_of(source).map(|(_, chunk)| u64::from(chunk.dated())).sum()
    }

    /// Returns the certificates of a scope that sign others, in the order of their numbers.
    pub fn cas(&self, scope: ScopeId) -> Vec<CaRow> {
        let signers = self.signers(scope).into_iter().flat_map(|signers| &signers.known);
        signers
            .filter_map(|(row, authority)| {
                let not_after = self.row(*row)?.not_after;
                let (serial, signs) = (Arc::clone(&authority.serial), Arc::clone(&authority.signs));
                Some(CaRow { row: *row, serial, signs, not_after })
            })
            .collect()
    }

    pub(super) fn signers(&self, scope: ScopeId) -> Option<&Signers> {
        self.authorities.of(scope)
    }

    pub(super) fn chunk(&self, number: usize) -> Option<&Chunk> {
        self.chunks.get(number).map(|chunk| &**chunk)
    }

    /// Returns every chunk with its number.
    pub(in super::super) fn numbered(&self) -> impl Iterator<Item = (u32, &Chunk)> {
        (0_u32..).zip(self.chunks.iter().map(|chunk| &**chunk))
    }

    fn chunks_in(&self, scope: ScopeId) -> impl Iterator<Item = &Chunk> {
        let chunks = self.chunks.iter().map(|chunk| &**chunk);
        chunks.filter(move |chunk| chunk.scope() == Some(scope))
    }

    fn chunks_of(&self, source: &str) -> impl Iterator<Item = (u32, &Chunk)> {
        let scopes: BTreeSet<ScopeId> = self
            .names
            .iter()
            .filter(|(_, (name, _))| **name == *source)
            .map(|(id, _)| *id)
            .collect();
        self.numbered()
            .filter(move |(_, chunk)| chunk.scope().is_some_and(|scope| scopes.contains(&scope)))
    }
}

/// Where a certificate stands among all; the lowest matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: u8,
    end: i64,
    row: RowId,
}

impl Rank {
    /// Returns a rank that no certificate of a chunk is before; `None` when none has an end.
    fn first_in(chunk: &Chunk, long_ended: i64) -> Option<Self> {
        let (earliest, latest) = chunk.ends()?;
        let row = RowId(0);
        Some(if latest < long_ended {
            Self { class: 1, end: earliest, row }
        } else {
            Self { class: 0, end: earliest.max(long_ended), row }
        })
    }

    fn of(slot: Slot, long_ended: i64, row: RowId) -> Option<Self> {
        let end = slot.not_after()?.seconds();
        let class = u8::from(!slot.mark.is_active()) << 1 | u8::from(end < long_ended);
        Some(Self { class, end, row })
    }
}

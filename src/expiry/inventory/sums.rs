//! Sums over scopes, kept up to date by looking only at chunks that changed or crossed a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{AddAssign, SubAssign};

use super::super::certificate::{Kind, Timestamp};
use super::chunk::Chunk;
use super::chunk_sums::{Ends, Fixed, Moving, signer_ends};
use super::view::View;
use super::{RowId, ScopeId};

pub use super::chunk_sums::BUCKETS;

/// Sums over one scope at one moment. All but the statuses count **active** certificates only, which always have a
/// known end; superseded ones are not active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sums of each kind, in the order of [`Kind::ALL`].
    pub kinds: [KindSums; Kind::ALL.len()],
    /// Active certificates by the year and month, in UTC, that they end in.
    pub months: BTreeMap<(i32, u8), u64>,
    /// Active certificates that end after the authority in the same scope that signed them. Of several that sign as one it is
    /// the one that ends last.
    pub outliving: BTreeMap<RowId, u64>,
}

/// Sums over the certificates of one kind in one scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSums {
    /// Certificates in each status, in the order of [`Status::ALL`](super::super::Status::ALL).
    pub by_status: [u64; 7],
    /// Active certificates with at most so much time remaining, for each bound in [`BUCKETS`]: cumulative, as
    /// Prometheus has it; [`KindSums::count`] is the bucket without a bound.
    pub buckets: [u64; BUCKETS.len()],
    /// Active certificates.
    pub count: u64,
    /// The sum of the seconds that remain to them; an ended one counts below zero.
    pub sum_remaining: i128,
    /// The earliest end of an active certificate that ended at most 30 days ago, or has not ended.
    pub earliest: Option<Timestamp>,
}

impl Sums {
    /// Returns how many active certificates there are.
    pub fn count(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.count).sum()
    }

    fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| kind.by_status == [0; 7])
    }
}

/// Keeps the sums of every chunk until one of its certificates changes or crosses a bound.
///
/// It belongs to one inventory: chunks are told apart by that inventory's versions.
#[derive(Debug, Default)]
pub struct SumsCache {
    chunks: Vec<ChunkSums>,
    totals: BTreeMap<ScopeId, Sums>,
    /// The sums of the ends by kind, from which those of the remaining times follow.
    ends: BTreeMap<ScopeId, [i128; Kind::ALL.len()]>,
    signers: BTreeMap<ScopeId, (u64, Ends)>,
}

/// What one chunk adds to the totals of its scope.
#[derive(Debug, Default)]
struct ChunkSums {
    scope: Option<ScopeId>,
    stamp: u64,
    signers: u64,
    fixed: Fixed,
    moving: Moving,
}

impl SumsCache {
    /// Returns a cache that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings the sums of every scope to `view` and `now`.
    pub fn refresh(&mut self, view: &View, now: Timestamp) -> &BTreeMap<ScopeId, Sums> {
        self.refresh_signers(view);
        let mut chunks = std::mem::take(&mut self.chunks);
        let count = view.numbered().count();
        for sums in chunks.get(count..).unwrap_or_default() {
            self.change(sums, Change::Subtract);
        }
        chunks.resize_with(count, ChunkSums::default);
        for ((_, chunk), sums) in view.numbered().zip(&mut chunks) {
            self.refresh_chunk(chunk, sums, now);
        }
        self.chunks = chunks;
        self.settle(view, now);
        &self.totals
    }

    fn refresh_signers(&mut self, view: &View) {
        for (scope, _, _) in view.scopes() {
            let stamp = view.signers(scope).map_or(0, |signers| signers.stamp);
            if self.signers.get(&scope).is_none_or(|(known, _)| *known != stamp) {
                self.signers.insert(scope, (stamp, signer_ends(view, scope)));
            }
        }
    }

    fn refresh_chunk(&mut self, chunk: &Chunk, sums: &mut ChunkSums, now: Timestamp) {
        let Some(scope) = chunk.scope() else { return };
        let signers = self.signers.get(&scope).map_or(0, |(stamp, _)| *stamp);
        let known = (sums.scope, sums.stamp, sums.signers) == (Some(scope), chunk.stamp(), signers);
        if known && sums.moving.holds(now) {
            return;
        }
        self.change(sums, Change::Subtract);
        if !known {
            let nothing = Ends::new();
            let ends = self.signers.get(&scope).map_or(&nothing, |(_, ends)| ends);
            sums.fixed = Fixed::of(chunk, ends);
        }
        sums.moving = Moving::of(chunk, &sums.fixed, now);
        (sums.scope, sums.stamp, sums.signers) = (Some(scope), chunk.stamp(), signers);
        self.change(sums, Change::Add);
    }

    /// Brings the sums of a chunk into the totals of its scope, or takes them out again.
    fn change(&mut self, sums: &ChunkSums, by: Change) {
        let Some(scope) = sums.scope else { return };
        let total = self.totals.entry(scope).or_default();
        let kinds = sums.fixed.kinds.iter().zip(&sums.moving.kinds);
        for (total, (fixed, moving)) in total.kinds.iter_mut().zip(kinds) {
            by.make_all(&mut total.by_status, &fixed.by_status);
            by.make_all(&mut total.buckets, &moving.buckets);
            by.make(&mut total.count, fixed.count);
        }
        for (month, count) in &sums.fixed.months {
            by.make(total.months.entry(*month).or_default(), *count);
        }
        for (authority, count) in &sums.fixed.outliving {
            by.make(total.outliving.entry(*authority).or_default(), *count);
        }
        let ends = self.ends.entry(scope).or_default();
        for (total, fixed) in ends.iter_mut().zip(&sums.fixed.kinds) {
            by.make(total, fixed.ends);
        }
    }

    /// Settles what no chunk can carry: the scopes that there are, minima, and sums that depend on the time.
    fn settle(&mut self, view: &View, now: Timestamp) {
        let scopes: BTreeSet<ScopeId> = view.scopes().map(|(scope, _, _)| scope).collect();
        self.totals.retain(|scope, sums| scopes.contains(scope) || !sums.is_empty());
        for scope in scopes {
            self.totals.entry(scope).or_default();
        }
        self.settle_earliest();
        for (scope, total) in &mut self.totals {
            let ends = self.ends.get(scope).copied().unwrap_or_default();
            for (kind, ends) in total.kinds.iter_mut().zip(ends) {
                kind.sum_remaining = ends - i128::from(kind.count) * i128::from(now.seconds());
            }
            total.months.retain(|_, count| *count > 0);
            total.outliving.retain(|_, count| *count > 0);
        }
    }

    fn settle_earliest(&mut self) {
        let kinds = self.totals.values_mut().flat_map(|total| &mut total.kinds);
        kinds.for_each(|kind| kind.earliest = None);
        for sums in &self.chunks {
            let total = sums.scope.and_then(|scope| self.totals.get_mut(&scope));
            let kinds = total.into_iter().flat_map(|total| &mut total.kinds);
            for (total, moving) in kinds.zip(&sums.moving.kinds) {
                let both = [total.earliest, moving.earliest];
                total.earliest = both.into_iter().flatten().min();
            }
        }
    }
}

/// What becomes of a total when a chunk's sums change.
#[derive(Clone, Copy)]
enum Change {
    Add,
    Subtract,
}

impl Change {
    fn make<N: AddAssign + SubAssign>(self, total: &mut N, count: N) {
        match self {
            Self::Add => *total += count,
            Self::Subtract => *total -= count,
        }
    }

    fn make_all<const N: usize>(self, totals: &mut [u64; N], counts: &[u64; N]) {
        for (total, count) in totals.iter_mut().zip(counts) {
            self.make(total, *count);
        }
    }
}

//! Sums over scopes, kept up to date by looking only at chunks that changed or crossed a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::certificate::{Kind, Timestamp};
use super::ScopeId;
use super::chunk::Chunk;
use super::chunk_sums::{Ends, Fixed, Moving, signer_ends};
use super::view::View;

pub use super::chunk_sums::BUCKETS;

/// Sums over one scope at one moment. All but the statuses count **active** certificates only, which always have a
/// known end; superseded ones are not active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sums of each kind, in the order of [`Kind::ALL`].
    pub kinds: [KindSums; Kind::ALL.len()],
    /// Active certificates by the year and month, in UTC, that they end in.
    pub months: BTreeMap<(i32, u8), u64>,
    /// Active certificates that end after the authority in the same scope that signed them, by its serial.
    pub outliving: BTreeMap<Arc<str>, u64>,
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
    parts: Vec<Part>,
    totals: BTreeMap<ScopeId, Sums>,
    /// The sums of the ends by kind, from which those of the remaining times follow.
    ends: BTreeMap<ScopeId, [i128; Kind::ALL.len()]>,
    signers: BTreeMap<ScopeId, (u64, Ends)>,
}

/// What one chunk adds to the totals of its scope.
#[derive(Debug, Default)]
struct Part {
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
        let mut parts = std::mem::take(&mut self.parts);
        let chunks = view.numbered().count();
        for part in parts.get(chunks..).unwrap_or_default() {
            self.subtract(part);
        }
        parts.resize_with(chunks, Part::default);
        for ((_, chunk), part) in view.numbered().zip(&mut parts) {
            self.refresh_part(chunk, part, now);
        }
        self.parts = parts;
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

    fn refresh_part(&mut self, chunk: &Chunk, part: &mut Part, now: Timestamp) {
        let Some(scope) = chunk.scope() else { return };
        let signers = self.signers.get(&scope).map_or(0, |(stamp, _)| *stamp);
        let known = (part.scope, part.stamp, part.signers) == (Some(scope), chunk.stamp(), signers);
        if known && part.moving.holds(now) {
            return;
        }
        self.subtract(part);
        if !known {
            let nothing = Ends::new();
            let ends = self.signers.get(&scope).map_or(&nothing, |(_, ends)| ends);
            part.fixed = Fixed::of(chunk, ends);
        }
        part.moving = Moving::of(chunk, &part.fixed, now);
        (part.scope, part.stamp, part.signers) = (Some(scope), chunk.stamp(), signers);
        self.add(part);
    }

    fn add(&mut self, part: &Part) {
        let Some(scope) = part.scope else { return };
        let total = self.totals.entry(scope).or_default();
        let kinds = part.fixed.kinds.iter().zip(&part.moving.kinds);
        for (total, (fixed, moving)) in total.kinds.iter_mut().zip(kinds) {
            zip(&mut total.by_status, &fixed.by_status, |sum, count| *sum += count);
            zip(&mut total.buckets, &moving.buckets, |sum, count| *sum += count);
            total.count += fixed.count;
        }
        for (month, count) in &part.fixed.months {
            *total.months.entry(*month).or_default() += count;
        }
        for (serial, count) in &part.fixed.outliving {
            *total.outliving.entry(Arc::clone(serial)).or_default() += count;
        }
        let ends = self.ends.entry(scope).or_default();
        for (total, fixed) in ends.iter_mut().zip(&part.fixed.kinds) {
            *total += fixed.ends;
        }
    }

    fn subtract(&mut self, part: &Part) {
        let Some(scope) = part.scope else { return };
        let total = self.totals.entry(scope).or_default();
        let kinds = part.fixed.kinds.iter().zip(&part.moving.kinds);
        for (total, (fixed, moving)) in total.kinds.iter_mut().zip(kinds) {
            zip(&mut total.by_status, &fixed.by_status, |sum, count| *sum -= count);
            zip(&mut total.buckets, &moving.buckets, |sum, count| *sum -= count);
            total.count -= fixed.count;
        }
        for (month, count) in &part.fixed.months {
            *total.months.entry(*month).or_default() -= count;
        }
        for (serial, count) in &part.fixed.outliving {
            *total.outliving.entry(Arc::clone(serial)).or_default() -= count;
        }
        let ends = self.ends.entry(scope).or_default();
        for (total, fixed) in ends.iter_mut().zip(&part.fixed.kinds) {
            *total -= fixed.ends;
        }
    }

    /// Settles what parts cannot carry: the scopes that there are, minima, and sums that depend on the time.
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
        for part in &self.parts {
            let total = part.scope.and_then(|scope| self.totals.get_mut(&scope));
            let kinds = total.into_iter().flat_map(|total| &mut total.kinds);
            for (total, moving) in kinds.zip(&part.moving.kinds) {
                let both = [total.earliest, moving.earliest];
                total.earliest = both.into_iter().flatten().min();
            }
        }
    }
}

fn zip<const N: usize>(sums: &mut [u64; N], counts: &[u64; N], with: fn(&mut u64, u64)) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        with(sum, *count);
    }
}

//! Sums over scopes, kept up to date by looking only at chunks that changed or crossed a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::certificate::Timestamp;
use super::ScopeId;
use super::chunk::Chunk;
use super::chunk_sums::{Ends, Fixed, Histogram, signer_ends};
use super::view::View;

pub use super::chunk_sums::BUCKETS;

/// Sums over one scope at one moment. All but `by_status` count **active** certificates only, which always have a
/// known end; superseded ones are not active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Certificates in each status, in the order of [`Status::ALL`](super::super::Status::ALL).
    pub by_status: [u64; 7],
    /// Active certificates with at most so much time remaining, for each bound in [`BUCKETS`]: cumulative, as
    /// Prometheus has it; [`Sums::count`] is the bucket without a bound. Ended ones are in every bucket.
    pub buckets: [u64; 12],
    /// Active certificates.
    pub count: u64,
    /// The sum of the seconds that remain to them; an ended one counts below zero.
    pub sum_remaining: i128,
    /// Active certificates by the year and month, in UTC, that they end in.
    pub months: BTreeMap<(i32, u8), u64>,
    /// The earliest end of an active certificate.
    pub earliest: Option<Timestamp>,
    /// Active certificates that end after the authority in the same scope that signed them, by its serial.
    pub outliving: BTreeMap<Arc<str>, u64>,
}

/// Keeps the sums of every chunk until one of its certificates changes or crosses a bound.
///
/// It belongs to one inventory: chunks are told apart by that inventory's versions.
#[derive(Debug, Default)]
pub struct SumsCache {
    parts: Vec<Part>,
    totals: BTreeMap<ScopeId, Sums>,
    /// The sums of the ends, from which those of the remaining times follow.
    ends: BTreeMap<ScopeId, i128>,
    signers: BTreeMap<ScopeId, (u64, Ends)>,
}

/// What one chunk adds to the totals of its scope.
#[derive(Debug, Default)]
struct Part {
    scope: Option<ScopeId>,
    stamp: u64,
    signers: u64,
    fixed: Fixed,
    histogram: Histogram,
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
        if known && part.histogram.holds(now) {
            return;
        }
        self.subtract(part);
        if !known {
            let nothing = Ends::new();
            let ends = self.signers.get(&scope).map_or(&nothing, |(_, ends)| ends);
            part.fixed = Fixed::of(chunk, ends);
        }
        part.histogram = Histogram::of(chunk, part.fixed.count, now);
        (part.scope, part.stamp, part.signers) = (Some(scope), chunk.stamp(), signers);
        self.add(part);
    }

    fn add(&mut self, part: &Part) {
        let Some(scope) = part.scope else { return };
        let total = self.totals.entry(scope).or_default();
        zip(&mut total.by_status, &part.fixed.by_status, |sum, count| *sum += count);
        zip(&mut total.buckets, &part.histogram.buckets, |sum, count| *sum += count);
        total.count += part.fixed.count;
        for (month, count) in &part.fixed.months {
            *total.months.entry(*month).or_default() += count;
        }
        for (serial, count) in &part.fixed.outliving {
            *total.outliving.entry(Arc::clone(serial)).or_default() += count;
        }
        *self.ends.entry(scope).or_default() += part.fixed.ends;
    }

    fn subtract(&mut self, part: &Part) {
        let Some(scope) = part.scope else { return };
        let total = self.totals.entry(scope).or_default();
        zip(&mut total.by_status, &part.fixed.by_status, |sum, count| *sum -= count);
        zip(&mut total.buckets, &part.histogram.buckets, |sum, count| *sum -= count);
        total.count -= part.fixed.count;
        for (month, count) in &part.fixed.months {
            *total.months.entry(*month).or_default() -= count;
        }
        for (serial, count) in &part.fixed.outliving {
            *total.outliving.entry(Arc::clone(serial)).or_default() -= count;
        }
        *self.ends.entry(scope).or_default() -= part.fixed.ends;
    }

    /// Settles what parts cannot carry: the scopes that there are, minima, and sums that depend on the time.
    fn settle(&mut self, view: &View, now: Timestamp) {
        let scopes: BTreeSet<ScopeId> = view.scopes().map(|(scope, _, _)| scope).collect();
        self.totals.retain(|scope, sums| scopes.contains(scope) || sums.by_status != [0; 7]);
        for scope in scopes {
            self.totals.entry(scope).or_default();
        }
        self.totals.values_mut().for_each(|total| total.earliest = None);
        for part in &self.parts {
            let total = part.scope.and_then(|scope| self.totals.get_mut(&scope));
            if let Some((total, end)) = total.zip(part.fixed.earliest) {
                total.earliest = Some(total.earliest.map_or(end, |earliest| earliest.min(end)));
            }
        }
        for (scope, total) in &mut self.totals {
            let ends = self.ends.get(scope).copied().unwrap_or_default();
            total.sum_remaining = ends - i128::from(total.count) * i128::from(now.seconds());
            total.months.retain(|_, count| *count > 0);
            total.outliving.retain(|_, count| *count > 0);
        }
    }
}

fn zip<const N: usize>(sums: &mut [u64; N], counts: &[u64; N], with: fn(&mut u64, u64)) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        with(sum, *count);
    }
}

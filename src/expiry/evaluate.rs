//! (inventory, ladder, now) become verdicts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::certificate::{Kind, Status, Timestamp};
use super::inventory::{Chunk, RowId, ScopeId, View, row_at};
use super::ladder::Rung;
use super::ladders::{InScope, Ladders};

/// A certificate that stands on a rung now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The certificate.
    pub row: RowId,
    /// Its scope.
    pub scope: ScopeId,
    /// The tightest rung that is crossed.
    pub rung: Rung,
    /// Since when that rung may have been said: since it is crossed, by the fractions of this version or one before.
    pub crossed: Timestamp,
    /// The certificate's status: one that alerts.
    pub status: Status,
    /// What it is used for.
    pub kind: Kind,
    /// When it ends.
    pub not_after: Timestamp,
    /// How long it is valid in all, in seconds, where that is known.
    pub lifetime: Option<u32>,
}

/// Remembers when each chunk has to be looked at again.
///
/// It belongs to one inventory: chunks are told apart by that inventory's versions.
#[derive(Debug)]
pub struct Evaluator {
    ladders: Ladders,
    /// Every rung, loosest first.
    rungs: Vec<Rung>,
    looks: Vec<Look>,
    counts: BTreeMap<(ScopeId, Rung), u64>,
    /// The state that was looked at, and the times between which every look at it would find the same.
    settled: Option<(u64, Range<i64>)>,
}

/// What one look at a chunk found, and the times between which a second look would find the same.
#[derive(Debug, Default)]
struct Look {
    scope: Option<ScopeId>,
    stamp: u64,
    from: i64,
    until: i64,
    counts: Vec<u64>,
}

/// What tells where the certificates of a chunk stand.
struct Standing<'a> {
    inside: InScope<'a>,
    rungs: &'a [Rung],
    reach: i64,
}

impl Evaluator {
    /// Returns an evaluator that has looked at nothing yet.
    pub fn new(ladders: impl Into<Ladders>) -> Self {
        let ladders = ladders.into();
        let rungs = ladders.rungs().into_iter().collect();
        Self { ladders, rungs, looks: Vec::new(), counts: BTreeMap::new(), settled: None }
    }

    /// Finds the certificates that stand on a rung, of every chunk in which something changed or a rung was crossed
    /// since the last call. Each is given to `found` and not kept: a first look at a large fleet has a million.
    ///
    /// A certificate comes up again with the same verdict whenever its chunk is looked at: what was notified already is
    /// for the ledger to know.
    pub fn due(&mut self, view: &View, now: Timestamp, mut found: impl FnMut(Verdict)) {
        if self.is_settled(view.version(), now) {
            return;
        }
        let chunks = view.numbered().count();
        self.looks.resize_with(chunks, Look::default);
        for ((number, chunk), look) in view.numbered().zip(&mut self.looks) {
            let Some(scope) = chunk.scope() else { continue };
            if !look.holds(scope, chunk.stamp(), now) {
                let (source, name) = view.names_of(scope);
                let inside = self.ladders.inside(source, name, view.issuers());
                let standing = Standing { inside, rungs: &self.rungs, reach: self.ladders.reach() };
                *look = Look::at(number, chunk, now, standing, &mut found);
            }
        }
        self.count(view);
        let until = self.looks.iter().filter(|look| look.scope.is_some()).map(|look| look.until);
        self.settled = Some((view.version(), now.seconds()..until.min().unwrap_or(i64::MAX)));
    }

    /// Returns whether nothing can be due in a state of the inventory: it is the one that was looked at last, and no
    /// certificate has crossed a rung since.
    pub fn is_settled(&self, version: u64, now: Timestamp) -> bool {
        let settled = self.settled.as_ref();
        settled.is_some_and(|(seen, times)| *seen == version && times.contains(&now.seconds()))
    }

    /// Returns when a certificate next crosses a rung in a state of the inventory; `None` when none ever will. A state
    /// that was not looked at is due at once.
    pub fn next_crossing(&self, version: u64) -> Option<Timestamp> {
        let settled = self.settled.as_ref().filter(|(seen, _)| *seen == version);
        let next = settled.map_or(0, |(_, times)| times.end);
        (next < i64::MAX).then(|| Timestamp::from_seconds(next))
    }

    /// Returns how many certificates are on each rung, as of the last call of [`Evaluator::due`]. Every rung of the
    /// ladder is there for every scope.
    pub fn counts(&self) -> &BTreeMap<(ScopeId, Rung), u64> {
        &self.counts
    }

    fn count(&mut self, view: &View) {
        let rungs = &self.rungs;
        let of_scope = |scope| rungs.iter().map(move |rung| ((scope, *rung), 0));
        self.counts = view.scopes().flat_map(|(scope, _, _)| of_scope(scope)).collect();
        for look in &self.looks {
            let Some(scope) = look.scope else { continue };
            for (rung, count) in rungs.iter().zip(&look.counts).filter(|(_, count)| **count > 0) {
                *self.counts.entry((scope, *rung)).or_default() += count;
            }
        }
    }

    /// Forgets what was looked at, so that everything comes up again. To be called when the verdicts of a call were
    /// lost, for one because they could not be stored.
    pub fn revisit(&mut self) {
        self.looks.clear();
        self.settled = None;
    }
}

impl Look {
    /// Looks at every certificate of a chunk and gives those on a rung to `found`.
    fn at(
        number: u32,
        chunk: &Chunk,
        now: Timestamp,
        mut standing: Standing<'_>,
        found: &mut impl FnMut(Verdict),
    ) -> Self {
        let mut counts = vec![0; standing.rungs.len()];
        let first = chunk.earliest_end().plus(-standing.reach);
        if now < first {
            let (scope, stamp) = (chunk.scope(), chunk.stamp());
            return Self { scope, stamp, from: now.seconds(), until: first.seconds(), counts };
        }
        let mut until = i64::MAX;
        for slot in chunk.iter() {
            let status = slot.status().filter(|status| status.alerts());
            let Some((status, not_after)) = status.zip(slot.not_after()) else { continue };
            let ladder = standing.inside.of(slot.kind(), chunk.issuer(slot.offset));
            // Scaling only ever moves a rung closer to the end: nothing is crossed before this.
            let earliest = not_after.plus(-ladder.reach());
            if now < earliest {
                until = until.min(earliest.seconds());
                continue;
            }
            let lifetime = chunk.lifetime(slot.offset);
            if let Some(next) = ladder.next_crossing(not_after, lifetime, now) {
                until = until.min(next.seconds());
            }
            let Some((rung, crossed)) = ladder.standing(not_after, lifetime, now) else {
                continue;
            };
            let place = standing.rungs.binary_search(&rung);
            if let Some(count) = place.ok().and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
            let (row, kind) = (row_at(number, slot.offset), slot.kind());
            if let Some(scope) = chunk.scope() {
                found(Verdict { row, scope, rung, crossed, status, kind, not_after, lifetime });
            }
        }
        Self { scope: chunk.scope(), stamp: chunk.stamp(), from: now.seconds(), until, counts }
    }

    fn holds(&self, scope: ScopeId, stamp: u64, now: Timestamp) -> bool {
        let same = self.scope == Some(scope) && self.stamp == stamp;
        same && (self.from..self.until).contains(&now.seconds())
    }
}

//! (inventory, ladder, now) become verdicts.

use std::collections::BTreeMap;

use super::certificate::{Kind, Status, Timestamp};
use super::inventory::{Chunk, RowId, ScopeId, View, row_at};
use super::ladder::{Ladder, Rung};

/// A certificate that stands on a rung now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The certificate.
    pub row: RowId,
    /// Its scope.
    pub scope: ScopeId,
    /// The tightest rung that is crossed.
    pub rung: Rung,
    /// Since when that rung is crossed.
    pub crossed: Timestamp,
    /// The certificate's status: one that alerts.
    pub status: Status,
    /// What it is used for.
    pub kind: Kind,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Remembers when each chunk has to be looked at again.
///
/// It belongs to one inventory: chunks are told apart by that inventory's versions.
#[derive(Debug)]
pub struct Evaluator {
    ladder: Ladder,
    looks: Vec<Look>,
    scopes: Vec<ScopeId>,
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

impl Evaluator {
    /// Returns an evaluator that has looked at nothing yet.
    pub fn new(ladder: Ladder) -> Self {
        Self { ladder, looks: Vec::new(), scopes: Vec::new() }
    }

    /// Returns the ladder that it evaluates by.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Returns the certificates that stand on a rung, of every chunk in which something changed or a rung was crossed
    /// since the last call.
    ///
    /// A certificate comes up again with the same verdict whenever its chunk is looked at: what was said already is
    /// for the ledger to know.
    pub fn due(&mut self, view: &View, now: Timestamp) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let chunks = view.numbered().count();
        self.looks.resize_with(chunks, Look::default);
        for ((number, chunk), look) in view.numbered().zip(&mut self.looks) {
            let Some(scope) = chunk.scope() else { continue };
            if !look.holds(scope, chunk.stamp(), now) {
                *look = Look::at(number, chunk, now, &self.ladder, &mut verdicts);
            }
        }
        self.scopes.clear();
        self.scopes.extend(view.scopes().map(|(scope, _, _)| scope));
        verdicts
    }

    /// Counts the certificates on each rung, as of the last call of [`Evaluator::due`]. Every rung of the ladder is
    /// there for every scope.
    pub fn counts(&self) -> BTreeMap<(ScopeId, Rung), u64> {
        let rungs: Vec<Rung> = self.ladder.rungs().collect();
        let mut counts: BTreeMap<_, _> = self
            .scopes
            .iter()
            .flat_map(|scope| rungs.iter().map(|rung| ((*scope, *rung), 0)))
            .collect();
        for look in &self.looks {
            let Some(scope) = look.scope else { continue };
            for (rung, count) in rungs.iter().zip(&look.counts) {
                *counts.entry((scope, *rung)).or_default() += count;
            }
        }
        counts
    }

    /// Forgets what was looked at, so that everything comes up again. To be called when the verdicts of a call were
    /// lost, for one because they could not be stored.
    pub fn revisit(&mut self) {
        self.looks.clear();
    }
}

impl Look {
    /// Looks at every certificate of a chunk and adds those on a rung to `verdicts`.
    fn at(
        number: u32,
        chunk: &Chunk,
        now: Timestamp,
        ladder: &Ladder,
        verdicts: &mut Vec<Verdict>,
    ) -> Self {
        let mut counts = vec![0; ladder.rungs().len()];
        let first = chunk.earliest_end().plus(-ladder.reach());
        if now < first {
            let (scope, stamp) = (chunk.scope(), chunk.stamp());
            return Self { scope, stamp, from: now.seconds(), until: first.seconds(), counts };
        }
        let mut until = i64::MAX;
        for slot in chunk.iter() {
            let status = slot.status().filter(|status| status.alerts());
            let Some((status, not_after)) = status.zip(slot.not_after()) else { continue };
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
            let Some((place, rung, crossed)) = ladder.standing(not_after, lifetime, now) else {
                continue;
            };
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
            let (row, kind) = (row_at(number, slot.offset), slot.kind());
            if let Some(scope) = chunk.scope() {
                verdicts.push(Verdict { row, scope, rung, crossed, status, kind, not_after });
            }
        }
        Self { scope: chunk.scope(), stamp: chunk.stamp(), from: now.seconds(), until, counts }
    }

    fn holds(&self, scope: ScopeId, stamp: u64, now: Timestamp) -> bool {
        let same = self.scope == Some(scope) && self.stamp == stamp;
        same && (self.from..self.until).contains(&now.seconds())
    }
}

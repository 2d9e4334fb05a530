//! Where providers use what another certificate may have replaced: what is still in use was not replaced.
//!
//! A provider is asked about what ends soon. Its answers are kept over a restart, so that nothing is called renewed in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Pipeline;
use crate::expiry::{Bound, Inventory, RowId, ScopeId, Status, Timestamp};
use crate::scan::Candidate;

/// How long before its end a certificate is asked about, in seconds.
const SOON: i64 = 14 * 86_400;

/// And how long after it.
const LATE: i64 = 30 * 86_400;

/// Returns whether an answer is stored under a key.
pub(super) fn is_key(key: &str) -> bool {
    Bound::of_key(key).is_some()
}

/// Brings back the answers that were stored. The statuses that follow from them were stored as well.
pub(super) fn restore(stored: &[(String, Timestamp)], inventory: &mut Inventory) {
    for (row, bound) in stored.iter().filter_map(|(key, _)| Bound::of_key(key)) {
        inventory.bind(row, Some(bound));
    }
}

impl Pipeline {
    /// Returns the certificates of a source that end soon and that another one may have replaced, and forgets what was
    /// answered for others.
    pub(super) async fn maybe_replaced(
        &mut self,
        source: &Arc<str>,
    ) -> anyhow::Result<Vec<Candidate>> {
        let now = self.parts.clock.now();
        let within = (now.plus(-LATE), now.plus(SOON));
        let scopes: BTreeSet<ScopeId> =
            self.scopes_of(source).into_iter().map(|(scope, _)| scope).collect();
        let rows = scopes.iter().flat_map(|scope| self.inventory.maybe_replaced(*scope, within));
        let rows: Vec<RowId> = rows.collect();
        let asked: BTreeSet<RowId> = rows.iter().copied().collect();
        let over = self.inventory.all_bound().map(|(row, _)| row).filter(|row| {
            let scope = self.inventory.scope_of(*row);
            !asked.contains(row) && scope.is_some_and(|scope| scopes.contains(&scope))
        });
        for row in over.collect::<Vec<_>>() {
            self.set_bound(row, None);
        }
        self.lookup_serials(rows).await
    }

    /// Takes in what a provider answered.
    pub(super) fn take_bound(&mut self, answers: Vec<(RowId, Bound)>) {
        for (row, bound) in answers {
            if self.inventory.bound(row) != Some(&bound) {
                self.set_bound(row, Some(bound));
            }
        }
    }

    /// Forgets what was answered for a certificate.
    pub(super) fn forget_bound(&mut self, row: RowId) {
        if let Some(bound) = self.inventory.bound(row) {
            self.draft.condition(bound.key(row), None);
        }
    }

    fn set_bound(&mut self, row: RowId, bound: Option<Bound>) {
        self.forget_bound(row);
        if let Some(bound) = &bound {
            self.draft.condition(bound.key(row), Some(self.parts.clock.now()));
        }
        let restated = self.inventory.bind(row, bound);
        let renewed = restated.iter().filter(|(_, status)| *status == Status::Superseded).count();
        self.draft.restated(restated);
        if let Some(scope) = self.inventory.scope_of(row) {
            self.count_renewed_in(scope, renewed as u64);
        }
        // What was said of it so far may have been said otherwise now.
        self.evaluator.revisit();
    }

    /// Returns where a certificate is in use, if its provider says so.
    pub(super) fn bound_to(&self, row: RowId) -> Option<Vec<String>> {
        match self.inventory.bound(row)? {
            Bound::To(places) => Some(places.to_vec()),
            Bound::Nowhere | Bound::Unknown => None,
        }
    }

    /// Returns the scopes in which it is not known of some certificate whether it is in use.
    pub(super) fn scopes_of_unknown_use(&self) -> BTreeSet<ScopeId> {
        let unknown = self.inventory.all_bound().filter(|(_, bound)| **bound == Bound::Unknown);
        unknown.filter_map(|(row, _)| self.inventory.scope_of(row)).collect()
    }
}

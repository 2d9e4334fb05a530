//! Certificates that a list leaves out and that are there when the provider is asked for them.
//!
//! A list that changes while it is read may leave one out by accident. Left out of two readings in a row and found by
//! asking, it is not the certificate that changed: the list and the point read contradict each other.

use std::collections::BTreeMap;

use super::super::inventory::{RowId, ScopeId};
use super::rows::Rows;

/// What was found by asking and is not listed, by scope.
#[derive(Debug, Default)]
pub(super) struct Contradictions {
    scopes: BTreeMap<ScopeId, Unlisted>,
}

#[derive(Debug, Default)]
struct Unlisted {
    /// Found by asking when the last reading of their part left them out.
    found: Rows,
    /// Those of them that two readings in a row left out.
    confirmed: Rows,
}

/// How many certificates of a scope are there and not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Left out of one reading at least.
    pub found: u64,
    /// Left out of two readings in a row.
    pub confirmed: u64,
}

impl Contradictions {
    /// These were not listed and are there. `before` were missing from the reading before as well.
    pub(super) fn find(&mut self, scope: ScopeId, rows: &[RowId], before: Option<&Rows>) {
        for row in rows {
            let known = self.scopes.entry(scope).or_default();
            let again = !known.found.insert(*row);
            if again || before.is_some_and(|before| before.contains(*row)) {
                known.confirmed.insert(*row);
            }
        }
    }

    /// These are listed, or not there either.
    pub(super) fn settle(&mut self, scope: ScopeId, rows: &[RowId]) {
        let Some(known) = self.scopes.get_mut(&scope) else { return };
        for row in rows {
            known.found.remove(*row);
            known.confirmed.remove(*row);
        }
        if known.found.is_empty() {
            self.scopes.remove(&scope);
        }
    }

    /// The numbers of these may be given to others.
    pub(super) fn forget(&mut self, rows: &[RowId]) {
        let scopes: Vec<ScopeId> = self.scopes.keys().copied().collect();
        for scope in scopes {
            self.settle(scope, rows);
        }
    }

    /// Returns whether a certificate was there the last time, although it was not listed.
    pub(super) fn is_unlisted(&self, scope: ScopeId, row: RowId) -> bool {
        self.scopes.get(&scope).is_some_and(|known| known.found.contains(row))
    }

    pub(super) fn of(&self, scope: ScopeId) -> Doubt {
        let count =
            |known: &Unlisted| Doubt { found: known.found.len(), confirmed: known.confirmed.len() };
        self.scopes.get(&scope).map(count).unwrap_or_default()
    }
}

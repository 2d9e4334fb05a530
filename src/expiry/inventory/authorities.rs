//! The certificates that sign others, by scope.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{RowId, ScopeId};

/// Every known authority. A table of its own: they are few, and their serials tie the leaves to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities {
    scopes: BTreeMap<ScopeId, Signers>,
}

/// The authorities of one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Signers {
    /// The version of the inventory that last touched one of them.
    pub(super) stamp: u64,
    pub(super) serials: BTreeMap<RowId, Arc<str>>,
}

impl Authorities {
    pub(super) fn of(&self, scope: ScopeId) -> Option<&Signers> {
        self.scopes.get(&scope)
    }

    pub(super) fn serial(&self, scope: ScopeId, row: RowId) -> Option<&Arc<str>> {
        self.scopes.get(&scope)?.serials.get(&row)
    }

    pub(super) fn put(&mut self, scope: ScopeId, row: RowId, serial: Arc<str>, version: u64) {
        let signers = self.scopes.entry(scope).or_default();
        signers.serials.insert(row, serial);
        signers.stamp = version;
    }

    pub(super) fn remove(&mut self, scope: ScopeId, row: RowId, version: u64) {
        if let Some(signers) = self.scopes.get_mut(&scope) {
            signers.serials.remove(&row);
            signers.stamp = version;
        }
    }
}

//! The certificates that sign others, by scope.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{RowId, ScopeId};

/// Every known authority. A table of its own: they are few, and what they sign as ties the leaves to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities {
    scopes: BTreeMap<ScopeId, Signers>,
}

/// The authorities of one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Signers {
    /// The version of the inventory that last touched one of them.
    pub(super) stamp: u64,
    pub(super) known: BTreeMap<RowId, Authority>,
}

/// What an authority is called.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) serial: Arc<str>,
    /// What its leaves have as their signer.
    pub(super) signs: Arc<str>,
}

impl Authorities {
    pub(super) fn of(&self, scope: ScopeId) -> Option<&Signers> {
        self.scopes.get(&scope)
    }

    pub(super) fn get(&self, scope: ScopeId, row: RowId) -> Option<&Authority> {
        self.scopes.get(&scope)?.known.get(&row)
    }

    pub(super) fn put(&mut self, scope: ScopeId, row: RowId, authority: Authority, version: u64) {
        let signers = self.scopes.entry(scope).or_default();
        signers.known.insert(row, authority);
        signers.stamp = version;
    }

    pub(super) fn remove(&mut self, scope: ScopeId, row: RowId, version: u64) {
        if let Some(signers) = self.scopes.get_mut(&scope) {
            signers.known.remove(&row);
            signers.stamp = version;
        }
    }
}

//! Which scopes a source lists, and what becomes of one that it lists no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Pipeline;
use super::draft::ScopeNames;
use super::window_key::WindowKey;
use crate::expiry::{Accepted, Condition, Doubt, RowId, ScopeId, Topic};
use crate::scan::Candidate;
use crate::source::Slice;

/// The most certificates that are asked for although so many missing at once are not believed, where the list was known
/// to leave some out before a restart.
const MOST_UNLISTED: usize = 1000;

impl Pipeline {
    /// Returns the number of a scope, giving it one when it is new.
    pub(super) fn scope(&mut self, source: &Arc<str>, scope: &Arc<str>) -> ScopeId {
        let (id, new) = self.inventory.scope(source, scope);
        if new {
            self.draft.scope(id, source, scope);
        }
        id
    }

    /// Returns what every scope is called.
    pub(super) fn scope_names(&self) -> ScopeNames {
        let scopes = self.inventory.scopes();
        scopes.map(|(id, source, scope)| (id, (Arc::clone(source), Arc::clone(scope)))).collect()
    }

    /// Ends the alarms of a scope, once every part of it that is ever read is known to be sound.
    ///
    /// A part that is sound says nothing about another one, nor does a start that forgot which one was frozen.
    pub(super) fn update_scope_alarm(&mut self, scope: ScopeId, key: &WindowKey, frozen: bool) {
        self.sources.judge(key, !frozen);
        if frozen || self.absence.is_frozen(scope) {
            return;
        }
        if self.sources.is_sound(&key.source, &key.scope) {
            self.end_scope_alarms(&key.source, &key.scope, scope);
        }
    }

    /// Nothing is frozen. What is missing from the list and there all the same is no agreement: that is reported as what it
    /// is, once two readings show it.
    fn end_scope_alarms(&mut self, source: &str, scope: &str, id: ScopeId) {
        let (shrunk, contradiction) = (shrunk(source, scope), contradiction(source, scope));
        let Doubt { found, confirmed } = self.absence.doubt(id);
        if found == 0 {
            self.clear(&contradiction);
        } else if confirmed == 0 {
            return;
        }
        match self.absence.take_accepted(id) {
            None if found > 0 => self.end(&shrunk, None),
            accepted => self.end(&shrunk, Some(restored(source, scope, accepted))),
        }
    }

    /// A list that left out certificates twice which are there is an alarm of its own.
    pub(super) fn raise_contradiction(&mut self, source: &str, scope: &str, id: ScopeId) {
        let Doubt { confirmed, .. } = self.absence.doubt(id);
        if confirmed > 0 {
            let (source, scope) = (source.to_owned(), scope.to_owned());
            let condition = contradiction(&source, &scope);
            self.raise(
                condition,
                Topic::InventoryContradicts { source, scope, unlisted: confirmed },
            );
        }
    }

    /// Returns whether so many missing certificates may be those that the list left out before a restart.
    pub(super) fn may_be_unlisted(&self, source: &str, slice: &Slice, missing: usize) -> bool {
        missing <= MOST_UNLISTED && self.checks.holds(&contradiction(source, &slice.scope))
    }

    /// So many certificates of a scope are missing at once that it is an alarm.
    pub(super) fn raise_scope_alarm(
        &mut self,
        source: &str,
        scope: &str,
        known: u64,
        missing: u64,
    ) {
        let (source, scope) = (source.to_owned(), scope.to_owned());
        let condition = shrunk(&source, &scope);
        self.raise(condition, Topic::InventoryShrunk { source, scope, known, missing });
    }

    /// Returns one certificate of each scope that is known and that the provider does not list, to ask for it.
    pub(super) async fn unlisted(
        &mut self,
        source: &Arc<str>,
        listed: &BTreeSet<Arc<str>>,
    ) -> anyhow::Result<Vec<(Arc<str>, Candidate)>> {
        let mut ask = BTreeMap::new();
        for (id, scope) in self.scopes_of(source) {
            let first = self.inventory.rows(id, None, None).next();
            match first {
                _ if listed.contains(&scope) => self.absence.scope_is_listed(id),
                Some(row) => drop(ask.insert(row, scope)),
                None => self.forget_scans(source, &scope),
            }
        }
        let candidates = self.lookup_serials(ask.keys().copied().collect()).await?;
        let scope_of = |candidate: &Candidate| ask.get(&candidate.row).cloned();
        Ok(candidates.into_iter().filter_map(|one| Some((scope_of(&one)?, one))).collect())
    }

    pub(super) fn scopes_of(&self, source: &str) -> Vec<(ScopeId, Arc<str>)> {
        let of_source = self.inventory.scopes().filter(|(_, name, _)| ***name == *source);
        of_source.map(|(id, _, scope)| (id, Arc::clone(scope))).collect()
    }

    /// The provider neither lists these scopes nor has the certificate that it was asked for. That goes the way of
    /// missing certificates: an alarm at once, and gone when the next poll agrees.
    pub(super) async fn scopes_absent(
        &mut self,
        source: &str,
        absent: &[Arc<str>],
    ) -> anyhow::Result<()> {
        for scope in absent {
            let Some(id) = self.inventory.find_scope(source, scope) else { continue };
            let known = self.inventory.rows(id, None, None).count() as u64;
            if self.absence.scope_is_absent(id) {
                let rows: Vec<RowId> = self.inventory.rows(id, None, None).collect();
                self.close_gone(&rows).await?;
                self.drop_scope(source, id, scope);
                let accepted = Some(Accepted { known, missing: known });
                self.end(&shrunk(source, scope), Some(restored(source, scope, accepted)));
            } else {
                let rows: Vec<RowId> = self.inventory.rows(id, None, None).collect();
                self.hold_missed(&rows);
                self.raise_scope_alarm(source, scope, known, known);
            }
        }
        Ok(())
    }

    /// Drops the scopes that the configuration does not name any more, and of which nothing is reported.
    pub(super) fn drop_unwatched_scopes(&mut self) {
        let watched = &self.settings.watched;
        let dropped: Vec<_> = self
            .inventory
            .scopes()
            .filter(|(_, source, scope)| !watched.iter().any(|one| one.holds(source, scope)))
            .map(|(id, source, scope)| (id, Arc::clone(source), Arc::clone(scope)))
            .collect();
        for (id, source, scope) in dropped {
            self.drop_scope(&source, id, &scope);
            self.end(&shrunk(&source, &scope), None);
        }
    }

    /// Drops a scope with everything in it. Of alerts that are still open nothing is said.
    fn drop_scope(&mut self, source: &str, id: ScopeId, scope: &str) {
        let rows: Vec<RowId> = self.inventory.rows(id, None, None).collect();
        if !rows.is_empty() {
            tracing::info!(source, scope, certificates = rows.len(), "the scope is gone");
            self.parts.metrics.gone(source, scope, rows.len() as u64);
        }
        self.forget(&rows);
        self.absence.scope_is_listed(id);
        self.forget_scans(source, scope);
        self.end(&contradiction(source, scope), None);
    }

    fn forget_scans(&mut self, source: &str, scope: &str) {
        if self.sources.forget_scope(source, scope) {
            self.draft.forget_scope(source, scope);
        }
    }
}

fn shrunk(source: &str, scope: &str) -> Condition {
    Condition::Scope(source.to_owned(), scope.to_owned())
}

fn contradiction(source: &str, scope: &str) -> Condition {
    Condition::Contradiction(source.to_owned(), scope.to_owned())
}

fn restored(source: &str, scope: &str, accepted: Option<Accepted>) -> Topic {
    Topic::InventoryRestored { source: source.to_owned(), scope: scope.to_owned(), accepted }
}

//! Which scopes a source lists, and what becomes of one that it lists no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Pipeline;
use crate::expiry::{Condition, RowId, ScopeId, Topic};
use crate::scan::{Candidate, Report};

/// The name of a scan record: source, scope and part.
type Key = (String, String, String);

/// What the polls of this process have said about scopes.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Parts whose last proven scan found nothing to freeze, since the start.
    sound: BTreeSet<Key>,
    /// What kept the poll under way from being proven, by source.
    problems: BTreeMap<String, String>,
}

impl Listing {
    /// Keeps the first thing that kept the poll under way from being proven.
    pub(super) fn note(&mut self, source: &str, problem: Option<String>) {
        if let Some(problem) = problem {
            self.problems.entry(source.to_owned()).or_insert(problem);
        }
    }

    /// Returns what kept the poll that ends from being proven.
    pub(super) fn take_problem(&mut self, source: &str) -> Option<String> {
        self.problems.remove(source)
    }
}

impl Pipeline {
    /// Clears the alarm of a scope, once every part of it that is ever read is known to be sound.
    ///
    /// A part that is sound says nothing about another one, nor does a start that forgot which one was frozen.
    pub(super) fn update_scope_alarm(
        &mut self,
        scope: ScopeId,
        report: &Report,
        key: Key,
        frozen: bool,
    ) {
        let (source, name) = (key.0.clone(), key.1.clone());
        if frozen {
            self.listing.sound.remove(&key);
            return;
        }
        self.listing.sound.insert(key);
        let sound = &self.listing.sound;
        let mut parts = self.scans.keys().filter(|part| part.0 == source && part.1 == name);
        if !self.absence.is_frozen(scope) && parts.all(|part| sound.contains(part)) {
            tracing::trace!(%source, scope = %report.slice.scope, "every part of the scope is sound");
            self.clear(&Condition::Scope(source, name));
        }
    }

    /// Returns one certificate of each scope that is known and that the provider does not list, to ask for it.
    pub(super) async fn unlisted(
        &mut self,
        source: &Arc<str>,
        listed: &BTreeSet<Arc<str>>,
    ) -> anyhow::Result<Vec<(Arc<str>, Candidate)>> {
        let mut ask = Vec::new();
        for (id, scope) in self.scopes_of(source) {
            let first = self.inventory.rows(id, None, None).next();
            match first {
                _ if listed.contains(&scope) => self.absence.scope_is_listed(id),
                Some(row) => ask.push((scope, row)),
                None => self.forget_scans(source, &scope),
            }
        }
        let named = self.lookup_serials(ask.iter().map(|(_, row)| *row).collect()).await?;
        let candidate = |row: RowId| named.iter().find(|candidate| candidate.row == row).cloned();
        Ok(ask.into_iter().filter_map(|(scope, row)| Some((scope, candidate(row)?))).collect())
    }

    fn scopes_of(&self, source: &str) -> Vec<(ScopeId, Arc<str>)> {
        let of_source = self.inventory.scopes().filter(|(_, name, _)| ***name == *source);
        of_source.map(|(id, _, scope)| (id, Arc::clone(scope))).collect()
    }

    /// The provider neither lists these scopes nor has the certificate that it was asked for. That goes the way of
    /// missing certificates: an alarm at once, and gone when the next poll agrees.
    pub(super) fn scopes_absent(&mut self, source: &Arc<str>, absent: &[Arc<str>]) {
        for scope in absent {
            let Some(id) = self.inventory.find_scope(source, scope) else { continue };
            if self.absence.scope_is_absent(id) {
                self.drop_scope(source, id, scope);
                continue;
            }
            let known = self.inventory.rows(id, None, None).count() as u64;
            let (source, scope) = (source.to_string(), scope.to_string());
            let condition = Condition::Scope(source.clone(), scope.clone());
            let missing = known;
            self.raise(condition, Topic::InventoryShrunk { source, scope, known, missing });
        }
    }

    /// Drops a scope with everything in it. Its alerts close as gone, never as renewed.
    pub(super) fn drop_scope(&mut self, source: &str, id: ScopeId, scope: &str) {
        let rows: Vec<RowId> = self.inventory.rows(id, None, None).collect();
        if !rows.is_empty() {
            tracing::info!(source, scope, certificates = rows.len(), "the scope is gone");
            self.parts.metrics.gone(source, scope, rows.len() as u64);
        }
        self.forget(&rows);
        self.absence.scope_is_listed(id);
        self.forget_scans(source, scope);
        self.clear(&Condition::Scope(source.to_owned(), scope.to_owned()));
    }

    /// Forgets how a scope was read: it must not count as stale for ever.
    fn forget_scans(&mut self, source: &str, scope: &str) {
        let before = self.scans.len();
        self.scans.retain(|key, _| key.0 != source || key.1 != scope);
        if self.scans.len() == before {
            return;
        }
        self.missing.retain(|key, _| key.0 != source || key.1 != scope);
        self.listing.sound.retain(|key| key.0 != source || key.1 != scope);
        self.draft.scans.retain(|scan| scan.source != source || scan.scope != scope);
        // Notes are written after scopes are forgotten: one that was drafted before must not outlast this.
        self.draft.notes.retain(|note| note.source != source || note.scope != scope);
        self.draft.unlisted.push((source.to_string(), scope.to_owned()));
        let left: BTreeSet<&str> =
            self.scans.keys().filter(|key| key.0 == source).map(|key| key.1.as_str()).collect();
        self.parts.metrics.retain_scopes(source, &left.into_iter().collect::<Vec<_>>());
        self.tell_scopes();
    }
}

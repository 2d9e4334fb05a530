//! Which scopes a source lists, and what becomes of one that it lists no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Pipeline;
use super::condition::Subject;
use crate::expiry::{RowId, ScopeId, Topic};
use crate::scan::Report;

/// The name of a scan record: source, scope and part.
type Key = (String, String, String);

/// What the polls of this process have said about scopes.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The scopes that the poll under way has begun to read, by source.
    begun: BTreeMap<String, BTreeSet<ScopeId>>,
    /// Scopes with certificates that the last poll did not list.
    unlisted: BTreeSet<ScopeId>,
    /// Parts whose last proven scan found nothing to freeze, since the start.
    sound: BTreeSet<Key>,
    /// What kept the poll under way from being proven, by source.
    problems: BTreeMap<String, String>,
}

impl Listing {
    /// The poll under way reads this scope.
    pub(super) fn begin(&mut self, source: &str, scope: ScopeId) {
        self.begun.entry(source.to_owned()).or_default().insert(scope);
    }

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
    pub(super) fn judge(&mut self, scope: ScopeId, report: &Report, key: Key, frozen: bool) {
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
            self.clear(&Subject::Scope(source, name));
        }
    }

    /// A poll ended. What it did not list, though it was answered, goes the way of missing certificates: an alarm at
    /// once, and gone when the next poll agrees.
    pub(super) fn end_poll(&mut self, source: &Arc<str>, answered: bool) {
        let listed = self.listing.begun.remove(&**source).unwrap_or_default();
        if !answered {
            return;
        }
        let scopes: Vec<(ScopeId, String)> = self
            .inventory
            .view()
            .scopes()
            .filter(|(_, name, _)| *name == source)
            .map(|(id, _, scope)| (id, scope.to_string()))
            .collect();
        for (scope, name) in scopes {
            if listed.contains(&scope) {
                self.listing.unlisted.remove(&scope);
            } else {
                self.miss_scope(source, scope, name);
            }
        }
    }

    fn miss_scope(&mut self, source: &Arc<str>, scope: ScopeId, name: String) {
        let rows: Vec<RowId> = self.inventory.rows(scope, None, None).collect();
        let subject = Subject::Scope(source.to_string(), name.clone());
        if !rows.is_empty() && self.listing.unlisted.insert(scope) {
            let known = rows.len() as u64;
            let source = source.to_string();
            self.raise(
                subject,
                Topic::InventoryShrunk { source, scope: name, known, missing: known },
            );
            return;
        }
        self.listing.unlisted.remove(&scope);
        self.means.own.gone(source, &name, rows.len() as u64);
        self.forget(&rows);
        self.forget_scans(source, &name);
        self.clear(&subject);
    }

    /// Forgets how a scope was read: it must not count as stale for ever.
    fn forget_scans(&mut self, source: &Arc<str>, scope: &str) {
        let before = self.scans.len();
        self.scans.retain(|key, _| key.0 != **source || key.1 != scope);
        if self.scans.len() == before {
            return;
        }
        self.missing.retain(|key, _| key.0 != **source || key.1 != scope);
        self.listing.sound.retain(|key| key.0 != **source || key.1 != scope);
        self.draft.scans.retain(|scan| scan.source != **source || scan.scope != scope);
        self.draft.unlisted.push((source.to_string(), scope.to_owned()));
        let left: BTreeSet<&str> =
            self.scans.keys().filter(|key| key.0 == **source).map(|key| key.1.as_str()).collect();
        self.means.own.retain_scopes(source, &left.into_iter().collect::<Vec<_>>());
        self.tell_scopes();
    }
}

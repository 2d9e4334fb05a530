//! Scopes that come and go: an MQTT instance that is deleted takes its certificates with it.
//!
//! As with certificates, presence is believed at once and absence only with proof: the provider does not list the
//! scope, says of one of its certificates that it is not there, and does both twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Pipeline;
use super::condition::Subject;
use crate::expiry::{RowId, ScopeId, Topic};
use crate::scan::Candidate;

/// Polls in a row that must find a scope absent before it is gone.
const POLLS: u8 = 2;

impl Pipeline {
    /// Returns one certificate of each scope that is known and was not listed.
    pub(super) async fn unlisted(
        &mut self,
        source: &Arc<str>,
        listed: &BTreeSet<Arc<str>>,
    ) -> anyhow::Result<Vec<(Arc<str>, Candidate)>> {
        let mut ask = Vec::new();
        for (id, scope) in self.scopes_of(source) {
            if listed.contains(&scope) {
                self.absent_scopes.remove(&id);
                continue;
            }
            let first = self.inventory.rows(id, None, None).next();
            match first {
                Some(row) => ask.push((scope, row)),
                None => self.drop_scope(source, id, &scope),
            }
        }
        let rows: Vec<RowId> = ask.iter().map(|(_, row)| *row).collect();
        let named = self.name(rows).await?;
        let candidate = |row: RowId| named.iter().find(|candidate| candidate.row == row).cloned();
        Ok(ask.into_iter().filter_map(|(scope, row)| Some((scope, candidate(row)?))).collect())
    }

    /// The provider says twice that it has neither the scope nor a certificate of it: then both are gone.
    pub(super) fn scopes_absent(&mut self, source: &Arc<str>, absent: &[Arc<str>]) {
        for scope in absent {
            let Some(id) = self.inventory.find_scope(source, scope) else { continue };
            let polls = self.absent_scopes.entry(id).or_default();
            *polls += 1;
            if *polls >= POLLS {
                self.drop_scope(source, id, scope);
                continue;
            }
            let known = self.inventory.rows(id, None, None).count() as u64;
            let subject = Subject::Scope(source.to_string(), scope.to_string());
            let (source, scope) = (source.to_string(), scope.to_string());
            self.raise(subject, Topic::InventoryShrunk { source, scope, known, missing: known });
        }
    }

    /// Drops a scope with everything in it. Its alerts close as gone, never as renewed.
    pub(super) fn drop_scope(&mut self, source: &str, id: ScopeId, scope: &str) {
        let rows: Vec<RowId> = self.inventory.rows(id, None, None).collect();
        if !rows.is_empty() {
            tracing::info!(source, scope, certificates = rows.len(), "the scope is gone");
            self.means.own.gone(source, scope, rows.len() as u64);
        }
        self.forget(&rows);
        self.absent_scopes.remove(&id);
        self.clear(&Subject::Scope(source.to_owned(), scope.to_owned()));
        self.scans.retain(|(of, part, _), _| of != source || part != scope);
        self.missing.retain(|(of, part, _), _| of != source || part != scope);
        self.tell_scopes();
        let kept: Vec<String> = self
            .statuses
            .get(source)
            .map(|status| status.scans.iter().map(|scan| scan.scope.clone()).collect())
            .unwrap_or_default();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        self.means.own.retain_scopes(source, &kept);
    }

    fn scopes_of(&mut self, source: &str) -> Vec<(ScopeId, Arc<str>)> {
        let view = self.inventory.view();
        let of_source = view.scopes().filter(|(_, name, _)| ***name == *source);
        of_source.map(|(id, _, scope)| (id, Arc::clone(scope))).collect()
    }
}

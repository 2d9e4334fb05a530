//! What was issued and is not deployed: counted, and shown to readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Pipeline;
use crate::expiry::{ScopeId, Undeployed};

impl Pipeline {
    /// Counts what is served although a newer one is known, and shows it to readers where that changed.
    pub(super) fn publish_undeployed(&mut self) {
        let undeployed = self.find_undeployed();
        self.count_undeployed(&undeployed);
        if self.undeployed != undeployed {
            self.undeployed = undeployed;
            let view = Arc::clone(&self.outputs.view.borrow());
            self.publish(view);
        }
    }

    /// What the last look did not find may have been replaced just now.
    fn find_undeployed(&mut self) -> Arc<Undeployed> {
        let known = self.inventory.undeployed();
        let absence = &self.absence;
        if !known.keys().any(|row| absence.is_missed(*row)) {
            return known;
        }
        let seen = known.iter().filter(|(row, _)| !absence.is_missed(**row));
        Arc::new(seen.map(|(row, newer)| (*row, *newer)).collect())
    }

    /// Every scope of a source that looks at endpoints has a number once it was read: unknown is never zero.
    fn count_undeployed(&self, undeployed: &Undeployed) {
        let mut counts = BTreeMap::<ScopeId, u64>::new();
        for row in undeployed.keys().filter_map(|row| self.inventory.row(*row)) {
            *counts.entry(row.scope).or_default() += 1;
        }
        let unknown = self.scopes_of_unknown_use();
        let watched = self.settings.watched.iter();
        for source in watched.filter(|source| source.serves || source.tells_use) {
            for scope in self.sources.read_scopes_of(&source.name) {
                let id = self.inventory.find_scope(&source.name, scope);
                let count = id.and_then(|id| counts.get(&id)).copied().unwrap_or_default();
                let known = id.is_none_or(|id| !unknown.contains(&id));
                self.parts.metrics.not_deployed(&source.name, scope, known.then_some(count));
            }
        }
    }
}

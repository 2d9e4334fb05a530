//! What messages may say about certificates: from the draft that is not saved yet, else from the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Pipeline;
use crate::expiry::{Facts, RowId, ScopeId};
use crate::store::RowWrite;

/// Source and scope by number.
type Names = HashMap<ScopeId, (Arc<str>, Arc<str>)>;

impl Pipeline {
    /// Looks up certificates, in the order asked. The draft stays as it is, so that what is said of a change can be
    /// saved together with it.
    pub(super) async fn facts(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Facts>>> {
        self.settle().await?;
        let mut known = self.parts.store.facts(rows).await?;
        let wanted: HashSet<RowId> = rows.iter().copied().collect();
        let names = self.scope_names();
        let drafted = self.draft.rows.iter().filter(|write| wanted.contains(&write.row));
        let drafted: HashMap<RowId, &RowWrite> = drafted.map(|write| (write.row, write)).collect();
        let restated = self.draft.statuses.iter().filter(|(row, _)| wanted.contains(row));
        let restated: HashMap<_, _> = restated.copied().collect();
        for (row, known) in rows.iter().zip(&mut known) {
            if let Some(write) = drafted.get(row) {
                *known = facts(write, &names);
            }
            if let (Some(known), Some(status)) = (known, restated.get(row)) {
                known.status = *status;
            }
        }
        Ok(known)
    }

    fn scope_names(&mut self) -> Names {
        let view = self.inventory.view();
        let names = view.scopes();
        names.map(|(id, source, scope)| (id, (Arc::clone(source), Arc::clone(scope)))).collect()
    }
}

fn facts(write: &RowWrite, names: &Names) -> Option<Facts> {
    let (source, scope) = names.get(&write.scope)?;
    Some(Facts::of(source.to_string(), scope.to_string(), write.sighting.clone(), write.status))
}

//! What will hurt later, and was said.

use std::sync::Arc;

use super::{Catalog, CatalogError, Entry};
use crate::expiry::{Ahead, RowId};

/// An authority that ends before active certificates that it signed.
#[derive(Clone, Debug)]
pub struct EndingFirst {
    /// The authority.
    pub entry: Entry,
    /// How many end after it.
    pub leaves: u64,
}

impl Catalog {
    /// Returns what is ahead.
    pub fn ahead(&self) -> Arc<Ahead> {
        Arc::clone(self.moment().view.ahead())
    }

    /// Returns the authorities that end before what they signed, the first to end first.
    pub async fn ends_first(&self) -> Result<Vec<EndingFirst>, CatalogError> {
        let moment = self.moment();
        let mut ahead = Arc::clone(moment.view.ahead()).ends_first.clone();
        ahead.sort_by_key(|it| (it.end, it.row));
        let rows: Vec<RowId> = ahead.iter().map(|it| it.row).collect();
        let entries = self.entries(&moment, &rows).await?;
        let found = ahead.iter().zip(entries);
        Ok(found
            .filter_map(|(it, entry)| Some(EndingFirst { entry: entry?, leaves: it.leaves }))
            .collect())
    }
}

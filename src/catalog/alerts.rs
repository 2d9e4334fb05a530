//! The alerts about certificates that are open.

use super::{Catalog, CatalogError, Entry};
use crate::expiry::{Notified, RowId};

/// An alert that is open.
#[derive(Clone, Debug)]
pub struct OpenAlert {
    /// The certificate.
    pub entry: Entry,
    /// What was last said of it.
    pub notified: Notified,
    /// The channels that were told.
    pub told: Vec<String>,
}

/// A page of them.
#[derive(Clone, Debug)]
pub struct OpenAlerts {
    /// The alerts.
    pub items: Vec<OpenAlert>,
    /// What the page after it begins behind; `None` when it was the last.
    pub next: Option<u32>,
}

impl Catalog {
    /// Returns some of the alerts that are open.
    pub async fn open_alerts(
        &self,
        after: Option<u32>,
        limit: usize,
    ) -> Result<OpenAlerts, CatalogError> {
        let moment = self.moment();
        let found = self.store.open_alerts(after.map(RowId), limit).await?;
        let next = found.last().filter(|_| found.len() >= limit).map(|(row, ..)| row.0);
        let rows: Vec<RowId> = found.iter().map(|(row, ..)| *row).collect();
        let entries = self.entries(&moment, &rows).await?;
        let alert =
            |((_, notified, told), entry): ((RowId, Notified, Vec<String>), Option<Entry>)| {
                Some(OpenAlert { entry: entry?, notified, told })
            };
        Ok(OpenAlerts { items: found.into_iter().zip(entries).filter_map(alert).collect(), next })
    }
}

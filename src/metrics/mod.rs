//! The inventory and the daemon's own counts, as Prometheus reads them.
//!
//! [`DaemonMetrics`] is counted into by the rest of the daemon. [`Exposition`] joins it with a view of the inventory and
//! streams both in the format that the scraper asked for.

use std::sync::Arc;

use async_trait::async_trait;

use crate::expiry::{Facts, RowId};

mod aggregates;
mod exposition;
mod families;
mod series;
mod daemon;
mod writer;
mod x509;
#[cfg(test)]
mod document;
#[cfg(test)]
pub(crate) mod parse;
#[cfg(test)]
pub(crate) mod testing;

pub use daemon::{ActiveAlerts, Activity, DaemonMetrics, Setup, SourceSetup};
pub use exposition::{Exposition, Moment, ScopesBySource};
pub use writer::Format;

/// Tells what certificates are called. Memory holds their numbers; the names are in the store.
#[async_trait]
pub trait Names: Send + Sync {
    /// Reads the facts of certificates, in the order asked; `None` for a number that is not there.
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError>;

    /// Returns which labels of certificates are shown.
    fn shown(&self) -> Shown {
        Shown::default()
    }
}

/// Why names could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the names of certificates cannot be read: {0}")]
pub struct NamesError(pub String);

/// What of certificates is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Another one for each configuration: its fixed labels may be other ones.
    pub edition: u64,
    /// Their names.
    pub labels: Arc<[String]>,
    /// Whether it is shown when certificates begin.
    pub not_before: bool,
    /// Whether certificates have the names of x509-certificate-exporter as well.
    pub x509: bool,
}

//! What there is, for who looks: certificates by filter and page, one by its id, all of them as a stream.
//!
//! What decides and sums need is in the columns of a view, and answers most questions in one pass over them. Names are in the
//! store: for a part of one its index is asked for who may have it, and each is looked at before it is shown. What nothing
//! narrows down is looked through for a while, and the cursor tells where to go on.
//!
//! Reading order: `filter` (what can be asked for), `pattern`, `cursor` (where a page ended), `candidates` (what the index of
//! names says), `list` (a page), `by_name` (one in the order of names), `entry` (one certificate as it is shown), `export` (all pages), `timeline` (how many expire
//! when), `overview` (how everything stands),
//! `story` (all that is known of one), `alerts` (what is open), `forecast` (what will be said), `routing` (to whom),
//! `comparison` (what another configuration would change).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::expiry::{IdPrefix, RowId, Snoozes, Timestamp, View};
use crate::store::{Kept, Store, StoreError};

mod ahead;
mod alerts;
mod by_name;
mod candidates;
mod comparison;
mod cursor;
mod entry;
mod export;
mod filter;
mod forecast;
mod list;
mod overview;
mod pattern;
mod routing;
mod story;
mod timeline;
mod topic;
#[cfg(test)]
mod tests;

pub use ahead::EndingFirst;
pub use alerts::{OpenAlert, OpenAlerts};
pub use by_name::MOST as SORTED_BY_NAME;
pub use comparison::{Comparison, Rerouted};
pub use entry::Entry;
#[cfg(test)]
pub use filter::PARAMETERS;
pub use filter::{Mistake, Query};
pub use forecast::{Line as PlannedLine, Outlook, PlanQuery, Planned, PlannedAhead};
pub use list::Page;
pub use routing::{RouteQuery, Routing};
#[cfg(test)]
pub use story::REASONS;
pub use story::{Standing, StandingRequest, Story};
pub use timeline::{By, Count};

/// How long is looked for what nothing narrows down.
const PATIENCE: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The question makes no sense.
    #[error("{0}")]
    Mistaken(String),
    /// There is no page of a list after what was said to be one.
    #[error("{0}")]
    NoSuchPage(String),
    /// The names cannot be read.
    #[error("the names of certificates cannot be read: {0}")]
    Store(#[from] StoreError),
    /// Who knows how a certificate stands answers no more.
    #[error("the daemon is stopping")]
    Stopping,
    /// A look through the certificates broke off.
    #[error("a look through the certificates broke off with a bug; please report it")]
    Broken,
}

/// Answers what certificates there are.
#[derive(Clone)]
pub struct Catalog {
    view: watch::Receiver<Arc<View>>,
    config: watch::Receiver<(u64, Arc<Config>)>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    snoozes: watch::Receiver<Arc<Snoozes>>,
    patience: Duration,
}

/// One state of what is known, at one moment.
#[derive(Clone)]
struct Moment {
    view: Arc<View>,
    config: Arc<Config>,
    snoozes: Arc<Snoozes>,
    now: Timestamp,
}

impl Catalog {
    /// Returns a catalog of the newest view, with names from the store, and with rungs and labels by the
    /// configuration.
    pub fn new(
        view: watch::Receiver<Arc<View>>,
        config: watch::Receiver<(u64, Arc<Config>)>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        snoozes: watch::Receiver<Arc<Snoozes>>,
    ) -> Self {
        Self { view, config, store, clock, snoozes, patience: PATIENCE }
    }

    /// Returns the certificate with this id.
    pub async fn one(&self, id: &str) -> Result<Option<Entry>, CatalogError> {
        let Some(id) = IdPrefix::parse(id).filter(|id| id.is_whole()) else { return Ok(None) };
        let moment = self.moment();
        let view = Arc::clone(&moment.view);
        let rows = off_the_runtime(move || view.find_ids(id, 1)).await?;
        Ok(self.entries(&moment, &rows).await?.into_iter().flatten().next())
    }

    fn moment(&self) -> Moment {
        let (view, config) = (Arc::clone(&self.view.borrow()), Arc::clone(&self.config.borrow().1));
        let snoozes = Arc::clone(&self.snoozes.borrow());
        Moment { view, config, snoozes, now: self.clock.now() }
    }

    /// Reads what is kept of certificates, with all their labels.
    async fn read(&self, moment: &Moment, rows: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError> {
        let mut kept = self.store.kept(rows).await?;
        kept.iter_mut().flatten().for_each(|kept| moment.config.label(&mut kept.facts));
        Ok(kept)
    }
}

/// Does what takes some milliseconds where it holds nobody up.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CatalogError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| CatalogError::Broken)
}

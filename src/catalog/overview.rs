//! How everything stands, and where one certificate stands on its ladder.

use std::sync::Arc;

use super::{Catalog, CatalogError, Entry, off_the_runtime};
use crate::expiry::{Overview, Rung, Timestamp};

impl Catalog {
    /// Returns how everything stands now.
    pub async fn overview(&self) -> Result<Overview, CatalogError> {
        let moment = self.moment();
        let view = Arc::clone(&moment.view);
        off_the_runtime(move || view.overview(&moment.config.alerts.ladders, moment.now)).await
    }

    /// Returns every rung that a certificate may stand on, loosest first.
    pub fn rungs(&self) -> Vec<Rung> {
        self.moment().config.alerts.ladders.rungs().into_iter().collect()
    }

    /// Returns when a certificate comes to each rung of its ladder, the first first; none where its end is not known.
    pub fn steps(&self, entry: &Entry) -> Vec<(Rung, Timestamp)> {
        let facts = &entry.facts;
        let Some(end) = facts.not_after else { return Vec::new() };
        let lifetime = facts.not_before.and_then(|begin| u32::try_from(end.since(begin)).ok());
        let lifetime = lifetime.filter(|lifetime| *lifetime > 0);
        let config = self.moment().config;
        let ladder =
            config.alerts.ladders.of(&facts.source, &facts.scope, facts.kind, &facts.issuer);
        // Without a start there is no part of the lifetime.
        let is_known = |rung: &Rung| lifetime.is_some() || !matches!(rung, Rung::Share(_));
        let rungs = ladder.rungs().filter(is_known);
        let mut steps: Vec<_> = rungs.map(|rung| (rung, rung.crossing(end, lifetime))).collect();
        steps.sort_by_key(|(rung, at)| (*at, *rung));
        steps
    }

    /// Returns who was told of the open alert about a certificate.
    pub async fn told(&self, entry: &Entry) -> Result<Vec<String>, CatalogError> {
        Ok(self.store.told(&[entry.row]).await?.into_iter().next().unwrap_or_default())
    }
}

//! One certificate as it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Catalog, CatalogError, Moment, off_the_runtime};
use crate::expiry::{Facts, RowId, Rung, Status, Timestamp, View};
use crate::store::Kept;

/// One certificate as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub row: RowId,
    /// What it is.
    pub facts: Facts,
    /// Every name that it covers.
    pub names: Vec<String>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// The tightest rung that it has crossed, if it is one that alerts.
    pub rung: Option<Rung>,
    /// The id of the certificate that took its place.
    pub successor: Option<String>,
    /// The id of the newer certificate that should be served in its place, and is not.
    pub not_deployed: Option<String>,
    /// Until when nothing is said of it.
    pub snoozed_until: Option<Timestamp>,
}

impl Catalog {
    /// Reads what is shown of certificates, in the order asked; `None` for one that has gone meanwhile.
    pub(super) async fn entries(
        &self,
        moment: &Moment,
        rows: &[RowId],
    ) -> Result<Vec<Option<Entry>>, CatalogError> {
        let kept = self.read(moment, rows).await?;
        let found = rows.iter().copied().zip(kept).collect();
        self.dress(moment, found).await
    }

    /// Adds to what is kept of certificates what the columns tell.
    pub(super) async fn dress(
        &self,
        moment: &Moment,
        found: Vec<(RowId, Option<Kept>)>,
    ) -> Result<Vec<Option<Entry>>, CatalogError> {
        let is_superseded = |kept: &Kept| matches!(kept.facts.status, Status::Superseded);
        let superseded = found.iter().any(|(_, kept)| kept.as_ref().is_some_and(is_superseded));
        let (found, successors) = if superseded {
            let view = Arc::clone(&moment.view);
            off_the_runtime(move || {
                let successors = successors(&view, &found);
                (found, successors)
            })
            .await?
        } else {
            (found, BTreeMap::new())
        };
        let entry = |(row, kept): (RowId, Option<Kept>)| {
            let kept = kept?;
            let rung = moment.view.rung(row, &moment.config.alerts.ladders, moment.now);
            Some(Entry {
                row,
                rung,
                snoozed_until: moment.snoozes.until(&kept.facts, rung, moment.now),
                successor: successors.get(&row).and_then(|newer| moment.view.id(*newer)),
                not_deployed: moment.view.undeployed().get(&row).and_then(|it| moment.view.id(*it)),
                ..Entry::plain(row, kept)
            })
        };
        Ok(found.into_iter().map(entry).collect())
    }
}

impl Entry {
    /// Returns what is kept of a certificate without what the columns tell.
    fn plain(row: RowId, kept: Kept) -> Self {
        let Kept { facts, first_seen, names, .. } = kept;
        Self {
            row,
            facts,
            names,
            first_seen,
            rung: None,
            successor: None,
            not_deployed: None,
            snoozed_until: None,
        }
    }
}

/// Returns what took the place of the superseded ones among these: of one holder, or linked by the provider.
fn successors(view: &View, found: &[(RowId, Option<Kept>)]) -> BTreeMap<RowId, RowId> {
    let superseded: Vec<_> = found
        .iter()
        .filter_map(|(row, kept)| Some((*row, kept.as_ref()?)))
        .filter(|(_, kept)| kept.facts.status == Status::Superseded)
        .collect();
    let rows: Vec<RowId> = superseded.iter().map(|(row, _)| *row).collect();
    let mut newer = view.successors(&rows);
    for (row, kept) in superseded {
        let Some(scope) = view.row(row).map(|row| row.scope) else { continue };
        let links = kept.successors.iter();
        let names: Vec<_> =
            links.map(|serial| (scope, kept.facts.issuer.as_str(), serial.as_str())).collect();
        if names.is_empty() {
            continue;
        }
        let last = view
            .find_listed(&names)
            .into_iter()
            .max_by_key(|it| view.row(*it).and_then(|row| row.not_after));
        newer.extend(last.map(|last| (row, last)));
    }
    newer
}

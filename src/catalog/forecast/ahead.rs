//! What will hurt later and comes into sight meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Catalog, CatalogError, Moment, off_the_runtime};
use super::messages::Saying;
use crate::expiry::{
    Cliff, Condition, EndsFirst, Event, Facts, Month, RenewalCounts, RowId, Severity, SumsCache,
    Timestamp, Topic,
};

/// Why it is said.
const REASON: &str = "began";

/// What was said of it and stands, and how many were renewed in months before.
pub(super) struct Before {
    pub(super) conditions: BTreeSet<String>,
    pub(super) renewals: Vec<(String, Month, u64)>,
}

/// What comes into sight, each with the time.
#[derive(Default)]
struct Sight {
    authorities: Vec<(Timestamp, EndsFirst)>,
    cliffs: Vec<(Timestamp, Cliff)>,
}

impl Catalog {
    /// Returns to whom it will be said, and when, if nothing is issued, renewed or removed meanwhile.
    pub(super) async fn ahead_of(
        &self,
        moment: &Moment,
        before: Before,
        span: (Timestamp, Timestamp),
    ) -> Result<Vec<Saying>, CatalogError> {
        let (view, config) = (Arc::clone(&moment.view), Arc::clone(&moment.config));
        let is_watched = move |name: &str| config.sources.iter().any(|source| source.name == name);
        let work = move || sight(&view, &before, is_watched, span);
        let sight = off_the_runtime(work).await?;
        let rows: Vec<RowId> = sight.authorities.iter().map(|(_, it)| it.row).collect();
        let kept = self.read(moment, &rows).await?;
        let authorities = sight.authorities.iter().zip(kept);
        let authorities = authorities.filter_map(|((at, it), kept)| {
            let (facts, leaves): (Facts, u64) = (kept?.facts, it.leaves);
            Some((*at, Topic::EndsFirst { facts, leaves, places: None }))
        });
        let cliffs = sight.cliffs.into_iter().map(|(at, it)| {
            let Cliff { source, month, ending, renewed } = it;
            (at, Topic::FleetCliff { source: source.to_string(), month, ending, renewed })
        });
        let said = authorities.chain(cliffs).flat_map(|(at, topic)| say(moment, at, topic));
        Ok(said.collect())
    }
}

fn say(moment: &Moment, at: Timestamp, topic: Topic) -> Vec<Saying> {
    let event = Event { id: String::new(), at, severity: Severity::Warning, topic };
    Saying::to_all(&moment.config, (None, REASON), &event)
}

/// Returns what comes into sight and was not said yet.
fn sight(
    view: &crate::expiry::View,
    before: &Before,
    is_watched: impl Fn(&str) -> bool,
    (from, until): (Timestamp, Timestamp),
) -> Sight {
    let mut sums = SumsCache::new();
    let seen = view.foresee(sums.refresh(view, from), from);
    let is_new = |condition: &Condition| !before.conditions.contains(&condition.key());
    let mut sight = Sight::default();
    for it in seen.ends_first {
        let [begins, ends] = it.turns();
        let at = begins.max(from);
        let named = view.scopes().find(|(scope, ..)| *scope == it.scope);
        let Some((_, source, scope)) = named.filter(|_| at <= until && at < ends) else { continue };
        let key = (it.signs, it.end.seconds());
        if is_new(&Condition::EndsFirst(source.to_string(), scope.to_string(), key)) {
            sight.authorities.push((at, it));
        }
    }
    let renewals: RenewalCounts = before.renewals.iter().cloned().collect();
    let mut cliffs = renewals.cliffs_until(&seen.ending, (from, until));
    cliffs.retain(|(_, it)| {
        is_watched(&it.source) && is_new(&Condition::Cliff(it.source.to_string(), it.month))
    });
    Sight { cliffs, ..sight }
}

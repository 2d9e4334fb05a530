//! Sources that look at places: what each look means for what is known there, for metrics, readers and alerts.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Pipeline;
use crate::expiry::{Condition, Look, LostPlaces, Part, PlaceState, RowId, ScopeId, Topic};
use crate::scan::Report;
use crate::source::Places;

impl Pipeline {
    /// Takes in what a source found at its places. `listed` is what it saw there.
    pub(super) fn apply_places(
        &mut self,
        source: &Arc<str>,
        scope: ScopeId,
        places: &Places,
        listed: &[RowId],
    ) {
        let states = places.looked.iter().map(|look| look.state);
        let empty = places.globs_without_match.len() as u64;
        self.parts.metrics.places(source, states, empty);
        self.sources.note_problem(source, places.unproven.clone());
        self.sources.keep_places(source, places);
        let listed: HashSet<RowId> = listed.iter().copied().collect();
        let held: BTreeMap<&str, &Look> = places
            .looked
            .iter()
            .filter(|look| self.is_held(scope, look, &listed))
            .map(|look| (look.place.as_str(), look))
            .collect();
        if self.serves(source) {
            return self.apply_endpoints(source, places, &held);
        }
        self.close_places(source, places, &held);
        for look in held.into_values() {
            let (source, place) = (source.to_string(), look.place.clone());
            let condition = Condition::Place(source.clone(), place.clone());
            let error = look.why.clone();
            self.raise(condition, Topic::PlaceUnreadable { source, place, error });
        }
    }

    /// Tells whether a look leaves open what is in the place: it cannot be read, or what is known of it was not found
    /// among what was understood.
    fn is_held(&self, scope: ScopeId, look: &Look, listed: &HashSet<RowId>) -> bool {
        match look.state {
            PlaceState::Read | PlaceState::Missing => false,
            PlaceState::Unreadable => true,
            PlaceState::Broken => {
                self.inventory.at(scope, &look.place).any(|row| !listed.contains(&row))
            }
        }
    }

    /// Ends the conditions of places that can be read again, and without a word those of places that are no more looked
    /// at or not there.
    fn close_places(&mut self, source: &str, places: &Places, held: &BTreeMap<&str, &Look>) {
        for condition in self.checks.of_places(source) {
            let Condition::Place(_, place) = &condition else {
                // The source looked at endpoints before.
                self.end(&condition, None);
                continue;
            };
            if held.contains_key(place.as_str()) {
                continue;
            }
            let folder = format!("{}/", place.trim_end_matches('/'));
            let is_read = |look: &Look| {
                matches!(look.state, PlaceState::Read | PlaceState::Broken)
                    && (look.place == *place || look.place.starts_with(&folder))
            };
            if places.looked.iter().any(is_read) {
                self.clear(&condition);
            } else {
                self.end(&condition, None);
            }
        }
    }

    /// Returns the report of a reading that lost sight of too many places as the failure that it is.
    pub(super) fn judged<'a>(&mut self, part: &Part, report: &'a Report) -> Cow<'a, Report> {
        match self.absence.lost_places(part, &self.inventory) {
            Some(LostPlaces { known, unseen }) if report.error.is_none() => {
                let scope = &report.slice.scope;
                let error = Some(format!(
                    "{scope}: {unseen} of {known} places that hold certificates cannot be read"
                ));
                Cow::Owned(Report { error, ..report.clone() })
            }
            _ => Cow::Borrowed(report),
        }
    }
}

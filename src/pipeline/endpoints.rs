//! Sources that look at endpoints: which cannot be reached, and which serve what clients refuse.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::expiry::text::cut_chars;
use crate::expiry::{Condition, EndpointNews, Invalid, Look, PlaceState, Topic};
use crate::source::Places;

/// The most characters that are kept of what the far side has a part in.
const DETAIL: usize = 500;

/// The last looks, by place.
type Looks<'a> = BTreeMap<&'a str, &'a Look>;

impl Pipeline {
    /// Returns whether what a source sees at its places is what is served there.
    pub(super) fn serves(&self, source: &str) -> bool {
        self.settings.watched.iter().any(|one| one.serves && one.name == source)
    }

    /// Takes in what a source found at its endpoints. `held` are those that leave open what is served there.
    pub(super) fn apply_endpoints(&mut self, source: &str, places: &Places, held: &Looks<'_>) {
        let looks: Looks<'_> =
            places.looked.iter().map(|look| (look.place.as_str(), look)).collect();
        let read = places.looked.iter().map(|look| (&*look.place, look.state == PlaceState::Read));
        self.looked.replace(source, read);
        let clock = self.look_at_clock(self.moment());
        self.report(clock);
        self.close_endpoints(source, &looks, held);
        self.count_failures(source, held);
        if !self.checks.clock_is_trusted() {
            // By a wrong clock everything has expired, or nothing is valid yet: the next look tells.
            return;
        }
        for look in places.looked.iter().filter(|look| was_read(look)) {
            if let Some(invalid) = &look.verdict {
                self.raise_invalid(source, &look.place, invalid);
            }
        }
    }

    /// An endpoint that fails once may be in the middle of a restart: it is reported when it goes on.
    fn count_failures(&mut self, source: &str, held: &Looks<'_>) {
        let now = self.parts.clock.now();
        for look in held.values() {
            let (source, place) = (source.to_owned(), look.place.clone());
            let condition = Condition::Unreachable(source.clone(), place.clone());
            if self.checks.holds(&condition) {
                continue;
            }
            if let Some(since) = self.checks.endpoint_failed(&source, &place, now) {
                let news = EndpointNews::Unreachable { error: cut_chars(&look.why, DETAIL) };
                self.raise_since(condition, Topic::Endpoint { source, place, news }, since);
            }
        }
        self.checks.endpoints_reached(source, |place| !held.contains_key(place));
        for (key, since) in self.checks.take_failing_changes() {
            self.draft.condition(key, since);
        }
    }

    fn raise_invalid(&mut self, source: &str, place: &str, invalid: &Invalid) {
        let (source, place) = (source.to_owned(), place.to_owned());
        let condition = Condition::Invalid(source.clone(), place.clone(), invalid.reason);
        let detail = cut_chars(&invalid.detail, DETAIL);
        let news = EndpointNews::Invalid(Invalid { reason: invalid.reason, detail });
        self.raise(condition, Topic::Endpoint { source, place, news });
    }

    /// Ends what does not hold any more, and without a word what is no more looked at or not there. One that could not be
    /// read stays as it was.
    fn close_endpoints(&mut self, source: &str, looks: &Looks<'_>, held: &Looks<'_>) {
        for condition in self.checks.of_places(source) {
            match &condition {
                Condition::Unreachable(_, place) if !held.contains_key(place.as_str()) => {
                    if looks.get(place.as_str()).is_some_and(|look| was_read(look)) {
                        self.clear(&condition);
                    } else {
                        self.end(&condition, None);
                    }
                }
                Condition::Invalid(_, place, reason) => {
                    let look = looks.get(place.as_str());
                    let verdict = look.and_then(|look| look.verdict.as_ref());
                    let same = verdict.is_some_and(|invalid| invalid.reason == *reason);
                    let is_read = look.is_none_or(|look| look.state != PlaceState::Unreadable);
                    // By a wrong clock nothing is in order again.
                    if !same && is_read && (look.is_none() || self.checks.clock_is_trusted()) {
                        self.end(&condition, None);
                    }
                }
                // The source looked at files before.
                Condition::Place(..) => self.end(&condition, None),
                _ => {}
            }
        }
    }
}

const fn was_read(look: &Look) -> bool {
    matches!(look.state, PlaceState::Read | PlaceState::Broken)
}

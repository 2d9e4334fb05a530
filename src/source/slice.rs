//! What of a source is read at a time, and what comes back.

use std::sync::Arc;

use crate::expiry::{
    Coverage, Invalid, Kind, Look, PlaceState, Rejected, Sightings, Span, Timestamp,
};

/// Something to be found again after a restart: its key, and what is kept under it; `None` forgets.
pub type Checkpoint = (String, Option<String>);

/// Which certificates a scan is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// Those that ended a little while ago or end soon; both bounds are inclusive.
    Near {
        /// The earliest end.
        from: Timestamp,
        /// The latest end.
        to: Timestamp,
    },
    /// Every certificate.
    All,
}

impl Window {
    /// Returns the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Near { .. } => "near",
            Self::All => "all",
        }
    }
}

/// A part of a source that is read by itself and proven by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The scope that its certificates belong to.
    pub scope: Arc<str>,
    /// The kind of certificate it holds, where the provider lists kinds apart; `None`: any kind.
    ///
    /// Only certificates of this kind can be missing from the slice.
    pub kind: Option<Kind>,
    /// What the poll is about that it is read for.
    pub window: Window,
    /// The ends it covers, both included; `None`: every certificate, whether it has an end or not.
    pub within: Option<Span>,
    /// Whether the provider can be asked for the certificates that end within a span, so that the slice can be cut.
    pub cuttable: bool,
    /// Rows that one response may hold at most.
    pub limit: u64,
    /// Rows by which two pages overlap, so that rows deleted in between are not skipped; 0 when the provider
    /// answers everything at once.
    pub overlap: u64,
    /// How much of it a reading shows.
    pub coverage: Coverage,
}

impl Slice {
    /// Returns everything of a scope, whatever its kind and its end, which no filter can cut.
    pub fn whole(scope: &Arc<str>, window: Window, limit: u64, overlap: u64) -> Self {
        let scope = Arc::clone(scope);
        Self {
            scope,
            kind: None,
            window,
            within: None,
            cuttable: false,
            limit,
            overlap,
            coverage: Coverage::Whole,
        }
    }

    /// Returns the part of it whose certificates end within `span`.
    #[must_use]
    pub fn part(&self, span: Span) -> Self {
        Self { within: Some(span), ..self.clone() }
    }
}

/// One response.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The certificates in it.
    pub sightings: Sightings,
    /// Rows that could not be understood.
    pub rejected: Vec<Rejected>,
    /// A digest of the identity of every listed row, rejected ones included, in the order received.
    ///
    /// For most providers a row is a certificate. For EnOS, which lists devices, it is a device.
    pub rows: Vec<u64>,
    /// The provider's total for the slice, as this response states it.
    pub total: u64,
    /// Those of them without an end, so that no filter by time finds them.
    pub undated: Vec<u64>,
    /// Digests of the identity of those certificates whose state is a word that we do not know: what is known of it
    /// stays, and only a new one is taken for active.
    pub unknown_status: Vec<u64>,
    /// What the source wants to find again, once the page is saved.
    pub checkpoints: Vec<Checkpoint>,
    /// Of a source that looks at places: what it found at each. Such a source answers with all of them in one page.
    pub places: Option<Places>,
}

/// What a source that looks at places found there.
///
/// Each place is proven by itself: one that was not seen keeps what is known of it, and hides nothing elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Every place that was looked at, in order.
    pub looked: Vec<Look>,
    /// Patterns of places that match none.
    pub globs_without_match: Vec<String>,
    /// Why nothing at all can be told about absence, if so.
    pub unproven: Option<String>,
}

impl Places {
    /// Returns what is wrong with places or with what they serve, one line for each, in the order of the places.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.looked.iter().filter_map(problem)
    }

    /// Returns how the addresses behind places differ, one line for each place where nothing is wrong with any of them.
    pub fn differing(&self) -> impl Iterator<Item = String> {
        let line =
            |look: &Look| look.shares.as_ref().map(|shares| format!("{}: {shares}", look.place));
        self.looked.iter().filter_map(line)
    }
}

fn problem(look: &Look) -> Option<String> {
    let place = &look.place;
    match &look.verdict {
        _ if look.state != PlaceState::Read => Some(format!("{place}: {}", look.why)),
        Some(Invalid { reason, detail }) => Some(format!("{place}: {}: {detail}", reason.as_str())),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::InvalidReason;

    #[test]
    fn what_is_served_and_refused_is_a_problem_of_its_place() {
        let look = |place: &str, state, verdict| {
            let (place, why) = (place.to_owned(), "connection refused".to_owned());
            Look { verdict, ..Look::of(place, state, why) }
        };
        let detail = "it names b.test".to_owned();
        let refused = Some(Invalid { reason: InvalidReason::NameMismatch, detail });
        let looked = vec![
            look("a:443/a", PlaceState::Read, None),
            look("b:443/a", PlaceState::Read, refused),
            look("c:443/a", PlaceState::Unreadable, None),
        ];
        let places = Places { looked, ..Places::default() };
        let problems: Vec<String> = places.problems().collect();
        let expected = ["b:443/a: name_mismatch: it names b.test", "c:443/a: connection refused"];
        assert_eq!(problems, expected);
    }
}

//! One scan into memory, for commands that keep nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::event::{Feed, ScanEvent};
use super::{Poll, scan};
use crate::client::concurrency;
use crate::clock::Clock;
use crate::expiry::{Fingerprint, Kind, Rejected, Sighting};
use crate::source::{Places, Source, Window};

/// Everything that one scan saw.
#[derive(Debug, Default)]
pub struct Collected {
    /// The certificates, each once, with their scopes.
    pub sightings: Vec<(Arc<str>, Sighting)>,
    /// Rows that could not be understood.
    pub rejected: Vec<Rejected>,
    /// Whether every slice was proven.
    pub proven: bool,
    /// What kept slices from being proven, in words.
    pub problems: Vec<String>,
    /// What was found at the places of a source that looks at places.
    pub places: Option<Places>,
}

/// Scans the whole of `source`, reporting to `progress` the rows read and the provider's total so far. When nothing could
/// be read, the error is why.
pub async fn collect(
    source: &dyn Source,
    clock: &dyn Clock,
    mut progress: impl FnMut(u64, u64),
) -> Result<Collected, String> {
    let (sender, mut events) = mpsc::channel(concurrency::LEAST);
    let nothing_known = watch::channel(Arc::default()).1;
    let feed = Feed::new(Arc::from(""), sender, nothing_known);
    let mut gathered = Gathered::default();
    let reading = async {
        let poll = scan(source, Window::All, &feed, clock).await;
        drop(feed);
        poll
    };
    let gathering = async {
        while let Some((_, event)) = events.recv().await {
            gathered.apply(event);
            progress(gathered.read, gathered.total());
        }
    };
    let (poll, ()) = tokio::join!(reading, gathering);
    gathered.finish(poll)
}

/// Scope, place, issuer, serial, and the fingerprint where a place needs it.
type Identity = (Arc<str>, String, String, String, Option<Fingerprint>);

#[derive(Default)]
struct Gathered {
    collected: Collected,
    positions: HashMap<Identity, usize>,
    totals: BTreeMap<(Arc<str>, Option<Kind>), u64>,
    read: u64,
}

impl Gathered {
    fn apply(&mut self, event: ScanEvent) {
        match event {
            ScanEvent::Page { slice, page, .. } => {
                // Pages of windows count their window; the first page counts everything.
                let total = self.totals.entry((Arc::clone(&slice.scope), slice.kind)).or_default();
                *total = page.total.max(*total);
                self.collected.rejected.extend(page.rejected);
                self.collected.places = page.places.or(self.collected.places.take());
                for sighting in page.sightings.owned() {
                    self.keep(&slice.scope, sighting);
                }
                self.read = self.collected.sightings.len() as u64;
            }
            ScanEvent::End { report } => self.collected.problems.extend(report.problem()),
            // Nothing is known before, so that nothing is missing.
            ScanEvent::Covered { missing, .. } => drop(missing.send(Vec::new())),
            ScanEvent::Listed { .. }
            | ScanEvent::ScopesAsked { .. }
            | ScanEvent::Planned { .. }
            | ScanEvent::Begin { .. }
            | ScanEvent::Checkpoint { .. }
            | ScanEvent::Asked { .. }
            | ScanEvent::MaybeReplaced { .. }
            | ScanEvent::Bound { .. }
            | ScanEvent::Polled { .. } => {}
        }
    }

    fn keep(&mut self, scope: &Arc<str>, sighting: Sighting) {
        let (place, issuer, serial) =
            (sighting.place.clone(), sighting.issuer.clone(), sighting.serial.clone());
        let fingerprint = sighting.fingerprint.filter(|_| sighting.collides);
        let key = (Arc::clone(scope), place, issuer, serial, fingerprint);
        let position = *self.positions.entry(key).or_insert(self.collected.sightings.len());
        match self.collected.sightings.get_mut(position) {
            Some(slot) => slot.1 = sighting,
            None => self.collected.sightings.push((Arc::clone(scope), sighting)),
        }
    }

    fn total(&self) -> u64 {
        self.totals.values().sum()
    }

    fn finish(mut self, poll: Poll) -> Result<Collected, String> {
        self.collected.proven = poll.proven;
        match poll.error {
            Some(error) if self.collected.sightings.is_empty() => Err(error),
            _ => Ok(self.collected),
        }
    }
}

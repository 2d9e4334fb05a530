//! Pages become a scan, with its proof.
//!
//! A page is handed on as soon as it arrives: presence is believed at once. Whether the slice was read whole is
//! reported at its end, and only that decides about absence.
//!
//! Reading order: `event` (what a scan reports), `page_reader` (a list read page by page), `proof` (when a reading is
//! proven: every rule of it), `ranges` (a slice that is cut by the ends of its certificates), `checkpoint` (what is found
//! again after a restart), `confirm` (whether what is missing is gone), `bound` (where what may be replaced is
//! in use), `collect` (one scan into memory).

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::clock::Clock;
use crate::expiry::Timestamp;
use crate::source::{Slice, Source, SourceError, Window};

mod event;
mod page_reader;
mod proof;
mod confirm;
mod bound;
mod ranges;
mod checkpoint;
mod collect;

pub use collect::{Collected, collect};
pub use event::{Candidate, Feed, ScanEvent};
pub use proof::{Reading, Report};

/// Slices that are read side by side. The limiter, not this, decides how fast.
const SIDE_BY_SIDE: usize = 4;

/// The state of one source as the pipeline keeps it for readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether the last poll got its answers; unknown before the first.
    pub up: Option<bool>,
    /// When the last poll began.
    pub last_attempt: Option<Timestamp>,
    /// What went wrong in the last poll. Never a secret.
    pub last_error: Option<String>,
    /// The first places of it that cannot be read, are broken or are not there, by name, each with the reason.
    pub problems: Vec<String>,
    /// The first places of which the addresses serve different certificates, all of them good, and which.
    pub differing: Vec<String>,
    /// The last scan of each scope and window.
    pub scans: Vec<ScanStatus>,
}

/// How the last scan of one scope and window of a source ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanStatus {
    /// The scope.
    pub scope: String,
    /// `near` or `all`.
    pub window: String,
    /// When the last proven scan ended.
    pub last_proven: Option<Timestamp>,
    /// The provider's total.
    pub reported: Option<u64>,
    /// Distinct certificates that were read.
    pub collected: Option<u64>,
    /// Certificates that the provider counted and did not list, or that are known and were not listed.
    pub missing: Option<u64>,
}

/// When the windows of a source were last read, from before a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRead {
    /// The near window.
    pub near: Option<Timestamp>,
    /// Everything.
    pub all: Option<Timestamp>,
}

/// Reads `window` of `source`, every slice of it, and reports to `feed` as it goes.
pub async fn scan(source: &dyn Source, window: Window, feed: &Feed, clock: &dyn Clock) -> Poll {
    let started = clock.now();
    let mut poll = match source.slices(window).await {
        Ok(slices) => {
            confirm::confirm_unlisted(source, &slices, feed).await;
            read_all(source, window, slices, feed, clock).await
        }
        Err(error) => {
            let down = !error.needs_a_person();
            Poll { proven: false, error: Some(error.to_string()), down }
        }
    };
    let event = ScanEvent::Polled {
        window,
        started,
        ended: clock.now(),
        proven: poll.proven,
        error: poll.error.clone(),
        offset: source.clock_offset(),
    };
    poll.proven &= feed.give(event).await.is_ok();
    bound::ask(source, feed).await;
    poll
}

/// How a whole poll went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Whether every slice was proven.
    pub proven: bool,
    /// The first error, if any.
    pub error: Option<String>,
    /// Whether nothing could be read, for a reason that may pass by itself.
    pub down: bool,
}

async fn read_all(
    source: &dyn Source,
    window: Window,
    slices: Vec<Slice>,
    feed: &Feed,
    clock: &dyn Clock,
) -> Poll {
    let slices: Vec<_> = slices.into_iter().map(Arc::new).collect();
    let mut poll = Poll { proven: true, error: None, down: !slices.is_empty() };
    poll.proven &= feed.give(ScanEvent::Planned { window, slices: slices.clone() }).await.is_ok();
    let mut waiting = slices.into_iter();
    let mut reading = FuturesUnordered::new();
    loop {
        while reading.len() < SIDE_BY_SIDE
            && let Some(slice) = waiting.next()
        {
            reading.push(read_one(source, slice, feed, clock));
        }
        let Some(one) = reading.next().await else { return poll };
        poll.proven &= one.proven;
        poll.down &= one.down;
        poll.error = poll.error.or(one.error);
    }
}

async fn read_one(source: &dyn Source, slice: Arc<Slice>, feed: &Feed, clock: &dyn Clock) -> Poll {
    let started = clock.now();
    let (reading, error) = match read(source, &slice, feed, clock).await {
        Ok(reading) => (reading, None),
        Err(error) => (Reading::default(), Some(error)),
    };
    let down = error.as_ref().is_some_and(|error| !error.needs_a_person());
    let error = error.map(|error| format!("{}: {error}", slice.scope));
    let report = Report { slice, started, ended: clock.now(), reading, error: error.clone() };
    let proven = report.proven();
    let taken = feed.give(ScanEvent::End { report }).await.is_ok();
    Poll { proven: proven && taken, error, down }
}

/// Reads a slice in the way that suits it.
async fn read(
    source: &dyn Source,
    slice: &Arc<Slice>,
    feed: &Feed,
    clock: &dyn Clock,
) -> Result<Reading, SourceError> {
    let ranges = ranges::Ranges::new(source, slice, feed, clock);
    if slice.cuttable { ranges.read().await } else { ranges.as_one(page_reader::READINGS).await }
}

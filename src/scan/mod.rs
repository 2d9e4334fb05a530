//! Pages become a scan, with its proof.
//!
//! A page is handed on as soon as it arrives: presence is believed at once. Whether the slice was read whole is
//! said at its end, and only that says anything about absence.
//!
//! Reading order: `page_reader` (a list read as one, and its proof), `windows` (a slice that can be cut), `planner` and `split`
//! (which window is next, and where it is cut), `fetch` (how its parts are read), `undated` (what has no
//! notAfter), `checkpoint` (what is found again after a restart), `confirm` (whether what is missing is gone).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};

use crate::client::ClockOffset;
use crate::clock::Clock;
use crate::expiry::{RowId, Timestamp, View};
use crate::source::{Checkpoint, Page, Slice, Source, SourceError, Window};

mod confirm;
mod collect;
mod page_reader;
mod windows;
mod planner;
mod split;
mod fetch;
mod undated;
mod checkpoint;

pub use crate::expiry::Ends;
pub use checkpoint::Checkpoints;
pub use collect::{Collected, collect};
pub use page_reader::Reading;

/// Slices that are read side by side. The limiter, not this, decides how fast.
const SIDE_BY_SIDE: usize = 4;

/// What a scan tells: what the provider lists, its plan, and for each slice in this order: begin, pages, what was
/// covered, end. A rescan begins again; a slice that is read by windows has pages and covers by turns.
#[derive(Debug)]
pub enum ScanEvent {
    /// The provider's list of scopes was read.
    Listed {
        /// The scopes in it.
        scopes: BTreeSet<Arc<str>>,
        /// Where the answer goes: one certificate of each scope that is known and was not listed.
        unlisted: oneshot::Sender<Vec<(Arc<str>, Candidate)>>,
    },
    /// What the provider says of the scopes that it did not list.
    ScopesAsked {
        /// Those that are not there.
        absent: Vec<Arc<str>>,
    },
    /// A poll begins, and these slices will be read. Until all of them are, nothing is proven about their scopes.
    Planned {
        /// What is read.
        window: Window,
        /// Its slices.
        slices: Vec<Arc<Slice>>,
    },
    /// A reading of the slice begins; what an earlier reading of it saw counts no more.
    Begin {
        /// The slice.
        slice: Arc<Slice>,
    },
    /// A page of it.
    Page {
        /// The slice.
        slice: Arc<Slice>,
        /// The page.
        page: Page,
    },
    /// These ends of the slice were read whole since it began.
    Covered {
        /// The slice.
        slice: Arc<Slice>,
        /// The part of it.
        ends: Ends,
        /// Where the answer goes: certificates in it that were not listed and may be gone.
        missing: oneshot::Sender<Vec<Candidate>>,
    },
    /// What the provider says of the missing ones, asked one by one.
    Asked {
        /// The slice that they were missing from.
        slice: Arc<Slice>,
        /// Those that are not there, and those that the provider cannot be asked about.
        absent: Vec<RowId>,
        /// Those that are there after all.
        present: Vec<RowId>,
        /// Those that could not be asked about this time.
        unasked: Vec<RowId>,
    },
    /// Something that the scan wants to find again after a restart: saved with or after every page before it, never
    /// earlier.
    Checkpoint {
        /// The scope that it is about. Forgetting the scope forgets it.
        scope: Arc<str>,
        /// What is noted, by key; `None` forgets.
        notes: Vec<Checkpoint>,
    },
    /// The slice is done.
    End {
        /// How it went.
        report: Report,
    },
    /// The whole poll is done.
    Polled {
        /// What was read.
        window: Window,
        /// When it began.
        started: Timestamp,
        /// When it ended.
        ended: Timestamp,
        /// Whether every slice was proven.
        proven: bool,
        /// The first error, if any.
        error: Option<String>,
        /// What the provider's last answer showed of its clock.
        offset: Option<ClockOffset>,
    },
}

/// How the scan of one slice went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The slice.
    pub slice: Arc<Slice>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What was read.
    pub reading: Reading,
    /// Why it broke off, if it did. Never a secret.
    pub error: Option<String>,
}

impl Report {
    /// Returns whether the proof holds, so that what was not listed is not there.
    pub const fn proven(&self) -> bool {
        self.error.is_none() && self.reading.proven()
    }

    /// Returns what keeps the proof from holding, in words; `None` when it holds.
    pub fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        let Reading { distinct, last_total, unknown, .. } = self.reading;
        let scope = &self.slice.scope;
        if self.proven() {
            None
        } else if unknown > 0 {
            Some(format!("{scope}: {unknown} of {last_total} rows could not be understood"))
        } else if self.reading.outside > 0 {
            Some(format!(
                "{scope}: the provider lists certificates that end at other times than asked for"
            ))
        } else {
            Some(format!(
                "{scope}: {distinct} of {last_total} rows after three readings that do not add up; \
                 the list changes faster than it can be read, or its total is wrong"
            ))
        }
    }
}

/// A certificate that a proven scan did not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub row: RowId,
    /// Its serial, to ask for it.
    pub serial: String,
}

/// What a scan is connected to, with the name of the source it reads.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The source.
    pub source: Arc<str>,
    /// Where events go: the pipeline.
    pub events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    /// What readers see. Slices are cut by it; where it is behind, that costs requests and nothing else.
    pub view: watch::Receiver<Arc<View>>,
    /// How far readings have come that are not at their end.
    pub checkpoints: Checkpoints,
}

impl Feed {
    /// Connects a source's scans to the pipeline and to what it publishes.
    pub fn new(
        source: Arc<str>,
        events: mpsc::Sender<(Arc<str>, ScanEvent)>,
        view: watch::Receiver<Arc<View>>,
    ) -> Self {
        Self { source, events, view, checkpoints: Checkpoints::default() }
    }

    /// Hands on one event, waiting while the pipeline is busy. False when nobody listens any more.
    pub(crate) async fn give(&self, event: ScanEvent) -> bool {
        self.events.send((Arc::clone(&self.source), event)).await.is_ok()
    }
}

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

/// Reads `window` of `source`, every slice of it, and tells `feed` as it goes.
pub async fn scan(source: &dyn Source, window: Window, feed: &Feed, clock: &dyn Clock) -> Poll {
    let started = clock.now();
    let mut poll = match source.slices(window).await {
        Ok(slices) => {
            confirm::confirm_unlisted(source, &slices, feed).await;
            read_all(source, window, slices, feed, clock).await
        }
        Err(error) => Poll { proven: false, error: Some(error.to_string()) },
    };
    let event = ScanEvent::Polled {
        window,
        started,
        ended: clock.now(),
        proven: poll.proven,
        error: poll.error.clone(),
        offset: source.clock_offset(),
    };
    poll.proven &= feed.give(event).await;
    poll
}

/// How a whole poll went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Whether every slice was proven.
    pub proven: bool,
    /// The first error, if any.
    pub error: Option<String>,
}

async fn read_all(
    source: &dyn Source,
    window: Window,
    slices: Vec<Slice>,
    feed: &Feed,
    clock: &dyn Clock,
) -> Poll {
    let slices: Vec<_> = slices.into_iter().map(Arc::new).collect();
    let mut poll = Poll { proven: true, error: None };
    poll.proven &= feed.give(ScanEvent::Planned { window, slices: slices.clone() }).await;
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
        poll.error = poll.error.or(one.error);
    }
}

async fn read_one(source: &dyn Source, slice: Arc<Slice>, feed: &Feed, clock: &dyn Clock) -> Poll {
    let started = clock.now();
    let (reading, error) = match read(source, &slice, feed, clock).await {
        Ok(reading) => (reading, None),
        Err(error) => (Reading::default(), Some(format!("{}: {error}", slice.scope))),
    };
    let report = Report { slice, started, ended: clock.now(), reading, error: error.clone() };
    let proven = report.proven();
    let heard = feed.give(ScanEvent::End { report }).await;
    Poll { proven: proven && heard, error }
}

/// Reads a slice in the way that suits it.
async fn read(
    source: &dyn Source,
    slice: &Arc<Slice>,
    feed: &Feed,
    clock: &dyn Clock,
) -> Result<Reading, SourceError> {
    let pages = page_reader::Pages::of(source);
    let sizes = windows::SIZES;
    let windows = windows::Windows { source, pages, slice, feed, clock, sizes };
    if slice.cuttable { windows.read().await } else { windows.as_one(page_reader::READINGS).await }
}

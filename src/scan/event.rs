//! What a scan reports, and where to.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoint::Unfinished;
use super::proof::Report;
use crate::client::ClockOffset;
use crate::expiry::{Bound, Ends, RowId, Timestamp, View};
use crate::source::{Checkpoint, Page, Slice, Source, SourceError, Window};

/// What a scan reports: what the provider lists, its plan, and for each slice in this order: begin, pages, what was
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
    /// What the provider answered for the scopes that it did not list.
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
        /// What the answer showed of the provider's clock: certificates are judged before the poll ends.
        offset: Option<ClockOffset>,
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
    /// What the provider answered for the missing ones, asked one by one.
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
    /// What the scan or its source wants to find again after a restart: saved with or after every page before it, never
    /// earlier.
    Checkpoint {
        /// The scope that it is about. Forgetting the scope forgets it.
        scope: Arc<str>,
        /// By key; `None` forgets.
        checkpoints: Vec<Checkpoint>,
    },
    /// The slice is done.
    End {
        /// How it went.
        report: Report,
    },
    /// The poll is done, and the provider can say where it uses a certificate.
    MaybeReplaced {
        /// Where the answer goes: certificates that end soon and that another one may have replaced.
        asked: oneshot::Sender<Vec<Candidate>>,
    },
    /// What the provider said of where it uses them.
    Bound {
        /// By certificate.
        answers: Vec<(RowId, Bound)>,
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

/// A certificate that a proven scan did not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub row: RowId,
    /// Its issuer, to tell it from another with its serial.
    pub issuer: String,
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
    pub unfinished: Unfinished,
}

impl Feed {
    /// Connects a source's scans to the pipeline and to what it publishes.
    pub fn new(
        source: Arc<str>,
        events: mpsc::Sender<(Arc<str>, ScanEvent)>,
        view: watch::Receiver<Arc<View>>,
    ) -> Self {
        Self { source, events, view, unfinished: Unfinished::default() }
    }

    /// Hands on one event, waiting while the pipeline is busy. An error when nobody listens any more.
    pub(crate) async fn give(&self, event: ScanEvent) -> Result<(), SourceError> {
        self.events.send((Arc::clone(&self.source), event)).await.map_err(|_| stopped())
    }

    /// Has checkpoints saved, and goes by them from now on.
    pub(super) async fn keep(
        &self,
        source: &dyn Source,
        scope: &Arc<str>,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<(), SourceError> {
        if checkpoints.is_empty() {
            return Ok(());
        }
        self.restore(source, scope, &checkpoints);
        self.give(ScanEvent::Checkpoint { scope: Arc::clone(scope), checkpoints }).await
    }

    /// Takes checkpoints in, as they are written and after a restart. Each is understood by who wrote it: progress of a
    /// reading by the scan, all others by the source.
    pub fn restore(&self, source: &dyn Source, scope: &Arc<str>, checkpoints: &[Checkpoint]) {
        self.unfinished.restore(scope, checkpoints);
        source.restore(scope, checkpoints);
    }
}

/// Why a scan breaks off when nobody takes its events any more.
pub(super) fn stopped() -> SourceError {
    SourceError::Unavailable("the daemon is stopping".to_owned())
}

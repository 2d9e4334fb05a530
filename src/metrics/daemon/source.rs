//! What one source does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{Histogram, IntCounter, IntCounterVec, Opts, Registry};

use super::{SourceSetup, counters};
use crate::client::{Action, Outcome};
use crate::expiry::{PlaceState, Reason, Timestamp};

/// The counts of one source.
pub(super) struct Source {
    pub(super) kind: String,
    pub(super) registry: Registry,
    requests: Mutex<BTreeMap<Action, IntCounterVec>>,
    durations: Histogram,
    rejected: IntCounterVec,
    skipped: IntCounter,
    known: Mutex<Known>,
}

/// What is known of a source so far. Unknown is never zero.
#[derive(Default)]
pub(super) struct Known {
    pub(super) up: Option<bool>,
    pub(super) attempt: Option<Timestamp>,
    pub(super) success: Option<Timestamp>,
    pub(super) clock_offset: Option<i64>,
    pub(super) places: Option<BTreeMap<PlaceState, u64>>,
    pub(super) globs_without_match: Option<u64>,
    pub(super) intervals: BTreeMap<String, f64>,
    pub(super) durations: BTreeMap<String, f64>,
    pub(super) scopes: BTreeMap<String, Scope>,
}

/// What is known of one scope.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) windows: BTreeMap<String, Window>,
    pub(super) added: u64,
    pub(super) gone: u64,
    pub(super) renewed: u64,
    /// Known only of sources that look at endpoints.
    pub(super) not_deployed: Option<u64>,
}

/// The result of the last scans of one window.
#[derive(Default)]
pub(super) struct Window {
    pub(super) proven: Option<Timestamp>,
    pub(super) reported: Option<u64>,
    pub(super) collected: Option<u64>,
    pub(super) missing: Option<u64>,
}

impl Source {
    pub(super) fn new(setup: &SourceSetup) -> Self {
        let registry = counters::registry("source", &setup.name);
        let rejected = counters::counters(
            &registry,
            Opts::new("source_rejected_rows_total", "Rows that could not be understood."),
            "reason",
            Reason::ALL.map(Reason::as_str),
        );
        let durations = counters::histogram(
            &registry,
            "source_request_duration_seconds",
            "Seconds that requests to the provider took.",
        );
        let skipped = counters::counter(
            &registry,
            "source_skipped_ticks_total",
            "Times that a scan was due while the one before was still running.",
        );
        let source = Self {
            kind: setup.kind.clone(),
            registry,
            requests: Mutex::default(),
            durations,
            rejected,
            skipped,
            known: Mutex::default(),
        };
        for action in setup.actions {
            source.outcomes(*action);
        }
        if let Some(scope) = setup.fixed_scope {
            source.scope(scope, |_| ());
        }
        source
    }

    pub(super) fn request(&self, action: Action, outcome: Outcome, seconds: f64) {
        self.outcomes(action).with_label_values(&[outcome.as_str()]).inc();
        self.durations.observe(seconds);
    }

    pub(super) fn rejected(&self, reason: Reason, count: u64) {
        self.rejected.with_label_values(&[reason.as_str()]).inc_by(count);
    }

    pub(super) fn skipped(&self) {
        self.skipped.inc();
    }

    /// Returns the requests of each action by how they ended, but for those that never happened.
    pub(super) fn requests(&self) -> Vec<(&'static str, Vec<(Outcome, u64)>)> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |counters: &IntCounterVec| {
            let count = |outcome: Outcome| counters.with_label_values(&[outcome.as_str()]).get();
            let counts = Outcome::ALL.into_iter().map(|outcome| (outcome, count(outcome)));
            counts.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        let all = requests.iter().map(|(action, counters)| (action.as_str(), ended(counters)));
        all.filter(|(_, ended)| !ended.is_empty()).collect()
    }

    /// Returns the rows that could not be understood, by reason, but for those that never happened.
    pub(super) fn rejections(&self) -> Vec<(Reason, u64)> {
        let count = |reason: Reason| self.rejected.with_label_values(&[reason.as_str()]).get();
        let counts = Reason::ALL.into_iter().map(|reason| (reason, count(reason)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn skips(&self) -> u64 {
        self.skipped.get()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scope(&self, scope: &str, count: impl FnOnce(&mut Scope)) {
        count(self.lock().scopes.entry(scope.to_owned()).or_default());
    }

    pub(super) fn window(&self, scope: &str, window: &str, count: impl FnOnce(&mut Window)) {
        self.scope(scope, |scope| count(scope.windows.entry(window.to_owned()).or_default()));
    }

    fn outcomes(&self, action: Action) -> IntCounterVec {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = requests.entry(action).or_insert_with(|| {
            let help = "Requests to the provider, by how they ended.";
            let opts =
                Opts::new("source_requests_total", help).const_label("action", action.as_str());
            counters::counters(&self.registry, opts, "outcome", Outcome::ALL.map(Outcome::as_str))
        });
        counters.clone()
    }
}

impl Scope {
    /// Returns the result of the whole scope's last scan; until there was one, that of the near window's.
    ///
    /// The two are never mixed: a total that jumps between them would look like a loss.
    pub(super) fn total(&self, part: impl Fn(&Window) -> Option<u64>) -> Option<u64> {
        let whole = self.windows.get("all").and_then(&part);
        whole.or_else(|| self.windows.values().find_map(&part))
    }

    /// Returns the worst of what the windows' last scans missed.
    pub(super) fn missing(&self) -> Option<u64> {
        self.windows.values().filter_map(|window| window.missing).max()
    }
}

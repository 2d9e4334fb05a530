//! What was asked, how often, and when. Secrets and bodies are not kept.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::Service;

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    pub service: Service,
    pub action: String,
    /// The instance or device it was about; empty when it was about none.
    pub scope: String,
    /// `ok`, or the error code or fault that was answered.
    pub outcome: String,
    /// Since the simulator's start.
    pub at: Duration,
}

/// What was asked, and when.
pub struct Log {
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: VecDeque<Entry>,
    /// Arrivals in microseconds since the start, by limit: account, region and action.
    arrivals: HashMap<Budget, Vec<u64>>,
    outcomes: HashMap<(Service, String), u64>,
    limits: HashMap<(Service, String), u64>,
    refused: HashMap<(Service, String), u64>,
}

/// What a rate limit counts together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub service: Service,
    pub action: String,
    pub account: String,
    pub region: String,
}

const LAST: usize = 1000;
const SECOND: u64 = 1_000_000;

impl Log {
    /// Returns an empty log.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), kept: Mutex::default() }
    }

    /// Returns how many requests for an action arrived.
    pub fn count(&self, service: Service, action: &str) -> u64 {
        self.of_action(service, action, |arrivals| arrivals.len() as u64).into_iter().sum()
    }

    /// Returns how many requests were answered with an outcome: `ok`, an error code, a fault.
    pub fn outcome_count(&self, service: Service, outcome: &str) -> u64 {
        self.lock().outcomes.get(&(service, outcome.to_owned())).copied().unwrap_or(0)
    }

    /// Returns the last requests, oldest first.
    pub fn last(&self) -> Vec<Entry> {
        self.lock().last.iter().cloned().collect()
    }

    /// Returns when the requests for an action arrived, per account and region, since the start.
    pub fn arrivals(&self, service: Service, action: &str) -> Vec<Vec<Duration>> {
        self.of_action(service, action, |arrivals| {
            arrivals.iter().map(|at| Duration::from_micros(*at)).collect()
        })
    }

    /// Returns the most requests for an action that one account made to one region in any span of a second.
    pub fn max_requests_in_any_second(&self, service: Service, action: &str) -> usize {
        let busiest = self.of_action(service, action, |arrivals| {
            let spans = arrivals.iter().enumerate().map(|(last, at)| {
                last + 1 - arrivals.partition_point(|first| first + SECOND <= *at)
            });
            spans.max().unwrap_or(0)
        });
        busiest.into_iter().max().unwrap_or(0)
    }

    /// Returns how many requests for an action were refused because they came above its limit.
    pub fn refused(&self, service: Service, action: &str) -> u64 {
        self.lock().refused.get(&(service, action.to_owned())).copied().unwrap_or(0)
    }

    /// Sets how many requests for an action one account may make to one region in any second.
    pub fn limit(&self, service: Service, action: &str, per_second: u64) {
        self.lock().limits.insert((service, action.to_owned()), per_second);
    }

    /// Forgets what was asked. Limits stay.
    pub fn clear(&self) {
        let mut kept = self.lock();
        let limits = std::mem::take(&mut kept.limits);
        *kept = Kept { limits, ..Kept::default() };
    }

    /// Notes an arrival, and returns whether it is within the limit of its action.
    pub(super) fn arrive(&self, budget: Budget) -> bool {
        let now = self.started.elapsed().as_micros() as u64;
        let mut kept = self.lock();
        let key = (budget.service, budget.action.clone());
        let limit = kept.limits.get(&key).copied();
        let arrivals = kept.arrivals.entry(budget).or_default();
        arrivals.push(now);
        let in_last_second = arrivals.len() - arrivals.partition_point(|at| at + SECOND <= now);
        let is_within = limit.is_none_or(|limit| in_last_second as u64 <= limit);
        if !is_within {
            *kept.refused.entry(key).or_default() += 1;
        }
        is_within
    }

    pub(super) fn answer(&self, service: Service, action: &str, scope: &str, outcome: &str) {
        let at = self.started.elapsed();
        let mut kept = self.lock();
        *kept.outcomes.entry((service, outcome.to_owned())).or_default() += 1;
        if kept.last.len() == LAST {
            kept.last.pop_front();
        }
        let (action, scope, outcome) = (action.to_owned(), scope.to_owned(), outcome.to_owned());
        kept.last.push_back(Entry { service, action, scope, outcome, at });
    }

    fn of_action<T>(&self, service: Service, action: &str, of: impl Fn(&[u64]) -> T) -> Vec<T> {
        let kept = self.lock();
        let matching = kept
            .arrivals
            .iter()
            .filter(|(budget, _)| budget.service == service && budget.action == action);
        matching.map(|(_, arrivals)| of(arrivals)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("no panic while the log is held")
    }
}

//! 7: providers are asked no faster than is configured, by all sources of an account together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Judge;

const SECOND: Duration = Duration::from_secs(1);

/// The requests within a second, by what a provider counts them by.
pub(super) type Requests = BTreeMap<&'static str, VecDeque<Instant>>;

impl Judge {
    /// A request to a provider is on its way, of which so many a second are allowed.
    pub(crate) fn requested(&mut self, counted: &'static str, rate: usize) {
        let now = Instant::now();
        let requests = self.requests.entry(counted).or_default();
        while requests.front().is_some_and(|at| *at + SECOND <= now) {
            requests.pop_front();
        }
        requests.push_back(now);
        let count = requests.len();
        if count > rate {
            self.violates(7, format!("{count} requests to a provider in a second: {counted}"));
        }
        if count == rate {
            self.reach("a provider is asked as fast as is allowed");
        }
    }
}

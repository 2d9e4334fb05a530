//! 7: providers are asked no faster than is configured, by all sources of an account together.

use std::time::Duration;

use tokio::time::Instant;

use super::super::cloud::RATE;
use super::Judge;

const SECOND: Duration = Duration::from_secs(1);

impl Judge {
    /// A request to a provider is on its way.
    pub(crate) fn requested(&mut self) {
        let now = Instant::now();
        while self.requests.front().is_some_and(|at| *at + SECOND <= now) {
            self.requests.pop_front();
        }
        self.requests.push_back(now);
        let count = self.requests.len();
        if count > usize::from(RATE) {
            self.violates(7, format!("{count} requests to providers in a second"));
        }
        if count == usize::from(RATE) {
            self.reach("a provider is asked as fast as is allowed");
        }
    }
}

//! How much and how long a client may ask for.

use std::time::Duration;

/// What one process gives to all clients together, and the patience it has with each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the head of a request, and between two requests.
    pub(super) head: Duration,
    /// Bytes that the head of a request may have.
    pub(super) head_bytes: usize,
    /// For a client that takes nothing of the answer.
    pub(super) stall: Duration,
    /// For a handler that waits for the store or for a reload.
    pub(super) answer: Duration,
    /// For a test of a channel, which may wait for a message that is under way.
    pub(super) test: Duration,
    /// For a canary, whose channels have a minute.
    pub(super) canary: Duration,
    /// For a whole scrape, the client's reading included.
    pub(super) scrape: Duration,
    /// Scrapes at the same time.
    pub(super) scrapes: usize,
    /// Exports at the same time.
    pub(super) exports: usize,
    /// Bytes that the body of a request may have.
    pub(super) body_bytes: u64,
    /// Connections at the same time; for more, idle ones give way.
    pub(super) connections: usize,
    /// For what is under way when the daemon stops.
    pub(super) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            stall: Duration::from_secs(20),
            answer: Duration::from_secs(30),
            test: Duration::from_mins(1),
            canary: Duration::from_secs(75),
            scrape: Duration::from_mins(1),
            scrapes: 4,
            exports: 2,
            body_bytes: 64 * 1024,
            connections: 256,
            drain: Duration::from_secs(10),
        }
    }
}

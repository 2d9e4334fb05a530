//! What one channel does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use super::{DaemonMetrics, counters};
use crate::expiry::Timestamp;

/// The counts of one channel.
pub(super) struct Channel {
    pub(super) registry: Registry,
    notifications: IntCounterVec,
    pub(super) settled: IntCounter,
    known: Mutex<Known>,
}

/// What is known of a channel so far. Unknown is never zero.
#[derive(Default)]
pub(super) struct Known {
    pub(super) up: Option<bool>,
    pub(super) pending: Option<u64>,
    pub(super) oldest: Option<Timestamp>,
    pub(super) given_up: Option<u64>,
    pub(super) delivered: Option<Timestamp>,
    pub(super) daily: Option<Timestamp>,
}

impl Channel {
    pub(super) fn new(name: &str) -> Self {
        let registry = counters::registry("channel", name);
        let help = "Attempts to deliver a message, by how they ended.";
        let opts = Opts::new("notifications_total", help);
        let outcomes = DaemonMetrics::NOTIFICATION_OUTCOMES;
        let notifications = counters::counters(&registry, opts, "outcome", outcomes);
        let help =
            "Events that were true no more when their message was composed, and were not sent.";
        let settled = counters::counter(&registry, "notifications_settled_total", help);
        Self { registry, notifications, settled, known: Mutex::default() }
    }

    /// Counts an outcome from the closed list; a word that is not in it is not counted.
    pub(super) fn notified(&self, outcome: &str) {
        if DaemonMetrics::NOTIFICATION_OUTCOMES.contains(&outcome) {
            self.notifications.with_label_values(&[outcome]).inc();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

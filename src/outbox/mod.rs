//! At-least-once delivery, one worker per channel.
//!
//! A worker waits `group_wait` after the oldest unsent event, freezes what there is into a batch, and sends it as one
//! message. What is said of certificates that are not in use waits for something else to be said, a day at most. A message
//! that was clearly refused is composed anew from what is left; one that may have arrived is repeated as it was until the
//! service's verdict is final, byte for byte, whatever the configuration says by then. The batch and the channel's health are in the store, so a restart goes on where the last
//! process stopped, with the same id. One message is in flight at a time, which keeps order.
//!
//! Reading order: `worker` (the loop), `daily` (what goes together), `due` (when it goes), `job` (what is sent next), `policy` (what follows from an attempt), `health` (what
//! is said of the channel), `quiet` (what is snoozed), `clock` (what waits for the right time), `trial` (a test that somebody asks for), `canary` (one that goes the whole way), `pace` (how fast a destination may be used), `rounds` (what is told
//! again to those who forget).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

mod asked;
mod canary;
mod clock;
mod counts;
mod daily;
mod due;
mod health;
mod hold;
mod job;
mod pace;
mod policy;
mod quiet;
mod rounds;
#[cfg(test)]
mod tests;
mod trial;
mod worker;

pub use hold::Hold;
pub use pace::Pacers;
pub use rounds::Rounds;
pub use worker::Worker;

use crate::channel::LinkKey;
use crate::clock::{Clock, Random};
use crate::expiry::{Language, Manner, Snoozes, Timestamp};
use crate::store::Store;

/// Every outcome of an attempt, for [`Watcher::notification`].
#[cfg(test)]
pub const OUTCOMES: [&str; 7] =
    [DELIVERED, "throttled", "retry", "ambiguous", "rejected", "down", DEAD];

const DELIVERED: &str = "delivered";
const DEAD: &str = "dead";

/// Counts deliveries. Implemented by the daemon's own metrics.
pub trait Watcher: Send + Sync {
    /// Counts one outcome out of [`OUTCOMES`]. A message that is given up counts its last outcome and `dead`.
    fn notification(&self, channel: &str, outcome: &str);

    /// Keeps how many events wait, and since when the oldest does; not one that waits for others on purpose.
    fn pending(&self, channel: &str, count: u64, oldest: Option<Timestamp>);

    /// Keeps how many messages were given up and need somebody.
    fn given_up(&self, channel: &str, count: u64);

    /// Counts events that were not to be said any more when they would have been.
    fn settled(&self, channel: &str, count: u64);

    /// Keeps the time of the last delivery of a daily digest.
    fn told_daily(&self, channel: &str, at: Timestamp);

    /// Keeps the time of the last delivery.
    fn delivered(&self, channel: &str, at: Timestamp);

    /// Keeps whether the channel's last attempt did not fail.
    fn up(&self, channel: &str, up: bool);
}

/// What a worker reports to the pipeline, which notifies the other channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The channel does not deliver. Said once, and again at a start.
    Down {
        /// The channel.
        channel: String,
        /// The service's word for it.
        code: String,
        /// What to do.
        hint: String,
        /// The first attempt without a delivery.
        since: Timestamp,
    },
    /// The channel delivers again.
    Up {
        /// The channel.
        channel: String,
    },
    /// A message was given up, the first since a delivery. Said once, and again at a start.
    Dead {
        /// The channel.
        channel: String,
        /// The service's word for it.
        code: String,
        /// When.
        at: Timestamp,
    },
    /// What became of a canary.
    Canary {
        /// The channel.
        channel: String,
        /// The id of its event.
        event: String,
        /// What was done, or why it was not.
        verdict: Result<String, String>,
    },
}

/// What the configuration says about one channel.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The channel's name.
    pub name: String,
    /// Its kind: what another kind composed cannot be repeated by it.
    pub kind: String,
    /// The language of its messages, and the zone of the times in them.
    pub manner: Manner,
    /// How long the first event waits for others.
    pub group_wait: Duration,
    /// Until when an event waits whatever others do.
    pub hold: Hold,
    /// The base of links in messages.
    pub external_url: Option<String>,
    /// Whether it hears the daily digest: what is only good to know waits for it.
    pub gathers: bool,
    /// The language of that, where it is another one.
    pub daily_language: Option<Language>,
}

/// What all workers share.
#[derive(Clone)]
pub struct Shared {
    /// Where events, batches and the states of channels are kept.
    pub store: Arc<dyn Store>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Counts deliveries.
    pub watcher: Arc<dyn Watcher>,
    /// Jitter.
    pub random: Arc<dyn Random>,
    /// The paces of all destinations.
    pub pacers: Pacers,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
    /// Grows with every commit that put something into the outbox.
    pub commits: watch::Receiver<u64>,
    /// What links to snoozes are signed with, once it is known.
    pub link_key: Option<LinkKey>,
    /// What is snoozed.
    pub snoozes: watch::Receiver<Arc<Snoozes>>,
    /// Whether the machine's clock is trusted: by one that is not nothing is told of when something ends.
    pub clock_trusted: watch::Receiver<bool>,
    /// The event of the canary that somebody waits for.
    pub canary: watch::Receiver<Option<String>>,
}

//! What goes into a store and comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audit::AuditEntry;
use crate::expiry::{
    Event, Facts, Month, Notified, RowId, ScopeId, Sighting, Snooze, Status, Timestamp,
};

/// What was delivered is kept for this long, in seconds, so that it can be explained.
pub(super) const KEPT: i64 = 90 * 86_400;

/// What was given up, and a snooze that ended, is kept for this long, in seconds: whoever looks for what was not said has
/// a year.
pub(super) const KEPT_DEAD: i64 = 400 * 86_400;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or database cannot be opened or does not answer.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The disk is full or read-only; nothing was changed.
    #[error("the store cannot write: {0}")]
    Full(String),
    /// The store was written by a newer version.
    #[error("the store has schema version {found}, this build knows {known}; run the newer build")]
    TooNew {
        /// The version in the store.
        found: u32,
        /// The newest version that this build knows.
        known: u32,
    },
    /// The contents break the store's own rules.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Everything that one step of the pipeline changes. Written in one transaction, or not at all.
///
/// Applied in this order: scopes, outbox, former ends, removals, rows, statuses, ledger, inherited, conditions, unlisted,
/// checkpoints, scans, snoozes. So a number that is removed and given to another certificate in the same step ends up with the new one, and
/// what closes an alert still finds who was told of it.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Scopes that are new: number, source, scope. One that is there already is an error.
    pub scopes: Vec<(ScopeId, Arc<str>, Arc<str>)>,
    /// Certificates that are new or differ, with the status that the core decided.
    pub rows: Vec<RowWrite>,
    /// Certificates whose derived status changed and nothing else.
    pub statuses: Vec<(RowId, Status)>,
    /// Certificates that are gone; their ledger entries go with them.
    pub removed: Vec<RowId>,
    /// What was notified about certificates; `None` forgets. Who was told stays as it is.
    pub ledger: Vec<(RowId, Option<Notified>)>,
    /// Certificates of which was said what was said of another one, and to whom: from, to.
    pub inherited: Vec<(RowId, RowId)>,
    /// What was notified about conditions, by key; `None` forgets.
    pub conditions: Vec<(String, Option<Timestamp>)>,
    /// Events to deliver, and what they do to others that wait, in this order. An event that is in the outbox of a
    /// channel already stays as it is there; an event for no channel is not kept.
    pub outbox: Vec<Post>,
    /// Source and scope of those that the provider lists no more: their scans and checkpoints are forgotten.
    pub unlisted: Vec<(String, String)>,
    /// Certificates whose end is another one from this step on, and when that was seen.
    pub former_ends: Vec<(RowId, Timestamp)>,
    /// What happened.
    pub audit: Vec<AuditEntry>,
    /// How many more certificates of a source were renewed in a month; none where it was only watched.
    pub renewals: Vec<(String, Month, u64)>,
    /// What scans want to find again after a restart.
    pub checkpoints: Vec<Checkpoint>,
    /// Scans that ended.
    pub scans: Vec<ScanRecord>,
    /// Snoozes that are new or ended. Those that ended 400 days before are forgotten.
    pub snoozes: Vec<Snooze>,
}

/// What an event is about, as far as that decides what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Nothing that could end.
    Nothing,
    /// The open alert about a certificate.
    Certificate(RowId),
    /// A condition, by key.
    Condition(String),
}

/// What a step does to the outbox.
///
/// What waits is settled when it is true no more: it is never sent. A delivery whose message may have arrived already is
/// not settled, but sent until its service has said what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// An event goes to these channels.
    Say {
        /// The event.
        event: Event,
        /// The channels.
        channels: Vec<String>,
        /// What it is about.
        about: About,
    },
    /// A rung goes to these channels, in place of the looser ones that wait. Where the alert is opened by it, it is said
    /// again to those who heard the same before an earlier one was closed.
    Rung {
        /// The certificate.
        row: RowId,
        /// The event.
        event: Event,
        /// The channels.
        channels: Vec<String>,
    },
    /// The alert about a certificate is closed, and its ledger entry goes with it.
    Closed {
        /// The certificate.
        row: RowId,
        /// When.
        at: Timestamp,
        /// What is said of that to those who were told, or may have been.
        event: Option<Event>,
        /// The channels that there are.
        channels: Vec<String>,
    },
    /// Nothing is said of it for now: what waits about it is settled, and who was told stays told.
    Held {
        /// The alert or condition.
        about: About,
        /// When.
        at: Timestamp,
    },
    /// A condition is over.
    Over {
        /// The condition.
        key: String,
        /// When.
        at: Timestamp,
        /// What is said of that to those who were told that it began, or may have been.
        event: Option<Event>,
        /// The channels that there are.
        channels: Vec<String>,
        /// Those to which it goes where none of them is known to have had it to deliver: it began before that was kept, or
        /// its channel has another name now.
        otherwise: Vec<String>,
    },
    /// There are no channels but these: what waits for others is settled, and they were told of nothing.
    Channels {
        /// When.
        at: Timestamp,
        /// Their names.
        names: Vec<String>,
    },
}

impl From<(Event, Vec<String>)> for Post {
    fn from((event, channels): (Event, Vec<String>)) -> Self {
        Self::Say { event, channels, about: About::Nothing }
    }
}

/// How many deliveries a step settled, by channel.
pub type Settled = BTreeMap<String, u64>;

/// An event that waits for channels that are not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    /// The event.
    pub event: Event,
    /// What it is about.
    pub about: About,
}

/// One certificate to write.
#[derive(Clone, Debug)]
pub struct RowWrite {
    /// Its number, which is its primary key.
    pub row: RowId,
    /// Its scope.
    pub scope: ScopeId,
    /// What the provider reported.
    pub sighting: Sighting,
    /// The status after succession; `sighting.status` keeps the provider's.
    pub status: Status,
    /// When it was first seen. Written with a new certificate, and never changed after that.
    pub first_seen: Timestamp,
}

/// What is kept of one certificate, for who looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What a message may say about it.
    pub facts: Facts,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Every name it covers.
    pub names: Vec<String>,
    /// Serials of the certificates that the provider links as its renewal.
    pub successors: Vec<String>,
}

/// Parts of names that are looked for: three letters each, in small ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameQuery {
    /// All of them are in what is looked for.
    pub parts: Vec<String>,
    /// At most this many are found.
    pub most: usize,
}

/// Certificates that may have a name that is looked for; all others do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameHits {
    /// These may; without those of `unindexed`.
    pub rows: Vec<RowId>,
    /// Whether more than that many may.
    pub more: bool,
    /// The first certificate whose names are not in the index yet, nor those behind it; `None` when it is whole.
    pub unindexed: Option<RowId>,
}

/// How a scan of one scope or window ended. The newest of each (source, scope, window) is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    /// The source.
    pub source: String,
    /// The scope.
    pub scope: String,
    /// `near` or `all`.
    pub window: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether the proof of the design held.
    pub proven: bool,
    /// The provider's total.
    pub reported: u64,
    /// Distinct rows collected.
    pub collected: u64,
    /// When the last proven scan ended, this one included.
    pub last_proven: Option<Timestamp>,
    /// What went wrong, if anything. Never a secret.
    pub error: Option<String>,
}

/// What a scan wants to find again after a restart, in the source's own form. The newest of each (source, scope, key)
/// is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The source.
    pub source: String,
    /// The scope.
    pub scope: String,
    /// What it is about.
    pub key: String,
    /// What is kept; `None` forgets.
    pub value: Option<String>,
}

/// What a start reads back.
#[derive(Debug, Default)]
pub struct Saved {
    /// Every scope: number, source, scope.
    pub scopes: Vec<(ScopeId, String, String)>,
    /// What was notified about certificates.
    pub ledger: Vec<(RowId, Notified)>,
    /// What was notified about conditions.
    pub conditions: Vec<(String, Timestamp)>,
    /// The newest scan of each (source, scope, window).
    pub scans: Vec<ScanRecord>,
    /// The snoozes that have not ended, by id.
    pub snoozes: Vec<Snooze>,
    /// How many certificates of each source were renewed in each month, by source and month.
    pub renewals: Vec<(String, Month, u64)>,
}

/// One event for one channel, not yet delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The key of the delivery: grows with time.
    pub delivery: i64,
    /// The event.
    pub event: Event,
    /// The batch it was frozen into, if a send was tried.
    pub batch: Option<Batch>,
}

/// Deliveries that are sent as one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The id that the receiver sees. Unique within its channel.
    pub id: String,
    /// Attempts so far.
    pub attempts: u32,
    /// How far the message has been cut down: the index of `Detail`.
    pub detail: u8,
    /// Not to be tried before, by the clock as it is now; a start does not wait for it.
    pub next_at: Timestamp,
    /// When the message was composed: what is said in it is counted from then.
    pub composed_at: Timestamp,
    /// Whether a request with it may have arrived: members and body are fixed from then on.
    pub begun: bool,
    /// How many of its pages have arrived.
    pub pages: u32,
}

/// What the requests of a batch say, as they were composed: a repetition says the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The kind of channel that they were composed for: another one cannot read them.
    pub kind: String,
    /// One text a request, without anything that is secret or belongs to one attempt.
    pub pages: Vec<String>,
}

/// How a batch ended, or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchUpdate {
    /// Delivered; its deliveries leave the outbox, and the channel was told of what they are about.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// To be tried again.
    Retry(Batch),
    /// Clearly refused: its deliveries wait again, and are composed anew.
    Released,
    /// Given up; kept for an operator to look at, with the reason.
    Dead {
        /// When.
        at: Timestamp,
        /// The service's code for it.
        code: String,
    },
}

/// A channel's health, kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelState {
    /// The service asked not to be tried before.
    pub gate_until: Option<Timestamp>,
    /// The code it is down with, if it is down.
    pub down: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// The last delivery.
    pub last_success: Option<Timestamp>,
    /// The first attempt that failed or was throttled since the last delivery.
    pub since: Option<Timestamp>,
    /// When a message was given up for the first time since the last delivery, and the service's word for it.
    pub gave_up: Option<(Timestamp, String)>,
}

/// What a page of certificates is chosen by, for lists.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only this source.
    pub source: Option<String>,
    /// Only those that end before this.
    pub ends_before: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
}

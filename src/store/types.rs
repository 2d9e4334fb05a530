//! What goes into a store and comes out of it.

use std::sync::Arc;

use crate::expiry::{Event, RowId, Said, ScopeId, Sighting, Status, Timestamp};

/// What was delivered is kept for this long, in seconds, so that it can be explained.
pub(super) const KEPT: i64 = 90 * 86_400;

/// What was given up is kept for this long, in seconds: whoever looks for what was not said has a year.
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
/// Applied in this order: scopes, removals, rows, statuses, ledger, conditions, outbox, unlisted, checkpoints, scans. So a
/// number that is removed and given to another certificate in the same step ends up with the new one.
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
    /// What was notified about certificates; `None` forgets.
    pub ledger: Vec<(RowId, Option<Said>)>,
    /// What was notified about conditions, by key; `None` forgets.
    pub conditions: Vec<(String, Option<Timestamp>)>,
    /// Events to deliver, with the channels they go to. An event that is in the outbox of a channel already stays as it
    /// is there; an event for no channel is not kept.
    pub outbox: Vec<(Event, Vec<String>)>,
    /// Source and scope of those that the provider lists no more: their scans and checkpoints are forgotten.
    pub unlisted: Vec<(String, String)>,
    /// What scans want to find again after a restart.
    pub checkpoints: Vec<Checkpoint>,
    /// Scans that ended.
    pub scans: Vec<ScanRecord>,
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
    pub ledger: Vec<(RowId, Said)>,
    /// What was notified about conditions.
    pub conditions: Vec<(String, Timestamp)>,
    /// The newest scan of each (source, scope, window).
    pub scans: Vec<ScanRecord>,
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

/// Deliveries that are sent as one message. Frozen before the first attempt, so that a retry sends the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The id that the receiver sees; the same over retries and restarts. Unique within its channel.
    pub id: String,
    /// Attempts so far.
    pub attempts: u32,
    /// How far the message has been cut down: the index of `Detail`.
    pub detail: u8,
    /// Not to be tried before.
    pub next_at: Timestamp,
}

/// How a batch ended, or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchUpdate {
    /// Delivered; its deliveries leave the outbox.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// To be tried again.
    Retry(Batch),
    /// Given up; kept for an operator to look at, with the reason.
    Dead {
        /// When.
        at: Timestamp,
        /// The service's code for it.
        code: String,
    },
}

/// A channel's gate and health, kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelState {
    /// Closed until then.
    pub gate_until: Option<Timestamp>,
    /// The code it is down with, if it is down.
    pub down: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// The last delivery.
    pub last_success: Option<Timestamp>,
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

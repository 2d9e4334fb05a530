//! What survives a restart.

use std::sync::Arc;

use async_trait::async_trait;

use crate::expiry::{Facts, Heard, Notified, RowId, ScopeId, Snooze, StoredRow, Timestamp};

mod audit;
mod code;
mod entries;
mod durability;
mod event;
mod memory;
mod names;
mod observed;
mod sqlite;
mod types;
#[cfg(test)]
mod conformance;

use audit::AUDIT_KEPT;
pub use audit::{AuditEntry, AuditQuery, AuditSize, Audited, Decided, SHORT, Verdict};
pub use entries::{EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, OutboxRequest, Standing};
pub use memory::Memory;
pub use observed::{Call, Observed, Observer};
pub use sqlite::Sqlite;
pub use types::{
    About, Batch, BatchUpdate, Body, ChannelState, Checkpoint, Commit, Kept, ListQuery, NameHits,
    NameQuery, Pending, Post, RowWrite, Saved, ScanRecord, Settled, StoreError, Stranded,
};

/// Keeps what must survive. Coarse calls, so that another database can be a second file.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads back everything but the certificates and the checkpoints.
    async fn saved(&self) -> Result<Saved, StoreError>;

    /// Reads the certificates' columns in the order of their numbers, handing over chunks of a few thousand.
    async fn rows(
        &self,
        each: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError>;

    /// Writes one step of the pipeline in one transaction, durably when it returns. Answers with what it settled.
    ///
    /// Durably means over a power cut, but for a step that holds nothing but scopes, rows, statuses and checkpoints: that
    /// one survives the process, and a power cut from the next other step on. A checkpoint never survives without the rows
    /// that were written before it.
    async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError>;

    /// Reads the facts of certificates, in the order asked; `None` for a number that is not there.
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError>;

    /// Reads all that is kept of certificates, in the order asked; `None` for a number that is not there.
    async fn kept(&self, rows: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError>;

    /// Finds certificates by parts of their names: common name, holder, serial, place and every name that they cover.
    async fn find_names(&self, query: &NameQuery) -> Result<NameHits, StoreError>;

    /// Brings up to `most` more certificates into the index of names, and answers whether that was all. To be called when
    /// nothing else is urgent: what was written since is found all the same, if less quickly.
    async fn index_names(&self, most: usize) -> Result<bool, StoreError>;

    /// Lists certificates with a known end, soonest first.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Facts>, StoreError>;

    /// Reads what a channel has still to deliver, oldest first, frozen batches included; not the dead.
    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError>;

    /// Tells the newest of what a channel has still to deliver, and whether something critical came after a delivery.
    async fn came_after(&self, channel: &str, delivery: i64) -> Result<(i64, bool), StoreError>;

    /// Counts what each channel has still to deliver, with the time of the oldest event.
    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError>;

    /// Freezes deliveries of one channel into a batch, all or none, with what its requests say. Answers whether it did: not
    /// when one does not wait any more, or is in another batch that may have arrived.
    async fn freeze(
        &self,
        deliveries: &[i64],
        batch: &Batch,
        body: &Body,
    ) -> Result<bool, StoreError>;

    /// Reads what the requests of a batch say; `None` when it is not there or was written by a release that did not keep it.
    async fn body(&self, channel: &str, batch: &str) -> Result<Option<Body>, StoreError>;

    /// Records how a batch ended or goes on, and the channel's state with it. For a batch that is not there, or has
    /// ended, only the state is recorded. When one ends, what was sent 90 days before is forgotten, and what was given up
    /// 400 days before. With a delivery, what was given up before it is said again.
    ///
    /// What became of the attempt is written down with it, where there is a verdict.
    async fn judge(
        &self,
        batch: (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
        verdict: Option<&Verdict>,
    ) -> Result<(), StoreError>;

    /// Does the same without a verdict.
    async fn settle(
        &self,
        channel: &str,
        batch: &str,
        update: &BatchUpdate,
        state: &ChannelState,
    ) -> Result<(), StoreError> {
        self.judge((channel, batch), update, state, None).await
    }

    /// Reads what happened, in its order, each with its number.
    async fn audit(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError>;

    /// Drops some of what happened and of what was said that has been kept for as long as is right by `now`, and of what
    /// happened that is more than so many bytes, the oldest first; nothing for its age where nobody knows what time it is.
    /// Answers how much of what happened is kept, and whether there is more to drop.
    async fn forget_old(
        &self,
        now: Option<Timestamp>,
        most: u64,
    ) -> Result<(AuditSize, bool), StoreError>;

    /// Reads the ends that a certificate had before the present one, the oldest first, each with the time until which it had
    /// it. Ten at most.
    async fn former_ends(&self, row: RowId) -> Result<Vec<(Timestamp, Timestamp)>, StoreError>;

    /// Reads what was said of the certificate with this id, the newest first.
    async fn said_of(&self, id: &str) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Puts back into the outbox what was given up for a channel before a time and is about an alert that is still open,
    /// as events of their own that are decided at `at`. Answers how many.
    async fn say_again(
        &self,
        channel: &str,
        given_up_before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Lists messages, and what waits to be in one: what waits longest first, what has ended last first.
    async fn entries(&self, query: &EntryQuery) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Counts, by channel, the messages that were given up and need somebody: not what was said again since.
    async fn given_up(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// Does what an operator wants done with the message that a delivery is in. `channels` are those that there are.
    async fn order(
        &self,
        order: (i64, OutboxOrder),
        channels: &[String],
        at: Timestamp,
    ) -> Result<OutboxAnswer, StoreError>;

    /// Reads who was told of the open alerts about certificates, in the order asked.
    async fn told(&self, rows: &[RowId]) -> Result<Vec<Vec<String>>, StoreError>;

    /// Reads which channels were told of the open alerts about certificates long after these were last said, where nothing
    /// about them waits or was given up since, and to which a message may have arrived; in the order asked, by name.
    async fn heard(&self, rows: &[RowId]) -> Result<Vec<Vec<Heard>>, StoreError>;

    /// Reads every open alert that a channel was told of long after it was said, by certificate, and when.
    async fn heard_late(&self) -> Result<Vec<(RowId, Timestamp)>, StoreError>;

    /// Reads the open alerts that a channel was told of, as they were last said.
    async fn open_for(&self, channel: &str) -> Result<Vec<(RowId, Notified)>, StoreError>;

    /// Reads some of the open alerts about certificates with larger numbers than `after`, in their order: as they were last
    /// said, and who was told.
    async fn open_alerts(
        &self,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<(RowId, Notified, Vec<String>)>, StoreError>;

    /// Reads what waits for channels that are not among these, each event once.
    async fn stranded(&self, channels: &[String]) -> Result<Vec<Stranded>, StoreError>;

    /// Reads which ledger entries say what nobody was told and nobody will be.
    async fn unsaid(&self) -> Result<Vec<RowId>, StoreError>;

    /// Settles deliveries of a channel that wait: what they say is not to be said now. Answers how many; one whose message
    /// may have arrived goes on.
    async fn leave_out(
        &self,
        channel: &str,
        deliveries: &[i64],
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Reads every snooze that is kept, the newest first.
    async fn snoozes(&self) -> Result<Vec<Snooze>, StoreError>;

    /// Returns the key that links in messages are signed with: `fresh`, if there was none yet.
    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Reads a channel's state.
    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError>;

    /// Reads the newest scan of each (source, scope, window).
    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError>;

    /// Reads the checkpoints of one source by scope and key, handing over chunks of a few thousand.
    async fn each_checkpoint(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError>;

    /// Reads the checkpoints of one source by scope and key, all at once.
    async fn checkpoints(&self, source: &str) -> Result<Vec<Checkpoint>, StoreError> {
        let mut checkpoints = Vec::new();
        self.each_checkpoint(source, &mut |chunk| checkpoints.extend(chunk)).await?;
        Ok(checkpoints)
    }

    /// Drops the scopes, certificates, ledger, checkpoints and scans of sources that are not in `sources`.
    async fn retain_sources(&self, sources: &[String]) -> Result<(), StoreError>;

    /// Writes what is queued and lets go of the place where it is kept. Nothing but this is to be called after it.
    async fn close(&self) -> Result<(), StoreError>;
}

//! A store whose calls somebody sees before and after they are made, and may refuse: what tests and simulations are
//! written with.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    AuditEntry, AuditQuery, AuditSize, Batch, BatchUpdate, Body, ChannelState, Checkpoint, Commit,
    EntryQuery, Kept, ListQuery, Memory, NameHits, NameQuery, OutboxAnswer, OutboxEntry,
    OutboxOrder, Pending, Saved, ScanRecord, Settled, Store, StoreError, Stranded, Verdict,
};
use crate::expiry::{Facts, Heard, Notified, RowId, ScopeId, Snooze, StoredRow, Timestamp};

/// A call that is about to be made.
pub enum Call<'a> {
    /// [`Store::commit`].
    Commit(&'a Commit),
    /// [`Store::pending`].
    Pending,
    /// [`Store::freeze`].
    Freeze(&'a [i64], &'a Batch, &'a Body),
    /// [`Store::settle`]: the channel, the batch, what becomes of it and the channel's state.
    Settle(&'a str, &'a str, &'a BatchUpdate, &'a ChannelState),
    /// [`Store::say_again`]: the channel and the time.
    SayAgain(&'a str, Timestamp),
    /// [`Store::channel_state`].
    ChannelState,
    /// [`Store::saved`], with which a start begins to read back.
    Saved,
}

/// Sees calls before they are made.
#[async_trait]
pub trait Observer: Send + Sync {
    /// Sees one call. With an error that is its answer, and it is not made.
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError>;

    /// Sees that one was made, and may hide that.
    async fn after(&self, _call: Call<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A store with somebody who sees its calls; where nothing else is said, one in memory.
#[derive(Default)]
pub struct Observed<O, S = Memory> {
    /// The store.
    pub memory: S,
    /// Who sees its calls.
    pub observer: O,
}

#[async_trait]
impl<O: Observer, S: Store> Store for Observed<O, S> {
    async fn saved(&self) -> Result<Saved, StoreError> {
        self.observer.before(Call::Saved).await?;
        self.memory.saved().await
    }

    async fn rows(
        &self,
        each: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError> {
        self.memory.rows(each).await
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError> {
        self.observer.before(Call::Commit(&commit)).await?;
        let settled = self.memory.commit(Arc::clone(&commit)).await?;
        self.observer.after(Call::Commit(&commit)).await?;
        Ok(settled)
    }

    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
        self.memory.facts(rows).await
    }

    async fn kept(&self, rows: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.memory.kept(rows).await
    }

    async fn find_names(&self, query: &NameQuery) -> Result<NameHits, StoreError> {
        self.memory.find_names(query).await
    }

    async fn index_names(&self, most: usize) -> Result<bool, StoreError> {
        self.memory.index_names(most).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Facts>, StoreError> {
        self.memory.list(query).await
    }

    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.observer.before(Call::Pending).await?;
        self.memory.pending(channel, limit).await
    }

    async fn came_after(&self, channel: &str, delivery: i64) -> Result<(i64, bool), StoreError> {
        self.memory.came_after(channel, delivery).await
    }

    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        self.memory.backlog().await
    }

    async fn freeze(
        &self,
        deliveries: &[i64],
        batch: &Batch,
        body: &Body,
    ) -> Result<bool, StoreError> {
        self.observer.before(Call::Freeze(deliveries, batch, body)).await?;
        let frozen = self.memory.freeze(deliveries, batch, body).await?;
        self.observer.after(Call::Freeze(deliveries, batch, body)).await?;
        Ok(frozen)
    }

    async fn body(&self, channel: &str, batch: &str) -> Result<Option<Body>, StoreError> {
        self.memory.body(channel, batch).await
    }

    async fn judge(
        &self,
        (channel, batch): (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
        verdict: Option<&Verdict>,
    ) -> Result<(), StoreError> {
        self.observer.before(Call::Settle(channel, batch, update, state)).await?;
        self.memory.judge((channel, batch), update, state, verdict).await?;
        self.observer.after(Call::Settle(channel, batch, update, state)).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.memory.audit(query).await
    }

    async fn forget_old(
        &self,
        now: Option<Timestamp>,
        most: u64,
    ) -> Result<(AuditSize, bool), StoreError> {
        self.memory.forget_old(now, most).await
    }

    async fn former_ends(&self, row: RowId) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        self.memory.former_ends(row).await
    }

    async fn said_of(&self, id: &str) -> Result<Vec<OutboxEntry>, StoreError> {
        self.memory.said_of(id).await
    }

    async fn say_again(
        &self,
        channel: &str,
        given_up_before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.observer.before(Call::SayAgain(channel, at)).await?;
        self.memory.say_again(channel, given_up_before, at).await
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        self.memory.entries(query).await
    }

    async fn given_up(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.memory.given_up().await
    }

    async fn order(
        &self,
        order: (i64, OutboxOrder),
        channels: &[String],
        at: Timestamp,
    ) -> Result<OutboxAnswer, StoreError> {
        self.memory.order(order, channels, at).await
    }

    async fn told(&self, rows: &[RowId]) -> Result<Vec<Vec<String>>, StoreError> {
        self.memory.told(rows).await
    }

    async fn heard(&self, rows: &[RowId]) -> Result<Vec<Vec<Heard>>, StoreError> {
        self.memory.heard(rows).await
    }

    async fn heard_late(&self) -> Result<Vec<(RowId, Timestamp)>, StoreError> {
        self.memory.heard_late().await
    }

    async fn open_for(&self, channel: &str) -> Result<Vec<(RowId, Notified)>, StoreError> {
        self.memory.open_for(channel).await
    }

    async fn open_alerts(
        &self,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<(RowId, Notified, Vec<String>)>, StoreError> {
        self.memory.open_alerts(after, limit).await
    }

    async fn stranded(&self, channels: &[String]) -> Result<Vec<Stranded>, StoreError> {
        self.memory.stranded(channels).await
    }

    async fn unsaid(&self) -> Result<Vec<RowId>, StoreError> {
        self.memory.unsaid().await
    }

    async fn leave_out(
        &self,
        channel: &str,
        deliveries: &[i64],
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.memory.leave_out(channel, deliveries, at).await
    }

    async fn snoozes(&self) -> Result<Vec<Snooze>, StoreError> {
        self.memory.snoozes().await
    }

    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.memory.link_key(fresh).await
    }

    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        self.observer.before(Call::ChannelState).await?;
        self.memory.channel_state(channel).await
    }

    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
        self.memory.scans().await
    }

    async fn each_checkpoint(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError> {
        self.memory.each_checkpoint(source, each).await
    }

    async fn retain_sources(&self, sources: &[String]) -> Result<(), StoreError> {
        self.memory.retain_sources(sources).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.memory.close().await
    }
}

//! The store in memory, whose writes are recorded.

use std::sync::Arc;

use async_trait::async_trait;
use notafter::facade::expiry::{Facts, RowId, ScopeId, StoredRow, Timestamp};
use notafter::facade::store::{
    Batch, BatchUpdate, ChannelState, Checkpoint, Commit, ListQuery, Memory, Pending, Saved,
    ScanRecord, Settled, Store, StoreError, Stranded,
};

use super::fate::Fate;
use super::trace::Trace;

/// A store that takes its time and writes what is committed into the trace.
pub(crate) struct SimStore {
    pub(crate) inner: Memory,
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
}

impl SimStore {
    async fn written(&self, what: &str) {
        self.trace.note("store", what);
        self.fate.latency("store").await;
    }
}

fn summary(commit: &Commit) -> String {
    let rows: Vec<_> = commit.rows.iter().map(|row| &row.sighting.serial).collect();
    format!(
        "rows {rows:?} statuses {:?} removed {:?} ledger {:?} conditions {:?} scans {} posts {:?}",
        commit.statuses,
        commit.removed,
        commit.ledger,
        commit.conditions,
        commit.scans.len(),
        commit.outbox
    )
}

#[async_trait]
impl Store for SimStore {
    async fn saved(&self) -> Result<Saved, StoreError> {
        self.inner.saved().await
    }

    async fn rows(
        &self,
        each: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError> {
        self.inner.rows(each).await
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError> {
        self.written(&format!("commits {}", summary(&commit))).await;
        self.inner.commit(commit).await
    }

    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
        self.inner.facts(rows).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Facts>, StoreError> {
        self.inner.list(query).await
    }

    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.inner.pending(channel, limit).await
    }

    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        self.inner.backlog().await
    }

    async fn freeze(&self, deliveries: &[i64], batch: &Batch) -> Result<bool, StoreError> {
        self.written(&format!("freezes {deliveries:?} as {}", batch.id)).await;
        self.inner.freeze(deliveries, batch).await
    }

    async fn say_again(
        &self,
        channel: &str,
        given_up_before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.written(&format!("says again to {channel} at {at:?}")).await;
        self.inner.say_again(channel, given_up_before, at).await
    }

    async fn told(&self, rows: &[RowId]) -> Result<Vec<Vec<String>>, StoreError> {
        self.inner.told(rows).await
    }

    async fn stranded(&self, channels: &[String]) -> Result<Vec<Stranded>, StoreError> {
        self.inner.stranded(channels).await
    }

    async fn unsaid(&self) -> Result<Vec<RowId>, StoreError> {
        self.inner.unsaid().await
    }

    async fn settle(
        &self,
        channel: &str,
        batch: &str,
        update: &BatchUpdate,
        state: &ChannelState,
    ) -> Result<(), StoreError> {
        self.written(&format!("settles {batch} of {channel}: {update:?} {state:?}")).await;
        self.inner.settle(channel, batch, update, state).await
    }

    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        self.inner.channel_state(channel).await
    }

    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
        self.inner.scans().await
    }

    async fn each_checkpoint(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError> {
        self.inner.each_checkpoint(source, each).await
    }

    async fn retain_sources(&self, sources: &[String]) -> Result<(), StoreError> {
        self.inner.retain_sources(sources).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

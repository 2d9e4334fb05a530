//! A store in one `SQLite` file.
//!
//! Write-ahead logging lets two connections read while one thread writes. Every SQL text is prepared when the file is
//! opened, so that a mistake in one fails the first test and not the first night.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Transaction;

use super::durability::Durability;
use super::{
    AUDIT_KEPT, AuditEntry, AuditQuery, AuditSize, Batch, BatchUpdate, Body, ChannelState,
    Checkpoint, Commit, EntryQuery, Kept, ListQuery, NameHits, NameQuery, OutboxAnswer,
    OutboxEntry, OutboxOrder, Pending, Saved, ScanRecord, Settled, Store, StoreError, Stranded,
    Verdict,
};
use crate::expiry::{Facts, Heard, Notified, RowId, ScopeId, Snooze, StoredRow, Timestamp};

mod audit;
mod bodies;
mod certificates;
mod commit;
mod connection;
mod entries;
mod failure;
mod file;
mod forget;
mod heard;
mod history;
mod checkpoints;
mod names;
mod outbox;
mod posts;
mod readers;
mod renewals;
mod schema;
mod snoozes;
mod writer;
mod writing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrades;

use failure::Outcome;
use forget::Staying;
use readers::Readers;
use writer::Writer;
use writing::Writing;

/// Takes a chunk, and answers whether more are wanted.
type Take<'a, T> = &'a mut dyn FnMut(Vec<T>) -> bool;

/// A store in one `SQLite` file.
pub struct Sqlite {
    writer: Option<Arc<Writer>>,
    readers: Readers,
}

impl Sqlite {
    /// Opens the file at `path`, creates it when it is not there, and brings its schema up to date.
    ///
    /// Only one process at a time can. Waits for the disk: call it before there is anything to hold up.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path: Arc<Path> = file::resolve(path)?.into();
        let writing = Writing::open(Arc::clone(&path))?;
        let reading = connection::reading(&path).map_err(|failure| failure.at(&path))?;
        let writer = Writer::start(writing)?;
        Ok(Self { writer: Some(Arc::new(writer)), readers: Readers::new(reading, path) })
    }

    /// Opens the file at `path` as `open` does, to read and write on the caller's own thread: for a simulation, whose
    /// paused clock does not wait for other threads.
    pub fn inline(path: &Path) -> Result<Self, StoreError> {
        let path: Arc<Path> = file::resolve(path)?.into();
        let writing = Writing::open(Arc::clone(&path))?;
        let reading = connection::reading(&path).map_err(|failure| failure.at(&path))?;
        let writer = Some(Arc::new(Writer::in_place(writing)));
        Ok(Self { writer, readers: Readers::in_place(reading, path) })
    }

    /// Opens the file at `path` for reading, beside a daemon that may be writing it.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let path: Arc<Path> = file::resolve(path)?.into();
        let connection = connection::reading(&path)
            .and_then(|connection| schema::check(&connection).map(|()| connection))
            .map_err(|failure| failure.at(&path))?;
        Ok(Self { writer: None, readers: Readers::new(connection, path) })
    }

    /// Hands over chunks of what `query` lists, soonest first; without a time in it those without a known end as well,
    /// last. Stops when `each` wants no more.
    pub async fn each_listed(
        &self,
        query: &ListQuery,
        each: &mut (dyn FnMut(Vec<Kept>) -> bool + Send),
    ) -> Result<(), StoreError> {
        let query = query.clone();
        let work = move |transaction: &Transaction<'_>, take: Take<'_, Kept>| {
            certificates::each_listed(transaction, &query, take)
        };
        self.readers.stream(work, each).await
    }

    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = self.writer.as_ref().ok_or_else(|| {
            StoreError::Unavailable("it was opened for reading; ask the daemon to write".to_owned())
        })?;
        writer.transact(durability, work).await
    }
}

impl Drop for Sqlite {
    /// Does what `close` does, and blocks the thread meanwhile.
    fn drop(&mut self) {
        self.readers.close();
        if let Some(Err(error)) = self.writer.as_ref().map(|writer| writer.stop()) {
            tracing::warn!(%error, "the store was not closed cleanly; the next start recovers it");
        }
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn saved(&self) -> Result<Saved, StoreError> {
        let work = |transaction: &Transaction<'_>| {
            let snoozes = snoozes::standing(transaction)?;
            let renewals = renewals::read(transaction)?;
            Ok(Saved { snoozes, renewals, ..certificates::saved(transaction)? })
        };
        self.readers.read(work).await
    }

    async fn rows(
        &self,
        each: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError> {
        let each = &mut |chunk| {
            each(chunk);
            true
        };
        self.readers.stream(certificates::rows, each).await
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError> {
        let durability = Durability::of(&commit);
        self.write(durability, move |transaction| commit::write(transaction, &commit)).await
    }

    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
        let rows = rows.to_vec();
        self.readers.read(move |transaction| certificates::facts(transaction, &rows)).await
    }

    async fn kept(&self, rows: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError> {
        let rows = rows.to_vec();
        self.readers.read(move |transaction| certificates::kept(transaction, &rows)).await
    }

    async fn find_names(&self, query: &NameQuery) -> Result<NameHits, StoreError> {
        let query = query.clone();
        self.readers.read(move |transaction| names::find(transaction, &query)).await
    }

    async fn index_names(&self, most: usize) -> Result<bool, StoreError> {
        self.write(Durability::Process, move |transaction| names::index(transaction, most)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Facts>, StoreError> {
        let query = query.clone();
        self.readers.read(move |transaction| certificates::list(transaction, &query)).await
    }

    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let channel = channel.to_owned();
        self.readers.read(move |transaction| outbox::pending(transaction, &channel, limit)).await
    }

    async fn came_after(&self, channel: &str, delivery: i64) -> Result<(i64, bool), StoreError> {
        let channel = channel.to_owned();
        let read = move |transaction: &Transaction<'_>| {
            outbox::came_after(transaction, &channel, delivery)
        };
        self.readers.read(read).await
    }

    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        self.readers.read(outbox::backlog).await
    }

    async fn freeze(
        &self,
        deliveries: &[i64],
        batch: &Batch,
        body: &Body,
    ) -> Result<bool, StoreError> {
        let (deliveries, batch, body) = (deliveries.to_vec(), batch.clone(), body.clone());
        let work = move |transaction: &Transaction<'_>| {
            outbox::freeze(transaction, &deliveries, &batch, &body)
        };
        self.write(Durability::Power, work).await
    }

    async fn body(&self, channel: &str, batch: &str) -> Result<Option<Body>, StoreError> {
        let (channel, batch) = (channel.to_owned(), batch.to_owned());
        self.readers.read(move |transaction| bodies::read(transaction, &channel, &batch)).await
    }

    async fn say_again(
        &self,
        channel: &str,
        given_up_before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let channel = channel.to_owned();
        let work = move |transaction: &Transaction<'_>| {
            outbox::say_again(transaction, &channel, given_up_before, at)
        };
        self.write(Durability::Power, work).await
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        let query = query.clone();
        self.readers.read(move |transaction| entries::list(transaction, &query)).await
    }

    async fn given_up(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.readers.read(entries::given_up).await
    }

    async fn order(
        &self,
        order: (i64, OutboxOrder),
        channels: &[String],
        at: Timestamp,
    ) -> Result<OutboxAnswer, StoreError> {
        let channels = channels.to_vec();
        let work =
            move |transaction: &Transaction<'_>| entries::order(transaction, order, &channels, at);
        self.write(Durability::Power, work).await
    }

    async fn told(&self, rows: &[RowId]) -> Result<Vec<Vec<String>>, StoreError> {
        let rows = rows.to_vec();
        self.readers.read(move |transaction| heard::told(transaction, &rows)).await
    }

    async fn heard(&self, rows: &[RowId]) -> Result<Vec<Vec<Heard>>, StoreError> {
        let rows = rows.to_vec();
        self.readers.read(move |transaction| heard::heard(transaction, &rows)).await
    }

    async fn heard_late(&self) -> Result<Vec<(RowId, Timestamp)>, StoreError> {
        self.readers.read(heard::late).await
    }

    async fn open_for(&self, channel: &str) -> Result<Vec<(RowId, Notified)>, StoreError> {
        let channel = channel.to_owned();
        self.readers.read(move |transaction| posts::open_for(transaction, &channel)).await
    }

    async fn open_alerts(
        &self,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<(RowId, Notified, Vec<String>)>, StoreError> {
        self.readers.read(move |transaction| history::open(transaction, after, limit)).await
    }

    async fn stranded(&self, channels: &[String]) -> Result<Vec<Stranded>, StoreError> {
        let channels = channels.to_vec();
        self.readers.read(move |transaction| posts::stranded(transaction, &channels)).await
    }

    async fn unsaid(&self) -> Result<Vec<RowId>, StoreError> {
        self.readers.read(posts::unsaid).await
    }

    async fn judge(
        &self,
        (channel, batch): (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
        verdict: Option<&Verdict>,
    ) -> Result<(), StoreError> {
        let (channel, batch) = (channel.to_owned(), batch.to_owned());
        let (update, state, verdict) = (update.clone(), state.clone(), verdict.cloned());
        let work = move |transaction: &Transaction<'_>| {
            if let Some(verdict) = &verdict {
                audit::sent(transaction, (&channel, &batch), verdict)?;
            }
            outbox::settle(transaction, (&channel, &batch), &update, &state)
        };
        self.write(Durability::Power, work).await
    }

    async fn leave_out(
        &self,
        channel: &str,
        deliveries: &[i64],
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (channel, deliveries) = (channel.to_owned(), deliveries.to_vec());
        let work = move |transaction: &Transaction<'_>| {
            posts::leave_out(transaction, &channel, &deliveries, at)
        };
        self.write(Durability::Power, work).await
    }

    async fn snoozes(&self) -> Result<Vec<Snooze>, StoreError> {
        self.readers.read(snoozes::every).await
    }

    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let work = move |transaction: &Transaction<'_>| snoozes::link_key(transaction, fresh);
        self.write(Durability::Power, work).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let query = query.clone();
        self.readers.read(move |transaction| audit::read(transaction, &query)).await
    }

    async fn forget_old(
        &self,
        now: Option<Timestamp>,
        most: u64,
    ) -> Result<(AuditSize, bool), StoreError> {
        let work = move |transaction: &Transaction<'_>| {
            let more = now.map_or(Ok(false), |now| outbox::clear(transaction, now))?;
            let before = now.map(|now| now.plus(-AUDIT_KEPT));
            let (size, more_audit) = audit::trim(transaction, before, most)?;
            Ok((size, more || more_audit))
        };
        self.write(Durability::Process, work).await
    }

    async fn former_ends(&self, row: RowId) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        self.readers.read(move |transaction| history::ends(transaction, row)).await
    }

    async fn said_of(&self, id: &str) -> Result<Vec<OutboxEntry>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |transaction| history::said_of(transaction, &id)).await
    }

    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        let channel = channel.to_owned();
        self.readers.read(move |transaction| outbox::channel_state(transaction, &channel)).await
    }

    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
        self.readers.read(certificates::scans).await
    }

    async fn each_checkpoint(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError> {
        let source = source.to_owned();
        let work = move |transaction: &Transaction<'_>, take: Take<'_, Checkpoint>| {
            checkpoints::read(transaction, &source, take)
        };
        let each = &mut |chunk| {
            each(chunk);
            true
        };
        self.readers.stream(work, each).await
    }

    async fn retain_sources(&self, sources: &[String]) -> Result<(), StoreError> {
        let kept = Staying::new(sources);
        let first = kept.clone();
        let last = self.write(Durability::Power, move |t| first.drop_scans(t)).await?;
        let mut left = true;
        while left {
            let step = kept.clone();
            left = self.write(Durability::Process, move |t| step.drop_checkpoints(t)).await?;
        }
        let mut from = 0;
        while last.is_some_and(|last| from <= last) {
            let step = kept.clone();
            from =
                self.write(Durability::Process, move |t| step.drop_certificates(t, from)).await?;
        }
        self.write(Durability::Power, move |t| kept.drop_scopes(t)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        let Some(writer) = self.writer.clone() else { return Ok(()) };
        if writer.is_in_place() {
            return writer.stop();
        }
        tokio::task::spawn_blocking(move || writer.stop())
            .await
            .map_err(|_| StoreError::Unavailable("closing it was interrupted".to_owned()))?
    }
}

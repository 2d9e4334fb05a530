//! A store in a few ordered maps, for simulations and tests.
//!
//! Nothing in it waits, asks a clock or starts a thread: under a paused clock it answers at once, and the same calls
//! always give the same answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::durability::Durability;
use super::{
    AUDIT_KEPT, AuditEntry, AuditQuery, AuditSize, Batch, BatchUpdate, Body, ChannelState,
    Checkpoint, Commit, EntryQuery, Kept, ListQuery, NameHits, NameQuery, OutboxAnswer,
    OutboxEntry, OutboxOrder, Pending, Saved, ScanRecord, Settled, Store, StoreError, Stranded,
    Verdict,
};
use crate::expiry::{Facts, Heard, Notified, RowId, ScopeId, Snooze, StoredRow, Timestamp};

mod deliveries;
mod entries;
mod history;
mod known;
mod outbox;
mod posts;
mod snoozes;
#[cfg(test)]
mod tests;

use history::History;
use known::{Known, Told};
use outbox::Outbox;
use snoozes::Shelf;

/// Certificates or checkpoints that are handed over at once.
const CHUNK: usize = 4096;

/// A store in memory. A clone is another handle to the same content, so a daemon can be stopped or dropped and another
/// be started on what it committed.
#[derive(Clone, Default)]
pub struct Memory {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Clone, Default)]
struct Tables {
    known: Known,
    outbox: Outbox,
    snoozes: Shelf,
    link_key: Option<[u8; 32]>,
    history: History,
    /// What a power cut leaves, where that is less.
    lasting: Option<Arc<Self>>,
}

impl Tables {
    /// A step begins that survives so much.
    fn begin(&mut self, durability: Durability) {
        if durability == Durability::Process && self.lasting.is_none() {
            self.lasting = Some(Arc::new(self.clone()));
        }
    }

    /// The step is written.
    fn end(&mut self, durability: Durability) {
        if durability == Durability::Power {
            self.lasting = None;
        }
    }
}

impl Memory {
    /// The machine loses its power: what is left is what every store keeps over that.
    pub fn cut_power(&self) {
        let mut tables = self.tables();
        if let Some(lasting) = tables.lasting.take() {
            *tables = Arc::unwrap_or_clone(lasting);
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every call checks before it changes anything, so a panic leaves whole steps.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn saved(&self) -> Result<Saved, StoreError> {
        let tables = self.tables();
        Ok(Saved { snoozes: tables.snoozes.standing(), ..tables.known.saved() })
    }

    async fn rows(
        &self,
        each: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError> {
        let rows = self.tables().known.rows();
        hand_over(rows, each);
        Ok(())
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError> {
        let mut tables = self.tables();
        let durability = Durability::of(&commit);
        tables.begin(durability);
        let Tables { known, outbox, history, snoozes, .. } = &mut *tables;
        known.add_scopes(&commit.scopes)?;
        let settled = outbox.post(&commit.outbox, &mut known.ledger);
        history.apply(&commit, known);
        known.apply(&commit);
        snoozes.write(&commit.snoozes);
        tables.end(durability);
        Ok(settled)
    }

    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
        let tables = self.tables();
        Ok(rows.iter().map(|row| tables.known.facts(*row)).collect())
    }

    async fn kept(&self, rows: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError> {
        let tables = self.tables();
        Ok(rows.iter().map(|row| tables.known.kept(*row)).collect())
    }

    async fn find_names(&self, query: &NameQuery) -> Result<NameHits, StoreError> {
        Ok(self.tables().known.find_names(query))
    }

    /// Nothing to do: names are looked for where they are.
    async fn index_names(&self, _most: usize) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Facts>, StoreError> {
        Ok(self.tables().known.list(query))
    }

    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        Ok(self.tables().outbox.pending(channel, limit))
    }

    async fn came_after(&self, channel: &str, delivery: i64) -> Result<(i64, bool), StoreError> {
        Ok(self.tables().outbox.came_after(channel, delivery))
    }

    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        Ok(self.tables().outbox.backlog())
    }

    async fn freeze(
        &self,
        deliveries: &[i64],
        batch: &Batch,
        body: &Body,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let frozen = tables.outbox.freeze(deliveries, batch, body);
        tables.end(Durability::Power);
        Ok(frozen)
    }

    async fn body(&self, channel: &str, batch: &str) -> Result<Option<Body>, StoreError> {
        Ok(self.tables().outbox.body(channel, batch))
    }

    async fn say_again(
        &self,
        channel: &str,
        given_up_before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let again = tables.outbox.say_again(channel, given_up_before, at);
        tables.end(Durability::Power);
        Ok(again)
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        Ok(self.tables().outbox.entries(query))
    }

    async fn given_up(&self) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self.tables().outbox.given_up())
    }

    async fn order(
        &self,
        order: (i64, OutboxOrder),
        channels: &[String],
        at: Timestamp,
    ) -> Result<OutboxAnswer, StoreError> {
        let mut tables = self.tables();
        let answer = tables.outbox.order(order, channels, at);
        tables.end(Durability::Power);
        Ok(answer)
    }

    async fn told(&self, rows: &[RowId]) -> Result<Vec<Vec<String>>, StoreError> {
        let tables = self.tables();
        let told =
            |row| tables.known.ledger.get(row).map(|(_, told)| told.keys().cloned().collect());
        Ok(rows.iter().map(|row| told(row).unwrap_or_default()).collect())
    }

    async fn heard(&self, rows: &[RowId]) -> Result<Vec<Vec<Heard>>, StoreError> {
        let tables = self.tables();
        let told = |row| tables.known.ledger.get(row).map(|(_, told)| told);
        Ok(rows.iter().map(|row| tables.outbox.heard(*row, told(row))).collect())
    }

    async fn heard_late(&self) -> Result<Vec<(RowId, Timestamp)>, StoreError> {
        let tables = self.tables();
        let ledger = tables.known.ledger.iter();
        let late =
            ledger.flat_map(|(row, (_, told))| told.values().flatten().map(move |at| (*row, *at)));
        Ok(late.collect())
    }

    async fn open_for(&self, channel: &str) -> Result<Vec<(RowId, Notified)>, StoreError> {
        let tables = self.tables();
        let open = tables.known.ledger.iter().filter(|(_, (_, told))| told.contains_key(channel));
        Ok(open.map(|(row, (said, _))| (*row, *said)).collect())
    }

    async fn open_alerts(
        &self,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<(RowId, Notified, Vec<String>)>, StoreError> {
        let tables = self.tables();
        let later = tables.known.ledger.iter().filter(|(row, _)| after.is_none_or(|it| **row > it));
        let alert = |(row, (said, told)): (&RowId, &(Notified, Told))| {
            (*row, *said, told.keys().cloned().collect())
        };
        Ok(later.take(limit).map(alert).collect())
    }

    async fn stranded(&self, channels: &[String]) -> Result<Vec<Stranded>, StoreError> {
        Ok(self.tables().outbox.stranded(channels))
    }

    async fn unsaid(&self) -> Result<Vec<RowId>, StoreError> {
        let tables = self.tables();
        let untold = tables.known.ledger.iter().filter(|(_, (_, told))| told.is_empty());
        Ok(untold.map(|(row, _)| *row).filter(|row| !tables.outbox.is_about(*row)).collect())
    }

    async fn judge(
        &self,
        batch: (&str, &str),
        update: &BatchUpdate,
        state: &ChannelState,
        verdict: Option<&Verdict>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Tables { known, outbox, history, .. } = &mut *tables;
        if let Some(verdict) = verdict {
            history.sent(outbox, batch, verdict);
        }
        outbox.settle(batch, update, state, known)?;
        tables.end(Durability::Power);
        Ok(())
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        Ok(self.tables().history.read(query))
    }

    async fn forget_old(
        &self,
        now: Option<Timestamp>,
        most: u64,
    ) -> Result<(AuditSize, bool), StoreError> {
        let mut tables = self.tables();
        if let Some(now) = now {
            let Tables { outbox, known, .. } = &mut *tables;
            outbox.forget_long_before(now, known);
        }
        Ok((tables.history.trim(now.map(|now| now.plus(-AUDIT_KEPT)), most), false))
    }

    async fn former_ends(&self, row: RowId) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        Ok(self.tables().history.ends(row))
    }

    async fn said_of(&self, id: &str) -> Result<Vec<OutboxEntry>, StoreError> {
        Ok(self.tables().outbox.said_of(id))
    }

    async fn leave_out(
        &self,
        channel: &str,
        deliveries: &[i64],
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let left = tables.outbox.leave_out(channel, deliveries, at);
        tables.end(Durability::Power);
        Ok(left)
    }

    async fn snoozes(&self) -> Result<Vec<Snooze>, StoreError> {
        Ok(self.tables().snoozes.all())
    }

    async fn link_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let mut tables = self.tables();
        let key = *tables.link_key.get_or_insert(fresh);
        tables.end(Durability::Power);
        Ok(key)
    }

    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        Ok(self.tables().outbox.channel_state(channel))
    }

    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
        Ok(self.tables().known.saved().scans)
    }

    async fn each_checkpoint(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError> {
        let checkpoints = self.tables().known.checkpoints(source);
        hand_over(checkpoints, each);
        Ok(())
    }

    async fn retain_sources(&self, sources: &[String]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.known.retain_sources(sources);
        tables.end(Durability::Power);
        Ok(())
    }

    /// Nothing to do: the content stays for the other handles.
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn hand_over<T>(all: Vec<T>, each: &mut (dyn FnMut(Vec<T>) + Send)) {
    let mut left = all.into_iter();
    loop {
        let chunk: Vec<T> = left.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return;
        }
        each(chunk);
    }
}

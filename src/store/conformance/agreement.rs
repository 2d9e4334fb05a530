//! Two stores that answer alike under any sequence of calls.

use std::collections::BTreeMap;

use super::super::{ChannelState, EntryQuery, Memory, OutboxEntry, OutboxOrder, Standing};
use super::calls::{CHANNELS, Call, Ending, Input, Posted, ROWS, SCOPES};
use super::*;

/// Makes the calls of `input` to the store at `place` and to one in memory, and compares all that can be read after
/// each.
pub(crate) async fn agrees_with_memory(place: impl Place, input: Input) {
    let mut pair = Pair::new(place.open().await);
    for call in input.calls {
        match call {
            Call::Commit(commit, outbox) => pair.commit(*commit, &outbox, &input.events).await,
            Call::Freeze(channel, count) => pair.freeze(channel, count).await,
            Call::Settle(channel, ending, state) => pair.settle(channel, ending, &state).await,
            Call::Order(place, order) => pair.order(place, order).await,
            Call::Retain(sources) => {
                for store in pair.both() {
                    store.retain_sources(&sources).await.unwrap();
                }
            }
            Call::Reopen => {
                drop(pair.store);
                pair.store = place.open().await;
            }
        }
        pair.compare().await;
    }
}

async fn entries(store: &dyn Store, standing: Standing) -> Vec<OutboxEntry> {
    store.entries(&EntryQuery { standing, channel: None, limit: 100 }).await.unwrap()
}

struct Pair {
    store: Arc<dyn Store>,
    memory: Memory,
    /// Batches so far, by channel: so that channels have batches with the same id.
    batches: BTreeMap<&'static str, u32>,
}

impl Pair {
    fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memory: Memory::default(), batches: BTreeMap::new() }
    }

    fn both(&self) -> [&dyn Store; 2] {
        [&*self.store, &self.memory]
    }

    async fn commit(&self, commit: Commit, outbox: &[Posted], events: &[Event]) {
        let mut commit = self.possible(commit).await;
        // The alert about a certificate is closed before it is removed.
        let closed = |row: &RowId| {
            let (row, at, channels) = (*row, at(1_000), Vec::new());
            Post::Closed { row, at, event: None, channels }
        };
        let said = outbox.iter().map(|one| one.of(events));
        commit.outbox = said.chain(commit.removed.iter().map(closed)).collect();
        let commit = Arc::new(commit);
        let [store, memory] = self.both();
        let settled = store.commit(Arc::clone(&commit)).await.unwrap();
        assert_eq!(settled, memory.commit(commit).await.unwrap());
    }

    /// Makes a step one that the pipeline could have made: its scopes are there, and it is about known certificates.
    async fn possible(&self, mut commit: Commit) -> Commit {
        let known = self.memory.saved().await.unwrap().scopes;
        for write in &commit.rows {
            let there = known.iter().any(|(id, ..)| *id == write.scope)
                || commit.scopes.iter().any(|(id, ..)| *id == write.scope);
            if !there {
                let (source, name) = SCOPES[write.scope.0 as usize];
                commit.scopes.push(scope(write.scope.0, source, name));
            }
        }
        let asked: Vec<_> = commit.ledger.iter().map(|(row, _)| *row).collect();
        let mut known = self.memory.facts(&asked).await.unwrap().into_iter();
        let (rows, removed) = (&commit.rows, &commit.removed);
        commit.ledger.retain(|(row, _)| {
            let stays = known.next().flatten().is_some() && !removed.contains(row);
            stays || rows.iter().any(|write| write.row == *row)
        });
        commit
    }

    async fn freeze(&mut self, channel: &'static str, count: usize) {
        let number = self.batches.entry(channel).or_default();
        *number += 1;
        let (batch, said) = (batch(&format!("b{number}")), body());
        for store in self.both() {
            let free = pending(store, channel).await.into_iter().filter(|one| one.batch.is_none());
            let free: Vec<i64> = free.take(count).map(|one| one.delivery).collect();
            assert!(store.freeze(&free, &batch, &said).await.unwrap());
        }
    }

    async fn settle(&self, channel: &str, ending: Ending, state: &ChannelState) {
        let frozen = pending(&self.memory, channel).await.into_iter().find_map(|one| one.batch);
        let frozen = frozen.unwrap_or_else(|| batch("none"));
        let update = ending.of(&frozen);
        for store in self.both() {
            store.settle(channel, &frozen.id, &update, state).await.unwrap();
        }
    }

    /// Gives an order about a message; the numbers of deliveries are each store's own.
    async fn order(&self, place: usize, order: OutboxOrder) {
        let mut answers = Vec::new();
        for store in self.both() {
            let mut all = Vec::new();
            for standing in [Standing::Dead, Standing::Waiting] {
                all.extend(entries(store, standing).await);
            }
            let id = all.get(place).map_or(0, |entry| entry.id);
            let there = ["ops".to_owned()];
            answers.push(store.order((id, order), &there, at(1_000)).await.unwrap());
        }
        assert_eq!(answers[0], answers[1]);
    }

    async fn compare(&self) {
        let [store, memory] = self.both();
        let (found, saved) = (store.saved().await.unwrap(), memory.saved().await.unwrap());
        assert_eq!(found.scopes, saved.scopes);
        assert_eq!(found.ledger, saved.ledger);
        assert_eq!(found.conditions, saved.conditions);
        assert_eq!(found.renewals, saved.renewals);
        assert_eq!(found.scans, saved.scans);
        assert_eq!(store.scans().await.unwrap(), memory.scans().await.unwrap());
        assert_eq!(rows(store).await, rows(memory).await);
        let asked: Vec<_> = (0..=ROWS).rev().map(RowId).collect();
        assert_eq!(store.facts(&asked).await.unwrap(), memory.facts(&asked).await.unwrap());
        assert_eq!(store.kept(&asked).await.unwrap(), memory.kept(&asked).await.unwrap());
        for source in ["iot", "web", "plant"] {
            assert_eq!(
                store.checkpoints(source).await.unwrap(),
                memory.checkpoints(source).await.unwrap()
            );
        }
        self.compare_lists().await;
        self.compare_outbox().await;
    }

    async fn compare_lists(&self) {
        let [store, memory] = self.both();
        let all = ListQuery { limit: 100, ..ListQuery::default() };
        let soonest = memory.list(&all).await.unwrap();
        assert_eq!(store.list(&all).await.unwrap(), soonest);
        let ends_before = soonest.last().and_then(|facts| facts.not_after);
        let few = ListQuery { source: Some("iot".to_owned()), ends_before, limit: 2 };
        assert_eq!(store.list(&few).await.unwrap(), memory.list(&few).await.unwrap());
    }

    async fn compare_outbox(&self) {
        let [store, memory] = self.both();
        // The keys of deliveries are each store's own.
        let without_keys = |pending: Vec<Pending>| {
            pending.into_iter().map(|one| (one.event, one.batch)).collect::<Vec<_>>()
        };
        for channel in CHANNELS {
            assert_eq!(
                store.channel_state(channel).await.unwrap(),
                memory.channel_state(channel).await.unwrap()
            );
            let expected = without_keys(pending(memory, channel).await);
            assert_eq!(without_keys(pending(store, channel).await), expected);
            for batch in expected.iter().filter_map(|(_, batch)| batch.as_ref()) {
                let said = memory.body(channel, &batch.id).await.unwrap();
                assert_eq!(store.body(channel, &batch.id).await.unwrap(), said);
                assert_eq!(said, Some(body()));
            }
            assert_eq!(store.pending(channel, 3).await.unwrap().len(), expected.len().min(3));
        }
        assert_eq!(store.backlog().await.unwrap(), memory.backlog().await.unwrap());
        assert_eq!(store.given_up().await.unwrap(), memory.given_up().await.unwrap());
        for standing in Standing::ALL {
            let found = entries(store, standing).await.into_iter();
            let found: Vec<_> = found.map(|entry| OutboxEntry { id: 0, ..entry }).collect();
            let expected = entries(memory, standing).await.into_iter();
            let expected: Vec<_> = expected.map(|entry| OutboxEntry { id: 0, ..entry }).collect();
            assert_eq!(found, expected);
        }
        let asked: Vec<_> = (0..ROWS).map(RowId).collect();
        assert_eq!(store.told(&asked).await.unwrap(), memory.told(&asked).await.unwrap());
        assert_eq!(store.heard(&asked).await.unwrap(), memory.heard(&asked).await.unwrap());
        assert_eq!(store.heard_late().await.unwrap(), memory.heard_late().await.unwrap());
        for after in [None, Some(RowId(2))] {
            let open = memory.open_alerts(after, 3).await.unwrap();
            assert_eq!(store.open_alerts(after, 3).await.unwrap(), open);
        }
        assert_eq!(store.unsaid().await.unwrap(), memory.unsaid().await.unwrap());
        let there = ["ops".to_owned()];
        let stranded = memory.stranded(&there).await.unwrap();
        assert_eq!(store.stranded(&there).await.unwrap(), stranded);
    }
}

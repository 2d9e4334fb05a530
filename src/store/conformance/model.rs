//! A store in a few maps, and a store that must behave like it under any sequence of calls.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::{BatchUpdate, ChannelState};
use super::*;
use crate::expiry::Facts;

const CHANNELS: [&str; 2] = ["ops", "dev"];
const SCOPES: [(&str, &str); 4] = [("iot", "a"), ("iot", "b"), ("web", "all"), ("plant", "all")];
const ROWS: u32 = 10;

/// A sequence of calls, and the events that it speaks of.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    events: Vec<Event>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Box<Commit>, Vec<(prop::sample::Index, Vec<String>)>),
    Freeze(&'static str, usize),
    Settle(&'static str, Ending, ChannelState),
    Retain(Vec<String>),
    Reopen,
}

#[derive(Clone, Debug)]
enum Ending {
    Delivered,
    Retry { detail: u8, next_at: Timestamp },
    Dead(String),
}

/// Any short sequence of calls over few enough things that they meet often.
pub(crate) fn input() -> impl Strategy<Value = Input> {
    (vec(any::event(), 8), vec(a_step(), 1..14)).prop_map(|(mut events, steps)| {
        for (number, event) in events.iter_mut().enumerate() {
            event.id = format!("e{number}");
        }
        Input { events, steps }
    })
}

/// Does what `input` says, to the store and to the model, and compares all that can be read after every call.
pub(crate) async fn agrees_with_model(place: impl Place, input: Input) {
    let mut model = Model::default();
    let mut store = place.open().await;
    for step in input.steps {
        match step {
            Step::Commit(commit, outbox) => {
                let mut commit = model.possible(*commit);
                commit.outbox = outbox
                    .into_iter()
                    .map(|(event, channels)| (event.get(&input.events).clone(), channels))
                    .collect();
                model.commit(&commit);
                store.commit(Arc::new(commit)).await.unwrap();
            }
            Step::Freeze(channel, count) => model.freeze(&*store, channel, count).await,
            Step::Settle(channel, ending, state) => {
                model.settle(&*store, channel, ending, state).await;
            }
            Step::Retain(sources) => {
                model.retain(&sources);
                store.retain_sources(&sources).await.unwrap();
            }
            Step::Reopen => {
                drop(store);
                store = place.open().await;
            }
        }
        model.compare(&*store).await;
    }
}

#[derive(Default)]
struct Model {
    scopes: BTreeMap<ScopeId, (String, String)>,
    rows: BTreeMap<RowId, RowWrite>,
    ledger: BTreeMap<RowId, Said>,
    conditions: BTreeMap<String, Timestamp>,
    scans: BTreeMap<(String, String, String), ScanRecord>,
    notes: BTreeMap<(String, String, String), String>,
    deliveries: Vec<Delivery>,
    batches: BTreeMap<String, usize>,
    states: BTreeMap<&'static str, ChannelState>,
}

struct Delivery {
    event: Event,
    channel: String,
    batch: Option<Batch>,
    waits: bool,
}

impl Model {
    /// Makes a step one that the pipeline could have made: its scopes are there, and it speaks of known certificates.
    fn possible(&self, mut commit: Commit) -> Commit {
        for write in &commit.rows {
            let known = self.scopes.contains_key(&write.scope)
                || commit.scopes.iter().any(|(id, ..)| *id == write.scope);
            if !known {
                let (source, name) = SCOPES[write.scope.0 as usize];
                commit.scopes.push(scope(write.scope.0, source, name));
            }
        }
        let rows = &commit.rows;
        commit.ledger.retain(|(row, _)| {
            let stays = self.rows.contains_key(row) && !commit.removed.contains(row);
            stays || rows.iter().any(|write| write.row == *row)
        });
        commit
    }

    fn commit(&mut self, commit: &Commit) {
        for (id, source, scope) in &commit.scopes {
            self.scopes.insert(*id, (source.to_string(), scope.to_string()));
        }
        for row in &commit.removed {
            self.rows.remove(row);
            self.ledger.remove(row);
        }
        self.rows.extend(commit.rows.iter().map(|write| (write.row, write.clone())));
        for (row, status) in &commit.statuses {
            if let Some(write) = self.rows.get_mut(row) {
                write.status = *status;
            }
        }
        put(&mut self.ledger, &commit.ledger);
        put(&mut self.conditions, &commit.conditions);
        for (source, scope) in &commit.unlisted {
            self.scans.retain(|(one, other, _), _| one != source || other != scope);
            self.notes.retain(|(one, other, _), _| one != source || other != scope);
        }
        let noted = |note: &Note| {
            let key = (note.source.clone(), note.scope.clone(), note.key.clone());
            (key, note.value.clone())
        };
        put(&mut self.notes, &commit.notes.iter().map(noted).collect::<Vec<_>>());
        for scan in &commit.scans {
            let key = (scan.source.clone(), scan.scope.clone(), scan.window.clone());
            self.scans.insert(key, scan.clone());
        }
        for (event, channels) in &commit.outbox {
            for channel in channels {
                self.enqueue(event, channel);
            }
        }
    }

    fn enqueue(&mut self, event: &Event, channel: &str) {
        let there = |known: &Delivery| known.event.id == event.id && known.channel == channel;
        if !self.deliveries.iter().any(there) {
            let (event, channel) = (event.clone(), channel.to_owned());
            self.deliveries.push(Delivery { event, channel, batch: None, waits: true });
        }
    }

    async fn freeze(&mut self, store: &dyn Store, channel: &str, count: usize) {
        // Counted by channel, so that channels have batches with the same id.
        let number = self.batches.entry(channel.to_owned()).or_default();
        *number += 1;
        let batch = batch(&format!("b{number}"));
        let free = pending(store, channel).await.into_iter().filter(|one| one.batch.is_none());
        let free: Vec<i64> = free.take(count).map(|one| one.delivery).collect();
        store.freeze(&free, &batch).await.unwrap();
        self.waiting(channel)
            .filter(|one| one.batch.is_none())
            .take(count)
            .for_each(|one| one.batch = Some(batch.clone()));
    }

    async fn settle(
        &mut self,
        store: &dyn Store,
        channel: &'static str,
        ending: Ending,
        state: ChannelState,
    ) {
        let frozen = self.waiting(channel).find_map(|one| one.batch.clone());
        let frozen = frozen.unwrap_or_else(|| batch("none"));
        let mine = self
            .waiting(channel)
            .filter(|one| one.batch.as_ref().is_some_and(|batch| batch.id == frozen.id));
        let update = match ending {
            Ending::Delivered => {
                mine.for_each(|one| one.waits = false);
                BatchUpdate::Delivered { at: at(1_000) }
            }
            Ending::Dead(code) => {
                mine.for_each(|one| one.waits = false);
                BatchUpdate::Dead { at: at(1_000), code }
            }
            Ending::Retry { detail, next_at } => {
                let attempts = frozen.attempts + 1;
                let next = Batch { id: frozen.id.clone(), attempts, detail, next_at };
                mine.for_each(|one| one.batch = Some(next.clone()));
                BatchUpdate::Retry(next)
            }
        };
        store.settle(channel, &frozen.id, &update, &state).await.unwrap();
        self.states.insert(channel, state);
    }

    fn waiting<'a>(&'a mut self, channel: &str) -> impl Iterator<Item = &'a mut Delivery> {
        self.deliveries.iter_mut().filter(move |one| one.waits && one.channel == channel)
    }

    fn retain(&mut self, sources: &[String]) {
        self.scopes.retain(|_, (source, _)| sources.contains(source));
        self.rows.retain(|_, write| self.scopes.contains_key(&write.scope));
        self.ledger.retain(|row, _| self.rows.contains_key(row));
        self.scans.retain(|(source, ..), _| sources.contains(source));
        self.notes.retain(|(source, ..), _| sources.contains(source));
    }

    async fn compare(&mut self, store: &dyn Store) {
        let saved = store.saved().await.unwrap();
        let scopes =
            self.scopes.iter().map(|(id, (source, scope))| (*id, source.clone(), scope.clone()));
        assert_eq!(saved.scopes, scopes.collect::<Vec<_>>());
        assert_eq!(saved.ledger, self.ledger.clone().into_iter().collect::<Vec<_>>());
        assert_eq!(saved.conditions, self.conditions.clone().into_iter().collect::<Vec<_>>());
        assert_eq!(saved.scans, self.scans.values().cloned().collect::<Vec<_>>());
        assert_eq!(store.scans().await.unwrap(), saved.scans);
        assert_eq!(rows(store).await, self.rows.values().map(stored).collect::<Vec<_>>());
        let asked: Vec<_> = (0..=ROWS).rev().map(RowId).collect();
        let facts: Vec<_> = asked.iter().map(|row| self.facts(*row)).collect();
        assert_eq!(store.facts(&asked).await.unwrap(), facts);
        self.compare_notes(store).await;
        self.compare_lists(store).await;
        self.compare_outbox(store).await;
    }

    async fn compare_notes(&self, store: &dyn Store) {
        for source in ["iot", "web", "plant"] {
            let of_source = self.notes.iter().filter(|((one, ..), _)| one == source);
            let expected = of_source
                .map(|((_, scope, key), value)| note(source, scope, key, Some(value.as_str())));
            assert_eq!(store.notes(source).await.unwrap(), expected.collect::<Vec<_>>());
        }
    }

    async fn compare_lists(&self, store: &dyn Store) {
        let dated = |write: &&RowWrite| write.sighting.not_after.is_some();
        let mut soonest: Vec<_> = self.rows.values().filter(dated).collect();
        soonest.sort_by_key(|write| (write.sighting.not_after, write.row));
        let facts: Vec<_> = soonest.iter().filter_map(|write| self.facts(write.row)).collect();
        let all = ListQuery { limit: 100, ..ListQuery::default() };
        assert_eq!(store.list(&all).await.unwrap(), facts);

        let source = Some("iot".to_owned());
        let ends_before = facts.last().and_then(|facts| facts.not_after);
        let few = ListQuery { source, ends_before, limit: 2 };
        let chosen = facts.iter().filter(|facts| {
            facts.source == "iot" && (ends_before.is_none() || facts.not_after < ends_before)
        });
        assert_eq!(store.list(&few).await.unwrap(), chosen.take(2).cloned().collect::<Vec<_>>());
    }

    async fn compare_outbox(&mut self, store: &dyn Store) {
        let mut backlog = Vec::new();
        for channel in CHANNELS {
            let state = self.states.get(channel).cloned().unwrap_or_default();
            assert_eq!(store.channel_state(channel).await.unwrap(), state);
            let expected: Vec<_> =
                self.waiting(channel).map(|one| (one.event.clone(), one.batch.clone())).collect();
            let found: Vec<_> = pending(store, channel)
                .await
                .into_iter()
                .map(|one| (one.event, one.batch))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(store.pending(channel, 3).await.unwrap().len(), expected.len().min(3));
            if let Some(oldest) = expected.iter().map(|(event, _)| event.at).min() {
                backlog.push((channel.to_owned(), expected.len() as u64, oldest));
            }
        }
        backlog.sort();
        assert_eq!(store.backlog().await.unwrap(), backlog);
    }

    fn facts(&self, row: RowId) -> Option<Facts> {
        let write = self.rows.get(&row)?;
        let (source, scope) = self.scopes.get(&write.scope)?.clone();
        let sighting = write.sighting.clone();
        Some(Facts {
            source,
            scope,
            issuer: sighting.issuer,
            serial: sighting.serial,
            kind: sighting.kind,
            status: write.status,
            common_name: sighting.common_name,
            holder: sighting.holder,
            unit: sighting.unit,
            not_before: sighting.not_before,
            not_after: sighting.not_after,
        })
    }
}

fn put<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, changes: &[(K, Option<V>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(map.insert(key.clone(), value.clone())),
            None => drop(map.remove(key)),
        }
    }
}

fn a_step() -> impl Strategy<Value = Step> {
    let channel = || proptest::sample::select(CHANNELS.as_slice());
    let channels = proptest::sample::subsequence(CHANNELS.map(str::to_owned).to_vec(), 0..=2);
    let outbox = vec((proptest::prelude::any::<prop::sample::Index>(), channels), 0..4);
    let sources = vec!["iot".to_owned(), "web".to_owned(), "plant".to_owned()];
    prop_oneof![
        6 => (a_commit(), outbox).prop_map(|(commit, outbox)| Step::Commit(Box::new(commit), outbox)),
        3 => (channel(), 0_usize..4).prop_map(|(channel, count)| Step::Freeze(channel, count)),
        3 => (channel(), an_ending(), a_state()).prop_map(|(channel, ending, state)| {
            Step::Settle(channel, ending, state)
        }),
        1 => proptest::sample::subsequence(sources, 0..=3).prop_map(Step::Retain),
        1 => Just(Step::Reopen),
    ]
}

fn a_commit() -> impl Strategy<Value = Commit> {
    let number = || (0..ROWS).prop_map(RowId);
    let write = (number(), any::sighting(), any::status(), any::time()).prop_map(
        |(row, sighting, status, first_seen)| {
            // The scope follows from the number, so that few scopes are enough.
            RowWrite { row, scope: ScopeId(row.0 % 4), sighting, status, first_seen }
        },
    );
    let told = vec("[a-z]{1,3}", 0..3).prop_map(|names| names.into_iter().map(Arc::from).collect());
    let said =
        (any::rung(), any::time(), told).prop_map(|(rung, at, told)| Said { rung, at, told });
    (
        vec(write, 0..6),
        vec((number(), any::status()), 0..4),
        vec(number(), 0..3),
        vec((number(), option::of(said)), 0..4),
        vec(("[ab]", option::of(any::time())), 0..3),
        vec(a_scan(), 0..3),
        (option::of(0..SCOPES.len()), vec(a_note(), 0..4)),
    )
        .prop_map(|(rows, statuses, removed, ledger, conditions, scans, (unlisted, notes))| {
            Commit {
                rows,
                statuses,
                removed,
                ledger,
                conditions,
                unlisted: unlisted
                    .map(|number| (SCOPES[number].0.to_owned(), SCOPES[number].1.to_owned()))
                    .into_iter()
                    .collect(),
                notes,
                scans,
                ..Commit::default()
            }
        })
}

fn a_note() -> impl Strategy<Value = Note> {
    (0..SCOPES.len(), "[kl]", option::of(any::text())).prop_map(|(number, key, value)| {
        note(SCOPES[number].0, SCOPES[number].1, &key, value.as_deref())
    })
}

fn a_scan() -> impl Strategy<Value = ScanRecord> {
    let key = (0..SCOPES.len(), proptest::sample::select(["near", "all"].as_slice()));
    let rest = (any::time(), option::of(any::time()), 0_u64..1 << 60, option::of(any::text()));
    (key, rest).prop_map(|((number, window), (ended, last_proven, reported, error))| ScanRecord {
        source: SCOPES[number].0.to_owned(),
        scope: SCOPES[number].1.to_owned(),
        window: window.to_owned(),
        started: ended.plus(-9),
        ended,
        proven: error.is_none(),
        reported,
        collected: reported / 2,
        last_proven,
        error,
    })
}

fn an_ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Delivered),
        (0_u8..4, any::time()).prop_map(|(detail, next_at)| Ending::Retry { detail, next_at }),
        any::text().prop_map(Ending::Dead),
    ]
}

fn a_state() -> impl Strategy<Value = ChannelState> {
    let rest = (proptest::prelude::any::<u32>(), option::of(any::time()));
    (option::of(any::time()), option::of(any::text()), rest).prop_map(
        |(gate_until, down, (failures, last_success))| ChannelState {
            gate_until,
            down,
            failures,
            last_success,
        },
    )
}

//! Any sequence of calls to a store.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::{About, BatchUpdate, ChannelState, OutboxOrder};
use super::*;

/// Few enough that calls often meet over the same.
pub(super) const CHANNELS: [&str; 2] = ["ops", "dev"];
pub(super) const SCOPES: [(&str, &str); 4] =
    [("iot", "a"), ("iot", "b"), ("web", "all"), ("plant", "all")];
pub(super) const ROWS: u32 = 10;

const DAY: i64 = 86_400;

/// A sequence of calls, and the events that are in them.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(super) events: Vec<Event>,
    pub(super) calls: Vec<Call>,
}

#[derive(Clone, Debug)]
pub(super) enum Call {
    Commit(Box<Commit>, Vec<Posted>),
    Freeze(&'static str, usize),
    Settle(&'static str, Ending, ChannelState),
    Order(usize, OutboxOrder),
    Retain(Vec<String>),
    Reopen,
}

/// Something that a step does to the outbox, with one of the events.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    event: prop::sample::Index,
    channels: Vec<String>,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Say(About),
    Rung(RowId),
    Held(About),
    /// With the event, or without a word.
    Closed(RowId, bool),
    Over(String, bool),
    Channels,
}

impl Posted {
    pub(super) fn of(&self, events: &[Event]) -> Post {
        let (event, channels) = (self.event.get(events).clone(), self.channels.clone());
        let at = at(1_000);
        let word = |said: bool| said.then(|| event.clone());
        match self.way.clone() {
            Way::Say(about) => Post::Say { event, channels, about },
            Way::Rung(row) => Post::Rung { row, event, channels },
            Way::Held(about) => Post::Held { about, at },
            Way::Closed(row, said) => Post::Closed { row, at, event: word(said), channels },
            Way::Over(key, said) => {
                let otherwise = channels.iter().take(1).cloned().collect();
                Post::Over { key, at, event: word(said), channels, otherwise }
            }
            Way::Channels => Post::Channels { at, names: channels },
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Ending {
    Delivered { at: Timestamp },
    Retry { detail: u8, next_at: Timestamp },
    Released,
    Dead(String),
}

impl Ending {
    pub(super) fn of(self, batch: &Batch) -> BatchUpdate {
        match self {
            Self::Delivered { at } => BatchUpdate::Delivered { at },
            Self::Dead(code) => BatchUpdate::Dead { at: at(1_000), code },
            Self::Retry { detail, next_at } => {
                let attempts = batch.attempts + 1;
                BatchUpdate::Retry(Batch { attempts, detail, next_at, ..batch.clone() })
            }
            Self::Released => BatchUpdate::Released,
        }
    }
}

/// Any short sequence of calls over few enough things that they meet often.
pub(crate) fn input() -> impl Strategy<Value = Input> {
    (vec(any::event(), 8), vec(a_call(), 1..14)).prop_map(|(mut events, calls)| {
        for (number, event) in events.iter_mut().enumerate() {
            event.id = format!("e{number}");
        }
        Input { events, calls }
    })
}

fn a_call() -> impl Strategy<Value = Call> {
    let channel = || proptest::sample::select(CHANNELS.as_slice());
    let outbox = vec(a_post(), 0..4);
    let sources = vec!["iot".to_owned(), "web".to_owned(), "plant".to_owned()];
    prop_oneof![
        6 => (a_commit(), outbox).prop_map(|(commit, outbox)| Call::Commit(Box::new(commit), outbox)),
        3 => (channel(), 0_usize..4).prop_map(|(channel, count)| Call::Freeze(channel, count)),
        3 => (channel(), an_ending(), a_state()).prop_map(|(channel, ending, state)| {
            Call::Settle(channel, ending, state)
        }),
        1 => (0_usize..6, an_order()).prop_map(|(place, order)| Call::Order(place, order)),
        1 => proptest::sample::subsequence(sources, 0..=3).prop_map(Call::Retain),
        1 => Just(Call::Reopen),
    ]
}

fn an_order() -> impl Strategy<Value = OutboxOrder> {
    prop_oneof![Just(OutboxOrder::Retry), Just(OutboxOrder::Drop)]
}

fn a_post() -> impl Strategy<Value = Posted> {
    let event = proptest::prelude::any::<prop::sample::Index>();
    let channels = proptest::sample::subsequence(CHANNELS.map(str::to_owned).to_vec(), 0..=2);
    (event, channels, a_way()).prop_map(|(event, channels, way)| Posted { event, channels, way })
}

fn a_way() -> impl Strategy<Value = Way> {
    // Few, so that what is said of one ends as well.
    let row = || (0..3_u32).prop_map(RowId);
    let key = || "[ab]".prop_map(|key: String| key);
    let said = proptest::prelude::any::<bool>;
    prop_oneof![
        3 => Just(Way::Say(About::Nothing)),
        1 => row().prop_map(|row| Way::Say(About::Certificate(row))),
        2 => key().prop_map(|key| Way::Say(About::Condition(key))),
        4 => row().prop_map(Way::Rung),
        1 => row().prop_map(|row| Way::Held(About::Certificate(row))),
        1 => key().prop_map(|key| Way::Held(About::Condition(key))),
        2 => (row(), said()).prop_map(|(row, said)| Way::Closed(row, said)),
        2 => (key(), said()).prop_map(|(key, said)| Way::Over(key, said)),
        1 => Just(Way::Channels),
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
    let entry = (any::rung(), any::time(), any::<bool>(), any::<u16>());
    let entry = entry.prop_map(|(rung, at, mild, count)| Notified { rung, at, mild, count });
    (
        vec(write, 0..6),
        vec((number(), any::status()), 0..4),
        vec(number(), 0..3),
        vec((number(), option::of(entry)), 0..4),
        vec(("[ab]", option::of(any::time())), 0..3),
        vec(a_scan(), 0..3),
        (option::of(0..SCOPES.len()), vec(a_checkpoint(), 0..4)),
        vec((0..SCOPES.len(), 0..3_i32, 0..9_u64), 0..3),
    )
        .prop_map(
            |(
                rows,
                statuses,
                removed,
                ledger,
                conditions,
                scans,
                (unlisted, checkpoints),
                renewed,
            )| {
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
                    checkpoints,
                    scans,
                    renewals: renewed
                        .into_iter()
                        .map(|(scope, month, count)| {
                            (
                                SCOPES[scope].0.to_owned(),
                                crate::expiry::Month::from_index(month),
                                count,
                            )
                        })
                        .collect(),
                    ..Commit::default()
                }
            },
        )
}

fn a_checkpoint() -> impl Strategy<Value = Checkpoint> {
    (0..SCOPES.len(), "[kl]", option::of(any::text())).prop_map(|(number, key, value)| {
        checkpoint(SCOPES[number].0, SCOPES[number].1, &key, value.as_deref())
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
        // Ninety days are how long a store remembers what it delivered.
        proptest::sample::select([0, 0, 90, 91, 200].as_slice())
            .prop_map(|days| Ending::Delivered { at: at(1_000 + days * DAY) }),
        (0_u8..4, any::time()).prop_map(|(detail, next_at)| Ending::Retry { detail, next_at }),
        Just(Ending::Released),
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
            since: last_success.map(|at| at.plus(7)),
            gave_up: gate_until.map(|at| (at, "code".to_owned())),
        },
    )
}

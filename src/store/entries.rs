//! The outbox as people look at it: messages, and what waits to be in one.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::StoreError;
use crate::expiry::{Event, Timestamp};

/// Deliveries that are looked at for one list, however many there are.
pub(super) const LOOKED_AT: usize = 50_000;

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It waits to be delivered.
    Waiting,
    /// It was given up.
    Dead,
    /// It was delivered.
    Sent,
}

impl Standing {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Dead, Self::Sent];

    /// Returns the word used in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Sent => "sent",
        }
    }

    /// Returns the one that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == word)
    }
}

/// Which messages are listed.
#[derive(Clone, Debug)]
pub struct EntryQuery {
    /// How far they have come.
    pub standing: Standing,
    /// Only those for this channel.
    pub channel: Option<String>,
    /// At most this many.
    pub limit: usize,
}

/// One message for one channel; an event that is in none yet stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The number of its first delivery, by which it is called.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// How far it has come.
    pub standing: Standing,
    /// The id that the receiver sees, once it has one.
    pub message: Option<String>,
    /// How many events are in it.
    pub events: u64,
    /// The first of them.
    pub event: Event,
    /// When that one was decided.
    pub decided: Timestamp,
    /// When it was delivered or given up.
    pub ended: Option<Timestamp>,
    /// The service's word for why it was given up.
    pub code: Option<String>,
    /// It was given up, and what is in it was said again since, or is true no more.
    pub replaced: bool,
}

/// What an operator wants done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxOrder {
    /// It was given up, and is to be sent once more, with the same id.
    Retry,
    /// It is not to be sent any more.
    Drop,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxAnswer {
    /// It was carried out for a message with so many events.
    Done {
        /// The channel.
        channel: String,
        /// How many events are in it.
        events: u64,
    },
    /// There is no such message.
    Unknown,
    /// It waits already, or was delivered.
    NotGivenUp,
    /// What is in it was said again since, or is true no more.
    Replaced,
    /// There is no such channel any more.
    NoChannel(String),
}

/// An order, and where the answer goes.
#[derive(Debug)]
pub struct OutboxRequest {
    /// The number of a delivery of the message.
    pub id: i64,
    /// What is to be done.
    pub order: OutboxOrder,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<OutboxAnswer, StoreError>>,
}

/// A delivery, as far as a list needs it; its event is looked up by `event`.
pub(super) struct Line<E> {
    pub(super) id: i64,
    pub(super) event: E,
    pub(super) channel: String,
    pub(super) batch: Option<String>,
    pub(super) decided: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) code: Option<String>,
    pub(super) replaced: bool,
}

/// Puts deliveries together that are in one message: the first of each, and how many there are. One that is in none stands
/// for itself. In the order of the first ones, and at most `limit`.
pub(super) fn by_message<E>(
    lines: impl IntoIterator<Item = Line<E>>,
    limit: usize,
) -> Vec<(Line<E>, u64)> {
    let mut places = BTreeMap::<(String, String), usize>::new();
    let mut found: Vec<(Line<E>, u64)> = Vec::new();
    for line in lines {
        let key = line.batch.clone().map(|batch| (line.channel.clone(), batch));
        match key.as_ref().and_then(|key| places.get(key)) {
            Some(place) => {
                if let Some((first, count)) = found.get_mut(*place) {
                    *count += 1;
                    let replaced = first.replaced && line.replaced;
                    if line.id < first.id {
                        *first = line;
                    }
                    first.replaced = replaced;
                }
            }
            None if found.len() >= limit => {}
            None => {
                places.extend(key.map(|key| (key, found.len())));
                found.push((line, 1));
            }
        }
    }
    found
}

impl OutboxEntry {
    pub(super) fn of<E>((line, events): (Line<E>, u64), standing: Standing, event: Event) -> Self {
        let Line { id, channel, batch, decided, ended, code, replaced, .. } = line;
        Self {
            id,
            channel,
            standing,
            message: batch,
            events,
            event,
            decided,
            ended,
            code,
            replaced,
        }
    }
}

//! What is said to one channel at about the same time is one message.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::expiry::{Event, Facts, Month, Rung, Severity, Timestamp, Topic};

/// Certificates that are named in one line.
const NAMED: usize = 5;

/// One message to one channel.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it will be decided, or no longer muted.
    pub at: Timestamp,
    /// The channel.
    pub channel: String,
    /// What it will say.
    pub lines: Vec<Line>,
}

/// What a message will say of some certificates.
#[derive(Clone, Debug)]
pub struct Line {
    /// The kind of event.
    pub kind: &'static str,
    /// The rung, where it is about one.
    pub rung: Option<Rung>,
    /// Why.
    pub reason: &'static str,
    /// How much it asks of the reader.
    pub severity: Severity,
    /// Of how many certificates.
    pub count: u64,
    /// The first few of them.
    pub first: Vec<Facts>,
    /// What will hurt later, where it is about that.
    pub ahead: Option<PlannedAhead>,
}

/// What will hurt later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAhead {
    /// The source.
    pub source: String,
    /// The certificates that end after the authority that signed them, or in the month.
    pub certificates: u64,
    /// The month, and the most that were renewed in one.
    pub month: Option<(Month, u64)>,
}

/// Something that will be said to one channel.
pub(super) struct Saying {
    /// From when on it does not wait there.
    pub(super) at: Timestamp,
    pub(super) channel: String,
    rung: Option<Rung>,
    reason: &'static str,
    event: Event,
}

/// What goes into one line; an authority or a month has one of its own.
type Key = (&'static str, Option<Rung>, &'static str, Severity, String);

impl Saying {
    /// Returns to whom an event goes, which is decided at its time.
    pub(super) fn to_all(
        config: &Config,
        (rung, reason): (Option<Rung>, &'static str),
        event: &Event,
    ) -> Vec<Self> {
        let to = |channel: &str| {
            let at = config.muted_until(event, channel, event.at).unwrap_or(event.at);
            Self { at, channel: channel.to_owned(), rung, reason, event: event.clone() }
        };
        config.route(event).into_iter().map(to).collect()
    }

    fn key(&self) -> Key {
        let subject = match &self.event.topic {
            Topic::EndsFirst { facts, .. } => facts.id(),
            Topic::FleetCliff { source, month, .. } => format!("{month} {source}"),
            _ => String::new(),
        };
        (self.event.kind(), self.rung, self.reason, self.event.severity, subject)
    }

    fn line(&self) -> Line {
        Line {
            kind: self.event.kind(),
            rung: self.rung,
            reason: self.reason,
            severity: self.event.severity,
            count: 0,
            first: Vec::new(),
            ahead: ahead(&self.event.topic),
        }
    }
}

fn ahead(topic: &Topic) -> Option<PlannedAhead> {
    match topic {
        Topic::EndsFirst { facts, leaves, .. } => {
            let source = facts.source.clone();
            Some(PlannedAhead { source, certificates: *leaves, month: None })
        }
        Topic::FleetCliff { source, month, ending, renewed } => {
            let (source, month) = (source.clone(), Some((*month, *renewed)));
            Some(PlannedAhead { source, certificates: *ending, month })
        }
        _ => None,
    }
}

/// Puts together what is said to one channel within the time that the first waits for others.
pub(super) fn messages(mut said: Vec<Saying>, wait: i64) -> Vec<Planned> {
    said.sort_by(|one, other| (&one.channel, one.at).cmp(&(&other.channel, other.at)));
    let mut all: Vec<(Timestamp, String, BTreeMap<Key, Line>)> = Vec::new();
    for one in said {
        let joins = all
            .last()
            .is_some_and(|(first, last, _)| *last == one.channel && one.at.since(*first) <= wait);
        if !joins {
            all.push((one.at, one.channel.clone(), BTreeMap::new()));
        }
        if let Some((.., lines)) = all.last_mut() {
            let line = lines.entry(one.key()).or_insert_with(|| one.line());
            line.count += 1;
            if line.first.len() < NAMED {
                line.first.extend(one.event.facts().cloned());
            }
        }
    }
    let message = |(at, channel, lines): (Timestamp, String, BTreeMap<Key, Line>)| Planned {
        at,
        channel,
        lines: lines.into_values().collect(),
    };
    let mut messages: Vec<Planned> = all.into_iter().map(message).collect();
    messages.sort_by(|one, other| (one.at, &one.channel).cmp(&(other.at, &other.channel)));
    messages
}

//! What happened, for who asks later: append-only, for 400 days.

use serde::{Deserialize, Serialize};

use crate::expiry::Timestamp;

/// How long it is kept, in seconds.
pub const AUDIT_KEPT: i64 = 400 * 86_400;

/// What an entry takes beside its text, in bytes.
pub(super) const AUDIT_OVERHEAD: u64 = 64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The id of the certificate that it is about, if it is about one.
    pub certificate: Option<String>,
    /// What happened.
    pub what: Audited,
}

/// What happened. Times in it are as RFC 3339 has them, and nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Audited {
    /// The daemon started.
    Start {
        /// The build.
        version: String,
        /// Sources that are configured.
        sources: u64,
        /// Channels that are configured.
        channels: u64,
        /// Certificates that were known.
        certificates: u64,
    },
    /// The daemon was stopped in order.
    Stop,
    /// Another configuration is in effect.
    Reload {
        /// What differs, in words.
        difference: Vec<String>,
    },
    /// A poll of a source ended.
    Scan {
        /// The source.
        source: String,
        /// `near` or `all`.
        window: String,
        /// Whether it was proven whole.
        proven: bool,
        /// Certificates that were read.
        rows: u64,
        /// Those of them that were new.
        new: u64,
        /// Certificates that were shown to be gone.
        gone: u64,
        /// Certificates that are known and were not listed.
        missing: u64,
        /// Rows that could not be understood.
        rejected: u64,
        /// Seconds that it took.
        seconds: i64,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Something is to be said, and to whom.
    Decision(Decided),
    /// A message was sent, or was not.
    Send {
        /// The channel.
        channel: String,
        /// The id of the message.
        message: String,
        /// What became of it: `delivered`, `dead`, or why it is tried again.
        verdict: String,
        /// The service's word for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// How many events are in it.
        events: u64,
        /// The kind of event, where it is about one certificate or holds one event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// The id of that event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A snooze began or ended.
    Snooze {
        /// `began` or `ended`.
        action: String,
        /// Its id.
        id: String,
        /// What it covers, where that is no single certificate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        covers: Option<String>,
        /// Its own end.
        until: String,
        /// Who made it.
        author: String,
        /// Why.
        reason: String,
        /// Why it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_by: Option<String>,
    },
    /// An operator decided about a message.
    Outbox {
        /// `retry` or `drop`.
        order: String,
        /// The channel.
        channel: String,
        /// How many events are in it.
        events: u64,
    },
}

/// What is to be said. A list is one of them with a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The kind of event.
    pub event: String,
    /// Why it is said.
    pub reason: String,
    /// How much it asks of the reader.
    pub severity: String,
    /// The channels; none where those are told who were told before.
    pub channels: Vec<String>,
    /// How many certificates it is about.
    pub count: u64,
    /// The id of the event; none for a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it is about, in words; none for a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The serial of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The rung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<String>,
    /// When the certificate ends; for a list the soonest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// What became of one attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: String,
    /// The service's word for it.
    pub code: Option<String>,
}

/// What is asked of the audit.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// What happened then or later.
    pub since: Option<Timestamp>,
    /// What is about one of these certificates, by id; empty asks for everything.
    pub certificates: Vec<String>,
    /// What comes after the entry of this number.
    pub after: i64,
    /// At most this many.
    pub limit: usize,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditSize {
    /// Bytes, by estimate.
    pub bytes: u64,
    /// Entries that were dropped before their time, since the store was made.
    pub dropped: u64,
}

/// Returns what a message was about: an entry for each event of a short one, one with a count for a list.
pub(super) fn of_message(
    (channel, message): (&str, &str),
    (events, count): (&[crate::expiry::Event], u64),
    verdict: &Verdict,
) -> Vec<AuditEntry> {
    let entry = |event: Option<&crate::expiry::Event>| AuditEntry {
        at: verdict.at,
        certificate: event.and_then(|event| event.facts()).map(crate::expiry::Facts::id),
        what: Audited::Send {
            channel: channel.to_owned(),
            message: message.to_owned(),
            verdict: verdict.outcome.clone(),
            code: verdict.code.clone(),
            events: count,
            event: event.map(|event| event.kind().to_owned()),
            id: event.map(|event| event.id.clone()),
        },
    };
    match count {
        0 => Vec::new(),
        1..=SHORT => events.iter().map(|event| entry(Some(event))).collect(),
        _ => vec![entry(None)],
    }
}

/// Events of a message that is no list.
pub const SHORT: u64 = 5;

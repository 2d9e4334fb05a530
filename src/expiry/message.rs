//! Events become one channel-neutral message in a language.

use super::certificate::Timestamp;
use super::event::{Event, Severity};

/// The language of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// How much of a message a channel is asked to send; lowered when a service refuses the fuller form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Everything that fits.
    Full,
    /// At most 70 % of the limit.
    Shorter,
    /// Plain text, no links.
    Plain,
    /// One line.
    OneLine,
}

/// One line about one event, already inert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line, ready for any dialect.
    pub text: String,
    /// Where to read more, when an external URL is configured.
    pub link: Option<String>,
}

/// What a channel is given to deliver. Every text in it is inert in every chat dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stays the same over retries: the receiver's idempotency key.
    pub id: String,
    /// When it was composed.
    pub at: Timestamp,
    /// The most severe of its events.
    pub severity: Severity,
    /// The language of its texts.
    pub language: Language,
    /// One line that says it all, with the constant envelope `[notafter]` in front.
    pub title: String,
    /// Lines that are always sent: counts by rung for a digest, facts for a single event.
    pub summary: Vec<String>,
    /// One line an event, the most urgent first; a channel sends as many as fit.
    pub entries: Vec<Entry>,
    /// Where to see everything, when an external URL is configured.
    pub link: Option<String>,
    /// How much of it to send.
    pub detail: Detail,
    /// The events themselves, for channels that speak to programs.
    pub events: Vec<Event>,
}

impl Message {
    /// Placeholder.
    pub fn compose(
        id: impl Into<String>,
        at: Timestamp,
        language: Language,
        events: Vec<Event>,
        _: Option<&str>,
    ) -> Self {
        Self {
            id: id.into(),
            at,
            severity: Severity::Info,
            language,
            title: "[notafter]".to_owned(),
            summary: Vec::new(),
            entries: Vec::new(),
            link: None,
            detail: Detail::Full,
            events,
        }
    }
}

//! The watcher watches itself: what can be wrong with sources, channels and the clock.

use std::collections::BTreeMap;

use crate::expiry::{Severity, Timestamp, Topic};

/// What can be wrong. Its key is stored, so that a restart neither repeats nor forgets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// No proven scan for too long.
    Source(String),
    /// A scope from which too much is missing at once.
    Scope(String, String),
    /// A channel that cannot deliver.
    Channel(String),
    /// The machine's clock.
    Clock,
    /// A provider's clock.
    Offset(String),
}

/// Separates the parts of a key; no name or scope contains it.
const SEPARATOR: char = '\u{1f}';

impl Subject {
    /// Returns the key under which it is stored.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Source(source) => format!("source{SEPARATOR}{source}"),
            Self::Scope(source, scope) => format!("scope{SEPARATOR}{source}{SEPARATOR}{scope}"),
            Self::Channel(channel) => format!("channel{SEPARATOR}{channel}"),
            Self::Clock => "clock".to_owned(),
            Self::Offset(source) => format!("offset{SEPARATOR}{source}"),
        }
    }

    /// Returns the subject that `key` stands for; `None` for one of another version.
    pub(super) fn from_key(key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, SEPARATOR);
        let kind = parts.next()?;
        let first = parts.next().map(str::to_owned);
        let second = parts.next().map(str::to_owned);
        match (kind, first, second) {
            ("source", Some(source), None) => Some(Self::Source(source)),
            ("scope", Some(source), Some(scope)) => Some(Self::Scope(source, scope)),
            ("channel", Some(channel), None) => Some(Self::Channel(channel)),
            ("clock", None, None) => Some(Self::Clock),
            ("offset", Some(source), None) => Some(Self::Offset(source)),
            _ => None,
        }
    }

    /// Returns what is said when it is over.
    fn over(&self) -> Option<Topic> {
        match self.clone() {
            Self::Source(source) => Some(Topic::SourceRecovered { source }),
            Self::Scope(source, scope) => Some(Topic::InventoryRestored { source, scope }),
            Self::Channel(channel) => Some(Topic::ChannelUp { channel }),
            Self::Clock => Some(Topic::ClockRecovered),
            // An offset that is small again needs no message: signatures were corrected all the time.
            Self::Offset(_) => None,
        }
    }
}

/// What holds now and what has been said of it.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    said: BTreeMap<Subject, Timestamp>,
}

/// A condition that began or ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// What it is about.
    pub(super) subject: Subject,
    /// When it was raised; `None` when it is over.
    pub(super) raised: Option<Timestamp>,
    /// What to say, if anything.
    pub(super) topic: Option<Topic>,
    /// How much it asks of the reader.
    pub(super) severity: Severity,
}

impl Conditions {
    /// Takes back what was said before a restart.
    pub(super) fn restore(&mut self, key: &str, at: Timestamp) {
        let Some(subject) = Subject::from_key(key) else {
            tracing::warn!(key, "a stored condition of another version is ignored");
            return;
        };
        self.said.insert(subject, at);
    }

    /// Says that `subject` holds: once.
    pub(super) fn raise(&mut self, subject: Subject, topic: Topic, now: Timestamp) -> Option<Turn> {
        if self.said.contains_key(&subject) {
            return None;
        }
        self.said.insert(subject.clone(), now);
        let severity = match &subject {
            Subject::Offset(_) => Severity::Warning,
            _ => Severity::Critical,
        };
        Some(Turn { subject, raised: Some(now), topic: Some(topic), severity })
    }

    /// Says that `subject` is over: once, and only if it was raised.
    pub(super) fn clear(&mut self, subject: &Subject) -> Option<Turn> {
        self.said.remove(subject)?;
        Some(Turn {
            subject: subject.clone(),
            raised: None,
            topic: subject.over(),
            severity: Severity::Info,
        })
    }

    /// Forgets what was said about sources and channels that are not configured any more, without a word.
    pub(super) fn retain(&mut self, keep: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let dropped: Vec<_> = self.said.keys().filter(|subject| !keep(subject)).cloned().collect();
        for subject in &dropped {
            self.said.remove(subject);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_the_subjects_they_stand_for() {
        for subject in [
            Subject::Source("iot".into()),
            Subject::Scope("iot".into(), "mqtt-1:a/b".into()),
            Subject::Channel("ops".into()),
            Subject::Clock,
            Subject::Offset("iot".into()),
        ] {
            assert_eq!(Subject::from_key(&subject.key()), Some(subject));
        }
        assert_eq!(Subject::from_key("later\u{1f}thing"), None);
    }

    #[test]
    fn a_condition_is_said_once_and_ends_once() {
        let mut conditions = Conditions::default();
        let now = Timestamp::from_seconds(5);
        let subject = Subject::Source("iot".into());
        let topic = Topic::SourceStale { source: "iot".into(), last_proven: None, error: None };
        assert_eq!(conditions.clear(&subject), None);
        assert!(conditions.raise(subject.clone(), topic.clone(), now).is_some());
        assert_eq!(conditions.raise(subject.clone(), topic, now), None);
        let over = conditions.clear(&subject).unwrap();
        assert_eq!(over.topic, Some(Topic::SourceRecovered { source: "iot".into() }));
        assert_eq!(conditions.clear(&subject), None);
    }
}

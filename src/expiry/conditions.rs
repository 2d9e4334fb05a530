//! The watcher watches itself: what can be wrong with sources, channels and the clock, each reported once.

use std::collections::BTreeMap;

use super::certificate::Timestamp;
use super::endpoint::{EndpointNews, InvalidReason};
use super::event::{Severity, Topic};
use super::month::Month;

/// What can be wrong. Its key is stored, so that a restart neither repeats nor forgets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// No proven scan for too long.
    Source(String),
    /// A scope from which too much is missing at once.
    Scope(String, String),
    /// A scope whose list leaves out what is there when it is asked for.
    Contradiction(String, String),
    /// A place of a source that cannot be read.
    Place(String, String),
    /// An endpoint of a source that could not be reached for a while.
    Unreachable(String, String),
    /// An endpoint of a source that serves what clients refuse, and why they do: another reason is another condition.
    Invalid(String, String, InvalidReason),
    /// An authority in a scope of a source that ends before what it signed: by what it signs as, and its end.
    EndsFirst(String, String, (u64, i64)),
    /// A month in which far more certificates of a source end than were ever renewed in one.
    Cliff(String, Month),
    /// A channel that cannot deliver.
    Channel(String),
    /// The machine's clock.
    Clock,
    /// A provider's clock.
    Offset(String),
}

/// Separates the parts of a key; no name or scope contains it.
const SEPARATOR: char = '\u{1f}';

impl Condition {
    /// Returns the key under which it is stored.
    pub fn key(&self) -> String {
        match self {
            Self::Source(source) => format!("source{SEPARATOR}{source}"),
            Self::Scope(source, scope) => format!("scope{SEPARATOR}{source}{SEPARATOR}{scope}"),
            Self::Contradiction(source, scope) => {
                format!("contradiction{SEPARATOR}{source}{SEPARATOR}{scope}")
            }
            Self::Place(source, place) => format!("place{SEPARATOR}{source}{SEPARATOR}{place}"),
            Self::Unreachable(source, place) => {
                format!("unreachable{SEPARATOR}{source}{SEPARATOR}{place}")
            }
            Self::Invalid(source, place, reason) => {
                let reason = reason.as_str();
                format!("invalid{SEPARATOR}{source}{SEPARATOR}{reason}{SEPARATOR}{place}")
            }
            Self::EndsFirst(source, scope, (signs, end)) => {
                format!(
                    "ends_first{SEPARATOR}{source}{SEPARATOR}{scope}{SEPARATOR}{signs:016x}{SEPARATOR}{end}"
                )
            }
            Self::Cliff(source, month) => format!("cliff{SEPARATOR}{source}{SEPARATOR}{month}"),
            Self::Channel(channel) => format!("channel{SEPARATOR}{channel}"),
            Self::Clock => "clock".to_owned(),
            Self::Offset(source) => format!("offset{SEPARATOR}{source}"),
        }
    }

    /// Returns the condition that `key` stands for; `None` for one of another version.
    pub fn from_key(key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, SEPARATOR);
        let kind = parts.next()?;
        let first = parts.next().map(str::to_owned);
        let second = parts.next().map(str::to_owned);
        match (kind, first, second) {
            ("source", Some(source), None) => Some(Self::Source(source)),
            ("scope", Some(source), Some(scope)) => Some(Self::Scope(source, scope)),
            ("contradiction", Some(source), Some(scope)) => {
                Some(Self::Contradiction(source, scope))
            }
            ("place", Some(source), Some(place)) => Some(Self::Place(source, place)),
            ("unreachable", Some(source), Some(place)) => Some(Self::Unreachable(source, place)),
            ("invalid", Some(source), Some(rest)) => {
                let (reason, place) = rest.split_once(SEPARATOR)?;
                Some(Self::Invalid(source, place.to_owned(), InvalidReason::from_word(reason)?))
            }
            ("ends_first", Some(source), Some(rest)) => {
                let (scope, (signs, end)) = authority(&rest)?;
                Some(Self::EndsFirst(source, scope.to_owned(), (signs, end)))
            }
            ("cliff", Some(source), Some(month)) => {
                Some(Self::Cliff(source, Month::parse(&month)?))
            }
            ("channel", Some(channel), None) => Some(Self::Channel(channel)),
            ("clock", None, None) => Some(Self::Clock),
            ("offset", Some(source), None) => Some(Self::Offset(source)),
            _ => None,
        }
    }

    /// Returns whether it keeps what is in a place from being seen: that place, or a folder above it.
    pub fn hides(&self, source: &str, place: &str) -> bool {
        match self {
            Self::Place(name, path) | Self::Unreachable(name, path) if name == source => {
                let rest = place.strip_prefix(path.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            _ => false,
        }
    }

    /// Returns how much it asks of the reader.
    const fn severity(&self) -> Severity {
        match self {
            Self::Place(..) | Self::Unreachable(..) | Self::EndsFirst(..) | Self::Cliff(..) => {
                Severity::Warning
            }
            Self::Invalid(..)
            | Self::Source(_)
            | Self::Scope(..)
            | Self::Contradiction(..)
            | Self::Channel(_)
            | Self::Clock
            | Self::Offset(_) => Severity::Critical,
        }
    }

    /// Returns what is reported when it is over.
    fn recovery(&self) -> Option<Topic> {
        match self.clone() {
            Self::Source(source) => Some(Topic::SourceRecovered { source }),
            Self::Scope(source, scope) => {
                Some(Topic::InventoryRestored { source, scope, accepted: None })
            }
            Self::Contradiction(source, scope) => {
                Some(Topic::InventoryConsistent { source, scope })
            }
            Self::Place(source, place) => Some(Topic::PlaceReadable { source, place }),
            Self::Unreachable(source, place) => {
                Some(Topic::Endpoint { source, place, news: EndpointNews::Reachable })
            }
            Self::Channel(channel) => Some(Topic::ChannelUp { channel }),
            Self::Clock => Some(Topic::ClockRecovered),
            // An offset that is small again needs no message: signatures were corrected all the time. That an endpoint is
            // in order is seen by who put it in order, and so is an authority.
            Self::Offset(_) | Self::Invalid(..) | Self::EndsFirst(..) | Self::Cliff(..) => None,
        }
    }
}

/// Reads a scope, what an authority signs as, and its end.
fn authority(text: &str) -> Option<(&str, (u64, i64))> {
    let (rest, end) = text.rsplit_once(SEPARATOR)?;
    let (scope, signs) = rest.rsplit_once(SEPARATOR)?;
    Some((scope, (u64::from_str_radix(signs, 16).ok()?, end.parse().ok()?)))
}

/// What holds now and has been reported.
#[derive(Debug, Default)]
pub struct Conditions {
    raised: BTreeMap<Condition, Timestamp>,
}

/// A condition that began or ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it is about.
    pub condition: Condition,
    /// When it was raised; `None` when it is over.
    pub raised: Option<Timestamp>,
    /// What to report, if anything.
    pub topic: Option<Topic>,
    /// How much it asks of the reader.
    pub severity: Severity,
    /// Since when it holds or held; of one that is reported again, when that is.
    pub since: Timestamp,
}

impl Conditions {
    /// Takes back what was reported before a restart. Answers whether the key is known: another version may have
    /// stored it.
    #[must_use]
    pub fn restore(&mut self, key: &str, at: Timestamp) -> bool {
        let known = Condition::from_key(key);
        known.map(|condition| self.raised.insert(condition, at)).is_some()
    }

    /// Returns whether it was raised and is not over.
    pub fn holds(&self, condition: &Condition) -> bool {
        self.raised.contains_key(condition)
    }

    /// Returns since when a place is not seen, if that was reported.
    pub fn hidden_since(&self, source: &str, place: &str) -> Option<Timestamp> {
        let hides = |(condition, _): &(&Condition, &Timestamp)| condition.hides(source, place);
        self.raised.iter().filter(hides).map(|(_, since)| *since).min()
    }

    /// Returns everything that was raised and is not over.
    pub fn held(&self) -> impl Iterator<Item = &Condition> {
        self.raised.keys()
    }

    /// Returns what was said once of what is ahead.
    pub fn ahead(&self) -> Vec<Condition> {
        let is_ahead =
            |one: &&Condition| matches!(one, Condition::EndsFirst(..) | Condition::Cliff(..));
        self.raised.keys().filter(is_ahead).cloned().collect()
    }

    /// Returns what holds of the places of a source, and was reported.
    pub fn of_places(&self, source: &str) -> Vec<Condition> {
        let of_source = self.raised.keys().filter(|condition| match condition {
            Condition::Place(name, _)
            | Condition::Unreachable(name, _)
            | Condition::Invalid(name, ..) => name == source,
            _ => false,
        });
        of_source.cloned().collect()
    }

    /// A condition holds. Answers with what that changes, the first time.
    pub fn raise(
        &mut self,
        condition: Condition,
        topic: Topic,
        now: Timestamp,
    ) -> Option<Transition> {
        if self.holds(&condition) {
            return None;
        }
        self.raised.insert(condition.clone(), now);
        let severity = condition.severity();
        Some(Transition { condition, raised: Some(now), topic: Some(topic), severity, since: now })
    }

    /// A condition that was raised still holds, and is reported again.
    pub fn remind(&self, condition: Condition, topic: Topic, now: Timestamp) -> Option<Transition> {
        let raised = Some(*self.raised.get(&condition)?);
        let severity = condition.severity();
        Some(Transition { condition, raised, topic: Some(topic), severity, since: now })
    }

    /// A condition is over. Answers with what that changes, once, and only if it was raised.
    pub fn clear(&mut self, condition: &Condition) -> Option<Transition> {
        if self.holds(condition) { self.end(condition, condition.recovery()) } else { None }
    }

    /// A condition is over, of which `topic` is reported. Answers with what that changes, once, and only if it was raised.
    pub fn end(&mut self, condition: &Condition, topic: Option<Topic>) -> Option<Transition> {
        let since = self.raised.remove(condition)?;
        let (condition, severity) = (condition.clone(), Severity::Info);
        Some(Transition { condition, raised: None, topic, severity, since })
    }

    /// Forgets what is about sources and channels that are not configured any more. Answers with what was forgotten,
    /// of which nothing is reported.
    pub fn retain(&mut self, keep: impl Fn(&Condition) -> bool) -> Vec<Condition> {
        let dropped: Vec<_> = self.raised.keys().filter(|one| !keep(one)).cloned().collect();
        for condition in &dropped {
            self.raised.remove(condition);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_hidden_by_itself_and_by_the_folder_above_it() {
        let of = |path: &str| Condition::Place("disk".to_owned(), path.to_owned());
        for (path, hides) in [
            ("/live/a.pem", true),
            ("/live", true),
            ("/live/", true),
            ("/liv", false),
            ("/other", false),
        ] {
            assert_eq!(of(path).hides("disk", "/live/a.pem"), hides, "{path}");
            assert!(!of(path).hides("else", "/live/a.pem"));
        }
        let mut conditions = Conditions::default();
        assert_eq!(conditions.hidden_since("disk", "/live/a.pem"), None);
        let at = Timestamp::from_seconds(7);
        assert!(conditions.restore(&of("/live").key(), at));
        assert_eq!(conditions.hidden_since("disk", "/live/a.pem"), Some(at));
    }

    #[test]
    fn keys_come_back_as_the_conditions_they_stand_for() {
        for condition in [
            Condition::Source("iot".into()),
            Condition::Scope("iot".into(), "mqtt-1:a/b".into()),
            Condition::Contradiction("iot".into(), "mqtt-1:a/b".into()),
            Condition::Place("files".into(), "/etc/\u{1f}a".into()),
            Condition::Unreachable("web".into(), "a.test:443/\u{1f}a".into()),
            Condition::Invalid(
                "web".into(),
                "a.test:443/\u{1f}a".into(),
                InvalidReason::NameMismatch,
            ),
            Condition::EndsFirst("iot".into(), "mqtt-1:a/b".into(), (0xAB, -7)),
            Condition::Cliff("iot".into(), Month::new(2027, 3)),
            Condition::Channel("ops".into()),
            Condition::Clock,
            Condition::Offset("iot".into()),
        ] {
            assert_eq!(Condition::from_key(&condition.key()), Some(condition));
        }
        for key in [
            "later\u{1f}thing",
            "invalid\u{1f}web\u{1f}odd\u{1f}a.test:443/a.test",
            "ends_first\u{1f}a\u{1f}b\u{1f}x\u{1f}1",
        ] {
            assert_eq!(Condition::from_key(key), None);
        }
    }

    #[test]
    fn a_condition_is_reported_once_and_ends_once() {
        let mut conditions = Conditions::default();
        let now = Timestamp::from_seconds(5);
        let condition = Condition::Source("iot".into());
        let topic = Topic::SourceStale { source: "iot".into(), last_proven: None, error: None };
        assert_eq!(conditions.clear(&condition), None);
        assert!(conditions.raise(condition.clone(), topic.clone(), now).is_some());
        assert_eq!(conditions.raise(condition.clone(), topic.clone(), now), None);
        let again = conditions.remind(condition.clone(), topic.clone(), now).unwrap();
        assert_eq!((again.raised, again.topic), (Some(now), Some(topic.clone())));
        let over = conditions.clear(&condition).unwrap();
        assert_eq!(over.topic, Some(Topic::SourceRecovered { source: "iot".into() }));
        assert_eq!(conditions.remind(condition.clone(), topic, now), None);
        assert_eq!(conditions.clear(&condition), None);
    }
}

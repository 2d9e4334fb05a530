//! How an event is written: JSON that a later version can still read.
//!
//! The row types belong to the store; the core's types do not derive serde. A field may be added with a default, and
//! none may ever be renamed or change its meaning.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

mod ahead;
mod daily;
mod rows;

use super::code;
use crate::expiry::{
    Accepted, EndpointNews, Event, Facts, Invalid, InvalidReason, Newer, Rung, Severity, Timestamp,
    Topic,
};
use ahead::{AheadRow, ahead, cliff_row, ends_first_row};
use daily::{DailyRow, daily, daily_row};
use rows::{FactsRow, NewerRow, facts, facts_row, newer, newer_row};

/// Returns the event as text.
pub(super) fn write(event: &Event) -> Result<String, String> {
    let row = EventRow {
        id: Cow::Borrowed(&event.id),
        at: event.at.seconds(),
        severity: Cow::Borrowed(event.severity.as_str()),
        topic: topic_row(&event.topic),
    };
    serde_json::to_string(&row)
        .map_err(|error| format!("event {} cannot be written: {error}", event.id))
}

/// Returns the event that was written as `text`.
pub(super) fn read(text: &str) -> Result<Event, String> {
    let row: EventRow<'static> =
        serde_json::from_str(text).map_err(|error| format!("an event cannot be read: {error}"))?;
    let severity = Severity::from_word(&row.severity)
        .ok_or_else(|| format!("event {} has the unknown severity `{}`", row.id, row.severity))?;
    let topic = topic(row.topic).map_err(|error| format!("event {} {error}", row.id))?;
    Ok(Event { id: row.id.into_owned(), at: Timestamp::from_seconds(row.at), severity, topic })
}

#[derive(Serialize, Deserialize)]
struct EventRow<'a> {
    id: Cow<'a, str>,
    at: i64,
    severity: Cow<'a, str>,
    topic: TopicRow<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TopicRow<'a> {
    Expiring {
        facts: FactsRow<'a>,
        rung: u32,
        leaves: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newer: Option<NewerRow<'a>>,
        /// Absent in events of before endpoints were looked at.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unserved: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        places: Option<u64>,
    },
    NotDeployed {
        facts: FactsRow<'a>,
        rung: u32,
        newer: NewerRow<'a>,
        since: Option<i64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bound: Vec<Cow<'a, str>>,
    },
    Renewed {
        facts: FactsRow<'a>,
        successor: Cow<'a, str>,
        successor_not_after: i64,
    },
    Gone {
        facts: FactsRow<'a>,
        elsewhere: Option<NewerRow<'a>>,
    },
    Ahead(AheadRow<'a>),
    SourceStale {
        source: Cow<'a, str>,
        last_proven: Option<i64>,
        error: Option<Cow<'a, str>>,
    },
    SourceRecovered {
        source: Cow<'a, str>,
    },
    PlaceUnreadable {
        source: Cow<'a, str>,
        place: Cow<'a, str>,
        error: Cow<'a, str>,
    },
    PlaceReadable {
        source: Cow<'a, str>,
        place: Cow<'a, str>,
    },
    Endpoint {
        source: Cow<'a, str>,
        place: Cow<'a, str>,
        news: NewsRow<'a>,
    },
    InventoryShrunk {
        source: Cow<'a, str>,
        scope: Cow<'a, str>,
        known: u64,
        missing: u64,
    },
    InventoryRestored {
        source: Cow<'a, str>,
        scope: Cow<'a, str>,
        /// Absent where nothing is gone, and in events of before this was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<AcceptedRow>,
    },
    InventoryContradicts {
        source: Cow<'a, str>,
        scope: Cow<'a, str>,
        unlisted: u64,
    },
    InventoryConsistent {
        source: Cow<'a, str>,
        scope: Cow<'a, str>,
    },
    ChannelDown {
        channel: Cow<'a, str>,
        code: Cow<'a, str>,
        hint: Cow<'a, str>,
    },
    ChannelUp {
        channel: Cow<'a, str>,
    },
    NotificationDead {
        channel: Cow<'a, str>,
        code: Cow<'a, str>,
    },
    ClockSuspect {
        detail: Cow<'a, str>,
    },
    ClockRecovered,
    ClockOffset {
        source: Cow<'a, str>,
        seconds: i64,
    },
    DailyDigest(Box<DailyRow<'a>>),
    Canary {
        facts: FactsRow<'a>,
        rung: u32,
    },
    Test,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NewsRow<'a> {
    Invalid { reason: Cow<'a, str>, detail: Cow<'a, str> },
    Unreachable { error: Cow<'a, str> },
    Reachable,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct AcceptedRow {
    known: u64,
    missing: u64,
}

fn topic_row(topic: &Topic) -> TopicRow<'_> {
    match topic {
        Topic::Expiring { facts, rung, leaves, newer, unserved, places } => {
            let (unserved, places) = (*unserved, *places);
            let (facts, rung) = (facts_row(facts), code::of_rung(*rung));
            let (leaves, newer) = (*leaves, newer.as_ref().map(newer_row));
            TopicRow::Expiring { facts, rung, leaves, newer, unserved, places }
        }
        Topic::NotDeployed { facts, rung, newer, since, bound } => {
            not_deployed_row(facts, *rung, newer, *since, bound)
        }
        Topic::Gone { facts, elsewhere } => {
            TopicRow::Gone { facts: facts_row(facts), elsewhere: elsewhere.as_ref().map(newer_row) }
        }
        Topic::Renewed { facts, successor, successor_not_after: end } => {
            renewed_row(facts, successor, *end)
        }
        Topic::EndsFirst { facts, leaves, places } => {
            TopicRow::Ahead(ends_first_row(facts, *leaves, *places))
        }
        Topic::FleetCliff { source, month, ending, renewed } => {
            TopicRow::Ahead(cliff_row(source, *month, *ending, *renewed))
        }
        Topic::SourceStale { source, last_proven, error } => {
            stale_row(source, *last_proven, error.as_deref())
        }
        Topic::SourceRecovered { source } => TopicRow::SourceRecovered { source: source.into() },
        Topic::PlaceUnreadable { source, place, error } => unreadable_row(source, place, error),
        Topic::PlaceReadable { source, place } => readable_row(source, place),
        Topic::Endpoint { source, place, news } => endpoint_row(source, place, news),
        Topic::InventoryShrunk { source, scope, known, missing } => {
            shrunk_row(source, scope, [*known, *missing])
        }
        Topic::InventoryRestored { source, scope, accepted } => {
            let (source, scope) = (source.into(), scope.into());
            TopicRow::InventoryRestored { source, scope, accepted: accepted.map(accepted_row) }
        }
        Topic::InventoryContradicts { source, scope, unlisted } => {
            let (source, scope) = (source.into(), scope.into());
            TopicRow::InventoryContradicts { source, scope, unlisted: *unlisted }
        }
        Topic::InventoryConsistent { source, scope } => {
            TopicRow::InventoryConsistent { source: source.into(), scope: scope.into() }
        }
        Topic::ChannelDown { channel, code, hint } => {
            TopicRow::ChannelDown { channel: channel.into(), code: code.into(), hint: hint.into() }
        }
        Topic::ChannelUp { channel } => TopicRow::ChannelUp { channel: channel.into() },
        Topic::NotificationDead { channel, code } => {
            TopicRow::NotificationDead { channel: channel.into(), code: code.into() }
        }
        Topic::ClockSuspect { detail } => TopicRow::ClockSuspect { detail: detail.into() },
        Topic::ClockRecovered => TopicRow::ClockRecovered,
        Topic::ClockOffset { source, seconds } => {
            TopicRow::ClockOffset { source: source.into(), seconds: *seconds }
        }
        Topic::DailyDigest(digest) => TopicRow::DailyDigest(Box::new(daily_row(digest))),
        Topic::Canary { facts, rung } => canary_row(facts, *rung),
        Topic::Test => TopicRow::Test,
    }
}

fn topic(row: TopicRow<'_>) -> Result<Topic, String> {
    Ok(match row {
        TopicRow::Expiring { facts: row, rung, leaves, newer: other, unserved, places } => {
            let (facts, rung, newer) = (facts(row)?, code::rung(rung), other.map(newer));
            Topic::Expiring { facts, rung, leaves, newer, unserved, places }
        }
        TopicRow::NotDeployed { facts: row, rung, newer: other, since, bound } => {
            not_deployed(facts(row)?, rung, newer(other), since, bound)
        }
        TopicRow::Gone { facts: row, elsewhere } => {
            Topic::Gone { facts: facts(row)?, elsewhere: elsewhere.map(newer) }
        }
        TopicRow::Ahead(row) => ahead(row)?,
        TopicRow::NotificationDead { channel, code } => {
            Topic::NotificationDead { channel: channel.into_owned(), code: code.into_owned() }
        }
        TopicRow::Renewed { facts: row, successor, successor_not_after: end } => {
            renewed(facts(row)?, successor, end)
        }
        TopicRow::SourceStale { source, last_proven, error } => {
            stale(source.into_owned(), last_proven, error.map(Cow::into_owned))
        }
        TopicRow::SourceRecovered { source } => {
            Topic::SourceRecovered { source: source.into_owned() }
        }
        TopicRow::PlaceUnreadable { source, place, error } => {
            let (source, place) = (source.into_owned(), place.into_owned());
            Topic::PlaceUnreadable { source, place, error: error.into_owned() }
        }
        TopicRow::PlaceReadable { source, place } => readable(source, place),
        TopicRow::Endpoint { source, place, news } => endpoint(source, place, news)?,
        TopicRow::InventoryShrunk { source, scope, known, missing } => {
            let (source, scope) = (source.into_owned(), scope.into_owned());
            Topic::InventoryShrunk { source, scope, known, missing }
        }
        TopicRow::InventoryRestored { source, scope, accepted: row } => {
            let (source, scope) = (source.into_owned(), scope.into_owned());
            Topic::InventoryRestored { source, scope, accepted: row.map(accepted) }
        }
        TopicRow::InventoryContradicts { source, scope, unlisted } => {
            let (source, scope) = (source.into_owned(), scope.into_owned());
            Topic::InventoryContradicts { source, scope, unlisted }
        }
        TopicRow::InventoryConsistent { source, scope } => {
            Topic::InventoryConsistent { source: source.into_owned(), scope: scope.into_owned() }
        }
        TopicRow::ChannelDown { channel, code, hint } => {
            let (channel, code) = (channel.into_owned(), code.into_owned());
            Topic::ChannelDown { channel, code, hint: hint.into_owned() }
        }
        TopicRow::ChannelUp { channel } => Topic::ChannelUp { channel: channel.into_owned() },
        TopicRow::ClockSuspect { detail } => Topic::ClockSuspect { detail: detail.into_owned() },
        TopicRow::ClockRecovered => Topic::ClockRecovered,
        TopicRow::ClockOffset { source, seconds } => {
            Topic::ClockOffset { source: source.into_owned(), seconds }
        }
        TopicRow::DailyDigest(row) => Topic::DailyDigest(Box::new(daily(*row)?)),
        TopicRow::Canary { facts: row, rung } => canary(facts(row)?, rung),
        TopicRow::Test => Topic::Test,
    })
}

fn readable_row<'a>(source: &'a str, place: &'a str) -> TopicRow<'a> {
    TopicRow::PlaceReadable { source: source.into(), place: place.into() }
}

fn readable(source: Cow<'_, str>, place: Cow<'_, str>) -> Topic {
    Topic::PlaceReadable { source: source.into_owned(), place: place.into_owned() }
}

fn canary_row(facts: &Facts, rung: Rung) -> TopicRow<'_> {
    TopicRow::Canary { facts: facts_row(facts), rung: code::of_rung(rung) }
}

fn canary(facts: Facts, rung: u32) -> Topic {
    Topic::Canary { facts, rung: code::rung(rung) }
}

fn stale_row<'a>(
    source: &'a str,
    last_proven: Option<Timestamp>,
    error: Option<&'a str>,
) -> TopicRow<'a> {
    let last_proven = last_proven.map(Timestamp::seconds);
    TopicRow::SourceStale { source: source.into(), last_proven, error: error.map(Cow::Borrowed) }
}

fn shrunk_row<'a>(source: &'a str, scope: &'a str, [known, missing]: [u64; 2]) -> TopicRow<'a> {
    TopicRow::InventoryShrunk { source: source.into(), scope: scope.into(), known, missing }
}

fn unreadable_row<'a>(source: &'a str, place: &'a str, error: &'a str) -> TopicRow<'a> {
    TopicRow::PlaceUnreadable { source: source.into(), place: place.into(), error: error.into() }
}

fn stale(source: String, last_proven: Option<i64>, error: Option<String>) -> Topic {
    let last_proven = last_proven.map(Timestamp::from_seconds);
    Topic::SourceStale { source, last_proven, error }
}

fn endpoint_row<'a>(source: &'a str, place: &'a str, news: &'a EndpointNews) -> TopicRow<'a> {
    let news = match news {
        EndpointNews::Invalid(Invalid { reason, detail }) => {
            NewsRow::Invalid { reason: reason.as_str().into(), detail: detail.into() }
        }
        EndpointNews::Unreachable { error } => NewsRow::Unreachable { error: error.into() },
        EndpointNews::Reachable => NewsRow::Reachable,
    };
    TopicRow::Endpoint { source: source.into(), place: place.into(), news }
}

fn not_deployed_row<'a>(
    facts: &'a Facts,
    rung: Rung,
    newer: &'a Newer,
    since: Option<Timestamp>,
    bound: &'a [String],
) -> TopicRow<'a> {
    let (facts, rung, newer) = (facts_row(facts), code::of_rung(rung), newer_row(newer));
    let bound = bound.iter().map(Cow::from).collect();
    TopicRow::NotDeployed { facts, rung, newer, since: since.map(Timestamp::seconds), bound }
}

fn renewed_row<'a>(facts: &'a Facts, successor: &'a str, end: Timestamp) -> TopicRow<'a> {
    let (facts, successor) = (facts_row(facts), successor.into());
    TopicRow::Renewed { facts, successor, successor_not_after: end.seconds() }
}

fn not_deployed(
    facts: Facts,
    rung: u32,
    newer: Newer,
    since: Option<i64>,
    bound: Vec<Cow<'_, str>>,
) -> Topic {
    let (rung, since) = (code::rung(rung), since.map(Timestamp::from_seconds));
    let bound = bound.into_iter().map(Cow::into_owned).collect();
    Topic::NotDeployed { facts, rung, newer, since, bound }
}

fn renewed(facts: Facts, successor: Cow<'_, str>, end: i64) -> Topic {
    let (successor, successor_not_after) = (successor.into_owned(), Timestamp::from_seconds(end));
    Topic::Renewed { facts, successor, successor_not_after }
}

fn endpoint(source: Cow<'_, str>, place: Cow<'_, str>, row: NewsRow<'_>) -> Result<Topic, String> {
    let news = match row {
        NewsRow::Invalid { reason, detail } => {
            let known = InvalidReason::from_word(&reason);
            let reason = known.ok_or_else(|| format!("names the unknown reason `{reason}`"))?;
            EndpointNews::Invalid(Invalid { reason, detail: detail.into_owned() })
        }
        NewsRow::Unreachable { error } => EndpointNews::Unreachable { error: error.into_owned() },
        NewsRow::Reachable => EndpointNews::Reachable,
    };
    Ok(Topic::Endpoint { source: source.into_owned(), place: place.into_owned(), news })
}

const fn accepted_row(accepted: Accepted) -> AcceptedRow {
    AcceptedRow { known: accepted.known, missing: accepted.missing }
}

const fn accepted(row: AcceptedRow) -> Accepted {
    Accepted { known: row.known, missing: row.missing }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;

    use super::super::conformance::any;
    use super::*;
    use crate::expiry::{EVENT_KINDS, EventKind};

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn an_event_is_read_as_it_was_written(event in any::event()) {
            let text = write(&event).unwrap();
            prop_assert_eq!(read(&text).unwrap(), event);
        }
    }

    #[test]
    fn every_topic_is_generated() {
        // A new topic must be added to the strategy, or the property above proves less than it claims.
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut kinds = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let event = any::event().new_tree(&mut runner).unwrap().current();
            kinds.insert(event.kind());
        }
        let all = EVENT_KINDS.into_iter().map(EventKind::as_str).collect();
        assert_eq!(kinds, all);
    }

    #[test]
    fn the_text_stays_readable_for_later_versions() {
        let event = Event {
            id: "0198".to_owned(),
            at: Timestamp::from_seconds(1_800_000_000),
            severity: Severity::Warning,
            topic: Topic::SourceStale {
                source: "iot".to_owned(),
                last_proven: None,
                error: Some("timed out".to_owned()),
            },
        };
        let text = write(&event).unwrap();
        insta::assert_snapshot!(text, @r#"{"id":"0198","at":1800000000,"severity":"warning","topic":{"source_stale":{"source":"iot","last_proven":null,"error":"timed out"}}}"#);
        let later = text.replace(r#""error":"#, r#""added_later":1,"error":"#);
        assert_eq!(read(&later).unwrap(), event);
    }

    #[test]
    fn what_cannot_be_understood_is_reported_with_the_event() {
        let text = |severity: &str, topic: &str| {
            read(&format!(r#"{{"id":"e1","at":1,"severity":"{severity}","topic":{topic}}}"#))
                .unwrap_err()
        };
        assert_eq!(text("loud", r#""test""#), "event e1 has the unknown severity `loud`");
        assert!(text("info", r#""sung""#).starts_with("an event cannot be read: unknown variant"));
        let facts = r#"{"source":"s","scope":"all","issuer":"","serial":"1","kind":"robot","status":"active",
            "common_name":"","holder":"","unit":"","not_before":null,"not_after":1}"#;
        let expiring = format!(r#"{{"expiring":{{"facts":{facts},"rung":0,"leaves":null}}}}"#);
        assert_eq!(text("info", &expiring), "event e1 names the unknown kind `robot`");
        let invalid = r#"{"endpoint":{"source":"s","place":"a","news":{"invalid":{"reason":"odd","detail":""}}}}"#;
        assert_eq!(text("info", invalid), "event e1 names the unknown reason `odd`");
        assert!(read("{").is_err_and(|error| error.starts_with("an event cannot be read")));
    }
}

//! Messages and answers that the channels' tests share.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{Receipt, SendError};
use crate::client::http::Response;
use crate::expiry::{
    EndpointNews, Event, Facts, Invalid, InvalidReason, Language, Message, Month, Newer, Rung,
    Severity, Timestamp, Topic, sample,
};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const DAY: i64 = 86_400;
const BASE: Option<&str> = Some("https://certs.example.com");

pub(super) fn facts(name: &str, days: i64) -> Facts {
    Facts { not_before: Some(NOW.plus(-83 * DAY)), ..sample::facts(name, days) }
}

pub(super) fn expiring(name: &str, days: i64) -> Event {
    let topic = Topic::Expiring {
        facts: facts(name, days),
        rung: Rung::Before(7 * 86_400),
        leaves: None,
        newer: None,
        unserved: false,
        places: None,
    };
    Event { id: "0193e4b0-7d".into(), at: NOW, severity: Severity::Warning, topic }
}

/// Returns a certificate that should not be served any more; its place and the newer serial are `text`.
fn not_deployed(text: &str) -> Topic {
    let newer = Newer {
        source: "web-certs".into(),
        place: "all".into(),
        serial: text.into(),
        not_after: Some(NOW.plus(90 * DAY)),
        deployment_unknown: false,
    };
    let served = Facts { source: "endpoints".into(), place: text.into(), ..facts(text, 7) };
    let since = Some(NOW.plus(-20 * DAY));
    let bound = Vec::new();
    Topic::NotDeployed { facts: served, rung: Rung::Before(7 * 86_400), newer, since, bound }
}

/// Returns one of every topic, with `text` wherever somebody else's text stands.
pub(super) fn topics(text: &str) -> Vec<Topic> {
    let text = || text.to_owned();
    let facts = || facts(&text(), 3);
    let (invalid, detail) = (InvalidReason::Untrusted, text());
    let news = [
        EndpointNews::Invalid(Invalid { reason: invalid, detail }),
        EndpointNews::Unreachable { error: text() },
        EndpointNews::Reachable,
    ];
    let endpoint = |news| Topic::Endpoint { source: text(), place: text(), news };
    let expiring = Topic::Expiring {
        facts: facts(),
        rung: Rung::Before(7 * 86_400),
        leaves: Some(2),
        newer: None,
        unserved: true,
        places: Some(3),
    };
    let others = [
        expiring,
        Topic::Renewed { facts: facts(), successor: text(), successor_not_after: NOW },
        Topic::SourceStale { source: text(), last_proven: Some(NOW), error: Some(text()) },
        Topic::SourceRecovered { source: text() },
        Topic::PlaceUnreadable { source: text(), place: text(), error: text() },
        Topic::PlaceReadable { source: text(), place: text() },
        Topic::InventoryShrunk { source: text(), scope: text(), known: 9, missing: 8 },
        Topic::InventoryRestored { source: text(), scope: text(), accepted: None },
        Topic::InventoryContradicts { source: text(), scope: text(), unlisted: 2 },
        Topic::InventoryConsistent { source: text(), scope: text() },
        Topic::ChannelDown { channel: text(), code: text(), hint: text() },
        Topic::ChannelUp { channel: text() },
        Topic::NotificationDead { channel: text(), code: text() },
        Topic::Gone { facts: facts(), elsewhere: None },
        Topic::EndsFirst { facts: facts(), leaves: 9, places: Some(3) },
        Topic::FleetCliff { source: text(), month: Month::new(2026, 3), ending: 900, renewed: 20 },
        not_deployed(&text()),
        Topic::ClockSuspect { detail: text() },
        Topic::ClockRecovered,
        Topic::ClockOffset { source: text(), seconds: -75 },
        Topic::DailyDigest(Box::new(sample::daily(&text()))),
        Topic::Canary { facts: facts(), rung: Rung::Before(86_400) },
        Topic::Test,
    ];
    others.into_iter().chain(news.map(endpoint)).collect()
}

pub(super) fn compose(language: Language, events: Vec<Event>) -> Message {
    Message::compose("0193e4b0-7d", NOW, language, events, BASE)
}

pub(super) fn single() -> Message {
    compose(Language::En, vec![expiring("www.example.com", 7)])
}

pub(super) fn list() -> Message {
    compose(Language::En, vec![expiring("*.a.example.com", 3), expiring("b.example.com", 7)])
}

pub(super) fn digest(count: usize) -> Message {
    let name = |n: usize| format!("svc-{n:04}.prod.eu-central-1.example.com");
    compose(Language::En, (0..count).map(|n| expiring(&name(n), 6)).collect())
}

/// A digest whose every name tries to break out of every dialect.
pub(super) fn hostile(count: usize) -> Message {
    let name =
        "<!channel> @all <at user_id=\"all\"> [x](https://evil.test) `*_~\"\\\r\n\u{202E}证书";
    compose(Language::Zh, (0..count).map(|_| expiring(name, 6)).collect())
}

pub(super) fn zh(message: &Message) -> Message {
    compose(Language::Zh, message.events.clone())
}

pub(super) fn answer(status: u16, body: &str) -> Response {
    answer_with(status, &[], body)
}

pub(super) fn answer_with(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    Response { status, headers, body: body.as_bytes().to_vec().into() }
}

/// Returns a JSON object as it is read at a glance: a line for each key, and for each item of a list of objects.
pub(super) fn outline(object: &Value) -> String {
    let lines = object.as_object().into_iter().flatten().flat_map(|(key, value)| {
        let items = value.as_array().filter(|items| items.iter().any(Value::is_object));
        match items {
            Some(items) => items.iter().map(|item| format!("{key}: {item}")).collect(),
            None => vec![format!("{key}: {value}")],
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Asserts what a service's verdict makes of answers: status and body, and how the message ends.
pub(super) fn assert_outcomes(
    verdict: impl Fn(&Response, Timestamp) -> Result<Receipt, SendError>,
    cases: &[(u16, &str, &str)],
) {
    for (status, text, outcome) in cases {
        let verdict = verdict(&answer(*status, text), NOW);
        let found = verdict.as_ref().map_or_else(SendError::outcome, |_| "delivered");
        assert_eq!(found, *outcome, "{status} {text}");
    }
}

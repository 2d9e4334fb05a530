//! The JSON that receivers of the webhook read. Fields are only ever added.
//!
//! One event: `{"type": kind, "timestamp": when, "data": event}`, with `"schema": "notafter.event/1"` in the event.
//!
//! Several events: `{"type": "digest", "timestamp": when, "data": batch}`, with `"schema": "notafter.batch/1"`,
//! `batch_id`, `page`, `pages`, `total`, `counts` by kind over all pages, `severity`, `link` and up to 100 `events`.
//!
//! The daily digest: `{"type": "digest.daily", "timestamp": when, "data": digest}`, with `"schema": "notafter.digest/1"`.
//!
//! Times are UTC. `seconds_left` and `days_left` (whole days, negative after the end) are counted from `composed_at`, when
//! the message was composed; one that may have arrived is repeated as it was.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::daily;
use super::fields::{clean, object, of_certificate};
use crate::expiry::text::iso;
use crate::expiry::{Detail, EndpointNews, Event, Message, Newer, Timestamp, Topic};

const LARGEST_BODY: usize = 256 * 1024;
/// What the envelope takes around its events.
const ENVELOPE: usize = 4 * 1024;
const MOST_EVENTS: usize = 100;

/// Returns the request bodies, one a page.
pub(super) fn pages(message: &Message) -> Vec<Value> {
    let daily = message.events.iter().find_map(|event| Some((event, event.daily()?)));
    if let Some((event, digest)) = daily.filter(|_| message.detail != Detail::OneLine) {
        let others = message.events.iter().filter(|other| other.daily().is_none());
        let link = shown(message.link.as_deref(), message);
        let waited = others.clone().map(|other| of_event(other, None, message.at));
        let (page, taken) = daily::page((message, link), (event, digest), waited);
        let events: Vec<Event> = others.skip(taken).cloned().collect();
        let rest = Message { events, entries: Vec::new(), ..message.clone() };
        let rest = if rest.events.is_empty() { Vec::new() } else { batch(&rest) };
        return [vec![page], rest].concat();
    }
    match message.events.as_slice() {
        [event] if message.detail != Detail::OneLine => {
            let link = message
                .entries
                .first()
                .map_or(message.link.as_deref(), |entry| entry.link.as_deref());
            let timestamp = iso(event.at);
            let data = of_event(event, shown(link, message), message.at);
            vec![json!({ "type": event.kind(), "timestamp": timestamp, "data": data })]
        }
        _ => batch(message),
    }
}

fn batch(message: &Message) -> Vec<Value> {
    let chunks = chunks(message);
    let newest = message.events.iter().map(|event| event.at).max().unwrap_or(message.at);
    let mut counts = BTreeMap::<&str, u64>::new();
    for event in &message.events {
        *counts.entry(event.kind()).or_default() += 1;
    }
    let mut data = json!({
        "schema": "notafter.batch/1",
        "batch_id": message.id,
        "composed_at": iso(message.at),
        "pages": chunks.len(),
        "total": message.events.len(),
        "counts": counts,
        "severity": message.severity.as_str(),
        "link": shown(message.link.as_deref(), message),
    });
    let envelope = |(index, events): (usize, Vec<Value>)| {
        data["page"] = json!(index + 1);
        data["events"] = Value::Array(events);
        json!({ "type": "digest", "timestamp": iso(newest), "data": data })
    };
    chunks.into_iter().enumerate().map(envelope).collect()
}

/// Splits the events so that each page keeps to the limits of count and size. There is always a page.
pub(super) fn chunks(message: &Message) -> Vec<Vec<Value>> {
    let limit = match message.detail {
        Detail::OneLine => return vec![Vec::new()],
        Detail::Full => LARGEST_BODY,
        Detail::Shorter | Detail::Plain => LARGEST_BODY / 10 * 7,
    };
    let (mut chunks, mut size) = (vec![Vec::new()], ENVELOPE);
    for (index, event) in message.events.iter().enumerate() {
        let link = message.entries.get(index).and_then(|entry| entry.link.as_deref());
        let value = of_event(event, shown(link, message), message.at);
        let length = value.to_string().len() + 1;
        match chunks.last_mut() {
            Some(last) if last.len() < MOST_EVENTS && size + length <= limit => {
                size += length;
                last.push(value);
            }
            _ => {
                size = ENVELOPE + length;
                chunks.push(vec![value]);
            }
        }
    }
    chunks
}

fn shown<'a>(link: Option<&'a str>, message: &Message) -> Option<&'a str> {
    link.filter(|_| message.detail < Detail::Plain)
}

fn of_event(event: &Event, link: Option<&str>, at: Timestamp) -> Value {
    let mut data = json!({
        "schema": "notafter.event/1",
        "id": event.id,
        "kind": event.kind(),
        "severity": event.severity.as_str(),
        "occurred_at": iso(event.at),
        "composed_at": iso(at),
        "link": link,
    });
    if let Value::Object(data) = &mut data {
        data.append(&mut of_topic(event, at));
    }
    data
}

fn of_topic(event: &Event, at: Timestamp) -> Map<String, Value> {
    if let Some(digest) = event.daily() {
        return daily::fields(digest, at);
    }
    of_alert(&event.topic, at).unwrap_or_else(|| object(of_condition(&event.topic)))
}

/// Returns what is said about a certificate, if it is about one.
fn of_alert(topic: &Topic, at: Timestamp) -> Option<Map<String, Value>> {
    Some(match topic {
        Topic::Expiring { facts, rung, leaves, newer, unserved, places } => {
            let word = Message::rung_word(*rung);
            let newer = newer.as_ref().map(of_newer);
            let own = json!({
                "rung": word, "leaves": leaves, "newer": newer, "served_nowhere": unserved,
                "places": places,
            });
            of_certificate(facts, at, &["expiring", word.as_str()], own)
        }
        Topic::NotDeployed { facts, rung, newer, since, bound } => {
            let word = Message::rung_word(*rung);
            let bound: Vec<String> = bound.iter().map(|place| clean(place)).collect();
            let own = json!({
                "rung": word, "newer": of_newer(newer), "since": since.map(iso), "bound": bound,
            });
            of_certificate(facts, at, &["not_deployed", word.as_str()], own)
        }
        Topic::EndsFirst { facts, leaves, places } => {
            let own = json!({ "leaves": leaves, "places": places });
            of_certificate(facts, at, &["ends_first"], own)
        }
        Topic::Canary { facts, rung } => {
            let word = Message::rung_word(*rung);
            let own = json!({ "rung": word, "test": true });
            of_certificate(facts, at, &["canary", word.as_str()], own)
        }
        Topic::Gone { facts, elsewhere } => {
            let own = json!({ "elsewhere": elsewhere.as_ref().map(of_newer) });
            of_certificate(facts, at, &["gone"], own)
        }
        Topic::Renewed { facts, successor, successor_not_after: end } => {
            let own =
                json!({ "successor": { "serial": clean(successor), "not_after": iso(*end) } });
            of_certificate(facts, at, &["renewed", successor], own)
        }
        _ => return None,
    })
}

/// Returns what is said about notafter itself and what it depends on.
fn of_condition(topic: &Topic) -> Value {
    match topic {
        Topic::FleetCliff { source, month, ending, renewed } => json!({
            "source": clean(source), "month": month.to_string(),
            "ending": ending, "most_renewed": renewed,
        }),
        Topic::SourceStale { source, last_proven, error } => json!({
            "source": clean(source),
            "last_proven": last_proven.map(iso),
            "error": error.as_deref().map(clean),
        }),
        Topic::SourceRecovered { source } => json!({ "source": clean(source) }),
        Topic::PlaceUnreadable { source, place, error } => {
            json!({ "source": clean(source), "place": clean(place), "error": clean(error) })
        }
        Topic::PlaceReadable { source, place } => {
            json!({ "source": clean(source), "place": clean(place) })
        }
        Topic::Endpoint { source, place, news } => of_endpoint(source, place, news),
        Topic::InventoryShrunk { source, scope, known, missing } => {
            json!({ "source": clean(source), "scope": clean(scope), "known": known, "missing": missing })
        }
        Topic::InventoryRestored { source, scope, accepted } => json!({
            "source": clean(source), "scope": clean(scope),
            "known": accepted.map(|accepted| accepted.known),
            "missing": accepted.map(|accepted| accepted.missing),
        }),
        Topic::InventoryContradicts { source, scope, unlisted } => {
            json!({ "source": clean(source), "scope": clean(scope), "missing": unlisted })
        }
        Topic::InventoryConsistent { source, scope } => {
            json!({ "source": clean(source), "scope": clean(scope) })
        }
        Topic::ChannelDown { channel, code, hint } => {
            json!({ "channel": clean(channel), "code": clean(code), "hint": clean(hint) })
        }
        Topic::ChannelUp { channel } => json!({ "channel": clean(channel) }),
        Topic::NotificationDead { channel, code } => {
            json!({ "channel": clean(channel), "code": clean(code) })
        }
        Topic::ClockSuspect { detail } => json!({ "detail": clean(detail) }),
        Topic::ClockOffset { source, seconds } => {
            json!({ "source": clean(source), "offset_seconds": seconds })
        }
        Topic::Expiring { .. }
        | Topic::NotDeployed { .. }
        | Topic::EndsFirst { .. }
        | Topic::Gone { .. }
        | Topic::Renewed { .. }
        | Topic::ClockRecovered
        | Topic::DailyDigest(_)
        | Topic::Canary { .. }
        | Topic::Test => json!({}),
    }
}

fn of_endpoint(source: &str, place: &str, news: &EndpointNews) -> Value {
    let mut fields = json!({ "source": clean(source), "place": clean(place) });
    match news {
        EndpointNews::Invalid(invalid) => {
            fields["reason"] = json!(invalid.reason.as_str());
            fields["detail"] = json!(clean(&invalid.detail));
        }
        EndpointNews::Unreachable { error } => fields["error"] = json!(clean(error)),
        EndpointNews::Reachable => {}
    }
    fields
}

fn of_newer(newer: &Newer) -> Value {
    json!({
        "source": clean(&newer.source),
        "place": clean(&newer.place),
        "serial": clean(&newer.serial),
        "not_after": newer.not_after.map(iso),
        "deployment_unknown": newer.deployment_unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::{self, NOW, expiring};
    use super::*;
    use crate::expiry::{Facts, Language, Severity};

    fn shown(message: &Message) -> String {
        serde_json::to_string_pretty(&pages(message)[0]).unwrap()
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        {
          "data": {
            "certificate": {
              "common_name": "www.example.com",
              "display_name": "www.example.com",
              "fingerprint": null,
              "holder": "",
              "issuer": "R11",
              "kind": "server",
              "labels": {},
              "not_after": "2026-01-08T00:00:00Z",
              "not_before": "2025-10-10T00:00:00Z",
              "organizational_unit": "",
              "place": "",
              "serial": "04a1b2c3",
              "status": "active",
              "subject_cn": "www.example.com"
            },
            "composed_at": "2026-01-01T00:00:00Z",
            "days_left": 7,
            "dedup_key": "e6c654a6d15a9e10e3b6d4ac1319a30ce7bae92c57de100dd9dc44710e9a9e46",
            "id": "0193e4b0-7d",
            "kind": "certificate.expiring",
            "leaves": null,
            "link": "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3",
            "newer": null,
            "occurred_at": "2026-01-01T00:00:00Z",
            "place": "",
            "places": null,
            "problem_key": "56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae",
            "rung": "7d",
            "schema": "notafter.event/1",
            "scope": "all",
            "seconds_left": 604800,
            "served_nowhere": false,
            "severity": "warning",
            "source": "web-certs"
          },
          "timestamp": "2026-01-01T00:00:00Z",
          "type": "certificate.expiring"
        }
        "#);
        assert_eq!(pages(&sample::single()), pages(&sample::zh(&sample::single())));
    }

    #[test]
    fn a_list() {
        let mut page = pages(&sample::list()).remove(0);
        let events = page["data"]["events"].take();
        let events: Vec<_> = events.as_array().unwrap().iter().map(Value::to_string).collect();
        insta::assert_snapshot!(format!("{page}\n{}", events.join("\n")), @r#"
        {"data":{"batch_id":"0193e4b0-7d","composed_at":"2026-01-01T00:00:00Z","counts":{"certificate.expiring":2},"events":null,"link":"https://certs.example.com/","page":1,"pages":1,"schema":"notafter.batch/1","severity":"warning","total":2},"timestamp":"2026-01-01T00:00:00Z","type":"digest"}
        {"certificate":{"common_name":"*.a.example.com","display_name":"*.a.example.com","fingerprint":null,"holder":"","issuer":"R11","kind":"server","labels":{},"not_after":"2026-01-04T00:00:00Z","not_before":"2025-10-10T00:00:00Z","organizational_unit":"","place":"","serial":"04a1b2c3","status":"active","subject_cn":"*.a.example.com"},"composed_at":"2026-01-01T00:00:00Z","days_left":3,"dedup_key":"e6c654a6d15a9e10e3b6d4ac1319a30ce7bae92c57de100dd9dc44710e9a9e46","id":"0193e4b0-7d","kind":"certificate.expiring","leaves":null,"link":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","newer":null,"occurred_at":"2026-01-01T00:00:00Z","place":"","places":null,"problem_key":"56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae","rung":"7d","schema":"notafter.event/1","scope":"all","seconds_left":259200,"served_nowhere":false,"severity":"warning","source":"web-certs"}
        {"certificate":{"common_name":"b.example.com","display_name":"b.example.com","fingerprint":null,"holder":"","issuer":"R11","kind":"server","labels":{},"not_after":"2026-01-08T00:00:00Z","not_before":"2025-10-10T00:00:00Z","organizational_unit":"","place":"","serial":"04a1b2c3","status":"active","subject_cn":"b.example.com"},"composed_at":"2026-01-01T00:00:00Z","days_left":7,"dedup_key":"e6c654a6d15a9e10e3b6d4ac1319a30ce7bae92c57de100dd9dc44710e9a9e46","id":"0193e4b0-7d","kind":"certificate.expiring","leaves":null,"link":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","newer":null,"occurred_at":"2026-01-01T00:00:00Z","place":"","places":null,"problem_key":"56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae","rung":"7d","schema":"notafter.event/1","scope":"all","seconds_left":604800,"served_nowhere":false,"severity":"warning","source":"web-certs"}
        "#);
    }

    #[test]
    fn a_digest_in_pages() {
        let pages = pages(&sample::digest(250));
        let of = |page: &Value| {
            (page["data"]["page"].clone(), page["data"]["events"].as_array().unwrap().len())
        };
        assert_eq!(
            pages.iter().map(of).collect::<Vec<_>>(),
            [(json!(1), 100), (json!(2), 100), (json!(3), 50)]
        );
        for page in &pages {
            assert_eq!(page["type"], "digest");
            let data = &page["data"];
            assert_eq!((&data["pages"], &data["total"]), (&json!(3), &json!(250)));
            assert_eq!(data["counts"], json!({ "certificate.expiring": 250 }));
        }
        let mut page = super::pages(&sample::digest(6)).remove(0);
        page["data"]["events"] = json!([]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&page).unwrap(), @r#"
        {
          "data": {
            "batch_id": "0193e4b0-7d",
            "composed_at": "2026-01-01T00:00:00Z",
            "counts": {
              "certificate.expiring": 6
            },
            "events": [],
            "link": "https://certs.example.com/",
            "page": 1,
            "pages": 1,
            "schema": "notafter.batch/1",
            "severity": "warning",
            "total": 6
          },
          "timestamp": "2026-01-01T00:00:00Z",
          "type": "digest"
        }
        "#);
    }

    #[test]
    fn a_page_keeps_to_its_size() {
        let mut event = expiring(&"长".repeat(5000), 3);
        let Topic::Expiring { facts, .. } = &mut event.topic else { panic!("made above") };
        (facts.holder, facts.unit, facts.issuer) =
            ("名".repeat(5000), "\"".repeat(5000), "\\".repeat(5000));
        for (detail, limit) in [(Detail::Full, 256 * 1024), (Detail::Shorter, 180 * 1024)] {
            let message =
                Message { detail, ..sample::compose(Language::En, vec![event.clone(); 300]) };
            let pages = pages(&message);
            let largest = pages.iter().map(|page| page.to_string().len()).max();
            assert!(largest <= Some(limit), "{largest:?}");
            let events = pages
                .iter()
                .map(|page| page["data"]["events"].as_array().unwrap().len())
                .sum::<usize>();
            assert_eq!(events, 300);
        }
    }

    #[test]
    fn the_last_resort_has_counts_and_no_events() {
        let message = Message { detail: Detail::OneLine, ..sample::digest(250) };
        let pages = pages(&message);
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0]["data"]["events"], json!([]));
        assert_eq!(pages[0]["data"]["total"], 250);
        let plain = super::pages(&Message { detail: Detail::Plain, ..sample::single() });
        assert_eq!(plain[0]["data"]["link"], Value::Null);
    }

    #[test]
    fn times_left_are_counted_from_composition_as_in_the_words() {
        for (days, hours, expected, words) in [
            (7, -1, 6, "in 6 days"),
            (7, 0, 7, "in 7 days"),
            (0, 12, 0, "in 12 hours"),
            (-1, -12, -1, "1 day ago"),
            (-2, 0, -2, "2 days ago"),
        ] {
            let events = vec![expiring("a", days)];
            let at = NOW.plus(-3600 * hours);
            let message = Message::compose("id", at, Language::En, events, None);
            let page = pages(&message).remove(0);
            assert_eq!(page["data"]["days_left"], expected, "{days} d and {hours} h");
            assert_eq!(page["data"]["composed_at"], iso(at));
            assert_eq!(page["data"]["occurred_at"], iso(NOW));
            let end = &message.facts[0].value;
            assert!(end.ends_with(words), "{days} d and {hours} h: {end}");
        }
    }

    #[test]
    fn the_place_is_part_of_the_problem_where_there_is_one() {
        let problem = |place: &str, collides: bool| {
            let fingerprint = Some([7; 32]);
            let facts =
                Facts { place: place.into(), collides, fingerprint, ..sample::facts("a", 3) };
            let of = of_certificate(&facts, NOW, &["expiring", "7d"], json!({}));
            assert_eq!(of["certificate"]["fingerprint"], "07".repeat(32));
            assert_eq!((&of["place"], &of["certificate"]["place"]), (&json!(place), &json!(place)));
            (of["problem_key"].clone(), of["dedup_key"].clone())
        };
        let (old, placed, second) = (problem("", false), problem("/a", false), problem("/a", true));
        assert_eq!(old.0, pages(&sample::single())[0]["data"]["problem_key"]);
        assert!(old.0 != placed.0 && placed.0 != second.0);
        assert_eq!(old.1, second.1, "what is kept by receivers stays");
    }

    #[test]
    fn values_are_raw_but_for_what_hides() {
        let event = expiring("a\u{202E}b\n<c>\u{200B}\"证", 3);
        let page = pages(&sample::compose(Language::En, vec![event])).remove(0);
        let certificate = &page["data"]["certificate"];
        assert_eq!(certificate["subject_cn"], "ab<c>\"证");
        assert_eq!(certificate["display_name"], "a%E2%80%AEb%0A%3Cc%3E%E2%80%8B%22证");
    }

    #[test]
    fn every_topic_has_its_fields() {
        let mut shapes = Vec::new();
        for topic in sample::topics("x") {
            let event = Event { id: "x".to_owned(), at: NOW, severity: Severity::Info, topic };
            let page = pages(&sample::compose(Language::En, vec![event])).remove(0);
            let common = ["schema", "id", "kind", "severity", "occurred_at", "composed_at", "link"];
            let own = page["data"]
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| !common.contains(&key.as_str()))
                .cloned();
            shapes.push(format!(
                "{}: {:?}",
                page["type"].as_str().unwrap(),
                own.collect::<Vec<_>>()
            ));
        }
        insta::assert_snapshot!(shapes.join("\n"), @r#"
        certificate.expiring: ["certificate", "days_left", "dedup_key", "leaves", "newer", "place", "places", "problem_key", "rung", "scope", "seconds_left", "served_nowhere", "source"]
        certificate.renewed: ["certificate", "days_left", "dedup_key", "place", "problem_key", "scope", "seconds_left", "source", "successor"]
        source.stale: ["error", "last_proven", "source"]
        source.recovered: ["source"]
        place.unreadable: ["error", "place", "source"]
        place.readable: ["place", "source"]
        inventory.shrunk: ["known", "missing", "scope", "source"]
        inventory.restored: ["known", "missing", "scope", "source"]
        inventory.contradicts: ["missing", "scope", "source"]
        inventory.consistent: ["scope", "source"]
        channel.down: ["channel", "code", "hint"]
        channel.up: ["channel"]
        notification.dead: ["channel", "code"]
        certificate.gone: ["certificate", "days_left", "dedup_key", "elsewhere", "place", "problem_key", "scope", "seconds_left", "source"]
        ca.ends_first: ["certificate", "days_left", "dedup_key", "leaves", "place", "places", "problem_key", "scope", "seconds_left", "source"]
        fleet.cliff: ["ending", "month", "most_renewed", "source"]
        certificate.not_deployed: ["bound", "certificate", "days_left", "dedup_key", "newer", "place", "problem_key", "rung", "scope", "seconds_left", "since", "source"]
        clock.suspect: ["detail"]
        clock.recovered: []
        clock.offset: ["offset_seconds", "source"]
        digest.daily: ["channel", "dead", "events", "left_out", "long_ended", "news", "next", "rungs", "scheduled_at", "since", "snoozed", "snoozes", "soonest", "sources", "total", "undated", "unproven"]
        canary: ["certificate", "days_left", "dedup_key", "place", "problem_key", "rung", "scope", "seconds_left", "source", "test"]
        test: []
        endpoint.invalid: ["detail", "place", "reason", "source"]
        endpoint.unreachable: ["error", "place", "source"]
        endpoint.reachable: ["place", "source"]
        "#);
    }
}

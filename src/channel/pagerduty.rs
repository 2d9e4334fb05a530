//! `PagerDuty`, Events API v2: an incident for each problem, resolved when the problem is over. The key of an integration
//! is in the body.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::address::{Address, Vendor};
use super::fit::{self, Page, fit};
use super::keys;
use super::options::Credential;
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::{cut_chars, inert, iso};
use crate::expiry::{Event, Message, Severity, Timestamp, Topic};

const LARGEST_SUMMARY: usize = 1024;
/// The service takes 512 KB; the key is added to this.
const LARGEST_BODY: usize = 500_000;
/// More new problems at once are one incident, but for critical ones.
const MOST_INCIDENTS: usize = 20;
/// What is no problem and ends none: it is not sent.
pub(super) const NOT_TAKEN: [&str; 1] = ["digest.daily"];

const US: &str = "https://events.pagerduty.com/v2/enqueue";
const EU: &str = "https://events.eu.pagerduty.com/v2/enqueue";
const VENDOR: Vendor = Vendor {
    hosts: &["events.pagerduty.com", "events.eu.pagerduty.com"],
    robot: |url| url.path() == "/v2/enqueue",
    form: US,
    key_base: None,
};

pub(super) struct PagerDuty {
    routing_key: Credential,
}

impl Robot for PagerDuty {
    const ABOUT: &'static str =
        "PagerDuty, Events API v2: an incident for each problem, resolved when it is over.";
    const OPTIONS: &'static [Key] = &[
        Key::required(
            "routing_key",
            Shape::Secret,
            "The key of the integration, 32 letters and digits.",
        ),
        Key::new("region", Shape::Word(&["us", "eu"]), "Where the account is.").or("\"us\""),
        Key::new(
            "url",
            Shape::Secret,
            "Instead of the service itself, a stand-in on this machine.",
        ),
    ];
    /// About 120 a minute for one key.
    const PACE: Pace = Pace { gap: Duration::from_millis(500), per_minute: 60 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/v2/",
        options: r#"url = { env = "ROBOT_URL" }
            routing_key = { env = "ROUTING_KEY" }"#,
        success: r#"{"status":"success","dedup_key":"k"}"#,
    };

    fn address(fields: &mut Fields<'_>) -> Option<Address> {
        let region = fields.string("region");
        let base = match region.as_ref().map(|region| region.value.as_str()) {
            None | Some("us") => US,
            Some("eu") => EU,
            Some(_) => {
                let place = region.map(|region| region.span).unwrap_or_default();
                fields.mistake(place, "`region` is `us` or `eu`");
                US
            }
        };
        if fields.has("url") {
            return Address::of("url", Some(&VENDOR), fields);
        }
        Address::new("region", Box::new(move || Ok(SecretString::from(base))), Some(&VENDOR)).ok()
    }

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        let key = fields.required_secret("routing_key")?;
        let is_key =
            |key: &str| key.len() == 32 && key.bytes().all(|it| it.is_ascii_alphanumeric());
        if key.value.read().is_ok_and(|text| !is_key(text.expose_secret())) {
            fields.mistake(key.span, "`routing_key`: it is not 32 letters and digits");
            return None;
        }
        Some(Self { routing_key: Credential::new("routing_key", key.value) })
    }

    fn destination(&self, address: &Address) -> String {
        let key = self.routing_key.read();
        let key = key.map_or_else(|_| String::new(), |key| keys::key(&[key.expose_secret()]));
        format!("{}/{}", address.destination(), cut_chars(&key, 9))
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let taken = |event: &Event| !NOT_TAKEN.contains(&event.kind());
        let is_new = |event: &Event| taken(event) && !keys::closes(&event.topic);
        let too_many = message.events.iter().filter(|event| is_new(event)).count() > MOST_INCIDENTS;
        let together =
            |event: &Event| too_many && is_new(event) && event.severity < Severity::Critical;
        let alone = message.parts();
        let alone =
            alone.iter().filter(|part| part.events.iter().all(|it| taken(it) && !together(it)));
        let mut requests: Vec<Value> = alone.flat_map(requests).collect();
        requests.extend(too_many.then(|| aggregate(message)));
        // There is always a request: this one is sent nowhere.
        if requests.is_empty() { vec![Value::Null] } else { requests }
    }

    /// Adds the key, as it is now.
    fn sign(&self, request: &mut Draft, _: &str, _: &dyn Clock) -> Result<(), SendError> {
        request.body["routing_key"] = json!(self.routing_key.read()?.expose_secret());
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        if matches!(response.status, 401 | 403 | 404) {
            return Err(down(
                format!("http {}", response.status),
                "correct the routing_key and the region",
            ));
        }
        verdict::of_status(response, now)?;
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        if response.status == 202 || body.is_some_and(|body| body["status"] == "success") {
            return Ok(Receipt::default());
        }
        Err(unknown("answer without a verdict"))
    }
}

/// Returns the requests about one event: an incident, its end, or for a test both.
fn requests(part: &Message) -> Vec<Value> {
    let Some(event) = part.events.first() else { return Vec::new() };
    let key = keys::problem(event);
    let resolve = json!({ "event_action": "resolve", "dedup_key": key });
    match &event.topic {
        topic if keys::closes(topic) => vec![resolve],
        Topic::Test | Topic::Canary { .. } => vec![trigger(part, event, &key), resolve],
        _ => vec![trigger(part, event, &key)],
    }
}

fn trigger(part: &Message, event: &Event, key: &str) -> Value {
    let render = |page: &Page<'_>| {
        let facts = page.facts.iter().map(|fact| (fact.label.clone(), json!(fact.value)));
        let payload = json!({
            "summary": summary(&page.title),
            "source": source(event),
            "severity": part.severity.as_str(),
            "timestamp": iso(event.at),
            "group": event.source().map(|source| inert(source, 64)),
            "class": event.kind(),
            "custom_details": facts.collect::<Map<_, _>>(),
        });
        incident(page, key, payload)
    };
    fit(part, None, LARGEST_BODY, render, fit::body_size)
}

/// Returns one incident that says all of them.
fn aggregate(message: &Message) -> Value {
    let render = |page: &Page<'_>| {
        let counts = page.facts.iter().map(|fact| (fact.label.clone(), json!(fact.value)));
        let mut details: Map<_, _> = counts.collect();
        let lines = page.entries.iter().map(super::fit::Line::text).chain(page.left_out.clone());
        details.insert("events".to_owned(), json!(lines.collect::<Vec<_>>()));
        let payload = json!({
            "summary": summary(&page.title),
            "source": "notafter",
            "severity": Severity::Warning.as_str(),
            "timestamp": iso(message.at),
            "class": "digest",
            "custom_details": details,
        });
        incident(page, &format!("digest:{}", message.id), payload)
    };
    fit(message, None, LARGEST_BODY, render, fit::body_size)
}

fn incident(page: &Page<'_>, key: &str, mut payload: Value) -> Value {
    if page.plain {
        payload["custom_details"] = Value::Null;
    }
    let links = page.links().map(|(label, link)| json!({ "href": link, "text": label }));
    json!({
        "event_action": "trigger",
        "dedup_key": key,
        "client": "notafter",
        "client_url": page.link,
        "links": links.collect::<Vec<_>>(),
        "payload": payload,
    })
}

/// The envelope of chat messages says nothing where the client is named.
fn summary(title: &str) -> String {
    cut_chars(title.trim_start_matches("[notafter] "), LARGEST_SUMMARY)
}

/// Returns what is affected: the certificate's name, else the source, else notafter itself.
fn source(event: &Event) -> String {
    let of_certificate =
        event.facts().map(|facts| [&facts.common_name, &facts.holder, &facts.serial]);
    let name =
        of_certificate.into_iter().flatten().map(String::as_str).find(|name| !name.is_empty());
    inert(name.or(event.source()).filter(|name| !name.is_empty()).unwrap_or("notafter"), 64)
}

#[cfg(test)]
mod tests {
    use super::super::robot::kit;
    use super::super::sample::{self, expiring};
    use super::*;
    use crate::config::{Environment, Secret, SecretRef};
    use crate::expiry::{Detail, Language};

    fn robot() -> PagerDuty {
        let secret = Secret::new(SecretRef::Env("T".into()), &Environment::of([]));
        PagerDuty { routing_key: Credential::new("routing_key", secret) }
    }

    fn shown(message: &Message) -> String {
        let requests = robot().encode(message);
        requests.iter().map(sample::outline).collect::<Vec<_>>().join("\n")
    }

    fn of(topic: Topic, severity: Severity) -> Event {
        Event { id: "1".into(), at: sample::NOW, severity, topic }
    }

    #[test]
    fn an_event_is_an_incident() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        client: "notafter"
        client_url: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        dedup_key: "56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae"
        event_action: "trigger"
        links: {"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","text":"Open"}
        payload: {"class":"certificate.expiring","custom_details":{"Common name":"www.example.com","Expiry":"2026-01-08 00:00 (UTC), in 7 days","Issuer":"R11","Serial":"04a1b2c3","Source":"web-certs"},"group":"web-certs","severity":"warning","source":"www.example.com","summary":"certificate www.example.com expires in 7 days","timestamp":"2026-01-01T00:00:00Z"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        client: "notafter"
        client_url: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        dedup_key: "56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae"
        event_action: "trigger"
        links: {"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","text":"查看"}
        payload: {"class":"certificate.expiring","custom_details":{"到期时间":"2026-01-08 00:00 (UTC)，7 天后","序列号":"04a1b2c3","来源":"web-certs","签发者":"R11","通用名称 (CN)":"www.example.com"},"group":"web-certs","severity":"warning","source":"www.example.com","summary":"证书 www.example.com 将在 7 天后到期","timestamp":"2026-01-01T00:00:00Z"}
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::single() }), @r#"
        client: "notafter"
        client_url: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        dedup_key: "56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae"
        event_action: "trigger"
        links: {"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","text":"Open"}
        payload: {"class":"certificate.expiring","custom_details":null,"group":"web-certs","severity":"warning","source":"www.example.com","summary":"1 event needs attention","timestamp":"2026-01-01T00:00:00Z"}
        "#);
    }

    #[test]
    fn what_is_renewed_gone_or_well_again_resolves_what_it_ends() {
        let begun =
            robot().encode(&sample::compose(Language::En, vec![expiring("x", 3)])).remove(0);
        for topic in sample::topics("x").into_iter().filter(keys::closes) {
            let kind = topic.kind();
            let message = sample::compose(Language::En, vec![of(topic, Severity::Info)]);
            let requests = robot().encode(&message);
            assert_eq!(requests.len(), 1, "{kind}");
            assert_eq!(requests[0]["event_action"], "resolve", "{kind}");
            let same = requests[0]["dedup_key"] == begun["dedup_key"];
            assert_eq!(same, kind.starts_with("certificate."), "{kind}");
        }
    }

    #[test]
    fn a_test_is_opened_and_resolved() {
        let message = sample::compose(Language::En, vec![of(Topic::Test, Severity::Info)]);
        let actions: Vec<_> =
            robot().encode(&message).iter().map(|body| body["event_action"].clone()).collect();
        assert_eq!(actions, ["trigger", "resolve"]);
    }

    #[test]
    fn each_of_several_is_an_incident_until_they_are_too_many() {
        assert_eq!(robot().encode(&sample::list()).len(), 2);
        assert_eq!(robot().encode(&sample::digest(20)).len(), 20);
        let mut events = sample::digest(30).events;
        events[7].severity = Severity::Critical;
        let requests = robot().encode(&sample::compose(Language::En, events));
        let classes: Vec<_> =
            requests.iter().map(|body| body["payload"]["class"].clone()).collect();
        assert_eq!(classes, ["certificate.expiring", "digest"]);
        assert_eq!(requests[1]["dedup_key"], "digest:0193e4b0-7d");
        let listed = requests[1]["payload"]["custom_details"]["events"].as_array().unwrap();
        assert_eq!(listed.len(), 30);
    }

    #[test]
    fn every_limit_holds() {
        for message in [sample::digest(5000), sample::hostile(5000), sample::hostile(1)] {
            for detail in Detail::ALL {
                for body in robot().encode(&Message { detail, ..message.clone() }) {
                    let summary = body["payload"]["summary"].as_str().unwrap();
                    assert!((1..=1024).contains(&summary.chars().count()), "{summary}");
                    assert!(body["dedup_key"].as_str().unwrap().len() <= 255);
                    assert!(body.to_string().len() <= 512_000);
                }
            }
        }
    }

    #[tokio::test]
    async fn the_key_is_added_to_what_is_sent() {
        let requests = kit::robot("pagerduty").requests_for(&sample::single()).await;
        assert_eq!(requests[0].json()["routing_key"], kit::ROUTING_KEY);
        assert!(!shown(&sample::single()).contains("routing_key"));
    }

    #[test]
    fn the_status_is_the_verdict() {
        sample::assert_outcomes(
            |response, now| robot().judge(response, now),
            &[
                (202, r#"{"status":"success"}"#, "delivered"),
                (200, "<html>", "retry"),
                (400, r#"{"status":"invalid event","errors":["x"]}"#, "rejected"),
                (403, "", "down"),
                (404, "", "down"),
                (429, "", "throttled"),
                (500, "", "retry"),
                (302, "", "down"),
            ],
        );
    }

    #[test]
    fn a_key_or_a_region_that_is_none_is_a_mistake() {
        let key = "routing_key = { env = \"ROUTING_KEY\" }";
        for (options, expected) in [
            ("routing_key = { env = \"SIGNING_KEY\" }".to_owned(), "`routing_key`: it is not 32"),
            (format!("{key}\nregion = \"asia\""), "`region` is `us` or `eu`"),
            (format!("{key}\nurl = {{ env = \"ROBOT_URL\" }}"), "it is not of the form"),
        ] {
            let (channel, mistakes) =
                kit::built("pagerduty", "https://evil.test/v2/enqueue", &options);
            assert!(channel.is_none(), "{options}");
            assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
        }
        for (region, host) in [("us", "events.pagerduty.com#"), ("eu", "events.eu.pagerduty.com#")]
        {
            let (channel, _) =
                kit::built("pagerduty", "", &format!("{key}\nregion = \"{region}\""));
            assert!(channel.unwrap().destination().starts_with(host));
        }
    }
}

//! The same events as Alertmanager sends them to its own webhooks, version 4, so that what is made for those works.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::channel::{keys, labels};
use crate::expiry::text::iso;
use crate::expiry::{Detail, Message};

const MOST_ALERTS: usize = 100;
/// What Alertmanager writes for an end that is not known.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Returns the request bodies, one a page.
pub(super) fn pages(message: &Message) -> Vec<Value> {
    let alerts: Vec<Value> = match message.detail {
        Detail::OneLine => vec![of_all(message)],
        _ => message.parts().iter().filter_map(alert).collect(),
    };
    let chunks: Vec<&[Value]> = alerts.chunks(MOST_ALERTS).collect();
    let count = chunks.len();
    let page = |(index, alerts): (usize, &&[Value])| group(message, (index, count), alerts);
    chunks.iter().enumerate().map(page).collect()
}

fn group(message: &Message, (index, count): (usize, usize), alerts: &[Value]) -> Value {
    let fires = alerts.iter().any(|alert| alert["status"] == "firing");
    let page = if count == 1 { String::new() } else { format!("-{}", index + 1) };
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{message=\"{}{page}\"}}", message.id),
        "truncatedAlerts": 0,
        "status": if fires { "firing" } else { "resolved" },
        "receiver": "notafter",
        "groupLabels": {},
        "commonLabels": common(alerts, "labels"),
        "commonAnnotations": common(alerts, "annotations"),
        "externalURL": root(message),
        "alerts": alerts,
    })
}

fn alert(part: &Message) -> Option<Value> {
    let event = part.events.first()?;
    let is_over = keys::closes(&event.topic);
    let at = iso(event.at);
    // Nothing would ever say that a test is over.
    let canary = event.facts().filter(|_| event.is_canary()).and_then(|facts| facts.not_after);
    let end = canary.map_or_else(|| NO_END.to_owned(), iso);
    let fingerprint: String = keys::problem(event).chars().take(16).collect();
    Some(json!({
        "status": if is_over { "resolved" } else { "firing" },
        "labels": labels::of(event),
        "annotations": annotations(part),
        "startsAt": at,
        "endsAt": if is_over { &at } else { &end },
        "generatorURL": part.link.as_deref().unwrap_or_default(),
        "fingerprint": fingerprint,
    }))
}

/// Returns one alert that says all of them.
fn of_all(message: &Message) -> Value {
    let labels =
        json!({ "alertname": "Digest", "job": "notafter", "severity": message.severity.as_str() });
    json!({
        "status": "firing",
        "labels": labels,
        "annotations": { "summary": labels::without_envelope(&message.one_line()) },
        "startsAt": iso(message.at),
        "endsAt": NO_END,
        "generatorURL": message.link.as_deref().unwrap_or_default(),
        "fingerprint": message.id.chars().take(16).collect::<String>(),
    })
}

fn annotations(part: &Message) -> BTreeMap<&'static str, String> {
    let facts = part.facts.iter().map(|fact| fact.line(part.language)).collect::<Vec<_>>();
    let summary = labels::without_envelope(&part.title).to_owned();
    BTreeMap::from([("summary", summary), ("description", facts.join("\n"))])
}

/// Returns what all alerts have in common.
fn common(alerts: &[Value], key: &str) -> Value {
    let Some((first, others)) = alerts.split_first() else { return json!({}) };
    let own = first[key].as_object().into_iter().flatten();
    let shared =
        own.filter(|(name, value)| others.iter().all(|other| other[key][name.as_str()] == **value));
    Value::Object(shared.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn root(message: &Message) -> &str {
    message.link.as_deref().and_then(|link| link.split('?').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::{self, NOW};
    use super::*;
    use crate::expiry::{Event, Language, Severity};

    fn shown(message: &Message) -> String {
        serde_json::to_string_pretty(&pages(message)[0]).unwrap()
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        {
          "alerts": [
            {
              "annotations": {
                "description": "Expiry: 2026-01-08 00:00 (UTC), in 7 days\nCommon name: www.example.com\nSource: web-certs\nIssuer: R11\nSerial: 04a1b2c3",
                "summary": "certificate www.example.com expires in 7 days"
              },
              "endsAt": "0001-01-01T00:00:00Z",
              "fingerprint": "56c67059b76ed87b",
              "generatorURL": "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3",
              "labels": {
                "alertname": "CertificateExpiring",
                "cert": "04a1b2c3",
                "issuer": "R11",
                "job": "notafter",
                "scope": "all",
                "severity": "warning",
                "source": "web-certs"
              },
              "startsAt": "2026-01-01T00:00:00Z",
              "status": "firing"
            }
          ],
          "commonAnnotations": {
            "description": "Expiry: 2026-01-08 00:00 (UTC), in 7 days\nCommon name: www.example.com\nSource: web-certs\nIssuer: R11\nSerial: 04a1b2c3",
            "summary": "certificate www.example.com expires in 7 days"
          },
          "commonLabels": {
            "alertname": "CertificateExpiring",
            "cert": "04a1b2c3",
            "issuer": "R11",
            "job": "notafter",
            "scope": "all",
            "severity": "warning",
            "source": "web-certs"
          },
          "externalURL": "https://certs.example.com/",
          "groupKey": "{}:{message=\"0193e4b0-7d\"}",
          "groupLabels": {},
          "receiver": "notafter",
          "status": "firing",
          "truncatedAlerts": 0,
          "version": "4"
        }
        "#);
    }

    #[test]
    fn what_is_over_is_resolved_and_what_all_share_is_common() {
        let event = |topic| Event { id: "1".into(), at: NOW, severity: Severity::Info, topic };
        for topic in sample::topics("x") {
            let (kind, over) = (topic.kind(), keys::closes(&topic));
            let page = pages(&sample::compose(Language::En, vec![event(topic)])).remove(0);
            let expected = if over { "resolved" } else { "firing" };
            assert_eq!(
                (&page["status"], &page["alerts"][0]["status"]),
                (&json!(expected), &json!(expected)),
                "{kind}"
            );
            let ends = over || kind == "canary";
            assert_eq!(page["alerts"][0]["endsAt"] == NO_END, !ends, "{kind}");
        }
        let page = pages(&sample::list()).remove(0);
        assert_eq!(page["commonLabels"]["alertname"], "CertificateExpiring");
        assert_eq!(page["alerts"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn many_are_several_groups_and_the_last_resort_is_one_alert() {
        let pages = pages(&sample::digest(150));
        let sizes: Vec<_> =
            pages.iter().map(|page| page["alerts"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 50]);
        assert_ne!(pages[0]["groupKey"], pages[1]["groupKey"]);
        let last = super::pages(&Message { detail: Detail::OneLine, ..sample::digest(150) });
        assert_eq!(last.len(), 1);
        assert_eq!(last[0]["alerts"][0]["annotations"]["summary"], "150 events need attention");
    }
}

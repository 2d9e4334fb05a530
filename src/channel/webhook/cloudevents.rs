//! The same events as `CloudEvents` 1.0: one in structured mode, several as a batch.
//!
//! `type` is the kind, `subject` the certificate's or condition's key, `data` the event as the other format has it. Of the last
//! resort, which has no events, the one event is the batch itself.

use serde_json::{Value, json};

use super::envelope;
use crate::channel::keys;
use crate::expiry::text::iso;
use crate::expiry::{Detail, Event, Message};

/// What one event is sent as, and several.
pub(super) const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";
pub(super) const BATCH: &str = "application/cloudevents-batch+json; charset=utf-8";

/// Returns the request bodies, one a page: an object, or a list of them.
pub(super) fn pages(message: &Message) -> Vec<Value> {
    let source = message.link.as_deref().and_then(root).unwrap_or("urn:notafter").to_owned();
    if message.detail == Detail::OneLine || message.events.is_empty() {
        let page = envelope::pages(message).into_iter().next().unwrap_or_default();
        let attributes = json!({
            "specversion": "1.0", "id": message.id, "source": source, "type": "digest",
            "time": iso(message.at), "datacontenttype": "application/json",
        });
        return vec![with_data(attributes, page["data"].clone())];
    }
    let of = |event: &Event, data: Value| with_data(attributes(event, &source), data);
    match message.events.as_slice() {
        [event] => {
            let mut pages = envelope::pages(message);
            pages.iter_mut().map(|page| of(event, page["data"].take())).collect()
        }
        events => {
            let mut chunks = envelope::chunks(message);
            let mut events = events.iter();
            let batch = |chunk: &mut Vec<Value>| {
                let each = chunk.iter_mut().zip(events.by_ref());
                Value::Array(each.map(|(data, event)| of(event, data.take())).collect())
            };
            chunks.iter_mut().map(batch).collect()
        }
    }
}

fn attributes(event: &Event, source: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": event.kind(),
        "subject": keys::problem(event),
        "time": iso(event.at),
        "datacontenttype": "application/json",
    })
}

fn with_data(mut event: Value, data: Value) -> Value {
    event["data"] = data;
    event
}

/// Returns a link up to its query: whose events these are.
fn root(link: &str) -> Option<&str> {
    link.split('?').next()
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn one_event_is_structured() {
        let page = pages(&sample::single()).remove(0);
        assert_eq!(page["data"], envelope::pages(&sample::single())[0]["data"]);
        let mut attributes = page;
        attributes["data"] = Value::Null;
        insta::assert_snapshot!(serde_json::to_string_pretty(&attributes).unwrap(), @r#"
        {
          "data": null,
          "datacontenttype": "application/json",
          "id": "0193e4b0-7d",
          "source": "https://certs.example.com/",
          "specversion": "1.0",
          "subject": "56c67059b76ed87bf9beef7c73151a0197b471b6eb329ec4ded6ed69a7f903ae",
          "time": "2026-01-01T00:00:00Z",
          "type": "certificate.expiring"
        }
        "#);
    }

    #[test]
    fn several_are_batches_in_the_same_order() {
        let message = sample::digest(150);
        let pages = pages(&message);
        let sizes: Vec<_> = pages.iter().map(|page| page.as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 50]);
        let names = pages.iter().flat_map(|page| page.as_array().unwrap()).map(|event| {
            assert_eq!(
                (&event["specversion"], &event["type"]),
                (&json!("1.0"), &json!("certificate.expiring"))
            );
            event["data"]["certificate"]["common_name"].as_str().unwrap().to_owned()
        });
        let expected =
            message.events.iter().map(|event| event.facts().unwrap().common_name.clone());
        assert_eq!(names.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn the_last_resort_is_one_event_about_all() {
        let pages = pages(&Message { detail: Detail::OneLine, ..sample::digest(150) });
        assert_eq!(pages.len(), 1);
        assert_eq!(
            (&pages[0]["type"], &pages[0]["data"]["total"]),
            (&json!("digest"), &json!(150))
        );
    }
}

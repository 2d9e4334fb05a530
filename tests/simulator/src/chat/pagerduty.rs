//! `PagerDuty`: events that open and resolve incidents by a key.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival};
use super::{Answer, verdicts};

pub(super) fn error(status: u16, text: &str) -> Answer {
    verdicts::json(status, &json!({ "status": "invalid event", "message": text, "errors": [text] }))
}

/// Returns the key of the integration, which is in the body.
pub(super) fn routing_key(body: &[u8]) -> String {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.and_then(|body| body["routing_key"].as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    let invalid = |text: &str| error(400, text);
    if arrival.body.len() > 512 * 1024 {
        return Err(error(413, "too large"));
    }
    let body: Value =
        serde_json::from_slice(&arrival.body).map_err(|_| invalid("Body is not JSON"))?;
    if arrival.room.len() != 32 {
        return Err(invalid("'routing_key' is missing or blank"));
    }
    let key = body["dedup_key"].as_str().unwrap_or_default();
    let action = body["event_action"].as_str().unwrap_or_default();
    let text = match action {
        "resolve" | "acknowledge" if !key.is_empty() => format!("{action} {key}"),
        "trigger" => trigger(&body["payload"]).ok_or_else(|| invalid("'payload' is invalid"))?,
        _ => return Err(invalid("'event_action' is invalid")),
    };
    if key.len() > 255 {
        return Err(invalid("'dedup_key' is too long"));
    }
    let id = Some(format!("{action} {key}"));
    Ok(Accepted { text, body, id })
}

fn trigger(payload: &Value) -> Option<String> {
    let part = |key: &str| payload[key].as_str().filter(|part| !part.is_empty());
    let summary = part("summary").filter(|summary| summary.chars().count() <= 1024)?;
    let severity = part("severity")?;
    let known = ["critical", "error", "warning", "info"].contains(&severity);
    part("source").filter(|_| known).map(|source| format!("trigger {severity} {source}: {summary}"))
}

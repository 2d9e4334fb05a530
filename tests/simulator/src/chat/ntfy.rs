//! ntfy: JSON to the root of the server, in bytes; errors have a code of five digits.

use serde_json::{Value, json};

use super::robots::{Accepted, Arrival, said};
use super::{Answer, verdicts};

pub(super) fn error(code: i64, text: &str) -> Answer {
    let status = u16::try_from(code / 100).unwrap_or(500);
    verdicts::json(status, &json!({ "code": code, "http": status, "error": text }))
}

/// Returns the topic, which is in the body.
pub(super) fn topic(body: &[u8]) -> String {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.and_then(|body| body["topic"].as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn judge(arrival: &Arrival) -> Result<Accepted, Answer> {
    if arrival.body.len() > 8192 {
        return Err(error(41_303, "JSON body too large"));
    }
    let body: Value = serde_json::from_slice(&arrival.body)
        .map_err(|_| error(40_024, "invalid request: request body must be valid JSON"))?;
    let topic = arrival.room.as_str();
    let is_topic = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    if topic.is_empty() || topic.len() > 64 || !topic.bytes().all(is_topic) {
        return Err(error(40_009, "invalid request: topic invalid"));
    }
    if !(1..=5).contains(&body["priority"].as_i64().unwrap_or(3)) {
        return Err(error(40_007, "invalid request: priority invalid"));
    }
    let message = body["message"].as_str().unwrap_or_default();
    if message.len() > 4096 {
        return Err(error(40_014, "invalid request: attachments not allowed"));
    }
    let part = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    Ok(said(format!("{}\n{}\n{message}", part("title"), part("click")), body))
}

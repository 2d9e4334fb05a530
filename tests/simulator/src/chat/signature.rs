//! What the services check a signature with, written from their pages and not from the daemon.

use std::collections::HashMap;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Feishu and `DingTalk` accept an hour of difference, receivers of Standard Webhooks five minutes.
const HOUR: i64 = 3_600_000;
const FIVE_MINUTES: i64 = 300_000;

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Time,
    Signature,
}

/// Checks `timestamp` (seconds) and `sign` in the body: the key is time and secret, the message is empty.
pub(super) fn feishu(body: &Value, secret: &str, now: i64) -> Result<(), Wrong> {
    let seconds = body["timestamp"].as_str().ok_or(Wrong::Time)?;
    near(seconds, 1000, now, HOUR)?;
    let expected = hmac(format!("{seconds}\n{secret}").as_bytes(), b"");
    same(&expected, body["sign"].as_str())
}

/// Checks `timestamp` (milliseconds) and `sign` in the query: the key is the secret.
pub(super) fn dingtalk(
    query: &HashMap<String, String>,
    secret: &str,
    now: i64,
) -> Result<(), Wrong> {
    let millis = query.get("timestamp").ok_or(Wrong::Time)?;
    near(millis, 1, now, HOUR)?;
    let expected = hmac(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes());
    same(&expected, query.get("sign").map(String::as_str))
}

/// Checks the three headers of Standard Webhooks; any of the signatures may match.
pub(super) fn webhook(
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: i64,
) -> Result<(), Wrong> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let seconds = text("webhook-timestamp").ok_or(Wrong::Time)?;
    near(seconds, 1000, now, FIVE_MINUTES)?;
    let id = text("webhook-id").ok_or(Wrong::Signature)?;
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).map_err(|_| Wrong::Signature)?;
    let expected = hmac(&key, &[format!("{id}.{seconds}.").as_bytes(), body].concat());
    let given = text("webhook-signature").unwrap_or_default();
    let matches =
        given.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|one| one == expected);
    if matches { Ok(()) } else { Err(Wrong::Signature) }
}

fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn near(text: &str, unit: i64, now: i64, tolerance: i64) -> Result<(), Wrong> {
    let time = text.parse::<i64>().map_err(|_| Wrong::Time)?.saturating_mul(unit);
    if (time - now).abs() <= tolerance { Ok(()) } else { Err(Wrong::Time) }
}

fn same(expected: &str, given: Option<&str>) -> Result<(), Wrong> {
    if given == Some(expected) { Ok(()) } else { Err(Wrong::Signature) }
}

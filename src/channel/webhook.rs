//! The generic webhook: JSON for programs, signed as Standard Webhooks 1.0 says, the verdict in the status.
//!
//! Receivers keep the `webhook-id`s they have seen for at least seven days: a retry repeats the id, and so does a
//! message that an operator sends again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

mod envelope;

use super::address::{Address, Reading, reading};
use super::post::post;
use super::sign::hmac_base64;
use super::verdict::{self, down, unknown};
use super::{Channel, Pace, Receipt, SendError};
use crate::client::Deps;
use crate::client::http::Response;
use crate::config::{ChannelConfig, Fields, Placed, Secret};
use crate::expiry::{Message, Timestamp};

const PACE: Pace = Pace { gap: Duration::from_millis(200), per_minute: 300 };
const SHORTEST_KEY: usize = 24;
const LONGEST_KEY: usize = 64;

struct Webhook {
    deps: Deps,
    address: Address,
    secret: Option<Reading>,
    headers: Vec<(HeaderName, Reading)>,
}

pub(super) fn build(
    config: &ChannelConfig,
    mut fields: Fields<'_>,
    deps: &Deps,
) -> Option<Arc<dyn Channel>> {
    let url = fields.required_secret("url");
    let address = url.and_then(|url| Address::of(url, None, &mut fields));
    let secret = fields.secret("secret").and_then(|secret| signing(secret, &mut fields));
    let headers = headers(config, &mut fields);
    fields.finish()?;
    Some(Arc::new(Webhook { deps: deps.clone(), address: address?, secret, headers: headers? }))
}

#[async_trait]
impl Channel for Webhook {
    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let pages = envelope::pages(message);
        let count = pages.len();
        for (index, body) in pages.into_iter().enumerate() {
            if index > 0 {
                tokio::time::sleep(PACE.gap).await;
            }
            let id = request_id(&message.id, index, count);
            let headers = self.headers(&id, &body)?;
            let response = post(&self.deps.http, self.address.url()?, headers, body).await?;
            verdict(&response, self.deps.clock.now())?;
        }
        Ok(Receipt::default())
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn destination(&self) -> String {
        self.address.destination()
    }
}

impl Webhook {
    /// Returns the operator's headers, then ours; time and signature are those of this attempt.
    fn headers(&self, id: &str, body: &[u8]) -> Result<Vec<(HeaderName, HeaderValue)>, SendError> {
        let mut headers = Vec::new();
        for (name, read) in &self.headers {
            let text = read().map_err(|why| down("header", why))?;
            let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| {
                down("header", "a value of the option headers is not a valid header")
            })?;
            value.set_sensitive(true);
            headers.push((name.clone(), value));
        }
        let seconds = self.deps.clock.now().seconds();
        let mut ours =
            vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds.to_string())];
        if let Some(read) = &self.secret {
            let secret = read().map_err(|why| down("secret", why))?;
            let keys = keys(secret.expose_secret()).map_err(|why| down("secret", why))?;
            ours.push(("webhook-signature", signatures(&keys, id, seconds, body)));
        }
        for (name, value) in ours {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| unknown("message id is not a valid header"))?;
            headers.push((HeaderName::from_static(name), value));
        }
        Ok(headers)
    }
}

/// Returns the id of one request: the message's, numbered when there are several. Signed content is joined with dots,
/// so an id has none.
fn request_id(message: &str, index: usize, count: usize) -> String {
    let id: String =
        message.chars().map(|c| if c.is_ascii_graphic() && c != '.' { c } else { '-' }).collect();
    if count == 1 { id } else { format!("{id}-{}", index + 1) }
}

/// Returns one signature for each key, so that a receiver can change keys.
fn signatures(keys: &[Zeroizing<Vec<u8>>], id: &str, seconds: i64, body: &[u8]) -> String {
    let content = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let signed: Vec<_> =
        keys.iter().map(|key| format!("v1,{}", hmac_base64(key, &content))).collect();
    signed.join(" ")
}

/// Decodes the keys of a secret: one, or while they are changed several with space between.
fn keys(secret: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, String> {
    let keys: Vec<_> = secret.split_whitespace().map(key).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(keys) }
}

fn key(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = || {
        format!(
            "the secret must be `whsec_` and the base64 of {SHORTEST_KEY} to {LONGEST_KEY} random bytes"
        )
    };
    let encoded = text.strip_prefix("whsec_").ok_or_else(wrong)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    if (SHORTEST_KEY..=LONGEST_KEY).contains(&key.len()) { Ok(key) } else { Err(wrong()) }
}

fn signing(secret: Placed<Secret>, fields: &mut Fields<'_>) -> Option<Reading> {
    let read = reading(secret.value);
    match read().and_then(|text| keys(text.expose_secret())) {
        Ok(_) => Some(read),
        Err(why) => {
            fields.mistake(secret.span, format!("`secret`: {why}"));
            None
        }
    }
}

/// Reads the operator's headers, or reports those that cannot be.
fn headers(config: &ChannelConfig, fields: &mut Fields<'_>) -> Option<Vec<(HeaderName, Reading)>> {
    let (mut headers, mut all_good) = (Vec::new(), true);
    for (name, secret) in fields.secrets("headers") {
        match header_name(&name) {
            Ok(name) => headers.push((name, reading(secret))),
            Err(why) => {
                all_good = false;
                fields.mistake(config.options.span.clone(), format!("`headers`: {name:?} {why}"));
            }
        }
    }
    all_good.then_some(headers)
}

fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| "is not a header name")?;
    let ours = ["content-type", "content-length", "host", "transfer-encoding", "connection"];
    if ours.contains(&name.as_str()) || name.as_str().starts_with("webhook-") {
        return Err("is set by the sender itself");
    }
    Ok(name)
}

fn verdict(response: &Response, now: Timestamp) -> Result<(), SendError> {
    let code = || format!("http {}", response.status);
    match response.status {
        // The standard asks senders to slow down on these, too.
        502..=504 => Err(verdict::paused(code(), response, now)),
        // Plain failures by the standard: a few attempts, then given up. A wrong address or credential
        // stays a matter for a person, since an alert must not be lost by it.
        401 | 403..=405 | 407 | 408 | 410 | 413 | 425 | 429 => verdict::of_status(response, now),
        400..=499 => Err(unknown(code())),
        _ => verdict::of_status(response, now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, answer, answer_with};
    use super::*;

    const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn signatures_match_the_vectors() {
        let event = r#"{"type":"certificate.expiring","timestamp":"2026-01-01T00:00:00Z","data":{"cn":"café.example.com","days_left":7}}"#;
        assert_eq!(event.len(), 114);
        for (id, seconds, body, expected) in [
            (
                "msg_01JGFJJZ00CERTWATCH0000001",
                1_767_225_600,
                event,
                "v1,/woc6dd3lwZtIFtRHZfksLUqZBGT0JHNEduRfxU3NyQ=",
            ),
            (
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            assert_eq!(signatures(&keys(KEY).unwrap(), id, seconds, body.as_bytes()), expected);
        }
    }

    #[test]
    fn while_keys_change_there_is_one_signature_for_each() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let both = signatures(&keys(&format!("{KEY} {other}")).unwrap(), "id", 1, b"{}");
        let each = [KEY, &other].map(|key| signatures(&keys(key).unwrap(), "id", 1, b"{}"));
        assert_eq!(both, each.join(" "));
    }

    #[test]
    fn keys_that_are_too_short_or_not_base64_are_refused() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![1; length]));
        assert!(keys(&of(24)).is_ok() && keys(&of(64)).is_ok());
        for bad in [
            "",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_",
            "whsec_?",
            &of(23),
            &of(65),
            "whsk_AAAA",
        ] {
            let why = keys(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad) || bad == "whsec_", "{why}");
        }
    }

    #[test]
    fn request_ids_can_be_signed_and_sent() {
        assert_eq!(request_id("0193.e4 b0\n证", 0, 1), "0193-e4-b0--");
        assert_eq!(request_id("0193", 1, 3), "0193-2");
    }

    #[test]
    fn own_headers_are_not_the_operators() {
        assert!(header_name("Authorization").is_ok() && header_name("x-api-key").is_ok());
        for name in ["webhook-id", "Webhook-Signature", "content-type", "host", "a b", ""] {
            assert!(header_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_status_is_the_verdict() {
        for (status, outcome) in [
            (200, "delivered"),
            (202, "delivered"),
            (204, "delivered"),
            (301, "down"),
            (400, "retry"),
            (401, "down"),
            (404, "down"),
            (408, "retry"),
            (410, "down"),
            (413, "rejected"),
            (418, "retry"),
            (422, "retry"),
            (429, "throttled"),
            (500, "retry"),
            (502, "throttled"),
            (503, "throttled"),
            (504, "throttled"),
        ] {
            let verdict = verdict(&answer(status, "<html>any body"), NOW);
            let found = verdict.as_ref().map_or_else(SendError::outcome, |()| "delivered");
            assert_eq!(found, outcome, "{status}");
        }
        assert!(verdict(&answer(400, ""), NOW).unwrap_err().is_unknown());
        let after = verdict(&answer_with(503, &[("retry-after", "9")], ""), NOW);
        assert_eq!(after, Err(verdict::throttled("http 503", 9)));
    }
}

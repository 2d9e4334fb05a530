//! The generic webhook: JSON for programs, signed by Standard Webhooks 1.0, the verdict in the status.
//!
//! Receivers keep the `webhook-id`s they have seen for at least seven days: a retry repeats the id, and so does a
//! message that an operator sends again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use zeroize::Zeroizing;

mod envelope;

use super::options::Credential;
use super::post::{Draft, bytes};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::sign::hmac_base64;
use super::verdict::{self, down, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Placed, Secret};
use crate::expiry::{Message, Timestamp};

const SHORTEST_KEY: usize = 24;
const LONGEST_KEY: usize = 64;

pub(super) struct Webhook {
    secret: Option<Credential>,
    headers: Vec<(HeaderName, Credential)>,
}

impl Robot for Webhook {
    const PACE: Pace = Pace { gap: Duration::from_millis(200), per_minute: 300 };
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/hook/",
        options: r#"url = { env = "ROBOT_URL" }
            secret = { env = "WEBHOOK_KEY" }
            headers = { Authorization = { env = "BEARER_TOKEN" } }"#,
        success: "",
    };

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        let secret = fields.secret("secret").and_then(|secret| signing(secret, fields));
        Some(Self { secret, headers: headers(fields)? })
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        envelope::pages(message)
    }

    /// Adds the operator's headers and ours; time and signature are those of this attempt.
    fn sign(&self, request: &mut Draft, id: &str, clock: &dyn Clock) -> Result<(), SendError> {
        for (name, credential) in &self.headers {
            request.headers.append(name, secret_value(credential)?);
        }
        let (id, seconds) = (signable(id), clock.now().seconds());
        let mut ours = vec![("webhook-id", id.clone()), ("webhook-timestamp", seconds.to_string())];
        if let Some(secret) = &self.secret {
            let keys = keys(secret.read()?.expose_secret()).map_err(|why| down("secret", why))?;
            let signatures = signatures(&keys, &id, seconds, &bytes(&request.body));
            ours.push(("webhook-signature", signatures));
        }
        for (name, value) in ours {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| unknown("message id is not a valid header"))?;
            request.headers.insert(HeaderName::from_static(name), value);
        }
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let code = || format!("http {}", response.status);
        match response.status {
            // Plain failures by the standard: a few attempts, then given up. A wrong address or credential
            // stays a matter for a person, since an alert must not be lost by it.
            401 | 403..=405 | 407 | 408 | 410 | 413 | 425 | 429 => {}
            400..=499 => return Err(unknown(code())),
            _ => {}
        }
        verdict::of_status(response, now).map(|()| Receipt::default())
    }
}

/// Returns the value of a header as it is now, marked as a secret.
fn secret_value(credential: &Credential) -> Result<HeaderValue, SendError> {
    let text = credential.read()?;
    let mut value = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| down("header", "a value of the option headers is not a valid header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the id as it can stand in a header. Signed content is joined with dots, so it has none.
fn signable(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_graphic() && c != '.' { c } else { '-' }).collect()
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

/// Returns the secret if it holds keys, or reports what is wrong with it.
fn signing(secret: Placed<Secret>, fields: &mut Fields<'_>) -> Option<Credential> {
    match secret.value.read().and_then(|text| keys(text.expose_secret())) {
        Ok(_) => Some(Credential::new("secret", secret.value)),
        Err(why) => {
            fields.mistake(secret.span, format!("`secret`: {why}"));
            None
        }
    }
}

/// Reads the operator's headers, or reports those that cannot be.
fn headers(fields: &mut Fields<'_>) -> Option<Vec<(HeaderName, Credential)>> {
    let (mut headers, mut all_good) = (Vec::new(), true);
    for (name, secret) in fields.secrets("headers") {
        match header_name(&name) {
            Ok(name) => headers.push((name, Credential::new("header", secret))),
            Err(why) => {
                all_good = false;
                fields.mistake(fields.span(), format!("`headers`: {name:?} {why}"));
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

#[cfg(test)]
mod tests {
    use super::super::sample::{self, NOW, answer, answer_with};
    use super::*;
    use crate::channel::robot::kit;

    const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        Webhook { secret: None, headers: Vec::new() }.judge(response, now)
    }

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
        assert_eq!(signable("0193.e4 b0\n证"), "0193-e4-b0--");
    }

    #[tokio::test]
    async fn every_request_has_an_id_and_a_signature_and_the_operators_headers() {
        let requests = kit::robot("webhook").requests_for(&sample::digest(150)).await;
        let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
        assert_eq!(ids, ["0193e4b0-7d-1", "0193e4b0-7d-2"]);
        for request in &requests {
            assert_eq!(request.header("authorization"), kit::BEARER);
            assert!(request.header("webhook-timestamp").starts_with("17672256"));
            let seconds = request.header("webhook-timestamp").parse().unwrap();
            let keys = keys(KEY).unwrap();
            let expected = signatures(&keys, request.header("webhook-id"), seconds, &request.body);
            assert_eq!(request.header("webhook-signature"), expected, "of the bytes that arrived");
        }
    }

    #[test]
    fn secrets_and_headers_that_cannot_be_used_are_refused() {
        for (options, expected) in [
            ("secret = { env = \"SHORT_KEY\" }", "`secret`: the secret must be `whsec_`"),
            ("secret = { env = \"SIGNING_KEY\" }", "`secret`: the secret must be `whsec_`"),
            (
                "headers = { webhook-id = { env = \"BEARER_TOKEN\" } }",
                "is set by the sender itself",
            ),
            ("headers = { \"a b\" = { env = \"BEARER_TOKEN\" } }", "is not a header name"),
        ] {
            kit::assert_refused("webhook", options, expected);
        }
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
        let cases = [
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
            (502, "retry"),
            (503, "retry"),
            (504, "retry"),
        ];
        sample::assert_outcomes(
            verdict,
            &cases.map(|(status, outcome)| (status, "<html>any body", outcome)),
        );
        assert!(verdict(&answer(400, ""), NOW).unwrap_err().is_unknown());
        let after = verdict(&answer_with(503, &[("retry-after", "9")], ""), NOW);
        assert_eq!(after, Err(verdict::passing("http 503", Some(Duration::from_secs(9)))));
    }
}

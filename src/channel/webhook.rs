//! The generic webhook: JSON for programs, in one of three formats, signed by one of three schemes, the verdict in the status.
//!
//! Receivers keep the `webhook-id`s they have seen for at least seven days: a retry repeats the id, and so does a
//! message that an operator sends again.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;

mod alertmanager;
mod cloudevents;
mod daily;
mod envelope;
mod fields;
mod scheme;

use super::options::Credential;
use super::post::{Draft, bytes};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Placed, Secret, Shape};
use crate::expiry::{Message, Timestamp};

use scheme::Scheme;

pub(super) struct Webhook {
    format: Format,
    scheme: Scheme,
    secret: Option<Credential>,
    headers: Vec<(HeaderName, Credential)>,
}

impl Robot for Webhook {
    const ABOUT: &'static str = "Anything that takes JSON.";
    const OPTIONS: &'static [Key] = &[
        Key::required("url", Shape::Secret, "Where it is posted. It is a secret."),
        Key::new(
            "secret",
            Shape::Secret,
            "Signs what is sent: for the scheme `standard` whsec_ and the key in base64, for the others any text.",
        ),
        Key::new(
            "scheme",
            Shape::Word(&["standard", "github", "stripe"]),
            "How it is signed: as Standard Webhooks say, or as GitHub or Stripe sign theirs.",
        )
        .or("\"standard\""),
        Key::new(
            "format",
            Shape::Word(&["alertmanager", "cloudevents"]),
            "In the place of notafter's own JSON: what Alertmanager sends to webhooks, or CloudEvents 1.0.",
        ),
        Key::new("headers", Shape::Secrets, "More headers; their values are secrets."),
    ];
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
        let (format, scheme) = (Format::read(fields), Scheme::read(fields));
        let secret = fields.secret("secret").and_then(|secret| signing(scheme, secret, fields));
        if scheme != Scheme::Standard && !fields.has("secret") {
            fields.mistake(fields.span(), "`scheme` says how to sign, and there is no `secret`");
        }
        Some(Self { format, scheme, secret, headers: headers(fields)? })
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        match self.format {
            Format::Own => envelope::pages(message),
            Format::Alertmanager => alertmanager::pages(message),
            Format::CloudEvents => cloudevents::pages(message),
        }
    }

    /// Adds the operator's headers and ours; time and signature are those of this attempt.
    fn sign(&self, request: &mut Draft, id: &str, clock: &dyn Clock) -> Result<(), SendError> {
        for (name, credential) in &self.headers {
            request.headers.append(name, secret_value(credential)?);
        }
        let (id, seconds) = (signable(id), clock.now().seconds());
        let mut ours = vec![("webhook-id", id.clone()), ("webhook-timestamp", seconds.to_string())];
        if let Some(secret) = &self.secret {
            let secret = secret.read()?;
            let body = bytes(&request.body);
            let signed = self.scheme.sign(secret.expose_secret(), (&id, seconds), &body);
            ours.push(signed.map_err(|why| down("secret", why))?);
        }
        if let Some(kind) = self.format.content_type(&request.body) {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
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

/// What a request is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// The envelope of notafter's own.
    Own,
    /// That of Alertmanager's webhooks.
    Alertmanager,
    /// `CloudEvents`.
    CloudEvents,
}

impl Format {
    /// Reads the option `format`.
    fn read(fields: &mut Fields<'_>) -> Self {
        let Some(word) = fields.string("format") else { return Self::Own };
        match word.value.as_str() {
            "alertmanager" => return Self::Alertmanager,
            "cloudevents" => return Self::CloudEvents,
            _ => fields
                .mistake(word.span, "`format` is `alertmanager` or `cloudevents`, or left out"),
        }
        Self::Own
    }

    /// Returns the content type, where it is not plain JSON.
    fn content_type(self, body: &Value) -> Option<&'static str> {
        let batch = if body.is_array() { cloudevents::BATCH } else { cloudevents::STRUCTURED };
        (self == Self::CloudEvents).then_some(batch)
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

/// Returns the secret if the scheme can sign with it, or reports what is wrong with it.
fn signing(scheme: Scheme, secret: Placed<Secret>, fields: &mut Fields<'_>) -> Option<Credential> {
    match scheme.check(&secret) {
        Ok(()) => Some(Credential::new("secret", secret.value)),
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
    let signatures = ["x-hub-signature-256", "notafter-signature"];
    let own = ours.contains(&name.as_str()) || signatures.contains(&name.as_str());
    if own || name.as_str().starts_with("webhook-") {
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
        let (format, scheme) = (Format::Own, Scheme::Standard);
        Webhook { format, scheme, secret: None, headers: Vec::new() }.judge(response, now)
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
            let of = (request.header("webhook-id"), seconds);
            let (name, expected) = Scheme::Standard.sign(KEY, of, &request.body).unwrap();
            assert_eq!(request.header(name), expected, "of the bytes that arrived");
        }
    }

    #[tokio::test]
    async fn formats_and_schemes_are_what_the_options_say() {
        for (options, content_type, signature) in [
            ("", "application/json; charset=utf-8", "webhook-signature"),
            ("scheme = \"github\"", "application/json; charset=utf-8", "x-hub-signature-256"),
            (
                "scheme = \"stripe\"\nformat = \"alertmanager\"",
                "application/json; charset=utf-8",
                "notafter-signature",
            ),
            ("format = \"cloudevents\"", cloudevents::STRUCTURED, "webhook-signature"),
        ] {
            let service = kit::service(200, "", "").await;
            let url = format!("http://{}/hook", service.authority());
            let options = format!(
                "url = {{ env = \"ROBOT_URL\" }}\nsecret = {{ env = \"WEBHOOK_KEY\" }}\n{options}"
            );
            let (channel, mistakes) = kit::built("webhook", &url, &options);
            channel
                .unwrap_or_else(|| panic!("{mistakes:?}"))
                .send(&sample::single())
                .await
                .unwrap();
            let request = &service.seen()[0];
            assert_eq!(request.header("content-type"), content_type, "{options}");
            assert!(!request.header(signature).is_empty(), "{options}");
            assert_eq!(request.header("webhook-id"), "0193e4b0-7d");
        }
    }

    #[test]
    fn secrets_and_headers_that_cannot_be_used_are_refused() {
        for (options, expected) in [
            ("scheme = \"rsa\"", "`scheme` is `standard`"),
            ("scheme = \"github\"", "there is no `secret`"),
            ("format = \"xml\"", "`format` is `alertmanager`"),
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

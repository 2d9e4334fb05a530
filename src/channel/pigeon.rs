//! A service that does not exist, to show what a new one is made of: one address for all rooms, the room in the body,
//! the token in a header, several requests for a list, and an id in the answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::address::{Address, Vendor};
use super::options::Credential;
use super::post::Draft;
use super::robot::{Example, Robot};
use super::verdict::{self, down, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key};
use crate::expiry::{Message, Timestamp};

const VENDOR: Vendor = Vendor {
    hosts: &["api.pigeon.test"],
    robot: |url| url.path() == "/v1/send",
    form: "https://api.pigeon.test/v1/send",
    key_base: None,
};
const LINES: usize = 20;

pub(super) struct Pigeon {
    token: Credential,
    room: String,
}

impl Robot for Pigeon {
    const ABOUT: &'static str = "A service for tests.";
    const OPTIONS: &'static [Key] = &[];
    const PACE: Pace = Pace { gap: Duration::from_millis(1), per_minute: 60 };
    const EXAMPLE: Example = Example {
        path: "/v1/send?",
        options: r#"server = { env = "ROBOT_URL" }
            token = { env = "SIGNING_KEY" }
            room = "ops""#,
        success: r#"{"id":"pigeon-1"}"#,
    };

    fn address(fields: &mut Fields<'_>) -> Option<Address> {
        Address::of("server", Some(&VENDOR), fields)
    }

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        let token = fields.required_secret("token");
        let room = fields.required_string("room");
        Some(Self { token: Credential::new("token", token?.value), room: room?.value })
    }

    fn destination(&self, address: &Address) -> String {
        format!("{}/{}", address.destination(), self.room)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let lines: Vec<_> = message.entries.iter().map(|entry| entry.text.as_str()).collect();
        let page =
            |lines: &[&str]| json!({ "room": self.room, "title": message.title, "lines": lines });
        if lines.is_empty() { vec![page(&[])] } else { lines.chunks(LINES).map(page).collect() }
    }

    fn sign(&self, request: &mut Draft, id: &str, _: &dyn Clock) -> Result<(), SendError> {
        let token = format!("Bearer {}", self.token.read()?.expose_secret());
        let value = HeaderValue::from_str(&token).map_err(|_| down("token", "not a header"))?;
        request.headers.insert(AUTHORIZATION, value);
        request.body["id"] = json!(id);
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        verdict::of_status(response, now)?;
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let id = body.as_ref().and_then(|body| body["id"].as_str()).map(str::to_owned);
        id.map(|id| Receipt { id: Some(id) }).ok_or_else(|| unknown("answer without a verdict"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::robot::kit::{self, SECRET, built, robot};
    use super::super::sample;
    use super::*;

    #[tokio::test]
    async fn a_service_in_one_file_is_built_encodes_signs_and_is_judged() {
        let robot = robot("pigeon");
        let service = robot.willing().await;
        let receipt = robot.channel(&service).send(&sample::digest(45)).await;
        assert_eq!(receipt, Ok(Receipt { id: Some("pigeon-1".to_owned()) }));
        let sent: Vec<_> = service
            .seen()
            .iter()
            .map(|request| {
                let body = request.json();
                let lines = body["lines"].as_array().unwrap().len();
                format!(
                    "{} {} {lines} {}",
                    body["room"],
                    body["id"],
                    request.header("authorization")
                )
            })
            .collect();
        let expected = [("1", 20), ("2", 20), ("3", 5)]
            .map(|(page, lines)| format!("\"ops\" \"0193e4b0-7d-{page}\" {lines} Bearer {SECRET}"));
        assert_eq!(sent, expected);
    }

    #[tokio::test]
    async fn an_answer_without_an_id_is_no_success() {
        let robot = robot("pigeon");
        let service = kit::service(200, "", "<html>").await;
        let error = robot.channel(&service).send(&sample::single()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }

    #[test]
    fn rooms_behind_one_address_are_destinations_of_their_own() {
        let of = |room: &str| {
            let options = format!(
                "server = {{ env = \"ROBOT_URL\" }}\ntoken = {{ env = \"SIGNING_KEY\" }}\nroom = \"{room}\""
            );
            let (channel, mistakes) = built("pigeon", "https://api.pigeon.test/v1/send", &options);
            channel.unwrap_or_else(|| panic!("{mistakes:?}")).destination()
        };
        assert_ne!(of("ops"), of("web"));
        assert_eq!(of("ops"), of("ops"));
    }
}

//! ntfy, ntfy.sh or one's own server: plain text by its JSON API. The topic is the key to what is published there.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::address::Address;
use super::fit::{Line, Page, fit};
use super::options::Credential;
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, rejected, throttled, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::{cut_bytes, cut_chars};
use crate::expiry::{Message, Timestamp, Tone};

/// A longer message becomes a file, or is refused.
const LARGEST_MESSAGE: usize = 4000;
/// The whole body; the topic is added to this.
const LARGEST_BODY: usize = 8192 - 128;
const LARGEST_TITLE: usize = 250;
const LONGEST_TOPIC: usize = 64;

pub(super) struct Ntfy {
    topic: Credential,
    token: Option<Credential>,
    digest: String,
}

impl Robot for Ntfy {
    const ABOUT: &'static str = "ntfy: the root of a server, and a topic.";
    const OPTIONS: &'static [Key] = &[
        Key::required(
            "url",
            Shape::SecretOrText,
            "The root of the server, such as https://ntfy.sh.",
        ),
        Key::required(
            "topic",
            Shape::Secret,
            "Whoever knows the topic of an open server reads along: it is a secret.",
        ),
        Key::new("token", Shape::Secret, "For servers that ask who publishes."),
    ];
    /// A bucket of 60, filled by one in 5 s.
    const PACE: Pace = Pace { gap: Duration::from_secs(5), per_minute: 10 };
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/$",
        options: r#"url = "$BASE"
            topic = { env = "BOT_TOKEN" }
            token = { env = "SIGNING_KEY" }"#,
        success: r#"{"id":"hwQ2YpKdmg","event":"message"}"#,
    };

    fn address(fields: &mut Fields<'_>) -> Option<Address> {
        Address::of_open("url", |url| url.path() == "/" && url.query().is_none(), fields)
    }

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        let topic = fields.required_secret("topic");
        let token = Credential::optional("token", fields);
        let topic = topic?;
        match topic.value.read() {
            Ok(name) if is_topic(name.expose_secret()) => {
                let digest = hex::encode(Sha256::digest(name.expose_secret()));
                let digest = cut_chars(&digest, 9);
                Some(Self { topic: Credential::new("topic", topic.value), token, digest })
            }
            _ => {
                fields
                    .mistake(topic.span, "`topic`: it is not 1 to 64 letters, digits, `_` or `-`");
                None
            }
        }
    }

    fn destination(&self, address: &Address) -> String {
        format!("{}/{}", address.destination(), self.digest)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        // So much of the body is over its limit as the message is over its own.
        let size = |body: &Value| {
            let message = body["message"].as_str().unwrap_or_default().len();
            body.to_string().len().max(message + LARGEST_BODY - LARGEST_MESSAGE)
        };
        let mut body = fit(message, None, LARGEST_BODY, render, size);
        let text = body["message"].as_str().unwrap_or_default();
        body["message"] = json!(cut_bytes(text, LARGEST_MESSAGE));
        vec![body]
    }

    /// Adds the topic and the token, as they are now.
    fn sign(&self, request: &mut Draft, _: &str, _: &dyn Clock) -> Result<(), SendError> {
        request.body["topic"] = json!(self.topic.read()?.expose_secret());
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.read()?.expose_secret());
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| down("token", "the option token cannot stand in a header"))?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let code = body.as_ref().and_then(|body| body["code"].as_i64());
        if let Some(error) = code.and_then(|code| of_code(code, response, now)) {
            return Err(error);
        }
        verdict::of_status(response, now)?;
        let id = body.as_ref().and_then(|body| body["id"].as_str()).map(str::to_owned);
        id.map(|id| Receipt { id: Some(id) }).ok_or_else(|| unknown("answer without a verdict"))
    }
}

fn is_topic(name: &str) -> bool {
    (1..=LONGEST_TOPIC).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn render(page: &Page<'_>) -> Value {
    let mut lines: Vec<_> = page.facts.iter().map(|fact| fact.line(page.language)).collect();
    lines.extend(page.entries.iter().map(Line::text));
    lines.extend(page.left_out.clone());
    lines.push(page.footer.clone());
    let (priority, tag) = match page.tone {
        Tone::Critical => (5, "rotating_light"),
        Tone::Warning => (4, "warning"),
        Tone::Info => (2, "information_source"),
        Tone::Good => (2, "white_check_mark"),
    };
    let title = cut_chars(&page.title, LARGEST_TITLE);
    let mut body = json!({
        "title": title, "message": lines.join("\n"), "priority": priority, "tags": [tag],
    });
    if let Some(link) = page.link.filter(|_| !page.plain) {
        body["click"] = json!(link);
        let action = |(label, link)| json!({ "action": "view", "label": label, "url": link });
        body["actions"] = page.links().map(action).collect();
    }
    body
}

fn of_code(code: i64, response: &Response, now: Timestamp) -> Option<SendError> {
    let word = code.to_string();
    Some(match code {
        40_101 | 40_301 => down(word, "the server asks for a token that may publish to the topic"),
        42_909 => down(word, "too many wrong tokens were sent, correct the option token"),
        // The quota of the day; it begins anew at midnight, UTC.
        42_908 => throttled(word, until_midnight(now)),
        42_900..=42_999 => verdict::paused(word, response, now),
        40_000..=40_099 | 41_300..=41_399 => rejected(word),
        _ => return None,
    })
}

fn until_midnight(now: Timestamp) -> u64 {
    const DAY: i64 = 86_400;
    u64::try_from(DAY - now.seconds().rem_euclid(DAY)).unwrap_or(60)
}

#[cfg(test)]
mod tests {
    use super::super::robot::kit;
    use super::super::sample;
    use super::*;
    use crate::config::{Environment, Secret, SecretRef};
    use crate::expiry::Detail;

    fn robot() -> Ntfy {
        let secret = Secret::new(SecretRef::Env("T".into()), &Environment::of([("T", "certs")]));
        Ntfy { topic: Credential::new("topic", secret), token: None, digest: String::new() }
    }

    fn shown(message: &Message) -> String {
        let body = robot().encode(message).remove(0);
        let part = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (title, text, click) = (part("title"), part("message"), part("click"));
        format!("{} {} {title}\n{text}\n<{click}>", body["priority"], body["tags"])
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        4 ["warning"] [notafter] certificate www.example.com expires in 7 days
        Expiry: 2026-01-08 00:00 (UTC), in 7 days
        Common name: www.example.com
        Source: web-certs
        Issuer: R11
        Serial: 04a1b2c3
        id 0193e4b0-7d
        <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        4 ["warning"] [notafter] 证书 www.example.com 将在 7 天后到期
        到期时间：2026-01-08 00:00 (UTC)，7 天后
        通用名称 (CN)：www.example.com
        来源：web-certs
        签发者：R11
        序列号：04a1b2c3
        id 0193e4b0-7d
        <https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3>
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        4 ["warning"] [notafter] 2 events: 2 expiring
        *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
        b.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        <https://certs.example.com/>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        4 ["warning"] [notafter] 2 个事件：2 个将到期
        *.a.example.com · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs
        b.example.com · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        <https://certs.example.com/>
        "#);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        4 ["warning"] [notafter] 6 events: 6 expiring
        within 7d: 6
        svc-0000.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        svc-0001.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        svc-0002.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        svc-0003.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        svc-0004.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        svc-0005.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        <https://certs.example.com/>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        4 ["warning"] [notafter] 6 个事件：6 个将到期
        7 天内到期：6
        svc-0000.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        svc-0001.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        svc-0002.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        svc-0003.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        svc-0004.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        svc-0005.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        <https://certs.example.com/>
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r#"
        4 ["warning"] [notafter] 2 events need attention
        id 0193e4b0-7d
        <>
        "#);
    }

    #[tokio::test]
    async fn topic_and_token_are_added_to_what_is_sent() {
        let requests = kit::robot("ntfy").requests_for(&sample::single()).await;
        assert_eq!(requests[0].path_and_query, "/");
        assert_eq!(requests[0].json()["topic"], kit::TOKEN);
        assert_eq!(requests[0].header("authorization"), format!("Bearer {}", kit::SECRET));
    }

    #[test]
    fn both_limits_hold_in_bytes() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let body = robot().encode(&Message { detail, ..message.clone() }).remove(0);
                let (all, text) = (body.to_string().len(), body["message"].as_str().unwrap().len());
                assert!(all <= 8192 && text <= 4000, "{all} {text}");
                assert!(detail > Detail::Full || text > 3600 || all > 7600, "{all} {text}");
            }
        }
    }

    #[test]
    fn codes_are_judged_with_the_status() {
        sample::assert_outcomes(
            |response, now| robot().judge(response, now),
            &[
                (200, r#"{"id":"a","event":"message"}"#, "delivered"),
                (200, "<html>", "retry"),
                (200, "{}", "retry"),
                (401, r#"{"code":40101,"http":401,"error":"unauthorized"}"#, "down"),
                (403, r#"{"code":40301,"http":403,"error":"forbidden"}"#, "down"),
                (400, r#"{"code":40024,"http":400}"#, "rejected"),
                (413, r#"{"code":41303,"http":413}"#, "rejected"),
                (429, r#"{"code":42901,"http":429}"#, "throttled"),
                (429, r#"{"code":42908,"http":429}"#, "throttled"),
                (429, r#"{"code":42909,"http":429}"#, "down"),
                (507, r#"{"code":50701}"#, "retry"),
                (302, "", "down"),
            ],
        );
        let noon = sample::NOW.plus(43_200);
        let over = robot().judge(&sample::answer(429, r#"{"code":42908}"#), noon);
        assert_eq!(over, Err(throttled("42908", 43_200)));
    }

    #[test]
    fn what_is_no_root_or_no_topic_is_a_mistake() {
        let topic = "topic = { env = \"BOT_TOKEN\" }";
        for (options, expected) in [
            (format!("url = \"https://ntfy.sh/certs\"\n{topic}"), "`url`: it is not the root"),
            (format!("url = \"http://ntfy.sh\"\n{topic}"), "`url`: it must begin with https"),
            (
                "url = \"https://ntfy.sh\"\ntopic = { env = \"BEARER_TOKEN\" }".into(),
                "`topic`: it is not",
            ),
            (
                "url = \"https://ntfy.sh\"\ntopic = \"certs\"".into(),
                "a secret is never written here",
            ),
        ] {
            let (channel, mistakes) = kit::built("ntfy", "", &options);
            assert!(channel.is_none(), "{options}");
            assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
        }
    }
}

//! Telegram bots: HTML of a few tags, escaped by its own rule; the token is in the path, the verdict in `ok`.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::address::Address;
use super::fit::{self, Line, Page, fit};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, rejected, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::cut_chars;
use crate::expiry::{Fact, Message, Severity, Timestamp};

const API: &str = "https://api.telegram.org";
/// In UTF-16 units, after tags and entities are read; ours are counted with them.
const LARGEST_TEXT: usize = 4096;

pub(super) struct Telegram {
    chat: Value,
    topic: Option<i64>,
}

impl Robot for Telegram {
    const ABOUT: &'static str = "A bot of Telegram that is in the chat.";
    const OPTIONS: &'static [Key] = &[
        Key::required("token", Shape::Secret, "The token of the bot."),
        Key::required(
            "chat_id",
            Shape::NameOrNumber,
            "The number of the chat, or the @name of a public channel.",
        ),
        Key::new("topic", Shape::Integer, "The topic of a group that has topics."),
        Key::new("api", Shape::Url, "A Bot API server of one's own.")
            .or("\"https://api.telegram.org\""),
    ];
    /// One a second in a chat, twenty a minute in a group.
    const PACE: Pace = Pace { gap: Duration::from_millis(3500), per_minute: 17 };
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/bot$TOKEN/sendMessage",
        options: r#"token = { env = "BOT_TOKEN" }
            chat_id = -1001234567890
            topic = 42
            api = "$BASE""#,
        success: r#"{"ok":true,"result":{"message_id":7}}"#,
    };

    fn address(fields: &mut Fields<'_>) -> Option<Address> {
        let api = fields.url("api").map_or_else(|| API.to_owned(), |api| api.value.to_string());
        let token = fields.required_secret("token")?;
        let (secret, base) = (token.value, api.trim_end_matches('/').to_owned());
        let read = move || {
            let token = secret.read()?;
            if !is_token(token.expose_secret()) {
                return Err("it is no bot token, which is digits, a colon and letters".to_owned());
            }
            Ok(SecretString::from(format!("{base}/bot{}/sendMessage", token.expose_secret())))
        };
        Address::new("token", Box::new(read), None)
            .map_err(|why| fields.mistake(token.span, format!("`token`: {why}")))
            .ok()
    }

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        let chat = fields.required_name("chat_id");
        let topic = fields.integer("topic");
        let chat = chat?.value;
        let chat = chat.parse::<i64>().map_or_else(|_| json!(chat), Value::from);
        Some(Self { chat, topic: topic.map(|topic| topic.value) })
    }

    fn destination(&self, address: &Address) -> String {
        let digest = hex::encode(Sha256::digest(self.chat.to_string()));
        format!("{}/{}", address.destination(), cut_chars(&digest, 9))
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let size = |text: &String| text.encode_utf16().count();
        let text = fit(message, None, LARGEST_TEXT, render, size);
        let mut body = json!({
            "chat_id": self.chat,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
            "disable_notification": message.severity == Severity::Info,
        });
        if let Some(topic) = self.topic {
            body["message_thread_id"] = json!(topic);
        }
        vec![body]
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let Some(body) = body.filter(|body| body["ok"].is_boolean()) else {
            verdict::of_status(response, now)?;
            return Err(unknown("answer without a verdict"));
        };
        if body["ok"] == true {
            verdict::of_status(response, now)?;
            return Ok(Receipt {
                id: body["result"]["message_id"].as_i64().map(|id| id.to_string()),
            });
        }
        Err(refusal(&body, response, now))
    }
}

fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_'))
}

fn render(page: &Page<'_>) -> String {
    if page.plain {
        return escaped(&fit::plain_text(page));
    }
    let mut lines = vec![format!("<b>{}</b>", escaped(&page.marked_title()))];
    lines.extend(page.facts.iter().map(line_of));
    lines.extend(page.entries.iter().map(|line| entry(line, page.link_label)));
    lines.extend(page.left_out.clone());
    lines.extend(page.links().map(|(label, link)| anchor(label, link)));
    lines.push(format!("<i>{}</i>", escaped(&page.footer)));
    lines.join("\n")
}

/// A name in a code span is no address that a finger can touch.
fn line_of(fact: &Fact) -> String {
    let tag = if fact.is_end { "b" } else { "code" };
    format!("{}: <{tag}>{}</{tag}>", escaped(&fact.label), escaped(&fact.value))
}

fn entry(line: &Line<'_>, label: &str) -> String {
    let name = match line.name {
        "" => String::new(),
        name => format!("<code>{}</code>", escaped(name)),
    };
    let open = line.link.map(|link| format!(" {}", anchor(label, link))).unwrap_or_default();
    format!("• {name}{}{open}", escaped(line.rest))
}

fn anchor(label: &str, link: &str) -> String {
    format!("<a href=\"{}\">{label}</a>", escaped(link))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One status has several meanings, so the description is read as well.
fn refusal(body: &Value, response: &Response, now: Timestamp) -> SendError {
    let code = body["error_code"].as_i64().unwrap_or_else(|| response.status.into());
    let description = body["description"].as_str().unwrap_or_default().to_lowercase();
    let word = code.to_string();
    if let Some(chat) = body["parameters"]["migrate_to_chat_id"].as_i64() {
        return down(word, format!("the group became a supergroup, set chat_id to {chat}"));
    }
    match code {
        401 | 404 => down(word, "the token is not known, set the token of a bot that exists"),
        403 => down(word, "the bot was removed from the chat or blocked there, invite it again"),
        400 if description.contains("chat not found") => {
            down(word, "the chat is not found, correct chat_id and invite the bot there")
        }
        400 if description.contains("thread not found") => {
            down(word, "the topic is not found in the chat, correct the option topic")
        }
        400 | 413 => rejected(word),
        429 => match body["parameters"]["retry_after"].as_u64() {
            Some(seconds) => verdict::throttled(word, seconds.clamp(1, 6 * 3600)),
            None => verdict::paused(word, response, now),
        },
        500..=599 => verdict::passing(word, None),
        _ => unknown(word),
    }
}

#[cfg(test)]
mod tests {
    use super::super::robot::kit;
    use super::super::sample;
    use super::*;
    use crate::expiry::Detail;

    fn robot() -> Telegram {
        Telegram { chat: json!(-1), topic: None }
    }

    fn shown(message: &Message) -> String {
        robot().encode(message)[0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        <b>🟠 [notafter] certificate www.example.com expires in 7 days</b>
        Expiry: <b>2026-01-08 00:00 (UTC), in 7 days</b>
        Common name: <code>www.example.com</code>
        Source: <code>web-certs</code>
        Issuer: <code>R11</code>
        Serial: <code>04a1b2c3</code>
        <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">Open</a>
        <i>id 0193e4b0-7d</i>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        <b>🟠 [notafter] 证书 www.example.com 将在 7 天后到期</b>
        到期时间: <b>2026-01-08 00:00 (UTC)，7 天后</b>
        通用名称 (CN): <code>www.example.com</code>
        来源: <code>web-certs</code>
        签发者: <code>R11</code>
        序列号: <code>04a1b2c3</code>
        <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">查看</a>
        <i>id 0193e4b0-7d</i>
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        <b>🟠 [notafter] 2 events: 2 expiring</b>
        • <code>*.a.example.com</code> · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">Open</a>
        • <code>b.example.com</code> · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">Open</a>
        <a href="https://certs.example.com/">Open</a>
        <i>id 0193e4b0-7d</i>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        <b>🟠 [notafter] 2 个事件：2 个将到期</b>
        • <code>*.a.example.com</code> · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">查看</a>
        • <code>b.example.com</code> · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs <a href="https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3">查看</a>
        <a href="https://certs.example.com/">查看</a>
        <i>id 0193e4b0-7d</i>
        "#);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        <b>🟠 [notafter] 6 events: 6 expiring</b>
        within 7d: <code>6</code>
        • <code>svc-0000.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0001.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0002.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0003.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0004.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0005.prod.eu-central-1.example.com</code> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        <a href="https://certs.example.com/">Open</a>
        <i>id 0193e4b0-7d</i>
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        <b>🟠 [notafter] 6 个事件：6 个将到期</b>
        7 天内到期: <code>6</code>
        • <code>svc-0000.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0001.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0002.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0003.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0004.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        • <code>svc-0005.prod.eu-central-1.example.com</code> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        <a href="https://certs.example.com/">查看</a>
        <i>id 0193e4b0-7d</i>
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::Plain, ..sample::list() }), @"
        [notafter] 2 events: 2 expiring
        *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
        b.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r"
        [notafter] 2 events need attention
        https://certs.example.com/
        id 0193e4b0-7d
        ");
    }

    #[tokio::test]
    async fn the_chat_and_its_topic_are_in_the_body_and_the_token_is_in_the_path() {
        let requests = kit::robot("telegram").requests_for(&sample::single()).await;
        let body = requests[0].json();
        assert_eq!(body["chat_id"], json!(-1_001_234_567_890_i64));
        assert_eq!((&body["message_thread_id"], &body["parse_mode"]), (&json!(42), &json!("HTML")));
        assert_eq!(body["link_preview_options"], json!({ "is_disabled": true }));
        assert_eq!(body["disable_notification"], false);
        assert!(requests[0].path_and_query.ends_with("/sendMessage"));
    }

    #[test]
    fn the_limit_is_in_units_of_utf_16() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let size = shown(&Message { detail, ..message.clone() }).encode_utf16().count();
                assert!(size <= 4096, "{size}");
                assert!(detail > Detail::Full || size > 3700, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let text = shown(&Message { detail, link: None, ..sample::hostile(9) });
            assert!(!text.contains(['@', '\u{202E}']) && !text.contains("href"), "{text}");
            let tags: Vec<_> =
                text.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
            assert!(
                tags.iter().all(|tag| ["b", "i", "code"].contains(&tag.trim_start_matches('/'))),
                "{tags:?}"
            );
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        sample::assert_outcomes(
            |response, now| robot().judge(response, now),
            &[
                (200, r#"{"ok":true,"result":{"message_id":7}}"#, "delivered"),
                (200, "<html>", "retry"),
                (502, r#"{"ok":true}"#, "retry"),
                (401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, "down"),
                (404, r#"{"ok":false,"error_code":404}"#, "down"),
                (
                    403,
                    r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}"#,
                    "down",
                ),
                (
                    400,
                    r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
                    "down",
                ),
                (
                    400,
                    r#"{"ok":false,"error_code":400,"description":"Bad Request: message thread not found"}"#,
                    "down",
                ),
                (
                    400,
                    r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#,
                    "rejected",
                ),
                (
                    429,
                    r#"{"ok":false,"error_code":429,"parameters":{"retry_after":9}}"#,
                    "throttled",
                ),
                (500, r#"{"ok":false,"error_code":500}"#, "retry"),
                (302, "", "down"),
            ],
        );
        let moved = r#"{"ok":false,"error_code":400,"parameters":{"migrate_to_chat_id":-1009}}"#;
        let error = robot().judge(&sample::answer(400, moved), sample::NOW).unwrap_err();
        assert!(error.to_string().contains("set chat_id to -1009"), "{error}");
    }

    #[test]
    fn what_is_no_token_or_chat_is_a_mistake_that_repeats_nothing() {
        for (options, expected) in [
            ("token = { env = \"ROBOT_URL\" }\nchat_id = 1", "it is no bot token"),
            ("token = { env = \"BOT_TOKEN\" }", "missing key `chat_id`"),
            ("token = { env = \"BOT_TOKEN\" }\nchat_id = 1\ntopic = \"x\"", "`topic`: expected"),
            (
                "token = { env = \"BOT_TOKEN\" }\nchat_id = 1\napi = \"http://a.test\"",
                "`api` must begin",
            ),
        ] {
            let (channel, mistakes) = kit::built("telegram", "s3cr3t nonsense", options);
            assert!(channel.is_none(), "{options}");
            assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
            assert!(!mistakes[0].contains("s3cr3t"), "{mistakes:?}");
        }
    }
}

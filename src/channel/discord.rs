//! Discord webhooks: one embed with a bar of colour, which neither pings nor unfurls; the verdict in status and code.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, is_token};
use super::fit::{Page, fit};
use super::markdown::{self, escaped};
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, rejected, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::cut_chars;
use crate::expiry::{Detail, Message, Timestamp};

/// Over title, description, fields and footer of all embeds.
const LARGEST_EMBED: usize = 6000;
const LARGEST_DESCRIPTION: usize = 4096;
const LARGEST_CONTENT: usize = 2000;
/// Cut before it is escaped, which may double it.
const LARGEST_TITLE: usize = 128;
const MOST_FIELDS: usize = 25;

const VENDOR: Vendor = Vendor {
    hosts: &["discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"],
    robot: is_robot,
    form: "https://discord.com/api/webhooks/…/…",
    key_base: None,
};

pub(super) struct Discord;

impl Robot for Discord {
    const ABOUT: &'static str = "Discord, incoming webhook.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "https://discord.com/api/webhooks/…; for a forum with ?thread_id=… It is a secret: who has it can write there.",
    )];
    /// Discord names no number and tells in each answer; five in two seconds are known to pass.
    const PACE: Pace = Pace { gap: Duration::from_millis(2500), per_minute: 24 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/api/webhooks/1/",
        options: r#"url = { env = "ROBOT_URL" }"#,
        success: r#"{"id":"1234567890"}"#,
    };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let body = match message.detail {
            Detail::Full | Detail::Shorter => fit(message, None, LARGEST_EMBED, render, embed_size),
            Detail::Plain | Detail::OneLine => {
                let size = |text: &String| text.chars().count();
                let content = fit(message, None, LARGEST_CONTENT, markdown::plain, size);
                json!({ "content": cut_chars(&content, LARGEST_CONTENT) })
            }
        };
        // By itself a webhook would ping the users that a text names.
        vec![with(body, "allowed_mentions", json!({ "parse": [] }))]
    }

    /// Asks for a verdict: by itself the service does not say whether a message was kept.
    fn sign(&self, request: &mut Draft, _: &str, _: &dyn Clock) -> Result<(), SendError> {
        let kept: Vec<(String, String)> =
            request.url.query_pairs().into_owned().filter(|(name, _)| name != "wait").collect();
        request.url.query_pairs_mut().clear().extend_pairs(kept).append_pair("wait", "true");
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let number =
            |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_i64);
        if response.status == 429 {
            return Err(limited(body.as_ref(), response, now));
        }
        if let Some(error) = number("code").and_then(of_code) {
            return Err(error);
        }
        verdict::of_status(response, now)?;
        let id = body.as_ref().and_then(|body| body["id"].as_str()).map(str::to_owned);
        id.map(|id| Receipt { id: Some(id) }).ok_or_else(|| unknown("answer without a verdict"))
    }
}

fn is_robot(url: &Url) -> bool {
    let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
    match segments.as_slice() {
        ["api", "webhooks", id, token] => is_token(id) && is_token(token),
        ["api", version, "webhooks", id, token] => {
            version.starts_with('v') && is_token(id) && is_token(token)
        }
        _ => false,
    }
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn render(page: &Page<'_>) -> Value {
    let fields = markdown::fields(page).iter().take(MOST_FIELDS).map(|fact| {
        json!({ "name": escaped(&fact.label), "value": markdown::value(fact), "inline": !fact.is_end })
    });
    let mut embed = json!({
        "title": escaped(&cut_chars(&page.title, LARGEST_TITLE)),
        "color": page.tone.rgb(),
        "fields": fields.collect::<Vec<_>>(),
        "footer": { "text": page.footer },
    });
    if let Some(items) = markdown::counted_items_and_snooze(page) {
        embed["description"] = json!(items);
    }
    if let Some(link) = page.link {
        embed["url"] = json!(link);
    }
    json!({ "embeds": [embed] })
}

/// Returns the characters that count, so that they are within the limit of the embed only when those of the description
/// are within its own.
fn embed_size(body: &Value) -> usize {
    let embed = &body["embeds"][0];
    let length = |value: &Value| value.as_str().unwrap_or_default().chars().count();
    let description = length(&embed["description"]);
    let fields = embed["fields"].as_array().into_iter().flatten();
    let fields: usize = fields.map(|field| length(&field["name"]) + length(&field["value"])).sum();
    let all = length(&embed["title"]) + description + fields + length(&embed["footer"]["text"]);
    all.max(description + LARGEST_EMBED - LARGEST_DESCRIPTION)
}

fn limited(body: Option<&Value>, response: &Response, now: Timestamp) -> SendError {
    let seconds = body.and_then(|body| body["retry_after"].as_f64());
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.ceil()).ok()) {
        Some(after) => verdict::throttled("http 429", after.as_secs().clamp(1, 6 * 3600)),
        None => verdict::paused("http 429", response, now),
    }
}

fn of_code(code: i64) -> Option<SendError> {
    let word = code.to_string();
    Some(match code {
        10_015 | 50_027 => down(word, "the webhook was removed, create a new one and set its url"),
        220_001 | 220_003 => down(word, "the room is a forum, add thread_id=… to the url"),
        50_006 | 50_035 | 40_005 | 200_000 | 200_001 => rejected(word),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::robot::kit;
    use super::super::sample::{self, NOW, answer, answer_with};
    use super::*;

    fn shown(message: &Message) -> String {
        let body = Discord.encode(message).remove(0);
        sample::outline(body["embeds"].get(0).unwrap_or(&body))
    }

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        Discord.judge(response, now)
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        color: 15233290
        fields: {"inline":false,"name":"Expiry","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\), in 7 days**"}
        fields: {"inline":true,"name":"Common name","value":"www\\.example\\.com"}
        fields: {"inline":true,"name":"Source","value":"web\\-certs"}
        fields: {"inline":true,"name":"Issuer","value":"R11"}
        fields: {"inline":true,"name":"Serial","value":"04a1b2c3"}
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] certificate www\\.example\\.com expires in 7 days"
        url: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        color: 15233290
        fields: {"inline":false,"name":"到期时间","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\)，7 天后**"}
        fields: {"inline":true,"name":"通用名称 \\(CN\\)","value":"www\\.example\\.com"}
        fields: {"inline":true,"name":"来源","value":"web\\-certs"}
        fields: {"inline":true,"name":"签发者","value":"R11"}
        fields: {"inline":true,"name":"序列号","value":"04a1b2c3"}
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] 证书 www\\.example\\.com 将在 7 天后到期"
        url: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        color: 15233290
        description: "- **\\*\\.a\\.example\\.com** · expires in 3 days · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · expires in 7 days · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)"
        fields: []
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] 2 events\\: 2 expiring"
        url: "https://certs.example.com/"
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        color: 15233290
        description: "- **\\*\\.a\\.example\\.com** · 将在 3 天后到期 · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · 将在 7 天后到期 · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)"
        fields: []
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] 2 个事件：2 个将到期"
        url: "https://certs.example.com/"
        "#);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        color: 15233290
        description: "within 7d\\: 6\n- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs"
        fields: []
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] 6 events\\: 6 expiring"
        url: "https://certs.example.com/"
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        color: 15233290
        description: "7 天内到期：6\n- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs"
        fields: []
        footer: {"text":"id 0193e4b0-7d"}
        title: "\\[notafter\\] 6 个事件：6 个将到期"
        url: "https://certs.example.com/"
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::Plain, ..sample::list() }), @r#"
        allowed_mentions: {"parse":[]}
        content: "\\[notafter\\] 2 events\\: 2 expiring\n\\*\\.a\\.example\\.com · expires in 3 days · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs\nb\\.example\\.com · expires in 7 days · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs\nid 0193e4b0-7d"
        "#);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r#"
        allowed_mentions: {"parse":[]}
        content: "\\[notafter\\] 2 events need attention\nhttps://certs.example.com/\nid 0193e4b0-7d"
        "#);
    }

    #[test]
    fn every_limit_holds() {
        for message in [sample::digest(5000), sample::hostile(5000), sample::hostile(1)] {
            for detail in Detail::ALL {
                let body = Discord.encode(&Message { detail, ..message.clone() }).remove(0);
                let length = |value: &Value| value.as_str().unwrap_or_default().chars().count();
                let embed = &body["embeds"][0];
                assert!(length(&body["content"]) <= 2000 && length(&embed["title"]) <= 256);
                assert!(length(&embed["description"]) <= 4096 && embed_size(&body) <= 6000);
                for field in embed["fields"].as_array().into_iter().flatten() {
                    assert!((1..=256).contains(&length(&field["name"])), "{field}");
                    assert!((1..=1024).contains(&length(&field["value"])), "{field}");
                }
                let full = detail == Detail::Full && message.events.len() > 1;
                assert!(!full || length(&embed["description"]) > 3800, "more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(9) };
            let body = Discord.encode(&message).remove(0);
            assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
            let text = body.to_string();
            assert!(!text.contains(['@', '<', '`', '\u{202E}']), "{text}");
            assert!(!text.contains("]("), "{text}");
        }
    }

    #[tokio::test]
    async fn a_verdict_is_asked_for() {
        let requests = kit::robot("discord").requests_for(&sample::single()).await;
        assert!(requests[0].path_and_query.ends_with("?wait=true"), "{:?}", requests[0]);
    }

    #[test]
    fn codes_are_judged_with_the_status() {
        sample::assert_outcomes(
            verdict,
            &[
                (200, r#"{"id":"1"}"#, "delivered"),
                (204, "", "retry"),
                (200, "<html>", "retry"),
                (404, r#"{"message":"Unknown Webhook","code":10015}"#, "down"),
                (401, r#"{"message":"Invalid Webhook Token","code":50027}"#, "down"),
                (400, r#"{"message":"Invalid Form Body","code":50035}"#, "rejected"),
                (400, r#"{"code":50006}"#, "rejected"),
                (413, r#"{"code":40005}"#, "rejected"),
                (400, r#"{"code":200000}"#, "rejected"),
                (400, r#"{"code":220001}"#, "down"),
                (400, r#"{"code":1}"#, "rejected"),
                (429, r#"{"retry_after":0.3,"global":false}"#, "throttled"),
                (500, "", "retry"),
                (302, "", "down"),
            ],
        );
        let limited = verdict(&answer(429, r#"{"retry_after":7.2}"#), NOW);
        assert_eq!(limited, Err(verdict::throttled("http 429", 8)));
        let limited = verdict(&answer_with(429, &[("retry-after", "9")], ""), NOW);
        assert_eq!(limited, Err(verdict::throttled("http 429", 9)));
    }

    #[test]
    fn only_webhooks_of_discord_are_accepted() {
        for good in [
            "https://discord.com/api/webhooks/1/a-b",
            "https://discordapp.com/api/v10/webhooks/1/a-b?thread_id=7",
        ] {
            assert!(check(good, Some(&VENDOR)).is_ok(), "{good}");
        }
        for bad in [
            "https://discord.com/api/webhooks/1",
            "https://discord.com/api/webhooks/1/a/slack",
            "https://discord.com.evil.test/api/webhooks/1/a",
            "https://discord.com/api/users/webhooks/1/a",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

//! Mattermost incoming webhooks, on any host: an attachment with a bar of colour, the verdict in status and word.

use std::time::Duration;

use serde_json::{Value, json};

use super::fit::{Page, fit};
use super::markdown::{self, escaped};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, rejected, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::config::{Fields, Key, Shape};
use crate::expiry::{Message, Timestamp};

/// A post may have 16 383 characters; attachments may have more, and nobody reads that.
const LARGEST_BODY: usize = 16_000;

pub(super) struct Mattermost;

impl Robot for Mattermost {
    const ABOUT: &'static str = "Mattermost, incoming webhook, on any host.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "https://mattermost.example.com/hooks/… It is a secret: who has it can write there.",
    )];
    /// Servers allow ten a second by default, and rooms are for people.
    const PACE: Pace = Pace { gap: Duration::from_secs(1), per_minute: 60 };
    #[cfg(test)]
    const EXAMPLE: Example =
        Example { path: "/hooks/", options: r#"url = { env = "ROBOT_URL" }"#, success: "ok" };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let characters = |value: &Value| value.to_string().chars().count();
        vec![fit(message, None, LARGEST_BODY, render, characters)]
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let word = body.as_ref().and_then(|body| body["id"].as_str());
        if let Some(error) = word.filter(|_| response.status != 429).and_then(of_word) {
            return Err(error);
        }
        verdict::of_status(response, now)?;
        if response.body.trim_ascii() == b"ok" {
            return Ok(Receipt::default());
        }
        Err(unknown("answer without a verdict"))
    }
}

fn render(page: &Page<'_>) -> Value {
    if page.plain {
        return json!({ "text": markdown::plain(page) });
    }
    let fields = markdown::fields(page).iter().map(|fact| {
        json!({ "title": escaped(&fact.label), "value": markdown::value(fact), "short": !fact.is_end })
    });
    let mut attachment = json!({
        "fallback": page.title,
        "color": format!("#{:06x}", page.tone.rgb()),
        "title": page.title,
        "fields": fields.collect::<Vec<_>>(),
        "footer": page.footer,
    });
    if let Some(items) = markdown::counted_items_and_snooze(page) {
        attachment["text"] = json!(items);
    }
    if let Some(link) = page.link {
        attachment["title_link"] = json!(link);
    }
    json!({ "attachments": [attachment] })
}

fn of_word(word: &str) -> Option<SendError> {
    Some(match word {
        "web.incoming_webhook.invalid.app_error" | "store.sql_webhooks.get_incoming.app_error" => {
            down(word, "the webhook was removed, create a new one and set its url")
        }
        "web.incoming_webhook.disabled.app_error" => {
            down(word, "an administrator of the server must enable incoming webhooks")
        }
        "web.incoming_webhook.channel.app_error"
        | "web.incoming_webhook.channel_locked.app_error"
        | "web.incoming_webhook.permissions.app_error"
        | "api.post.create_post.can_not_post_to_deleted.error"
        | "web.incoming_webhook.user.app_error" => {
            down(word, "the room or its user is gone or closed, create a webhook for another room")
        }
        "web.incoming_webhook.text.app_error"
        | "web.incoming_webhook.parse.app_error"
        | "web.incoming_webhook.split_props_length.app_error" => rejected(word),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::expiry::Detail;

    fn shown(message: &Message) -> String {
        let body = Mattermost.encode(message).remove(0);
        sample::outline(body["attachments"].get(0).unwrap_or(&body))
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r##"
        color: "#e8710a"
        fallback: "[notafter] certificate www.example.com expires in 7 days"
        fields: {"short":false,"title":"Expiry","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\), in 7 days**"}
        fields: {"short":true,"title":"Common name","value":"www\\.example\\.com"}
        fields: {"short":true,"title":"Source","value":"web\\-certs"}
        fields: {"short":true,"title":"Issuer","value":"R11"}
        fields: {"short":true,"title":"Serial","value":"04a1b2c3"}
        footer: "id 0193e4b0-7d"
        title: "[notafter] certificate www.example.com expires in 7 days"
        title_link: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r##"
        color: "#e8710a"
        fallback: "[notafter] 证书 www.example.com 将在 7 天后到期"
        fields: {"short":false,"title":"到期时间","value":"**2026\\-01\\-08 00\\:00 \\(UTC\\)，7 天后**"}
        fields: {"short":true,"title":"通用名称 \\(CN\\)","value":"www\\.example\\.com"}
        fields: {"short":true,"title":"来源","value":"web\\-certs"}
        fields: {"short":true,"title":"签发者","value":"R11"}
        fields: {"short":true,"title":"序列号","value":"04a1b2c3"}
        footer: "id 0193e4b0-7d"
        title: "[notafter] 证书 www.example.com 将在 7 天后到期"
        title_link: "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"
        "##);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r##"
        color: "#e8710a"
        fallback: "[notafter] 2 events: 2 expiring"
        fields: []
        footer: "id 0193e4b0-7d"
        text: "- **\\*\\.a\\.example\\.com** · expires in 3 days · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · expires in 7 days · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)"
        title: "[notafter] 2 events: 2 expiring"
        title_link: "https://certs.example.com/"
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r##"
        color: "#e8710a"
        fallback: "[notafter] 2 个事件：2 个将到期"
        fields: []
        footer: "id 0193e4b0-7d"
        text: "- **\\*\\.a\\.example\\.com** · 将在 3 天后到期 · 2026\\-01\\-04 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)\n- **b\\.example\\.com** · 将在 7 天后到期 · 2026\\-01\\-08 00\\:00 \\(UTC\\) · web\\-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)"
        title: "[notafter] 2 个事件：2 个将到期"
        title_link: "https://certs.example.com/"
        "##);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r##"
        color: "#e8710a"
        fallback: "[notafter] 6 events: 6 expiring"
        fields: []
        footer: "id 0193e4b0-7d"
        text: "within 7d\\: 6\n- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · expires in 6 days · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs"
        title: "[notafter] 6 events: 6 expiring"
        title_link: "https://certs.example.com/"
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r##"
        color: "#e8710a"
        fallback: "[notafter] 6 个事件：6 个将到期"
        fields: []
        footer: "id 0193e4b0-7d"
        text: "7 天内到期：6\n- **svc\\-0000\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0001\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0002\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0003\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0004\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs\n- **svc\\-0005\\.prod\\.eu\\-central\\-1\\.example\\.com** · 将在 6 天后到期 · 2026\\-01\\-07 00\\:00 \\(UTC\\) · web\\-certs"
        title: "[notafter] 6 个事件：6 个将到期"
        title_link: "https://certs.example.com/"
        "##);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r#"text: "\\[notafter\\] 2 events need attention\nhttps://certs.example.com/\nid 0193e4b0-7d""#);
    }

    #[test]
    fn the_limit_is_in_characters() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let body = Mattermost.encode(&Message { detail, ..message.clone() }).remove(0);
                let size = body.to_string().chars().count();
                assert!(size <= 16_000, "{size}");
                assert!(detail > Detail::Full || size > 15_000, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(9) };
            let text = Mattermost.encode(&message)[0].to_string();
            assert!(!text.contains(['@', '<', '`', '\u{202E}']), "{text}");
            assert!(!text.contains("]("), "{text}");
        }
    }

    #[test]
    fn words_are_judged_with_the_status() {
        let error = |status: u16, id: &str| {
            let body = json!({ "id": id, "message": "no", "status_code": status }).to_string();
            Mattermost.judge(&sample::answer(status, &body), sample::NOW).unwrap_err().outcome()
        };
        assert_eq!(error(400, "web.incoming_webhook.invalid.app_error"), "down");
        assert_eq!(error(501, "web.incoming_webhook.disabled.app_error"), "down");
        assert_eq!(error(404, "web.incoming_webhook.channel.app_error"), "down");
        assert_eq!(error(400, "web.incoming_webhook.text.app_error"), "rejected");
        assert_eq!(error(400, "a.new.word"), "rejected");
        assert_eq!(error(429, "api.context.rate.app_error"), "throttled");
        sample::assert_outcomes(
            |response, now| Mattermost.judge(response, now),
            &[
                (200, "ok", "delivered"),
                (200, "<html>", "retry"),
                (200, "", "retry"),
                (403, "", "down"),
                (500, "", "retry"),
                (302, "ok", "down"),
            ],
        );
    }
}

//! Google Chat webhooks: a card whose texts are HTML of a few tags; a request has an id, and repeats are known by it.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, has_token};
use super::fit::{self, Line, Page, fit};
use super::keys;
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::cut_chars;
use crate::expiry::{Fact, Message, Timestamp};

/// A message may have 32 000 bytes, its cards included.
const LARGEST_BODY: usize = 31_000;
const LARGEST_TITLE: usize = 200;
/// Entries in one paragraph: a card of long paragraphs is cut where it is shown.
const LINES: usize = 25;

const VENDOR: Vendor = Vendor {
    hosts: &["chat.googleapis.com"],
    robot: is_robot,
    form: "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…",
    key_base: None,
};

pub(super) struct GoogleChat;

impl Robot for GoogleChat {
    const ABOUT: &'static str = "A space of Google Chat.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=… It is a secret: who has it can write there.",
    )];
    /// About one a second for all webhooks of a space together.
    const PACE: Pace = Pace { gap: Duration::from_millis(1500), per_minute: 40 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/v1/spaces/S/messages?key=k&token=",
        options: r#"url = { env = "ROBOT_URL" }"#,
        success: r#"{"name":"spaces/S/messages/1"}"#,
    };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let mut body = fit(message, None, LARGEST_BODY, render, fit::body_size);
        if let [event] = message.events.as_slice()
            && event.facts().is_some()
        {
            body["thread"] = json!({ "threadKey": keys::problem(event) });
        }
        vec![body]
    }

    /// Adds the id by which a repeated request is known, and what becomes of a thread that is not there.
    fn sign(&self, request: &mut Draft, id: &str, _: &dyn Clock) -> Result<(), SendError> {
        let ours = ["requestId", "messageReplyOption"];
        let kept: Vec<(String, String)> = request
            .url
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| !ours.contains(&name.as_str()))
            .collect();
        request
            .url
            .query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair("requestId", id)
            .append_pair("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        verdict::of_status(response, now)?;
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let name = body.as_ref().and_then(|body| body["name"].as_str()).map(str::to_owned);
        name.map(|name| Receipt { id: Some(name) })
            .ok_or_else(|| unknown("answer without a verdict"))
    }
}

fn is_robot(url: &Url) -> bool {
    let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
    matches!(segments.as_slice(), ["v1", "spaces", _, "messages"])
        && has_token(url, "key")
        && url.query_pairs().any(|(name, value)| name == "token" && !value.is_empty())
}

fn render(page: &Page<'_>) -> Value {
    if page.plain {
        return json!({ "text": escaped(&fit::plain_text(page)) });
    }
    let mut widgets: Vec<Value> = page.facts.chunks(2).map(columns).collect();
    widgets.extend(page.entries.chunks(LINES).map(|lines| paragraph(lines, page.link_label)));
    widgets.extend(page.left_out.as_deref().map(text));
    let open = |(label, link)| json!({ "text": label, "onClick": { "openLink": { "url": link } } });
    let buttons: Vec<Value> = page.links().map(open).collect();
    if !buttons.is_empty() {
        widgets.push(json!({ "buttonList": { "buttons": buttons } }));
    }
    let small = format!("<font color=\"#5f6368\">{}</font>", escaped(&page.footer));
    widgets.push(text(&small));
    let title = cut_chars(&page.marked_title(), LARGEST_TITLE);
    let card = json!({ "header": { "title": title }, "sections": [{ "widgets": widgets }] });
    json!({ "fallbackText": escaped(&page.title), "cardsV2": [{ "cardId": "notafter", "card": card }] })
}

/// Returns two facts beside each other, or one alone.
fn columns(facts: &[Fact]) -> Value {
    let item = |fact: &Fact| {
        let value = escaped(&fact.value);
        let shown = if fact.is_end { format!("<b>{value}</b>") } else { value };
        let labelled = json!({ "topLabel": fact.label, "text": shown, "wrapText": true });
        json!({ "horizontalSizeStyle": "FILL_AVAILABLE_SPACE", "widgets": [{ "decoratedText": labelled }] })
    };
    json!({ "columns": { "columnItems": facts.iter().map(item).collect::<Vec<_>>() } })
}

fn paragraph(lines: &[Line<'_>], label: &str) -> Value {
    let shown = |line: &Line<'_>| {
        let name = match line.name {
            "" => String::new(),
            name => format!("<b>{}</b>", escaped(name)),
        };
        let link = line.link.map(|link| format!(" <a href=\"{}\">{label}</a>", escaped(link)));
        format!("• {name}{}{}", escaped(line.rest), link.unwrap_or_default())
    };
    text(&lines.iter().map(shown).collect::<Vec<_>>().join("<br>"))
}

fn text(text: &str) -> Value {
    json!({ "textParagraph": { "text": text } })
}

/// Escapes what the service has an escape for.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::robot::kit;
    use super::super::sample;
    use super::*;
    use crate::expiry::Detail;

    fn shown(message: &Message) -> String {
        let body = GoogleChat.encode(message).remove(0);
        let card = &body["cardsV2"][0]["card"];
        let Some(widgets) = card["sections"][0]["widgets"].as_array() else {
            return body.to_string();
        };
        let mut lines = vec![card["header"].to_string()];
        lines.extend(widgets.iter().map(Value::to_string));
        lines.join("\n")
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r##"
        {"title":"🟠 [notafter] certificate www.example.com expires in 7 days"}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"<b>2026-01-08 00:00 (UTC), in 7 days</b>","topLabel":"Expiry","wrapText":true}}]},{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"www.example.com","topLabel":"Common name","wrapText":true}}]}]}}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"web-certs","topLabel":"Source","wrapText":true}}]},{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"R11","topLabel":"Issuer","wrapText":true}}]}]}}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"04a1b2c3","topLabel":"Serial","wrapText":true}}]}]}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}},"text":"Open"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r##"
        {"title":"🟠 [notafter] 证书 www.example.com 将在 7 天后到期"}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"<b>2026-01-08 00:00 (UTC)，7 天后</b>","topLabel":"到期时间","wrapText":true}}]},{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"www.example.com","topLabel":"通用名称 (CN)","wrapText":true}}]}]}}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"web-certs","topLabel":"来源","wrapText":true}}]},{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"R11","topLabel":"签发者","wrapText":true}}]}]}}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"04a1b2c3","topLabel":"序列号","wrapText":true}}]}]}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}},"text":"查看"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r##"
        {"title":"🟠 [notafter] 2 events: 2 expiring"}
        {"textParagraph":{"text":"• <b>*.a.example.com</b> · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs <a href=\"https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3\">Open</a><br>• <b>b.example.com</b> · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs <a href=\"https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3\">Open</a>"}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/"}},"text":"Open"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r##"
        {"title":"🟠 [notafter] 2 个事件：2 个将到期"}
        {"textParagraph":{"text":"• <b>*.a.example.com</b> · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs <a href=\"https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3\">查看</a><br>• <b>b.example.com</b> · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs <a href=\"https://certs.example.com/?source=web-certs&amp;scope=all&amp;q=04a1b2c3\">查看</a>"}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/"}},"text":"查看"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
    }

    #[test]
    fn a_digest_and_the_last_resort() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r##"
        {"title":"🟠 [notafter] 6 events: 6 expiring"}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"6","topLabel":"within 7d","wrapText":true}}]}]}}
        {"textParagraph":{"text":"• <b>svc-0000.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0001.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0002.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0003.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0004.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0005.prod.eu-central-1.example.com</b> · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs"}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/"}},"text":"Open"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r##"
        {"title":"🟠 [notafter] 6 个事件：6 个将到期"}
        {"columns":{"columnItems":[{"horizontalSizeStyle":"FILL_AVAILABLE_SPACE","widgets":[{"decoratedText":{"text":"6","topLabel":"7 天内到期","wrapText":true}}]}]}}
        {"textParagraph":{"text":"• <b>svc-0000.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0001.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0002.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0003.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0004.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs<br>• <b>svc-0005.prod.eu-central-1.example.com</b> · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs"}}
        {"buttonList":{"buttons":[{"onClick":{"openLink":{"url":"https://certs.example.com/"}},"text":"查看"}]}}
        {"textParagraph":{"text":"<font color=\"#5f6368\">id 0193e4b0-7d</font>"}}
        "##);
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r#"{"text":"[notafter] 2 events need attention\nhttps://certs.example.com/\nid 0193e4b0-7d"}"#);
    }

    #[test]
    fn the_limit_is_in_bytes_of_the_body() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let body = GoogleChat.encode(&Message { detail, ..message.clone() }).remove(0);
                let size = body.to_string().len();
                assert!(size <= 32_000, "{size}");
                assert!(detail > Detail::Full || size > 30_000, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(9) };
            let text = GoogleChat.encode(&message)[0].to_string();
            assert!(!text.contains(['@', '`', '\u{202E}']) && !text.contains("<users"), "{text}");
            assert!(!text.contains("href"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_request_has_the_id_of_its_message_and_one_thread_a_certificate() {
        let requests = kit::robot("google-chat").requests_for(&sample::single()).await;
        let asked = &requests[0].path_and_query;
        assert!(asked.contains("&requestId=0193e4b0-7d&messageReplyOption=REPLY_"), "{asked}");
        let of = |message: &Message| GoogleChat.encode(message)[0]["thread"]["threadKey"].clone();
        assert_eq!(of(&sample::single()).as_str().map(str::len), Some(64));
        assert_eq!(of(&sample::single()), of(&sample::zh(&sample::single())));
        assert_eq!(of(&sample::list()), Value::Null);
    }

    #[test]
    fn statuses_are_judged_and_a_success_has_a_name() {
        sample::assert_outcomes(
            |response, now| GoogleChat.judge(response, now),
            &[
                (200, r#"{"name":"spaces/S/messages/1"}"#, "delivered"),
                (200, "{}", "retry"),
                (200, "<html>", "retry"),
                (400, r#"{"error":{"status":"INVALID_ARGUMENT"}}"#, "rejected"),
                (401, "", "down"),
                (403, r#"{"error":{"status":"PERMISSION_DENIED"}}"#, "down"),
                (404, r#"{"error":{"status":"NOT_FOUND"}}"#, "down"),
                (429, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, "throttled"),
                (503, "", "retry"),
                (302, "", "down"),
            ],
        );
    }

    #[test]
    fn only_webhooks_of_spaces_are_accepted() {
        let good = "https://chat.googleapis.com/v1/spaces/A/messages?key=a-b&token=c_d%3D";
        assert!(check(good, Some(&VENDOR)).is_ok());
        for bad in [
            "https://chat.googleapis.com/v1/spaces/A/messages?key=a",
            "https://chat.googleapis.com/v1/spaces/A?key=a&token=b",
            "https://chat.googleapis.com.evil.test/v1/spaces/A/messages?key=a&token=b",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

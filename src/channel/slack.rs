//! Slack incoming webhooks: Block Kit with plain and rich text beside a bar of colour, the verdict in a word.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, is_token};
use super::fit::{self, Line, Page, fit};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, passing, rejected, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::config::{Fields, Key, Shape};
use crate::expiry::{Fact, Message, Timestamp};

/// Slack refuses somewhere above 13 000 characters over all blocks with `msg_blocks_too_long`; it documents no number.
const LARGEST_MESSAGE: usize = 12_000;
const LARGEST_HEADER: usize = 150;
const LARGEST_SECTION: usize = 3000;
const MOST_FIELDS: usize = 10;

const VENDOR: Vendor = Vendor {
    hosts: &["hooks.slack.com", "hooks.slack-gov.com"],
    robot: is_robot,
    form: "https://hooks.slack.com/services/T…/B/… (a Workflow Builder address does not work)",
    key_base: None,
};

pub(super) struct Slack;

impl Robot for Slack {
    const ABOUT: &'static str = "Slack, incoming webhook.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "https://hooks.slack.com/services/… It is a secret: who has it can write there.",
    )];
    /// One message a second and channel is tolerated, in short bursts more.
    const PACE: Pace = Pace { gap: Duration::from_millis(1200), per_minute: 50 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/services/T0/B0/",
        options: r#"url = { env = "ROBOT_URL" }"#,
        success: "ok",
    };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        let characters = |value: &Value| value.to_string().chars().count();
        vec![fit(message, None, LARGEST_MESSAGE, render, characters)]
    }

    /// Judges by the word first: which status comes with a word is not the same everywhere.
    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let text = std::str::from_utf8(&response.body).unwrap_or_default().trim();
        let json: Option<Value> = serde_json::from_str(text).ok();
        let accepted =
            json.as_ref().and_then(|json| json.get("ok")?.as_bool()).unwrap_or(text == "ok");
        let word = json.as_ref().and_then(|json| json.get("error")?.as_str()).unwrap_or(text);
        if let Some(error) = of_word(word, response, now) {
            return Err(error);
        }
        verdict::of_status(response, now)?;
        match (response.status, accepted) {
            (200, true) => Ok(Receipt::default()),
            _ if is_word(word) => Err(unknown(word)),
            _ => Err(unknown("answer without a verdict")),
        }
    }
}

fn is_robot(url: &Url) -> bool {
    let mut segments = url.path_segments().into_iter().flatten();
    segments.next() == Some("services") && segments.clone().count() == 3 && segments.all(is_token)
}

fn render(page: &Page<'_>) -> Value {
    let title = page.marked_title();
    if page.plain {
        return json!({ "text": escaped(&fit::plain_text(page)), "unfurl_links": false, "unfurl_media": false });
    }
    let mut blocks = facts(page.facts);
    blocks.extend(lists(page));
    blocks.extend(page.left_out.as_deref().map(|text| section(&json!({ "text": plain(text) }))));
    let button = |(label, link)| json!({ "type": "button", "text": plain(label), "url": link });
    let buttons: Vec<Value> = page.links().map(button).collect();
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&page.footer)] }));
    let color = format!("#{:06x}", page.tone.rgb());
    let bar = json!({ "color": color, "fallback": page.title, "blocks": blocks });
    // The top-level text is shown in notifications only, and is read as mrkdwn.
    json!({
        "text": escaped(&title), "unfurl_links": false, "unfurl_media": false,
        "blocks": [headline(&title)], "attachments": [bar],
    })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "emoji": false, "text": text })
}

/// Returns the title in large letters, or in bold ones where it is too long for that.
fn headline(title: &str) -> Value {
    if title.chars().count() <= LARGEST_HEADER {
        return json!({ "type": "header", "text": json!({ "type": "plain_text", "emoji": true, "text": title }) });
    }
    rich(&json!({ "type": "rich_text_section", "elements": [bold(title)] }))
}

fn section(content: &Value) -> Value {
    let mut section = content.clone();
    section["type"] = json!("section");
    section
}

/// Returns two columns of facts. What others wrote stands in fields that Slack does not parse; only an end, which is
/// ours, is marked up.
fn facts(facts: &[Fact]) -> Vec<Value> {
    let field = |fact: &Fact| {
        if fact.is_end {
            let text = format!("*{}*\n*{}*", fact.label, fact.value);
            json!({ "type": "mrkdwn", "verbatim": true, "text": text })
        } else {
            plain(&format!("{}\n{}", fact.label, fact.value))
        }
    };
    let fields = |facts: &[Fact]| facts.iter().map(field).collect::<Vec<_>>();
    facts.chunks(MOST_FIELDS).map(|facts| section(&json!({ "fields": fields(facts) }))).collect()
}

/// Returns the entries as lists with the names in bold, each block within its limit.
fn lists(page: &Page<'_>) -> Vec<Value> {
    let (mut lists, mut size) = (Vec::<Vec<Value>>::new(), 0);
    for line in &page.entries {
        let length = line.name.chars().count() + line.rest.chars().count();
        match lists.last_mut() {
            Some(last) if size + length <= LARGEST_SECTION => {
                last.push(item(line, page.link_label));
            }
            _ => {
                lists.push(vec![item(line, page.link_label)]);
                size = 0;
            }
        }
        size += length;
    }
    let list = |items| json!({ "type": "rich_text_list", "style": "bullet", "elements": items });
    lists.into_iter().map(|items: Vec<Value>| rich(&list(items))).collect()
}

fn item(line: &Line<'_>, label: &str) -> Value {
    let mut elements = Vec::new();
    elements.extend((!line.name.is_empty()).then(|| bold(line.name)));
    elements.extend((!line.rest.is_empty()).then(|| json!({ "type": "text", "text": line.rest })));
    if let Some(link) = line.link {
        elements.push(json!({ "type": "text", "text": " " }));
        elements.push(json!({ "type": "link", "url": link, "text": label }));
    }
    json!({ "type": "rich_text_section", "elements": elements })
}

fn bold(text: &str) -> Value {
    json!({ "type": "text", "text": text, "style": { "bold": true } })
}

fn rich(element: &Value) -> Value {
    json!({ "type": "rich_text", "elements": [element] })
}

/// Escapes the three characters that mrkdwn has an escape for.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn of_word(word: &str, response: &Response, now: Timestamp) -> Option<SendError> {
    Some(match word {
        "invalid_payload"
        | "no_text"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_blocks_too_long"
        | "too_many_attachments"
        | "user_not_found" => rejected(word),
        "invalid_token" | "no_service" | "no_service_id" | "no_active_hooks" => {
            down(word, "the webhook was removed, create a new one and set its url")
        }
        "no_team" | "team_disabled" => down(word, "the workspace is gone or disabled"),
        "action_prohibited" | "posting_to_general_channel_denied" => {
            down(word, "an administrator of the workspace must allow the webhook to post")
        }
        "channel_not_found" | "channel_is_archived" => {
            down(word, "the room is gone or archived, create a webhook for another room")
        }
        "rollup_error" => passing(word, None),
        "rate_limited" => verdict::paused(word, response, now),
        _ => return None,
    })
}

/// Returns whether `text` looks like one of Slack's own error words, and may be shown.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::sample::{self, NOW, answer, answer_with};
    use super::*;
    use crate::channel::robot::kit;
    use crate::expiry::Detail;

    fn body(message: &Message) -> Value {
        Slack.encode(message).remove(0)
    }

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        Slack.judge(response, now)
    }

    fn shown(message: &Message) -> String {
        let mut body = body(message);
        let blocks = body.as_object_mut().unwrap().remove("blocks").unwrap_or_default();
        let blocks = blocks.as_array().into_iter().flatten();
        std::iter::once(&body).chain(blocks).map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_secret_is_an_unknown_option() {
        let options = "secret = { env = \"SIGNING_KEY\" }";
        kit::assert_refused("slack", options, "unknown key `secret`");
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r##"
        {"attachments":[{"blocks":[{"fields":[{"text":"*Expiry*\n*2026-01-08 00:00 (UTC), in 7 days*","type":"mrkdwn","verbatim":true},{"emoji":false,"text":"Common name\nwww.example.com","type":"plain_text"},{"emoji":false,"text":"Source\nweb-certs","type":"plain_text"},{"emoji":false,"text":"Issuer\nR11","type":"plain_text"},{"emoji":false,"text":"Serial\n04a1b2c3","type":"plain_text"}],"type":"section"},{"elements":[{"text":{"emoji":false,"text":"Open","type":"plain_text"},"type":"button","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] certificate www.example.com expires in 7 days"}],"text":"🟠 [notafter] certificate www.example.com expires in 7 days","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] certificate www.example.com expires in 7 days","type":"plain_text"},"type":"header"}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r##"
        {"attachments":[{"blocks":[{"fields":[{"text":"*到期时间*\n*2026-01-08 00:00 (UTC)，7 天后*","type":"mrkdwn","verbatim":true},{"emoji":false,"text":"通用名称 (CN)\nwww.example.com","type":"plain_text"},{"emoji":false,"text":"来源\nweb-certs","type":"plain_text"},{"emoji":false,"text":"签发者\nR11","type":"plain_text"},{"emoji":false,"text":"序列号\n04a1b2c3","type":"plain_text"}],"type":"section"},{"elements":[{"text":{"emoji":false,"text":"查看","type":"plain_text"},"type":"button","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] 证书 www.example.com 将在 7 天后到期"}],"text":"🟠 [notafter] 证书 www.example.com 将在 7 天后到期","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] 证书 www.example.com 将在 7 天后到期","type":"plain_text"},"type":"header"}
        "##);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r##"
        {"attachments":[{"blocks":[{"elements":[{"elements":[{"elements":[{"style":{"bold":true},"text":"*.a.example.com","type":"text"},{"text":" · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs","type":"text"},{"text":" ","type":"text"},{"text":"Open","type":"link","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"b.example.com","type":"text"},{"text":" · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs","type":"text"},{"text":" ","type":"text"},{"text":"Open","type":"link","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"},{"elements":[{"text":{"emoji":false,"text":"Open","type":"plain_text"},"type":"button","url":"https://certs.example.com/"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] 2 events: 2 expiring"}],"text":"🟠 [notafter] 2 events: 2 expiring","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] 2 events: 2 expiring","type":"plain_text"},"type":"header"}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r##"
        {"attachments":[{"blocks":[{"elements":[{"elements":[{"elements":[{"style":{"bold":true},"text":"*.a.example.com","type":"text"},{"text":" · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs","type":"text"},{"text":" ","type":"text"},{"text":"查看","type":"link","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"b.example.com","type":"text"},{"text":" · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs","type":"text"},{"text":" ","type":"text"},{"text":"查看","type":"link","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"},{"elements":[{"text":{"emoji":false,"text":"查看","type":"plain_text"},"type":"button","url":"https://certs.example.com/"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] 2 个事件：2 个将到期"}],"text":"🟠 [notafter] 2 个事件：2 个将到期","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] 2 个事件：2 个将到期","type":"plain_text"},"type":"header"}
        "##);
    }

    #[test]
    fn a_digest() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r##"
        {"attachments":[{"blocks":[{"fields":[{"emoji":false,"text":"within 7d\n6","type":"plain_text"}],"type":"section"},{"elements":[{"elements":[{"elements":[{"style":{"bold":true},"text":"svc-0000.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0001.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0002.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0003.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0004.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0005.prod.eu-central-1.example.com","type":"text"},{"text":" · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"},{"elements":[{"text":{"emoji":false,"text":"Open","type":"plain_text"},"type":"button","url":"https://certs.example.com/"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] 6 events: 6 expiring"}],"text":"🟠 [notafter] 6 events: 6 expiring","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] 6 events: 6 expiring","type":"plain_text"},"type":"header"}
        "##);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r##"
        {"attachments":[{"blocks":[{"fields":[{"emoji":false,"text":"7 天内到期\n6","type":"plain_text"}],"type":"section"},{"elements":[{"elements":[{"elements":[{"style":{"bold":true},"text":"svc-0000.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0001.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0002.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0003.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0004.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"},{"elements":[{"style":{"bold":true},"text":"svc-0005.prod.eu-central-1.example.com","type":"text"},{"text":" · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","type":"text"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"},{"elements":[{"text":{"emoji":false,"text":"查看","type":"plain_text"},"type":"button","url":"https://certs.example.com/"}],"type":"actions"},{"elements":[{"emoji":false,"text":"id 0193e4b0-7d","type":"plain_text"}],"type":"context"}],"color":"#e8710a","fallback":"[notafter] 6 个事件：6 个将到期"}],"text":"🟠 [notafter] 6 个事件：6 个将到期","unfurl_links":false,"unfurl_media":false}
        {"text":{"emoji":true,"text":"🟠 [notafter] 6 个事件：6 个将到期","type":"plain_text"},"type":"header"}
        "##);
    }

    #[test]
    fn the_last_resort() {
        let message = Message { detail: Detail::OneLine, ..sample::digest(6) };
        insta::assert_snapshot!(shown(&message), @r#"{"text":"[notafter] 6 events need attention\nhttps://certs.example.com/\nid 0193e4b0-7d","unfurl_links":false,"unfurl_media":false}"#);
    }

    #[test]
    fn every_limit_holds() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let body = body(&Message { detail, ..message.clone() });
                assert!(body.to_string().chars().count() <= 12_000);
                let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
                assert!(blocks.len() <= 50);
                for block in blocks {
                    let limit = if block["type"] == "header" { 150 } else { 3000 };
                    assert!(
                        block["text"]["text"].as_str().unwrap_or_default().chars().count() <= limit
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(3) };
            let text = body(&message).to_string();
            assert!(!text.contains(['<', '>', '@', '`', '\u{202E}']), "{text}");
        }
    }

    #[test]
    fn words_are_judged_before_statuses() {
        sample::assert_outcomes(
            verdict,
            &[
                (200, "ok", "delivered"),
                (200, "ok\n", "delivered"),
                (200, r#"{"ok":true}"#, "delivered"),
                (200, r#"{"ok":false,"error":"invalid_blocks"}"#, "rejected"),
                (200, r#"{"ok":false,"error":"new_word"}"#, "retry"),
                (200, "<html>sign in</html>", "retry"),
                (200, "", "retry"),
                (201, "ok", "retry"),
                (400, "invalid_payload", "rejected"),
                (400, "invalid_token", "down"),
                (403, "action_prohibited", "down"),
                (404, "no_service", "down"),
                (403, "no_team", "down"),
                (410, "channel_is_archived", "down"),
                (500, "rollup_error", "retry"),
                (500, "ok", "retry"),
                (429, "rate_limited", "throttled"),
                (429, "", "throttled"),
                (302, "ok", "down"),
            ],
        );
        let limited = verdict(&answer_with(429, &[("retry-after", "17")], "rate_limited"), NOW);
        assert_eq!(limited, Err(verdict::throttled("rate_limited", 17)));
        assert_eq!(verdict(&answer(200, "new_word"), NOW).unwrap_err().code(), "unknown: new_word");
        assert_eq!(
            verdict(&answer(200, "A page of somebody"), NOW).unwrap_err().code(),
            "unknown: answer without a verdict"
        );
    }

    #[test]
    fn only_robots_of_slack_are_accepted() {
        for good in [
            "https://hooks.slack.com/services/T0/B0/x9",
            "https://hooks.slack-gov.com/services/T0/B0/x9",
        ] {
            assert!(check(good, Some(&VENDOR)).is_ok(), "{good}");
        }
        for bad in [
            "https://hooks.slack.com/services/T0/B0",
            "https://hooks.slack.com/services/T0/B0/x9/more",
            "https://hooks.slack.com/services/T0/B0/",
            "https://hooks.slack.com/triggers/T0/B0/x9",
            "https://hooks.slack.com/services%2FT0/B0/x9",
            "https://hooks.slack.com@evil.test/",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

//! `WeCom` group robots: `markdown_v2`, which cannot mention anybody, the verdict in `errcode`.

use std::time::Duration;

use serde_json::{Value, json};

use super::address::{Vendor, has_token};
use super::fit::{self, Line, Page, fit};
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::verdict::{self, down, passing, rejected, throttled, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::config::{Fields, Key, Shape};
use crate::expiry::text::cut_bytes;
use crate::expiry::{Detail, Fact, Message, Timestamp};

/// Markdown content may have 4096 bytes of UTF-8, text content 2048.
const LARGEST_MARKDOWN: usize = 4000;
const LARGEST_TEXT: usize = 2000;

const VENDOR: Vendor = Vendor {
    hosts: &["qyapi.weixin.qq.com"],
    robot: |url| url.path() == "/cgi-bin/webhook/send" && has_token(url, "key"),
    form: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…, nor such a key",
    key_base: Some("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="),
};

pub(super) struct WeCom;

impl Robot for WeCom {
    const ABOUT: &'static str = "A group robot of WeCom.";
    const OPTIONS: &'static [Key] = &[Key::required(
        "url",
        Shape::Secret,
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=… It is a secret: who has it can write there.",
    )];
    /// 20 a minute are allowed.
    const PACE: Pace = Pace { gap: Duration::from_secs(4), per_minute: 12 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/cgi-bin/webhook/send?key=",
        options: r#"url = { env = "ROBOT_URL" }"#,
        success: r#"{"errcode":0,"errmsg":"ok"}"#,
    };

    fn new(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self)
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        vec![body(message)]
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        verdict::of_code(response, "errcode", now, |code, _| of_code(code))
    }
}

fn body(message: &Message) -> Value {
    match message.detail {
        Detail::Full | Detail::Shorter => {
            let content = fit(message, None, LARGEST_MARKDOWN, markdown, String::len);
            let content = cut_bytes(&content, LARGEST_MARKDOWN);
            json!({ "msgtype": "markdown_v2", "markdown_v2": { "content": content } })
        }
        Detail::Plain | Detail::OneLine => {
            let content = fit(message, None, LARGEST_TEXT, fit::plain_text, String::len);
            let content = cut_bytes(&content, LARGEST_TEXT);
            json!({ "msgtype": "text", "text": { "content": content } })
        }
    }
}

/// What others wrote stands in code spans: there it is neither emphasis nor a link. Inert text has no backtick, and no bar
/// that would end a cell.
fn markdown(page: &Page<'_>) -> String {
    let mut lines = vec![format!("# {}", page.marked_title())];
    lines.extend(table(page.facts));
    lines.extend(page.entries.iter().map(|line| match line.link {
        Some(link) => format!("- {} [{}]({link})", spans(line), page.link_label),
        None => format!("- {}", spans(line)),
    }));
    lines.extend(page.left_out.clone());
    lines.extend(page.links().map(|(label, link)| format!("\n[{label}]({link})")));
    lines.push(format!("\n{}", page.footer));
    lines.join("\n")
}

/// Returns the facts as two columns; the first is the head, since a table must have one.
fn table(facts: &[Fact]) -> Vec<String> {
    let cell = |fact: &Fact| {
        let mark = if fact.is_end { "**" } else { "`" };
        format!("{mark}{}{mark}", fact.value)
    };
    let row = |fact: &Fact| format!("| {} | {} |", fact.label, cell(fact));
    let mut rows: Vec<_> = facts.iter().map(row).collect();
    if !rows.is_empty() {
        rows.insert(1, "| :--- | :--- |".to_owned());
    }
    rows
}

fn spans(line: &Line<'_>) -> String {
    match (line.name, line.rest) {
        ("", rest) => format!("`{rest}`"),
        (name, rest) if name.contains(['*', '_']) => format!("`{name}{rest}`"),
        (name, rest) => format!("**{name}** `{}`", rest.trim_start_matches(" · ")),
    }
}

fn of_code(code: i64) -> SendError {
    let word = code.to_string();
    match code {
        -1 => passing(word, None),
        45_009 => throttled(word, 60),
        40_058 | 40_008 | 44_004 => rejected(word),
        93_000 => down(word, "the key of the url is not known, set the url of a robot that exists"),
        93_004 | 93_008 => down(word, "the robot was disabled or removed from the group"),
        _ => unknown(word),
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::sample::{self, NOW, answer};
    use super::*;

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        WeCom.judge(response, now)
    }

    fn content(message: &Message) -> String {
        let body = body(message);
        let kind = body["msgtype"].as_str().unwrap().to_owned();
        format!("{kind}\n{}", body[&kind]["content"].as_str().unwrap())
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(content(&sample::single()), @"
        markdown_v2
        # 🟠 [notafter] certificate www.example.com expires in 7 days
        | Expiry | **2026-01-08 00:00 (UTC), in 7 days** |
        | :--- | :--- |
        | Common name | `www.example.com` |
        | Source | `web-certs` |
        | Issuer | `R11` |
        | Serial | `04a1b2c3` |

        [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(content(&sample::zh(&sample::single())), @r"
        markdown_v2
        # 🟠 [notafter] 证书 www.example.com 将在 7 天后到期
        | 到期时间 | **2026-01-08 00:00 (UTC)，7 天后** |
        | :--- | :--- |
        | 通用名称 (CN) | `www.example.com` |
        | 来源 | `web-certs` |
        | 签发者 | `R11` |
        | 序列号 | `04a1b2c3` |

        [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        id 0193e4b0-7d
        ");
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(content(&sample::list()), @"
        markdown_v2
        # 🟠 [notafter] 2 events: 2 expiring
        - `*.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs` [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)
        - **b.example.com** `expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs` [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        [Open](https://certs.example.com/)

        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(content(&sample::zh(&sample::list())), @r"
        markdown_v2
        # 🟠 [notafter] 2 个事件：2 个将到期
        - `*.a.example.com · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs` [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)
        - **b.example.com** `将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs` [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        [查看](https://certs.example.com/)

        id 0193e4b0-7d
        ");
    }

    #[test]
    fn a_digest() {
        insta::assert_snapshot!(content(&sample::digest(6)), @"
        markdown_v2
        # 🟠 [notafter] 6 events: 6 expiring
        | within 7d | `6` |
        | :--- | :--- |
        - **svc-0000.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0001.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0002.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0003.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0004.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0005.prod.eu-central-1.example.com** `expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs`

        [Open](https://certs.example.com/)

        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(content(&sample::zh(&sample::digest(6))), @r"
        markdown_v2
        # 🟠 [notafter] 6 个事件：6 个将到期
        | 7 天内到期 | `6` |
        | :--- | :--- |
        - **svc-0000.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0001.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0002.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0003.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0004.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`
        - **svc-0005.prod.eu-central-1.example.com** `将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs`

        [查看](https://certs.example.com/)

        id 0193e4b0-7d
        ");
    }

    #[test]
    fn plain_text_and_the_last_resort() {
        insta::assert_snapshot!(content(&Message { detail: Detail::Plain, ..sample::list() }), @"
        text
        [notafter] 2 events: 2 expiring
        *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
        b.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(content(&Message { detail: Detail::OneLine, ..sample::list() }), @r"
        text
        [notafter] 2 events need attention
        https://certs.example.com/
        id 0193e4b0-7d
        ");
    }

    #[test]
    fn the_limit_is_in_bytes_of_the_content() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let body = body(&Message { detail, ..message.clone() });
                let kind = body["msgtype"].as_str().unwrap();
                let size = body[kind]["content"].as_str().unwrap().len();
                assert!(size <= if kind == "text" { 2000 } else { 4000 }, "{size}");
                assert!(detail > Detail::Full || size > 3600, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn a_link_that_is_too_long_still_leaves_a_message() {
        let message = Message {
            link: Some(format!("https://certs.example.com/{}", "x".repeat(5000))),
            ..sample::single()
        };
        assert_eq!(content(&message).strip_prefix("markdown_v2\n").map(str::len), Some(4000));
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let text = content(&Message { detail, link: None, ..sample::hostile(9) });
            assert!(!text.contains(['@', '<', '*']), "{text}");
            assert_eq!(text.matches('[').count(), text.matches("[notafter]").count(), "{text}");
            assert_eq!(text.matches('`').count() % 2, 0, "{text}");
        }
    }

    #[test]
    fn codes_are_judged_with_the_status() {
        sample::assert_outcomes(
            verdict,
            &[
                (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered"),
                (
                    200,
                    r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1], from ip: 203.0.113.7"}"#,
                    "down",
                ),
                (200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, "throttled"),
                (
                    200,
                    r#"{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}"#,
                    "rejected",
                ),
                (200, r#"{"errcode":-1}"#, "retry"),
                (200, r#"{"errcode":40008}"#, "rejected"),
                (200, r#"{"errcode":44004}"#, "rejected"),
                (200, r#"{"errcode":93004}"#, "down"),
                (200, r#"{"errcode":93008}"#, "down"),
                (200, r#"{"errcode":42}"#, "retry"),
                (200, "<html>", "retry"),
                (503, r#"{"errcode":0}"#, "retry"),
                (302, "", "down"),
            ],
        );
        assert!(verdict(&answer(200, r#"{"errcode":42}"#), NOW).unwrap_err().is_unknown());
    }

    #[test]
    fn only_robots_of_wecom_are_accepted() {
        let key = "693a91f6-7aa6-4b0c-9d1e-0123456789ab";
        let full = format!("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={key}");
        assert_eq!(check(&full, Some(&VENDOR)).unwrap().as_str(), full);
        assert_eq!(check(key, Some(&VENDOR)).unwrap().as_str(), full);
        for bad in [
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send",
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/upload_media?key=a",
            "https://qyapi.weixin.qq.com@evil.test/cgi-bin/webhook/send?key=a",
            "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

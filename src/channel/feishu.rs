//! Feishu and Lark custom robots: cards with a header of colour, signed in the body, the verdict in `code`.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, is_token};
use super::fit::{self, Line, Page, fit};
use super::options::{Guards, KEYWORD, SECRET};
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::sign::hmac_base64;
use super::verdict::{self, down, passing, rejected, throttled, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::{Fact, Message, Timestamp, Tone};

/// The service takes 20 KB of serialised body; timestamp and signature are added to this.
const LARGEST_BODY: usize = 19_000 - 128;
/// What is longer does not fit half the width of a phone.
const SHORT: usize = 24;

const VENDOR: Vendor = Vendor {
    hosts: &["open.feishu.cn", "open.larksuite.com"],
    robot: is_robot,
    form: "https://open.feishu.cn/open-apis/bot/v2/hook/…",
    key_base: None,
};

pub(super) struct Feishu(Guards);

impl Robot for Feishu {
    const ABOUT: &'static str = "A robot of Feishu or Lark.";
    const OPTIONS: &'static [Key] = &[
        Key::required(
            "url",
            Shape::Secret,
            "https://open.feishu.cn/open-apis/bot/v2/hook/… or https://open.larksuite.com/… It is a secret: who has it can write there.",
        ),
        SECRET,
        KEYWORD,
    ];
    /// 100 a minute and 5 a second are allowed for all robots of a tenant together.
    const PACE: Pace = Pace { gap: Duration::from_secs(1), per_minute: 60 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/open-apis/bot/v2/hook/",
        options: Example::GUARDED,
        success: r#"{"code":0,"msg":"success"}"#,
    };

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self(Guards::read(fields)))
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        vec![body(message, self.0.keyword.as_deref())]
    }

    fn sign(&self, request: &mut Draft, _: &str, clock: &dyn Clock) -> Result<(), SendError> {
        if let Some(secret) = self.0.secret()? {
            add_signature(&mut request.body, clock.now().seconds(), secret.expose_secret());
        }
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        let verdict = verdict::of_code(response, "code", now, |code, text| {
            of_code(code, text, response, now)
        });
        match &verdict {
            // The shape of older robots: `StatusCode` in the place of `code`.
            Err(error) if error.is_unknown() => {
                let body: Option<Value> = serde_json::from_slice(&response.body).ok();
                let legacy =
                    body.filter(|body| body.get("code").is_none() && body["StatusCode"] == 0);
                legacy.map_or(verdict, |_| Ok(Receipt::default()))
            }
            _ => verdict,
        }
    }
}

fn is_robot(url: &Url) -> bool {
    url.path().strip_prefix("/open-apis/bot/v2/hook/").is_some_and(is_token)
}

/// Adds the signature. The secret is in the key and the message is empty, which is the opposite of `DingTalk`'s way.
fn add_signature(body: &mut Value, seconds: i64, secret: &str) {
    body["timestamp"] = json!(seconds.to_string());
    body["sign"] = json!(signature(seconds, secret));
}

fn signature(seconds: i64, secret: &str) -> String {
    hmac_base64(format!("{seconds}\n{secret}").as_bytes(), b"")
}

/// Returns the body before it is signed.
fn body(message: &Message, keyword: Option<&str>) -> Value {
    fit(message, keyword, LARGEST_BODY, render, fit::body_size)
}

fn render(page: &Page<'_>) -> Value {
    if page.plain {
        // The text of such a message is parsed for `<at>`; every text here is inert, so there is no `<`.
        return json!({ "msg_type": "text", "content": { "text": fit::plain_text(page) } });
    }
    let mut elements: Vec<Value> = facts(page.facts).into_iter().collect();
    elements.extend(entries(page));
    elements
        .extend(page.left_out.as_deref().map(|text| json!({ "tag": "div", "text": plain(text) })));
    let kinds = ["primary", "default"].into_iter();
    let buttons = page.links().zip(kinds).map(|((label, link), kind)| button(label, link, kind));
    let buttons: Vec<Value> = buttons.collect();
    if !buttons.is_empty() {
        elements.push(json!({ "tag": "action", "actions": buttons }));
    }
    elements.push(json!({ "tag": "note", "elements": [plain(&page.footer)] }));
    let header = json!({ "template": template(page.tone), "title": plain(&page.title) });
    json!({
        "msg_type": "interactive",
        "card": { "config": { "wide_screen_mode": true }, "header": header, "elements": elements },
    })
}

const fn template(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "red",
        Tone::Warning => "orange",
        Tone::Info => "blue",
        Tone::Good => "green",
    }
}

/// Returns what stands there as it is: for what others wrote.
fn plain(text: &str) -> Value {
    json!({ "tag": "plain_text", "content": text })
}

fn button(label: &str, link: &str, kind: &str) -> Value {
    json!({ "tag": "button", "type": kind, "text": plain(label), "url": link })
}

/// Returns two columns of facts, a long one over both. Only an end, which is ours, is marked up.
fn facts(facts: &[Fact]) -> Option<Value> {
    let field = |fact: &Fact| {
        let text = if fact.is_end {
            let content = format!("{}\n**{}**", fact.label, fact.value);
            json!({ "tag": "lark_md", "content": content })
        } else {
            plain(&format!("{}\n{}", fact.label, fact.value))
        };
        let is_short = !fact.is_end && fact.value.chars().count() <= SHORT;
        json!({ "is_short": is_short, "text": text })
    };
    let fields: Vec<_> = facts.iter().map(field).collect();
    (!fields.is_empty()).then(|| json!({ "tag": "div", "fields": fields }))
}

/// Returns the entries: each with its button where there are few, all of them in one text where there are many.
fn entries(page: &Page<'_>) -> Vec<Value> {
    let bullet = |line: &Line<'_>| format!("• {}", line.text());
    if page.entries.iter().all(|line| line.link.is_none()) {
        let lines: Vec<_> = page.entries.iter().map(bullet).collect();
        let text = plain(&lines.join("\n"));
        return (!lines.is_empty())
            .then(|| json!({ "tag": "div", "text": text }))
            .into_iter()
            .collect();
    }
    let entry = |line: &Line<'_>| {
        let mut entry = json!({ "tag": "div", "text": plain(&bullet(line)) });
        if let Some(link) = line.link {
            entry["extra"] = button(page.link_label, link, "default");
        }
        entry
    };
    page.entries.iter().map(entry).collect()
}

/// Returns what a code means: the robot's guide, and for those that it does not list, reports of users.
fn of_code(code: i64, text: &str, response: &Response, now: Timestamp) -> SendError {
    let word = code.to_string();
    match code {
        // Some deployments answer so when the rate is exceeded.
        9499 if names_a_rate(text) => throttled(word, 30),
        9499 | 19002 | 99_991_300 => rejected(word),
        11_232 => throttled(word, 30),
        99_991_400 => throttled(word, 60),
        19_001 => down(
            word,
            "the robot was removed or its url is wrong, set the url of a robot that exists",
        ),
        19_021 => down(word, verdict::signature_hint(&response.headers, now)),
        19_022 => down(word, "add the address of this machine to the IP list of the robot"),
        19_024 => down(word, "set the option keyword to a word that the robot asks for"),
        2200 => passing(word, None),
        _ => unknown(word),
    }
}

fn names_a_rate(text: &str) -> bool {
    let text = text.to_lowercase();
    ["too many", "limit", "freq"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::sample::{self, NOW, answer, answer_with};
    use super::*;
    use crate::channel::post::bytes;
    use crate::channel::robot::kit;
    use crate::expiry::Detail;

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        Feishu(Guards::default()).judge(response, now)
    }

    fn shown(message: &Message) -> String {
        let body = body(message, None);
        let card = &body["card"];
        let Some(elements) = card["elements"].as_array() else {
            return body["content"]["text"].as_str().unwrap().to_owned();
        };
        let header = &card["header"];
        let mut lines =
            vec![format!("{} {} {}", body["msg_type"], header["template"], header["title"])];
        lines.extend(elements.iter().map(Value::to_string));
        lines.join("\n")
    }

    #[test]
    fn signatures_match_the_vectors() {
        for (seconds, secret, expected) in [
            (1_599_360_473, "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
            (1_700_000_000, "SEC-feishu-test", "voMysxxYiJKMQmU/rhSjQPEhaLJ1biNS9fVY7lB5RvI="),
            (1_767_225_600, "证书密钥", "XMrLzfE0YJlaICxAm/g8za9Sf+zPBX9+LlI39o2sgy8="),
        ] {
            assert_eq!(signature(seconds, secret), expected);
        }
        let swapped = "DkEDUyVoOOJ539qBvUgMyzkzIdRWlf4e/V3Rq+ONJnQ=";
        assert_eq!(hmac_base64(b"demo", b"1599360473\ndemo"), swapped);
        assert_ne!(signature(1_599_360_473, "demo"), swapped);
    }

    #[test]
    fn time_and_signature_are_strings_in_the_body() {
        let mut body = json!({ "msg_type": "text" });
        add_signature(&mut body, 1_599_360_473, "demo");
        assert_eq!(body["timestamp"], "1599360473");
        assert_eq!(body["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    }

    #[tokio::test]
    async fn time_and_signature_travel_in_the_body() {
        let requests = kit::robot("feishu").requests_for(&sample::single()).await;
        let body = requests[0].json();
        // The clock of these tests runs, so only the last digits may differ.
        assert!(body["timestamp"].as_str().unwrap().starts_with("17672256"), "{body}");
        assert_eq!(body["sign"].as_str().unwrap().len(), 44);
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        "interactive" "orange" {"content":"[notafter] certificate www.example.com expires in 7 days","tag":"plain_text"}
        {"fields":[{"is_short":false,"text":{"content":"Expiry\n**2026-01-08 00:00 (UTC), in 7 days**","tag":"lark_md"}},{"is_short":true,"text":{"content":"Common name\nwww.example.com","tag":"plain_text"}},{"is_short":true,"text":{"content":"Source\nweb-certs","tag":"plain_text"}},{"is_short":true,"text":{"content":"Issuer\nR11","tag":"plain_text"}},{"is_short":true,"text":{"content":"Serial\n04a1b2c3","tag":"plain_text"}}],"tag":"div"}
        {"actions":[{"tag":"button","text":{"content":"Open","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        "interactive" "orange" {"content":"[notafter] 证书 www.example.com 将在 7 天后到期","tag":"plain_text"}
        {"fields":[{"is_short":false,"text":{"content":"到期时间\n**2026-01-08 00:00 (UTC)，7 天后**","tag":"lark_md"}},{"is_short":true,"text":{"content":"通用名称 (CN)\nwww.example.com","tag":"plain_text"}},{"is_short":true,"text":{"content":"来源\nweb-certs","tag":"plain_text"}},{"is_short":true,"text":{"content":"签发者\nR11","tag":"plain_text"}},{"is_short":true,"text":{"content":"序列号\n04a1b2c3","tag":"plain_text"}}],"tag":"div"}
        {"actions":[{"tag":"button","text":{"content":"查看","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        "interactive" "orange" {"content":"[notafter] 2 events: 2 expiring","tag":"plain_text"}
        {"extra":{"tag":"button","text":{"content":"Open","tag":"plain_text"},"type":"default","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"},"tag":"div","text":{"content":"• *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"extra":{"tag":"button","text":{"content":"Open","tag":"plain_text"},"type":"default","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"},"tag":"div","text":{"content":"• b.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"actions":[{"tag":"button","text":{"content":"Open","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        "interactive" "orange" {"content":"[notafter] 2 个事件：2 个将到期","tag":"plain_text"}
        {"extra":{"tag":"button","text":{"content":"查看","tag":"plain_text"},"type":"default","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"},"tag":"div","text":{"content":"• *.a.example.com · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"extra":{"tag":"button","text":{"content":"查看","tag":"plain_text"},"type":"default","url":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3"},"tag":"div","text":{"content":"• b.example.com · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"actions":[{"tag":"button","text":{"content":"查看","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
    }

    #[test]
    fn a_digest() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        "interactive" "orange" {"content":"[notafter] 6 events: 6 expiring","tag":"plain_text"}
        {"fields":[{"is_short":true,"text":{"content":"within 7d\n6","tag":"plain_text"}}],"tag":"div"}
        {"tag":"div","text":{"content":"• svc-0000.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0001.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0002.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0003.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0004.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0005.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"actions":[{"tag":"button","text":{"content":"Open","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        "interactive" "orange" {"content":"[notafter] 6 个事件：6 个将到期","tag":"plain_text"}
        {"fields":[{"is_short":true,"text":{"content":"7 天内到期\n6","tag":"plain_text"}}],"tag":"div"}
        {"tag":"div","text":{"content":"• svc-0000.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0001.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0002.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0003.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0004.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs\n• svc-0005.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs","tag":"plain_text"}}
        {"actions":[{"tag":"button","text":{"content":"查看","tag":"plain_text"},"type":"primary","url":"https://certs.example.com/"}],"tag":"action"}
        {"elements":[{"content":"id 0193e4b0-7d","tag":"plain_text"}],"tag":"note"}
        "#);
    }

    #[test]
    fn plain_text_and_the_last_resort() {
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

    #[test]
    fn the_limit_is_in_bytes_of_the_signed_body() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let mut body = body(&Message { detail, ..message.clone() }, Some("证书"));
                add_signature(&mut body, NOW.seconds(), "secret");
                let size = bytes(&body).len();
                assert!(size <= 19_000, "{size}");
                assert!(detail > Detail::Full || size > 18_000, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions() {
        for detail in Detail::ALL {
            let text = body(&Message { detail, ..sample::hostile(3) }, None).to_string();
            assert!(
                !text.contains("<at") && !text.contains("@all") && !text.contains("\"tag\":\"at\""),
                "{text}"
            );
        }
    }

    #[test]
    fn a_keyword_is_in_every_message() {
        for message in [sample::single(), sample::list(), sample::digest(9)] {
            for detail in Detail::ALL {
                let body = body(&Message { detail, ..message.clone() }, Some("证书告警"));
                assert!(body.to_string().matches("证书告警").count() >= 2, "{body}");
            }
        }
    }

    #[test]
    fn an_empty_keyword_is_refused() {
        kit::assert_refused("feishu", "keyword = \"\"", "`keyword` must be");
    }

    #[test]
    fn codes_are_judged_with_the_status() {
        sample::assert_outcomes(
            verdict,
            &[
                (200, r#"{"code":0,"msg":"success","data":{}}"#, "delivered"),
                (200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, "delivered"),
                (200, r#"{"StatusCode":1}"#, "retry"),
                (200, r#"{"code":9499,"msg":"Bad Request"}"#, "rejected"),
                (400, r#"{"code":9499,"msg":"Bad Request"}"#, "rejected"),
                (200, r#"{"code":9499,"msg":"Too Many Requests"}"#, "throttled"),
                (200, r#"{"code":11232,"msg":"frequency limited"}"#, "throttled"),
                (200, r#"{"code":19001,"msg":"token invalid"}"#, "down"),
                (200, r#"{"code":19002}"#, "rejected"),
                (200, r#"{"code":19021}"#, "down"),
                (200, r#"{"code":19022}"#, "down"),
                (200, r#"{"code":19024}"#, "down"),
                (200, r#"{"code":2200}"#, "retry"),
                (200, r#"{"code":99991300}"#, "rejected"),
                (200, r#"{"code":99991400}"#, "throttled"),
                (200, r#"{"code":123456}"#, "retry"),
                (200, "<html>", "retry"),
                (429, r#"{"code":99991400}"#, "throttled"),
                (500, "", "retry"),
                (307, "", "down"),
            ],
        );
        assert!(verdict(&answer(200, r#"{"code":123456}"#), NOW).unwrap_err().is_unknown());
    }

    #[test]
    fn a_refused_signature_blames_clock_or_secret() {
        for (date, word) in [
            ("Thu, 01 Jan 2026 02:00:00 GMT", "clock"),
            ("Thu, 01 Jan 2026 00:00:01 GMT", "secret"),
        ] {
            let response = answer_with(200, &[("date", date)], r#"{"code":19021}"#);
            let SendError::ChannelDown { hint, .. } = verdict(&response, NOW).unwrap_err() else {
                panic!("down")
            };
            assert!(hint.contains(word), "{hint}");
        }
    }

    #[test]
    fn only_robots_of_feishu_and_lark_are_accepted() {
        for good in [
            "https://open.feishu.cn/open-apis/bot/v2/hook/a-1",
            "https://open.larksuite.com/open-apis/bot/v2/hook/a-1",
        ] {
            assert!(check(good, Some(&VENDOR)).is_ok(), "{good}");
        }
        for bad in [
            "https://open.feishu.cn/open-apis/bot/hook/a-1",
            "https://open.feishu.cn/open-apis/bot/v2/hook/",
            "https://open.feishu.cn/open-apis/bot/v2/hook/a/b",
            "https://open.feishu.cn.evil.test/open-apis/bot/v2/hook/a",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

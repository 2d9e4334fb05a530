//! Feishu and Lark custom robots: structured posts, signed in the body, the verdict in `code`.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, is_token};
use super::fit::{self, Page, fit};
use super::options::Guards;
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::sign::hmac_base64;
use super::verdict::{self, down, passing, rejected, throttled, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::Fields;
use crate::expiry::{Language, Message, Timestamp};

/// The service takes 20 KB of serialised body; timestamp and signature are added to this.
const LARGEST_BODY: usize = 19_000 - 128;

const VENDOR: Vendor = Vendor {
    hosts: &["open.feishu.cn", "open.larksuite.com"],
    robot: is_robot,
    form: "https://open.feishu.cn/open-apis/bot/v2/hook/…",
    key_base: None,
};

pub(super) struct Feishu(Guards);

impl Robot for Feishu {
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
    let language = match message.language {
        Language::En => "en_us",
        Language::Zh => "zh_cn",
    };
    fit(message, keyword, LARGEST_BODY, |page| render(page, language), fit::body_size)
}

fn render(page: &Page<'_>, language: &str) -> Value {
    if page.plain {
        // The text of such a message is parsed for `<at>`; every text here is inert, so there is no `<`.
        return json!({ "msg_type": "text", "content": { "text": fit::plain_text(page) } });
    }
    let mut paragraphs: Vec<Value> = page
        .lines
        .iter()
        .map(|line| match line.link {
            Some(link) => json!([text(&format!("{} ", line.text)), anchor(page.link_label, link)]),
            None => json!([text(line.text)]),
        })
        .collect();
    paragraphs.extend(page.left_out.as_deref().map(|left_out| json!([text(left_out)])));
    paragraphs.extend(page.link.map(|link| json!([anchor(page.link_label, link)])));
    paragraphs.push(json!([text(&page.footer)]));
    json!({ "msg_type": "post", "content": { "post": { language: { "title": page.title, "content": paragraphs } } } })
}

fn text(text: &str) -> Value {
    json!({ "tag": "text", "text": text })
}

fn anchor(label: &str, link: &str) -> Value {
    json!({ "tag": "a", "text": label, "href": link })
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
        let content = &body["content"];
        let Some((language, post)) =
            content["post"].as_object().and_then(|post| post.iter().next())
        else {
            return content["text"].as_str().unwrap().to_owned();
        };
        let mut lines = vec![format!("{} {language} {}", body["msg_type"], post["title"])];
        lines.extend(post["content"].as_array().unwrap().iter().map(Value::to_string));
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
        "post" en_us "[notafter] certificate www.example.com expires in 7 days"
        [{"tag":"text","text":"Common name: www.example.com"}]
        [{"tag":"text","text":"Source: web-certs"}]
        [{"tag":"text","text":"Scope: all"}]
        [{"tag":"text","text":"Issuer: R11"}]
        [{"tag":"text","text":"Serial: 04a1b2c3"}]
        [{"tag":"text","text":"Not after: 2026-01-08T00:00:00Z"}]
        [{"tag":"text","text":"Days left: 7"}]
        [{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"Open"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        "post" zh_cn "[notafter] 证书 www.example.com 将在 7 天后到期"
        [{"tag":"text","text":"通用名称 (CN)：www.example.com"}]
        [{"tag":"text","text":"来源：web-certs"}]
        [{"tag":"text","text":"签发者：R11"}]
        [{"tag":"text","text":"序列号：04a1b2c3"}]
        [{"tag":"text","text":"到期时间：2026-01-08T00:00:00Z"}]
        [{"tag":"text","text":"剩余天数：7"}]
        [{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"查看"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        "post" en_us "[notafter] 2 events: 2 expiring"
        [{"tag":"text","text":"*.a.example.com · expires in 3 days · 2026-01-04T00:00:00Z · web-certs / all "},{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"Open"}]
        [{"tag":"text","text":"b.example.com · expires in 7 days · 2026-01-08T00:00:00Z · web-certs / all "},{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"Open"}]
        [{"href":"https://certs.example.com/","tag":"a","text":"Open"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        "post" zh_cn "[notafter] 2 个事件：2 个将到期"
        [{"tag":"text","text":"*.a.example.com · 将在 3 天后到期 · 2026-01-04T00:00:00Z · web-certs "},{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"查看"}]
        [{"tag":"text","text":"b.example.com · 将在 7 天后到期 · 2026-01-08T00:00:00Z · web-certs "},{"href":"https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3","tag":"a","text":"查看"}]
        [{"href":"https://certs.example.com/","tag":"a","text":"查看"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
    }

    #[test]
    fn a_digest() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        "post" en_us "[notafter] 6 events: 6 expiring"
        [{"tag":"text","text":"within 7d: 6"}]
        [{"tag":"text","text":"svc-0000.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"tag":"text","text":"svc-0001.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"tag":"text","text":"svc-0002.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"tag":"text","text":"svc-0003.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"tag":"text","text":"svc-0004.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"tag":"text","text":"svc-0005.prod.eu-central-1.example.com · expires in 6 days · 2026-01-07T00:00:00Z · web-certs / all"}]
        [{"href":"https://certs.example.com/","tag":"a","text":"Open"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        "post" zh_cn "[notafter] 6 个事件：6 个将到期"
        [{"tag":"text","text":"7 天内到期：6"}]
        [{"tag":"text","text":"svc-0000.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"tag":"text","text":"svc-0001.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"tag":"text","text":"svc-0002.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"tag":"text","text":"svc-0003.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"tag":"text","text":"svc-0004.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"tag":"text","text":"svc-0005.prod.eu-central-1.example.com · 将在 6 天后到期 · 2026-01-07T00:00:00Z · web-certs"}]
        [{"href":"https://certs.example.com/","tag":"a","text":"查看"}]
        [{"tag":"text","text":"id 0193e4b0-7d"}]
        "#);
    }

    #[test]
    fn plain_text_and_the_last_resort() {
        insta::assert_snapshot!(shown(&Message { detail: Detail::Plain, ..sample::list() }), @r"
        [notafter] 2 events: 2 expiring
        *.a.example.com · expires in 3 days · 2026-01-04T00:00:00Z · web-certs / all
        b.example.com · expires in 7 days · 2026-01-08T00:00:00Z · web-certs / all
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

//! `DingTalk` custom robots: markdown, signed in the query, the verdict in `errcode`.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::address::{Vendor, has_token};
use super::fit::{self, Page, fit, with_bold_name};
use super::options::{Guards, KEYWORD, SECRET};
use super::post::Draft;
#[cfg(test)]
use super::robot::Example;
use super::robot::Robot;
use super::sign::hmac_base64;
use super::verdict::{self, down, rejected, throttled, unknown};
use super::{Pace, Receipt, SendError};
use crate::client::http::Response;
use crate::clock::Clock;
use crate::config::{Fields, Key, Shape};
use crate::expiry::{Message, Timestamp};

/// The service documents no number; robots of others stop at 18 000 to 19 960 bytes of serialised body.
const LARGEST_BODY: usize = 18_000;
/// How long a robot is blocked that was sent too much, in seconds.
const BLOCKED: u64 = 600;

const VENDOR: Vendor = Vendor {
    hosts: &["oapi.dingtalk.com", "oapi.dingtalk.io"],
    robot: |url| url.path() == "/robot/send" && has_token(url, "access_token"),
    form: "https://oapi.dingtalk.com/robot/send?access_token=…",
    key_base: None,
};

pub(super) struct DingTalk(Guards);

impl Robot for DingTalk {
    const ABOUT: &'static str = "A robot of DingTalk.";
    const OPTIONS: &'static [Key] = &[
        Key::required(
            "url",
            Shape::Secret,
            "https://oapi.dingtalk.com/robot/send?access_token=… It is a secret: who has it can write there.",
        ),
        SECRET,
        KEYWORD,
    ];
    /// 20 a minute are allowed, and one more blocks the robot for ten minutes.
    const PACE: Pace = Pace { gap: Duration::from_secs(4), per_minute: 12 };
    const VENDOR: Option<&'static Vendor> = Some(&VENDOR);
    #[cfg(test)]
    const EXAMPLE: Example = Example {
        path: "/robot/send?access_token=",
        options: Example::GUARDED,
        success: r#"{"errcode":0,"errmsg":"ok"}"#,
    };

    fn new(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self(Guards::read(fields)))
    }

    fn encode(&self, message: &Message) -> Vec<Value> {
        vec![body(message, self.0.keyword.as_deref())]
    }

    fn sign(&self, request: &mut Draft, _: &str, clock: &dyn Clock) -> Result<(), SendError> {
        if let Some(secret) = self.0.secret()? {
            add_signature(&mut request.url, clock.millis(), secret.expose_secret());
        }
        Ok(())
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        verdict::of_code(response, "errcode", now, |code, text| {
            of_code(code, &text.to_lowercase(), response, now)
        })
    }
}

/// Puts timestamp and signature into the query, in the place of those that were pasted with the address.
fn add_signature(url: &mut Url, millis: i64, secret: &str) {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "timestamp" && name != "sign")
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("timestamp", &millis.to_string())
        .append_pair("sign", &signature(millis, secret));
}

fn signature(millis: i64, secret: &str) -> String {
    hmac_base64(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes())
}

fn body(message: &Message, keyword: Option<&str>) -> Value {
    fit(message, keyword, LARGEST_BODY, render, fit::body_size)
}

fn render(page: &Page<'_>) -> Value {
    // Nobody is notified without being listed here.
    let at = json!({ "atMobiles": [], "atUserIds": [], "isAtAll": false });
    if page.plain {
        return json!({ "msgtype": "text", "text": { "content": fit::plain_text(page) }, "at": at });
    }
    // The title is shown in lists of conversations only, so it is repeated.
    let markdown = json!({ "title": page.marked_title(), "text": markdown(page) });
    json!({ "msgtype": "markdown", "markdown": markdown, "at": at })
}

/// No escape is documented, so the inert text is the escape, with one name a list item.
fn markdown(page: &Page<'_>) -> String {
    let facts = page.facts.iter().map(|fact| {
        let mark = if fact.is_end { "**" } else { "" };
        format!("- {mark}{}{mark}", fact.line(page.language))
    });
    let entries = page.entries.iter().map(|line| match line.link {
        Some(link) => format!("- {} [{}]({link})", with_bold_name(line), page.link_label),
        None => format!("- {}", with_bold_name(line)),
    });
    let items: Vec<_> = facts.chain(entries).collect();
    let mut paragraphs = vec![format!("### {}", page.marked_title())];
    paragraphs.extend((!items.is_empty()).then(|| items.join("\n")));
    paragraphs.extend(page.left_out.clone());
    paragraphs.extend(page.links().map(|(label, link)| format!("[{label}]({link})")));
    paragraphs.push(page.footer.clone());
    paragraphs.join("\n\n")
}

/// One code has several meanings, so the text is read as well.
fn of_code(code: i64, text: &str, response: &Response, now: Timestamp) -> SendError {
    let word = code.to_string();
    match code {
        -1 => verdict::passing(word, Some(Duration::from_secs(30))),
        130_101 | 410_100 => throttled(word, BLOCKED),
        300_001 if ["freq", "too fast", "limit", "限流"].iter().any(|sign| text.contains(sign)) => {
            throttled(word, BLOCKED)
        }
        310_000 => down(word, refusal(text, response, now)),
        300_001 | 300_005 | 400_101 => down(
            word,
            "the access token of the url is not known, set the url of a robot that exists",
        ),
        400_013 | 400_102 | 400_106 => {
            down(word, "the group was dissolved, or the robot was stopped or removed")
        }
        400_105 | 40_035 | 43_004 | 460_101 | 430_101..=430_104 => rejected(word),
        // The quota of the plan is used up.
        90_030 => throttled(word, 6 * 3600),
        _ => unknown(word),
    }
}

/// Returns what to do about one of the robot's security settings.
fn refusal(text: &str, response: &Response, now: Timestamp) -> &'static str {
    match text {
        _ if text.contains("keyword") => "set the option keyword to a word that the robot asks for",
        _ if text.contains("whitelist") || text.contains("ip ") => {
            "add the address of this machine to the IP list of the robot"
        }
        _ if text.contains("timestamp") => {
            "set the clock of this machine, it differs from the service"
        }
        _ => verdict::signature_hint(&response.headers, now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::check;
    use super::super::sample::{self, NOW, answer};
    use super::*;
    use crate::channel::post::bytes;
    use crate::channel::robot::kit;
    use crate::expiry::Detail;

    fn verdict(response: &Response, now: Timestamp) -> Result<Receipt, SendError> {
        DingTalk(Guards::default()).judge(response, now)
    }

    fn shown(message: &Message) -> String {
        let body = body(message, None);
        let kind = body["msgtype"].as_str().unwrap();
        let content = &body[kind];
        let text = content.get("text").or(content.get("content")).unwrap().as_str().unwrap();
        format!("{kind} {}\n{text}", content["title"])
    }

    #[test]
    fn signatures_match_the_vectors() {
        let long = "SEC000000000000000000000000000000000000000000000000000000000000000a";
        for (millis, secret, plain, encoded) in [
            (
                1_700_000_000_001,
                "SECtest",
                "r4CWp/Dz+Ng0sbTjH1vB0Fr+uQ2fn831mssaN6/C05I=",
                "r4CWp%2FDz%2BNg0sbTjH1vB0Fr%2BuQ2fn831mssaN6%2FC05I%3D",
            ),
            (
                1_767_225_600_000,
                "SECtest",
                "VFnS0ToY3dOa75/lvH0rYNwJBmfT5at2UOkds8G1Cuo=",
                "VFnS0ToY3dOa75%2FlvH0rYNwJBmfT5at2UOkds8G1Cuo%3D",
            ),
            (
                1_700_000_000_000,
                long,
                "PX3eX9+Ae6bSAkx4m/HWjY0h/Ncu4ywN5LX+u7LfWgc=",
                "PX3eX9%2BAe6bSAkx4m%2FHWjY0h%2FNcu4ywN5LX%2Bu7LfWgc%3D",
            ),
        ] {
            assert_eq!(signature(millis, secret), plain);
            let mut url = Url::parse(
                "https://oapi.dingtalk.com/robot/send?sign=old&access_token=t&timestamp=1",
            )
            .unwrap();
            add_signature(&mut url, millis, secret);
            assert_eq!(
                url.query(),
                Some(format!("access_token=t&timestamp={millis}&sign={encoded}").as_str())
            );
        }
    }

    #[tokio::test]
    async fn time_and_signature_travel_in_the_query() {
        let requests = kit::robot("dingtalk").requests_for(&sample::single()).await;
        let query = &requests[0].path_and_query;
        // The clock of these tests runs, so only the last digits may differ.
        assert!(query.contains("&timestamp=17672256") && query.contains("&sign="), "{query}");
    }

    #[test]
    fn a_single_event() {
        insta::assert_snapshot!(shown(&sample::single()), @r#"
        markdown "🟠 [notafter] certificate www.example.com expires in 7 days"
        ### 🟠 [notafter] certificate www.example.com expires in 7 days

        - **Expiry: 2026-01-08 00:00 (UTC), in 7 days**
        - Common name: www.example.com
        - Source: web-certs
        - Issuer: R11
        - Serial: 04a1b2c3

        [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        id 0193e4b0-7d
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::single())), @r#"
        markdown "🟠 [notafter] 证书 www.example.com 将在 7 天后到期"
        ### 🟠 [notafter] 证书 www.example.com 将在 7 天后到期

        - **到期时间：2026-01-08 00:00 (UTC)，7 天后**
        - 通用名称 (CN)：www.example.com
        - 来源：web-certs
        - 签发者：R11
        - 序列号：04a1b2c3

        [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        id 0193e4b0-7d
        "#);
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(shown(&sample::list()), @r#"
        markdown "🟠 [notafter] 2 events: 2 expiring"
        ### 🟠 [notafter] 2 events: 2 expiring

        - *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)
        - **b.example.com** · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs [Open](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        [Open](https://certs.example.com/)

        id 0193e4b0-7d
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::list())), @r#"
        markdown "🟠 [notafter] 2 个事件：2 个将到期"
        ### 🟠 [notafter] 2 个事件：2 个将到期

        - *.a.example.com · 将在 3 天后到期 · 2026-01-04 00:00 (UTC) · web-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)
        - **b.example.com** · 将在 7 天后到期 · 2026-01-08 00:00 (UTC) · web-certs [查看](https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3)

        [查看](https://certs.example.com/)

        id 0193e4b0-7d
        "#);
    }

    #[test]
    fn a_digest() {
        insta::assert_snapshot!(shown(&sample::digest(6)), @r#"
        markdown "🟠 [notafter] 6 events: 6 expiring"
        ### 🟠 [notafter] 6 events: 6 expiring

        - within 7d: 6
        - **svc-0000.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0001.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0002.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0003.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0004.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0005.prod.eu-central-1.example.com** · expires in 6 days · 2026-01-07 00:00 (UTC) · web-certs

        [Open](https://certs.example.com/)

        id 0193e4b0-7d
        "#);
        insta::assert_snapshot!(shown(&sample::zh(&sample::digest(6))), @r#"
        markdown "🟠 [notafter] 6 个事件：6 个将到期"
        ### 🟠 [notafter] 6 个事件：6 个将到期

        - 7 天内到期：6
        - **svc-0000.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0001.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0002.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0003.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0004.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs
        - **svc-0005.prod.eu-central-1.example.com** · 将在 6 天后到期 · 2026-01-07 00:00 (UTC) · web-certs

        [查看](https://certs.example.com/)

        id 0193e4b0-7d
        "#);
    }

    #[test]
    fn plain_text_and_the_last_resort() {
        insta::assert_snapshot!(shown(&Message { detail: Detail::Plain, ..sample::list() }), @"
        text null
        [notafter] 2 events: 2 expiring
        *.a.example.com · expires in 3 days · 2026-01-04 00:00 (UTC) · web-certs
        b.example.com · expires in 7 days · 2026-01-08 00:00 (UTC) · web-certs
        id 0193e4b0-7d
        ");
        insta::assert_snapshot!(shown(&Message { detail: Detail::OneLine, ..sample::list() }), @r"
        text null
        [notafter] 2 events need attention
        https://certs.example.com/
        id 0193e4b0-7d
        ");
    }

    #[test]
    fn the_limit_is_in_bytes_of_the_body() {
        for message in [sample::digest(5000), sample::hostile(5000)] {
            for detail in Detail::ALL {
                let size = bytes(&body(&Message { detail, ..message.clone() }, Some("证书"))).len();
                assert!(size <= 18_000, "{size}");
                assert!(detail > Detail::Full || size > 17_000, "{size}: more would fit");
            }
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_or_links() {
        for detail in Detail::ALL {
            let message = Message { detail, link: None, ..sample::hostile(9) };
            let value = body(&message, None);
            let content = value.pointer("/markdown/text").or(value.pointer("/text/content"));
            let shown = content.and_then(serde_json::Value::as_str).unwrap();
            assert_eq!(shown.matches('[').count(), shown.matches("[notafter]").count(), "{shown}");
            let text = value.to_string();
            assert!(!text.contains(['@', '<', '`']), "{text}");
            assert!(text.contains("\"isAtAll\":false"), "{text}");
        }
    }

    #[test]
    fn a_keyword_is_in_every_content() {
        for message in [sample::single(), sample::list(), sample::digest(9)] {
            for detail in Detail::ALL {
                let value = body(&Message { detail, ..message.clone() }, Some("证书告警"));
                let content =
                    value.pointer("/markdown/text").or(value.pointer("/text/content")).unwrap();
                assert!(content.as_str().unwrap().contains("证书告警"), "{content}");
            }
        }
    }

    #[test]
    fn a_keyword_that_means_something_to_the_service_is_refused() {
        kit::assert_refused("dingtalk", "keyword = \"<at>\"", "`keyword` must be");
    }

    #[test]
    fn codes_are_judged_with_their_text() {
        sample::assert_outcomes(
            verdict,
            &[
                (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered"),
                (200, r#"{"errcode":-1,"errmsg":"系统繁忙"}"#, "retry"),
                (
                    200,
                    r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
                    "throttled",
                ),
                (200, r#"{"errcode":410100,"errmsg":"发送速度太快而限流"}"#, "throttled"),
                (200, r#"{"errcode":300001,"errmsg":"token is not exist"}"#, "down"),
                (200, r#"{"errcode":300001,"errmsg":"请求被限流"}"#, "throttled"),
                (200, r#"{"errcode":300005,"errmsg":"token is not exist"}"#, "down"),
                (200, r#"{"errcode":400101}"#, "down"),
                (200, r#"{"errcode":400013}"#, "down"),
                (200, r#"{"errcode":400102}"#, "down"),
                (200, r#"{"errcode":400106}"#, "down"),
                (200, r#"{"errcode":400105}"#, "rejected"),
                (200, r#"{"errcode":430101}"#, "rejected"),
                (200, r#"{"errcode":430104}"#, "rejected"),
                (200, r#"{"errcode":460101}"#, "rejected"),
                (200, r#"{"errcode":90030}"#, "throttled"),
                (200, r#"{"errcode":77}"#, "retry"),
                (200, "<html>", "retry"),
                (502, "<html>", "retry"),
                (302, "", "down"),
            ],
        );
        assert_eq!(
            verdict(&answer(200, r#"{"errcode":130101}"#), NOW),
            Err(throttled("130101", 600))
        );
        assert!(verdict(&answer(200, r#"{"errcode":77}"#), NOW).unwrap_err().is_unknown());
    }

    #[test]
    fn a_refusal_names_the_setting() {
        for (text, word) in [
            (
                "description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词;keywords not in content",
                "keyword",
            ),
            ("description:sign not match", "secret"),
            ("invalid timestamp", "clock"),
            ("ip 203.0.113.7 not in whitelist", "IP list"),
        ] {
            let body = json!({ "errcode": 310_000, "errmsg": text }).to_string();
            let SendError::ChannelDown { hint, code } =
                verdict(&answer(200, &body), NOW).unwrap_err()
            else {
                panic!("{text} is down")
            };
            assert!(hint.contains(word) && code == "310000", "{text}: {hint}");
        }
    }

    #[test]
    fn only_robots_of_dingtalk_are_accepted() {
        assert!(
            check("https://oapi.dingtalk.com/robot/send?access_token=a1", Some(&VENDOR)).is_ok()
        );
        for bad in [
            "https://oapi.dingtalk.com/robot/send",
            "https://oapi.dingtalk.com/robot/send?access_token=",
            "https://oapi.dingtalk.com/robot/send/x?access_token=a1",
            "https://oapi.dingtalk.com.evil.test/robot/send?access_token=a1",
        ] {
            assert!(check(bad, Some(&VENDOR)).is_err(), "{bad}");
        }
    }
}

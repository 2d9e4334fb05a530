//! The simulated services refuse what the real ones refuse.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::HeaderMap;
use serde_json::json;

use super::*;

const NOW: i64 = 1_767_225_600_000;

struct Bench {
    chat: Chat,
    now: Arc<AtomicI64>,
}

fn bench(settings: Settings) -> Bench {
    let now = Arc::new(AtomicI64::new(NOW));
    let reading = Arc::clone(&now);
    let clock: Arc<dyn Fn() -> i64 + Send + Sync> =
        Arc::new(move || reading.load(Ordering::SeqCst));
    Bench { chat: Chat::with(Settings { clock, ..settings }), now }
}

fn unsigned() -> Settings {
    Settings {
        feishu_secret: None,
        dingtalk_secret: None,
        webhook_secret: None,
        ..Settings::default()
    }
}

fn arrival(service: Service, query: &str, body: &Value) -> Arrival {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Arrival { service, room: "room".to_owned(), query, headers, body: body.to_string().into() }
}

impl Bench {
    fn answer(&self, arrival: &Arrival) -> String {
        match self.chat.judge(arrival) {
            Ok(accepted) => format!("accepted: {}", accepted.text),
            Err(answer) => format!("{} {}", answer.status, answer.body),
        }
    }
}

#[test]
fn wecom_counts_bytes() {
    let of = |kind: &str, content: String| json!({ "msgtype": kind, kind: { "content": content } });
    let bench = bench(unsigned());
    for (body, code) in [
        (of("markdown_v2", "证".repeat(1365)), "accepted"),
        (of("markdown_v2", "证".repeat(1366)), "markdown_v2.content exceed max length 4096"),
        (of("text", "x".repeat(2049)), "text.content exceed max length 2048"),
        (of("text", String::new()), "44004"),
        (of("picture", "x".to_owned()), "40008"),
    ] {
        let answer = bench.answer(&arrival(Service::WeCom, "", &body));
        assert!(answer.contains(code), "{code}: {answer}");
    }
}

#[test]
fn feishu_checks_size_signature_and_keyword() {
    let bench = bench(Settings { keyword: Some("cert".into()), ..Settings::default() });
    // Signed by hand for this time and the known secret.
    let sign = "hand";
    let text = |text: &str| json!({ "msg_type": "text", "content": { "text": text }, "timestamp": "1767225600", "sign": sign });
    assert!(bench.answer(&arrival(Service::Feishu, "", &text("cert"))).contains("19021"));
    let bench = self::bench(Settings { keyword: Some("cert".into()), ..unsigned() });
    for (body, code) in [
        (text("a cert"), "accepted: a cert"),
        (text("another"), "19024"),
        (text(&"x".repeat(20_481)), "9499"),
        (json!({ "content": {} }), "19002"),
        (
            json!({ "msg_type": "post", "content": { "post": { "en_us": { "title": "cert", "content": [[{ "tag": "a", "text": "x", "href": "no address" }]] } } } }),
            "9499",
        ),
    ] {
        let answer = bench.answer(&arrival(Service::Feishu, "", &body));
        assert!(answer.contains(code), "{code}: {answer}");
    }
}

#[test]
fn signatures_are_checked_against_the_vectors_and_the_clock() {
    // The vectors of the services' own pages.
    let feishu = |sign: &str, now: i64| {
        let body = json!({ "timestamp": "1599360473", "sign": sign });
        signature::feishu(&body, "demo", now)
    };
    let right = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=";
    assert_eq!(feishu(right, 1_599_360_473_000 + 3_600_000), Ok(()));
    assert_eq!(feishu(right, 1_599_360_473_000 + 3_601_000), Err(signature::Wrong::Time));
    let swapped = "DkEDUyVoOOJ539qBvUgMyzkzIdRWlf4e/V3Rq+ONJnQ=";
    assert_eq!(feishu(swapped, 1_599_360_473_000), Err(signature::Wrong::Signature));
    let query: HashMap<_, _> =
        [("timestamp", "1700000000001"), ("sign", "r4CWp/Dz+Ng0sbTjH1vB0Fr+uQ2fn831mssaN6/C05I=")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    assert_eq!(signature::dingtalk(&query, "SECtest", 1_700_000_000_001), Ok(()));
    assert_eq!(
        signature::dingtalk(&query, "other", 1_700_000_000_001),
        Err(signature::Wrong::Signature)
    );
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk".parse().unwrap());
    headers.insert("webhook-timestamp", "1649367553".parse().unwrap());
    headers.insert(
        "webhook-signature",
        "v1,AAAA v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=".parse().unwrap(),
    );
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    assert_eq!(signature::webhook(&headers, body, secret, 1_649_367_553_000), Ok(()));
    assert_eq!(
        signature::webhook(&headers, b"{}", secret, 1_649_367_553_000),
        Err(signature::Wrong::Signature)
    );
    assert_eq!(
        signature::webhook(&headers, body, secret, 1_649_367_553_000 + 301_000),
        Err(signature::Wrong::Time)
    );
}

#[test]
fn slack_counts_characters_and_answers_in_words() {
    let section = |length: usize| json!({ "type": "section", "text": { "type": "plain_text", "text": "证".repeat(length) } });
    let bench = bench(unsigned());
    for (body, answer) in [
        (json!({ "text": "hello" }), "accepted: hello"),
        (json!({}), "400 no_text"),
        (json!({ "blocks": [section(3001)] }), "400 invalid_blocks"),
        (json!({ "blocks": vec![section(2900); 5] }), "400 msg_blocks_too_long"),
    ] {
        assert_eq!(bench.answer(&arrival(Service::Slack, "", &body)), answer);
    }
}

#[test]
fn dingtalk_blocks_for_ten_minutes() {
    let bench = bench(Settings { speed: 60, ..unsigned() });
    let message = arrival(
        Service::DingTalk,
        "",
        &json!({ "msgtype": "text", "text": { "content": "hello" } }),
    );
    for _ in 0..20 {
        assert_eq!(bench.answer(&message), "accepted: hello");
    }
    assert!(bench.answer(&message).contains("130101"));
    // A minute lasts a second at this speed, so the block lasts ten.
    for (after, passes) in [(5000, false), (9999, false), (10_000, true)] {
        bench.now.store(NOW + after, Ordering::SeqCst);
        assert_eq!(bench.answer(&message) == "accepted: hello", passes, "{after}");
    }
}

#[test]
fn wecom_and_feishu_limit_rates_without_a_block() {
    let bench = bench(unsigned());
    let wecom =
        arrival(Service::WeCom, "", &json!({ "msgtype": "text", "text": { "content": "hello" } }));
    let answers: Vec<_> = (0..21).map(|_| bench.answer(&wecom)).collect();
    assert!(answers[19] == "accepted: hello" && answers[20].contains("45009"), "{answers:?}");
    bench.now.store(NOW + 60_000, Ordering::SeqCst);
    assert_eq!(bench.answer(&wecom), "accepted: hello");
    let feishu = arrival(
        Service::Feishu,
        "",
        &json!({ "msg_type": "text", "content": { "text": "hello" } }),
    );
    let answers: Vec<_> = (0..6).map(|_| bench.answer(&feishu)).collect();
    assert!(answers[4] == "accepted: hello" && answers[5].contains("11232"), "{answers:?}");
}

#[tokio::test]
async fn faults_come_in_order_and_are_kept_apart_from_messages() {
    let Bench { chat, .. } = bench(unsigned());
    chat.fail(Service::WeCom, Fault::Html200);
    chat.fail(Service::WeCom, Fault::TooManyRequests(7));
    chat.fail(Service::WeCom, Fault::VendorCode(93_000, "invalid webhook url"));
    chat.remove(Service::WeCom, "room");
    let send = || {
        chat.receive(arrival(
            Service::WeCom,
            "",
            &json!({ "msgtype": "text", "text": { "content": "id 7" } }),
        ))
    };
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(send().await.status().as_u16());
    }
    chat.heal(Service::WeCom);
    statuses.push(send().await.status().as_u16());
    assert_eq!(statuses, [200, 429, 200, 200, 200]);
    assert_eq!(chat.refused().len(), 4);
    let received =
        chat.wait_for(Duration::from_secs(1), |received| received.len() == 1).await.unwrap();
    assert_eq!(
        (received[0].text.as_str(), received[0].id.as_deref(), received[0].at),
        ("id 7", Some("7"), NOW)
    );
    assert!(chat.wait_for(Duration::from_millis(1), |received| received.len() == 2).await.is_err());
}

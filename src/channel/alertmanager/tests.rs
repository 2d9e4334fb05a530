use super::super::robot::kit::{assert_nothing_leaks, built};
use super::super::sample::{self, NOW, expiring};
use super::*;
use crate::client::fake::{Fake, Reply};
use crate::expiry::Language;

fn channel(options: &str) -> Arc<dyn Channel> {
    let (channel, mistakes) = built("alertmanager", "", options);
    channel.unwrap_or_else(|| panic!("{mistakes:?}"))
}

fn posted(event: Event) -> Vec<Value> {
    let message = sample::compose(Language::En, vec![event]);
    let bodies = channel("urls = [\"http://127.0.0.1:9093\"]").encode(&message);
    serde_json::from_str(&bodies[0]).unwrap()
}

fn shown(alerts: &[Value]) -> Vec<String> {
    let shown = |alert: &Value| {
        let end = if alert["endsAt"].is_null() { "open" } else { "over" };
        format!("{} {} {end}", alert["labels"]["alertname"], alert["labels"]["severity"])
    };
    alerts.iter().map(shown).collect()
}

#[test]
fn a_single_event() {
    let alerts = posted(expiring("www.example.com", 7));
    insta::assert_snapshot!(serde_json::to_string_pretty(&alerts).unwrap(), @r#"
    [
      {
        "annotations": {
          "description": "Expiry: 2026-01-08 00:00 (UTC), in 7 days\nCommon name: www.example.com\nSource: web-certs\nIssuer: R11\nSerial: 04a1b2c3",
          "summary": "certificate www.example.com expires in 7 days"
        },
        "generatorURL": "https://certs.example.com/?source=web-certs&scope=all&q=04a1b2c3",
        "labels": {
          "alertname": "CertificateExpiring",
          "cert": "04a1b2c3",
          "issuer": "R11",
          "job": "notafter",
          "scope": "all",
          "severity": "warning",
          "source": "web-certs"
        },
        "startsAt": "2026-01-01T00:00:00Z"
      }
    ]
    "#);
}

#[test]
fn a_tighter_step_ends_the_ones_before_it_and_news_ends_all() {
    let mut critical = expiring("a", 2);
    critical.severity = Severity::Critical;
    assert_eq!(
        shown(&posted(critical)),
        ["\"CertificateExpiring\" \"warning\" over", "\"CertificateExpiring\" \"critical\" open"]
    );
    for topic in sample::topics("x") {
        let (kind, is_about_one) = (topic.kind().to_string(), topic.facts().is_some());
        let event = Event { id: "1".into(), at: NOW, severity: Severity::Info, topic };
        let expected = match kind.as_str() {
            "certificate.renewed" | "certificate.gone" => 3,
            "test" | "canary" => 1,
            _ => 0,
        };
        assert_eq!(posted(event).len(), expected, "{kind} {is_about_one}");
    }
}

#[test]
fn labels_stay_while_annotations_change() {
    let labels = |days| posted(expiring("a", days))[0]["labels"].clone();
    assert_eq!(labels(7), labels(4));
    let alerts = posted(expiring("<!channel> @all\n[x](y)", 7));
    let text = alerts[0].to_string();
    assert!(!text.contains(['<', '@']) && !text.contains("]("), "{text}");
}

#[tokio::test]
async fn every_peer_is_told_and_one_is_enough() {
    let takes = Fake::start(|_, _| Reply::new(200, "")).await;
    let other = Fake::start(|_, _| Reply::new(200, "")).await;
    let broken = Fake::start(|_, _| Reply::new(503, "")).await;
    let of = |peers: &[&str]| {
        let urls: Vec<_> = peers.iter().map(|peer| format!("\"http://{peer}/prefix/\"")).collect();
        channel(&format!("urls = [{}]\ntoken = {{ env = \"SIGNING_KEY\" }}", urls.join(", ")))
    };
    let all = of(&[takes.authority(), other.authority(), broken.authority(), "127.0.0.1:1"]);
    all.send(&sample::list()).await.unwrap();
    for peer in [&takes, &other] {
        let request = &peer.seen()[0];
        assert_eq!(request.path_and_query, "/prefix/api/v2/alerts");
        assert!(request.header("authorization").starts_with("Bearer "));
        assert_eq!(request.json().as_array().map(Vec::len), Some(2));
        // Four rounds of two minutes are less than the least life.
        assert!(request.json()[0]["endsAt"].as_str().unwrap().starts_with("2026-01-01T00:10:"));
    }
    // What is told again by a clock that is wrong holds by Alertmanager's own.
    for (trusted, ends) in [(true, true), (false, false)] {
        let bodies = all.encode_again(&sample::list(), trusted);
        let page = Page::of("round", &bodies, 0).unwrap();
        all.send_page(page).await.unwrap();
        let told = takes.seen().last().unwrap().json();
        assert_eq!(told[0].get("endsAt").is_some(), ends, "{told}");
    }
    let error = of(&[broken.authority(), "127.0.0.1:1"]).send(&sample::list()).await.unwrap_err();
    assert_eq!(error.outcome(), "retry", "{error}");
    assert_nothing_leaks(&format!("{error:?} {}", all.destination()));
}

#[test]
fn a_flood_is_cut_into_requests() {
    let bodies = channel("urls = [\"http://127.0.0.1:9093\"]").encode(&sample::digest(600));
    let sizes: Vec<_> =
        bodies.iter().map(|body| serde_json::from_str::<Vec<Value>>(body).unwrap().len()).collect();
    assert_eq!(sizes, [256, 256, 88]);
    assert!(bodies.iter().all(|body| body.len() < 1 << 20));
}

#[test]
fn what_is_no_peer_or_login_is_a_mistake() {
    for (options, expected) in [
        ("urls = []", "`urls` names nobody"),
        ("urls = [\"http://am.example.com\"]", "`urls`: it must begin with https"),
        ("urls = [\"https://u:s3cr3t@am.example.com\"]", "must not carry user information"),
        ("urls = [\"https://am\"]\nuser = \"u\"", "write `user` and `password`, or `token`"),
        ("urls = [\"https://am\"]\nresend = \"0s\"", "`resend` must be"),
    ] {
        let (channel, mistakes) = built("alertmanager", "", options);
        assert!(channel.is_none(), "{options}");
        assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
        let (_, said) = mistakes[0].split_once(" | ").unwrap();
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

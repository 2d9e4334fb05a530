//! What every robot must pass, by its [`Example`](super::Example).

use super::super::Page;
use super::super::sample;
use super::kit::{self, BEARER, SECRET, assert_nothing_leaks, robots, service};
use crate::expiry::{Detail, Event, Language, Message, Severity};

#[tokio::test]
async fn every_kind_is_built_from_configuration_and_delivers() {
    for robot in robots() {
        let kind = robot.kind;
        let service = robot.willing().await;
        let receipt = robot.channel(&service).send(&sample::single()).await.unwrap();
        let has_id =
            [r#""id":"#, "message_id", r#""name":"#].iter().any(|id| robot.success().contains(id));
        assert_eq!(receipt.id.is_some(), has_id, "{kind}");
        let arrived = service.seen();
        assert_eq!(arrived.len(), 1, "{kind}");
        assert!(arrived[0].path_and_query.starts_with(&robot.path()), "{kind}");
        assert_eq!(arrived[0].headers["content-type"], "application/json; charset=utf-8", "{kind}");
        let unescaped = arrived[0].json().to_string().replace('\\', "");
        assert!(unescaped.contains("www.example.com"), "{kind}");
    }
}

#[test]
fn what_is_kept_of_a_message_holds_nothing_secret() {
    for robot in robots() {
        let channel = robot.at("http://127.0.0.1:1");
        for topic in sample::topics("") {
            let (id, severity) = (topic.kind().to_owned(), Severity::Warning);
            let event = Event { id, at: sample::NOW, severity, topic };
            for body in channel.encode(&sample::compose(Language::En, vec![event])) {
                assert_nothing_leaks(&body);
                assert!(!body.contains(SECRET) && !body.contains(BEARER), "{}", robot.kind);
            }
        }
    }
}

#[tokio::test]
async fn what_was_kept_is_sent_byte_for_byte() {
    for robot in robots() {
        let (service, id) = (robot.willing().await, "0193e4b0-7d".to_owned());
        let channel = robot.channel(&service);
        let bodies = channel.encode(&sample::single());
        for _ in 0..2 {
            channel.send_page(Page { id: id.clone(), body: &bodies[0] }).await.unwrap();
        }
        let sent: Vec<_> = service.seen().into_iter().map(|request| request.body).collect();
        // These ask for something inside the body: a time and a signature, a key, a topic, an id.
        if !["feishu", "pagerduty", "ntfy", "pigeon"].contains(&robot.kind) {
            assert_eq!(sent, [bodies[0].as_bytes(), bodies[0].as_bytes()], "{}", robot.kind);
        }
    }
}

/// What acts in one service or another.
const HOSTILE: &str = "<!channel> @all [x](https://evil.test) <at id=all></at>\r\n";

#[tokio::test]
async fn every_topic_arrives_in_both_languages_and_nothing_in_it_acts() {
    for robot in robots() {
        let service = robot.willing().await;
        let channel = robot.channel(&service);
        for topic in sample::topics(HOSTILE) {
            for language in Language::ALL {
                let (id, severity) = (topic.kind().to_owned(), Severity::Warning);
                let event = Event { id, at: sample::NOW, severity, topic: topic.clone() };
                let sent = channel.send(&sample::compose(language, vec![event])).await;
                assert!(sent.is_ok(), "{} {}: {sent:?}", robot.kind, topic.kind());
            }
        }
        let arrived = service.seen();
        // An incident of a test or a canary is resolved at once, and a digest is none.
        let (tests, digests) = if robot.kind == "pagerduty" { (4, 2) } else { (0, 0) };
        let expected = 2 * sample::topics("").len() + tests - digests;
        assert_eq!(arrived.len(), expected, "{}", robot.kind);
        // Programs are given what there is.
        for request in arrived.iter().filter(|_| robot.kind != "webhook") {
            let body = request.json().to_string();
            for part in ["<!channel", "@all", "[x](", "https://evil", "<at ", "\\r"] {
                assert!(!body.contains(part), "{} {part}: {body}", robot.kind);
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for robot in robots() {
        let (kind, trap) = (robot.kind, robot.willing().await);
        for status in [301, 302, 307, 308] {
            let stolen = format!("http://{}/stolen", trap.authority());
            let service = service(status, &stolen, robot.success()).await;
            let error = robot.channel(&service).send(&sample::single()).await.unwrap_err();
            assert_eq!(error.outcome(), "down", "{kind} {status}: {error:?}");
            assert!(error.code().ends_with("redirect"), "{kind} {status}: {error:?}");
            assert_nothing_leaks(&format!("{error} {error:?}"));
        }
        assert!(trap.seen().is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn an_error_of_the_network_shows_no_secret() {
    for robot in robots() {
        let closed = robot.at("http://127.0.0.1:1");
        let error = closed.send(&sample::single()).await.unwrap_err();
        assert_eq!(error.outcome(), "retry", "{}: {error:?}", robot.kind);
        assert_nothing_leaks(&format!("{error} {error:?} {}", closed.destination()));
    }
}

#[tokio::test]
async fn a_service_that_repeats_what_it_was_sent_is_not_quoted() {
    for robot in robots() {
        let echo = format!("no such robot: {} {SECRET} {BEARER}", robot.path());
        let coded =
            serde_json::json!({ "errcode": 310_000, "code": 77, "errmsg": echo }).to_string();
        for status in [200, 400, 403, 404, 418, 500] {
            for body in [&echo, &coded] {
                let service = service(status, "", body).await;
                if let Err(error) = robot.channel(&service).send(&sample::single()).await {
                    assert_nothing_leaks(&format!("{error} {error:?} {}", error.code()));
                } else {
                    assert_eq!((robot.kind, status), ("webhook", 200), "only the status counts");
                }
            }
        }
    }
}

#[test]
fn a_wrong_address_is_a_mistake_at_its_place_that_repeats_nothing() {
    for robot in robots().filter(kit::Sample::has_secret_address) {
        let place = format!("{{ env = \"ROBOT_URL\" }} | `{}`: it ", robot.address_option());
        for url in [
            "https://hooks.slack.com@evil.test/s3cr3t",
            "http://evil.test/s3cr3t",
            "s3cr3t nonsense",
            "https://169.254.169.254/s3cr3t",
        ] {
            let (channel, mistakes) = robot.built(url);
            assert!(channel.is_none(), "{} {url}", robot.kind);
            assert_eq!(mistakes.len(), 1, "{} {url}: {mistakes:?}", robot.kind);
            assert!(mistakes[0].starts_with(&place), "{mistakes:?}");
            assert!(!mistakes[0].contains("evil"), "{mistakes:?}");
            let (before_the_form, _) =
                mistakes[0].split_once("not of the form").unwrap_or((&mistakes[0], ""));
            assert_nothing_leaks(before_the_form);
        }
    }
}

#[tokio::test]
async fn every_detail_is_deliverable() {
    for robot in robots() {
        let service = robot.willing().await;
        let channel = robot.channel(&service);
        let mut requests = 0;
        for detail in Detail::ALL {
            let message = Message { detail, ..sample::hostile(7) };
            requests += channel.encode(&message).len();
            channel.send(&message).await.unwrap();
        }
        assert!(requests >= 4 && service.seen().len() == requests, "{}", robot.kind);
    }
}

#[test]
fn several_requests_of_one_message_are_numbered() {
    let id = |message: &str, index, count: usize| {
        let bodies = vec![String::new(); count];
        Page::of(message, &bodies, index).map(|page| page.id)
    };
    assert_eq!(id("0193.e4", 0, 1).as_deref(), Some("0193.e4"));
    assert_eq!(id("0193", 1, 3).as_deref(), Some("0193-2"));
    assert_eq!(id("0193", 3, 3), None);
}

#[tokio::test]
async fn a_message_about_one_certificate_leads_to_the_form_that_snoozes_it() {
    let link = "https://certs.example.com/snooze?token=AAAA-_";
    for robot in robots() {
        let channel = robot.channel(&robot.willing().await);
        let has_link = |detail| {
            let snooze = Some(link.to_owned());
            channel.encode(&Message { snooze, detail, ..sample::single() }).concat().contains(link)
        };
        // Programs ask the API.
        let is_for_people = !["webhook", "pigeon"].contains(&robot.kind);
        let found = [Detail::Full, Detail::Shorter, Detail::Plain].map(has_link);
        assert_eq!(found, [is_for_people, is_for_people, false], "{}", robot.kind);
    }
}

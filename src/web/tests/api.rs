//! `/api/v1`.

use std::sync::Arc;

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Answer, Server, answer, send, start};
use crate::channel::{Receipt, SendError};
use crate::expiry::{Kind, Status};
use crate::metrics::testing::{Known, NOW};
use crate::scan::{ScanStatus, SourceStatus};

fn fleet() -> [Known; 3] {
    [
        Known::new("s", "all", "0a")
            .names("late.example", "kettle", "plant-7")
            .ends_in(90 * 86_400),
        Known::new("s", "all", "0b")
            .names("=soon(1)", "", "")
            .issuer("CN=Root")
            .kind(Kind::Server)
            .ends_in(3 * 86_400 - 60),
        Known::new("t", "i-1", "0c").undated().status(Status::Undated),
    ]
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    serde_json::from_str(answer.text()).unwrap()
}

fn serials(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|it| it["serial"].as_str().unwrap()).collect()
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    json(&answer)
}

#[tokio::test]
async fn a_certificate_is_an_object_with_every_field() {
    let server = start(&fleet(), Limits::default()).await;
    let list = get(&server, "/api/v1/certificates").await;
    assert_eq!(serials(&list), ["0b", "0a", "0c"]);
    assert_eq!((&list["next"], &list["total"]), (&Value::Null, &Value::from(3)));
    let soon = &list["items"][0];
    let id = soon["id"].as_str().unwrap();
    let expected = serde_json::json!({
        "id": id, "source": "s", "scope": "all", "place": "", "issuer": "CN=Root", "serial": "0b",
        "fingerprint": null, "kind": "server", "status": "active", "common_name": "=soon(1)",
        "holder": null, "organizational_unit": null, "labels": {}, "not_before": null,
        "not_after": "2026-11-24T23:59:00Z", "remaining_seconds": 259_140, "rung": "3d",
        "first_seen": "2026-11-21T00:00:00Z", "snoozed_until": null, "successor": null,
    });
    assert_eq!(*soon, expected);
    assert_eq!(get(&server, &format!("/api/v1/certificates/{id}")).await, expected);
    let undated = &list["items"][2];
    assert_eq!((&undated["not_after"], &undated["rung"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn pages_are_asked_for_with_filters_and_cursors() {
    let server = start(&fleet(), Limits::default()).await;
    let first = get(&server, "/api/v1/certificates?limit=2&sort=-not_after").await;
    assert_eq!(serials(&first), ["0a", "0b"]);
    let next = first["next"].as_str().unwrap();
    let rest = format!("/api/v1/certificates?limit=2&sort=-not_after&cursor={next}");
    let rest = get(&server, &rest).await;
    assert_eq!((serials(&rest), &rest["next"]), (vec!["0c"], &Value::Null));
    let found = get(&server, "/api/v1/certificates?q=KETTLE&source=&kind=device").await;
    assert_eq!((serials(&found), &found["searched_all"]), (vec!["0a"], &Value::Bool(true)));
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem_that_says_why() {
    let server = start(&fleet(), Limits::default()).await;
    let unknown = "0".repeat(32);
    for (path, status, part) in [
        ("certificates?colour=red", 400, "colour: it is none of"),
        ("certificates?limit=0", 400, "limit: it is a whole number"),
        ("certificates?q=a&q=b", 400, "q: it may be there once"),
        ("certificates?within=", 400, "within: it is empty"),
        ("certificates?format=csv&cursor=x", 404, "cursor: it is not one of this list"),
        ("certificates?cursor=x", 404, "cursor: it is not one of this list"),
        ("certificates?format=xml", 400, "format: it is `json` or `csv`"),
        (&format!("certificates/{unknown}"), 404, "no certificate with this id"),
        ("certificates/x?y=z", 400, "y: there are no parameters here"),
        ("certificates/%FF", 404, "no certificate with this id"),
        ("timeline?by=year", 400, "by: it is `day` or `month`"),
        ("openapi.json?x=1", 400, "x: there are no parameters here"),
        ("nothing", 404, "there is nothing at"),
    ] {
        let answer = server.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = start(&fleet(), Limits::default()).await;
    for path in ["/api/v1/certificates", "/api/v1/timeline"] {
        let first = server.get(path).await;
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with("W/\""), "{tag}");
        let header = format!("if-none-match: \"other\", {tag}");
        let again = server.ask(&format!("GET {path}"), &[&header]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
        server.view.send(view_of(&fleet()[..2])).unwrap();
        let again = server.ask(&format!("GET {path}"), &[&header]).await;
        assert_eq!(again.status, 200);
        server.view.send(view_of(&fleet())).unwrap();
    }
}

fn view_of(known: &[Known]) -> Arc<crate::expiry::View> {
    let version = if known.len() == 3 { 1 } else { 2 };
    Arc::new(crate::metrics::testing::view(version, known))
}

#[tokio::test]
async fn an_export_is_the_whole_list_as_a_file() {
    let server = start(&fleet(), Limits::default()).await;
    let csv = server.get("/api/v1/certificates?format=csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").unwrap().contains("certificates.csv"));
    let lines: Vec<_> = csv.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", csv.text());
    assert!(lines[0].starts_with("id,source,scope,place,issuer,serial,fingerprint,kind,status"));
    assert!(lines[1].contains(",'=soon(1),"), "{}", lines[1]);
    let list = get(&server, "/api/v1/certificates?format=json&sort=-not_after").await;
    assert_eq!((serials(&list), &list["total"]), (vec!["0a", "0b", "0c"], &Value::from(3)));
    let none = get(&server, "/api/v1/certificates?format=json&source=nowhere").await;
    assert_eq!((serials(&none).len(), &none["total"]), (0, &Value::from(0)));
    let page = server.get("/api/v1/certificates?format=csv&limit=1").await;
    assert_eq!(page.text().lines().count(), 2);
}

#[tokio::test]
async fn sources_and_channels_say_how_they_are() {
    let server = start(&[], Limits::default()).await;
    let scans = vec![ScanStatus {
        scope: "all".to_owned(),
        window: "near".to_owned(),
        last_proven: Some(NOW),
        reported: Some(7),
        ..ScanStatus::default()
    }];
    let (name, kind) = ("iot".to_owned(), "tencent-mqtt".to_owned());
    let status = SourceStatus { name, kind, up: Some(true), scans, ..SourceStatus::default() };
    server.sources.send(Arc::new(vec![status])).unwrap();
    let expected = serde_json::json!({"items": [{
        "name": "iot", "kind": "tencent-mqtt", "up": true, "last_attempt": null, "last_error": null,
        "problems": [], "scans": [{"scope": "all", "window": "near",
            "last_proven": "2026-11-22T00:00:00Z", "reported": 7, "collected": null, "missing": null}],
    }]});
    assert_eq!(get(&server, "/api/v1/sources").await, expected);
    let expected = serde_json::json!({"items": [{
        "name": "ops", "kind": "webhook", "state": "up", "code": null, "failures": 0,
        "failing_since": null, "paused_until": null, "last_success": null, "waiting": 0,
        "oldest_waiting": null, "gave_up": null,
    }]});
    assert_eq!(get(&server, "/api/v1/channels").await, expected);
}

#[tokio::test]
async fn a_test_of_a_channel_answers_what_the_service_said() {
    let mut server = start(&[], Limits::default()).await;
    let down = SendError::ChannelDown { code: "19001".to_owned(), hint: "a new robot".to_owned() };
    let wait = std::time::Duration::from_secs(9);
    for (verdict, expected) in [
        (Ok(Receipt { id: Some("m1".to_owned()) }), ("delivered", None, None, Some("m1"), None)),
        (Err(down), ("down", Some("19001"), Some("a new robot"), None, None)),
        (
            Err(SendError::Throttled { after: wait, code: "429".to_owned() }),
            ("throttled", Some("429"), None, None, Some(9)),
        ),
    ] {
        let mut stream = server.control().await;
        send(&mut stream, "POST /api/v1/channels/ops/test", &[]).await;
        server.asked.recv().await.unwrap().send(verdict).unwrap();
        let answer = answer(&mut stream).await;
        let (outcome, code, hint, id, after) = expected;
        let expected = serde_json::json!({
            "channel": "ops", "outcome": outcome, "code": code, "hint": hint, "message_id": id,
            "retry_after_seconds": after,
        });
        assert_eq!(json(&answer), expected);
    }
    let unknown = server.command("POST /api/v1/channels/nobody/test").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("(known: ops)"), "{}", unknown.text());
}

#[tokio::test]
async fn the_timeline_counts_days_and_months() {
    let server = start(&fleet(), Limits::default()).await;
    let days = get(&server, "/api/v1/timeline").await;
    let of = |list: &Value, place: usize| list["items"][place].clone();
    let third = serde_json::json!({
        "from": "2026-11-24T00:00:00Z", "to": "2026-11-24T23:59:59Z", "count": 1
    });
    assert_eq!(of(&days, 2), third);
    let months = get(&server, "/api/v1/timeline?by=month").await;
    assert_eq!(months["items"].as_array().unwrap().len(), 36);
    assert_eq!(of(&months, 0)["count"], Value::from(1));
}

#[tokio::test]
async fn a_configuration_is_compared_by_who_may_and_its_mistakes_are_named() {
    let server = start(&fleet(), Limits::default()).await;
    let ask = async |text: &str| {
        let body = serde_json::json!({ "configuration": text, "file": "new.toml" }).to_string();
        server.order("POST /api/v1/comparison", "application/json", &body).await
    };
    let good = "[[source]]\nname = 'x'\nkind = 'files'\nschedule = 'every 1h'\n";
    let answer = ask(good).await;
    let expected = serde_json::json!({
        "differences": ["source x is new"], "until_restart": [], "known": 3, "forgotten": 3,
        "other_ladder": 0, "looked_at": 0, "rerouted": [],
    });
    assert_eq!(json(&answer), expected);
    let answer = ask("[[source]]\nnam = 'x'").await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("new.toml:2:1: unknown key `nam`"), "{}", answer.text());
    let other = server.get("/api/v1/comparison").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("POST")));
    let stranger = server.ask("POST /api/v1/comparison", &[]).await;
    assert_eq!(stranger.status, 403);
}

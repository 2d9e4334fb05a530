//! `/api/v1/snoozes`, and what lists say of snoozes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::limits::Limits;
use super::client::{Answer, start};

use crate::expiry::{Cover, Snooze, Wanted};
use crate::metrics::testing::{Known, NOW};
use crate::store::Commit;

const JSON: &str = "application/json";

fn object(answer: &Answer) -> Value {
    serde_json::from_str(answer.text()).unwrap()
}

fn snooze(id: &str, text: &str, seconds: i64) -> Snooze {
    Snooze {
        id: id.to_owned(),
        cover: Cover::Match(Wanted::parse(text).unwrap()),
        made: NOW,
        until: NOW.plus(seconds),
        hold: false,
        author: "ann".to_owned(),
        reason: "known".to_owned(),
        link: None,
        ended: None,
    }
}

#[tokio::test]
async fn a_snooze_is_made_and_ended_by_who_may() {
    let mut server = start(&[], Limits::default()).await;
    let wish = json!({ "match": { "source": ["iot-*"] }, "for": "7d", "reason": "moving" });
    let post = "POST /api/v1/snoozes";
    let made = server.order(post, JSON, &wish.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let expected = json!({
        "id": "s1", "active": true, "certificate": null, "match": { "source": ["iot-*"] },
        "made_at": "2026-11-22T00:00:00Z", "until": "2026-11-29T00:00:00Z", "hold": false,
        "author": "unnamed", "reason": "moving", "ended_at": null, "ended_by": null,
    });
    assert_eq!(object(&made), expected);
    let wished = server.wished.recv().await.unwrap();
    assert_eq!((wished.seconds, wished.author.as_str()), (7 * 86_400, "unnamed"));
    let ended = server.command("DELETE /api/v1/snoozes/s1").await;
    assert_eq!((ended.status, &object(&ended)["ended_by"]), (200, &json!("by_hand")));
    assert_eq!(server.command("DELETE /api/v1/snoozes/s2").await.status, 404);
    // Whom nobody knows may read and nothing else.
    for request in [post, "DELETE /api/v1/snoozes/s1"] {
        assert_eq!(server.ask(request, &[]).await.status, 403, "{request}");
    }
    let put = server.command("PUT /api/v1/snoozes").await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD, POST")));
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_refused_with_what_may_be_said() {
    let server = start(&[], Limits::default()).await;
    let wish = |more: Value| {
        let mut wish = json!({ "for": "7d", "reason": "x" });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wish.to_string()
    };
    let id = "0".repeat(32);
    for (body, status, part) in [
        (wish(json!({})), 422, "say one of `certificate` and `match`"),
        (wish(json!({ "certificate": id, "match": {} })), 422, "say one of"),
        (wish(json!({ "certificate": "x" })), 404, "no certificate with this id"),
        (wish(json!({ "match": {} })), 422, "match: a match names at least one field"),
        (wish(json!({ "match": { "colour": ["red"] } })), 422, "it is none of `source`"),
        (wish(json!({ "certificate": id, "for": "91d" })), 422, "for: it is at most 90d"),
        (wish(json!({ "certificate": id, "for": "x" })), 422, "for: not a duration"),
        (wish(json!({ "certificate": id, "reason": " " })), 422, "reason: it must be said"),
        (wish(json!({ "certificate": id, "why": "x" })), 400, "unknown field `why`"),
        ("{".to_owned(), 400, "JSON"),
    ] {
        let answer = server.order("POST /api/v1/snoozes", JSON, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(object(&answer)["detail"].as_str().unwrap().contains(part), "{}", answer.text());
    }
    let form = server.order("POST /api/v1/snoozes", "text/plain", "{}").await;
    assert_eq!(form.status, 400, "{}", form.text());
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(server.order("POST /api/v1/snoozes", JSON, &long).await.status, 413);
}

#[tokio::test]
async fn snoozes_are_listed_and_certificates_say_until_when() {
    let known = [
        Known::new("s", "all", "0a").ends_in(3 * 86_400),
        Known::new("s", "all", "0b").ends_in(3 * 86_400),
    ];
    let server = start(&known, Limits::default()).await;
    let (now, over) = (snooze("a", "serial=0a", 3600), snooze("b", "serial=0b", -3600));
    let snoozes = vec![now.clone(), over];
    server.store.commit(Arc::new(Commit { snoozes, ..Commit::default() })).await.unwrap();
    let list = async |path: &str| {
        let items = object(&server.get(path).await)["items"].clone();
        let ids = items.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(list("/api/v1/snoozes").await, ["a"]);
    assert_eq!(list("/api/v1/snoozes?ended=true").await, ["b", "a"]);
    assert_eq!(server.get("/api/v1/snoozes?ended=x").await.status, 400);
    let tag = server.get("/api/v1/certificates").await.header("etag").unwrap().to_owned();
    server.snoozes.send_replace(Arc::new([now].into_iter().collect()));
    let all = server.get("/api/v1/certificates").await;
    assert_ne!(all.header("etag"), Some(tag.as_str()));
    let until: Vec<_> = object(&all)["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["snoozed_until"].clone())
        .collect();
    assert_eq!(until, [json!("2026-11-22T01:00:00Z"), Value::Null]);
    for (asked, expected) in [("true", "0a"), ("false", "0b")] {
        let found = object(&server.get(&format!("/api/v1/certificates?snoozed={asked}")).await);
        assert_eq!((&found["items"][0]["serial"], &found["total"]), (&json!(expected), &json!(1)));
    }
}

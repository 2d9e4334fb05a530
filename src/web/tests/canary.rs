//! A canary, as it is asked for and told of.

use std::time::Duration;

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Answer, Server, answer, send, start};
use crate::channel::{CanaryRefusal, CanaryRequest, CanaryStage, CanaryStep};
use crate::metrics::testing::NOW;

/// Asks for a canary, and has somebody deal with the wish.
async fn ask(server: &mut Server, path: &str, deal: impl FnOnce(CanaryRequest)) -> Answer {
    let mut stream = server.control().await;
    send(&mut stream, &format!("POST {path}"), &[]).await;
    deal(server.canaries.recv().await.unwrap());
    answer(&mut stream).await
}

fn step(stage: CanaryStage, millis: i64, result: Result<&str, &str>) -> CanaryStep {
    let result = result.map(str::to_owned).map_err(str::to_owned);
    CanaryStep { stage, at: NOW.seconds() * 1000 + millis, result }
}

#[tokio::test]
async fn every_stage_is_told_with_its_time() {
    let mut server = start(&[], Limits::default()).await;
    let answer = ask(&mut server, "/api/v1/canary?source=web", |request| {
        assert_eq!(request.source.as_deref(), Some("web"));
        request.answer.send(Ok("web".to_owned())).unwrap();
        let channel = CanaryStage::Channel("ops".to_owned());
        request.steps.send(step(CanaryStage::Outbox, 5, Ok("committed"))).unwrap();
        request.steps.send(step(channel, 1042, Err("http 500"))).unwrap();
    });
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told: Value = serde_json::from_str(answer.text()).unwrap();
    let expected = serde_json::json!({"source": "web", "passed": false, "stages": [
        {"stage": "outbox", "channel": null, "passed": true, "at": "2026-11-22T00:00:00Z", "milliseconds": 5,
            "detail": "committed"},
        {"stage": "channel", "channel": "ops", "passed": false, "at": "2026-11-22T00:00:01Z",
            "milliseconds": 1042, "detail": "http 500"},
    ]});
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_stuck_is_the_part_after_the_last_that_was_told() {
    let limits = Limits { canary: Duration::from_millis(50), ..Limits::default() };
    let mut server = start(&[], limits).await;
    let mut held = None;
    let answer = ask(&mut server, "/api/v1/canary", |request| {
        request.answer.send(Ok("web".to_owned())).unwrap();
        request.steps.send(step(CanaryStage::Plan, 5, Ok("30d"))).unwrap();
        held = Some(request.steps);
    });
    let told: Value = serde_json::from_str(answer.await.text()).unwrap();
    assert_eq!((&told["passed"], &told["stages"][1]["stage"]), (&false.into(), &"outbox".into()));
    assert!(held.unwrap().is_closed(), "nobody waits any more");
}

#[tokio::test]
async fn what_is_not_done_is_answered_with_why() {
    let mut server = start(&[], Limits::default()).await;
    let known = vec!["web".to_owned(), "iot".to_owned()];
    for (refusal, status, detail) in [
        (CanaryRefusal::UnderWay, 409, "another canary is on its way"),
        (CanaryRefusal::NoSuchSource(known), 422, "(known: web, iot)"),
    ] {
        let answer = ask(&mut server, "/api/v1/canary", |request| {
            request.answer.send(Err(refusal)).unwrap();
        });
        let answer = answer.await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(detail), "{}", answer.text());
    }
    let body = server.order("POST /api/v1/canary", "application/json", "{}").await;
    assert_eq!(body.status, 400, "{}", body.text());
    let read = server.get("/api/v1/canary").await;
    assert_eq!((read.status, read.header("allow")), (405, Some("POST")));
    assert_eq!(server.ask("POST /api/v1/canary", &[]).await.status, 403);
    assert!(server.canaries.try_recv().is_err());
}

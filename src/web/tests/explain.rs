//! The story of one certificate, over the API and on the page.

use std::sync::Arc;

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Server, start};
use crate::catalog::REASONS;
use crate::expiry::{Event, Facts, Kind, Notified, RowId, Rung, Severity, Status, Topic};
use crate::metrics::testing::{Known, NOW};
use crate::store::{Commit, Post, ScanRecord};

const DAY: i64 = 86_400;

fn scan() -> ScanRecord {
    ScanRecord {
        source: "s".to_owned(),
        scope: "all".to_owned(),
        window: "all".to_owned(),
        started: NOW.plus(-90),
        ended: NOW.plus(-60),
        proven: true,
        reported: 2,
        collected: 2,
        last_proven: Some(NOW.plus(-60)),
        error: None,
    }
}

/// A server with a certificate about which a room is told, and a revoked one.
async fn told() -> (Server, String, String) {
    let known = [
        Known::new("s", "all", "0b")
            .names("soon.example", "", "")
            .kind(Kind::Server)
            .ends_in(3 * DAY),
        Known::new("s", "all", "0c").names("gone.example", "", "").status(Status::Revoked),
    ];
    let server = start(&known, Limits::default()).await;
    let ids = server.get("/api/v1/certificates?sort=status").await;
    let list: Value = serde_json::from_str(ids.text()).unwrap();
    let id = |place: usize| list["items"][place]["id"].as_str().unwrap().to_owned();
    let Known(facts) = &known[0];
    let facts: Facts = facts.clone();
    let rung = Rung::Before(3 * 86_400);
    let (leaves, newer, unserved, places) = (None, None, false, None);
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
    let event = Event { id: "event-1".to_owned(), at: NOW, severity: Severity::Critical, topic };
    let notified = Notified { rung, at: NOW, mild: false, count: 0 };
    let row = RowId(0);
    let commit = Commit {
        outbox: vec![Post::Rung { row, event, channels: vec!["ops".to_owned()] }],
        ledger: vec![(row, Some(notified))],
        former_ends: vec![(row, NOW.plus(-DAY))],
        scans: vec![scan()],
        ..Commit::default()
    };
    server.store.commit(Arc::new(commit)).await.unwrap();
    (server, id(0), id(1))
}

#[tokio::test]
async fn a_story_tells_when_why_and_to_whom() {
    let (server, soon, revoked) = told().await;
    let answer = server.get(&format!("/api/v1/certificates/{soon}/explain")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let story: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(story["certificate"]["serial"], "0b");
    assert_eq!(story["last_seen"], "2026-11-21T23:59:00Z");
    assert_eq!(story["scans"][0]["proven"], true);
    assert_eq!(story["former_ends"][0]["until"], "2026-11-21T00:00:00Z");
    let rungs: Vec<_> = story["ladder"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["rung"].as_str().unwrap())
        .collect();
    assert_eq!(rungs, ["30d", "14d", "7d", "3d", "1d", "expired"]);
    assert_eq!(story["ladder"][3]["crossed"], true);
    let message = &story["messages"][0];
    assert_eq!(
        (&message["channel"], &message["event"], &message["state"]),
        (&"ops".into(), &"event-1".into(), &"waiting".into())
    );
    assert_eq!(story["deployment"]["state"], "unknown");
    for id in [&soon, &revoked] {
        let answer = server.get(&format!("/api/v1/certificates/{id}/explain")).await;
        let story: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(REASONS.contains(&story["reason"].as_str().unwrap()), "{story}");
    }
    assert_eq!(server.get("/api/v1/certificates/00/explain").await.status, 404);

    let page = server.get(&format!("/certificates/{soon}")).await;
    for part in [
        "What was decided",
        "first_sight",
        "When it was seen",
        "proven, 2 / 2",
        "Ends that it had",
        "ops",
        "waiting",
    ] {
        assert!(page.text().contains(part), "{part} is not in\n{}", page.text());
    }
}

//! What will be said, to whom, and what is open.

use std::sync::Arc;

use serde_json::Value;

use super::super::limits::Limits;
use super::client::{Server, start};
use crate::expiry::{Ahead, Cliff, EndsFirst, Kind, Month, Notified, RowId, Rung, View};
use crate::metrics::testing::{Known, NOW};
use crate::store::Commit;

const DAY: i64 = 86_400;

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_str(answer.text()).unwrap()
}

async fn served() -> Server {
    let known = [
        Known::new("s", "all", "0a")
            .names("a.example", "", "")
            .kind(Kind::Server)
            .ends_in(10 * DAY),
        Known::new("s", "all", "0b")
            .names("b.example", "", "")
            .kind(Kind::Server)
            .ends_in(90 * DAY),
    ];
    start(&known, Limits::default()).await
}

#[tokio::test]
async fn what_is_ahead_is_listed_and_needs_somebody() {
    let server = served().await;
    assert_eq!(get(&server, "/api/v1/alerts").await["ahead"], Value::Array(Vec::new()));
    let state = View::clone(&server.view.borrow());
    let known = state.row(RowId(1)).unwrap();
    let (scope, end) = (known.scope, known.not_after.unwrap());
    let it = EndsFirst { scope, row: RowId(1), signs: 7, end, leaves: 1200 };
    let cliff = Cliff { source: "s".into(), month: Month::new(2027, 2), ending: 900, renewed: 20 };
    let unwatched = ["t".into()].into();
    let ahead = Arc::new(Ahead { ends_first: vec![it], cliffs: vec![cliff], unwatched });
    server.view.send_replace(Arc::new(state.with_ahead(ahead)));
    let alerts = get(&server, "/api/v1/alerts").await;
    let found = &alerts["ahead"][0];
    assert_eq!((&found["kind"], &found["certificates"]), (&"ca.ends_first".into(), &1200.into()));
    assert_eq!(found["certificate"]["serial"], "0b");
    let cliff = &alerts["ahead"][1];
    assert_eq!((&cliff["kind"], &cliff["month"]), (&"fleet.cliff".into(), &"2027-02".into()));
    assert_eq!((&cliff["certificates"], &cliff["most_renewed"]), (&900.into(), &20.into()));
    let next = get(&server, "/api/v1/alerts?cursor=7").await;
    assert_eq!(next["ahead"], Value::Array(Vec::new()), "once in all pages");
    let page = server.get("/").await;
    let line =
        "This CA expires on 2027-02-20, before 1\u{a0}200 active certificates that it signed";
    assert!(page.text().contains(line), "{}", page.text());
    let line = "900 active certificates expire in this month; the most that were renewed in one so far is 20";
    assert!(page.text().contains(line), "{}", page.text());
    assert!(page.text().contains("not watched for so long yet: t"), "{}", page.text());
}

#[tokio::test]
async fn alerts_that_are_open_are_listed_with_who_was_told() {
    let server = served().await;
    assert_eq!(get(&server, "/api/v1/alerts").await["items"], Value::Array(Vec::new()));
    let notified =
        Notified { rung: Rung::Before(14 * 86_400), at: NOW.plus(-DAY), mild: false, count: 2 };
    let ledger = [0, 1].map(|row| (RowId(row), Some(notified))).to_vec();
    server.store.commit(Arc::new(Commit { ledger, ..Commit::default() })).await.unwrap();
    let first = get(&server, "/api/v1/alerts?limit=1").await;
    let alert = &first["items"][0];
    assert_eq!((&alert["rung"], &alert["severity"]), (&"14d".into(), &"warning".into()));
    assert_eq!(
        (&alert["reminders"], &alert["decided_at"]),
        (&2.into(), &"2026-11-21T00:00:00Z".into())
    );
    assert_eq!(alert["certificate"]["serial"], "0a");
    let next = first["next"].as_str().unwrap();
    let second = get(&server, &format!("/api/v1/alerts?limit=5&cursor={next}")).await;
    assert_eq!(second["items"][0]["certificate"]["serial"], "0b");
    assert_eq!(second["next"], Value::Null);
    for query in ["limit=0", "cursor=x", "other=1"] {
        assert_eq!(server.get(&format!("/api/v1/alerts?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_plan_and_a_route_are_answered_and_what_cannot_be_asked_is_refused() {
    let server = served().await;
    // No channel is configured there, so nobody will be told.
    let plan = get(&server, "/api/v1/plan?days=7").await;
    assert_eq!(
        (&plan["from"], &plan["until"]),
        (&"2026-11-22T00:00:00Z".into(), &"2026-11-29T00:00:00Z".into())
    );
    assert_eq!(plan["messages"], Value::Array(Vec::new()));
    let routed = get(&server, "/api/v1/route?event=source.stale&source=iot").await;
    assert_eq!((&routed["severity"], &routed["about"]), (&"critical".into(), &"iot".into()));
    let list = get(&server, "/api/v1/certificates").await;
    let id = list["items"][0]["id"].as_str().unwrap();
    let routed = get(&server, &format!("/api/v1/route?certificate={id}")).await;
    assert_eq!(
        (&routed["event"], &routed["about"]),
        (&"certificate.expiring".into(), &"a.example".into())
    );
    for (path, status) in [
        ("plan?days=0", 400),
        ("plan?days=401", 400),
        ("route", 422),
        ("route?event=nothing", 422),
        ("route?event=certificate.expiring", 422),
        ("route?certificate=00", 404),
        ("route?event=test&certificate=00", 422),
    ] {
        assert_eq!(server.get(&format!("/api/v1/{path}")).await.status, status, "{path}");
    }
}

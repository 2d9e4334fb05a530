//! Messages that were given up, as an operator deals with them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::harness::{Daemon, eventually};
use crate::written::{channel, route, source};

/// A room that refuses what it is sent until it is mended.
struct Room {
    mended: AtomicBool,
    taken: Mutex<Vec<String>>,
}

async fn room(tasks: &mut tokio::task::JoinSet<()>) -> (Arc<Room>, String) {
    let room = Arc::new(Room { mended: AtomicBool::new(false), taken: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/T/B/x", listener.local_addr().unwrap());
    let shared = Arc::clone(&room);
    let router = Router::new().fallback(move |body: String| async move {
        if !shared.mended.load(Ordering::SeqCst) {
            return (StatusCode::BAD_REQUEST, "no_text");
        }
        shared.taken.lock().unwrap().push(body);
        (StatusCode::OK, "ok")
    });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (room, url)
}

/// A daemon with one certificate that has expired lately.
fn prepared(url: &str) -> Daemon {
    let daemon = Daemon::prepared("", &[("ROOM", url.to_owned())]);
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = at(now - 90 * 86_400);
    params.not_after = at(now - 3600);
    let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let place = daemon.folder.path().join("a.pem");
    std::fs::write(&place, pem).unwrap();
    let paths = format!("paths = [{:?}]", place.display().to_string());
    let parts = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &source("files", "machine", "every 1s", &paths),
        &channel("slack", "ops", "ROOM", ""),
        &route(&["ops"]),
    ];
    daemon.configure(&parts.concat());
    daemon
}

fn listed(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn what_was_given_up_is_seen_sent_once_more_and_dropped() {
    let mut tasks = tokio::task::JoinSet::new();
    let (room, url) = room(&mut tasks).await;
    let mut daemon = prepared(&url);
    daemon.start();
    let dead = "notafter_notifications_dead{channel=\"ops\"}";
    daemon.until(dead, |count| count > 0.0).await;

    let list = daemon.run(&["outbox", "list", "--dead", "--format", "json"]).await;
    let [one] = &listed(&list.out)[..] else { panic!("one message:\n{}{}", list.out, list.err) };
    assert_eq!(
        (&one["state"], &one["channel"], &one["code"]),
        (&"dead".into(), &"ops".into(), &"no_text".into())
    );
    let (id, message) = (one["id"].to_string(), one["message"].clone());
    let table = daemon.run(&["outbox", "list"]).await;
    assert!(
        table.out.contains("rcgen self signed") && table.out.contains("no_text"),
        "{}",
        table.out
    );

    // Refused once more, and given up once more.
    let retried = daemon.run(&["outbox", "retry", &id]).await;
    assert_eq!(
        (retried.code, retried.out.as_str()),
        (Some(0), "ops: sent once more, with 1 event\n")
    );
    daemon
        .until("notafter_notifications_total{outcome=\"dead\",channel=\"ops\"}", |dead| dead > 1.0)
        .await;
    daemon.until(dead, |count| count > 0.0).await;
    room.mended.store(true, Ordering::SeqCst);
    assert_eq!(daemon.run(&["outbox", "retry", &id]).await.code, Some(0));
    daemon.until(dead, |count| count == 0.0).await;
    let sent = eventually("it is sent", async || {
        let (_, sent) = daemon.get("/api/v1/outbox?state=sent").await?;
        let sent: Value = serde_json::from_str(&sent).unwrap();
        sent["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!(sent.await["message"], message, "with the same id");
    assert!(room.taken.lock().unwrap()[0].contains("rcgen self signed"));

    let again = daemon.run(&["outbox", "retry", &id]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("it was not given up"), "{}", again.err);
    let unknown = daemon.run(&["outbox", "drop", "77"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("no message has this number"), "{}", unknown.err);

    assert!(daemon.stop().await.success());
    let alone = daemon.run(&["outbox", "list"]).await;
    assert_eq!(
        (alone.code, alone.out.as_str()),
        (Some(0), "nothing waits, and nothing was given up\n")
    );
    let nobody = daemon.run(&["outbox", "drop", &id]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("only a daemon that runs may change something"), "{}", nobody.err);
}

#[tokio::test]
async fn what_was_dropped_is_not_sent() {
    let mut tasks = tokio::task::JoinSet::new();
    let (room, url) = room(&mut tasks).await;
    let mut daemon = prepared(&url);
    daemon.start();
    let dead = "notafter_notifications_dead{channel=\"ops\"}";
    daemon.until(dead, |count| count > 0.0).await;
    let list = daemon.run(&["outbox", "list", "--dead", "--format", "json"]).await;
    let id = listed(&list.out)[0]["id"].to_string();
    let dropped = daemon.run(&["outbox", "drop", &id]).await;
    assert_eq!((dropped.code, dropped.out.as_str()), (Some(0), "ops: dropped, with 1 event\n"));
    daemon.until(dead, |count| count == 0.0).await;
    room.mended.store(true, Ordering::SeqCst);
    let (_, all) = daemon.get("/api/v1/outbox").await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap()["items"], Value::Array(Vec::new()));
    assert!(room.taken.lock().unwrap().is_empty());
}

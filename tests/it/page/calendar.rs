//! The calendar, judged by a reader of calendars that is not ours.

use std::process::Command;

use super::{HOSTILE, World, target};

/// Returns what `icalendar` reads.
async fn read(world: &World, query: &str) -> serde_json::Value {
    let (status, text) = world.daemon.get(&format!("/calendar.ics{query}")).await.unwrap();
    assert_eq!(status, 200, "{text}");
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
    let file = world.daemon.folder.path().join("calendar.ics");
    std::fs::write(&file, text).unwrap();
    let python = target().join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run tests/venv once", python.display());
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/judge/ics.py");
    let judged = Command::new(python).arg(judge).arg(file).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    serde_json::from_slice(&judged.stdout).unwrap()
}

#[tokio::test]
async fn a_calendar_has_one_event_a_day_and_source_with_alarms_at_the_rungs() {
    let world = World::start(300).await;
    let events = read(&world, "").await;
    let events = events.as_array().unwrap();
    assert!(events.len() > 2, "{events:?}");
    let ids: std::collections::BTreeSet<_> =
        events.iter().map(|it| it["uid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "no day and source is there twice");
    let hostile = read(&world, "?source=hostile").await;
    let [event] = hostile.as_array().unwrap().as_slice() else { panic!("{hostile}") };
    assert_eq!(event["summary"], format!("{} certificates expire (hostile)", HOSTILE.len()));
    // The lifetime makes the rungs tighter than they are written; those ahead of ten days are left.
    assert_eq!(event["alarms"].as_array().unwrap().len(), 4, "{event}");
    let description = event["description"].as_str().unwrap();
    assert_eq!(description.lines().count(), HOSTILE.len(), "{description}");
    assert!(description.contains("<script>alert(1)</script>") && !description.contains('\u{202e}'));
    let again = read(&world, "?source=hostile").await;
    assert_eq!(again[0]["uid"], event["uid"]);
    assert_eq!(read(&world, "?source=nowhere").await, serde_json::json!([]));
    let (status, problem) = world.daemon.get("/calendar.ics?colour=red").await.unwrap();
    assert_eq!(status, 400, "{problem}");
}

//! What will hurt later is said once, over a kill.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Months, NaiveDate};
use serde_json::Value;

use crate::harness::{Daemon, environment, eventually, heard};
use crate::written::{SIGNED, mqtt, route, webhook};
use simulator::Simulator;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};

const KINDS: [&str; 2] = ["ca.ends_first", "fleet.cliff"];

/// Certificates that end in one month: more than 100, and far more than were ever renewed.
const CLIFF: u64 = 150;

fn months_from_now(months: u32) -> NaiveDate {
    let now = chrono::DateTime::from_timestamp(wall_seconds(), 0).unwrap().date_naive();
    now.with_day(1).unwrap() + Months::new(months)
}

/// The source was watched for months in which nothing was renewed.
fn watched_for_months(daemon: &Daemon) {
    let store = rusqlite::Connection::open(daemon.folder.path().join("notafter.db")).unwrap();
    let now = months_from_now(0);
    let this = now.year() * 12 + i32::try_from(now.month0()).unwrap();
    for month in this - 5..this {
        let add = "INSERT INTO renewal (source, month, renewed) VALUES ('iot', ?1, 0)";
        store.execute(add, [month]).unwrap();
    }
}

/// Returns how often each kind was heard, by its id.
fn warnings(simulator: &Simulator) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for event in heard(simulator).into_iter().filter(|event| KINDS.contains(&event.kind.as_str())) {
        *counts.entry((event.kind, event.id)).or_default() += 1;
    }
    counts
}

async fn shown(daemon: &Daemon) -> Option<Vec<Value>> {
    let (_, body) = daemon.get("/api/v1/alerts").await?;
    let ahead = serde_json::from_str::<Value>(&body).ok()?["ahead"].as_array()?.clone();
    (ahead.len() == KINDS.len()).then_some(ahead)
}

/// Returns what is planned of the kinds that are said before it hurts.
async fn planned(daemon: &Daemon) -> Vec<Value> {
    let ran = daemon.run(&["plan", "--days", "5", "--format", "json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    let messages = plan["messages"].as_array().unwrap().iter();
    let lines = messages.flat_map(|message| message["lines"].as_array().unwrap().clone());
    lines.filter(|line| KINDS.iter().any(|kind| line["kind"] == *kind)).collect()
}

#[tokio::test]
async fn an_authority_that_ends_first_and_a_cliff_are_said_once_over_a_kill() {
    let fleet = Fleet::new(7, wall_seconds()).with(Instance::new("mqtt-a", 60));
    let simulator = Simulator::start(simulator::Setup::new(fleet)).await.unwrap();
    let cliff = months_from_now(3);
    let end = cliff.and_hms_opt(12, 0, 0).unwrap().and_utc().timestamp();
    simulator.mqtt().insert_ending("mqtt-a", CLIFF, end);
    let parts = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &mqtt(
            &simulator,
            "iot",
            "every 2s",
            "requests_per_second = 1000\nfull_scan = \"every 2s\"",
        ),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ];
    let mut daemon = Daemon::prepared(&parts.concat(), &environment(&simulator));
    daemon.start();
    let is_heard = async |kind: &str| {
        eventually(&format!("{kind} is heard"), async || {
            warnings(&simulator).into_keys().find(|(heard, _)| heard == kind)
        })
        .await
    };
    // The second authority of the simulator ends before what it signed.
    is_heard(KINDS[0]).await;
    assert!(daemon.stop().await.success());
    watched_for_months(&daemon);
    let month = format!("{}", cliff.format("%Y-%m"));
    let plan = planned(&daemon).await;
    assert_eq!((plan.len(), &plan[0]["ahead"]["month"]), (1, &month.as_str().into()), "{plan:?}");
    daemon.start();
    is_heard(KINDS[1]).await;
    daemon.drained("ops").await;
    let ahead = eventually("both are shown", async || shown(&daemon).await).await;
    daemon.kill();

    daemon.start();
    eventually("both are shown again", async || shown(&daemon).await).await;
    let scans = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";
    let first = daemon.until(scans, |at| at > 0.0).await;
    daemon.until(scans, |at| at > first).await;
    daemon.drained("ops").await;
    let warnings = warnings(&simulator);
    let kinds: Vec<&str> = warnings.keys().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, KINDS, "{warnings:?}");
    assert!(warnings.values().all(|times| *times == 1), "{warnings:?}");
    assert_eq!(planned(&daemon).await, Vec::<Value>::new(), "both were said");
    let found = ahead.iter().find(|it| it["kind"] == KINDS[1]).unwrap();
    assert_eq!(
        (&found["month"], found["certificates"].as_u64() > Some(100)),
        (&month.into(), true)
    );
}

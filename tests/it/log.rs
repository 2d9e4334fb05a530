//! What the daemon says about itself on standard error.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;

use crate::harness::{Daemon, environment, eventually};
use crate::written::mqtt;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};
use simulator::{Setup, Simulator};

const PROVEN: &str = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";

async fn simulator() -> Simulator {
    let fleet = Fleet::new(3, wall_seconds()).with(Instance::new("mqtt-a", 300));
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn prepared(simulator: &Simulator) -> Daemon {
    let options = "requests_per_second = 10000\nfull_scan = \"every 1s\"";
    Daemon::prepared(&mqtt(simulator, "iot", "every 1s", options), &environment(simulator))
}

/// Returns the first line with all of `words`, as soon as there is one.
async fn line(daemon: &Daemon, words: &[&str]) -> String {
    eventually(&format!("a line with {words:?}"), async || {
        let log = daemon.log();
        let found = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
        found.map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_start_says_what_runs_and_a_poll_what_it_came_to() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    daemon.start();
    let started = line(&daemon, &["notafter has started"]).await;
    for part in [
        concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
        &format!("configuration={}", daemon.config_path().display()),
        &format!("address=127.0.0.1:{}", daemon.port),
        "sources=1",
        "channels=0",
        "certificates=0",
    ] {
        assert!(started.contains(part), "{part}: {started}");
    }
    daemon.until(PROVEN, |at| at > 0.0).await;
    let rows =
        simulator.mqtt().count("mqtt-a") + simulator.mqtt().authorities("mqtt-a").len() as u64;
    let all = line(&daemon, &["the poll ended", "window=\"all\"", "proven=true"]).await;
    for part in
        ["source=iot", &format!("rows={rows}"), "gone=0", "missing=0", "rejected=0", "seconds="]
    {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.starts_with('<'), "no priority where nobody reads it: {all}");
    assert!(daemon.stop().await.success());
    daemon.start();
    let known = format!("certificates={rows}");
    line(&daemon, &["notafter has started", &known]).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_log_of_objects_is_one_a_line() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    daemon.start_with(&["--log-format", "json"]);
    line(&daemon, &["notafter has started"]).await;
    line(&daemon, &["the poll ended"]).await;
    assert!(daemon.stop().await.success());
    let objects: Vec<Value> = daemon
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let started = objects.iter().find(|line| line["message"] == "notafter has started").unwrap();
    assert_eq!((started["level"].as_str(), started["sources"].as_u64()), (Some("INFO"), Some(1)));
    assert!(started["timestamp"].as_str().unwrap().ends_with('Z'), "{started}");
}

#[tokio::test]
async fn the_journal_gets_priorities() {
    use std::os::unix::fs::MetadataExt as _;
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    // The log is there before the daemon, as the journal's stream is.
    let log = daemon.folder.path().join("log");
    std::fs::write(&log, "").unwrap();
    let log = log.metadata().unwrap();
    daemon.set("JOURNAL_STREAM", format!("{}:{}", log.dev(), log.ino()));
    daemon.start();
    let started = line(&daemon, &["notafter has started"]).await;
    assert!(started.starts_with("<6>"), "{started}");
    assert!(daemon.stop().await.success());
}

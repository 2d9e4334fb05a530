//! How fast the store is: `cargo test --release --lib store::sqlite::measure -- --ignored --nocapture`.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use super::super::conformance::{batch, event, row, scan, scope};
use super::*;

const ROWS: u32 = 1_000_000;
const STEP: u32 = 20_000;
const EVENTS: u32 = 100_000;

#[expect(clippy::print_stderr, reason = "its figures are what this is run for")]
fn say(what: &str, count: u32, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    let rate = f64::from(count) / seconds;
    eprintln!("{what:<40} {seconds:>8.3} s {rate:>12.0} a second");
}

/// Writes every row; making them is not counted.
async fn write(store: &Sqlite, what: &str) {
    let mut elapsed = Duration::ZERO;
    for first in (0..ROWS / STEP).map(|step| step * STEP) {
        let rows = (first..first + STEP).map(|number| row(number, 1)).collect();
        let step = Commit { rows, ..Commit::default() };
        let started = Instant::now();
        store.commit(Arc::new(step)).await.unwrap();
        elapsed += started.elapsed();
    }
    say(what, ROWS, elapsed);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a release build"]
async fn a_million_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notafter.db");
    let store = Sqlite::open(&path).unwrap();
    let scopes = vec![scope(1, "iot", "mqtt-qgzaawn9")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    write(&store, "first scan").await;
    let scans = vec![scan("iot", "all", 100)];
    let started = Instant::now();
    store.commit(Arc::new(Commit { scans, ..Commit::default() })).await.unwrap();
    say("the record of a scan without changes", 1, started.elapsed());
    write(&store, "every row written again").await;

    let started = Instant::now();
    store.close().await.unwrap();
    say("close", 1, started.elapsed());
    say_size("file", &path);
    let started = Instant::now();
    let store = Sqlite::open(&path).unwrap();
    say("open", 1, started.elapsed());
    let started = Instant::now();
    let mut count = 0;
    store.rows(&mut |chunk| count += chunk.len()).await.unwrap();
    say("everything read", u32::try_from(count).unwrap(), started.elapsed());
    let started = Instant::now();
    let query = ListQuery { limit: 100, ..ListQuery::default() };
    assert_eq!(store.list(&query).await.unwrap().len(), 100);
    say("the hundred soonest", 1, started.elapsed());
    measure_outbox(&store).await;
    say_memory();
}

async fn measure_outbox(store: &Sqlite) {
    let events = (0..EVENTS).map(|number| {
        (event(&format!("0198-{number:036}"), i64::from(number)), vec!["ops".to_owned()])
    });
    let commit = Commit { outbox: events.collect(), ..Commit::default() };
    let started = Instant::now();
    store.commit(Arc::new(commit)).await.unwrap();
    say("events put into the outbox", EVENTS, started.elapsed());
    let started = Instant::now();
    let waiting = store.pending("ops", 1000).await.unwrap();
    say("a thousand of them read", 1000, started.elapsed());
    let started = Instant::now();
    store.backlog().await.unwrap();
    say("all of them counted", EVENTS, started.elapsed());
    let deliveries: Vec<_> = waiting.iter().map(|one| one.delivery).collect();
    let started = Instant::now();
    store.freeze(&deliveries, &batch("b1")).await.unwrap();
    let update = BatchUpdate::Delivered { at: Timestamp::from_seconds(9) };
    store.settle("ops", "b1", &update, &ChannelState::default()).await.unwrap();
    say("frozen and settled", 1000, started.elapsed());
}

#[expect(clippy::print_stderr, reason = "its figures are what this is run for")]
fn say_size(what: &str, path: &Path) {
    eprintln!("{what:<40} {:>8} MiB", fs::metadata(path).unwrap().len() >> 20);
}

#[expect(clippy::print_stderr, reason = "its figures are what this is run for")]
fn say_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| eprintln!("{line}"));
}

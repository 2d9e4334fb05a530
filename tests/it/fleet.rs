//! A large fleet through the real binary: the near window first and all the time, the rest by windows that a restart
//! does not read again, and the truth at the end though the fleet changes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use crate::harness::{Daemon, environment, eventually};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{DAY, Fleet, Instance};
use simulator::mqtt::Status;
use simulator::{Service, Setup, Simulator};

const INSTANCE: &str = "mqtt-fleet";
const LIST: &str = "DescribeDeviceCertificates";

/// Each window of a full scan has about a hundred thousand certificates.
const ROWS: u64 = 250_000;
/// Pages that a scan of them takes at least.
const PAGES: u64 = ROWS / 100;

async fn simulator(rows: u64, mixed: bool) -> Simulator {
    let ends = (-20 * DAY, 700 * DAY);
    let instance = Instance { cas: 1, mixed, ends, ..Instance::new(INSTANCE, rows) };
    let fleet = Fleet::new(17, wall_seconds()).with(instance);
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn daemon(simulator: &Simulator, rate: u32, (near, full_scan): (&str, &str)) -> Daemon {
    let options = format!(
        "instances = [\"{INSTANCE}\"]\nrequests_per_second = {rate}\nfull_scan = \"{full_scan}\""
    );
    let config = crate::written::mqtt(simulator, "iot", near, &options);
    Daemon::prepared(&config, &environment(simulator))
}

fn proven(window: &str) -> String {
    let labels = format!("{{source=\"iot\",scope=\"{INSTANCE}\",window=\"{window}\"}}");
    format!("notafter_source_last_proven_scan_timestamp_seconds{labels}")
}

fn pages(simulator: &Simulator) -> u64 {
    simulator.log().count(Service::Mqtt, LIST)
}

/// Returns how many rows the first poll of the near window read.
fn near_rows(daemon: &Daemon) -> Option<u64> {
    let near = |line: &&str| line.contains("the poll ended") && line.contains("window=\"near\"");
    let log = daemon.log();
    let (_, rest) = log.lines().find(near)?.split_once(" rows=")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// Reads what the store has, beside a daemon that may be running: serial and end.
fn stored(daemon: &Daemon) -> BTreeMap<String, Option<i64>> {
    let path = daemon.folder.path().join("notafter.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    let mut rows = db.prepare("select serial, not_after from certificate where kind = 0").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    rows.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn truth(simulator: &Simulator) -> BTreeMap<String, Option<i64>> {
    let mut truth = BTreeMap::new();
    simulator.mqtt().each_truth(INSTANCE, |one| {
        truth.insert(one.serial, one.not_after);
    });
    truth
}

#[tokio::test]
async fn the_near_window_comes_first_and_goes_on_while_everything_is_read() {
    let simulator = simulator(ROWS, false).await;
    let mut daemon = daemon(&simulator, 300, ("every 1s", "every 1h"));
    daemon.start();
    let first = daemon.until(&proven("near"), |at| at > 0.0).await;
    // About a tenth of the fleet ends soon: that much was read for it, whatever the full scan has read since.
    let read = eventually("the near poll is noted", async || near_rows(&daemon)).await;
    assert!(read > 0 && read < ROWS / 5, "{read} rows");
    daemon.until(&proven("near"), |at| at > first).await;
    daemon.until(&proven("near"), |at| at > first + 1.0).await;
    assert_eq!(daemon.sample(&proven("all")).await, Some(0.0), "the full scan is still under way");
    // Both together keep the rate; requests that left in time may arrive a little closer together.
    let busiest = simulator.log().max_requests_in_any_second(Service::Mqtt, LIST);
    assert!(busiest <= 315, "{busiest}");
}

/// Waits until the first window of a full scan was read and noted.
async fn a_window_is_done(daemon: &Daemon) {
    let path = daemon.folder.path().join("notafter.db");
    eventually("a window is done", async || {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(&path, flags).ok()?;
        let count = "select count(*) from note where key = 'pass/device'";
        db.query_row(count, [], |row| row.get::<_, i64>(0)).ok().filter(|count| *count > 0)
    })
    .await;
}

#[tokio::test]
async fn a_full_scan_that_failed_goes_on_as_soon_as_the_provider_answers_again() {
    let simulator = simulator(ROWS, false).await;
    let mut daemon = daemon(&simulator, 10_000, ("every 2s", "every 1h"));
    daemon.start();
    a_window_is_done(&daemon).await;
    let refused = Fault::Code("UnauthorizedOperation.CamNoAuth");
    simulator.fault_on(Service::Mqtt, LIST, refused, Times::Always);
    let failed = |line: &str| line.contains("failed") && line.contains("window=\"all\"");
    eventually("the full scan fails", async || daemon.log().lines().any(failed).then_some(()))
        .await;
    simulator.heal();
    // Not in an hour, when its bell rings again.
    daemon.until(&proven("all"), |at| at > 0.0).await;
    assert_eq!(stored(&daemon), truth(&simulator));
}

#[tokio::test]
async fn windows_that_were_read_are_not_read_again_after_a_power_cut() {
    let simulator = simulator(ROWS, false).await;
    let mut daemon = daemon(&simulator, 10_000, ("every 1h", "every 1h"));
    daemon.start();
    a_window_is_done(&daemon).await;
    daemon.kill();
    let (before, known) = (pages(&simulator), stored(&daemon).len() as u64);
    assert!(known < ROWS, "killed in the middle");
    daemon.start();
    daemon.until(&proven("all"), |at| at > 0.0).await;
    let after = pages(&simulator) - before;
    assert!(
        after < PAGES,
        "{after} pages after {before}: the windows before the cut were read again"
    );
    assert_eq!(stored(&daemon), truth(&simulator));
}

#[tokio::test]
async fn a_fleet_that_changes_all_the_time_is_proven_and_ends_with_the_truth() {
    let simulator = simulator(60_000, true).await;
    let mut daemon = daemon(&simulator, 10_000, ("every 5s", "every 1s"));
    daemon.start();
    let everything = proven("all");
    let mut proofs: Vec<f64> = Vec::new();
    // Rows come and go until two scans of everything are proven.
    eventually("two proofs", async || {
        simulator.mqtt().insert(INSTANCE, 5);
        let first = pages(&simulator) * 7 % 60_000;
        simulator.mqtt().delete(INSTANCE, first..first + 3);
        let proof = daemon.sample(&everything).await;
        proofs.extend(proof.filter(|at| *at > 0.0 && proofs.last() != Some(at)));
        (proofs.len() == 2).then_some(())
    })
    .await;
    let last = proofs.pop().unwrap();
    daemon.until(&everything, |at| at > last).await;
    let wanted = truth(&simulator);
    eventually("the daemon knows the truth", async || (stored(&daemon) == wanted).then_some(()))
        .await;
}

#[tokio::test]
async fn certificates_that_end_in_the_same_second_stay_true() {
    let instance =
        Instance { mixed: false, one_instant_every: 0, ..Instance::new(INSTANCE, 2_000) };
    let fleet = Fleet::new(17, wall_seconds()).with(instance);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    // More than an answer holds.
    let batch =
        |days: i64| simulator.mqtt().insert_ending(INSTANCE, 240, wall_seconds() + days * DAY);
    let first = batch(100).start;
    batch(200);
    // A provider that goes no further into a list: it is read by windows.
    simulator.fault_on(Service::Mqtt, LIST, Fault::OffsetAbove(400), Times::Always);
    let mut daemon = daemon(&simulator, 10_000, ("every 1h", "every 1s"));
    daemon.start();
    let once = daemon.until(&proven("all"), |at| at > 0.0).await;
    daemon.until(&proven("all"), |at| at > once).await;
    // One that is switched off, some that are new, and some that go.
    simulator.mqtt().set_status(INSTANCE, first, Status::Revoked);
    batch(200);
    simulator.mqtt().delete(INSTANCE, first + 10..first + 15);
    let wanted = truth(&simulator);
    eventually("the daemon knows the truth", async || (stored(&daemon) == wanted).then_some(()))
        .await;
}

#[tokio::test]
async fn a_reload_reads_nothing_again_that_was_read() {
    let simulator = simulator(3_000, false).await;
    let mut daemon = daemon(&simulator, 10_000, ("every 1s", "every 1h"));
    daemon.start();
    let all = daemon.until(&proven("all"), |at| at > 0.0).await;
    let loaded = "notafter_config_last_reload_success_timestamp_seconds";
    let started = daemon.until(loaded, |at| at > 0.0).await;
    daemon.until(&proven("near"), |at| at > all + 1.0).await;
    daemon.signal("HUP");
    let reloaded = daemon.until(loaded, |at| at > started).await;
    // Its pollers run again, and two near scans later everything has not been read again.
    daemon.until(&proven("near"), |at| at > reloaded + 2.0).await;
    assert_eq!(daemon.sample(&proven("all")).await, Some(all));
}

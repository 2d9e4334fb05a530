//! Rows written in every way that JSON and the contract allow, through the real binary: read whole, at the price of
//! usual ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Daemon, environment};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{DAY, Data, Fleet, Instance};
use simulator::{Service, Setup, Simulator};

const INSTANCE: &str = "mqtt-varied";
const LIST: &str = "DescribeDeviceCertificates";

async fn simulator(instance: Instance) -> Simulator {
    Simulator::start(Setup::new(Fleet::new(23, wall_seconds()).with(instance))).await.unwrap()
}

/// Returns a daemon that scans the near window and everything so often.
fn daemon(simulator: &Simulator, (near, full_scan): (&str, &str)) -> Daemon {
    let options = format!(
        "instances = [\"{INSTANCE}\"]\nrequests_per_second = 100000\nfull_scan = \"{full_scan}\""
    );
    let config = crate::written::mqtt(simulator, "iot", near, &options);
    Daemon::prepared(&config, &environment(simulator))
}

fn proven(window: &str) -> String {
    let labels = format!("{{source=\"iot\",scope=\"{INSTANCE}\",window=\"{window}\"}}");
    format!("notafter_source_last_proven_scan_timestamp_seconds{labels}")
}

/// Everything that is known of a certificate but where it is kept.
type Row = (String, String, Option<i64>, String, String, String);

fn stored(daemon: &Daemon) -> BTreeSet<Row> {
    let path = daemon.folder.path().join("notafter.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    let columns = "issuer, serial, not_after, holder, common_name, unit";
    let query = format!("select {columns} from certificate where kind = 0");
    let mut rows = db.prepare(&query).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    };
    rows.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn truth(simulator: &Simulator) -> BTreeSet<Row> {
    let all = simulator.mqtt().truth(INSTANCE).into_iter();
    all.map(|it| (it.issuer, it.serial, it.not_after, it.holder, it.common_name, it.unit)).collect()
}

#[tokio::test]
async fn rows_written_in_every_legal_way_are_proven_and_known_as_they_are() {
    let instance = Instance { data: Data::Varied, ..Instance::new(INSTANCE, 20_000) };
    let simulator = simulator(instance).await;
    let mut daemon = daemon(&simulator, ("every 24h", "every 1s"));
    daemon.start();
    let first = daemon.until(&proven("all"), |at| at > 0.0).await;
    let wanted = truth(&simulator);
    assert_eq!(wanted.len(), 20_000);
    assert_eq!(stored(&daemon), wanted);
    daemon.until(&proven("all"), |at| at > first).await;
    assert_eq!(stored(&daemon), wanted);
    let asked = simulator.log().count(Service::Mqtt, "DescribeDeviceCertificate");
    assert_eq!(asked, 0, "certificates without an end are listed, not asked for one by one");
    let (_, metrics) = daemon.get("/metrics").await.unwrap();
    let rejected =
        metrics.lines().filter(|line| line.starts_with("notafter_source_rejected_rows_total"));
    for line in rejected {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

#[tokio::test]
async fn connections_are_kept_while_a_fleet_is_scanned() {
    /// Pages that a scan of a slow provider has under way at a time, of the near window and of everything.
    const UNDER_WAY: u64 = 2 * 32;
    let instance = Instance { ends: (-20 * DAY, 40 * DAY), ..Instance::new(INSTANCE, 60_000) };
    let simulator = simulator(instance).await;
    let latency = Duration::from_millis(150);
    let slow = Fault::Latency { least: latency, most: latency };
    simulator.fault_on(Service::Mqtt, LIST, slow, Times::Always);
    let mut daemon = daemon(&simulator, ("every 1s", "every 1s"));
    daemon.start();
    for window in ["near", "all"] {
        let first = daemon.until(&proven(window), |at| at > 0.0).await;
        daemon.until(&proven(window), |at| at > first).await;
    }
    let opened = simulator.connections(Service::Mqtt);
    let pages = simulator.log().count(Service::Mqtt, LIST);
    assert!(opened <= 2 * UNDER_WAY, "{opened} connections for {pages} pages");
}

//! Many instances of two accounts, read side by side through the real binary, each account at its own rate.

use std::collections::BTreeSet;

use crate::harness::{Daemon, environment};
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};
use simulator::{Service, Setup, Simulator, TEMPORARY_ID, TEMPORARY_KEY, TEMPORARY_TOKEN};

const LIST: &str = "DescribeDeviceCertificates";

/// Requests a second of each account.
const RATE: usize = 100;

/// Pages of each instance.
const PAGES: u64 = 80;

/// A source of some instances of an account, whose credentials have a prefix in the environment.
fn source(simulator: &Simulator, name: &str, instances: &[&str], prefix: &str) -> String {
    let token = if prefix == "TEMPORARY" { "token = { env = \"TEMPORARY_TOKEN\" }" } else { "" };
    format!(
        r#"
[[source]]
name = "{name}"
kind = "tencent-mqtt"
schedule = "every 1h"
[source.options]
region = "ap-guangzhou"
instances = {instances:?}
endpoint = "{}"
secret_id = {{ env = "{prefix}_ID" }}
secret_key = {{ env = "{prefix}_KEY" }}
{token}
requests_per_second = {RATE}
full_scan = "every 1h"
"#,
        simulator.mqtt_url()
    )
}

fn proven(source: &str, instance: &str) -> String {
    let labels = format!("{{source=\"{source}\",scope=\"{instance}\",window=\"all\"}}");
    format!("notafter_source_last_proven_scan_timestamp_seconds{labels}")
}

#[tokio::test]
async fn instances_and_accounts_are_read_side_by_side_and_no_account_exceeds_its_rate() {
    // Sources "a" and "b" share an account, "c" has one of its own.
    let plan = [("a", "mqtt-a1"), ("a", "mqtt-a2"), ("b", "mqtt-b"), ("c", "mqtt-c")];
    let instance = |id: &str| Instance { mixed: false, ..Instance::new(id, PAGES * 100) };
    let fleet = Fleet::new(29, wall_seconds());
    let fleet = plan.iter().fold(fleet, |fleet, (_, id)| fleet.with(instance(id)));
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let config = [
        source(&simulator, "a", &["mqtt-a1", "mqtt-a2"], "SECRET"),
        source(&simulator, "b", &["mqtt-b"], "SECRET"),
        source(&simulator, "c", &["mqtt-c"], "TEMPORARY"),
    ];
    let mut environment = environment(&simulator);
    environment.extend([
        ("TEMPORARY_ID", TEMPORARY_ID.to_owned()),
        ("TEMPORARY_KEY", TEMPORARY_KEY.to_owned()),
        ("TEMPORARY_TOKEN", TEMPORARY_TOKEN.to_owned()),
    ]);
    let mut daemon = Daemon::prepared(&config.concat(), &environment);
    daemon.start();
    for (source, id) in plan {
        daemon.until(&proven(source, id), |at| at > 0.0).await;
    }

    let log = simulator.log();
    let accounts = log.arrivals(Service::Mqtt, LIST);
    let counts: BTreeSet<usize> = accounts.iter().map(Vec::len).collect();
    let least = usize::try_from(PAGES).unwrap();
    assert!(counts.len() == 2 && counts.iter().all(|count| *count >= least), "{counts:?}");
    // A limiter for each source or instance would let twice as many through. Arrivals on a busy machine come a little
    // closer together than requests leave.
    let busiest = log.max_requests_in_any_second(Service::Mqtt, LIST);
    assert!(busiest <= RATE + RATE / 4, "{busiest}");
    // Side by side: every account and instance is under way before any other is done.
    let began = accounts.iter().map(|arrivals| arrivals[0]).max().unwrap();
    let ended = accounts.iter().map(|arrivals| arrivals[arrivals.len() - 1]).min().unwrap();
    assert!(began < ended, "one account waited for the other");
    let scopes: Vec<String> =
        log.last().into_iter().filter(|one| one.action == LIST).map(|one| one.scope).collect();
    for (_, id) in plan {
        let first = scopes.iter().position(|scope| scope == id).unwrap();
        let seen: BTreeSet<&String> = scopes[first..].iter().collect();
        assert_eq!(seen.len(), plan.len(), "the others were done before {id} began");
    }
}

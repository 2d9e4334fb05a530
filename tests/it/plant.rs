//! `EnOS` through the real binary: what it costs, and that a restart and a reload forget nothing.

use std::collections::BTreeSet;

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, enos, route, webhook};
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{ORG, Service, Setup, Simulator};

const DEVICES: usize = 60;
const CERTIFICATES: &str = "certificates/list";

fn configured(simulator: &Simulator) -> String {
    let options = "requests_per_second = 10000\nfull_scan = \"every 1h\"";
    let plant = enos(simulator, "plant", "every 1s", options);
    plant + &webhook("ops", "WEBHOOK_URL", SIGNED) + &route(&["ops"])
}

fn proven(window: &str) -> String {
    let labels = format!("{{source=\"plant\",scope=\"{ORG}\",window=\"{window}\"}}");
    format!("notafter_source_last_proven_scan_timestamp_seconds{labels}")
}

/// Returns the devices that were asked for since the log was cleared, each once.
fn asked(simulator: &Simulator) -> BTreeSet<String> {
    let calls = simulator.log().last().into_iter().filter(|entry| entry.action == CERTIFICATES);
    calls.map(|entry| entry.scope).collect()
}

/// Waits for two near scans and answers with the devices that they asked for.
async fn near_scans(daemon: &Daemon, simulator: &Simulator) -> BTreeSet<String> {
    let lists = || simulator.log().count(Service::Enos, "products/search");
    let before = lists();
    eventually("two scans", async || (lists() >= before + 3).then_some(())).await;
    daemon.until(&proven("near"), |at| at > 0.0).await;
    asked(simulator)
}

#[tokio::test]
async fn near_scans_ask_for_few_devices_before_and_after_a_restart_and_a_reload() {
    let fleet = Fleet::new(5, wall_seconds()).with_product(DEVICES as u64, true);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let mut daemon = Daemon::prepared(&configured(&simulator), &environment(&simulator));
    daemon.start();
    daemon.until(&proven("near"), |at| at > 0.0).await;
    daemon.until(&proven("all"), |at| at > 0.0).await;
    assert_eq!(asked(&simulator).len(), DEVICES, "every device, once");

    simulator.log().clear();
    let due = near_scans(&daemon, &simulator).await;
    assert!((1..DEVICES / 2).contains(&due.len()), "{}", due.len());

    assert!(daemon.stop().await.success());
    simulator.log().clear();
    daemon.start();
    assert_eq!(near_scans(&daemon, &simulator).await, due, "after a restart");

    simulator.log().clear();
    daemon.signal("HUP");
    let reloaded = "notafter_config_last_reload_success_timestamp_seconds";
    daemon.until(reloaded, |at| at > 0.0).await;
    assert_eq!(near_scans(&daemon, &simulator).await, due, "after a reload");
}

//! The whole daemon, as a process, against the simulated clouds and chat services.

use std::time::Duration;

use crate::harness::{Daemon, configuration, environment};
use simulator::fleet::{Fleet, Instance};
use simulator::{ORG, Setup, Simulator, clock};

async fn simulator(rows: u64) -> Simulator {
    let fleet = Fleet::new(7, clock::wall_seconds())
        .with(Instance::new("mqtt-a", rows))
        .with_ssl(60)
        .with_product(20, true);
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

#[tokio::test]
async fn certificates_in_gauges_and_alerts_out() {
    let simulator = simulator(2000).await;
    let mut daemon = Daemon::prepared(&configuration(&simulator), &environment(&simulator));
    daemon.start();
    daemon.ready().await;
    for (source, scope) in [("iot", "mqtt-a"), ("web", "all"), ("plant", ORG)] {
        let proven = format!(
            "notafter_source_last_proven_scan_timestamp_seconds{{source=\"{source}\",scope=\"{scope}\",window=\"all\"}}"
        );
        daemon.until(&proven, |at| at > 0.0).await;
    }
    let known =
        simulator.mqtt().truth("mqtt-a").len() + simulator.mqtt().authorities("mqtt-a").len();
    let reported = "notafter_source_reported_certificates{source=\"iot\",scope=\"mqtt-a\"}";
    let known = u32::try_from(known).unwrap();
    daemon.until(reported, |count| (count - f64::from(known)).abs() < 0.5).await;

    let both = |seen: &[simulator::chat::Received]| {
        let rooms: std::collections::BTreeSet<_> = seen.iter().map(|one| &one.room).collect();
        rooms.len() == 2
    };
    let received = simulator.chat().wait_for(Duration::from_secs(30), both).await;
    assert!(received.is_ok(), "both rooms are notified: {received:?}");
    let (status, page) = daemon.get("/").await.unwrap();
    assert_eq!(status, 200);
    assert!(
        page.contains("href=\"/sources/iot\"") && page.contains("What needs somebody"),
        "{page}"
    );
    assert!(daemon.stop().await.success(), "{}", daemon.log());
}

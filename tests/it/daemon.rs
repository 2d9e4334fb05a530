//! The whole daemon, as a process, against the simulated clouds and chat services.

use std::time::Duration;

use crate::harness::{Daemon, configuration, environment, eventually};
use crate::simulator::fleet::{Fleet, Instance};
use crate::simulator::{Setup, Simulator};

fn now() -> i64 {
    chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp()
}

async fn simulator(rows: u64) -> Simulator {
    let fleet = Fleet::new(7, now())
        .with(Instance::new("mqtt-a", rows))
        .with_ssl(60)
        .with_product(20, true);
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

#[tokio::test]
async fn real_certificates_in_gauges_and_alerts_out() {
    let simulator = simulator(2000).await;
    let mut daemon = Daemon::prepared(&configuration(&simulator), &environment(&simulator));
    daemon.start();
    daemon.ready().await;
    for (source, scope) in [("iot", "mqtt-a"), ("web", "all"), ("plant", "o15000000000001")] {
        let series = format!(
            "notafter_source_last_proven_scan_timestamp_seconds{{source=\"{source}\",scope=\"{scope}\",window=\"all\"}}"
        );
        daemon.until(&series, |at| at > 0.0).await;
    }
    daemon.until("notafter_source_up{source=\"iot\"}", |up| up == 1.0).await;
    let received =
        simulator.chat().wait_for(Duration::from_secs(30), |messages| !messages.is_empty()).await;
    assert!(received.is_ok(), "no message arrived\n{}", daemon.log());
    eventually("a page", async || daemon.get("/").await.filter(|(status, _)| *status == 200)).await;
    let (_, body) = daemon.get("/metrics").await.unwrap();
    println!(
        "{}",
        body.lines()
            .filter(|l| !l.contains("certificate_info")
                && !l.contains("certificate_not_after")
                && !l.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
    );
    for message in received.unwrap() {
        println!("{:?}: {}", message.service, message.text);
    }
    println!("{}", daemon.log());
    assert!(daemon.stop().await.success());
}

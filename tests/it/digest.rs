//! The daily digest of a real daemon, over `kill -9`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::chat::Service;
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, route, webhook};

/// Returns every digest that arrived: its instant, its id and what it says.
fn digests(simulator: &Simulator) -> Vec<(String, String, Value)> {
    let messages = simulator.chat().received().into_iter();
    let webhooks = messages.filter(|message| message.service == Service::Webhook);
    let daily = webhooks.filter(|message| message.body["type"] == "digest.daily");
    daily
        .map(|message| {
            let data = &message.body["data"];
            let text = |key: &str| data[key].as_str().unwrap().to_owned();
            (text("scheduled_at"), text("id"), data.clone())
        })
        .collect()
}

#[tokio::test]
async fn each_instant_is_said_once_over_kills_and_silence_is_said_as_well() {
    let simulator = Simulator::start(Setup::new(Fleet::new(7, wall_seconds()))).await.unwrap();
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let source = format!(
        "[[source]]\nname = \"machine\"\nkind = \"files\"\nschedule = \"every 1s\"\n\
         [source.options]\npaths = [\"{}/*.pem\"]\n",
        daemon.folder.path().display()
    );
    let certificate = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    std::fs::write(daemon.folder.path().join("a.pem"), certificate.cert.pem()).unwrap();
    let parts = [
        "[digest]\nschedule = \"*/3 * * * * *\"\nchannels = [\"ops\"]\n",
        &source,
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
        "[alerts]\ngroup_wait = \"0s\"\n",
    ];
    daemon.configure(&parts.concat());
    for round in 1..=3 {
        daemon.start();
        let wanted = 2 * round;
        eventually("digests are said", async || {
            (digests(&simulator).len() >= wanted).then_some(())
        })
        .await;
        daemon.kill();
    }
    daemon.start();
    let last = "notafter_digest_last_success_timestamp_seconds{channel=\"ops\"}";
    daemon.until(last, |at| at > 0.0).await;
    let said = digests(&simulator);
    let mut ids = BTreeMap::new();
    for (instant, id, _) in &said {
        assert_eq!(ids.entry(instant).or_insert(id), &id, "one instant has one id");
    }
    let distinct: std::collections::BTreeSet<_> = ids.values().collect();
    assert_eq!(distinct.len(), ids.len());
    let newest = &said.last().unwrap().2;
    assert_eq!((&newest["schema"], &newest["total"]), (&"notafter.digest/1".into(), &1.into()));
    assert_eq!(newest["next"]["certificate"]["not_after"], "4096-01-01T00:00:00Z");
    assert_eq!(newest["unproven"], Value::Array(Vec::new()));
    let (status, now) = daemon.get("/api/v1/digest").await.unwrap();
    let now: Value = serde_json::from_str(&now).unwrap();
    assert_eq!((status, &now["total"]), (200, &1.into()));
    assert!(now["scheduled_at"].is_string(), "{now}");
    assert!(daemon.stop().await.success());
}

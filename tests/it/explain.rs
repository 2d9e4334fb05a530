//! The story of a certificate and what happened, as an operator asks for them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, mqtt, route, webhook};
use simulator::Simulator;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};

async fn daemon() -> (Simulator, Daemon) {
    let fleet = Fleet::new(7, wall_seconds()).with(Instance::new("mqtt-a", 60));
    let simulator = Simulator::start(simulator::Setup::new(fleet)).await.unwrap();
    let parts = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &mqtt(&simulator, "iot", "every 2s", "requests_per_second = 1000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ];
    let daemon = Daemon::prepared(&parts.concat(), &environment(&simulator));
    (simulator, daemon)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns a certificate whose expiry was told of, by what the outbox says.
async fn told_of(daemon: &Daemon) -> (String, String) {
    let sent = eventually("a message is sent", async || {
        let (_, sent) = daemon.get("/api/v1/outbox?state=sent").await?;
        let sent: Value = serde_json::from_str(&sent).unwrap();
        sent["items"].as_array().unwrap().iter().find_map(|it| {
            it["kind"].as_str()?.strip_prefix("certificate.")?;
            Some((it["certificate"].as_str()?.to_owned(), it["message"].as_str()?.to_owned()))
        })
    });
    sent.await
}

#[tokio::test]
async fn a_certificate_is_explained_and_what_happened_is_told_with_and_without_a_daemon() {
    let (_simulator, mut daemon) = daemon().await;
    daemon.start();
    daemon
        .until("notafter_notifications_total{outcome=\"delivered\",channel=\"ops\"}", |n| n > 0.0)
        .await;
    daemon.drained("ops").await;
    let (id, message) = told_of(&daemon).await;

    let explained = async |daemon: &Daemon, named: &[&str]| {
        let ran = daemon.run(&[&["explain", "--format", "json"], named].concat()).await;
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str::<Vec<Value>>(&ran.out).unwrap()
    };
    let by_id = explained(&daemon, &[&id]).await;
    let [story] = &by_id[..] else { panic!("{by_id:?}") };
    assert_eq!(story["certificate"]["id"], id.as_str());
    let serial = story["certificate"]["serial"].as_str().unwrap().to_owned();
    let of_message =
        story["messages"].as_array().unwrap().iter().find(|it| it["message"] == message.as_str());
    assert_eq!(of_message.unwrap()["state"], "sent");
    // Of an authority it may have been said as well that it ends before what it signed.
    let decisions = story["decisions"].as_array().unwrap();
    assert!(decisions.iter().any(|it| it["reason"] == "first_sight"), "{decisions:#?}");
    assert_eq!(story["reason"], "already_said");
    assert_eq!(story["scans"][0]["proven"], true);
    let by_serial = explained(&daemon, &[&serial, "--source", "iot"]).await;
    assert!(by_serial.iter().any(|it| it["certificate"]["id"] == id.as_str()));
    let text = daemon.run(&["explain", &id]).await;
    for part in [serial.as_str(), "ladder", "expired", "already_said", "ops", message.as_str()] {
        assert!(text.out.contains(part), "{part} is not in\n{}", text.out);
    }
    let nobody = daemon.run(&["explain", "no-such-serial"]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("no certificate that is known fits"), "{}", nobody.err);

    let audit = daemon.run(&["audit", "--since", "7d", "--format", "json"]).await;
    let kinds: Vec<_> =
        lines(&audit.out).iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect();
    for kind in ["start", "scan", "decision", "send"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind} is not in\n{}", audit.out);
    }
    daemon.signal("HUP");
    eventually("the reload is written down", async || {
        let audit = daemon.run(&["audit", "--format", "json"]).await;
        lines(&audit.out).into_iter().find(|it| it["kind"] == "reload")
    })
    .await;

    assert!(daemon.stop().await.success());
    let alone = explained(&daemon, &[&id]).await;
    assert_eq!(alone[0]["messages"], story["messages"]);
    assert_eq!(alone[0]["reason"], "already_said");
    let audit = daemon.run(&["audit", "--format", "json"]).await;
    assert_eq!(lines(&audit.out).last().unwrap()["kind"], "stop", "{}", audit.out);
    let about = daemon.run(&["audit", "--certificate", &id, "--format", "json"]).await;
    assert!(lines(&about.out).iter().all(|it| it["certificate"] == id.as_str()), "{}", about.out);
}

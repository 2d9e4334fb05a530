//! `notafter canary`: a certificate that does not exist goes the whole way, and real ones never notice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::write;
use std::process::Stdio;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use simulator::chat::{Fault, Service};
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

use crate::harness::{Daemon, Heard, Ran, environment, eventually, heard};
use crate::written::{SIGNED, route, source, webhook};

/// A daemon with a certificate that expires in 300 days, and nothing to say. Others wait long for each other.
async fn started() -> (Simulator, Daemon) {
    let simulator = Simulator::start(Setup::new(Fleet::new(7, wall_seconds()))).await.unwrap();
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let now = Duration::from_secs(u64::try_from(wall_seconds()).unwrap());
    params.not_after = (std::time::UNIX_EPOCH + now + Duration::from_hours(24 * 300)).into();
    let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let place = daemon.folder.path().join("a.pem");
    write(&place, pem).unwrap();
    let paths = format!("paths = [{:?}]", place.display().to_string());
    let parts = [
        "[alerts]\ngroup_wait = \"1h\"\n",
        &source("files", "machine", "every 1s", &paths),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ];
    daemon.configure(&parts.concat());
    daemon.start();
    // Everything that is counted is shown once it was decided what is to be said.
    let rung = "notafter_alerts_active{source=\"machine\",scope=\"all\",rung=\"expired\"}";
    daemon.until(rung, |_| true).await;
    (simulator, daemon)
}

fn canaries(simulator: &Simulator) -> Vec<Heard> {
    heard(simulator).into_iter().filter(|one| one.kind == "canary").collect()
}

fn assert_exit(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "stdout:\n{}\nstderr:\n{}", ran.out, ran.err);
}

/// Returns the lines of a scrape that count certificates, and what pages somebody.
async fn counted(daemon: &Daemon) -> Vec<String> {
    let (_, body) = daemon.get("/metrics").await.unwrap();
    let is_counted = |line: &&str| {
        ["certificate", "alerts_active", "source_rows", "notifications_dead", "channel_up"]
            .iter()
            .any(|name| line.starts_with(&format!("notafter_{name}")))
            && !line.contains("remaining_seconds")
    };
    body.lines().filter(is_counted).map(str::to_owned).collect()
}

#[tokio::test]
async fn each_stage_is_printed_and_no_certificate_is_counted() {
    let (simulator, daemon) = started().await;
    let before = counted(&daemon).await;
    assert!(!before.is_empty());
    let ran = daemon.run(&["canary"]).await;
    assert_exit(&ran, 0);
    let stages: Vec<&str> =
        ran.out.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(stages, ["sighting", "inventory", "plan", "outbox", "channel", "removed", "a"]);
    assert!(ran.out.contains("channel ops  passed"), "{}", ran.out);
    assert!(ran.out.ends_with("a test certificate of machine: it arrived\n"), "{}", ran.out);

    let [one] = &canaries(&simulator)[..] else { panic!("{:?}", heard(&simulator)) };
    assert_eq!(one.id, one.message, "alone in its message");
    assert!(one.serial.starts_with("canary-"), "{one:?}");
    let received = simulator.chat().received();
    let data = &received.last().unwrap().body["data"];
    assert_eq!((&data["test"], &data["severity"]), (&true.into(), &"info".into()), "{data}");
    assert!(data["seconds_left"].as_i64().unwrap() <= 600, "{data}");

    assert_eq!(counted(&daemon).await, before);
    let (_, scrape) = daemon.get("/metrics").await.unwrap();
    assert!(!scrape.contains(&one.serial), "no series of its own");
    assert!(scrape.contains("notafter_events_total{kind=\"canary\",reason=\"asked\"} 1"));
    let (_, list) = daemon.get("/api/v1/certificates").await.unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["total"], 1, "{list}");
    let (_, alerts) = daemon.get("/api/v1/alerts").await.unwrap();
    assert!(!alerts.contains("canary"), "{alerts}");
    let (_, page) = daemon.get("/notifications").await.unwrap();
    assert!(page.contains("notafter-canary") && !page.contains("href=\"/certificates/"), "{page}");
    // What is decided is written down with the next transaction.
    let audited = eventually("it is written down", async || {
        let ran = daemon.run(&["audit", "--format", "json"]).await;
        Some(ran.out).filter(|out| out.contains("\"canary\""))
    });
    assert!(audited.await.contains("\"asked\""));

    let unknown = daemon.run(&["canary", "--source", "nobody"]).await;
    assert_exit(&unknown, 1);
    assert!(unknown.err.contains("no source has this name (known: machine)"), "{}", unknown.err);
    let json = daemon.run(&["canary", "--source", "machine", "--format", "json"]).await;
    assert_exit(&json, 0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["passed"], &json["stages"][4]["channel"]), (&true.into(), &"ops".into()));
    let ids: Vec<_> = canaries(&simulator).into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_channel_that_refuses_is_named_with_its_reason_and_nothing_follows() {
    let (simulator, daemon) = started().await;
    let before = counted(&daemon).await;
    simulator.chat().fail_always(Service::Webhook, Fault::Http(403));
    let ran = daemon.run(&["canary"]).await;
    assert_exit(&ran, 1);
    let line = ran.out.lines().find(|line| line.starts_with("channel ops")).unwrap();
    assert!(line.contains("FAILED") && line.contains("403"), "{line}");
    assert!(ran.out.contains("\nremoved "), "{}", ran.out);
    assert_eq!(counted(&daemon).await, before, "it pages nobody");
    let list = daemon.run(&["outbox", "list", "--format", "json"]).await;
    assert_eq!(list.out.trim(), "[]", "{}", list.out);
    simulator.chat().heal(Service::Webhook);
    let ran = daemon.run(&["canary"]).await;
    assert_exit(&ran, 0);
    assert_eq!(canaries(&simulator).len(), 1, "the one that failed is not repeated");
}

#[tokio::test]
async fn a_kill_on_the_way_leaves_nothing_and_repeats_nothing() {
    let (simulator, mut daemon) = started().await;
    simulator.chat().fail(Service::Webhook, Fault::Hang);
    let mut asking = tokio::process::Command::from(daemon.command(&["canary"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let first =
        eventually("it is on its way", async || canaries(&simulator).into_iter().next()).await;
    let second = daemon.run(&["canary"]).await;
    assert_exit(&second, 1);
    assert!(second.err.contains("another canary is on its way"), "{}", second.err);
    daemon.kill();
    assert!(!asking.wait().await.unwrap().success());
    let alone = daemon.run(&["canary"]).await;
    assert_exit(&alone, 1);
    assert!(alone.err.contains("no daemon answers on its control socket"), "{}", alone.err);

    daemon.start();
    daemon.ready().await;
    daemon.drained("ops").await;
    let list = daemon.run(&["outbox", "list", "--format", "json"]).await;
    assert_eq!(list.out.trim(), "[]", "{}", list.out);
    let (_, known) = daemon.get("/api/v1/certificates").await.unwrap();
    assert!(!known.contains("canary"), "{known}");
    let ran = daemon.run(&["canary"]).await;
    assert_exit(&ran, 0);
    let all = canaries(&simulator);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_ne!((&all[1].id, &all[1].serial), (&first.id, &first.serial));
    assert!(daemon.stop().await.success());
}

//! `notafter snooze`, with a daemon and without, and over `kill -9`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{copy, write};

use rcgen::{CertificateParams, KeyPair, SerialNumber};
use serde_json::Value;
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

use crate::harness::{Daemon, environment, eventually, heard};
use crate::written::{SIGNED, route, webhook};

/// A certificate that expires in five days.
fn certificate(serial: u64) -> String {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    let now = std::time::Duration::from_secs(u64::try_from(wall_seconds()).unwrap());
    params.not_after = (std::time::UNIX_EPOCH + now + FIVE_DAYS).into();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

const FIVE_DAYS: std::time::Duration = std::time::Duration::from_hours(24 * 5);

async fn prepared() -> (Simulator, Daemon) {
    let simulator = Simulator::start(Setup::new(Fleet::new(7, wall_seconds()))).await.unwrap();
    let daemon = Daemon::prepared("", &environment(&simulator));
    let folder = daemon.folder.path();
    write(folder.join("a.pem"), certificate(0x0a01)).unwrap();
    write(folder.join("b.pem"), certificate(0x0b01)).unwrap();
    copy(folder.join("b.pem"), folder.join("c.pem")).unwrap();
    let source = format!(
        "[[source]]\nname = \"machine\"\nkind = \"files\"\nschedule = \"every 1s\"\n\
         [source.options]\npaths = [\"{}/*.pem\"]\n",
        folder.display()
    );
    let parts = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &source,
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ];
    daemon.configure(&parts.concat());
    (simulator, daemon)
}

fn said(simulator: &Simulator, serial: &str) -> Vec<String> {
    let all = heard(simulator).into_iter().filter(|one| one.serial == serial);
    all.map(|one| one.id).collect()
}

#[tokio::test]
async fn a_snooze_is_made_listed_kept_over_a_kill_and_ended_and_says_what_stands() {
    let (simulator, mut daemon) = prepared().await;
    daemon.start();
    eventually("both are said", async || (said(&simulator, "0b01").len() == 2).then_some(())).await;
    let add = ["snooze", "add", "0a01", "--for", "7d", "--reason", "moving", "--author", "ann"];
    let made = daemon.run(&add).await;
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    assert!(made.out.starts_with("quiet until "), "{}", made.out);
    daemon.until("notafter_snoozed_certificates", |count| count > 0.0).await;
    daemon.kill();
    let alone = daemon.run(&["snooze", "list", "--format", "json"]).await;
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    daemon.start();
    daemon.ready().await;
    let list = daemon.run(&["snooze", "list", "--format", "json"]).await;
    assert_eq!(list.out, alone.out, "the store says what the daemon says");
    let snoozes: Value = serde_json::from_str(&list.out).unwrap();
    let snooze = &snoozes[0];
    assert_eq!((&snooze["author"], &snooze["reason"]), (&"ann".into(), &"moving".into()));
    let (_, known) = daemon.get("/api/v1/certificates?snoozed=true").await.unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["items"][0]["snoozed_until"], snooze["until"], "{known}");
    assert_eq!((&known["total"], &known["items"][0]["id"]), (&1.into(), &snooze["certificate"]));
    assert_eq!(said(&simulator, "0a01").len(), 1);
    let ended = daemon.run(&["snooze", "end", snooze["id"].as_str().unwrap()]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    eventually("what stands is said", async || (said(&simulator, "0a01").len() == 2).then_some(()))
        .await;
    let ids = said(&simulator, "0a01");
    assert_ne!(ids[0], ids[1]);
    assert_eq!(said(&simulator, "0b01").len(), 2, "nothing else is said again");
    let again = daemon.run(&["snooze", "end", snooze["id"].as_str().unwrap()]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("no snooze with this id holds"), "{}", again.err);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_is_not_clear_changes_nothing_and_without_a_daemon_it_says_so() {
    let (_simulator, mut daemon) = prepared().await;
    for writes in
        [&["snooze", "end", "x"][..], &["snooze", "add", "0b01", "--for", "7d", "--reason", "r"]]
    {
        let ran = daemon.run(writes).await;
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("only a daemon that runs may change something"), "{}", ran.err);
    }
    daemon.start();
    daemon.until("notafter_source_up{source=\"machine\"}", |up| up > 0.0).await;
    let more = ["--for", "7d", "--reason", "moving"];
    let add = async |what: &[&str]| daemon.run(&[&["snooze", "add"], what, &more].concat()).await;
    let several = add(&["0b01"]).await;
    assert_eq!(several.code, Some(1), "{}", several.out);
    assert!(several.err.contains("2 certificates have this serial"), "{}", several.err);
    assert!(several.out.contains("/b.pem") && several.out.contains("/c.pem"), "{}", several.out);
    let unknown = add(&["0c01"]).await;
    assert!(unknown.err.contains("no certificate has this serial or id"), "{}", unknown.err);
    let wrong = add(&["--match", "colour=red"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert_eq!(add(&["0a01", "--match", "source=machine"]).await.code, Some(2));
    let none = daemon.run(&["snooze", "list"]).await;
    assert_eq!(none.out, "nothing is snoozed\n");
    let place = daemon.folder.path().join("c.pem").display().to_string();
    let placed = add(&["0b01", "--place", &place]).await;
    assert_eq!(placed.code, Some(0), "{}", placed.err);
    let by_match = add(&["--match", "source=mach*,kind=server"]).await;
    assert_eq!(by_match.code, Some(0), "{}", by_match.err);
    let table = daemon.run(&["snooze", "list"]).await;
    assert!(table.out.contains("kind=server,source=mach*"), "{}", table.out);
    assert_eq!(table.out.lines().count(), 3);
    assert!(daemon.stop().await.success());
}

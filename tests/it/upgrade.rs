//! The daemon on the store of an earlier release: it says nothing again, and delivers what was still to be delivered.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Daemon, environment, eventually, heard};
use crate::written::{SIGNED, enos, mqtt, route, source, ssl, webhook};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::Fleet;
use simulator::{Service, Setup, Simulator};

const ROOMS: [&str; 3] = ["audit", "night", "ops"];

/// What the release of `4d1c0c4` left behind; `tests/fixtures/README.md` tells how.
const STORE: &str = include_str!("../fixtures/stores/4d1c0c4/store.sql");

/// Room, serial, rung.
type Rung = (String, String, String);

/// Returns the rungs in a store, in deliveries that are in a state.
fn rungs(store: &rusqlite::Connection, state: &str) -> BTreeSet<Rung> {
    let text = "SELECT channel, body FROM delivery JOIN event ON number = event WHERE state = ?1";
    let mut query = store.prepare(text).unwrap();
    let rows = query.query_map([state], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
    let rung = |(room, body): (String, String)| {
        let event: Value = serde_json::from_str(&body).unwrap();
        let expiring = &event["topic"]["expiring"];
        let serial = expiring["facts"]["serial"].as_str()?.to_owned();
        let label = match expiring["rung"].as_u64()? {
            0 => "expired".to_owned(),
            seconds => format!("{}d", seconds / 86_400),
        };
        Some((room, serial, label))
    };
    rows.unwrap().map(Result::unwrap).filter_map(rung).collect()
}

/// Writes the store, and the files that it knows, into the folder of a daemon.
fn left_behind(folder: &Path) -> rusqlite::Connection {
    let store = rusqlite::Connection::open(folder.join("notafter.db")).unwrap();
    store.execute_batch(STORE).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores/4d1c0c4");
    for of in ["certificates", "certificates/copies"] {
        std::fs::create_dir(folder.join(of)).unwrap();
        for entry in std::fs::read_dir(fixture.join(of)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.join(of).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    store
}

fn configuration(simulator: &Simulator, folder: &Path) -> String {
    let paths = format!("paths = [\"{}/certificates/**/*.pem\"]", folder.display());
    let rooms = ROOMS.map(|room| webhook(room, &format!("{}_URL", room.to_uppercase()), SIGNED));
    [
        "[alerts]\ngroup_wait = \"1s\"\n".to_owned(),
        source("files", "host", "every 1s", &paths),
        mqtt(simulator, "iot", "every 1h", ""),
        ssl(simulator, "web", "every 1h", ""),
        enos(simulator, "plant", "every 1h", ""),
        rooms.concat(),
        route(&ROOMS),
    ]
    .concat()
}

#[tokio::test]
async fn an_upgrade_says_nothing_again_and_delivers_what_was_pending() {
    let simulator = Simulator::start(Setup::new(Fleet::new(1, wall_seconds()))).await.unwrap();
    // What the clouds held then is not there any more: they are away.
    for service in [Service::Mqtt, Service::Ssl, Service::Enos] {
        simulator.fault(service, Fault::Status(503), Times::Always);
    }
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    for room in ROOMS {
        let url = format!("{}/webhook/{room}", simulator.chat_url());
        daemon.set(&format!("{}_URL", room.to_uppercase()), url);
    }
    let store = left_behind(daemon.folder.path());
    let (sent, pending) = (rungs(&store, "sent"), rungs(&store, "pending"));
    assert_eq!((sent.len(), pending.len()), (52, 5));
    drop(store);
    daemon.configure(&configuration(&simulator, daemon.folder.path()));
    daemon.start();
    eventually("the files were read often enough", async || {
        let log = daemon.log();
        let polls = log.lines().filter(|line| {
            line.contains("the poll ended")
                && line.contains("source=host")
                && line.contains("proven=true")
        });
        (polls.count() >= 3).then_some(())
    })
    .await;
    for room in ROOMS {
        daemon.drained(room).await;
    }
    let heard = heard(&simulator);
    let again: Vec<_> = heard
        .iter()
        .filter(|one| sent.contains(&(one.room.clone(), one.serial.clone(), one.rung.clone())))
        .collect();
    assert!(again.is_empty(), "said again: {again:?}");
    let ended = |kind: &str| ["certificate.renewed", "certificate.gone"].contains(&kind);
    assert!(!heard.iter().any(|one| ended(&one.kind)), "nothing ended: {heard:?}");
    for (room, serial, rung) in pending {
        // It may have crossed a tighter one since.
        let told = heard.iter().any(|one| one.room == room && one.serial == serial);
        assert!(told, "{room} never heard of {serial}, which was on {rung}: {heard:?}");
    }
    let rows = daemon.run(&["list", "--format", "json"]).await;
    let known: Value = serde_json::from_str(&rows.out).unwrap();
    let places = known.as_array().map_or(0, |all| {
        all.iter().filter(|one| one["place"].as_str().is_some_and(|at| !at.is_empty())).count()
    });
    let said = "the store is brought up to date";
    assert_eq!(daemon.log().matches(said).count(), 1, "and how to keep a copy");
    assert_eq!(places, 6, "five certificates, one of them in two places");
    assert!(daemon.stop().await.success());
}

//! Power cuts at random points: nothing is lost, and nothing is sent twice under another id.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::harness::{Daemon, Heard, environment, eventually, heard};
use crate::written::{SIGNED, critical_route, mqtt, route, webhook};
use simulator::chat::{Fault as ChatFault, Service as ChatService};
use simulator::clock::wall_seconds;
use simulator::fleet::{DAY, Fleet, Instance, Truth};
use simulator::mqtt::Status;
use simulator::{Service, Setup, Simulator};

const INSTANCE: &str = "mqtt-a";
const LIST: &str = "DescribeDeviceCertificates";
const KILLS: usize = 20;
/// A life without anything to wait for ends after this.
const LONGEST_LIFE: Duration = Duration::from_secs(3);

/// Thresholds in days with their rungs, tightest first.
const LADDER: [(i64, &str); 6] =
    [(0, "expired"), (1, "1d"), (3, "3d"), (7, "7d"), (14, "14d"), (30, "30d")];

fn instance(rows: u64) -> Instance {
    // One CA and nothing but active rows, so that a certificate that is renewed has a successor.
    let ends = (-3 * DAY, 700 * DAY);
    Instance { cas: 1, mixed: false, one_instant_every: 0, ends, ..Instance::new(INSTANCE, rows) }
}

async fn simulator(rows: u64) -> Simulator {
    let fleet = Fleet::new(11, wall_seconds()).with(instance(rows));
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn daemon(simulator: &Simulator, full_scan: &str) -> Daemon {
    let options = format!("requests_per_second = 10000\nfull_scan = \"{full_scan}\"");
    let config = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &mqtt(simulator, "iot", "every 1s", &options),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &webhook("audit", "AUDIT_URL", SIGNED),
        &critical_route(&["audit"]),
        &route(&["ops"]),
    ]
    .concat();
    let mut environment = environment(simulator);
    environment.push(("AUDIT_URL", format!("{}/webhook/audit", simulator.chat_url())));
    Daemon::prepared(&config, &environment)
}

type Identity = (String, String);

/// A certificate as store and truth both have it.
type Kept = (String, String, Option<i64>, i64, String, String, String);

fn truth(simulator: &Simulator) -> Vec<Truth> {
    let mut all = simulator.mqtt().truth(INSTANCE);
    // A CA is presented under its own name.
    let authorities = simulator.mqtt().authorities(INSTANCE).into_iter();
    all.extend(authorities.map(|it| Truth { holder: it.common_name.clone(), ..it }));
    all
}

fn code(status: &str) -> i64 {
    let words = ["ACTIVE", "INACTIVE", "PENDING_ACTIVATION", "REVOKED"];
    i64::try_from(words.iter().position(|word| *word == status).unwrap()).unwrap()
}

fn true_rows(simulator: &Simulator) -> Vec<Kept> {
    let row = |it: Truth| {
        let status = code(&it.status);
        (it.issuer, it.serial, it.not_after, status, it.holder, it.common_name, it.unit)
    };
    let mut rows: Vec<Kept> = truth(simulator).into_iter().map(row).collect();
    rows.sort();
    rows
}

/// Reads what the store has, beside a daemon that may be running.
fn stored_rows(daemon: &Daemon) -> Vec<Kept> {
    let path = daemon.folder.path().join("notafter.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    let text = "SELECT issuer, serial, not_after, provider_status, holder, common_name, unit FROM certificate";
    let mut query = store.prepare(text).unwrap();
    let rows = query.query_map([], |row| {
        let narrow = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((narrow.0, narrow.1, narrow.2, narrow.3, row.get(4)?, row.get(5)?, row.get(6)?))
    });
    let mut rows: Vec<Kept> = rows.unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

fn superseded(rows: &[Truth]) -> BTreeSet<Identity> {
    let mut latest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let active = |row: &&Truth| row.status == "ACTIVE" && !row.holder.is_empty();
    for row in rows.iter().filter(active) {
        let end = latest.entry((&row.holder, &row.issuer)).or_insert(i64::MIN);
        *end = (*end).max(row.not_after.unwrap_or(i64::MIN));
    }
    let is_old = |row: &&Truth| {
        let last = latest.get(&(row.holder.as_str(), row.issuer.as_str()));
        row.not_after.is_some() && last > row.not_after.as_ref()
    };
    let old = rows.iter().filter(active).filter(is_old);
    old.map(|row| (row.issuer.clone(), row.serial.clone())).collect()
}

/// Returns what must have been notified by now: room, serial, rung.
fn due(rows: &[Truth], now: i64) -> BTreeSet<(String, String, String)> {
    let old = superseded(rows);
    let mut due = BTreeSet::new();
    for row in rows.iter().filter(|row| row.status == "ACTIVE") {
        let Some(end) = row.not_after else { continue };
        let crossed = LADDER.iter().find(|(days, _)| now >= end - days * DAY);
        let Some((days, rung)) = crossed else { continue };
        if old.contains(&(row.issuer.clone(), row.serial.clone())) {
            continue;
        }
        let mut rooms = vec!["ops"];
        rooms.extend((*days <= 3).then_some("audit"));
        due.extend(
            rooms.into_iter().map(|room| (room.to_owned(), row.serial.clone(), (*rung).to_owned())),
        );
    }
    due
}

fn rungs_notified(heard: &[Heard]) -> BTreeSet<(String, String, String)> {
    let notified = heard.iter().filter(|event| !event.rung.is_empty());
    notified.map(|event| (event.room.clone(), event.serial.clone(), event.rung.clone())).collect()
}

/// Returns the renewed notices that are still owed: to each room that was notified of the old certificate.
fn owed(rows: &[Truth], heard: &[Heard]) -> BTreeSet<(String, String)> {
    let old: BTreeSet<String> = superseded(rows).into_iter().map(|(_, serial)| serial).collect();
    let of = |renewed: bool| -> BTreeSet<(String, String)> {
        let events = heard.iter().filter(|event| (event.kind == "certificate.renewed") == renewed);
        events
            .filter(|event| old.contains(&event.serial))
            .map(|event| (event.room.clone(), event.serial.clone()))
            .collect()
    };
    of(false).difference(&of(true)).cloned().collect()
}

/// What is sent is sent under one id, in one message, no more often than there were kills, and in order.
fn assert_sent_once(heard: &[Heard], kills: usize) {
    let mut ids: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    let mut messages: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    let mut arrivals: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
    for event in heard {
        if !event.serial.is_empty() {
            let what = (&event.room, &event.kind, &event.serial, &event.rung);
            ids.entry(what).or_default().insert(&event.id);
        }
        messages.entry((&event.room, &event.id)).or_default().insert(&event.message);
        arrivals.entry((&event.room, &event.message)).or_default().insert(event.place);
    }
    for (what, ids) in ids {
        assert_eq!(ids.len(), 1, "{what:?} was sent as several events: {ids:?}");
    }
    for (what, messages) in messages {
        assert_eq!(messages.len(), 1, "{what:?} was sent in several messages: {messages:?}");
    }
    let mut repeats: BTreeMap<&str, usize> = BTreeMap::new();
    for ((room, _), places) in arrivals {
        *repeats.entry(room).or_default() += places.len() - 1;
    }
    for (room, repeats) in repeats {
        assert!(repeats <= kills, "{room}: {repeats} repeats after {kills} kills");
    }
    for renewed in heard.iter().filter(|event| event.kind == "certificate.renewed") {
        let notified = |event: &&Heard| {
            let same = (&event.room, &event.serial) == (&renewed.room, &renewed.serial);
            same && !event.rung.is_empty() && event.place <= renewed.place
        };
        assert!(
            heard.iter().any(|event| notified(&event)),
            "renewed and never notified: {renewed:?}"
        );
    }
}

/// Waits until everything is as it must be in the end, and names what is not.
async fn assert_settled(simulator: &Simulator, daemon: &Daemon) {
    let missing = || {
        let (rows, heard) = (truth(simulator), heard(simulator));
        let due = due(&rows, wall_seconds());
        let unnotified: Vec<_> = due.difference(&rungs_notified(&heard)).cloned().collect();
        (unnotified, owed(&rows, &heard))
    };
    let end = tokio::time::Instant::now() + crate::harness::DEADLINE;
    while missing() != (Vec::new(), BTreeSet::new()) && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(missing(), (Vec::new(), BTreeSet::new()), "not notified (rungs, renewals)");
    let end = tokio::time::Instant::now() + crate::harness::DEADLINE;
    while stored_rows(daemon) != true_rows(simulator) && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (stored, truth) = (stored_rows(daemon), true_rows(simulator));
    let differ = |one: &[Kept], other: &[Kept]| -> Vec<Kept> {
        one.iter().filter(|row| other.binary_search(row).is_err()).take(3).cloned().collect()
    };
    let differences = (differ(&stored, &truth), differ(&truth, &stored));
    assert_eq!(differences, (Vec::new(), Vec::new()), "(only in the store, only in truth)");
    assert_eq!(stored.len(), truth.len());
    daemon.drained("ops").await;
    daemon.drained("audit").await;
}

/// A fleet that changes, chat services that fail, and a daemon that is killed.
struct Chaos {
    simulator: Simulator,
    daemon: Daemon,
    random: StdRng,
    /// Certificates that were changed in a way that ends their story.
    touched: BTreeSet<String>,
}

impl Chaos {
    /// One or two things happen at the provider.
    fn change(&mut self) {
        for _ in 0..self.random.random_range(1..=2) {
            match self.random.random_range(0..6) {
                0 | 1 => self.add_expiring(),
                2 | 3 => self.renew(),
                4 => drop(self.simulator.mqtt().insert(INSTANCE, 2)),
                _ => self.revoke_or_delete(),
            }
        }
    }

    fn add_expiring(&mut self) {
        let ends = [20 * DAY, 10 * DAY, 5 * DAY, 2 * DAY, DAY / 2, -3600, 3 * DAY + 6, DAY + 4];
        let end = wall_seconds() + ends.choose(&mut self.random).unwrap();
        let count = self.random.random_range(1..=3);
        self.simulator.mqtt().insert_ending(INSTANCE, count, end);
    }

    /// Picks a live certificate that somebody was notified of, and that nothing was done to yet.
    fn pick(&mut self) -> Option<u64> {
        let notified: BTreeSet<String> =
            heard(&self.simulator).into_iter().map(|it| it.serial).collect();
        let mqtt = self.simulator.mqtt();
        let live = (0..mqtt.count(INSTANCE)).filter_map(|n| mqtt.nth(INSTANCE, n));
        let usable = live.filter(|index| {
            let serial = mqtt.one(INSTANCE, *index).serial;
            notified.contains(&serial) && !self.touched.contains(&serial)
        });
        let usable: Vec<u64> = usable.collect();
        let index = *usable.choose(&mut self.random)?;
        self.touched.insert(mqtt.one(INSTANCE, index).serial);
        Some(index)
    }

    fn renew(&mut self) {
        if let Some(index) = self.pick() {
            self.simulator.mqtt().renew(INSTANCE, index);
        }
    }

    fn revoke_or_delete(&mut self) {
        let Some(index) = self.pick() else { return };
        if self.random.random() {
            self.simulator.mqtt().set_status(INSTANCE, index, Status::Revoked);
        } else {
            self.simulator.mqtt().delete(INSTANCE, index..index + 1);
        }
    }

    /// The chat services are well, slow, failing or silent.
    fn trouble(&mut self) {
        let chat = self.simulator.chat();
        chat.heal(ChatService::Webhook);
        match self.random.random_range(0..5) {
            0 => {
                chat.fail_always(ChatService::Webhook, ChatFault::Slow(Duration::from_millis(400)));
            }
            1 => chat.fail(ChatService::Webhook, ChatFault::Http(503)),
            2 => chat.fail(ChatService::Webhook, ChatFault::Hang),
            _ => {}
        }
    }

    /// Waits for some point in the daemon's life, and then a little.
    async fn live(&mut self) {
        let point = self.random.random_range(0..6);
        let pages = self.random.random_range(1..40);
        let hits = (self.simulator.log().count(Service::Mqtt, LIST), heard(&self.simulator).len());
        let (simulator, daemon) = (&self.simulator, &self.daemon);
        let renewed = daemon.sample(SUPERSEDED).await.unwrap_or(0.0);
        let reached = eventually("a point to be killed at", async || {
            let now = (simulator.log().count(Service::Mqtt, LIST), heard(simulator).len());
            let there = match point {
                0 => true,
                1 => now.0 >= hits.0 + pages,
                2 | 3 => now.1 > hits.1,
                4 => daemon.get("/-/ready").await.is_some_and(|(status, _)| status == 200),
                _ => daemon.sample(SUPERSEDED).await.unwrap_or(0.0) > renewed,
            };
            there.then_some(())
        });
        // A life in which that point does not come is short.
        drop(tokio::time::timeout(LONGEST_LIFE, reached).await);
        let while_longer = self.random.random_range(0..200);
        tokio::time::sleep(Duration::from_millis(while_longer)).await;
    }
}

const SUPERSEDED: &str =
    "notafter_certificates{source=\"iot\",scope=\"mqtt-a\",kind=\"device\",status=\"superseded\"}";

#[tokio::test]
async fn killed_at_random_points_nothing_is_lost_and_nothing_is_sent_anew() {
    let simulator = simulator(1500).await;
    let daemon = daemon(&simulator, "every 2s");
    let (random, touched) = (StdRng::seed_from_u64(20), BTreeSet::new());
    let mut chaos = Chaos { simulator, daemon, random, touched };
    for _ in 0..KILLS {
        chaos.trouble();
        chaos.daemon.start();
        chaos.change();
        chaos.live().await;
        chaos.daemon.kill();
    }
    chaos.simulator.chat().heal(ChatService::Webhook);
    chaos.daemon.start();
    assert_settled(&chaos.simulator, &chaos.daemon).await;
    assert!(chaos.daemon.stop().await.success());
    let heard = heard(&chaos.simulator);
    assert_sent_once(&heard, KILLS);
    let renewals = heard.iter().filter(|event| event.kind == "certificate.renewed").count();
    assert!(renewals > 0, "the seed renews something that was notified");
}

#[tokio::test]
async fn killed_during_the_first_big_scan_it_still_ends_with_the_truth() {
    let simulator = simulator(12_000).await;
    // What was cut off is read again at the next start, and not when the schedule says.
    let mut daemon = daemon(&simulator, "every 12h");
    let mut random = StdRng::seed_from_u64(3);
    let kills = 6;
    for _ in 0..kills {
        let pages = simulator.log().count(Service::Mqtt, LIST) + random.random_range(1..110);
        daemon.start();
        eventually("some pages are read", async || {
            (simulator.log().count(Service::Mqtt, LIST) >= pages).then_some(())
        })
        .await;
        daemon.kill();
    }
    daemon.start();
    assert_settled(&simulator, &daemon).await;
    assert!(daemon.stop().await.success());
    assert_sent_once(&heard(&simulator), kills);
}

#[tokio::test]
async fn a_renewal_is_notified_although_the_daemon_was_killed_when_it_had_just_seen_it() {
    let simulator = simulator(300).await;
    let mut daemon = daemon(&simulator, "every 2s");
    daemon.start();
    eventually("something is notified", async || (!heard(&simulator).is_empty()).then_some(()))
        .await;
    assert_settled(&simulator, &daemon).await;
    let notified: BTreeSet<String> =
        heard(&simulator).into_iter().map(|event| event.serial).collect();
    let mqtt = simulator.mqtt();
    let indexes: Vec<u64> = (0..mqtt.count(INSTANCE))
        .filter(|index| notified.contains(&mqtt.one(INSTANCE, *index).serial))
        .collect();
    let kills = 5;
    for (already, index) in (0_u32..kills).zip(indexes) {
        mqtt.renew(INSTANCE, index);
        // The row is saved as soon as it is published: from here on nobody will ever see it change again.
        eventually("the old one is superseded", async || {
            daemon.sample(SUPERSEDED).await.filter(|count| *count > f64::from(already))
        })
        .await;
        daemon.kill();
        daemon.start();
        daemon.ready().await;
    }
    assert_settled(&simulator, &daemon).await;
    assert!(daemon.stop().await.success());
    assert_sent_once(&heard(&simulator), usize::try_from(kills).unwrap());
}

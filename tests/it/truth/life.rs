//! What truly happens to certificates and instances, and what is notified of it.

use notafter::facade::expiry::{Facts, Status as Known};

use super::world::{NOW, Sent, World};
use crate::harness::sample;
use simulator::Service;
use simulator::fault::{Fault, Times};
use simulator::fleet::{DAY, Fleet, Instance, X509Mode};
use simulator::mqtt::{NotFound, Status};

const POINT: &str = "DescribeDeviceCertificate";

async fn world(rows: u64) -> World {
    // One authority, so that a renewal is signed by the one that signed before.
    let fleet = Fleet::new(3, NOW)
        .with(Instance { cas: 1, ..Instance::new("mqtt-a", rows) })
        .with_instance("mqtt-b", 200)
        .with(Instance::without_devices("mqtt-t", X509Mode::Tls));
    World::new("tencent-mqtt", fleet).await.with_instances(&["mqtt-a", "mqtt-b"])
}

impl World {
    async fn count(&self, kind: &str) -> usize {
        self.sent("ops").await.count(kind)
    }

    async fn status_of(&self, serial: &str) -> Option<Known> {
        let known = self.known().await;
        known.into_iter().find(|facts| facts.serial == serial).map(|facts| facts.status)
    }
}

fn is_active_device(facts: &Facts) -> bool {
    facts.scope == "mqtt-a" && facts.kind.as_str() == "device" && facts.status == Known::Active
}

/// Returns the serials of the active devices that events are about.
fn devices(sent: &Sent) -> Vec<String> {
    let facts = sent.events.iter().filter_map(|event| event.facts());
    facts.filter(|facts| is_active_device(facts)).map(|facts| facts.serial.clone()).collect()
}

/// Returns where the provider keeps a certificate, as long as none was deleted.
fn index_of(world: &World, serial: &str) -> u64 {
    let mqtt = world.simulator.mqtt();
    let mut indexes = 0..mqtt.count("mqtt-a");
    indexes.find(|index| mqtt.one("mqtt-a", *index).serial == serial).unwrap()
}

#[tokio::test]
async fn half_of_the_certificates_deleted_at_once() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    let sent = world.sent("ops").await.events.len();
    world.simulator.mqtt().delete("mqtt-a", 0..300);
    let known = world.known().await.len();
    world.poll_well("all that is left was seen").await;
    assert_eq!((world.known().await.len(), world.count("inventory.shrunk").await), (known, 1));
    assert_eq!(world.count("inventory.restored").await, 0);
    assert_eq!(world.simulator.log().count(Service::Mqtt, POINT), 0, "frozen: nobody is asked for");
    // The second scan agrees: each is asked for, once now and once after the third.
    world.poll_well("agrees").await;
    assert_eq!(world.known().await.len(), known);
    assert_eq!(world.count("inventory.restored").await, 1);
    world.poll_well("confirms").await;
    assert!(world.is_equal().await);
    world.poll_well("at rest").await;
    assert!(world.is_equal().await);
    let ops = world.sent("ops").await;
    assert_eq!((ops.count("inventory.shrunk"), ops.count("inventory.restored")), (1, 1));
    // Who was notified of one that is gone hears that it is.
    let gone = ops.count("certificate.gone");
    assert_eq!(ops.events.len(), sent + 2 + gone, "nothing else is sent");
    assert!((1..=300).contains(&gone), "{gone}");
}

#[tokio::test]
async fn a_restart_while_a_scope_is_frozen_sends_nothing_and_removes_nothing() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    world.simulator.mqtt().delete("mqtt-a", 0..300);
    world.poll_well("frozen").await;
    let (known, sent) = (world.known().await.len(), world.sent("ops").await.events.len());
    world.restart().await;
    world.poll_well("frozen anew").await;
    assert_eq!(world.known().await.len(), known);
    assert_eq!(world.sent("ops").await.events.len(), sent, "neither again nor taken back");
    for _ in 0..2 {
        world.poll_well("agrees").await;
    }
    assert!(world.is_equal().await);
    assert_eq!(world.count("inventory.restored").await, 1);
}

#[tokio::test]
async fn an_answer_that_is_empty_where_there_was_one_before() {
    let mut world = world(30).await;
    world.poll_well("at first").await;
    world.simulator.mqtt().delete("mqtt-a", 0..30);
    for (left, what) in [(30, "frozen"), (30, "asked for"), (0, "gone")] {
        world.poll_well(what).await;
        let known = world.known().await;
        let devices =
            known.iter().filter(|facts| facts.scope == "mqtt-a" && facts.kind.as_str() == "device");
        assert_eq!(devices.count(), left, "{what}");
    }
    assert_eq!(world.count("inventory.shrunk").await, 1);
}

#[tokio::test]
async fn authorities_that_are_not_listed_for_a_while() {
    let mut world = world(100).await;
    world.poll_well("at first").await;
    for fault in [Fault::NullList, Fault::EmptyPage] {
        world.simulator.fault_on(Service::Mqtt, "DescribeCaCertificates", fault, Times::Always);
        world.poll_well("frozen").await;
        world.simulator.heal();
        world.poll_well("back").await;
        assert!(world.is_equal().await);
    }
    assert!(world.count("inventory.shrunk").await > 0);
    assert_eq!(world.count("inventory.shrunk").await, world.count("inventory.restored").await);
}

#[tokio::test]
async fn an_instance_is_removed() {
    let mut world = world(300).await;
    world.poll_well("at first").await;
    let known = world.known().await.len();
    world.simulator.mqtt().remove_instance("mqtt-b");
    world.without_instance("mqtt-b");
    let (poll, _) = world.poll().await;
    assert!(poll.proven, "{poll:?}");
    assert_eq!((world.known().await.len(), world.count("inventory.shrunk").await), (known, 1));
    world.poll_well("agrees").await;
    assert!(world.is_equal().await);
    assert_eq!(world.scanned_scopes().await, ["mqtt-a"]);
    let scrape = world.scrape().await;
    let left = |scrape: &str| -> Vec<String> {
        scrape.lines().filter(|line| line.contains("mqtt-b")).map(str::to_owned).collect()
    };
    assert_eq!(left(&scrape), Vec::<String>::new());
    world.restart().await;
    assert_eq!(left(&world.scrape().await), Vec::<String>::new());
    world.poll_well("after a restart").await;
    assert_eq!(world.status().scans.iter().filter(|scan| scan.scope == "mqtt-b").count(), 0);
    assert_eq!(world.count("inventory.shrunk").await, 1);
    assert_eq!(world.count("inventory.restored").await, 1);
    assert_eq!(world.count("certificate.renewed").await, 0);
}

#[tokio::test]
async fn an_instance_that_the_list_hides_is_asked_for_and_read() {
    let mut world = world(300).await;
    world.poll_well("at first").await;
    // A list that is whole by its own count, and has nothing.
    world.simulator.fault_on(
        Service::Mqtt,
        "DescribeInstanceList",
        Fault::EmptyPage,
        Times::Always,
    );
    world.simulator.fault_on(
        Service::Mqtt,
        "DescribeInstanceList",
        Fault::TotalOff(-3),
        Times::Always,
    );
    for _ in 0..3 {
        world.poll_well("hidden").await;
    }
    assert!(world.is_equal().await);
    assert_eq!(world.count("inventory.shrunk").await, 0);
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_any_answer_but_no_keeps_it() {
    let mut world = world(300).await;
    world.poll_well("at first").await;
    let count = world.known().await.len();
    let first = world.simulator.mqtt().nth("mqtt-a", 100).unwrap();
    world.simulator.mqtt().delete("mqtt-a", first..first + 3);
    for fault in ["InternalError", "UnauthorizedOperation", "SomethingNew"] {
        world.simulator.fault_on(Service::Mqtt, POINT, Fault::Code(fault), Times::Always);
        let asked = world.simulator.log().count(Service::Mqtt, POINT);
        let (poll, _) = world.poll().await;
        assert!(poll.proven);
        assert!(world.simulator.log().count(Service::Mqtt, POINT) >= asked + 3);
        world.simulator.heal();
        assert_eq!(world.known().await.len(), count, "{fault}");
    }
    for not_found in [NotFound::Plain, NotFound::Empty] {
        world.simulator.mqtt().set_not_found(not_found);
        world.poll_well("asked for").await;
    }
    assert!(world.is_equal().await);
    assert_eq!(world.count("certificate.renewed").await, 0);
}

#[tokio::test]
async fn renewed_is_sent_once_to_those_who_were_notified_of_the_old_one() {
    let mut world = world(2000).await;
    world.poll_well("at first").await;
    let (ops, critical) = (world.sent("ops").await, world.sent("critical").await);
    let (notified, urgent) = (devices(&ops), devices(&critical));
    let mild = notified.iter().find(|serial| !urgent.contains(serial)).unwrap().clone();
    let urgent = urgent.first().unwrap().clone();
    let silent = world.known().await;
    let silent = silent.iter().find(|facts| {
        let far = facts.not_after.is_some_and(|end| end.seconds() > NOW + 200 * DAY);
        far && is_active_device(facts)
    });
    let silent = silent.unwrap().serial.clone();
    for serial in [&mild, &urgent, &silent] {
        world.simulator.mqtt().renew("mqtt-a", index_of(&world, serial));
    }
    for serial in [&mild, &urgent] {
        world.expect_renewal(serial);
    }
    world.poll_well("renewed").await;
    world.poll_well("renewed, again").await;
    world.restart().await;
    world.poll_well("after a restart").await;
    let old = |sent: &Sent| {
        let mut old: Vec<String> = sent.renewed().into_iter().map(|(old, _)| old).collect();
        old.sort_unstable();
        old
    };
    let mut both = vec![mild.clone(), urgent.clone()];
    both.sort_unstable();
    assert_eq!(old(&world.sent("ops").await), both);
    assert_eq!(old(&world.sent("critical").await), std::slice::from_ref(&urgent));
    for serial in [mild, urgent] {
        assert_eq!(world.status_of(&serial).await, Some(Known::Superseded));
    }
    // The silent one ends before its successor or after it; nobody was notified of it either way.
    assert!(world.status_of(&silent).await.is_some());
}

#[tokio::test]
async fn a_renewal_that_is_deleted_again_leaves_the_old_one_to_be_notified() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    let serial = devices(&world.sent("critical").await).remove(0);
    let index = index_of(&world, &serial);
    let new = world.simulator.mqtt().renew("mqtt-a", index);
    world.expect_renewal(&serial);
    for _ in 0..2 {
        world.poll_well("renewed").await;
        assert_eq!(world.status_of(&serial).await, Some(Known::Superseded));
    }
    world.simulator.mqtt().delete("mqtt-a", new..new + 1);
    world.poll_well("missed once").await;
    world.memory.may_be_sent_again(&serial);
    world.poll_well("missed twice").await;
    assert!(world.is_equal().await);
    assert_eq!(world.status_of(&serial).await, Some(Known::Active));
    let again = world.sent("critical").await.rungs();
    let times: usize =
        again.iter().filter(|((_, one, _), _)| *one == serial).map(|(_, times)| times).sum();
    assert_eq!(times, 2, "it needs a successor again");
}

#[tokio::test]
async fn states_change_and_nothing_is_renewed() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    let sent = world.sent("ops").await.events.len();
    let serial = devices(&world.sent("critical").await).remove(0);
    let index = index_of(&world, &serial);
    for (word, known) in [(Status::Revoked, Known::Revoked), (Status::Inactive, Known::Inactive)] {
        world.simulator.mqtt().set_status("mqtt-a", index, word);
        world.poll_well("another state").await;
        assert_eq!(world.status_of(&serial).await, Some(known));
    }
    assert_eq!(world.sent("ops").await.events.len(), sent);
}

#[tokio::test]
async fn a_restart_between_polls_forgets_nothing_and_sends_nothing_twice() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    for round in 0..3 {
        let known = world.known().await;
        let sent = world.sent("ops").await.events.len();
        world.restart().await;
        assert_eq!(world.known().await, known, "round {round}");
        assert_eq!(world.sent("ops").await.events.len(), sent, "round {round}");
        let first = world.simulator.mqtt().nth("mqtt-a", 50).unwrap();
        world.simulator.mqtt().delete("mqtt-a", first..first + 1);
        world.poll_well("after a restart").await;
    }
    assert!(!world.is_equal().await, "each was missed once since the last start, or twice before");
    for _ in 0..2 {
        world.poll_well("at rest").await;
    }
    assert!(world.is_equal().await);
}

#[tokio::test]
async fn a_scrape_tells_what_a_poll_came_to() {
    let mut world = world(600).await;
    world.poll_well("at first").await;
    let value = |scrape: &str, name: &str| {
        sample(
            scrape,
            &format!("notafter_source_{name}{{source=\"tencent-mqtt\",scope=\"mqtt-a\"}}"),
        )
    };
    let proven = |scrape: &str| {
        let labels = "{source=\"tencent-mqtt\",scope=\"mqtt-a\",window=\"all\"}";
        sample(scrape, &format!("notafter_source_last_proven_scan_timestamp_seconds{labels}"))
    };
    let before = world.scrape().await;
    assert_eq!(value(&before, "reported_certificates"), Some(601.0));
    assert_eq!(value(&before, "scan_missing"), Some(0.0));
    assert!(proven(&before).is_some_and(|at| at > 0.0));
    world.simulator.fault(Service::Mqtt, Fault::WrongTypes, Times::Always);
    world.poll().await;
    let after = world.scrape().await;
    assert!(value(&after, "scan_missing").unwrap() >= 7.0, "one on each page");
    assert_eq!(proven(&after), proven(&before));
    let rejected = after.lines().find(|line| {
        line.starts_with("notafter_source_rejected_rows_total") && line.contains("bad_field")
    });
    assert!(rejected.unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 7.0);
}

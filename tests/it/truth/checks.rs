//! How many calls `EnOS` costs: who is due in a near scan, and what a full scan that was broken off still asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use notafter::facade::expiry::Timestamp;
use notafter::facade::source::Window;

use super::world::{NOW, World};
use simulator::Service;
use simulator::fault::{Fault, Times};
use simulator::fleet::{DAY, Fleet, Truth};

const CERTIFICATES: &str = "certificates/list";
const FROM: i64 = NOW - 30 * DAY;
const TO: i64 = NOW + 45 * DAY;
const DEVICES: u64 = 200;

async fn world() -> World {
    let fleet = Fleet::new(5, NOW).with_product(130, true).with_product(70, true);
    World::new("enos", fleet).await
}

fn near() -> Window {
    Window::Near { from: Timestamp::from_seconds(FROM), to: Timestamp::from_seconds(TO) }
}

/// Polls, which must prove what it claims, and returns the calls for certificates that it took.
async fn calls(world: &mut World, window: Window) -> u64 {
    let before = world.simulator.log().count(Service::Enos, CERTIFICATES);
    let (poll, _) = world.poll_and_judge(window).await;
    assert!(poll.proven, "{poll:?} {:?}", world.status());
    world.simulator.log().count(Service::Enos, CERTIFICATES) - before
}

/// Returns how many devices have a soonest end in the near window, of those ends that somebody must act upon.
fn ending_soon(world: &World) -> u64 {
    let mut devices = BTreeMap::<String, Vec<Truth>>::new();
    for one in world.simulator.enos().truth() {
        devices.entry(one.holder.clone()).or_default().push(one);
    }
    let due = devices.values().filter(|rows| {
        let is_valid = rows.iter().any(|one| one.status == "0");
        // Expired ones are history where there is one that is valid; the simulator never has two of them.
        let matters = |one: &&Truth| one.status == "0" || one.status == "2" && !is_valid;
        let ends = rows.iter().filter(matters).filter_map(|one| one.not_after);
        ends.filter(|end| *end > FROM).min().is_some_and(|end| end <= TO)
    });
    due.count() as u64
}

#[tokio::test]
async fn a_near_scan_asks_only_for_devices_that_are_due() {
    let mut world = world().await;
    assert_eq!(calls(&mut world, near()).await, DEVICES, "nobody was asked for before");
    assert!(world.is_equal().await);
    assert_eq!(calls(&mut world, Window::All).await, 0, "they were all asked for just now");
    let due = ending_soon(&world);
    assert!((10..DEVICES / 3).contains(&due), "{due}");
    assert_eq!(calls(&mut world, near()).await, due);
    world.restart().await;
    assert_eq!(calls(&mut world, near()).await, due, "a restart forgets nothing");
    assert_eq!(calls(&mut world, Window::All).await, DEVICES);
    assert_eq!(calls(&mut world, near()).await, due);
}

#[tokio::test]
async fn a_new_device_is_asked_for_at_once() {
    let mut world = world().await;
    world.poll_well("at first").await;
    let due = ending_soon(&world);
    assert_eq!(calls(&mut world, near()).await, due);
    world.simulator.enos().insert(1, 5);
    assert_eq!(calls(&mut world, near()).await, due + 5);
    assert!(world.is_equal().await, "their certificates are known");
}

#[tokio::test]
async fn near_scans_say_nothing_about_what_is_gone() {
    let mut world = world().await;
    world.poll_well("at first").await;
    let known = world.known().await.len();
    for device in 0..100 {
        world.simulator.enos().delete(device);
    }
    for _ in 0..3 {
        calls(&mut world, near()).await;
    }
    assert_eq!(world.known().await.len(), known);
    assert_eq!(world.sent("ops").await.count("inventory.shrunk"), 0);
    world.poll_well("frozen").await;
    assert_eq!(world.sent("ops").await.count("inventory.shrunk"), 1);
    calls(&mut world, near()).await;
    assert_eq!(
        world.sent("ops").await.count("inventory.restored"),
        0,
        "a near scan knows no better"
    );
    world.poll_well("agrees").await;
    calls(&mut world, near()).await;
    world.poll_well("confirms").await;
    assert!(world.is_equal().await);
    assert_eq!(world.sent("ops").await.count("inventory.restored"), 1);
    assert_eq!(world.sent("ops").await.count("certificate.renewed"), 0);
}

#[tokio::test]
async fn near_scans_beside_full_ones_take_nothing_from_them() {
    let mut world = world().await;
    world.poll_well("at first").await;
    let latency =
        Fault::Latency { least: Duration::from_millis(1), most: Duration::from_millis(9) };
    world.simulator.fault(Service::Enos, latency, Times::Always);
    for round in 0..4 {
        let before = world.simulator.log().count(Service::Enos, CERTIFICATES);
        let near_scans = async {
            for _ in 0..3 {
                assert!(world.poll_window(near()).await.proven, "round {round}");
            }
        };
        let (full, ()) = tokio::join!(world.poll_window(Window::All), near_scans);
        assert!(full.proven, "round {round}");
        let calls = world.simulator.log().count(Service::Enos, CERTIFICATES) - before;
        assert_eq!(calls, DEVICES + 3 * ending_soon(&world), "round {round}");
        assert!(world.is_equal().await, "round {round}");
    }
    assert_eq!(world.sent("ops").await.count("inventory.shrunk"), 0);
    world.poll_well("at rest").await;
}

/// Begins a full scan and breaks it off when a page or more of it is saved. Returns the devices that it was done with.
async fn break_off(world: &mut World) -> u64 {
    let before = world.checked().await;
    let hangs = Times::Nth(DEVICES - 20);
    world.simulator.fault_on(Service::Enos, CERTIFICATES, Fault::Hang, hangs);
    let saved = async {
        while world.checked().await == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let broken = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! {
            biased;
            poll = world.poll_window(Window::All) => panic!("it ended: {poll:?}"),
            () = saved => {}
        }
    });
    broken.await.expect("a page is saved");
    world.simulator.heal();
    world.restart().await;
    let after = world.checked().await;
    after.difference(&before).count() as u64
}

#[tokio::test]
async fn a_full_scan_that_a_restart_broke_off_goes_on_with_the_devices_that_are_left() {
    let mut world = world().await;
    let done = break_off(&mut world).await;
    assert!((50..DEVICES - 20).contains(&done), "{done}");
    assert_eq!(calls(&mut world, Window::All).await, DEVICES - done);
    assert!(world.is_equal().await);
    assert_eq!(calls(&mut world, Window::All).await, DEVICES, "the next one begins anew");
}

#[tokio::test]
async fn a_full_scan_that_goes_on_says_nothing_about_what_is_gone() {
    let mut world = world().await;
    world.poll_well("at first").await;
    let known = world.known().await.len();
    let done = break_off(&mut world).await;
    assert!((50..DEVICES - 20).contains(&done), "{done}");
    for device in 60..65 {
        world.simulator.enos().delete(device);
    }
    // The devices that are gone may be among those that were asked for.
    let left = calls(&mut world, Window::All).await;
    assert!(left <= DEVICES - done && left >= DEVICES - done - 5, "{left} after {done}");
    assert_eq!(world.known().await.len(), known);
    assert_eq!(world.sent("ops").await.count("inventory.shrunk"), 0);
    for why in ["missed once", "missed twice"] {
        world.poll_well(why).await;
    }
    assert!(world.is_equal().await);
}

impl World {
    /// Returns the devices that were asked for, each with the time and the scan of it, as the store has them.
    async fn checked(&self) -> BTreeSet<(String, Option<String>)> {
        let checkpoints = self.checkpoints().await.into_iter();
        let checks = checkpoints.filter(|checkpoint| checkpoint.key.starts_with("check/"));
        checks.map(|checkpoint| (checkpoint.key, checkpoint.value)).collect()
    }
}

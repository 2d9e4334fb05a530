//! The near window of an MQTT instance, when its filter by time works, does not, and stops working.

use notafter::facade::expiry::Timestamp;
use notafter::facade::source::Window;

use super::world::{NOW, World};
use simulator::Service;
use simulator::fault::{Fault, Place, Times};
use simulator::fleet::{DAY, Data, Fleet, Instance};

const LIST: &str = "DescribeDeviceCertificates";
const FROM: i64 = NOW - 30 * DAY;
const TO: i64 = NOW + 45 * DAY;

async fn world() -> World {
    let fleet = Fleet::new(3, NOW).with_instance("mqtt-a", 3000);
    World::new("tencent-mqtt", fleet).await.with_instances(&["mqtt-a"])
}

fn near() -> Window {
    Window::Near { from: Timestamp::from_seconds(FROM), to: Timestamp::from_seconds(TO) }
}

/// Returns whether every certificate that ends in the window is known, and how many are known in all.
async fn near_is_known(world: &World) -> (bool, usize) {
    let known = world.known().await;
    let there = world.simulator.mqtt().truth("mqtt-a");
    // Rows without a notAfter are in no window: the scan of everything has them.
    let mut inside =
        there.iter().filter(|one| one.said_not_after.is_some_and(|end| (FROM..=TO).contains(&end)));
    let all = inside.all(|one| known.iter().any(|facts| facts.serial == one.serial));
    (all, known.len())
}

#[tokio::test]
async fn a_filter_that_works_in_any_unit_reads_the_window_alone() {
    for fault in [None, Some(Fault::FilterInSeconds)] {
        let mut world = world().await;
        if let Some(fault) = fault.clone() {
            world.simulator.fault_on(Service::Mqtt, LIST, fault, Times::Always);
        }
        let (poll, _) = world.poll_and_judge(near()).await;
        assert!(poll.proven);
        let (all, count) = near_is_known(&world).await;
        assert!(all && count < 1000, "{fault:?}: {count}");
    }
}

#[tokio::test]
async fn where_the_filter_is_ignored_everything_is_read() {
    let mut world = world().await;
    world.simulator.fault_on(Service::Mqtt, LIST, Fault::FilterIgnored, Times::Always);
    let (poll, _) = world.poll_and_judge(near()).await;
    assert!(poll.proven);
    assert!(world.is_equal().await);
}

#[tokio::test]
async fn a_filter_that_stops_working_removes_nothing_and_is_tried_out_again() {
    for fault in [Fault::FilterInSeconds, Fault::FilterIgnored] {
        let mut world = world().await;
        world.poll_and_judge(near()).await;
        world.poll_well("everything").await;
        world.simulator.fault_on(Service::Mqtt, LIST, fault.clone(), Times::Always);
        for _ in 0..4 {
            let (poll, _) = world.poll_and_judge(near()).await;
            assert_eq!(poll.error, None, "{fault:?}");
        }
        assert!(world.is_equal().await, "{fault:?}");
        // Tried out again by now: what is new in the window is seen.
        let new = world.simulator.mqtt().insert_ending("mqtt-a", 1, NOW + 9 * DAY);
        let serial = world.simulator.mqtt().one("mqtt-a", new.start).serial;
        world.poll_and_judge(near()).await;
        assert!(world.known().await.iter().any(|facts| facts.serial == serial), "{fault:?}");
        // The whole window missing, then there when asked for, then listed.
        let ops = world.sent("ops").await.kinds();
        let alarms: Vec<_> =
            ops.into_iter().filter(|kind| kind.starts_with("inventory.")).collect();
        let loud = ["inventory.shrunk", "inventory.contradicts", "inventory.consistent"];
        let silent = fault == Fault::FilterIgnored;
        assert_eq!(alarms, if silent { &[][..] } else { &loud[..] }, "{fault:?}");
    }
}

#[tokio::test]
async fn a_first_page_without_ends_is_no_sign_that_the_filter_is_ignored() {
    let instance = Instance { data: Data::Varied, ..Instance::new("mqtt-a", 100_000) };
    let fleet = Fleet::new(7, NOW).with(instance);
    let world = World::new("tencent-mqtt", fleet).await.with_instances(&["mqtt-a"]);
    let poll = world.poll_window(near()).await;
    let pages = world.simulator.log().count(Service::Mqtt, LIST);
    assert!(poll.proven && pages < 300, "{pages} of the 1000 pages that everything has");
}

#[tokio::test]
async fn what_the_list_gives_no_end_for_is_no_contradiction() {
    let mut world = world().await;
    world.poll_well("everything").await;
    let asked =
        |world: &World| world.simulator.log().count(Service::Mqtt, "DescribeDeviceCertificate");
    let before = asked(&world);
    for restart in [false, false, true] {
        world.poll_and_judge(near()).await;
        if restart {
            world.restart().await;
            world.poll_and_judge(near()).await;
        }
    }
    assert_eq!(asked(&world), before, "a window is not asked for what no filter finds");
    assert_eq!(world.sent("ops").await.count("inventory.contradicts"), 0);
    assert!(world.is_equal().await);
}

#[tokio::test]
async fn the_window_under_faults() {
    let drift = Fault::Drift { insert: 1, delete: 1, place: Place::Random };
    for (fault, times) in [
        (drift, Times::Always),
        (Fault::TotalOff(-10), Times::Always),
        (Fault::RepeatPage, Times::Every(3)),
        (Fault::EmptyPage, Times::Nth(6)),
        (Fault::NoEnds, Times::Always),
        (Fault::NullFields, Times::Always),
        (Fault::WrongTypes, Times::Always),
    ] {
        let mut world = world().await;
        world.poll_well("everything").await;
        for _ in 0..3 {
            world.simulator.fault_on(Service::Mqtt, LIST, fault.clone(), times);
            world.poll_and_judge(near()).await;
            world.simulator.heal();
        }
        for round in 0..5 {
            world.poll_well("healed").await;
            if world.is_equal().await {
                break;
            }
            assert!(round < 4, "{fault:?}");
        }
        assert_eq!(world.sent("ops").await.count("certificate.renewed"), 0);
    }
}

//! An account of 2500 SSL certificates, which is three pages, under each fault.

use super::table::{Case, Outcome, play_all};
use super::world::{NOW, World};
use simulator::Service;
use simulator::fault::{Fault, Place, Times};
use simulator::fleet::Fleet;

async fn world(rows: u64) -> World {
    let mut world = World::new("tencent-ssl", Fleet::new(5, NOW).with_ssl(rows)).await;
    // They are renewed from the start, and may be known before what replaced them.
    for renewed in [25, 27, 29] {
        let serial = world.simulator.ssl().one(renewed).unwrap().serial;
        world.expect_renewal(&serial);
    }
    world
}

fn change(world: &mut World) {
    let ssl = world.simulator.ssl();
    ssl.delete(700..705);
    ssl.insert(4);
    // Not one of those with a history of their own.
    let issued = (100..10_000).find(|index| ssl.one(*index).is_some_and(|one| one.status == "1"));
    let serial = ssl.one(issued.unwrap()).unwrap().serial;
    ssl.renew(issued.unwrap());
    ssl.set_status(800, 10);
    ssl.set_status(801, 6);
    world.expect_renewal(&serial);
}

fn cases() -> Vec<Case> {
    use Outcome::{Any, Broken, Partial, Whole};
    let case = |fault, times, outcome| Case {
        service: Service::Ssl,
        action: "DescribeCertificates",
        fault,
        times,
        outcome,
    };
    let drift = |insert, delete, place| Fault::Drift { insert, delete, place };
    vec![
        case(Fault::Throttle, Times::N(2), Whole),
        case(Fault::Throttle, Times::Always, Broken),
        case(Fault::Code("FailedOperation.SystemError"), Times::N(2), Whole),
        case(Fault::Html { status: 502 }, Times::N(2), Whole),
        case(Fault::Truncate, Times::Once, Whole),
        case(Fault::GzipBomb { bytes: 40 << 20 }, Times::Once, Broken),
        case(Fault::NullList, Times::Nth(2), Broken),
        case(Fault::NullFields, Times::Always, Partial),
        case(Fault::WrongTypes, Times::Always, Partial),
        // An end that was known stays known.
        case(Fault::NoEnds, Times::Always, Whole),
        case(Fault::TotalOff(-7), Times::Nth(2), Whole),
        case(Fault::TotalOff(-7), Times::Always, Partial),
        // The second page ends where the total does.
        case(Fault::TotalOff(-510), Times::Always, Partial),
        case(Fault::EmptyPage, Times::Nth(2), Whole),
        case(Fault::EmptyPage, Times::Always, Partial),
        case(Fault::RepeatPage, Times::Nth(2), Whole),
        case(Fault::ExpiredToken, Times::Always, Broken),
        case(Fault::ClockSkew(301), Times::Always, Whole),
        case(drift(1, 1, Place::Random), Times::Always, Any),
        case(drift(0, 2, Place::Tail), Times::Always, Any),
        case(drift(12, 12, Place::Tail), Times::Nth(1), Any),
    ]
}

#[tokio::test]
async fn the_inventory_is_the_truth_under_each_fault() {
    play_all(&cases(), || world(2500), change).await;
}

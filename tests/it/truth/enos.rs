//! Two `EnOS` products with mutual TLS and one without, under each fault.

use super::table::{Case, Outcome, play_all};
use super::world::{NOW, World};
use simulator::Service;
use simulator::fault::{Fault, Place, Times};
use simulator::fleet::Fleet;

const PRODUCTS: &str = "products/search";
const DEVICES: &str = "devices/search";
const CERTIFICATES: &str = "certificates/list";

async fn world() -> World {
    let fleet =
        Fleet::new(5, NOW).with_product(130, true).with_product(5, false).with_product(70, true);
    World::new("enos", fleet).await
}

fn change(world: &mut World) {
    let enos = world.simulator.enos();
    enos.delete(3);
    enos.delete(150);
    enos.insert(0, 2);
    let before = enos.truth();
    enos.renew(20);
    let valid = enos.truth().into_iter().find(|one| one.serial.starts_with("9002")).unwrap();
    let renewed = before.into_iter().filter(|one| one.holder == valid.holder);
    renewed.for_each(|one| world.expect_renewal(&one.serial));
}

fn cases() -> Vec<Case> {
    use Outcome::{Any, Broken, Partial, Whole};
    let on = |action: &'static str| {
        move |fault, times, outcome| Case { service: Service::Enos, action, fault, times, outcome }
    };
    let drift = |insert, delete, place| Fault::Drift { insert, delete, place };
    vec![
        on(CERTIFICATES)(Fault::Throttle, Times::N(3), Whole),
        on(CERTIFICATES)(Fault::Throttle, Times::Always, Broken),
        on(CERTIFICATES)(Fault::Code("99500"), Times::Once, Whole),
        on(CERTIFICATES)(Fault::Code("99500"), Times::Always, Broken),
        on(CERTIFICATES)(Fault::Html { status: 200 }, Times::N(2), Whole),
        on(CERTIFICATES)(Fault::Reset, Times::N(2), Whole),
        on(CERTIFICATES)(Fault::ExpiredToken, Times::Every(60), Whole),
        on(CERTIFICATES)(Fault::NullList, Times::Nth(7), Partial),
        on(CERTIFICATES)(Fault::NullFields, Times::Every(10), Any),
        on(CERTIFICATES)(Fault::WrongTypes, Times::Every(10), Any),
        on(CERTIFICATES)(Fault::NoEnds, Times::Always, Whole),
        on(DEVICES)(Fault::Throttle, Times::N(2), Whole),
        on(DEVICES)(Fault::NullFields, Times::Always, Whole),
        on(DEVICES)(Fault::NullList, Times::Always, Partial),
        on(DEVICES)(Fault::TotalOff(1), Times::Always, Partial),
        on(DEVICES)(Fault::TotalOff(-7), Times::Always, Partial),
        on(DEVICES)(Fault::EmptyPage, Times::Always, Partial),
        on(DEVICES)(Fault::RepeatPage, Times::Always, Any),
        on(DEVICES)(drift(1, 1, Place::Random), Times::Every(2), Any),
        on(DEVICES)(drift(0, 1, Place::Tail), Times::Always, Any),
        on(PRODUCTS)(Fault::EmptyPage, Times::Always, Broken),
        on(PRODUCTS)(Fault::TotalOff(1), Times::Always, Broken),
        on(PRODUCTS)(Fault::NullList, Times::Always, Broken),
        on(PRODUCTS)(Fault::NullFields, Times::Always, Whole),
        on("token/get")(Fault::Status(503), Times::N(2), Whole),
    ]
}

#[tokio::test]
async fn the_inventory_is_the_truth_under_each_fault() {
    play_all(&cases(), world, change).await;
}

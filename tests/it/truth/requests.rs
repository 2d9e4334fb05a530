//! How many requests a scan of everything makes, against the pages that the list fills.

use super::world::{NOW, World};
use simulator::Service;
use simulator::fault::{Fault, Times};
use simulator::fleet::{DAY, Data, Fleet, Instance};

const INSTANCE: &str = "mqtt-a";
const LIST: &str = "DescribeDeviceCertificates";
const POINT: &str = "DescribeDeviceCertificate";

async fn world(rows: u64, data: Data) -> World {
    let instance = Instance { cas: 1, data, ..Instance::new(INSTANCE, rows) };
    World::new("tencent-mqtt", Fleet::new(7, NOW).with(instance)).await.with_instances(&[INSTANCE])
}

impl World {
    /// Polls everything, and answers with the requests for a hundred full pages.
    async fn requests_each(&mut self, why: &str) -> u64 {
        let asked = |world: &Self| {
            let log = world.simulator.log();
            log.count(Service::Mqtt, LIST) + log.count(Service::Mqtt, POINT)
        };
        let before = asked(self);
        self.poll_well(why).await;
        let rows = self.simulator.mqtt().count(INSTANCE);
        ((asked(self) - before) * 10_000).div_ceil(rows)
    }
}

#[tokio::test]
async fn a_full_scan_makes_hardly_more_requests_than_the_list_has_pages() {
    for data in [Data::Usual, Data::Varied] {
        let mut world = world(20_000, data).await;
        world.try_out_filters().await;
        let cold = world.requests_each("cold").await;
        assert!(cold <= 115, "{cold} of {} rows, cold", data.as_str());
        for _ in 0..2 {
            let again = world.requests_each("again").await;
            assert!(again <= 105, "{again} of {} rows, again", data.as_str());
        }
    }
}

#[tokio::test]
async fn a_list_that_is_refused_from_some_row_on_is_read_by_windows() {
    let instance = Instance {
        mixed: false,
        one_instant_every: 0,
        ends: (-20 * DAY, 700 * DAY),
        ..Instance::new(INSTANCE, 3_000)
    };
    let fleet = Fleet::new(7, NOW).with(instance);
    let mut world = World::new("tencent-mqtt", fleet).await.with_instances(&[INSTANCE]);
    let refused = Fault::OffsetAbove(500);
    world.simulator.fault_on(Service::Mqtt, LIST, refused, Times::Always);
    world.poll_well("cold").await;
    assert!(world.is_equal().await);
    let first = world.simulator.mqtt().nth(INSTANCE, 2_900).unwrap();
    world.simulator.mqtt().delete(INSTANCE, first..first + 5);
    world.simulator.mqtt().insert(INSTANCE, 7);
    for why in ["missed once", "missed twice"] {
        world.poll_well(why).await;
    }
    assert!(world.is_equal().await);
}

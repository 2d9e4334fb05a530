//! A channel that cannot deliver is reported in the other one, and so is that it works again.

use std::time::Duration;

use crate::harness::{Daemon, Heard, environment, eventually, eventually_within, heard};
use crate::written::{SIGNED, feishu, route, ssl, webhook};
use simulator::chat::Service;
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

/// Attempts come one, two and more minutes after the first.
const LONGEST: Duration = Duration::from_mins(4);

const ROOM_UP: &str = "notafter_channel_up{channel=\"room\"}";
const POLLED: &str = "notafter_source_last_attempt_timestamp_seconds{source=\"web\"}";

fn configured(simulator: &Simulator) -> String {
    [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &ssl(simulator, "web", "every 1s", "requests_per_second = 1000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &feishu("room", ""),
        &route(&["ops", "room"]),
    ]
    .concat()
}

fn of_kind(simulator: &Simulator, kind: &str) -> Vec<Heard> {
    heard(simulator).into_iter().filter(|event| event.kind == kind).collect()
}

#[tokio::test]
async fn a_channel_that_is_down_is_reported_in_the_other_one_once_and_so_is_that_it_works_again() {
    let fleet = Fleet::new(5, wall_seconds()).with_ssl(60);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    simulator.chat().remove(Service::Feishu, "demo");
    let mut daemon = Daemon::prepared(&configured(&simulator), &environment(&simulator));
    daemon.start();
    daemon.until(ROOM_UP, |up| up < 0.5).await;
    assert_eq!(of_kind(&simulator, "channel.down").len(), 0, "one failure is not said");
    let down = async || of_kind(&simulator, "channel.down").pop();
    eventually_within(LONGEST, "three failures over two minutes are said", down).await;
    let messages = simulator.chat().received();
    let down = messages.iter().map(|message| message.body["data"].to_string());
    let down = down.filter(|data| data.contains("channel.down")).collect::<String>();
    assert!(down.contains("room") && down.contains("19001"), "{down}");

    // Neither a restart nor more polls repeat it.
    assert!(daemon.stop().await.success());
    daemon.start();
    daemon.until(ROOM_UP, |up| up < 0.5).await;
    let first = daemon.until(POLLED, |at| at > 0.0).await;
    daemon.until(POLLED, |at| at > first + 1.0).await;
    daemon.drained("ops").await;
    assert_eq!(of_kind(&simulator, "channel.down").len(), 1);
    assert_eq!(of_kind(&simulator, "channel.up").len(), 0);

    // Somebody mends it and reloads.
    simulator.chat().heal(Service::Feishu);
    daemon.signal("HUP");
    daemon.until(ROOM_UP, |up| up > 0.5).await;
    eventually("ops is notified", async || of_kind(&simulator, "channel.up").pop()).await;
    daemon.drained("room").await;
    let texts = simulator.chat().received();
    let room: Vec<_> =
        texts.into_iter().filter(|message| message.service == Service::Feishu).collect();
    assert!(!room.is_empty(), "what waited is delivered");
    // It need not be notified of itself.
    for message in &room {
        assert!(!message.text.contains("19001"), "{}", message.text);
    }
    daemon.drained("ops").await;
    let events = ["channel.down", "channel.up"].map(|kind| of_kind(&simulator, kind).len());
    assert_eq!(events, [1, 1]);
}

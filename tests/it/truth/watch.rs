//! The watcher watches itself: sources without a proven scan, and providers' clocks.

use notafter::facade::expiry::{Event, Severity, Topic};

use super::world::{NOW, World};
use crate::harness::eventually;
use simulator::Service;
use simulator::fault::{Fault, Times};
use simulator::fleet::Fleet;

async fn world() -> World {
    World::new("tencent-ssl", Fleet::new(3, NOW).with_ssl(60)).await
}

impl World {
    /// Returns what was sent under a kind, oldest first.
    async fn heard(&self, kind: &str) -> Vec<Event> {
        let sent = self.sent("ops").await;
        sent.events.into_iter().filter(|event| event.kind() == kind).collect()
    }

    async fn hears(&self, kind: &str) -> Event {
        eventually(kind, async || self.heard(kind).await.pop()).await
    }
}

#[tokio::test]
async fn a_source_that_was_never_proven_is_stale_once_until_it_is() {
    let mut world = world().await;
    // Two and a half seconds are two and a half intervals.
    world.expect_every(1).await;
    let stale = world.hears("source.stale").await;
    let nothing =
        Topic::SourceStale { source: "tencent-ssl".into(), last_proven: None, error: None };
    assert_eq!((stale.severity, stale.topic), (Severity::Critical, nothing));
    world.expect_every(3600).await;
    world.restart().await;
    world.simulator.fault(Service::Ssl, Fault::Status(503), Times::Always);
    let (poll, _) = world.poll().await;
    assert!(!poll.proven);
    assert_eq!(world.heard("source.recovered").await, [], "a poll that failed proves nothing");
    world.simulator.heal();
    world.poll_well("at last").await;
    let recovered = world.heard("source.recovered").await;
    let topics: Vec<_> = recovered.into_iter().map(|event| (event.severity, event.topic)).collect();
    assert_eq!(topics, [(Severity::Info, Topic::SourceRecovered { source: "tencent-ssl".into() })]);
    assert_eq!(world.heard("source.stale").await.len(), 1);
}

#[tokio::test]
async fn a_source_that_is_stale_says_since_when_and_why() {
    let mut world = world().await;
    world.poll_well("at first").await;
    let proven = world.status().scans[0].last_proven;
    assert!(proven.is_some_and(|at| at.seconds() >= NOW), "{proven:?}");
    world.simulator.fault(Service::Ssl, Fault::Code("UnauthorizedOperation"), Times::Always);
    let (poll, _) = world.poll().await;
    let error = poll.error.expect("nobody may read");
    assert_eq!(world.heard("source.stale").await, [], "within its intervals");
    world.expect_every(1).await;
    let Topic::SourceStale { last_proven, error: Some(why), .. } =
        world.hears("source.stale").await.topic
    else {
        panic!("it says why")
    };
    assert_eq!(last_proven, proven);
    assert!(why.contains("UnauthorizedOperation"), "{why}");
    assert_eq!(why, error, "it is what the poll says");
}

#[tokio::test]
async fn a_clock_that_differs_is_notified_once_for_as_long_as_it_does() {
    let mut world = world().await;
    let offsets = async |world: &World| -> Vec<i64> {
        let sent = world.heard("clock.offset").await;
        sent.into_iter()
            .map(|event| match event.topic {
                Topic::ClockOffset { source, seconds } if source == "tencent-ssl" => seconds,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    for (skew, sent) in [(50, 0), (-50, 0), (120, 1), (150, 1), (0, 1), (-130, 2)] {
        world.simulator.heal();
        world.simulator.fault(Service::Ssl, Fault::ClockSkew(skew), Times::Always);
        world.poll_well("signatures are good for five minutes").await;
        assert_eq!(offsets(&world).await.len(), sent, "{skew}");
    }
    let offsets = offsets(&world).await;
    assert!(
        (118..=122).contains(&offsets[0]) && (-132..=-128).contains(&offsets[1]),
        "{offsets:?}"
    );
}

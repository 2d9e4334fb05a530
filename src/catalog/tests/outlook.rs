//! What will be said of what will hurt later.

use super::*;
use crate::expiry::{Condition, Month};

const ROUTED: &str = "[[source]]\nname = 'iot'\nkind = 'files'\nschedule = 'every 1h'\n\
    [[channel]]\nname = 'ops'\nkind = 'slack'\n[[route]]\nchannels = ['ops']\n";

fn at(days: i64) -> Timestamp {
    Timestamp::from_seconds(NOW + days * DAY)
}

fn signed(serial: &str, kind: Kind, signer: &str, days: i64) -> Sighting {
    Sighting {
        issuer: signer.to_owned(),
        signer: signer.to_owned(),
        serial: serial.to_owned(),
        not_after: Some(at(days)),
        ..Sighting::bare(kind, Status::Active)
    }
}

async fn world(sightings: Vec<Sighting>) -> World {
    let mut world = World::new(Duration::from_mins(1));
    let config = config::load(ROUTED, &config::Environment::of([]), |_| None).0.unwrap();
    world.config.send_replace((1, Arc::new(config)));
    world.learn("iot", "all", sightings).await;
    world
}

/// What will be said in some days: on which day, what, and of how many.
async fn said(world: &World, days: i64) -> Vec<(i64, &'static str, u64)> {
    let query = PlanQuery { ahead: days * DAY, channel: None };
    let outlook = world.catalog.outlook(&query).await.unwrap();
    let lines = outlook.messages.iter().flat_map(|message| {
        assert_eq!(message.channel, "ops");
        message.lines.iter().map(|line| (message.at, line))
    });
    let line = |(when, line): (Timestamp, &PlannedLine)| {
        let of = line.ahead.as_ref().map_or(line.count, |ahead| ahead.certificates);
        (when.since(at(0)) / DAY, line.kind, of)
    };
    lines.map(line).collect()
}

async fn keep(world: &World, commit: Commit) {
    world.store.commit(Arc::new(commit)).await.unwrap();
}

#[tokio::test]
async fn an_authority_that_ends_first_is_foretold_until_it_is_said() {
    let leaf = signed("leaf", Kind::Device, "ca1", 500);
    for (end, day) in [(405, 5), (100, 0)] {
        let ca = signed("ca1", Kind::Ca, "root", end);
        let world = world(vec![ca, leaf.clone()]).await;
        assert_eq!(said(&world, 30).await, [(day, "ca.ends_first", 1)], "{end}");
        assert_eq!(said(&world, day - 1).await, [], "{end}");
        let signs = world
            .view
            .borrow()
            .foresee(SumsCache::new().refresh(&world.view.borrow(), at(0)), at(0));
        let it = signs.ends_first[0];
        let key = Condition::EndsFirst("iot".into(), "all".into(), (it.signs, it.end.seconds()));
        let conditions = vec![(key.key(), Some(at(0)))];
        keep(&world, Commit { conditions, ..Commit::default() }).await;
        assert_eq!(said(&world, 30).await, [], "it was said");
    }
    let later = vec![signed("ca1", Kind::Ca, "root", 600), leaf];
    assert_eq!(said(&world(later).await, 300).await, []);
}

#[tokio::test]
async fn a_cliff_is_foretold_for_when_it_comes_into_sight() {
    let now = Month::of(at(0)).unwrap();
    let end = |months: i32| (now.plus(months).start().unwrap().seconds() - NOW) / DAY + 2;
    let leaf =
        |number: i32| signed(&format!("{number}"), Kind::Device, "ca1", end(number % 2 + 12));
    let world = world((0..300).map(leaf).collect()).await;
    assert_eq!(said(&world, 30).await, [], "nobody knows what is usual");
    let renewals = (0..5).map(|ago| ("iot".to_owned(), now.plus(-ago), 10)).collect();
    keep(&world, Commit { renewals, ..Commit::default() }).await;
    // 2026-11-22: the next month begins in nine days.
    assert_eq!(said(&world, 8).await, [(0, "fleet.cliff", 150)]);
    assert_eq!(said(&world, 30).await, [(0, "fleet.cliff", 150), (9, "fleet.cliff", 150)]);
    let key = Condition::Cliff("iot".into(), now.plus(12)).key();
    let conditions = vec![(key, Some(at(0)))];
    keep(&world, Commit { conditions, ..Commit::default() }).await;
    assert_eq!(said(&world, 30).await, [(9, "fleet.cliff", 150)]);
}

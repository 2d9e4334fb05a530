//! A CA in many places is told of once.

use super::places::look;
use super::*;
use crate::expiry::PlaceState::{self, Read, Unreadable};

/// Every poll saw a place with these certificates, or could not see it.
type Seen<'a> = (&'a str, &'a [Sighting]);

const LATE: i64 = 300;

fn server(place: &str) -> Sighting {
    let signer = "CN=R10#".to_owned();
    let names = vec![place.to_owned()];
    Sighting { kind: Kind::Server, place: place.into(), names, signer, ..device(place, LATE) }
}

/// A CA of this name, which is one certificate wherever it is.
fn ca(name: &str, days: i64) -> Sighting {
    let mark = name.bytes().last().unwrap();
    Sighting {
        kind: Kind::Ca,
        fingerprint: Some([mark; 32]),
        names: vec![format!("CN={name}")],
        signs: format!("CN={name}#"),
        ..device(name, days)
    }
}

impl Bench {
    /// Looks at places, and decides. Answers with what is said of it, all of which is delivered.
    async fn shows(&mut self, seen: &[Seen<'_>]) -> Vec<Topic> {
        let state = |seen: &[Sighting]| if seen.is_empty() { Unreadable } else { Read };
        let looked = seen.iter().map(|(place, seen)| look(place, state(seen))).collect();
        let sightings = seen.iter().flat_map(|(place, seen)| {
            let here = |one: &Sighting| Sighting { place: (*place).to_owned(), ..one.clone() };
            seen.iter().map(here).chain((!seen.is_empty()).then(|| server(place)))
        });
        self.look_and_see(looked, sightings.collect()).await;
        self.pipeline.decide().await.unwrap();
        self.save().await;
        let said = deliver(&*self.store, "ops").await.into_iter();
        let of_others = |event: &Event| !matches!(event.topic, Topic::EndsFirst { .. });
        let said = said.filter(|event| event.facts().is_some()).filter(of_others);
        said.map(|event| event.topic).collect()
    }

    /// The same, in short: kind, place, places and leaves.
    async fn says(&mut self, seen: &[Seen<'_>]) -> Vec<String> {
        let said = self.shows(seen).await;
        let short = |topic: &Topic| match topic {
            Topic::Expiring { facts, places, leaves, .. } => {
                format!("{} {} {places:?} {leaves:?}", topic.kind(), facts.place)
            }
            Topic::Gone { facts, .. } | Topic::Renewed { facts, .. } => {
                format!("{} {}", topic.kind(), facts.place)
            }
            _ => topic.kind().to_owned(),
        };
        said.iter().map(short).collect()
    }
}

#[tokio::test]
async fn once_for_all_places_and_again_when_none_has_it() {
    let mut bench = Bench::new().await;
    let (old, new) = (&[ca("R10", 5)][..], &[ca("R11", LATE)][..]);
    let all = [("a", old), ("b", old), ("c", old)];
    let expected = ["certificate.expiring a Some(3) Some(3)"];
    assert_eq!(bench.says(&all).await, expected);
    for _ in 0..2 {
        assert_eq!(bench.says(&all).await, [""; 0]);
        bench.restart().await;
    }
    // Another place begins to send it.
    let more = [("a", old), ("b", old), ("c", old), ("d", old)];
    assert_eq!(bench.says(&more).await, [""; 0]);
    // The one that speaks for the others lets go of it, then all but one, then the last.
    for remaining in [3, 2, 1] {
        let some: Vec<Seen> = ["a", "b", "c", "d"]
            .into_iter()
            .enumerate()
            .map(|(at, place)| (place, if at < 4 - remaining { new } else { old }))
            .collect();
        for _ in 0..2 {
            assert_eq!(bench.says(&some).await, [""; 0], "{remaining} have it");
        }
        bench.restart().await;
    }
    let none = [("a", new), ("b", new), ("c", new), ("d", new)];
    assert_eq!(bench.says(&none).await, [""; 0]);
    assert_eq!(bench.says(&none).await, ["certificate.gone d"]);
    assert_eq!(bench.says(&none).await, [""; 0]);
}

#[tokio::test]
async fn a_tighter_rung_is_said_once_and_two_cas_are_two() {
    let mut bench = Bench::new().await;
    let (one, other) = (ca("R10", 20), ca("R11", 20));
    let both = [one, other];
    let all = [("a", &both[..]), ("b", &both[..1]), ("c", &both[..])];
    let said = bench.says(&all).await;
    let expected =
        ["certificate.expiring a Some(3) Some(3)", "certificate.expiring a Some(2) None"];
    assert_eq!(said, expected, "what is not known to be signed by one is not counted");
    let sooner = [ca("R10", 20), ca("R11", 20)];
    let again = [("a", &sooner[..]), ("b", &sooner[..1]), ("c", &sooner[..])];
    assert_eq!(bench.says(&again).await, [""; 0]);
}

#[tokio::test]
async fn what_was_not_delivered_yet_is_said_of_a_place_that_has_it() {
    let mut bench = Bench::new().await;
    let (old, new) = (&[ca("R10", 5)][..], &[ca("R11", LATE)][..]);
    let look_at = async |bench: &mut Bench, seen: &[Seen<'_>]| {
        let looked = seen.iter().map(|(place, _)| look(place, PlaceState::Read)).collect();
        let here = |place: &str, one: &Sighting| Sighting { place: place.into(), ..one.clone() };
        let sightings =
            seen.iter().flat_map(|(place, all)| all.iter().map(move |one| here(place, one)));
        bench.look_and_see(looked, sightings.collect()).await;
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        let waiting = bench.store.pending("ops", 9).await.unwrap();
        waiting.iter().map(|one| one.event.facts().unwrap().place.clone()).collect::<Vec<_>>()
    };
    assert_eq!(look_at(&mut bench, &[("a", old), ("b", old)]).await, ["a"]);
    assert_eq!(look_at(&mut bench, &[("a", new), ("b", old)]).await, [""; 0], "held");
    assert_eq!(look_at(&mut bench, &[("a", new), ("b", old)]).await, ["b"]);
    // Nobody was told when the last one goes.
    for _ in 0..2 {
        assert_eq!(look_at(&mut bench, &[("a", new), ("b", new)]).await, [""; 0]);
    }
    assert_eq!(deliver(&*bench.store, "ops").await, []);
}

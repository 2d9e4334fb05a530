//! What was issued and is not deployed, and what is served nowhere.

use super::places::look;
use super::*;
use crate::expiry::{Look, Newer, PlaceState};
use crate::metrics::testing::Memory;
use crate::metrics::{Format, SourceSetup};

use PlaceState::{Read, Unreadable};

const HERE: &str = "a.test:443/a.test";

/// A configuration with a second source, which lists certificates.
fn serving() -> Settings {
    let mut settings = settings(&["iot", "ssl"]);
    settings.watched[0].serves = true;
    settings
}

fn server(serial: &str, place: &str, days: i64) -> Sighting {
    let fingerprint = (!place.is_empty()).then(|| [serial.as_bytes()[0]; 32]);
    Sighting {
        kind: Kind::Server,
        place: place.to_owned(),
        fingerprint,
        names: vec!["a.test".to_owned()],
        not_before: Some(NOW.plus((days - 100) * DAY)),
        ..device(serial, days)
    }
}

impl Bench {
    async fn with_endpoints() -> Self {
        let mut bench = Self::new().await;
        bench.serve().await;
        bench
    }

    async fn serve(&mut self) {
        let source = |name: &str| {
            let (name, kind) = (name.to_owned(), "any".to_owned());
            SourceSetup { name, kind, ..SourceSetup::default() }
        };
        let sources = vec![source("iot"), source("ssl")];
        self.pipeline.parts.metrics.reconfigure(&Setup { sources, channels: Vec::new() });
        self.pipeline.handle(Command::Reconfigure(Box::new(serving()))).await.unwrap();
    }

    /// The endpoint serves these.
    async fn served(&mut self, sightings: Vec<Sighting>) {
        self.look_and_see(vec![look(HERE, Read)], sightings).await;
        self.decide().await;
    }

    /// The other source lists these.
    async fn issued(&mut self, sightings: Vec<Sighting>) {
        let endpoints = std::mem::replace(&mut self.source, "ssl".into());
        let slice = Arc::new(Slice::whole(&"all".into(), Window::All, 100, 10));
        self.scan(&slice, sightings).await;
        self.source = endpoints;
        self.decide().await;
    }

    async fn decide(&mut self) {
        self.pipeline.decide().await.unwrap();
        self.save().await;
    }

    fn undeployed(&self) -> usize {
        self.view.borrow().undeployed().len()
    }

    async fn counted(&self) -> Vec<String> {
        let exposition = &self.pipeline.outputs.exposition;
        let view = Arc::clone(&self.view.borrow());
        let moment = exposition.prepare(&view, &Memory::default(), 0, NOW).await;
        let written = exposition.write(&moment, Format::Text, Vec::new()).unwrap();
        let of_it = |line: &&str| line.starts_with("notafter_certificates_not_deployed{");
        let written = String::from_utf8(written).unwrap();
        written.lines().filter(of_it).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_is_served_still_takes_the_place_of_what_expires_rung_for_rung() {
    for (days, severity, label) in [
        (25, Severity::Warning, "30d"),
        (6, Severity::Warning, "7d"),
        (2, Severity::Critical, "3d"),
        (-1, Severity::Critical, "expired"),
    ] {
        let mut bench = Bench::with_endpoints().await;
        bench.issued(vec![server("2", "", 90)]).await;
        bench.served(vec![server("1", HERE, days)]).await;
        let said = bench.said().await;
        let [Event { severity: found, topic, .. }] = &said[..] else { panic!("{said:?}") };
        let Topic::NotDeployed { facts, rung, newer, since } = topic else { panic!("{topic:?}") };
        assert_eq!((*found, rung.as_label().as_str()), (severity, label));
        assert_eq!((facts.serial.as_str(), facts.place.as_str()), ("1", HERE));
        let expected = Newer {
            source: "ssl".into(),
            place: "all".into(),
            serial: "2".into(),
            not_after: Some(NOW.plus(90 * DAY)),
            deployment_unknown: false,
        };
        assert_eq!((newer, *since), (&expected, Some(NOW.plus(-10 * DAY))));
        bench.served(vec![server("1", HERE, days)]).await;
        bench.restart().await;
        bench.serve().await;
        bench.served(vec![server("1", HERE, days)]).await;
        assert_eq!(bench.said().await.len(), 1, "it is said once");
    }
}

#[tokio::test]
async fn what_was_said_to_expire_is_not_said_again_before_its_next_rung() {
    let mut bench = Bench::with_endpoints().await;
    bench.served(vec![server("1", HERE, 25)]).await;
    bench.issued(vec![server("2", "", 90)]).await;
    assert_eq!(bench.kinds().await, ["certificate.expiring"]);
    bench.pipeline.parts.clock = Arc::new(SteadyClock::starting_at(NOW.plus(20 * DAY)));
    bench.pipeline.checks = SelfChecks::new(&Saved::default(), bench.pipeline.moment(), NOW);
    bench.decide().await;
    let said = bench.kinds().await;
    assert!(said.contains(&"certificate.not_deployed"), "{said:?}");
}

#[tokio::test]
async fn it_is_counted_and_shown_until_the_newer_one_is_seen() {
    let mut bench = Bench::with_endpoints().await;
    let count = |count: u64| {
        vec![format!("notafter_certificates_not_deployed{{source=\"iot\",scope=\"all\"}} {count}")]
    };
    assert_eq!(bench.counted().await, <[&str; 0]>::default());
    bench.served(vec![server("1", HERE, 60)]).await;
    assert_eq!((bench.undeployed(), bench.counted().await), (0, count(0)));
    bench.issued(vec![server("2", "", 90)]).await;
    assert_eq!((bench.undeployed(), bench.counted().await), (1, count(1)));
    assert_eq!(bench.kinds().await, [""; 0], "it is on no rung yet");
    // One of two addresses still serves the old one.
    bench.served(vec![server("1", HERE, 60), server("3", HERE, 90)]).await;
    assert_eq!((bench.undeployed(), bench.counted().await), (1, count(1)));
    for _ in 0..2 {
        bench.served(vec![server("3", HERE, 90)]).await;
        assert_eq!((bench.undeployed(), bench.counted().await), (0, count(0)));
    }
}

#[tokio::test]
async fn one_that_is_deployed_at_last_is_renewed_for_those_who_heard() {
    let mut bench = Bench::with_endpoints().await;
    bench.issued(vec![server("2", "", 90)]).await;
    bench.served(vec![server("1", HERE, 6)]).await;
    assert_eq!(bench.kinds().await, ["certificate.not_deployed"]);
    for _ in 0..2 {
        bench.served(vec![server("3", HERE, 90)]).await;
    }
    assert_eq!(bench.kinds().await, ["certificate.not_deployed", "certificate.renewed"]);
}

#[tokio::test]
async fn a_channel_that_a_reload_adds_hears_that_it_is_not_deployed() {
    let mut bench = Bench::with_endpoints().await;
    bench.issued(vec![server("2", "", 90)]).await;
    bench.served(vec![server("1", HERE, 6)]).await;
    bench.said().await;
    let text =
        TEXT.replace("[[route]]", "[[channel]]\nname = \"new\"\nkind = \"slack\"\n[[route]]");
    let text = text.replace("channels = [\"ops\"]", "channels = [\"ops\", \"new\"]");
    let watched = serving().watched;
    let settings = Settings { watched, ..settings_of(&text, &[]) };
    bench.pipeline.handle(Command::Reconfigure(Box::new(settings))).await.unwrap();
    bench.decide().await;
    let heard = deliver(&*bench.store, "new").await;
    assert_eq!(heard.iter().map(Event::kind).collect::<Vec<_>>(), ["certificate.not_deployed"]);
}

#[tokio::test]
async fn a_listed_certificate_that_is_served_nowhere_says_so_in_its_own_message() {
    let others = |state| -> Vec<Look> { vec![look("b.test:443/b.test", Read), look(HERE, state)] };
    for (looked, served, expected) in [
        (others(Read), vec![server("1", HERE, 300)], true),
        (others(Read), vec![], true),
        (others(Read), vec![server("1", HERE, 6)], false),
        (others(Unreadable), vec![], false),
        (vec![look("b.test:443/b.test", Read)], vec![], false),
    ] {
        let mut bench = Bench::with_endpoints().await;
        bench.look_and_see(looked, served).await;
        bench.issued(vec![server("cert-1", "", 6)]).await;
        let said = bench.said().await;
        let listed = said.iter().find_map(|event| match &event.topic {
            Topic::Expiring { facts, unserved, .. } if facts.source == "ssl" => {
                Some((event.severity, *unserved))
            }
            _ => None,
        });
        assert_eq!(listed, Some((Severity::Warning, expected)), "{said:?}");
    }
}

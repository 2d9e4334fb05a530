//! What was issued and is not deployed, and what is served nowhere.

use super::places::look;
use super::*;
use crate::expiry::{Bound, Look, Newer, PlaceState};
use crate::metrics::testing::Memory;
use crate::metrics::{Format, SourceSetup};

use PlaceState::{Read, Unreadable};

const HERE: &str = "a.test:443/a.test";

/// A configuration with a second source, which lists certificates.
fn serving() -> Settings {
    let mut settings = settings(&["iot", "ssl"]);
    settings.watched[0].serves = true;
    settings.watched[1].tells_use = true;
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
        self.pipeline.parts.metrics.reconfigure(&Setup { sources, ..Setup::default() });
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

    /// The other source lists these, and answers for what may be replaced.
    async fn list(&mut self, sightings: Vec<Sighting>, answer: Option<Bound>) {
        let endpoints = std::mem::replace(&mut self.source, "ssl".into());
        let slice = Arc::new(Slice::whole(&"all".into(), Window::All, 100, 10));
        self.scan(&slice, sightings).await;
        self.source = endpoints;
        let asked = self.pipeline.maybe_replaced(&"ssl".into()).await.unwrap();
        let answers = asked.into_iter().filter_map(|one| Some((one.row, answer.clone()?)));
        self.pipeline.take_bound(answers.collect());
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
        let of_it =
            |line: &&str| line.starts_with("notafter_certificates_not_deployed{source=\"iot\"");
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
        let Topic::NotDeployed { facts, rung, newer, since, .. } = topic else {
            panic!("{topic:?}")
        };
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

fn bound(places: &[&str]) -> Bound {
    Bound::To(places.iter().map(|place| (*place).to_owned()).collect())
}

/// Returns what of the old certificate was said, if anything: kind, severity, whether it is known to be in use, and where.
async fn said_of_the_old(bench: &Bench) -> Vec<(&'static str, Severity, bool, Vec<String>)> {
    let said = bench.said().await;
    let of = |event: &Event| match &event.topic {
        Topic::NotDeployed { bound, newer, .. } => (!newer.deployment_unknown, bound.clone()),
        Topic::Expiring { newer, .. } => {
            (newer.as_ref().is_some_and(|newer| !newer.deployment_unknown), Vec::new())
        }
        _ => (false, Vec::new()),
    };
    let said = said.iter().map(|event| (event.kind(), event.severity, of(event)));
    said.map(|(kind, severity, (known, bound))| (kind, severity, known, bound)).collect()
}

#[tokio::test]
async fn a_provider_decides_by_where_it_uses_what_was_renewed() {
    let expiring = |severity| vec![("certificate.expiring", severity, false, vec![])];
    let deployed = ("certificate.not_deployed", Severity::Critical, true, vec!["clb".to_owned()]);
    for (linked, answer, expected) in [
        (true, None, vec![]),
        (true, Some(bound(&["clb"])), vec![deployed.clone()]),
        (true, Some(Bound::Nowhere), vec![]),
        (true, Some(Bound::Unknown), expiring(Severity::Warning)),
        (false, None, expiring(Severity::Warning)),
        (false, Some(bound(&["clb"])), vec![deployed]),
        (false, Some(Bound::Nowhere), vec![]),
        (false, Some(Bound::Unknown), expiring(Severity::Warning)),
    ] {
        let mut bench = Bench::with_endpoints().await;
        let successors = if linked { vec!["2".to_owned()] } else { vec![] };
        let old = Sighting { successors, ..server("1", "", 2) };
        bench.list(vec![old, server("2", "", 90)], answer.clone()).await;
        assert_eq!(said_of_the_old(&bench).await, expected, "{linked} {answer:?}");
        bench.restart().await;
        bench.serve().await;
        bench.decide().await;
        assert_eq!(said_of_the_old(&bench).await.len(), expected.len(), "{linked} {answer:?}");
    }
}

#[tokio::test]
async fn what_is_in_use_no_more_is_renewed_for_those_who_heard_and_is_counted_till_then() {
    let mut bench = Bench::with_endpoints().await;
    let old = || Sighting { successors: vec!["2".to_owned()], ..server("1", "", 2) };
    let count = |bench: &Bench| bench.undeployed();
    bench.list(vec![old(), server("2", "", 90)], Some(bound(&["clb"]))).await;
    assert_eq!(count(&bench), 1);
    assert_eq!(bench.kinds().await, ["certificate.not_deployed"]);
    for _ in 0..3 {
        bench.list(vec![old(), server("2", "", 90)], Some(Bound::Nowhere)).await;
    }
    assert_eq!(bench.kinds().await, ["certificate.not_deployed", "certificate.renewed"]);
    assert_eq!(count(&bench), 0);
}

#[tokio::test]
async fn only_what_ends_soon_and_may_be_replaced_is_asked_about() {
    let mut bench = Bench::with_endpoints().await;
    let of_names = |serial: &str, days: i64, name: &str| Sighting {
        names: vec![name.to_owned()],
        ..server(serial, "", days)
    };
    let rows = vec![
        of_names("ends-soon", 13, "a.test"),
        of_names("newer", 90, "a.test"),
        of_names("ends-later", 15, "b.test"),
        of_names("newer-still", 90, "b.test"),
        of_names("has-no-newer", 5, "c.test"),
        of_names("ended-long-ago", -31, "a.test"),
        of_names("ended", -29, "a.test"),
    ];
    bench.issued(rows).await;
    let asked = bench.pipeline.maybe_replaced(&"ssl".into()).await.unwrap();
    let mut serials: Vec<_> = asked.iter().map(|one| one.serial.as_str()).collect();
    serials.sort_unstable();
    assert_eq!(serials, ["ended", "ends-soon"]);
    let answers = asked.into_iter().map(|one| (one.row, Bound::Unknown)).collect();
    bench.pipeline.take_bound(answers);
    assert_eq!(bench.pipeline.inventory.all_bound().count(), 2);
    let renewed = vec![of_names("ends-soon", 300, "a.test"), of_names("newer", 90, "a.test")];
    bench.issued(renewed).await;
    bench.pipeline.maybe_replaced(&"ssl".into()).await.unwrap();
    assert_eq!(bench.pipeline.inventory.all_bound().count(), 1, "what was renewed is forgotten");
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

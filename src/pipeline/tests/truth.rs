//! What is said of alerts that end, of channels that change, and of stores that earlier releases wrote.

use super::*;
use crate::expiry::Facts;

/// What the release of `4d1c0c4` left behind.
const FIRST: &str = include_str!("../../../tests/fixtures/stores/4d1c0c4/store.sql");

impl Bench {
    /// Decides and saves.
    async fn turn(&mut self) {
        self.pipeline.decide().await.unwrap();
        self.save().await;
    }

    /// Delivers all that waits for a channel, and answers with the kinds of it.
    async fn deliver(&self, channel: &str) -> Vec<&'static str> {
        let events = deliver(&*self.store, channel).await;
        events.iter().map(Event::kind).collect()
    }

    /// What waits for `ops`, which hears nothing of it yet.
    async fn waiting(&self) -> Vec<Event> {
        let pending = self.store.pending("ops", 100).await.unwrap();
        pending.into_iter().map(|pending| pending.event).collect()
    }

    async fn waiting_kinds(&self) -> Vec<&'static str> {
        self.waiting().await.iter().map(Event::kind).collect()
    }

    /// Reads these, without telling what is missing.
    async fn sees(&mut self, slice: &Arc<Slice>, sightings: Vec<Sighting>) {
        let page = Page { sightings: sightings.into_iter().collect(), ..Page::default() };
        self.apply(ScanEvent::Page { slice: Arc::clone(slice), page, offset: None }).await;
    }

    /// The provider is asked for certificates, by serial, and has them or not.
    async fn asked(&mut self, slice: &Arc<Slice>, serial: &str, there: bool) {
        self.save().await;
        let rows: Vec<RowId> = self.view.borrow().rows().map(|(row, _)| row).collect();
        let facts = self.store.facts(&rows).await.unwrap();
        let named = |facts: &Option<Facts>| facts.as_ref().is_some_and(|it| it.serial == serial);
        let rows: Vec<RowId> =
            rows.into_iter().zip(&facts).filter(|(_, it)| named(it)).map(|(row, _)| row).collect();
        let (present, absent) = if there { (rows, vec![]) } else { (vec![], rows) };
        let slice = Arc::clone(slice);
        self.apply(ScanEvent::Asked { slice, absent, present, unasked: vec![] }).await;
        self.turn().await;
    }

    async fn reload(&mut self, text: &str) {
        let settings = Box::new(settings_of(text, &["iot"]));
        self.pipeline.handle(Command::Reconfigure(settings)).await.unwrap();
        self.turn().await;
    }
}

fn server(serial: &str, place: &str, days: i64) -> Sighting {
    Sighting {
        kind: Kind::Server,
        place: place.into(),
        names: vec!["a.test".into()],
        ..device(serial, days)
    }
}

fn everything(scope: &str) -> Arc<Slice> {
    Arc::new(Slice::whole(&scope.into(), Window::All, 100, 10))
}

/// The configuration with these channels, all of them told of everything.
pub(super) fn channels(names: &[&str]) -> String {
    let (head, _) = TEXT.split_once("[[channel]]").unwrap();
    let channel = |name: &&str| format!("[[channel]]\nname = \"{name}\"\nkind = \"slack\"\n");
    let all: String = names.iter().map(channel).collect();
    format!("{head}{all}[[route]]\nchannels = {names:?}\n")
}

#[tokio::test]
async fn a_certificate_that_is_gone_is_said_to_those_who_were_told_and_not_between_two_scans() {
    let mut bench = Bench::new().await;
    let all = everything("all");
    bench
        .sees(&all, vec![server("1", "/a", 5), server("1", "/b", 300), server("9", "/c", 5)])
        .await;
    // The last of them was not there when it crossed its rung.
    bench.asked(&all, "9", false).await;
    assert_eq!(bench.deliver("ops").await, ["certificate.expiring"]);
    bench.asked(&all, "9", true).await;
    assert_eq!(bench.deliver("ops").await, ["certificate.expiring"]);
    bench.asked(&all, "9", false).await;
    assert_eq!(bench.waiting_kinds().await, [""; 0]);
    bench.asked(&all, "9", false).await;
    let said = bench.waiting().await;
    let [Event { severity: Severity::Info, topic: Topic::Gone { facts, elsewhere }, .. }] =
        &said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!((facts.serial.as_str(), facts.place.as_str()), ("9", "/c"));
    assert_eq!(elsewhere.as_ref().map(|other| other.place.as_str()), Some("/b"));
}

#[tokio::test]
async fn what_nobody_heard_of_closes_without_a_word() {
    let mut bench = Bench::new().await;
    let all = everything("all");
    bench.sees(&all, vec![server("1", "/a", 5)]).await;
    bench.turn().await;
    assert_eq!(bench.waiting_kinds().await, ["certificate.expiring"]);
    for _ in 0..2 {
        bench.asked(&all, "1", false).await;
    }
    assert_eq!(bench.waiting_kinds().await, [""; 0]);
    assert_eq!(bench.pipeline.ledger.len(), 0);
}

#[tokio::test]
async fn a_certificate_whose_place_holds_a_later_one_is_renewed_when_it_is_gone() {
    is_renewed_in("/a").await;
}

#[tokio::test]
async fn one_of_a_list_for_whose_names_there_is_a_later_one_is_renewed_when_it_is_gone() {
    is_renewed_in("").await;
}

async fn is_renewed_in(place: &str) {
    let mut bench = Bench::new().await;
    let all = everything("all");
    bench.sees(&all, vec![server("1", place, 5)]).await;
    bench.turn().await;
    bench.deliver("ops").await;
    let new = Sighting { issuer: "another".into(), ..server("2", place, 90) };
    bench.sees(&all, vec![new]).await;
    for _ in 0..2 {
        assert_eq!(bench.waiting_kinds().await, [""; 0]);
        bench.asked(&all, "1", false).await;
    }
    let said = bench.waiting().await;
    let [Event { topic: Topic::Renewed { facts, successor, .. }, .. }] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((facts.serial.as_str(), successor.as_str()), ("1", "2"));
}

#[tokio::test]
async fn one_that_may_be_replaced_is_a_warning_at_most_and_names_the_newer_one() {
    for (place, severity, unknown) in
        [("", Severity::Warning, true), ("/a", Severity::Critical, false)]
    {
        let mut bench = Bench::new().await;
        let all = everything("all");
        let newer = Sighting {
            place: if place.is_empty() { "" } else { "/b" }.into(),
            ..server("2", "", 90)
        };
        bench.sees(&all, vec![server("1", place, 1), newer]).await;
        bench.turn().await;
        let said = bench.waiting().await;
        let [Event { severity: found, topic: Topic::Expiring { newer: Some(newer), .. }, .. }] =
            &said[..]
        else {
            panic!("{said:?}")
        };
        assert_eq!((*found, newer.serial.as_str()), (severity, "2"), "{place}");
        assert_eq!(newer.deployment_unknown, unknown, "{place}");
    }
}

#[tokio::test]
async fn a_scope_that_is_gone_closes_the_alerts_in_it() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 300)]).await;
    bench.scan(&slice("mqtt-2", Window::All), vec![device("b", 5)]).await;
    bench.turn().await;
    assert_eq!(bench.deliver("ops").await, ["certificate.expiring"]);
    bench.listed(&["mqtt-1"]).await;
    bench.absent("mqtt-2").await;
    bench.deliver("ops").await;
    bench.absent("mqtt-2").await;
    assert!(
        bench.waiting_kinds().await.contains(&"certificate.gone"),
        "{:?}",
        bench.waiting_kinds().await
    );
}

#[tokio::test]
async fn what_waits_for_a_channel_that_is_gone_is_routed_anew_and_what_only_it_heard_is_said() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 5)]).await;
    bench.turn().await;
    bench.deliver("ops").await;
    bench.scan(&slice("mqtt-2", Window::All), vec![device("b", 5)]).await;
    bench.turn().await;
    bench.reload(&channels(&["new"])).await;
    assert_eq!(bench.waiting_kinds().await, [""; 0], "nobody reads it any more");
    bench.turn().await;
    let serials = async |bench: &Bench, channel: &str| {
        let waiting = bench.store.pending(channel, 100).await.unwrap();
        let serial = |one: &crate::store::Pending| one.event.facts().unwrap().serial.clone();
        let mut serials: Vec<_> = waiting.iter().map(serial).collect();
        serials.sort_unstable();
        serials
    };
    assert_eq!(serials(&bench, "new").await, ["a", "b"]);
    // The same over a restart.
    bench.restart().await;
    bench.turn().await;
    assert_eq!(serials(&bench, "ops").await, ["a", "b"], "the configuration of before");
    assert_eq!(serials(&bench, "new").await, [""; 0]);
}

#[tokio::test]
async fn a_channel_that_a_reload_newly_routes_to_hears_once_what_is_open() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 5), device("b", 300)]).await;
    bench.turn().await;
    bench.deliver("ops").await;
    for _ in 0..2 {
        bench.reload(&channels(&["ops", "room"])).await;
        assert_eq!(bench.waiting_kinds().await, [""; 0]);
        assert_eq!(bench.store.pending("room", 9).await.unwrap().len(), 1);
    }
    assert_eq!(bench.deliver("room").await, ["certificate.expiring"]);
    bench.reload(&channels(&["ops", "room"])).await;
    assert_eq!(bench.store.backlog().await.unwrap(), []);
}

#[tokio::test]
async fn one_event_has_one_id_whoever_decides_it() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut bench = Bench::new().await;
        bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 5)]).await;
        bench.turn().await;
        ids.push(bench.waiting().await.remove(0).id);
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn an_upgrade_says_nothing_again_and_loses_nothing_that_waits() {
    let (folder, now) = (tempfile::tempdir().unwrap(), Timestamp::from_seconds(1_795_784_800));
    let path = folder.path().join("notafter.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(FIRST).unwrap();
    let store = Arc::new(Sqlite::open(&path).unwrap());
    let backlog = store.backlog().await.unwrap();
    let text = channels(&["audit", "night", "ops"]);
    let settings = settings_of(&text, &["host", "iot", "plant", "web"]);
    let clock = Arc::new(SteadyClock::starting_at(now));
    let (pipeline, view) = restored_at(Arc::clone(&store) as Arc<dyn Store>, clock, settings).await;
    let source = "host".into();
    let mut bench = Bench {
        pipeline,
        store,
        view,
        source,
        heard: std::sync::Mutex::default(),
        _folder: folder,
    };
    // The same files, each with its place now, and one of them in two.
    let query = ListQuery { source: Some("host".into()), limit: 100, ..ListQuery::default() };
    let known = bench.store.list(&query).await.unwrap();
    assert_eq!(known.len(), 5);
    let sighting = |facts: &Facts, place: String| Sighting {
        issuer: facts.issuer.clone(),
        place,
        kind: facts.kind,
        not_before: facts.not_before,
        not_after: facts.not_after,
        common_name: facts.common_name.clone(),
        holder: facts.holder.clone(),
        unit: facts.unit.clone(),
        names: vec![facts.common_name.clone()],
        ..device(&facts.serial, 0)
    };
    let place = |folder: &str, facts: &Facts| format!("/{folder}/{}.pem", facts.common_name);
    for folder in ["a", "b"] {
        let sightings = known.iter().map(|facts| sighting(facts, place(folder, facts))).collect();
        bench.sees(&everything("all"), sightings).await;
        bench.turn().await;
    }
    assert_eq!(bench.view.borrow().rows().count(), 132 + 5);
    // That an authority ends first was never said before.
    for channel in ["audit", "night", "ops"] {
        let waiting = bench.store.pending(channel, 100).await.unwrap();
        let known = waiting.iter().filter(|one| one.event.kind() != "ca.ends_first").count();
        let before = backlog.iter().find(|(name, ..)| name == channel);
        assert_eq!(known as u64, before.map_or(0, |(_, count, _)| *count), "{channel}");
    }
}

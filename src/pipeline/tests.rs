//! The pipeline event by event, with a store in a file and no scans but those that a test tells of.

use std::collections::BTreeSet;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::draft::BATCH;
use super::*;
use crate::client::ClockOffset;
use crate::clock::{SteadyClock, SystemRandom};
use crate::config::{Environment, load};
use crate::expiry::{Ends, Event, Kind, Rejected, RowId, Rung, Severity, Sighting, Status, Topic};
use crate::metrics::Setup;
use crate::scan::{Candidate, LastRead, Reading, Report};
use crate::source::{Page, Slice, Window};
use crate::store::{Batch, BatchUpdate, ChannelState, Checkpoint, ListQuery, Sqlite};

mod clock;
mod endpoints;
mod places;
mod truth;

/// 2027-01-15T08:00:00Z.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: i64 = 86_400;

const TEXT: &str = r#"
[[source]]
name = "machine"
kind = "files"
schedule = "every 1h"
[source.options]
paths = ["/x"]
[[channel]]
name = "ops"
kind = "slack"
[[route]]
channels = ["ops"]
"#;

struct Bench {
    pipeline: Pipeline,
    store: Arc<Sqlite>,
    view: watch::Receiver<Arc<View>>,
    source: Arc<str>,
    heard: std::sync::Mutex<Vec<Event>>,
    _folder: TempDir,
}

fn watched(name: &str) -> Watched {
    let (name, kind) = (name.to_owned(), "tencent-mqtt".to_owned());
    Watched {
        name,
        kind,
        intervals: vec![("near", 600), ("all", DAY)],
        scopes: None,
        serves: false,
    }
}

fn settings(sources: &[&str]) -> Settings {
    settings_of(TEXT, sources)
}

fn settings_of(text: &str, sources: &[&str]) -> Settings {
    let config = load(text, &Environment::of([]), |_| None).0.unwrap();
    Settings {
        config: Arc::new(config),
        watched: sources.iter().map(|name| watched(name)).collect(),
    }
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::inline(&folder.path().join("notafter.db")).unwrap());
        let (pipeline, view) = restored(&store).await;
        Self {
            pipeline,
            store,
            view,
            source: "iot".into(),
            heard: std::sync::Mutex::default(),
            _folder: folder,
        }
    }

    /// Begins anew with what the store has.
    async fn restart(&mut self) {
        self.save().await;
        (self.pipeline, self.view) = restored(&self.store).await;
    }

    async fn apply(&mut self, event: ScanEvent) {
        self.pipeline.apply(&self.source, event).await.unwrap();
    }

    async fn save(&mut self) {
        self.pipeline.save().await.unwrap();
        self.pipeline.settle().await.unwrap();
    }

    /// Tells of a whole scan that lists these, and answers with what it says is missing.
    async fn scan(&mut self, slice: &Arc<Slice>, sightings: Vec<Sighting>) -> Vec<Candidate> {
        let total = sightings.len() as u64;
        self.read(slice, sightings, whole(slice, total)).await
    }

    async fn read(
        &mut self,
        slice: &Arc<Slice>,
        sightings: Vec<Sighting>,
        report: Report,
    ) -> Vec<Candidate> {
        let slices = vec![Arc::clone(slice)];
        self.apply(ScanEvent::Planned { window: slice.window, slices }).await;
        self.apply(ScanEvent::Begin { slice: Arc::clone(slice) }).await;
        let sightings = sightings.into_iter().collect();
        let page = Page { sightings, ..Page::default() };
        self.apply(ScanEvent::Page { slice: Arc::clone(slice), page, offset: None }).await;
        let mut candidates = Vec::new();
        // As scans do: what is not proven covers nothing.
        if report.proven() && report.reading.unreadable == 0 {
            let (missing, answer) = oneshot::channel();
            let slice = Arc::clone(slice);
            let ends = slice.within.map_or(Ends::All, Ends::Within);
            self.apply(ScanEvent::Covered { slice, ends, missing }).await;
            candidates = answer.await.unwrap();
        }
        self.apply(ScanEvent::End { report }).await;
        candidates
    }

    async fn listed(&mut self, scopes: &[&str]) -> Vec<(Arc<str>, Candidate)> {
        let scopes: BTreeSet<Arc<str>> = scopes.iter().copied().map(Arc::from).collect();
        let (unlisted, answer) = oneshot::channel();
        self.apply(ScanEvent::Listed { scopes, unlisted }).await;
        answer.await.unwrap()
    }

    async fn absent(&mut self, scope: &str) {
        self.apply(ScanEvent::ScopesAsked { absent: vec![scope.into()] }).await;
        self.save().await;
    }

    fn status(&self, source: &str) -> Option<SourceStatus> {
        let sources = self.pipeline.outputs.sources.borrow();
        sources.iter().find(|status| status.name == source).cloned()
    }

    async fn serials(&self) -> Vec<String> {
        let query = ListQuery { limit: 100, ..ListQuery::default() };
        let known = self.store.list(&query).await.unwrap();
        known.into_iter().map(|facts| facts.serial).collect()
    }

    /// Everything that `ops` heard so far; it hears now what waits.
    async fn said(&self) -> Vec<Event> {
        let news = deliver(&*self.store, "ops").await;
        let mut heard = self.heard.lock().unwrap();
        heard.extend(news);
        heard.clone()
    }

    async fn kinds(&self) -> Vec<&'static str> {
        self.said().await.iter().map(Event::kind).collect()
    }
}

/// Delivers all that waits for a channel, and answers with it.
async fn deliver(store: &dyn Store, channel: &str) -> Vec<Event> {
    let waiting = store.pending(channel, 100).await.unwrap();
    let deliveries: Vec<i64> = waiting.iter().map(|one| one.delivery).collect();
    let batch = Batch {
        id: "b".to_owned(),
        attempts: 0,
        detail: 0,
        next_at: NOW,
        composed_at: NOW,
        begun: true,
        pages: 0,
    };
    assert!(store.freeze(&deliveries, &batch).await.unwrap());
    let update = BatchUpdate::Delivered { at: NOW };
    store.settle(channel, "b", &update, &ChannelState::default()).await.unwrap();
    waiting.into_iter().map(|one| one.event).collect()
}

async fn restored(store: &Arc<Sqlite>) -> (Pipeline, watch::Receiver<Arc<View>>) {
    let clock = Arc::new(SteadyClock::starting_at(NOW));
    restored_at(Arc::clone(store) as Arc<dyn Store>, clock, settings(&["iot"])).await
}

async fn restored_at(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
) -> (Pipeline, watch::Receiver<Arc<View>>) {
    let metrics =
        Arc::new(DaemonMetrics::new(&Setup { sources: Vec::new(), channels: Vec::new() }));
    let exposition = Arc::new(Exposition::new(Arc::clone(&metrics)));
    let random = Arc::new(SystemRandom);
    let parts = Parts { store, metrics, clock, random };
    let outputs = Outputs {
        view: watch::Sender::new(Arc::new(Inventory::new().view())),
        sources: watch::Sender::default(),
        outbox: watch::Sender::new(0),
        writable: watch::Sender::new(true),
        pulse: watch::Sender::new(Instant::now()),
        exposition,
    };
    let view = outputs.view.subscribe();
    (Pipeline::restore(parts, settings, outputs).await.unwrap(), view)
}

fn slice(scope: &str, window: Window) -> Arc<Slice> {
    let within = match window {
        Window::Near { from, to } => Some((from, to)),
        Window::All => None,
    };
    let all = Slice::whole(&scope.into(), window, 100, 10);
    Arc::new(Slice { kind: Some(Kind::Device), within, ..all })
}

fn whole(slice: &Arc<Slice>, total: u64) -> Report {
    let reading = Reading {
        first_total: total,
        last_total: total,
        distinct: total,
        finished: true,
        ..Reading::default()
    };
    let (started, ended) = (NOW, NOW.plus(5));
    Report { slice: Arc::clone(slice), started, ended, reading, error: None }
}

fn polled(offset: Option<ClockOffset>) -> ScanEvent {
    let (window, started, ended) = (Window::All, NOW, NOW);
    ScanEvent::Polled { window, started, ended, proven: false, error: None, offset }
}

/// What the provider of an account shows in answer to a daemon that has just started.
fn offset(account: u64, seconds: i64) -> ClockOffset {
    ClockOffset { seconds, seen: NOW, uptime: Duration::ZERO, account }
}

fn device(serial: &str, days: i64) -> Sighting {
    Sighting {
        issuer: "ca".into(),
        serial: serial.into(),
        signer: "ca".into(),
        not_after: Some(NOW.plus(days * DAY)),
        common_name: format!("cn of {serial}"),
        holder: format!("holder of {serial}"),
        ..Sighting::bare(Kind::Device, Status::Active)
    }
}

fn noted(scope: &str, key: &str) -> ScanEvent {
    ScanEvent::Checkpoint {
        scope: scope.into(),
        checkpoints: vec![(key.to_owned(), Some("1".to_owned()))],
    }
}

fn checkpoint(scope: &str, key: &str) -> Checkpoint {
    let (source, scope, key) = ("iot".to_owned(), scope.to_owned(), key.to_owned());
    Checkpoint { source, scope, key, value: Some("1".to_owned()) }
}

#[tokio::test]
async fn checkpoints_are_saved_with_the_rows_before_them_and_go_with_their_scope() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300)]).await;
    bench.apply(noted("mqtt-1", "k")).await;
    assert_eq!(bench.store.checkpoints("iot").await.unwrap(), []);
    bench.save().await;
    assert_eq!(bench.serials().await, ["a"]);
    assert_eq!(bench.store.checkpoints("iot").await.unwrap(), [checkpoint("mqtt-1", "k")]);
    // A checkpoint alone is reason enough to save.
    bench.apply(noted("mqtt-1", "l")).await;
    bench.save().await;
    assert_eq!(bench.store.checkpoints("iot").await.unwrap().len(), 2);
    // What was noted and not saved yet is forgotten with the scope as well.
    bench.apply(noted("mqtt-1", "m")).await;
    bench.apply(noted("mqtt-2", "n")).await;
    for _ in 0..2 {
        bench.apply(ScanEvent::ScopesAsked { absent: vec!["mqtt-1".into()] }).await;
    }
    bench.save().await;
    assert_eq!(bench.store.checkpoints("iot").await.unwrap(), [checkpoint("mqtt-2", "n")]);
    assert_eq!(bench.serials().await, Vec::<String>::new());
}

#[tokio::test]
async fn steps_of_a_source_that_nobody_watches_change_nothing() {
    let mut bench = Bench::new().await;
    bench.save().await;
    bench.source = "else".into();
    bench.apply(noted("mqtt-1", "k")).await;
    let all = slice("mqtt-1", Window::All);
    let page = Page { sightings: [device("a", 300)].into_iter().collect(), ..Page::default() };
    bench.apply(ScanEvent::Page { slice: all, page, offset: None }).await;
    assert!(bench.pipeline.draft.is_empty());
}

#[tokio::test]
async fn a_scope_that_is_not_listed_is_asked_for_and_goes_when_it_is_absent_twice() {
    let mut bench = Bench::new().await;
    for scope in ["mqtt-1", "mqtt-2"] {
        let serials = ["a", "b"].map(|serial| format!("{scope} {serial}"));
        let devices = serials.iter().map(|serial| device(serial, 300)).collect();
        bench.scan(&slice(scope, Window::All), devices).await;
    }
    assert_eq!(bench.listed(&["mqtt-1", "mqtt-2"]).await, []);
    let ask = bench.listed(&["mqtt-1"]).await;
    let ask: Vec<_> = ask.iter().map(|(scope, one)| (&**scope, one.serial.as_str())).collect();
    assert_eq!(ask, [("mqtt-2", "mqtt-2 a")]);
    bench.absent("mqtt-2").await;
    assert_eq!((bench.serials().await.len(), bench.kinds().await), (4, vec!["inventory.shrunk"]));
    // Listed again in between: the next time is the first.
    bench.listed(&["mqtt-1", "mqtt-2"]).await;
    bench.absent("mqtt-2").await;
    assert_eq!(bench.serials().await.len(), 4);
    bench.absent("mqtt-2").await;
    assert_eq!(bench.serials().await, ["mqtt-1 a", "mqtt-1 b"]);
    assert_eq!(bench.kinds().await, ["inventory.shrunk", "inventory.restored"]);
    let scans = bench.store.scans().await.unwrap();
    assert_eq!(scans.iter().map(|scan| scan.scope.as_str()).collect::<Vec<_>>(), ["mqtt-1"]);
    assert_eq!(bench.view.borrow().len(), 2);
}

#[tokio::test]
async fn an_empty_scope_that_is_not_listed_is_forgotten_without_asking() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![]).await;
    bench.save().await;
    assert_eq!(bench.store.scans().await.unwrap().len(), 1);
    assert_eq!(bench.listed(&[]).await, []);
    bench.save().await;
    assert_eq!(bench.store.scans().await.unwrap(), []);
    assert_eq!(bench.kinds().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_failed_scan_keeps_the_counts_of_the_last_answer() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300), device("b", 300)]).await;
    let mut failed = whole(&all, 0);
    failed.error = Some("mqtt-1: timed out".to_owned());
    failed.ended = NOW.plus(60);
    assert_eq!(bench.read(&all, vec![], failed).await, []);
    bench.restart().await;
    let scan = bench.store.scans().await.unwrap().remove(0);
    assert_eq!((scan.reported, scan.collected, scan.proven), (2, 2, false));
    assert_eq!((scan.last_proven, scan.ended), (Some(NOW.plus(5)), NOW.plus(60)));
    assert_eq!(scan.error.as_deref(), Some("mqtt-1: timed out"));
    let status = bench.status("iot").unwrap().scans[0].clone();
    assert_eq!((status.reported, status.last_proven), (Some(2), Some(NOW.plus(5))));
}

#[tokio::test]
async fn a_window_was_read_when_the_part_that_was_read_longest_ago_was() {
    let mut bench = Bench::new().await;
    let last = async |bench: &mut Bench| {
        bench.save().await;
        let scans = bench.store.scans().await.unwrap();
        last_reads(&scans).get("iot").copied().unwrap_or_default()
    };
    assert_eq!(last(&mut bench).await, LastRead::default());
    let near = Window::Near { from: NOW, to: NOW.plus(45 * DAY) };
    for (scope, window, ended) in
        [("mqtt-1", near, 50), ("mqtt-2", near, 40), ("mqtt-1", Window::All, 30)]
    {
        let slice = slice(scope, window);
        let report = Report { ended: NOW.plus(ended), ..whole(&slice, 0) };
        bench.read(&slice, vec![], report).await;
    }
    let expected = LastRead { near: Some(NOW.plus(40)), all: Some(NOW.plus(30)) };
    assert_eq!(last(&mut bench).await, expected);
    // A part that is planned and was never answered for: the window was not read.
    let slices = vec![slice("mqtt-3", Window::All)];
    bench.apply(ScanEvent::Planned { window: Window::All, slices }).await;
    assert_eq!(last(&mut bench).await, LastRead { all: None, ..expected });
    bench.restart().await;
    assert_eq!(last(&mut bench).await, LastRead { all: None, ..expected });
}

#[tokio::test]
async fn a_certificate_never_loses_its_end_unless_it_waits_to_be_issued() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300), device("b", 200)]).await;
    let without = |serial: &str, status| Sighting { status, not_after: None, ..device(serial, 0) };
    let sightings = vec![without("a", Status::Active), without("b", Status::Pending)];
    bench.scan(&all, sightings).await;
    bench.save().await;
    let ends: Vec<_> =
        bench.view.borrow().rows().map(|(_, row)| (row.not_after, row.status)).collect();
    assert_eq!(ends, [(Some(NOW.plus(300 * DAY)), Status::Active), (None, Status::Undated)]);
}

#[tokio::test]
async fn messages_know_what_is_drafted_and_not_saved() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300), device("b", 300)]).await;
    bench.save().await;
    let later = Sighting { unit: "plant-7".into(), ..device("a", 400) };
    let sightings = [later, device("c", 300)].into_iter().collect();
    let page = Page { sightings, ..Page::default() };
    bench.apply(ScanEvent::Page { slice: all, page, offset: None }).await;
    let rows: Vec<RowId> = bench.pipeline.inventory.view().rows().map(|(row, _)| row).collect();
    bench.pipeline.draft.remove(&[], vec![(rows[1], Status::Superseded)]);
    let unknown = RowId(77);
    let facts = bench.pipeline.facts(&[rows[2], unknown, rows[0], rows[1]]).await.unwrap();
    let told: Vec<_> = facts
        .iter()
        .map(|facts| {
            let facts = facts.as_ref()?;
            Some((facts.serial.as_str(), facts.unit.as_str(), facts.status))
        })
        .collect();
    let expected = [
        Some(("c", "", Status::Active)),
        None,
        Some(("a", "plant-7", Status::Active)),
        Some(("b", "", Status::Superseded)),
    ];
    assert_eq!(told, expected);
    assert_eq!(facts[0].as_ref().map(|facts| facts.scope.as_str()), Some("mqtt-1"));
}

#[tokio::test]
async fn a_source_that_is_not_configured_any_more_is_dropped_without_a_word() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 300)]).await;
    bench.apply(noted("mqtt-1", "k")).await;
    bench.save().await;
    bench.pipeline.handle(Command::Reconfigure(Box::new(settings(&["else"]))));
    bench.save().await;
    assert_eq!((bench.serials().await, bench.kinds().await), (vec![], vec![]));
    assert_eq!(bench.store.scans().await.unwrap(), []);
    assert_eq!(bench.store.checkpoints("iot").await.unwrap(), []);
    assert!(bench.status("else").is_some());
    assert!(bench.status("iot").is_none());
}

#[tokio::test]
async fn a_decision_is_saved_with_what_it_is_about_and_not_made_twice() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 5), device("b", 300)]).await;
    for _ in 0..3 {
        bench.pipeline.decide().await.unwrap();
        bench.restart().await;
    }
    let said = bench.said().await;
    let told: Vec<_> = said.iter().map(|event| &event.topic).collect();
    let [Topic::Expiring { facts, rung, leaves: None, newer: None }] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((facts.serial.as_str(), *rung), ("a", Rung::Before(7 * 86_400)));
    assert_eq!((facts.source.as_str(), facts.scope.as_str()), ("iot", "mqtt-1"));
}

#[tokio::test]
async fn rejected_rows_are_no_proof_and_tell_the_last_error() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, vec![device("a", 300)]).await;
    let what = String::new();
    let rejected = vec![Rejected { reason: crate::expiry::Reason::BadField, what }];
    let page = Page { rejected, ..Page::default() };
    bench.apply(ScanEvent::Begin { slice: Arc::clone(&all) }).await;
    bench.apply(ScanEvent::Page { slice: Arc::clone(&all), page, offset: None }).await;
    let mut report = whole(&all, 1);
    (report.reading.unreadable, report.reading.unknown) = (1, 1);
    bench.apply(ScanEvent::End { report }).await;
    bench.apply(polled(None)).await;
    let status = bench.status("iot").unwrap();
    assert_eq!(status.up, Some(true));
    let problem = "mqtt-1: 1 of 1 rows could not be understood";
    assert_eq!(status.last_error.as_deref(), Some(problem));
}

#[tokio::test]
async fn a_providers_clock_comes_with_the_poll() {
    let mut bench = Bench::new().await;
    // One that is over before anybody heard of it is not said.
    for (seconds, events) in [(60, 0), (120, 1), (130, 1), (0, 0), (-120, 1)] {
        bench.apply(polled(Some(offset(1, seconds)))).await;
        // A poll without an answer says nothing of the clock.
        bench.apply(polled(None)).await;
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        let backlog = bench.store.backlog().await.unwrap();
        assert_eq!(backlog.first().map_or(0, |(_, count, ..)| *count), events, "{seconds}");
    }
}

#[tokio::test]
async fn more_news_than_a_transaction_holds_is_said_all_and_once() {
    let mut bench = Bench::new().await;
    let count = BATCH + 5;
    let all = slice("mqtt-1", Window::All);
    bench.scan(&all, (0..count).map(|number| device(&number.to_string(), 3)).collect()).await;
    for _ in 0..2 {
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        assert_eq!(bench.store.backlog().await.unwrap()[0].1, count as u64);
        assert_eq!(bench.pipeline.ledger.len(), count);
        bench.restart().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_pipeline_turns_when_a_rung_is_crossed_and_else_seldom() {
    let mut bench = Bench::new().await;
    let soon = Sighting { not_after: Some(NOW.plus(7 * DAY + 90)), ..device("a", 7) };
    bench.scan(&slice("mqtt-1", Window::All), vec![soon]).await;
    bench.restart().await;
    let Bench { pipeline, store, .. } = bench;
    let (_events, events) = mpsc::channel(1);
    let (_commands, commands) = mpsc::channel(1);
    let (stop, started) = (CancellationToken::new(), Instant::now());
    let mut pulse = pipeline.outputs.pulse.subscribe();
    let count = async {
        let mut turns = 0;
        while started.elapsed() < Duration::from_mins(10) {
            pulse.changed().await.unwrap();
            turns += 1;
        }
        stop.cancel();
        turns
    };
    let run = pipeline.run(Inbox { events, commands }, stop.clone());
    let (turns, ran) = tokio::join!(count, run);
    ran.unwrap();
    assert!((8..=20).contains(&turns), "{turns} turns in ten minutes");
    let pending = store.pending("ops", 100).await.unwrap();
    let times: Vec<_> = pending.iter().map(|pending| pending.event.at.since(NOW)).collect();
    assert_eq!(times, [90], "in place of the looser one, which nobody heard");
}

/// Who answers a point read.
type Has = fn(&str) -> bool;

impl Bench {
    /// Tells of a whole scan, in which the provider is asked for what is missing and has those that `has` tells.
    async fn scan_and_ask(&mut self, slice: &Arc<Slice>, sightings: Vec<Sighting>, has: Has) {
        let report = whole(slice, sightings.len() as u64);
        let slices = vec![Arc::clone(slice)];
        self.apply(ScanEvent::Planned { window: slice.window, slices }).await;
        self.apply(ScanEvent::Begin { slice: Arc::clone(slice) }).await;
        let page = Page { sightings: sightings.into_iter().collect(), ..Page::default() };
        self.apply(ScanEvent::Page { slice: Arc::clone(slice), page, offset: None }).await;
        let (missing, answer) = oneshot::channel();
        let covered = Arc::clone(slice);
        self.apply(ScanEvent::Covered { slice: covered, ends: Ends::All, missing }).await;
        let candidates = answer.await.unwrap();
        let (present, absent): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| has(&candidate.serial));
        let rows = |some: Vec<Candidate>| some.into_iter().map(|one| one.row).collect();
        let (present, absent) = (rows(present), rows(absent));
        let slice = Arc::clone(slice);
        self.apply(ScanEvent::Asked { slice, absent, present, unasked: Vec::new() }).await;
        self.apply(ScanEvent::End { report }).await;
        self.save().await;
    }

    async fn unlisted(&self) -> Vec<u64> {
        let said = self.said().await;
        let unlisted = said.iter().filter_map(|event| match event.topic {
            Topic::InventoryContradicts { unlisted, .. } => Some(unlisted),
            _ => None,
        });
        unlisted.collect()
    }
}

fn devices(serials: &[&str]) -> Vec<Sighting> {
    serials.iter().map(|serial| device(serial, 300)).collect()
}

#[tokio::test]
async fn a_list_that_omits_what_point_reads_find_is_reported_once_until_it_shows_it() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let everything = ["a", "b", "c", "d"];
    bench.scan_and_ask(&all, devices(&everything), |_| true).await;
    for said in [vec![], vec!["inventory.contradicts"], vec!["inventory.contradicts"]] {
        bench.scan_and_ask(&all, devices(&["c", "d"]), |_| true).await;
        assert_eq!(bench.kinds().await, said);
    }
    // One of them is shown again, the other is not.
    bench.scan_and_ask(&all, devices(&["b", "c", "d"]), |_| true).await;
    bench.restart().await;
    for _ in 0..2 {
        bench.scan_and_ask(&all, devices(&["b", "c", "d"]), |_| true).await;
    }
    assert_eq!(
        bench.kinds().await,
        ["inventory.contradicts"],
        "a restart neither repeats nor ends it"
    );
    bench.scan_and_ask(&all, devices(&everything), |_| true).await;
    assert_eq!(bench.kinds().await, ["inventory.contradicts", "inventory.consistent"]);
    assert_eq!((bench.unlisted().await, bench.serials().await.len()), (vec![2], 4));
}

#[tokio::test]
async fn a_list_that_omits_all_that_point_reads_find_never_alternates() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let expected = ["inventory.shrunk", "inventory.contradicts"];
    for round in 0..6 {
        bench.scan_and_ask(&all, vec![], |_| true).await;
        if round == 3 {
            bench.restart().await;
        }
        assert_eq!(bench.kinds().await, expected[..2.min(round + 1)], "round {round}");
    }
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let over = [&expected[..], &["inventory.consistent"]].concat();
    assert_eq!(bench.kinds().await, over, "what was missing was never gone, nor restored");
}

#[tokio::test]
async fn what_is_gone_for_good_is_worded_as_gone_and_never_as_restored() {
    let mut bench = Bench::new().await;
    let all = slice("all", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b", "c", "d", "e"]), |_| true).await;
    for _ in 0..4 {
        bench.scan_and_ask(&all, vec![], |_| false).await;
        bench.kinds().await;
    }
    let said = bench.said().await;
    let accepted: Vec<_> = said
        .iter()
        .filter_map(|event| match event.topic {
            Topic::InventoryRestored { accepted, .. } => Some(accepted),
            _ => None,
        })
        .collect();
    assert_eq!(accepted, [Some(crate::expiry::Accepted { known: 5, missing: 5 })]);
    assert_eq!(bench.kinds().await, ["inventory.shrunk", "inventory.restored"]);
    assert_eq!(bench.serials().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_came_back_after_a_freeze_is_restored_and_nothing_is_gone() {
    let mut bench = Bench::new().await;
    let all = slice("all", Window::All);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    bench.scan_and_ask(&all, vec![], |_| false).await;
    assert_eq!(bench.kinds().await, ["inventory.shrunk"]);
    bench.scan_and_ask(&all, devices(&["a", "b"]), |_| true).await;
    let said = bench.said().await;
    let restored = said.last().map(|event| event.topic.clone());
    let (source, scope) = ("iot".to_owned(), "all".to_owned());
    assert_eq!(restored, Some(Topic::InventoryRestored { source, scope, accepted: None }));
}

/// A page whose sightings have a status that nobody knows.
fn of_unknown_status(sightings: Vec<Sighting>) -> Page {
    let digest =
        |one: &Sighting| crate::expiry::listed_digest(one.issuer.as_bytes(), one.serial.as_bytes());
    let unknown_status = sightings.iter().map(digest).collect();
    Page { sightings: sightings.into_iter().collect(), unknown_status, ..Page::default() }
}

#[tokio::test]
async fn a_status_that_we_do_not_know_changes_nothing_of_a_known_certificate() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let of = |serial, status| Sighting { status, ..device(serial, 5) };
    let known = vec![
        of("a", Status::Revoked),
        of("b", Status::Inactive),
        of("c", Status::Active),
        Sighting { not_after: None, ..of("d", Status::Pending) },
    ];
    bench.scan(&all, known).await;
    // As sources read it: a word that they do not know is taken for active.
    let sightings: Vec<_> =
        ["a", "b", "c", "d", "e"].map(|serial| of(serial, Status::Active)).into();
    let page = of_unknown_status(sightings);
    bench.apply(ScanEvent::Page { slice: all, page, offset: None }).await;
    bench.save().await;
    let statuses: Vec<_> = bench.view.borrow().rows().map(|(_, row)| row.status).collect();
    let [revoked, inactive, active, pending, new] = statuses[..] else { panic!("{statuses:?}") };
    assert_eq!((revoked, inactive), (Status::Revoked, Status::Inactive));
    assert_eq!((active, pending), (Status::Active, Status::Pending));
    assert_eq!(new, Status::Active, "a new one must not be silent");
}

#[tokio::test]
async fn a_row_that_lost_its_issuer_is_the_certificate_whose_serial_and_holder_are_known() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    let under = |issuer: &str, sighting: Sighting| Sighting {
        issuer: issuer.into(),
        signer: issuer.into(),
        ..sighting
    };
    bench.scan(&all, vec![device("a", 5), under("other", device("b", 5))]).await;
    bench.pipeline.decide().await.unwrap();
    bench.restart().await;
    let before = bench.said().await.len();
    let lost = ["a", "b"].map(|serial| under("", device(serial, 5)));
    assert_eq!(bench.scan(&all, lost.to_vec()).await, [], "nothing is missing");
    // What else is new about it is taken all the same.
    let moved = Sighting { unit: "plant-7".into(), ..under("", device("a", 5)) };
    bench.scan(&all, vec![moved, under("", device("b", 5))]).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    let known = bench.store.list(&ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap();
    let known: Vec<_> =
        known.iter().map(|one| (one.serial.as_str(), one.issuer.as_str(), &*one.unit)).collect();
    assert_eq!(known, [("a", "ca", "plant-7"), ("b", "other", "")]);
    assert_eq!((bench.said().await.len(), before), (2, 2), "nothing is said again");
    // Another holder, or a serial that nobody has, is a new certificate.
    let elsewhere = Sighting { holder: "else".into(), ..under("", device("a", 5)) };
    bench.scan(&all, vec![elsewhere, under("", device("c", 5))]).await;
    bench.save().await;
    assert_eq!(bench.view.borrow().len(), 4);
}

#[tokio::test]
async fn nothing_is_said_of_what_is_missing_until_the_next_scan_tells_whether_it_is_gone() {
    let mut bench = Bench::new().await;
    let all = slice("mqtt-1", Window::All);
    bench.scan_and_ask(&all, vec![device("a", 5), device("b", 300)], |_| true).await;
    bench.scan_and_ask(&all, vec![device("b", 300)], |_| false).await;
    for _ in 0..2 {
        bench.pipeline.decide().await.unwrap();
        bench.save().await;
        assert_eq!(bench.kinds().await, Vec::<&str>::new(), "it was not there when asked for");
    }
    bench.scan_and_ask(&all, vec![device("a", 5), device("b", 300)], |_| true).await;
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    assert_eq!(bench.kinds().await, ["certificate.expiring"], "it is there after all");
}

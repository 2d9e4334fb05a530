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
use crate::store::{Batch, BatchUpdate, Body, ChannelState, Checkpoint, ListQuery, Sqlite};

mod ahead;
mod audit;
mod authorities;
mod canary;
mod cliffs;
mod clock;
mod decisions;
mod deployment;
mod digest;
mod doubt;
mod endpoints;
mod labels;
mod ladders;
mod places;
mod reminders;
mod renewed;
mod rows;
mod scopes;
mod snoozes;
mod truth;
mod withdrawn;

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
        tells_use: false,
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

    /// Tells of a whole scan of one page, in which the provider is asked for what is missing and has those that `has` tells.
    async fn scan_page(&mut self, slice: &Arc<Slice>, page: Page, has: impl Fn(&str) -> bool) {
        let report = whole(slice, page.sightings.len() as u64);
        let slices = vec![Arc::clone(slice)];
        self.apply(ScanEvent::Planned { window: slice.window, slices }).await;
        self.apply(ScanEvent::Begin { slice: Arc::clone(slice) }).await;
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
    deliver_at(store, channel, NOW).await
}

async fn deliver_at(store: &dyn Store, channel: &str, at: Timestamp) -> Vec<Event> {
    let waiting = store.pending(channel, 100).await.unwrap();
    let deliveries: Vec<i64> = waiting.iter().map(|one| one.delivery).collect();
    let batch = Batch {
        id: "b".to_owned(),
        attempts: 0,
        detail: 0,
        next_at: at,
        composed_at: at,
        begun: true,
        pages: 0,
    };
    assert!(store.freeze(&deliveries, &batch, &Body::default()).await.unwrap());
    let update = BatchUpdate::Delivered { at };
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
    let metrics = Arc::new(DaemonMetrics::new(&Setup::default()));
    let exposition = Arc::new(Exposition::new(Arc::clone(&metrics)));
    let random = Arc::new(SystemRandom);
    let parts = Parts { store, metrics, clock, random };
    let outputs = Outputs {
        clock_trusted: watch::Sender::new(false),
        view: watch::Sender::new(Arc::new(Inventory::new().view())),
        sources: watch::Sender::default(),
        outbox: watch::Sender::new(0),
        writable: watch::Sender::new(true),
        snoozes: watch::Sender::default(),
        canary: watch::Sender::default(),
        troubles: watch::Sender::default(),
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

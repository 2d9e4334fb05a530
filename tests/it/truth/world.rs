//! The daemon without its timers, against one simulator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notafter::facade::client::http::Http;
use notafter::facade::client::limiter::Limiters;
use notafter::facade::client::{Deps, Meter};
use notafter::facade::clock::{Clock as _, SteadyClock, SystemRandom};
use notafter::facade::config::{Config, Environment, Mistakes, load};
use notafter::facade::expiry::{Event, Facts, Inventory, RowId, Timestamp, Topic, View};
use notafter::facade::metrics::{
    DaemonMetrics, Exposition, Format, Names, NamesError, Setup, SourceSetup,
};
use notafter::facade::pipeline::{
    Command, Health, Inbox, Outputs, Parts, Pipeline, Settings, Watched,
};
use notafter::facade::scan::{Feed, Poll, ScanEvent, SourceStatus, scan};
use notafter::facade::source::{self, Source, Window};
use notafter::facade::store::{
    Batch, BatchUpdate, Body, ChannelState, Checkpoint, ListQuery, Sqlite, Store,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::judge::Memory;
use crate::written::{critical_route, enos, mqtt, route, ssl, webhook};
use simulator::fleet::Fleet;
use simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY, Setup as Clouds, Simulator};

/// When the tests play: 2027-01-15T08:00:00Z.
pub(crate) const NOW: i64 = 1_800_000_000;

/// The pipeline evaluates at most once in this time.
const EVALUATION: Duration = Duration::from_secs(1);

/// A simulator and what the daemon makes of it.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    /// The one source, which is named after its kind.
    pub(crate) kind: &'static str,
    pub(crate) memory: Memory,
    clock: Arc<SteadyClock>,
    folder: tempfile::TempDir,
    config: Arc<Config>,
    source: Arc<dyn Source>,
    metrics: Arc<DaemonMetrics>,
    running: Option<Running>,
    /// What each room has heard: nothing waits for long in a room that works.
    heard: Mutex<BTreeMap<String, Vec<Event>>>,
}

/// The pipeline while it runs.
struct Running {
    store: Arc<Sqlite>,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    feed: Feed,
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Arc<View>>,
    sources: watch::Receiver<Arc<Vec<SourceStatus>>>,
    pulse: watch::Receiver<Instant>,
    exposition: Arc<Exposition>,
}

/// The events of the outbox, by what a test asks about.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) events: Vec<Event>,
}

impl Sent {
    /// Returns how many events are of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.kind() == kind).count()
    }

    /// Returns the kinds of all, oldest first.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events.iter().map(Event::kind).collect()
    }

    /// Returns the serials that were notified as renewed, with those of their successors.
    pub(crate) fn renewed(&self) -> Vec<(String, String)> {
        let renewed = |event: &Event| match &event.topic {
            Topic::Renewed { facts, successor, .. } => {
                Some((facts.serial.clone(), successor.clone()))
            }
            _ => None,
        };
        self.events.iter().filter_map(renewed).collect()
    }

    /// Returns how often each certificate was notified on each rung.
    pub(crate) fn rungs(&self) -> BTreeMap<(String, String, String), usize> {
        let mut rungs = BTreeMap::new();
        for event in &self.events {
            if let Topic::Expiring { facts, rung, .. } = &event.topic {
                let key = (facts.scope.clone(), facts.serial.clone(), rung.as_label());
                *rungs.entry(key).or_default() += 1;
            }
        }
        rungs
    }
}

struct StoreNames(Arc<Sqlite>);

#[async_trait::async_trait]
impl Names for StoreNames {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        self.0.facts(rows).await.map_err(|error| NamesError(error.to_string()))
    }
}

fn configuration(kind: &str, simulator: &Simulator) -> String {
    let source = match kind {
        "tencent-mqtt" => mqtt,
        "tencent-ssl" => ssl,
        _ => enos,
    };
    [
        source(simulator, kind, "every 1h", "requests_per_second = 100000"),
        webhook("ops", "WEBHOOK_URL", ""),
        webhook("critical", "WEBHOOK_URL", ""),
        critical_route(&["critical"]),
        route(&["ops"]),
    ]
    .concat()
}

fn environment() -> Environment {
    Environment::of([
        ("SECRET_ID", SECRET_ID),
        ("SECRET_KEY", SECRET_KEY),
        ("APP_KEY", APP_KEY),
        ("APP_SECRET", APP_SECRET),
        ("WEBHOOK_URL", "http://127.0.0.1:1/hook"),
    ])
}

impl World {
    /// Starts a simulator with a fleet and the daemon's parts with one source of a kind.
    pub(crate) async fn new(kind: &'static str, fleet: Fleet) -> Self {
        let clock = Arc::new(SteadyClock::starting_at(Timestamp::from_seconds(NOW)));
        let theirs = Arc::clone(&clock);
        let clouds = Clouds { clock: Arc::new(move || theirs.millis()), ..Clouds::new(fleet) };
        let simulator = Simulator::start(clouds).await.unwrap();
        let (config, mut mistakes) =
            load(&configuration(kind, &simulator), &environment(), source::full_scan_default);
        let config = Arc::new(config.unwrap());
        let intervals = vec![("near".to_owned(), 3600.0), ("all".to_owned(), 3600.0)];
        let (name, kind_name) = (kind.to_owned(), kind.to_owned());
        let watched = SourceSetup { name, kind: kind_name, intervals, ..SourceSetup::default() };
        let metrics =
            Arc::new(DaemonMetrics::new(&Setup { sources: vec![watched], ..Setup::default() }));
        let source = build(&config, &clock, &metrics, &mut mistakes);
        assert!(mistakes.errors.is_empty(), "{:?}", mistakes.errors);
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::default();
        let mut world = Self {
            simulator,
            kind,
            memory,
            clock,
            folder,
            config,
            source,
            metrics,
            running: None,
            heard: Mutex::default(),
        };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        let store = Arc::new(Sqlite::open(&self.folder.path().join("notafter.db")).unwrap());
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock) as _,
            random: Arc::new(SystemRandom),
        };
        let settings = self.settings(3600);
        let (events, steps_in) = mpsc::channel(16);
        let (commands, commands_in) = mpsc::channel(16);
        let exposition = Arc::new(Exposition::new(Arc::clone(&self.metrics)));
        let outputs = Outputs {
            clock_trusted: watch::Sender::new(false),
            view: watch::Sender::new(Arc::new(Inventory::new().view())),
            exposition: Arc::clone(&exposition),
            sources: watch::Sender::new(Arc::default()),
            outbox: watch::Sender::new(0),
            writable: watch::Sender::new(true),
            snoozes: watch::Sender::default(),
            canary: watch::Sender::default(),
            troubles: watch::Sender::default(),
            pulse: watch::Sender::new(Instant::now()),
        };
        let (view, sources) = (outputs.view.subscribe(), outputs.sources.subscribe());
        let pulse = outputs.pulse.subscribe();
        let pipeline = Pipeline::restore(parts, settings, outputs).await.unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let mut tasks = JoinSet::new();
        let inbox = Inbox { events: steps_in, commands: commands_in };
        tasks.spawn(async move { pipeline.run(inbox, stopped).await });
        let feed = Feed::new(Arc::from(self.kind), events.clone(), view.clone());
        self.restore(&*store, &feed).await;
        self.running = Some(Running {
            store,
            tasks,
            stop,
            events,
            feed,
            commands,
            view,
            sources,
            pulse,
            exposition,
        });
    }

    fn settings(&self, seconds: i64) -> Settings {
        let windowed = matches!(self.kind, "enos" | "tencent-mqtt");
        let mut intervals = vec![("all", seconds)];
        if windowed {
            intervals.push(("near", seconds));
        }
        let (name, kind) = (self.kind.to_owned(), self.kind.to_owned());
        let watched = Watched {
            name,
            kind,
            intervals,
            scopes: self.source.scopes(),
            serves: false,
            tells_use: false,
        };
        Settings { config: Arc::clone(&self.config), watched: vec![watched] }
    }

    /// Says how often the source is to be polled, as a reload does.
    pub(crate) async fn expect_every(&self, seconds: i64) {
        let command = Command::Reconfigure(Box::new(self.settings(seconds)));
        self.running().commands.send(command).await.unwrap();
    }

    /// Builds the source anew and hands it back its checkpoints, as a start does.
    async fn restore(&mut self, store: &dyn Store, feed: &Feed) {
        let mut mistakes = Mistakes::default();
        self.source = build(&self.config, &self.clock, &self.metrics, &mut mistakes);
        for checkpoint in store.checkpoints(self.kind).await.unwrap() {
            feed.restore(
                &*self.source,
                &checkpoint.scope.into(),
                &[(checkpoint.key, checkpoint.value)],
            );
        }
    }

    /// Stops the pipeline and starts another from what the store has.
    pub(crate) async fn restart(&mut self) {
        let Running { store, mut tasks, stop, .. } = self.running.take().unwrap();
        stop.cancel();
        tasks.join_next().await.unwrap().unwrap().unwrap();
        Arc::try_unwrap(store)
            .ok()
            .expect("the pipeline let go of the store")
            .close()
            .await
            .unwrap();
        self.start().await;
        self.settle().await;
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Has the source find out how the filters of the provider work, which it then knows for a day.
    pub(crate) async fn try_out_filters(&self) {
        self.source.slices(Window::All).await.unwrap();
    }

    /// Reads the source once, as its poller does, and waits until everything that follows is saved and seen.
    pub(crate) async fn poll_window(&self, window: Window) -> Poll {
        self.metrics.attempt(self.kind, self.clock.now());
        let poll = scan(&*self.source, window, &self.running().feed, &*self.clock).await;
        self.metrics.up(self.kind, poll.error.is_none());
        self.settle().await;
        for channel in &self.config.channels {
            self.hear(&channel.name).await;
        }
        poll
    }

    /// Delivers all that waits for a channel.
    async fn hear(&self, channel: &str) {
        let store = &self.running().store;
        let waiting = store.pending(channel, 1_000_000).await.unwrap();
        if waiting.is_empty() {
            return;
        }
        let now = self.clock.now();
        let deliveries: Vec<i64> = waiting.iter().map(|one| one.delivery).collect();
        let batch = Batch {
            id: "b".to_owned(),
            attempts: 0,
            detail: 0,
            next_at: now,
            composed_at: now,
            begun: true,
            pages: 0,
        };
        if !store.freeze(&deliveries, &batch, &Body::default()).await.unwrap() {
            return;
        }
        let update = BatchUpdate::Delivered { at: now };
        store.settle(channel, "b", &update, &ChannelState::default()).await.unwrap();
        let events = waiting.into_iter().map(|one| one.event);
        self.heard.lock().unwrap().entry(channel.to_owned()).or_default().extend(events);
    }

    /// Waits until the pipeline has taken every event, decided after the last and published what it wrote.
    async fn settle(&self) {
        let Running { events, commands, pulse, .. } = self.running();
        let mut pulse = pulse.clone();
        while events.capacity() < events.max_capacity() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let decided = Instant::now() + EVALUATION;
        let mut later = 0;
        while later < 3 {
            pulse.mark_unchanged();
            // A command that changes nothing makes the pipeline turn round.
            commands.send(Command::Channel("nobody".to_owned(), Health::Up)).await.unwrap();
            pulse.changed().await.expect("the pipeline runs");
            if *pulse.borrow() >= decided {
                later += 1;
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Returns everything that the store knows.
    pub(crate) async fn known(&self) -> Vec<Facts> {
        let Running { store, view, .. } = self.running();
        let view = Arc::clone(&view.borrow());
        let query = ListQuery { limit: usize::MAX >> 1, ..ListQuery::default() };
        let mut known = store.list(&query).await.unwrap();
        let undated = view.rows().filter(|(_, row)| row.not_after.is_none());
        let undated: Vec<RowId> = undated.map(|(id, _)| id).collect();
        let facts = store.facts(&undated).await.unwrap();
        known.extend(facts.into_iter().map(|facts| facts.expect("the store has what readers see")));
        assert_eq!(view.len(), known.len(), "readers and the store know the same");
        same_ends(&view, &known);
        known
    }

    /// Returns the state of the source as readers see it.
    pub(crate) fn status(&self) -> SourceStatus {
        self.running().sources.borrow().first().cloned().unwrap()
    }

    /// Returns everything that is to be sent to a channel.
    pub(crate) async fn sent(&self, channel: &str) -> Sent {
        self.hear(channel).await;
        let heard = self.heard.lock().unwrap();
        Sent { events: heard.get(channel).cloned().unwrap_or_default() }
    }

    /// Returns a scrape.
    pub(crate) async fn scrape(&self) -> String {
        let Running { store, view, exposition, .. } = self.running();
        let view = Arc::clone(&view.borrow());
        let names = StoreNames(Arc::clone(store));
        let moment = exposition.prepare(&view, &names, 10, self.clock.now()).await;
        let text = exposition.write(&moment, Format::Text, Vec::new()).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Returns the checkpoints of the source and its scans.
    pub(crate) async fn checkpoints(&self) -> Vec<Checkpoint> {
        self.running().store.checkpoints(self.kind).await.unwrap()
    }

    /// Returns the scopes that have scan records.
    pub(crate) async fn scanned_scopes(&self) -> Vec<String> {
        let scans = self.running().store.scans().await.unwrap();
        let mut scopes: Vec<String> = scans.into_iter().map(|scan| scan.scope).collect();
        scopes.dedup();
        scopes
    }
}

fn build(
    config: &Config,
    clock: &Arc<SteadyClock>,
    metrics: &Arc<DaemonMetrics>,
    mistakes: &mut Mistakes,
) -> Arc<dyn Source> {
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::clone(clock) as _,
        random: Arc::new(SystemRandom),
        meter: Arc::clone(metrics) as Arc<dyn Meter>,
    };
    let context = source::Context { deps: &deps, sources: &config.sources };
    source::build(&config.sources[0], &context, mistakes).expect("the configuration is right")
}

/// The ends that readers see are those that the store has.
fn same_ends(view: &View, known: &[Facts]) {
    let mut seen: Vec<_> =
        view.rows().map(|(_, row)| (row.not_after, row.status.as_str())).collect();
    let mut kept: Vec<_> = known.iter().map(|it| (it.not_after, it.status.as_str())).collect();
    seen.sort_unstable();
    kept.sort_unstable();
    assert!(seen == kept, "readers see other ends than the store has");
}

//! Connects parts that do not know each other.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::heartbeat::Vital;
use super::plan::Plan;
use super::snoozing::Snoozing;
use crate::catalog::{Catalog, StandingRequest};
use crate::channel::{CanaryRequest, Channel, LinkKey};
use crate::config::{ChannelConfig, Config};
use crate::expiry::{Event, Facts, Inventory, Manner, RowId, Snoozes, Timestamp, View};
use crate::metrics::{DaemonMetrics, Exposition, Names, NamesError, Shown};
use crate::outbox::{Hold, Pacers, Report, Rounds, Settings, Shared, Watcher, Worker};
use crate::pipeline::{Command, Health, Inbox, Outputs, Parts};
use crate::scan::{Feed, ScanEvent, SourceStatus};
use crate::schedule::Timers;
use crate::source::{Checkpoint, Source};
use crate::store::{self, OutboxRequest, Store, StoreError};
use crate::web::{DigestRequest, Outlet};

/// Events of scans that may wait for the pipeline: backpressure, so that memory holds a few pages.
const EVENTS: usize = 16;

/// What the tasks of a generation are connected to.
pub(super) struct Wires {
    pub(super) parts: Parts,
    pub(super) timers: Arc<dyn Timers>,
    pub(super) events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    /// What scans plan by.
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) commands: mpsc::Sender<Command>,
    /// Grows with every commit that put something into the outbox.
    pub(super) commits: watch::Receiver<u64>,
    /// What links to snoozes are signed with, once it is known.
    pub(super) link_key: watch::Sender<Option<LinkKey>>,
    /// What is snoozed.
    pub(super) snoozes: watch::Receiver<Arc<Snoozes>>,
    /// Whether the machine's clock is trusted.
    pub(super) clock_trusted: watch::Receiver<bool>,
    /// The event of the canary that somebody waits for.
    pub(super) canary: watch::Receiver<Option<String>>,
    /// How many scans are under way.
    pub(super) under_way: watch::Sender<usize>,
    /// The channels of the newest generation.
    pub(super) outlets: watch::Sender<Arc<Vec<Outlet>>>,
    /// What decides whether all is well.
    pub(super) vital: Vital,
    /// The paces of all destinations: a reload does not begin to count anew.
    pub(super) pacers: Pacers,
}

/// Every channel between the parts, made before the parts are.
pub struct Wiring {
    pub(super) wires: Wires,
    pub(super) outputs: Outputs,
    pub(super) inbox: Inbox,
}

/// What others see of a daemon.
#[derive(Clone)]
pub struct Readers {
    /// The newest saved state of the inventory.
    pub view: watch::Receiver<Arc<View>>,
    /// The state of every source.
    pub sources: watch::Receiver<Arc<Vec<SourceStatus>>>,
    /// What scrapes are made with.
    pub exposition: Arc<Exposition>,
    /// Whether the store takes what is written.
    pub writable: watch::Receiver<bool>,
    /// Whether the machine's clock is trusted.
    pub clock_trusted: watch::Receiver<bool>,
    /// How many scans are under way.
    pub under_way: watch::Receiver<usize>,
    /// The channels.
    pub outlets: watch::Receiver<Arc<Vec<Outlet>>>,
    /// What is snoozed.
    pub snoozes: watch::Receiver<Arc<Snoozes>>,
    /// What links to snoozes are signed with, once it is known.
    pub link_key: watch::Receiver<Option<LinkKey>>,
    /// When the pipeline last turned round.
    pub pulse: watch::Receiver<Instant>,
    /// Takes what somebody wants done.
    pub commands: mpsc::Sender<Command>,
}

impl Wiring {
    /// Connects `parts` and `timers`; nothing runs yet. The metrics know the sources and channels of `plan` from here on.
    pub fn new(parts: Parts, timers: Arc<dyn Timers>, plan: &Plan) -> Self {
        parts.metrics.reconfigure(&plan.setup(&*parts.clock));
        let (events, scanned) = mpsc::channel(EVENTS);
        let (commands, commanded) = mpsc::channel(EVENTS);
        let outputs = Outputs {
            view: watch::Sender::new(Arc::new(Inventory::new().view())),
            exposition: Arc::new(Exposition::new(Arc::clone(&parts.metrics))),
            sources: watch::Sender::default(),
            outbox: watch::Sender::new(0),
            writable: watch::Sender::new(true),
            clock_trusted: watch::Sender::new(false),
            snoozes: watch::Sender::default(),
            canary: watch::Sender::default(),
            troubles: watch::Sender::default(),
            pulse: watch::Sender::new(Instant::now()),
        };
        let (view, commits) = (outputs.view.subscribe(), outputs.outbox.subscribe());
        let vital = Vital {
            troubles: outputs.troubles.subscribe(),
            writable: outputs.writable.subscribe(),
            pulse: outputs.pulse.subscribe(),
            clock: Arc::clone(&parts.clock),
            metrics: Arc::clone(&parts.metrics),
        };
        Self {
            wires: Wires {
                parts,
                timers,
                events,
                view,
                commands,
                commits,
                snoozes: outputs.snoozes.subscribe(),
                clock_trusted: outputs.clock_trusted.subscribe(),
                canary: outputs.canary.subscribe(),
                link_key: watch::Sender::default(),
                vital,
                under_way: watch::Sender::default(),
                outlets: watch::Sender::default(),
                pacers: Pacers::default(),
            },
            outputs,
            inbox: Inbox { events: scanned, commands: commanded },
        }
    }

    /// Returns what there is of the daemon that is started with it, by the newest configuration.
    pub(super) fn catalog(&self, config: watch::Receiver<(u64, Arc<Config>)>) -> Catalog {
        let (parts, outputs) = (&self.wires.parts, &self.outputs);
        let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        Catalog::new(outputs.view.subscribe(), config, store, clock, outputs.snoozes.subscribe())
    }

    /// Returns what hands wishes for quiet to the daemon that is started with it.
    pub(super) fn snoozing(&self) -> Snoozing {
        Snoozing(self.wires.commands.clone())
    }

    /// Returns what others see of the daemon that is started with it.
    pub fn readers(&self) -> Readers {
        Readers {
            view: self.outputs.view.subscribe(),
            sources: self.outputs.sources.subscribe(),
            exposition: Arc::clone(&self.outputs.exposition),
            writable: self.outputs.writable.subscribe(),
            clock_trusted: self.outputs.clock_trusted.subscribe(),
            under_way: self.wires.under_way.subscribe(),
            outlets: self.wires.outlets.subscribe(),
            snoozes: self.outputs.snoozes.subscribe(),
            link_key: self.wires.link_key.subscribe(),
            pulse: self.outputs.pulse.subscribe(),
            commands: self.wires.commands.clone(),
        }
    }
}

/// What certificates are called: from the store, and their labels from the configuration as well.
pub(super) struct StoreNames {
    pub(super) store: Arc<dyn Store>,
    /// The configuration, and how many there were.
    pub(super) config: watch::Receiver<(u64, Arc<Config>)>,
}

#[async_trait]
impl Names for StoreNames {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        let facts = self.store.facts(rows).await;
        let mut facts = facts.map_err(|error| NamesError(error.to_string()))?;
        let (_, config) = &*self.config.borrow();
        facts.iter_mut().flatten().for_each(|facts| config.label(facts));
        Ok(facts)
    }

    fn shown(&self) -> Shown {
        let (edition, config) = &*self.config.borrow();
        let metrics = &config.metrics;
        Shown {
            edition: *edition,
            labels: metrics.labels.as_slice().into(),
            not_before: metrics.not_before,
            x509: metrics.x509_compat,
        }
    }
}

/// Hands a source and its scans back what they kept before the last restart or reload.
pub(super) async fn restore(
    source: &dyn Source,
    feed: &Feed,
    store: &dyn Store,
) -> Result<(), StoreError> {
    let mut each = |kept: Vec<store::Checkpoint>| {
        for of_scope in kept.chunk_by(|one, next| one.scope == next.scope) {
            let pairs = of_scope.iter().map(|one| (one.key.clone(), one.value.clone()));
            let checkpoints: Vec<Checkpoint> = pairs.collect();
            if let Some(first) = of_scope.first() {
                feed.restore(source, &Arc::from(first.scope.as_str()), &checkpoints);
            }
        }
    };
    store.each_checkpoint(&feed.source, &mut each).await
}

/// Counts deliveries in the daemon's own metrics.
struct Counted(Arc<DaemonMetrics>);

impl Watcher for Counted {
    fn notification(&self, channel: &str, outcome: &str) {
        self.0.notification(channel, outcome);
    }

    fn pending(&self, channel: &str, count: u64, oldest: Option<Timestamp>) {
        self.0.pending(channel, count, oldest);
    }

    fn given_up(&self, channel: &str, count: u64) {
        self.0.given_up(channel, count);
    }

    fn settled(&self, channel: &str, count: u64) {
        self.0.settled(channel, count);
    }

    fn told_daily(&self, channel: &str, at: Timestamp) {
        self.0.told_daily(channel, at);
    }

    fn delivered(&self, channel: &str, at: Timestamp) {
        self.0.delivered(channel, at);
    }

    fn up(&self, channel: &str, up: bool) {
        self.0.channel_up(channel, up);
    }
}

/// Returns what the outboxes of all channels share.
pub(super) fn shared(wires: &Wires, reports: &mpsc::Sender<Report>) -> Shared {
    Shared {
        store: Arc::clone(&wires.parts.store),
        clock: Arc::clone(&wires.parts.clock),
        watcher: Arc::new(Counted(Arc::clone(&wires.parts.metrics))),
        random: Arc::clone(&wires.parts.random),
        pacers: wires.pacers.clone(),
        reports: reports.clone(),
        commits: wires.commits.clone(),
        snoozes: wires.snoozes.clone(),
        clock_trusted: wires.clock_trusted.clone(),
        canary: wires.canary.clone(),
        link_key: *wires.link_key.borrow(),
    }
}

/// Returns the rounds of those channels of `plan` that ask for them.
pub(super) fn rounds(plan: &Plan, shared: &Shared) -> Vec<Rounds> {
    let configured = plan.config.channels.iter().zip(&plan.channels);
    let of = |(config, channel): (&ChannelConfig, &Arc<dyn Channel>)| {
        Rounds::of(settings(&plan.config, config), Arc::clone(channel), shared)
    };
    configured.filter_map(of).collect()
}

/// Returns one outbox worker for each channel of `plan`, and where each is woken.
pub(super) fn workers(
    plan: &Plan,
    wires: &Wires,
    shared: &Shared,
) -> (Vec<Worker>, Vec<watch::Sender<u64>>) {
    let configured = plan.config.channels.iter().zip(&plan.channels);
    let mut outlets = Vec::new();
    let workers = configured.map(|(config, channel)| {
        let (waker, commits) = watch::channel(0);
        let shared = Shared { commits, ..shared.clone() };
        let (tests, asked) = mpsc::channel(1);
        outlets.push(Outlet { name: config.name.clone(), kind: config.kind.value.clone(), tests });
        let worker = Worker::new(settings(&plan.config, config), Arc::clone(channel), shared);
        (worker.with_tests(asked), waker)
    });
    let workers = workers.unzip();
    wires.outlets.send_replace(Arc::new(outlets));
    workers
}

fn settings(config: &Arc<Config>, channel: &ChannelConfig) -> Settings {
    let (routes, name) = (Arc::clone(config), channel.name.clone());
    let muted = move |event: &Event, now| routes.muted_until(event, &name, now);
    let external_url = config.server.external_url.as_ref();
    Settings {
        name: channel.name.clone(),
        kind: channel.kind.value.clone(),
        manner: Manner { language: channel.language, zone: channel.timezone },
        group_wait: config.alerts.group_wait,
        hold: Hold::new(muted),
        external_url: external_url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        daily_language: config.digest.as_ref().and_then(|digest| digest.language),
        gathers: config.digest.as_ref().is_some_and(|digest| digest.goes_to(&channel.name)),
    }
}

/// Wakes every outbox, in the order of the configuration, when something was committed: those that wait for one value
/// together would be woken in no order.
pub(super) async fn wake(
    mut commits: watch::Receiver<u64>,
    outboxes: Vec<watch::Sender<u64>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let relay = async {
        while commits.changed().await.is_ok() {
            let count = *commits.borrow_and_update();
            for outbox in &outboxes {
                outbox.send_replace(count);
            }
        }
        // The pipeline has ended; what is left is still delivered.
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = relay => stop.cancelled().await,
    }
    Ok(())
}

/// Passes on to the pipeline what is wanted of it over HTTP, and what is asked.
pub(super) fn pass_on_wishes(
    edges: &mut JoinSet<anyhow::Result<()>>,
    (ordered, asked, wanted, canaries): (
        mpsc::Receiver<OutboxRequest>,
        mpsc::Receiver<StandingRequest>,
        mpsc::Receiver<DigestRequest>,
        mpsc::Receiver<CanaryRequest>,
    ),
    commands: &mpsc::Sender<Command>,
    stop: &CancellationToken,
) {
    let ordering = (commands.clone(), Command::Order as fn(_) -> _);
    edges.spawn(pass_on(ordered, ordering, stop.clone()));
    let asking = (commands.clone(), Command::Standing as fn(_) -> _);
    edges.spawn(pass_on(asked, asking, stop.clone()));
    let wanting = (commands.clone(), Command::Digest as fn(_) -> _);
    edges.spawn(pass_on(wanted, wanting, stop.clone()));
    let flying = (commands.clone(), Command::Canary as fn(_) -> _);
    edges.spawn(pass_on(canaries, flying, stop.clone()));
}

async fn pass_on<T>(
    mut wishes: mpsc::Receiver<T>,
    (commands, command): (mpsc::Sender<Command>, fn(T) -> Command),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let passing = async {
        while let Some(wish) = wishes.recv().await {
            if commands.send(command(wish)).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = passing => stop.cancelled().await,
    }
    Ok(())
}

/// Passes on to the pipeline what the outboxes report.
pub(super) async fn forward(
    mut reports: mpsc::Receiver<Report>,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let report = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            Some(report) = reports.recv() => report,
            else => return Ok(()),
        };
        let command = match report {
            Report::Down { channel, code, hint, since } => {
                Command::Channel(channel, Health::Down { code, hint, since })
            }
            Report::Up { channel } => Command::Channel(channel, Health::Up),
            Report::Canary { channel, event, verdict } => {
                Command::CanaryTold { channel, event, verdict }
            }
            Report::Dead { channel, code, at } => {
                Command::Channel(channel, Health::GaveUp { code, at })
            }
        };
        if commands.send(command).await.is_err() {
            return Ok(());
        }
    }
}

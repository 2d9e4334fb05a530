//! The composition root: wires everything, owns every long-lived task, stops them in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Meter;
use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::config::{Config, Environment, StoreUrl};
use crate::expiry::{Inventory, View};
use crate::metrics::{DaemonMetrics, Exposition};
use crate::pipeline::{Command, Inbox, Outputs, Parts, Pipeline};
use crate::scan::{ScanEvent, SourceStatus};
use crate::store::{Sqlite, Store};
use crate::web;

mod adapt;
mod generation;
mod plan;
mod service;

pub use plan::Plan;
pub use service::asked_to_end;

use generation::Generation;

/// Steps of scans that may wait for the pipeline: backpressure, so that memory holds a few pages.
const STEPS: usize = 16;

/// How long each part of the daemon has to end by itself.
const DRAIN: Duration = Duration::from_secs(10);

/// A request to read the configuration again, and where the answer goes.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// The daemon, wired and not yet running.
pub struct App {
    path: PathBuf,
    environment: Environment,
    plan: Plan,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<DaemonMetrics>,
}

impl App {
    /// Wires the daemon that `plan` describes. `path` is read again on reload.
    pub fn new(
        path: &Path,
        environment: Environment,
        plan: Plan,
        metrics: Arc<DaemonMetrics>,
    ) -> Self {
        metrics.reconfigure(&plan.setup(&SystemClock));
        Self {
            path: path.to_owned(),
            environment,
            plan,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            metrics,
        }
    }

    /// Runs until `shutdown` resolves or a part of the spine ends early, which is an error.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let config = Arc::clone(&self.plan.config);
        let store: Arc<dyn Store> = Arc::new(open(&config)?);
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.server.listen))?;
        let mut daemon = self.start(Arc::clone(&store), listener).await?;
        let ended = daemon.serve(shutdown).await;
        service::tell(&[sd_notify::NotifyState::Stopping]);
        daemon.stop().await;
        store.close().await?;
        ended
    }

    async fn start(self, store: Arc<dyn Store>, listener: TcpListener) -> anyhow::Result<Daemon> {
        let channels = Channels::new(self.plan.config.metrics.max_series_per_source);
        let mut spine = JoinSet::new();
        let (web_stop, pipeline_stop) = (CancellationToken::new(), CancellationToken::new());
        let exposition = Arc::new(Exposition::new(Arc::clone(&self.metrics)));
        let state = web::State {
            view: channels.view.subscribe(),
            metrics: Arc::clone(&self.metrics),
            exposition: Arc::clone(&exposition),
            names: Arc::new(adapt::StoreNames(Arc::clone(&store))),
            sources: channels.sources.subscribe(),
            clock: Arc::clone(&self.clock),
            reload: channels.reload.clone(),
            ready: channels.ready.subscribe(),
            max_series_per_source: channels.limit.subscribe(),
        };
        let stop = web_stop.clone();
        spine.spawn(async move { web::serve(listener, state, stop).await.map_err(Into::into) });
        let parts = Parts {
            store,
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        };
        let outputs = Outputs {
            view: channels.view,
            exposition,
            sources: channels.sources,
            outbox: channels.outbox.clone(),
            pulse: channels.pulse.clone(),
        };
        let pipeline = Pipeline::restore(parts.clone(), self.plan.settings(&*self.clock), outputs)
            .await
            .context("the store could not be read back")?;
        let inbox = Inbox { events: channels.steps_in, commands: channels.commands_in };
        let stop = pipeline_stop.clone();
        spine.spawn(async move { pipeline.run(inbox, stop).await });
        service::watch(&mut spine, channels.pulse.subscribe(), web_stop.clone());
        let mut daemon = Daemon {
            path: self.path,
            metrics: self.metrics,
            parts,
            spine,
            web_stop,
            pipeline_stop,
            events: channels.events,
            commands: channels.commands,
            outbox: channels.outbox,
            reloads: channels.reloads,
            generation: None,
            limit: channels.limit,
            environment: self.environment,
            config: Arc::clone(&self.plan.config),
        };
        daemon.generation = Some(Generation::start(self.plan, &daemon.wires(false)).await?);
        daemon.metrics.reload(true, daemon.parts.clock.now());
        channels.ready.send_replace(true);
        service::tell(&[sd_notify::NotifyState::Ready]);
        Ok(daemon)
    }
}

fn open(config: &Config) -> anyhow::Result<Sqlite> {
    let StoreUrl::Sqlite(path) = &config.store;
    Sqlite::open(path).with_context(|| format!("the store {} cannot be opened", path.display()))
}

/// Every channel between the parts, made before the parts.
struct Channels {
    view: watch::Sender<Arc<View>>,
    sources: watch::Sender<Arc<Vec<SourceStatus>>>,
    outbox: watch::Sender<u64>,
    pulse: watch::Sender<Instant>,
    ready: watch::Sender<bool>,
    limit: watch::Sender<usize>,
    events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    steps_in: mpsc::Receiver<(Arc<str>, ScanEvent)>,
    commands: mpsc::Sender<Command>,
    commands_in: mpsc::Receiver<Command>,
    reload: mpsc::Sender<Reload>,
    reloads: mpsc::Receiver<Reload>,
}

impl Channels {
    fn new(limit: usize) -> Self {
        let (events, steps_in) = mpsc::channel(STEPS);
        let (commands, commands_in) = mpsc::channel(STEPS);
        let (reload, reloads) = mpsc::channel(1);
        Self {
            view: watch::Sender::new(Arc::new(Inventory::new().view())),
            sources: watch::Sender::new(Arc::default()),
            outbox: watch::Sender::new(0),
            pulse: watch::Sender::new(Instant::now()),
            ready: watch::Sender::new(false),
            limit: watch::Sender::new(limit),
            events,
            steps_in,
            commands,
            commands_in,
            reload,
            reloads,
        }
    }
}

/// The daemon, running.
struct Daemon {
    path: PathBuf,
    metrics: Arc<DaemonMetrics>,
    parts: Parts,
    /// Tasks whose end is the end of the process.
    spine: JoinSet<anyhow::Result<()>>,
    web_stop: CancellationToken,
    pipeline_stop: CancellationToken,
    events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    commands: mpsc::Sender<Command>,
    outbox: watch::Sender<u64>,
    reloads: mpsc::Receiver<Reload>,
    generation: Option<Generation>,
    limit: watch::Sender<usize>,
    environment: Environment,
    config: Arc<Config>,
}

impl Daemon {
    fn wires(&self, retest: bool) -> generation::Wires {
        generation::Wires {
            retest,
            parts: self.parts.clone(),
            events: self.events.clone(),
            commands: self.commands.clone(),
            outbox: self.outbox.subscribe(),
        }
    }

    async fn serve(&mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut hangups = service::hangups()?;
        tokio::pin!(shutdown);
        loop {
            let answer = tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(ended) = self.spine.join_next() => return Err(early("a part of the daemon", ended)),
                Some(ended) = Generation::ended(&mut self.generation) => return Err(early("a poller or an outbox", ended)),
                Some(()) = hangups.recv() => None,
                Some(answer) = self.reloads.recv() => Some(answer),
            };
            let reloaded = self.reload().await;
            if let Some(answer) = answer
                && answer.send(reloaded).is_err()
            {
                tracing::debug!("nobody waited for the answer to the reload");
            }
        }
    }

    /// Reads the configuration again. Everything is checked before anything is stopped; the ledger stays as it is.
    async fn reload(&mut self) -> Result<(), String> {
        let now = self.parts.clock.now();
        let plan =
            Plan::read(&self.path, &self.environment, Arc::clone(&self.metrics) as Arc<dyn Meter>);
        let plan = match plan {
            Ok(plan) => plan,
            Err(mistakes) => {
                self.metrics.reload(false, now);
                tracing::error!("the configuration has mistakes and was not loaded:\n{mistakes}");
                return Err(mistakes);
            }
        };
        if plan.config.server.listen != self.config.server.listen
            || plan.config.store != self.config.store
        {
            tracing::warn!("`server.listen` and `store.url` take effect at the next start only");
        }
        self.config = Arc::clone(&plan.config);
        self.limit.send_replace(plan.config.metrics.max_series_per_source);
        if let Some(generation) = self.generation.take() {
            generation.stop(DRAIN).await;
        }
        self.metrics.reconfigure(&plan.setup(&*self.parts.clock));
        let settings = Box::new(plan.settings(&*self.parts.clock));
        if self.commands.send(Command::Reconfigure(settings)).await.is_err() {
            return Err("the daemon is stopping".to_owned());
        }
        match Generation::start(plan, &self.wires(true)).await {
            Ok(generation) => self.generation = Some(generation),
            Err(error) => return Err(format!("{error:#}")),
        }
        self.metrics.reload(true, now);
        tracing::info!("the configuration was loaded again");
        Ok(())
    }

    /// Stops in order: no more polls, the pipeline saves, the outbox ends its sends, the server goes last.
    async fn stop(mut self) {
        if let Some(generation) = self.generation.take() {
            generation.stop(DRAIN).await;
        }
        drop(self.events);
        self.pipeline_stop.cancel();
        self.web_stop.cancel();
        let drained = tokio::time::timeout(DRAIN, async {
            while let Some(ended) = self.spine.join_next().await {
                if let Ok(Err(error)) = ended {
                    tracing::error!("while stopping: {error:#}");
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                "some parts did not stop within {DRAIN:?}; what they had not saved will be read again"
            );
        }
    }
}

fn early(what: &str, ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("{what} ended early"),
        Ok(Err(error)) => error.context(format!("{what} failed")),
        Err(error) => anyhow::anyhow!("{what} panicked: {error}"),
    }
}

//! The composition root: wires everything, owns every long-lived task, stops them in order.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::config::{Config, Hosts, StoreUrl};
use crate::metrics::DaemonMetrics;
use crate::pipeline::Parts;
use crate::schedule::Scheduler;
use crate::store::{Sqlite, Store};
use crate::web;

mod auditing;
mod core;
mod generation;
mod heartbeat;
mod indexing;
mod plan;
mod reload;
mod service;
mod snoozing;
#[cfg(test)]
mod tests;
mod wiring;

pub use self::core::Core;
pub use heartbeat::Heartbeat;
pub use plan::{ConfigFile, Plan};
pub use service::asked_to_end;
pub use wiring::Wiring;

use self::core::{drain, early};
use auditing::keep_history;
use indexing::keep_names;
use reload::{Reload, rehearsal};
use wiring::StoreNames;

/// What the daemon gets from outside.
pub struct Deps {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The ids of events and batches, and jitter.
    pub random: Arc<dyn Random>,
    /// The daemon's own metrics.
    pub metrics: Arc<DaemonMetrics>,
    /// What survives a restart.
    pub store: Arc<dyn Store>,
    /// Where the HTTP server listens.
    pub listener: TcpListener,
    /// Who may reach it.
    pub access: Arc<web::Access>,
    /// Where commands ask.
    pub socket: web::Socket,
}

impl Deps {
    /// Opens the store and the address that `config` names, on the machine's clock and chance.
    pub async fn open(config: &Config, metrics: Arc<DaemonMetrics>) -> anyhow::Result<Self> {
        let StoreUrl::Sqlite(path) = &config.store;
        let file = path.clone();
        // An old one is brought up to date first, which blocks.
        let opening = tokio::task::spawn_blocking(move || Sqlite::open(&file));
        let store = service::extending(opening)
            .await?
            .with_context(|| format!("the store {} cannot be opened", path.display()))?;
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.server.listen))?;
        let server = &config.server;
        let access = web::Access::new(server.web_config_file.clone(), server.is_open());
        let access = access.map_err(|error| anyhow::anyhow!("`web_config_file`: {error}"))?;
        let socket = web::Socket::bind(&config.server.sockets.own)?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let (store, access) = (Arc::new(store), Arc::new(access));
        Ok(Self { clock, random, metrics, store, listener, access, socket })
    }
}

/// The daemon, wired and not yet running.
pub struct App {
    deps: Deps,
    file: ConfigFile,
    plan: Plan,
}

impl App {
    /// Returns the daemon that `plan` describes. `file` is read again on reload.
    pub const fn new(deps: Deps, file: ConfigFile, plan: Plan) -> Self {
        Self { deps, file, plan }
    }

    /// Runs until `shutdown` resolves or a part of the spine ends early, which is an error.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let store = Arc::clone(&self.deps.store);
        let mut daemon = self.start().await?;
        let ended = daemon.serve(shutdown).await;
        service::notify(&[sd_notify::NotifyState::Stopping]);
        daemon.stop().await;
        store.close().await?;
        ended
    }

    async fn start(self) -> anyhow::Result<Daemon> {
        let Deps { clock, random, metrics, store, listener, access, socket } = self.deps;
        let config = watch::Sender::new((0, Arc::clone(&self.plan.config)));
        let names = Arc::new(StoreNames { store: Arc::clone(&store), config: config.subscribe() });
        let timers = Arc::new(Scheduler::new(Arc::clone(&clock)));
        let parts = Parts { store, metrics: Arc::clone(&metrics), clock, random };
        let wiring = Wiring::new(parts.clone(), timers, &self.plan);
        let readers = wiring.readers();
        let (snoozing, catalog) = (Arc::new(wiring.snoozing()), wiring.catalog(config.subscribe()));
        let (reload, reloads) = mpsc::channel(1);
        let (orders, ordered) = mpsc::channel(1);
        let (standings, asked) = mpsc::channel(1);
        let ((digests, wanted), (canaries, asked_for)) = (mpsc::channel(1), mpsc::channel(1));
        let ready = watch::Sender::new(false);
        let limit = watch::Sender::new(self.plan.config.metrics.max_series_per_source);
        let hosts = watch::Sender::new(Arc::new(self.plan.config.server.hosts.clone()));
        let store = Arc::clone(&parts.store);
        let state = web::State {
            view: readers.view,
            catalog,
            store: Arc::clone(&store),
            outlets: readers.outlets,
            access,
            snoozes: readers.snoozes,
            link_key: readers.link_key,
            snoozing,
            rehearsal: rehearsal(self.file.clone(), Arc::clone(&self.plan.config)),
            exposition: readers.exposition,
            names,
            sources: readers.sources,
            clock: Arc::clone(&parts.clock),
            reload,
            orders,
            standings,
            digests,
            canaries,
            ready: ready.subscribe(),
            writable: readers.writable,
            hosts: hosts.subscribe(),
            max_series_per_source: limit.subscribe(),
        };
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let (known, mut edges) = (state.view.clone(), JoinSet::new());
        let served = web::serve(listener, socket, state, stop.clone());
        edges.spawn(async move { served.await.map_err(Into::into) });
        let wishes = (ordered, asked, wanted, asked_for);
        wiring::pass_on_wishes(&mut edges, wishes, &readers.commands, &stop);
        let (kept, trusted) = (self.plan.config.audit_max, readers.clock_trusted);
        edges.spawn(keep_history(parts.clone(), kept, trusted, stop.clone()));
        edges.spawn(keep_names(store, known.clone(), readers.under_way, stop.clone()));
        service::watch(&mut edges, readers.pulse, stop.clone());
        let core = service::extending(Core::start(wiring, &self.plan)).await?;
        ready.send_replace(true);
        service::notify(&[sd_notify::NotifyState::Ready]);
        let (file, started) = (self.file, self.plan.config);
        say_started(&file, &started, address, known.borrow().len());
        let watched = Changeable { limit, hosts, config };
        Ok(Daemon { core, parts, edges, stop, reloads, watched, file, started })
    }
}

fn say_started(
    file: &ConfigFile,
    started: &Config,
    address: std::net::SocketAddr,
    certificates: usize,
) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = %file.path.display(),
        %address,
        sources = started.sources.len(),
        channels = started.channels.len(),
        certificates,
        "notafter has started"
    );
}

/// What readers follow of the configuration.
struct Changeable {
    limit: watch::Sender<usize>,
    hosts: watch::Sender<Arc<Hosts>>,
    /// The whole of it, and how many there were.
    config: watch::Sender<(u64, Arc<Config>)>,
}

/// The daemon, running.
struct Daemon {
    core: Core,
    parts: Parts,
    /// The HTTP server and the watchdog; like those of the core, their end is the end of the process.
    edges: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    reloads: mpsc::Receiver<Reload>,
    watched: Changeable,
    file: ConfigFile,
    /// The configuration that it began with: what a reload cannot change is as it says.
    started: Arc<Config>,
}

impl Daemon {
    async fn serve(&mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut hangups = service::hangups()?;
        tokio::pin!(shutdown);
        loop {
            let answer = tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                Some(ended) = self.edges.join_next() => return Err(early("a part of the daemon", ended)),
                error = self.core.ended() => return Err(error),
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

    /// Stops in order: no more polls, the outbox ends its sends, then the pipeline saves and the server ends.
    async fn stop(mut self) {
        self.core.stop_generation().await;
        self.stop.cancel();
        let late = "its requests are cut off";
        futures_util::future::join(self.core.stop(), drain(&mut self.edges, late)).await;
    }
}

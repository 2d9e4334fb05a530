//! HTTP: metrics, health, reload, and a plain page.
//!
//! Reads what the rest of the daemon publishes and changes nothing: a reload or a snooze is asked for, not done here.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::catalog::{Catalog, StandingRequest};
use crate::channel::{CanaryRequest, LinkKey, TestAnswer};
use crate::clock::Clock;
use crate::config::Hosts;
use crate::expiry::{DailyDigest, Snoozes, Timestamp, View};
use crate::metrics::{Exposition, Names};
use crate::scan::SourceStatus;
use crate::store::{OutboxRequest, Store};

mod access;
mod answer;
mod api;
mod certificate;
mod control;
mod door;
mod explained;
mod limits;
mod negotiate;
mod page;
mod write_timeout;
mod problem;
mod rehearsal;
mod scrape;
mod seats;
mod server;
mod snoozing;
mod socket;
mod subscription;
mod wish;
#[cfg(test)]
mod tests;

use door::Door;
use limits::Limits;
use server::Network;

pub use access::Access;
pub use api::{
    Audit, CalendarAddress, Canary, CanaryPart, Certificates, Compared, OtherWay, Outbox,
    OutboxDone, OutboxMessage, PlanAnswer, PlannedGroup, PlannedMessage, Routed, SnoozeList,
    SnoozeObject, SnoozeWish, Tested, WouldChange,
};
#[cfg(test)]
pub use api::{PlannedCertificate, PlannedWarning};
pub use certificate::{Certificate, cell as csv_cell, csv_header, csv_rows};
pub use explained::{Explained, Other};
pub use rehearsal::{Rehearsal, Rehearsed};
pub use snoozing::{Refused, Snoozing};
pub use socket::Socket;

/// Asks what the daily digest would say now, and when it is due.
pub type DigestRequest = oneshot::Sender<(Option<Timestamp>, DailyDigest)>;

/// What the pages are made from.
pub struct State {
    /// The newest state of the inventory.
    pub view: watch::Receiver<Arc<View>>,
    /// What scrapes are made with.
    pub exposition: Arc<Exposition>,
    /// What certificates there are.
    pub catalog: Catalog,
    /// What is kept of everything else.
    pub store: Arc<dyn Store>,
    /// The channels, in the order of the configuration.
    pub outlets: watch::Receiver<Arc<Vec<Outlet>>>,
    /// What is snoozed.
    pub snoozes: watch::Receiver<Arc<Snoozes>>,
    /// What links to snoozes are signed with, once it is known.
    pub link_key: watch::Receiver<Option<LinkKey>>,
    /// Makes and ends snoozes.
    pub snoozing: Arc<dyn Snoozing>,
    /// Reads what a reload would.
    pub rehearsal: Rehearsal,
    /// What certificates are called.
    pub names: Arc<dyn Names>,
    /// How the sources are.
    pub sources: watch::Receiver<Arc<Vec<SourceStatus>>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Takes the wish for a reload, and answers with the mistakes when there are any.
    pub reload: mpsc::Sender<oneshot::Sender<Result<String, String>>>,
    /// Takes questions how a certificate stands.
    pub standings: mpsc::Sender<StandingRequest>,
    /// Takes questions what the daily digest would say now.
    pub digests: mpsc::Sender<DigestRequest>,
    /// Takes wishes for a canary.
    pub canaries: mpsc::Sender<CanaryRequest>,
    /// Takes what is wanted of messages.
    pub orders: mpsc::Sender<OutboxRequest>,
    /// Whether the store is open and the first view is published.
    pub ready: watch::Receiver<bool>,
    /// Whether the store takes what is written.
    pub writable: watch::Receiver<bool>,
    /// Who may reach this server over the network.
    pub access: Arc<Access>,
    /// The names under which this server may be asked.
    pub hosts: watch::Receiver<Arc<Hosts>>,
    /// How many certificates of each source have series of their own.
    pub max_series_per_source: watch::Receiver<usize>,
}

/// A channel that is configured.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Takes the wish for a test.
    pub tests: mpsc::Sender<TestAnswer>,
}

/// Answers requests on `listener` and on the control socket until `stop`, then lets those under way end within a deadline.
pub async fn serve(
    listener: TcpListener,
    socket: Socket,
    state: State,
    stop: CancellationToken,
) -> std::io::Result<()> {
    serve_within(listener, socket, state, Limits::default(), stop).await;
    Ok(())
}

/// What every handler sees.
struct Shared {
    state: State,
    door: Door,
    scrapes: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    /// What the first page was last made from.
    home: page::Cache,
    /// When this process began to serve, which tells its answers from those of another.
    started: i64,
    limits: Limits,
}

async fn serve_within(
    listener: TcpListener,
    socket: Socket,
    state: State,
    limits: Limits,
    stop: CancellationToken,
) {
    let access = Arc::clone(&state.access);
    let scrapes = Arc::new(Semaphore::new(limits.scrapes));
    let door = Door::new(state.hosts.clone(), limits.body_bytes);
    let exports = Arc::new(Semaphore::new(limits.exports));
    let started = state.clock.millis();
    let home = page::Cache::default();
    let shared = Arc::new(Shared { state, door, scrapes, exports, home, started, limits });
    let router = router(shared);
    let network = Network { listener, access };
    let network = server::run(network, router.clone(), limits, stop.clone());
    // Places of its own: whoever fills those of the network locks nobody out of the socket.
    let control = server::run(socket, router, limits, stop);
    tokio::join!(network, control);
}

/// What changes something, for who may.
fn changes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/-/reload", post(control::reload).put(control::reload))
        .merge(api::changes())
        .merge(page::changes())
        .route_layer(from_fn(door::writers_only))
}

fn router(shared: Arc<Shared>) -> Router {
    let nosniff = SetResponseHeaderLayer::overriding(
        X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let body_bytes = usize::try_from(shared.limits.body_bytes).unwrap_or(usize::MAX);
    Router::new()
        .route("/metrics", get(scrape::scrape))
        .route("/-/healthy", get(control::healthy))
        .route("/-/ready", get(control::ready))
        .merge(api::router())
        .merge(changes())
        .merge(page::router(&shared))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(from_fn_with_state(Arc::clone(&shared), door::guard))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(nosniff)
        .with_state(shared)
}

//! A server with a small inventory, and a client that shows every byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::super::*;
use crate::catalog::Standing;
use crate::config;
use crate::expiry::{
    Cover, RefusedWish, RowId, Sighting, Snooze, SnoozeEnd, Snoozed, Wanted, Wish, WishCover,
};
use crate::metrics::testing::{Known, Memory, NOW, numbers, view};
use crate::metrics::{DaemonMetrics, Setup, SourceSetup};
use crate::store::{self, Commit, RowWrite};

/// What a request is for where a test does not say.
const HOST: &str = "host: localhost\r\n";

type Reloads = mpsc::Receiver<oneshot::Sender<Result<String, String>>>;

/// A running server, and what it is fed from.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) view: watch::Sender<Arc<View>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) sources: watch::Sender<Arc<Vec<SourceStatus>>>,
    pub(super) ready: watch::Sender<bool>,
    pub(super) writable: watch::Sender<bool>,
    pub(super) hosts: watch::Sender<Arc<Hosts>>,
    pub(super) reloads: Reloads,
    pub(super) stop: CancellationToken,
    pub(super) tasks: JoinSet<()>,
    folder: tempfile::TempDir,
    pub(super) asked: mpsc::Receiver<TestAnswer>,
    pub(super) ordered: mpsc::Receiver<OutboxRequest>,
    pub(super) digests: mpsc::Receiver<DigestRequest>,
    pub(super) canaries: mpsc::Receiver<CanaryRequest>,
    pub(super) snoozes: watch::Sender<Arc<Snoozes>>,
    pub(super) wished: mpsc::UnboundedReceiver<Wish>,
    _held: (watch::Sender<Arc<Vec<Outlet>>>, watch::Sender<usize>, watch::Sender<Edition>),
}

/// Always shows the same time, so that two answers can be compared.
struct Stopped;

impl Clock for Stopped {
    fn millis(&self) -> i64 {
        NOW.seconds() * 1000
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

/// Grants every wish but those that are mistakes, and remembers them.
struct Wishes(mpsc::UnboundedSender<Wish>);

#[async_trait::async_trait]
impl Snoozing for Wishes {
    async fn snooze(&self, wish: Wish) -> Result<Snooze, Refused> {
        if let Some(mistake) = wish.mistake() {
            return Err(Refused::Wish(RefusedWish::Mistaken(mistake)));
        }
        let cover = match &wish.cover {
            WishCover::Match(wanted) => Cover::Match(wanted.clone()),
            WishCover::Certificate(id) if id.len() != 32 => {
                return Err(Refused::Wish(RefusedWish::Unknown));
            }
            WishCover::Certificate(id) => {
                let (id, row) = (id.clone(), RowId(0));
                Cover::Certificate(Snoozed { id, row, rung: None, not_after: None })
            }
        };
        self.0.send(wish.clone()).unwrap();
        Ok(wish.grant("s1".to_owned(), cover, NOW))
    }

    async fn end_snooze(&self, id: &str) -> Result<Option<Snooze>, Refused> {
        let cover = Cover::Match(Wanted::parse("source=s").unwrap());
        let wish = Wish {
            cover: WishCover::Certificate(String::new()),
            seconds: 60,
            hold: false,
            author: "ann".to_owned(),
            reason: "known".to_owned(),
            link: None,
        };
        let snooze = wish.grant(id.to_owned(), cover, NOW);
        Ok((id == "s1").then_some(Snooze { ended: Some((NOW, SnoozeEnd::ByHand)), ..snooze }))
    }
}

/// Returns a store that keeps `known`.
async fn stored(known: &[Known]) -> Arc<dyn Store> {
    let state = view(1, known);
    let scopes =
        state.scopes().map(|(id, source, scope)| (id, Arc::clone(source), Arc::clone(scope)));
    let mut commit = Commit { scopes: scopes.collect(), ..Commit::default() };
    for (row, Known(facts)) in numbers(known).into_iter().zip(known) {
        let sighting = Sighting {
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            place: facts.place.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            common_name: facts.common_name.clone(),
            holder: facts.holder.clone(),
            unit: facts.unit.clone(),
            ..Sighting::bare(facts.kind, facts.status)
        };
        let scope = state.row(row).unwrap().scope;
        let first_seen = NOW.plus(-86_400);
        commit.rows.push(RowWrite { row, scope, sighting, status: facts.status, first_seen });
    }
    let store = store::Memory::default();
    store.commit(Arc::new(commit)).await.unwrap();
    Arc::new(store)
}

/// An edition of a configuration, and the configuration.
type Edition = (u64, Arc<config::Config>);

/// Returns a configuration that says nothing.
fn configured() -> (watch::Sender<Edition>, watch::Receiver<Edition>) {
    let config = config::load("", &config::Environment::of([]), |_| None).0.unwrap();
    watch::channel((0, Arc::new(config)))
}

/// Returns one source and one channel.
fn setup() -> Setup {
    let source =
        SourceSetup { name: "s".to_owned(), kind: "files".to_owned(), ..SourceSetup::default() };
    Setup { sources: vec![source], channels: vec!["ops".to_owned()], heartbeat: None }
}

/// Returns one channel.
fn ops(tests: mpsc::Sender<TestAnswer>) -> Arc<Vec<Outlet>> {
    Arc::new(vec![Outlet { name: "ops".to_owned(), kind: "webhook".to_owned(), tests }])
}

/// Starts a server that knows `known`.
pub(super) async fn start(known: &[Known], limits: Limits) -> Server {
    start_behind(Access::new(None, true).unwrap(), known, limits).await
}

/// Reads a configuration without what it names.
fn rehearse(name: &str, text: &str) -> Result<Rehearsed, String> {
    let (config, mistakes) = config::load(text, &config::Environment::of([]), |_| None);
    match config.filter(|_| mistakes.errors.is_empty()) {
        Some(config) => Ok(Rehearsed { config: Arc::new(config), until_restart: Vec::new() }),
        None => Err(mistakes.render(name, text)),
    }
}

/// Returns where a server listens, and the folder of its socket.
async fn doors() -> (SocketAddr, TcpListener, tempfile::TempDir, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = Socket::bind(&folder.path().join("c")).unwrap();
    (listener.local_addr().unwrap(), listener, folder, socket)
}

/// Answers that nothing is known of how certificates stand.
fn standings(tasks: &mut JoinSet<()>) -> mpsc::Sender<StandingRequest> {
    let (ask, mut asked) = mpsc::channel::<StandingRequest>(1);
    tasks.spawn(async move {
        while let Some(request) = asked.recv().await {
            drop(request.answer.send(Standing::default()));
        }
    });
    ask
}

/// Starts a server that those reach whom `access` lets in.
pub(super) async fn start_behind(access: Access, known: &[Known], limits: Limits) -> Server {
    let (view, views) = watch::channel(Arc::new(view(1, known)));
    let (sources, statuses) = watch::channel(Arc::default());
    let ((ready, readiness), (writable, can_write)) = (watch::channel(false), watch::channel(true));
    let (hosts, known_hosts) = watch::channel(Arc::default());
    let ((config, configs), store) = (configured(), stored(known).await);
    let ((tests, asked), (digests, wanted)) = (mpsc::channel(1), mpsc::channel(1));
    let (canaries, flown) = mpsc::channel(1);
    let (outlet, outlets) = watch::channel(ops(tests));
    let (snoozes, quiet) = watch::channel(Arc::default());
    let ((grant, wished), (limit, most)) = (mpsc::unbounded_channel(), watch::channel(1_000_000));
    let ((reload, reloads), (orders, ordered)) = (mpsc::channel(1), mpsc::channel(1));
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let state = State {
        view: views.clone(),
        exposition: Arc::new(Exposition::new(Arc::new(DaemonMetrics::new(&setup())))),
        catalog: Catalog::new(views, configs, Arc::clone(&store), Arc::new(Stopped), quiet.clone()),
        store: Arc::clone(&store),
        outlets,
        snoozes: quiet,
        link_key: watch::channel(Some([7; 32])).1,
        snoozing: Arc::new(Wishes(grant)),
        rehearsal: Arc::new(rehearse),
        names: Arc::new(Memory::of(known)),
        sources: statuses,
        clock: Arc::new(Stopped),
        reload,
        orders,
        standings: standings(&mut tasks),
        digests,
        canaries,
        ready: readiness,
        writable: can_write,
        access: Arc::new(access),
        hosts: known_hosts,
        max_series_per_source: most,
    };
    let (address, listener, folder, socket) = doors().await;
    tasks.spawn(serve_within(listener, socket, state, limits, stop.clone()));
    Server {
        address,
        view,
        store,
        sources,
        ready,
        writable,
        hosts,
        reloads,
        stop,
        tasks,
        folder,
        asked,
        ordered,
        digests: wanted,
        canaries: flown,
        snoozes,
        wished,
        _held: (outlet, limit, config),
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    /// Whether the body came to its own end.
    pub(super) whole: bool,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Server {
    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request with these header lines and reads the whole answer.
    pub(super) async fn ask(&self, request: &str, headers: &[&str]) -> Answer {
        let mut stream = self.connect().await;
        send(&mut stream, request, headers).await;
        answer(&mut stream).await
    }

    /// Returns a connection to the control socket.
    pub(super) async fn control(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("c")).await.unwrap()
    }

    /// Sends one request with a body on the control socket and reads the whole answer.
    pub(super) async fn order(&self, request: &str, kind: &str, body: &str) -> Answer {
        let mut stream = self.control().await;
        send_body(&mut stream, request, &[&format!("content-type: {kind}")], body).await;
        answer(&mut stream).await
    }

    /// Sends one request on the control socket and reads the whole answer.
    pub(super) async fn command(&self, request: &str) -> Answer {
        let mut stream = self.control().await;
        send(&mut stream, request, &[]).await;
        answer(&mut stream).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[]).await
    }
}

/// Sends one request, after which the server closes the connection.
pub(super) async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &str, headers: &[&str]) {
    let host = if headers.iter().any(|header| header.starts_with("host:")) { "" } else { HOST };
    let mut head = format!("{request} HTTP/1.1\r\n{host}connection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).await.unwrap();
}

/// Sends one request with a body.
pub(super) async fn send_body(
    stream: &mut (impl AsyncWrite + Unpin),
    request: &str,
    headers: &[&str],
    body: &str,
) {
    let length = format!("content-length: {}", body.len());
    let headers: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
    send(stream, request, &headers).await;
    stream.write_all(body.as_bytes()).await.unwrap();
}

/// Reads until the server closes, which it must do in time.
pub(super) async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    // A reset counts as an end: what came before it is looked at.
    let read = stream.read_to_end(&mut bytes);
    drop(tokio::time::timeout(Duration::from_mins(1), read).await.unwrap());
    parsed(&bytes)
}

/// Takes an answer apart.
pub(super) fn parsed(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = BTreeMap::new();
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        let value = match headers.remove(name) {
            Some(known) => format!("{known}, {value}"),
            None => value.to_owned(),
        };
        headers.insert(name.to_owned(), value);
    }
    let raw = &bytes[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let (body, whole) = if chunked { dechunk(raw) } else { (raw.to_vec(), true) };
    Answer { status, headers, body, whole }
}

fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let rest = &raw[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&rest[..size]);
        raw = &rest[size + 2..];
    }
    (body, false)
}

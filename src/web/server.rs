//! Accepts connections and ends them in order.
//!
//! Plain HTTP/1 only: hyper's automatic detection of the version has no timeout, so a client that says nothing would
//! keep its connection for ever.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::access::{Access, Connection};
use super::answer::Answer;
use super::door::Entrance;
use super::limits::Limits;
use super::seats::{Seat, Seats};
use super::socket::Socket;
use super::write_timeout::WriteTimeout;

/// How long to wait after the system refused to hand over a connection, as it does when descriptors run out.
const BREATH: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(super) trait Listen: Send + Sync {
    /// What is accepted.
    type Accepted: Send + 'static;
    /// A connection that requests come on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for a connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;

    /// Makes it ready for requests, and says who sends them. Not waited for by others.
    fn open(
        &self,
        accepted: Self::Accepted,
    ) -> impl Future<Output = io::Result<(Self::Stream, Entrance)>> + Send + 'static + use<Self>;
}

/// The network, for those whom the web configuration lets in.
pub(super) struct Network {
    pub(super) listener: TcpListener,
    pub(super) access: Arc<Access>,
}

impl Listen for Network {
    type Accepted = TcpStream;
    type Stream = Connection;

    async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn open(
        &self,
        accepted: TcpStream,
    ) -> impl Future<Output = io::Result<(Connection, Entrance)>> + Send + use<> {
        let access = Arc::clone(&self.access);
        async move {
            let gate = access.gate();
            let (stream, verified) = Connection::open(accepted, &gate).await?;
            Ok((stream, Entrance::Network { verified }))
        }
    }
}

impl Listen for Socket {
    type Accepted = UnixStream;
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener().accept().await.map(|(stream, _)| stream)
    }

    fn open(
        &self,
        accepted: UnixStream,
    ) -> impl Future<Output = io::Result<(UnixStream, Entrance)>> + Send + use<> {
        std::future::ready(Ok((accepted, Entrance::Socket)))
    }
}

/// Answers with `router` until `stop`.
pub(super) async fn run<L: Listen>(
    listener: L,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let seats = Seats::new(limits.connections);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes);
    while let Some((stream, seat)) =
        stop.run_until_cancelled(next(&listener, &seats, &mut connections)).await
    {
        let leave = seat.leave.clone();
        let opening = listener.open(stream);
        let (builder, router, watcher) = (builder.clone(), router.clone(), graceful.watcher());
        let connection = async move {
            // A handshake has as long as the head of a request.
            let opened = tokio::time::timeout(limits.head, opening).await;
            let (stream, entrance) = opened.map_err(|_| io::ErrorKind::TimedOut)??;
            let io = WriteTimeout::new(stream, limits.stall, Arc::clone(&seat.unread));
            let service = service(&router, seat, entrance);
            let connection = builder.serve_connection(TokioIo::new(io), service);
            watcher.watch(connection).await.map_err(io::Error::other)
        };
        connections.spawn(async move {
            if let Some(Err(error)) = leave.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    connections.shutdown().await;
}

/// Returns what answers the requests of one connection, which is at work meanwhile.
fn service(
    router: &Router,
    seat: Arc<Seat>,
    entrance: Entrance,
) -> impl Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible, Future: Send> + use<>
{
    let router = router.clone();
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(entrance);
        let (work, answer) = (seat.work(), router.clone().oneshot(request));
        async move { answer.await.map(|answer| answer.map(|body| Answer::new(body, work))) }
    })
}

/// Waits for a connection and then for a place; forgets connections that have ended meanwhile.
async fn next<L: Listen>(
    listener: &L,
    seats: &Arc<Seats>,
    connections: &mut JoinSet<()>,
) -> (L::Accepted, Arc<Seat>) {
    loop {
        let accepted = tokio::select! {
            biased;
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task ended badly");
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => return (stream, seats.take().await),
            Err(error) => after_refusal(&error).await,
        }
    }
}

async fn after_refusal(error: &io::Error) {
    // The client has gone already: nothing is wrong here.
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept a connection; raise the limit of open files if this repeats");
    tokio::time::sleep(BREATH).await;
}

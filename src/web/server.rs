//! Accepts connections and ends them in order.
//!
//! Plain HTTP/1 only: hyper's automatic detection of the version has no timeout, so a client that says nothing would
//! keep its connection for ever.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::limits::Limits;
use super::write_timeout::WriteTimeout;

/// How long to wait after the system refused to hand over a connection, as it does when descriptors run out.
const BREATH: Duration = Duration::from_millis(100);

/// Answers with `router` until `stop`.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes);
    while let Some((permit, stream)) =
        stop.run_until_cancelled(next(&listener, &room, &mut connections)).await
    {
        let io = TokioIo::new(WriteTimeout::new(stream, limits.stall));
        let connection = builder.serve_connection(io, TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    connections.shutdown().await;
}

/// Waits for room and then for a connection; forgets connections that have ended meanwhile.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    connections: &mut JoinSet<()>,
) -> (tokio::sync::OwnedSemaphorePermit, TcpStream) {
    let permit = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task ended badly");
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) => return (permit, stream),
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

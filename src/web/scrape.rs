//! `/metrics`: written by a blocking thread, chunk by chunk, as fast as the client reads.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;
use super::{Shared, negotiate};
use crate::metrics::{Exposition, Format, Moment};

/// Bytes in one chunk, and chunks that wait for the client.
const CHUNK: usize = 64 * 1024;
const WAITING: usize = 4;

/// Answers a scrape.
pub(super) async fn scrape(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (format, gzip) = (negotiate::format(&headers), negotiate::gzip(&headers));
    let Ok(permit) = Arc::clone(&shared.scrapes).try_acquire_owned() else {
        return Err(Problem::busy("too many scrapes at once; scrape from fewer places"));
    };
    let deadline = Instant::now() + shared.limits.scrape;
    let moment = timeout_at(deadline, prepare(&shared))
        .await
        .map_err(|_| Problem::busy("the store did not name the certificates in time"))?;
    let writing =
        Writing { exposition: Arc::clone(&shared.state.exposition), moment, format, gzip, permit };
    Ok(answer(format, gzip, Body::from_stream(writing.stream(deadline))))
}

async fn prepare(shared: &Shared) -> Moment {
    let state = &shared.state;
    let view = Arc::clone(&state.view.borrow());
    let limit = *state.max_series_per_source.borrow();
    state.exposition.prepare(&view, &*state.names, limit, state.clock.now()).await
}

fn answer(format: Format, gzip: bool, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.append(VARY, HeaderValue::from(ACCEPT));
    headers.append(VARY, HeaderValue::from(ACCEPT_ENCODING));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A scrape that is being written.
struct Writing {
    exposition: Arc<Exposition>,
    moment: Moment,
    format: Format,
    gzip: bool,
    permit: OwnedSemaphorePermit,
}

enum Chunk {
    Data(Bytes),
    End,
}

impl Writing {
    /// Starts to write, and returns what is written.
    ///
    /// The writer has a deadline of its own: nobody polls a body while the client does not read, so no timeout
    /// around it would ever end.
    fn stream(self, deadline: Instant) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let chunks = Chunks { sender, runtime: Handle::current(), deadline, pending: Vec::new() };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = self.write(chunks) {
                tracing::debug!(%error, "a scrape was cut short");
            }
        });
        // Fused, since a stream must not be asked again after its end and not every reader knows.
        futures_util::stream::unfold(Some(receiver), next_chunk).fuse()
    }

    fn write(self, chunks: Chunks) -> io::Result<()> {
        let Self { exposition, moment, format, gzip, permit } = self;
        let chunks = if gzip {
            let encoder = GzEncoder::new(chunks, Compression::fast());
            exposition.write(&moment, format, encoder)?.finish()?
        } else {
            exposition.write(&moment, format, chunks)?
        };
        chunks.end()?;
        drop(permit);
        Ok(())
    }
}

/// Hands on one chunk. A channel that closes without an end is an error, so that a scrape cut short never looks whole.
async fn next_chunk(
    receiver: Option<mpsc::Receiver<Chunk>>,
) -> Option<(io::Result<Bytes>, Option<mpsc::Receiver<Chunk>>)> {
    let mut receiver = receiver?;
    match receiver.recv().await {
        Some(Chunk::Data(bytes)) => Some((Ok(bytes), Some(receiver))),
        Some(Chunk::End) => None,
        None => Some((Err(io::Error::other("the scrape was cut short")), None)),
    }
}

/// Gathers what is written into chunks and waits for the client to take them, until the deadline.
struct Chunks {
    sender: mpsc::Sender<Chunk>,
    runtime: Handle,
    deadline: Instant,
    pending: Vec<u8>,
}

impl Chunks {
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Chunk::End)
    }

    fn send(&self, chunk: Chunk) -> io::Result<()> {
        match self.runtime.block_on(timeout_at(self.deadline, self.sender.send(chunk))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")),
        }
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.pending, Vec::with_capacity(CHUNK));
        self.send(Chunk::Data(Bytes::from(full)))
    }
}

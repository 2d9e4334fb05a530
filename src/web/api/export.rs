//! Everything that is asked for in one answer, written as it is read.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::catalog::{CatalogError, Entry, Mistake, Page, Query};
use crate::clock::Clock;
use crate::expiry::Timestamp;
use crate::web::Shared;
use crate::web::certificate::{Certificate, csv_header, csv_rows};
use crate::web::problem::Problem;

/// How certificates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
}

impl Format {
    /// Reads the parameter `format`, where it is there.
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Option<Self>, Mistake> {
        let mut said = parameters.iter().filter(|(name, _)| name == "format");
        let mistake =
            |detail: &str| Mistake { parameter: "format".to_owned(), detail: detail.to_owned() };
        let Some((_, value)) = said.next() else { return Ok(None) };
        if said.next().is_some() {
            return Err(mistake("it may be there once"));
        }
        match value.as_str() {
            "" => Ok(None),
            "json" => Ok(Some(Self::Json)),
            "csv" => Ok(Some(Self::Csv)),
            _ => Err(mistake("it is `json` or `csv`")),
        }
    }
}

/// Answers everything that is asked for. A few exports at a time: each holds a part of the list in memory. What goes wrong
/// before the first part is there is said; after that the connection breaks off.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    query: Query,
    format: Format,
) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&shared.exports).try_acquire_owned() else {
        return Err(Problem::busy("too many exports at once; wait for one to end"));
    };
    let (taker, entries) = mpsc::channel(1);
    let catalog = shared.state.catalog.clone();
    let reading = Box::pin(async move { catalog.export(&query, taker).await });
    let clock = Arc::clone(&shared.state.clock);
    let mut export =
        Export { reading: Some(reading), entries, clock, format, count: 0, _permit: permit };
    let begin = format.begin().map_err(|error| Problem::busy(error.to_string()))?;
    let first = export.next().await?;
    let body = Body::from_stream(export.stream(begin, first));
    Ok(named(body.into_response(), format))
}

/// Returns a page as CSV.
pub(super) fn page(page: &Page, now: Timestamp) -> Result<Response, Problem> {
    let rows: Vec<_> = page.items.iter().map(|entry| Certificate::of(entry, now)).collect();
    let mut text = Vec::new();
    let written = csv_header(&mut text).and_then(|()| csv_rows(&rows, &mut text));
    written.map_err(|error| Problem::busy(error.to_string()))?;
    Ok(named(text.into_response(), Format::Csv))
}

fn named(mut response: Response, format: Format) -> Response {
    let (kind, name) = match format {
        Format::Json => ("application/json", "attachment; filename=\"certificates.json\""),
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"certificates.csv\""),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// An export that is being read while it is being sent.
struct Export {
    /// Hands over what it reads; `None` once it has ended.
    reading: Option<BoxFuture<'static, Result<(), CatalogError>>>,
    entries: mpsc::Receiver<Vec<Entry>>,
    clock: Arc<dyn Clock>,
    format: Format,
    /// How many were written.
    count: u64,
    _permit: OwnedSemaphorePermit,
}

impl Export {
    fn stream(
        self,
        begin: Bytes,
        first: Option<Vec<Entry>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        let parts = futures_util::stream::unfold(Some((self, Some(first))), |state| async move {
            let (mut export, read) = state?;
            let part = match read {
                Some(first) => Ok(first),
                None => export.next().await,
            };
            match part {
                Ok(Some(entries)) => {
                    let bytes = export.written(&entries);
                    let is_over = bytes.is_err();
                    Some((bytes, (!is_over).then_some((export, None))))
                }
                Ok(None) => Some((Ok(export.end()), None)),
                Err(error) => {
                    tracing::debug!(%error, "an export was cut short");
                    // A connection that breaks off cannot be taken for a whole list.
                    Some((Err(io::Error::other(error)), None))
                }
            }
        });
        futures_util::stream::once(async move { Ok(begin) }).chain(parts).fuse()
    }

    /// Returns what was read next; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, CatalogError> {
        if let Some(reading) = &mut self.reading {
            let ended = tokio::select! {
                biased;
                Some(entries) = self.entries.recv() => return Ok(Some(entries)),
                ended = reading => ended,
            };
            self.reading = None;
            ended?;
        }
        Ok(self.entries.recv().await)
    }

    fn written(&mut self, entries: &[Entry]) -> io::Result<Bytes> {
        let now = self.clock.now();
        let rows: Vec<_> = entries.iter().map(|entry| Certificate::of(entry, now)).collect();
        let mut out = Vec::new();
        match self.format {
            Format::Csv => csv_rows(&rows, &mut out)?,
            Format::Json => {
                for row in &rows {
                    out.extend_from_slice(if self.count == 0 { b"\n" } else { b",\n" });
                    serde_json::to_writer(&mut out, row)?;
                    self.count += 1;
                }
            }
        }
        Ok(Bytes::from(out))
    }

    fn end(&self) -> Bytes {
        match self.format {
            Format::Csv => Bytes::new(),
            Format::Json => {
                let count = self.count;
                Bytes::from(format!(
                    "\n],\"next\":null,\"total\":{count},\"total_at_least\":{count},\"searched_all\":null}}\n"
                ))
            }
        }
    }
}

impl Format {
    fn begin(self) -> io::Result<Bytes> {
        let mut out = Vec::new();
        match self {
            Self::Csv => csv_header(&mut out)?,
            Self::Json => out.extend_from_slice(b"{\"items\":["),
        }
        Ok(Bytes::from(out))
    }
}

//! `/api/v1/certificates`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::ListParameters;
use super::etag::Etag;
use super::export::{self, Format};
use super::handling::{Named, NoPairs};
use super::parameters::Pairs;
use crate::catalog::{Page, Query};
use crate::expiry::Timestamp;
use crate::web::Shared;
use crate::web::certificate::Certificate;
use crate::web::problem::{Document, Problem};

/// A page of certificates.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Certificates {
    /// The certificates.
    pub items: Vec<Certificate>,
    /// What to pass as `cursor` for the page after it; `null` when it was the last.
    #[schema(required)]
    pub next: Option<String>,
    /// How many there are in all; `null` where that would take long to say.
    #[schema(required)]
    pub total: Option<u64>,
    /// How many there are at least.
    pub total_at_least: u64,
    /// Whether `q` was looked for in all names: their index is built behind the scans. `null` without `q`.
    #[schema(required)]
    pub searched_all: Option<bool>,
}

impl Certificates {
    fn of(page: Page, now: Timestamp) -> Self {
        Self {
            items: page.items.iter().map(|entry| Certificate::of(entry, now)).collect(),
            next: page.next,
            total: page.total,
            total_at_least: page.total_at_least,
            searched_all: page.searched_all,
        }
    }
}

/// Answers a page of certificates, or all of them as an export.
#[utoipa::path(
    get,
    path = "/api/v1/certificates",
    params(ListParameters),
    responses(
        (status = 200, description = "A page, or the whole list.", content(
            (Certificates = "application/json"),
            (String = "text/csv")
        )),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::read(&pairs)?;
    let of_list = pairs.iter().filter(|(name, _)| name != "format");
    let query = Query::read(of_list.map(|(name, value)| (name.as_str(), value.as_str())))?;
    let paged = pairs.iter().any(|(name, value)| name == "limit" && !value.is_empty());
    if let Some(format) = format.filter(|_| !paged) {
        return export::answer(&shared, query, format).await;
    }
    let etag = Etag::of(&shared);
    if let Some(known) = etag.unless_changed(&headers) {
        return Ok(known);
    }
    let page = shared.stored(shared.state.catalog.list(&query)).await?;
    let now = shared.state.clock.now();
    Ok(etag.on(match format {
        Some(Format::Csv) => export::page(&page, now)?,
        Some(Format::Json) | None => Json(Certificates::of(page, now)).into_response(),
    }))
}

/// Answers one certificate.
#[utoipa::path(
    get,
    path = "/api/v1/certificates/{id}",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "The certificate.", body = Certificate),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Named(id): Named,
    _: NoPairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let etag = Etag::of(&shared);
    if let Some(known) = etag.unless_changed(&headers) {
        return Ok(known);
    }
    let entry = shared.stored(shared.state.catalog.one(&id)).await?;
    let unknown = "no certificate with this id is known; an id has 32 hexadecimal digits";
    let entry = entry.ok_or_else(|| Problem::unknown(unknown))?;
    let now = shared.state.clock.now();
    Ok(etag.on(Json(Certificate::of(&entry, now)).into_response()))
}

//! `/api/v1/timeline`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::TimelineParameters;
use super::etag::Etag;
use super::parameters::{self, Pairs};
use crate::catalog::By;
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// How many active certificates expire when.
#[derive(Serialize, ToSchema)]
pub(super) struct Timeline {
    /// Days or months in UTC, the one that it is first.
    items: Vec<Span>,
}

/// A day or a month.
#[derive(Serialize, ToSchema)]
struct Span {
    /// Its first second.
    #[schema(required, format = DateTime)]
    from: Option<String>,
    /// Its last second.
    #[schema(required, format = DateTime)]
    to: Option<String>,
    /// Active certificates that expire in it.
    count: u64,
}

/// Answers how many active certificates expire on each of 90 days, or in each of 36 months.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    params(TimelineParameters),
    responses(
        (status = 200, description = "The counts.", body = Timeline),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let by = match parameters::one(&pairs, "by")? {
        None | Some("day") => By::Day,
        Some("month") => By::Month,
        Some(_) => return Err(Problem::bad("by: it is `day` or `month`")),
    };
    let etag = Etag::of(&shared);
    if let Some(known) = etag.unless_changed(&headers) {
        return Ok(known);
    }
    let counts = shared.state.catalog.timeline(by);
    let counts = shared.in_time("the count took too long", counts).await?;
    let items = counts.into_iter().map(|it| Span {
        from: rfc3339(it.from),
        to: rfc3339(it.to),
        count: it.certificates,
    });
    Ok(etag.on(Json(Timeline { items: items.collect() }).into_response()))
}

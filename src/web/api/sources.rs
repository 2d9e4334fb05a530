//! `/api/v1/sources`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::handling::{NoPairs, fresh};
use crate::scan::{ScanStatus, SourceStatus};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// Every source, in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(super) struct Sources {
    /// The sources.
    items: Vec<Source>,
}

/// A source, and how its last scans ended.
#[derive(Serialize, ToSchema)]
struct Source {
    /// Its name.
    name: String,
    /// Its kind.
    kind: String,
    /// Whether the last poll got its answers; `null` before the first.
    #[schema(required)]
    up: Option<bool>,
    /// When the last poll began.
    #[schema(required, format = DateTime)]
    last_attempt: Option<String>,
    /// What went wrong in the last poll.
    #[schema(required)]
    last_error: Option<String>,
    /// The first places that cannot be read, are broken or are not there, each with the reason.
    problems: Vec<String>,
    /// The last scan of each scope and window.
    scans: Vec<Scan>,
}

/// The last scan of a scope and window.
#[derive(Serialize, ToSchema)]
struct Scan {
    /// The scope.
    scope: String,
    /// `near` or `all`.
    window: String,
    /// When the last proven scan ended.
    #[schema(required, format = DateTime)]
    last_proven: Option<String>,
    /// The provider's total.
    #[schema(required)]
    reported: Option<u64>,
    /// Certificates that were read.
    #[schema(required)]
    collected: Option<u64>,
    /// Certificates that the provider counted and did not list, or that are known and were not listed.
    #[schema(required)]
    missing: Option<u64>,
}

impl Source {
    fn of(status: &SourceStatus) -> Self {
        Self {
            name: status.name.clone(),
            kind: status.kind.clone(),
            up: status.up,
            last_attempt: status.last_attempt.and_then(rfc3339),
            last_error: status.last_error.clone(),
            problems: status.problems.clone(),
            scans: status.scans.iter().map(Scan::of).collect(),
        }
    }
}

impl Scan {
    fn of(status: &ScanStatus) -> Self {
        Self {
            scope: status.scope.clone(),
            window: status.window.clone(),
            last_proven: status.last_proven.and_then(rfc3339),
            reported: status.reported,
            collected: status.collected,
            missing: status.missing,
        }
    }
}

/// Answers every source.
#[utoipa::path(
    get,
    path = "/api/v1/sources",
    responses(
        (status = 200, description = "Every source.", body = Sources),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: NoPairs,
) -> Result<Response, Problem> {
    let sources = Arc::clone(&shared.state.sources.borrow());
    let items = sources.iter().map(Source::of).collect();
    Ok(fresh(Sources { items }))
}

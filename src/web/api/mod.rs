//! `/api/v1`: what is known, for programs.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};

use super::Shared;
use super::door::COMPARISON;
use super::problem::Problem;
use crate::catalog::{CatalogError, Mistake};
use crate::store::StoreError;

mod alerts;
mod asked;
mod audit;
mod calendar;
mod canary;
mod certificates;
mod channels;
mod comparison;
mod digest;
mod etag;
mod explain;
mod export;
mod handling;
mod openapi;
mod outbox;
mod parameters;
mod plan;
mod routing;
mod snoozes;
mod sources;
mod timeline;

pub use audit::Audit;
pub use calendar::CalendarAddress;
pub use canary::{Canary, CanaryPart};
pub use certificates::Certificates;
pub use channels::Tested;
pub use comparison::{Compared, OtherWay, WouldChange};
pub use outbox::{Outbox, OutboxDone, OutboxMessage};
pub use plan::{PlanAnswer, PlannedGroup, PlannedMessage};
#[cfg(test)]
pub use plan::{PlannedCertificate, PlannedWarning};
pub use routing::Routed;
pub use snoozes::{SnoozeList, SnoozeObject, SnoozeWish};
pub(in crate::web) use snoozes::{end_snooze, grant};

/// Returns the paths of the API.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/certificates", get(certificates::list))
        .route("/api/v1/certificates/{id}", get(certificates::one))
        .route("/api/v1/certificates/{id}/explain", get(explain::story))
        .route("/api/v1/sources", get(sources::list))
        .route("/api/v1/channels", get(channels::list))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/digest", get(digest::now))
        .route("/api/v1/plan", get(plan::plan))
        .route("/api/v1/route", get(routing::explain))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/calendar", get(calendar::address))
        .route("/api/v1/outbox", get(outbox::list))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/snoozes", get(snoozes::list))
        .route("/api/v1/timeline", get(timeline::timeline))
}

/// Returns the paths that change something.
pub(super) fn changes() -> Router<Arc<Shared>> {
    let compare = post(comparison::compare).layer(DefaultBodyLimit::max(COMPARISON.1));
    Router::new()
        .route("/api/v1/channels/{name}/test", post(channels::test))
        .route("/api/v1/canary", post(canary::fly))
        .route("/api/v1/comparison", compare)
        .route("/api/v1/outbox/{id}", delete(outbox::drop_one))
        .route("/api/v1/outbox/{id}/retry", post(outbox::retry))
        .route("/api/v1/snoozes", post(snoozes::make))
        .route("/api/v1/snoozes/{id}", delete(snoozes::end))
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Mistaken(detail) => Self::bad(detail),
            CatalogError::NoSuchPage(detail) => Self::unknown(detail),
            CatalogError::Store(_) | CatalogError::Stopping => Self::busy(error.to_string()),
            CatalogError::Broken => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::busy(error.to_string())
    }
}

impl From<Mistake> for Problem {
    fn from(Mistake { parameter, detail }: Mistake) -> Self {
        Self::bad(format!("{parameter}: {detail}"))
    }
}

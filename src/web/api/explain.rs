//! `/api/v1/certificates/{id}/explain`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::timeout;

use super::parameters::{self, Pairs};
use super::sources::fresh;
use crate::web::Shared;
use crate::web::explained::Explained;
use crate::web::problem::{Document, Problem};

/// Answers the whole story of one certificate.
#[utoipa::path(
    get,
    path = "/api/v1/certificates/{id}/explain",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "Its story.", body = Explained),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn story(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    parameters::none(&pairs)?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let told = shared.state.catalog.story(&id, Some(&shared.state.standings));
    let told = timeout(shared.limits.answer, told).await;
    let story = told.map_err(|_| Problem::busy("the store did not answer in time"))??;
    let unknown = "no certificate with this id is known; an id has 32 hexadecimal digits";
    let story = story.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, unknown))?;
    Ok(fresh(Json(Explained::of(&story, shared.state.clock.now()))))
}

//! `/api/v1/certificates/{id}/explain`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::handling::{Named, NoPairs, fresh};
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
    Named(id): Named,
    _: NoPairs,
) -> Result<Response, Problem> {
    let told = shared.state.catalog.story(&id, Some(&shared.state.standings));
    let story = shared.stored(told).await?;
    let unknown = "no certificate with this id is known; an id has 32 hexadecimal digits";
    let story = story.ok_or_else(|| Problem::unknown(unknown))?;
    Ok(fresh(Explained::of(&story, shared.state.clock.now())))
}

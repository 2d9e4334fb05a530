//! `/api/v1/comparison`: what a reload with another configuration would change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::handling::{NoPairs, fresh};
use crate::catalog::{Comparison, Rerouted};
use crate::web::problem::{Document, Problem};
use crate::web::{Rehearsed, Shared};

/// A configuration that is to be compared with the one that is in effect.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The text of the configuration.
    pub configuration: String,
    /// What its file is called where it has mistakes.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub file: Option<String>,
}

/// What a reload would change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WouldChange {
    /// What of the configuration differs, in words.
    pub differences: Vec<String>,
    /// What of it only the next start does, in words.
    pub until_restart: Vec<String>,
    /// Certificates that are known.
    pub known: u64,
    /// Certificates that would be forgotten: their sources are gone.
    pub forgotten: u64,
    /// Certificates that would stand on another ladder.
    pub other_ladder: u64,
    /// Certificates that were looked at for where their alerts would go: those of each source that expire soonest.
    pub looked_at: u64,
    /// What would go to other channels than now, by these.
    pub rerouted: Vec<OtherWay>,
}

/// What would go to other channels than now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OtherWay {
    /// The channels that it goes to.
    pub now: Vec<String>,
    /// The channels that it would go to.
    pub then: Vec<String>,
    /// Certificates of which something would be said there, on one of the rungs before them.
    pub certificates: u64,
    /// Events about sources, channels and notafter itself.
    pub events: Vec<String>,
}

impl WouldChange {
    fn of(comparison: Comparison, until_restart: Vec<String>) -> Self {
        let Comparison { differences, forgotten, rerouted, looked_at, other_ladder, known } =
            comparison;
        let other = |it: Rerouted| OtherWay {
            now: it.now,
            then: it.then,
            certificates: it.certificates,
            events: it.events,
        };
        let rerouted = rerouted.into_iter().map(other).collect();
        Self { differences, until_restart, known, forgotten, other_ladder, looked_at, rerouted }
    }

    /// Returns whether it is nothing.
    pub const fn is_nothing(&self) -> bool {
        self.differences.is_empty() && self.until_restart.is_empty()
    }
}

/// Reads a configuration as a reload would, and answers what that would change. Nothing does.
#[utoipa::path(
    post,
    path = "/api/v1/comparison",
    request_body = Compared,
    responses(
        (status = 200, description = "What would change.", body = WouldChange),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn compare(
    State(shared): State<Arc<Shared>>,
    _: NoPairs,
    body: Result<Json<Compared>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = body.map_err(|error| Problem::bad(error.body_text()))?;
    let compared = shared.in_time("the comparison takes long", async {
        let Rehearsed { config, until_restart } = read(&shared, asked).await?;
        let comparison = shared.state.catalog.compare(&config).await?;
        Ok::<_, Problem>(WouldChange::of(comparison, until_restart))
    });
    Ok(fresh(compared.await?))
}

async fn read(shared: &Shared, asked: Compared) -> Result<Rehearsed, Problem> {
    let rehearsal = Arc::clone(&shared.state.rehearsal);
    let name = asked.file.unwrap_or_else(|| "configuration".to_owned());
    let read = spawn_blocking(move || rehearsal(&name, &asked.configuration)).await;
    let broken =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the reading broke off with a bug");
    read.map_err(broken)?
        .map_err(|mistakes| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, mistakes))
}

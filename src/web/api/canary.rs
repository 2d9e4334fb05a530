//! `/api/v1/canary`: a certificate that does not exist travels the whole way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::ToSchema;

use super::handling::fresh;
use super::parameters::{self, Pairs};
use crate::channel::{CanaryRefusal, CanaryRequest, CanaryStage, CanaryStep};
use crate::expiry::Timestamp;
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// How far a certificate that does not exist came on the whole way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Canary {
    /// The source that it was of.
    pub source: String,
    /// Whether it came the whole way.
    pub passed: bool,
    /// The parts of the way, in their order.
    pub stages: Vec<CanaryPart>,
}

/// What became of a part of the way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CanaryPart {
    /// The part.
    #[schema(pattern = "^(sighting|inventory|plan|outbox|channel|removed)$")]
    pub stage: String,
    /// The channel, where it is one.
    #[schema(required)]
    pub channel: Option<String>,
    /// Whether it came through.
    pub passed: bool,
    /// When.
    #[schema(required, format = DateTime)]
    pub at: Option<String>,
    /// How many milliseconds after it began.
    pub milliseconds: u64,
    /// What was done, or why it was not.
    pub detail: String,
}

impl CanaryPart {
    fn of(step: CanaryStep, began: i64) -> Self {
        let passed = step.result.is_ok();
        Self {
            stage: step.stage.as_str().to_owned(),
            channel: match step.stage {
                CanaryStage::Channel(name) => Some(name),
                _ => None,
            },
            passed,
            at: rfc3339(Timestamp::from_seconds(step.at.div_euclid(1000))),
            milliseconds: u64::try_from(step.at.saturating_sub(began)).unwrap_or(0),
            detail: step.result.unwrap_or_else(|why| why),
        }
    }
}

/// Sends a certificate that does not exist and ends in ten minutes the whole way: it is seen, known, planned, kept in the
/// outbox, delivered to the channels that the routes choose, and removed. Answers how far it came.
#[utoipa::path(
    post,
    path = "/api/v1/canary",
    params(("source" = Option<String>, Query, description = "The source that it is of; the first one where none is named.")),
    responses(
        (status = 200, description = "How far it came.", body = Canary),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fly(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
    body: Bytes,
) -> Result<Response, Problem> {
    let source = parameters::one(&pairs, "source")?.map(str::to_owned);
    if !body.is_empty() {
        let detail = "there is no body here; name a source in the query: `?source=NAME`";
        return Err(Problem::bad(detail));
    }
    let (steps, told) = mpsc::unbounded_channel();
    let source = begin(&shared, source, steps).await?;
    let stages = follow(&shared, told, shared.limits.canary).await;
    let passed = stages.iter().all(|stage| stage.passed);
    Ok(fresh(Canary { source, passed, stages }))
}

async fn begin(
    shared: &Shared,
    source: Option<String>,
    steps: mpsc::UnboundedSender<CanaryStep>,
) -> Result<String, Problem> {
    let (answer, answered) = oneshot::channel();
    let stopping = |_| Problem::busy("the daemon is stopping");
    let asked = async {
        let request = CanaryRequest { source, steps, answer };
        shared
            .state
            .canaries
            .send(request)
            .await
            .map_err(|_| Problem::busy("the daemon is stopping"))?;
        answered.await.map_err(stopping)
    };
    let late = |_| Problem::busy("the daemon does not take it up; its store may take nothing");
    timeout(shared.limits.answer, asked).await.map_err(late)??.map_err(|refusal| match refusal {
        CanaryRefusal::UnderWay => {
            Problem::new(StatusCode::CONFLICT, "another canary is on its way")
        }
        CanaryRefusal::NoSuchSource(known) => {
            let detail = format!("no source has this name (known: {})", known.join(", "));
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    })
}

/// Takes the steps as they come. Where none comes any more, the next part of the way is where it is stuck.
async fn follow(
    shared: &Shared,
    mut told: mpsc::UnboundedReceiver<CanaryStep>,
    patience: Duration,
) -> Vec<CanaryPart> {
    let (began, end) = (shared.state.clock.millis(), Instant::now() + patience);
    let mut stages = Vec::new();
    loop {
        match timeout_at(end, told.recv()).await {
            Ok(Some(step)) => stages.push(CanaryPart::of(step, began)),
            Ok(None) => return stages,
            Err(_) => {
                let (at, stage) = (shared.state.clock.millis(), after(&stages));
                let why = "nothing came of it in time; the log of the daemon may say why";
                let result = Err(why.to_owned());
                stages.push(CanaryPart::of(CanaryStep { stage, at, result }, began));
                return stages;
            }
        }
    }
}

/// Returns the part of the way after these.
fn after(stages: &[CanaryPart]) -> CanaryStage {
    match stages.last().map_or("", |stage| stage.stage.as_str()) {
        "" => CanaryStage::Sighting,
        "sighting" => CanaryStage::Inventory,
        "inventory" => CanaryStage::Plan,
        "plan" => CanaryStage::Outbox,
        _ => CanaryStage::Removed,
    }
}

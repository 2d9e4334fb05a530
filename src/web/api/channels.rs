//! `/api/v1/channels`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::handling::{Named, NoPairs, fresh, time};
use crate::channel::{Receipt, SendError};
use crate::expiry::Timestamp;
use crate::store::{ChannelState, StoreError};
use crate::web::problem::{Document, Problem};
use crate::web::{Outlet, Shared};

/// Every channel, in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(super) struct Channels {
    /// The channels.
    items: Vec<Channel>,
}

/// A channel, and whether it delivers.
#[derive(Serialize, ToSchema)]
struct Channel {
    /// Its name.
    name: String,
    /// Its kind.
    kind: String,
    /// `up`, `failing` since the last attempt, or `down`, which the other channels were told.
    #[schema(pattern = "^(up|failing|down)$")]
    state: String,
    /// What it is down with.
    #[schema(required)]
    code: Option<String>,
    /// Failures in a row.
    failures: u32,
    /// The first attempt that failed since the last delivery.
    #[schema(required, format = DateTime)]
    failing_since: Option<String>,
    /// Until when the service asked not to be tried again.
    #[schema(required, format = DateTime)]
    paused_until: Option<String>,
    /// The last delivery.
    #[schema(required, format = DateTime)]
    last_success: Option<String>,
    /// Events that wait.
    waiting: u64,
    /// When the oldest of them was decided.
    #[schema(required, format = DateTime)]
    oldest_waiting: Option<String>,
    /// When a message was given up for the first time since the last delivery.
    #[schema(required, format = DateTime)]
    gave_up: Option<String>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// The channel.
    pub channel: String,
    /// What became of it.
    #[schema(pattern = "^(delivered|throttled|retry|ambiguous|rejected|down)$")]
    pub outcome: String,
    /// The service's word for it, where it was not delivered.
    #[schema(required)]
    pub code: Option<String>,
    /// What to do, where the channel does not work.
    #[schema(required)]
    pub hint: Option<String>,
    /// The service's own id for the message.
    #[schema(required)]
    pub message_id: Option<String>,
    /// After how long the service may be asked again.
    #[schema(required)]
    pub retry_after_seconds: Option<u64>,
}

impl Tested {
    fn of(channel: String, verdict: Result<Receipt, SendError>) -> Self {
        let outcome = verdict.as_ref().map_or_else(SendError::outcome, |_| "delivered").to_owned();
        let code = verdict.as_ref().err().map(|error| error.code().to_owned());
        let hint = match &verdict {
            Err(SendError::ChannelDown { hint, .. }) => Some(hint.clone()),
            _ => None,
        };
        let after = match &verdict {
            Err(
                SendError::Throttled { after, .. } | SendError::Retry { after: Some(after), .. },
            ) => Some(after.as_secs()),
            _ => None,
        };
        let message_id = verdict.ok().and_then(|receipt| receipt.id);
        Self { channel, outcome, code, hint, message_id, retry_after_seconds: after }
    }
}

/// Answers every channel.
#[utoipa::path(
    get,
    path = "/api/v1/channels",
    responses(
        (status = 200, description = "Every channel.", body = Channels),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: NoPairs,
) -> Result<Response, Problem> {
    let items = shared.stored(channels(&shared)).await?;
    Ok(fresh(Channels { items }))
}

async fn channels(shared: &Shared) -> Result<Vec<Channel>, StoreError> {
    let store = &shared.state.store;
    let backlog = store.backlog().await?.into_iter();
    let waiting: BTreeMap<_, _> =
        backlog.map(|(channel, count, oldest)| (channel, (count, oldest))).collect();
    let outlets = Arc::clone(&shared.state.outlets.borrow());
    let mut channels = Vec::new();
    for outlet in outlets.iter() {
        let state = store.channel_state(&outlet.name).await?;
        channels.push(channel(outlet, state, waiting.get(&outlet.name).copied()));
    }
    Ok(channels)
}

fn channel(outlet: &Outlet, state: ChannelState, waiting: Option<(u64, Timestamp)>) -> Channel {
    let word = match (&state.down, state.failures) {
        (Some(_), _) => "down",
        (None, 0) => "up",
        (None, _) => "failing",
    };
    Channel {
        name: outlet.name.clone(),
        kind: outlet.kind.clone(),
        state: word.to_owned(),
        code: state.down,
        failures: state.failures,
        failing_since: time(state.since),
        paused_until: time(state.gate_until),
        last_success: time(state.last_success),
        waiting: waiting.map_or(0, |(count, _)| count),
        oldest_waiting: time(waiting.map(|(_, oldest)| oldest)),
        gave_up: time(state.gave_up.map(|(at, _)| at)),
    }
}

/// Sends a message that is marked as a test, and answers what the service said.
#[utoipa::path(
    post,
    path = "/api/v1/channels/{name}/test",
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "What became of it.", body = Tested),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn test(
    State(shared): State<Arc<Shared>>,
    Named(name): Named,
    _: NoPairs,
) -> Result<Json<Tested>, Problem> {
    let outlets = Arc::clone(&shared.state.outlets.borrow());
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name == name) else {
        let known: Vec<_> = outlets.iter().map(|outlet| outlet.name.as_str()).collect();
        let detail = format!("no channel has the name `{name}` (known: {})", known.join(", "));
        return Err(Problem::unknown(detail));
    };
    let (answer, answered) = oneshot::channel();
    if outlet.tests.try_send(answer).is_err() {
        return Err(Problem::busy("another test is under way, or the daemon reloads or stops"));
    }
    match timeout(shared.limits.test, answered).await {
        Ok(Ok(verdict)) => Ok(Json(Tested::of(name, verdict))),
        Ok(Err(_)) => Err(Problem::busy("the daemon reloads or stops")),
        Err(_) => Err(Problem::busy("a message is under way for long; the test is sent after it")),
    }
}

//! `/api/v1/outbox`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::OutboxParameters;
use super::handling::{Named, NoPairs, fresh, time};
use super::parameters::{self, Pairs};
use crate::store::{EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, Standing};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};
use crate::web::wish;

/// Messages that are answered where nobody says how many, and at most.
const USUAL: usize = 200;
const MOST: usize = 1000;

/// Messages, and what waits to be in one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Outbox {
    /// What waits first, then what was given up, then what was sent.
    pub items: Vec<OutboxMessage>,
    /// Whether there are more.
    pub more: bool,
}

/// A message for a channel. An event that is in none yet stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxMessage {
    /// What to call it when it is to be sent again or dropped.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// How far it has come.
    #[schema(pattern = "^(waiting|dead|sent)$")]
    pub state: String,
    /// The id that the receiver sees; `null` while it has none.
    #[schema(required)]
    pub message: Option<String>,
    /// How many events are in it.
    pub events: u64,
    /// The kind of the first of them.
    pub kind: String,
    /// How much that one asks of the reader.
    #[schema(pattern = "^(info|warning|critical)$")]
    pub severity: String,
    /// What that one is about, in words.
    pub about: String,
    /// The id of the certificate that it is about.
    #[schema(required)]
    pub certificate: Option<String>,
    /// When it was decided.
    #[schema(required, format = DateTime)]
    pub decided_at: Option<String>,
    /// When the message was delivered or given up.
    #[schema(required, format = DateTime)]
    pub ended_at: Option<String>,
    /// The service's word for why it was given up.
    #[schema(required)]
    pub code: Option<String>,
    /// It was given up, and what is in it was said again since or is true no more: nothing is left to do.
    pub said_again: bool,
}

/// What became of a message that was sent again or dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxDone {
    /// The channel.
    pub channel: String,
    /// How many events are in it.
    pub events: u64,
}

impl OutboxMessage {
    /// Returns the object of a message.
    pub fn of(entry: &OutboxEntry) -> Self {
        let event = &entry.event;
        Self {
            id: entry.id,
            channel: entry.channel.clone(),
            state: entry.standing.as_str().to_owned(),
            message: entry.message.clone(),
            events: entry.events,
            kind: event.kind().to_owned(),
            severity: event.severity.as_str().to_owned(),
            about: event.about().to_owned(),
            certificate: event.facts().map(crate::expiry::Facts::id),
            decided_at: rfc3339(entry.decided),
            ended_at: time(entry.ended),
            code: entry.code.clone(),
            said_again: entry.replaced,
        }
    }
}

/// Answers what waits and what was given up; what was sent where it is asked for.
#[utoipa::path(
    get,
    path = "/api/v1/outbox",
    params(OutboxParameters),
    responses(
        (status = 200, description = "The messages.", body = Outbox),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let [state, channel, limit] = parameters::some(&pairs, ["state", "channel", "limit"])?;
    let standings = match state {
        None => vec![Standing::Waiting, Standing::Dead],
        Some(word) => {
            let known = Standing::from_word(word);
            vec![known.ok_or_else(|| Problem::bad("state: it is `waiting`, `dead` or `sent`"))?]
        }
    };
    let limit = match limit.map(str::parse) {
        None => USUAL,
        Some(Ok(limit @ 1..=MOST)) => limit,
        Some(_) => return Err(Problem::bad("limit: it is a number from 1 to 1000")),
    };
    let channel = channel.map(str::to_owned);
    let mut items = Vec::new();
    for standing in standings {
        // One more, to know whether there are.
        let left = limit.saturating_add(1).saturating_sub(items.len());
        let query = EntryQuery { standing, channel: channel.clone(), limit: left };
        let found = shared.stored(shared.state.store.entries(&query)).await?;
        items.extend(found.iter().map(OutboxMessage::of));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(fresh(Outbox { items, more }))
}

/// Sends a message that was given up once more, with the same id.
#[utoipa::path(
    post,
    path = "/api/v1/outbox/{id}/retry",
    params(("id" = i64, Path, description = "What the list calls it.")),
    responses(
        (status = 200, description = "It waits again.", body = OutboxDone),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    Named(id): Named,
    _: NoPairs,
) -> Result<Json<OutboxDone>, Problem> {
    order(&shared, &id, OutboxOrder::Retry).await
}

/// Takes a message that waits or was given up out of the outbox.
#[utoipa::path(
    delete,
    path = "/api/v1/outbox/{id}",
    params(("id" = i64, Path, description = "What the list calls it.")),
    responses(
        (status = 200, description = "It is not sent any more.", body = OutboxDone),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn drop_one(
    State(shared): State<Arc<Shared>>,
    Named(id): Named,
    _: NoPairs,
) -> Result<Json<OutboxDone>, Problem> {
    order(&shared, &id, OutboxOrder::Drop).await
}

async fn order(shared: &Shared, id: &str, order: OutboxOrder) -> Result<Json<OutboxDone>, Problem> {
    let unknown = "no message has this number; `/api/v1/outbox` lists those that there are";
    let id = id.parse().map_err(|_| Problem::unknown(unknown))?;
    match wish::order(shared, id, order).await? {
        OutboxAnswer::Done { channel, events } => Ok(Json(OutboxDone { channel, events })),
        OutboxAnswer::Unknown => Err(Problem::unknown(unknown)),
        refused => Err(Problem::new(StatusCode::CONFLICT, wish::why_not(&refused))),
    }
}

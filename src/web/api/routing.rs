//! `/api/v1/route`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::RouteParameters;
use super::handling::fresh;
use super::parameters::{self, Pairs};
use crate::catalog::{CatalogError, RouteQuery, Routing};
use crate::expiry::{EventKind, Facts};
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::{Document, Problem};

/// Which route an event takes, to which channels, and why not to the others.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Routed {
    /// The kind of event.
    pub event: String,
    /// How much it asks of the reader.
    pub severity: String,
    /// The id of the certificate that it is about.
    #[schema(required)]
    pub certificate: Option<String>,
    /// What it is about, in words.
    pub about: String,
    /// What each route makes of it, in the order of the configuration.
    pub routes: Vec<Tried>,
    /// Where it goes.
    pub channels: Vec<Goes>,
    /// Where it does not go, and why.
    pub others: Vec<GoesNot>,
}

/// What a route makes of an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tried {
    /// Its place in the configuration; the first is 1.
    pub number: u64,
    /// What it asks for.
    pub asks: String,
    /// Whether the event has that.
    pub matches: bool,
    /// What it does not have.
    #[schema(required)]
    pub why_not: Option<String>,
    /// Whether it is tried at all: no route above it took the event for good.
    pub reached: bool,
    /// Whether routes below it are tried as well.
    pub continues: bool,
    /// Where it leads.
    pub channels: Vec<String>,
}

/// A channel that an event goes to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Goes {
    /// Its name.
    pub channel: String,
    /// Until when the event waits, because every route that leads there is muted.
    #[schema(required, format = DateTime)]
    pub muted_until: Option<String>,
}

/// A channel that an event does not go to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GoesNot {
    /// Its name.
    pub channel: String,
    /// Why not.
    pub why: String,
}

impl Routed {
    /// Returns the object of where an event goes.
    pub fn of(routing: Routing) -> Self {
        let Routing { event, trials, channels, others } = routing;
        let tried = |trial: crate::config::RouteTrial| Tried {
            number: trial.number,
            asks: trial.asks,
            matches: trial.why_not.is_none(),
            why_not: trial.why_not,
            reached: trial.is_tried,
            continues: trial.continues,
            channels: trial.channels,
        };
        Self {
            event: event.kind().to_owned(),
            severity: event.severity.as_str().to_owned(),
            certificate: event.facts().map(Facts::id),
            about: event.about().to_owned(),
            routes: trials.into_iter().map(tried).collect(),
            channels: channels
                .into_iter()
                .map(|(channel, until)| Goes { channel, muted_until: until.and_then(rfc3339) })
                .collect(),
            others: others.into_iter().map(|(channel, why)| GoesNot { channel, why }).collect(),
        }
    }
}

/// Answers where the next event about a certificate goes, or one of a kind.
#[utoipa::path(
    get,
    path = "/api/v1/route",
    params(RouteParameters),
    responses(
        (status = 200, description = "Where it goes.", body = Routed),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn explain(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let query = query(&pairs)?;
    let found = async {
        shared.state.catalog.routing(&query).await.map_err(|error| match error {
            CatalogError::Mistaken(detail) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            }
            other => other.into(),
        })
    };
    let routing = shared.stored(found).await?;
    let routing =
        routing.ok_or_else(|| Problem::unknown("no certificate with this id is known"))?;
    Ok(fresh(Routed::of(routing)))
}

fn query(pairs: &[(String, String)]) -> Result<RouteQuery, Problem> {
    let names = ["certificate", "event", "source", "scope", "place", "channel"];
    let [certificate, event, rest @ ..] = parameters::some(pairs, names)?;
    let bad = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    match (certificate, event) {
        (Some(id), None) => Ok(RouteQuery::Certificate(id.to_owned())),
        (None, Some(word)) => {
            let kind = EventKind::from_word(word);
            let kind = kind.ok_or_else(|| bad(format!("event: there is no kind `{word}`")))?;
            let [source, scope, place, channel] = rest.map(|it| it.unwrap_or_default().to_owned());
            Ok(RouteQuery::Event { kind, source, scope, place, channel })
        }
        _ => Err(bad("one of `certificate` and `event` is wanted".to_owned())),
    }
}

//! `/api/v1/snoozes`: of what nothing is said for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::handling::{Named, NoPairs, fresh, time};
use super::parameters::{self, Pairs};
use crate::config;
use crate::expiry::{Cover, RefusedWish, Snooze, Timestamp, Wanted, Wish, WishCover};
use crate::web::Shared;
use crate::web::door::Asker;
use crate::web::problem::{Document, Problem};
use crate::web::snoozing::Refused;

/// Snoozes, the newest first.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SnoozeList {
    /// The snoozes.
    pub items: Vec<SnoozeObject>,
}

/// A snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnoozeObject {
    /// Its id.
    pub id: String,
    /// Whether it holds.
    pub active: bool,
    /// The id of the only certificate that it covers.
    #[schema(required)]
    pub certificate: Option<String>,
    /// What it covers: patterns by field, and by `labels.` and the name of a label.
    #[schema(required)]
    pub r#match: Option<BTreeMap<String, Vec<String>>>,
    /// When it was made.
    #[schema(required, format = DateTime)]
    pub made_at: Option<String>,
    /// Its own end.
    #[schema(required, format = DateTime)]
    pub until: Option<String>,
    /// Whether it lasts to its own end whatever comes.
    pub hold: bool,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it ended.
    #[schema(required, format = DateTime)]
    pub ended_at: Option<String>,
    /// Why it ended: `time`, `tighter_rung`, `renewed`, `end_changed` or `by_hand`.
    #[schema(required)]
    pub ended_by: Option<String>,
}

impl SnoozeObject {
    /// Returns the object of a snooze as it is now.
    pub fn of(snooze: &Snooze, now: Timestamp) -> Self {
        let (certificate, wanted) = match &snooze.cover {
            Cover::Certificate(one) => (Some(one.id.clone()), None),
            Cover::Match(wanted) => (None, Some(wanted.fields().clone())),
        };
        Self {
            id: snooze.id.clone(),
            active: snooze.is_active(now),
            certificate,
            r#match: wanted,
            made_at: time(Some(snooze.made)),
            until: time(Some(snooze.until)),
            hold: snooze.hold,
            author: snooze.author.clone(),
            reason: snooze.reason.clone(),
            ended_at: time(snooze.ended.map(|(at, _)| at)),
            ended_by: snooze.ended.map(|(_, end)| end.as_str().to_owned()),
        }
    }
}

/// A wish for quiet: about one certificate, or about whatever is like this.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozeWish {
    /// The id of a certificate.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Patterns by field, and by `labels.` and the name of a label.
    #[serde(default)]
    pub r#match: Option<BTreeMap<String, Vec<String>>>,
    /// For how long: 90 days at most, and 24 hours for what is about notafter itself.
    #[schema(pattern = "^[0-9]{1,5}[smhdw]$")]
    pub r#for: String,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Who; the user that asks where it is not said.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub author: Option<String>,
    /// Whether it is to last to its own end whatever comes.
    #[serde(default)]
    pub hold: bool,
}

/// Answers the snoozes that hold, or with `ended=true` all that are kept.
#[utoipa::path(
    get,
    path = "/api/v1/snoozes",
    params(("ended" = Option<bool>, Query, description = "Whether those that ended are listed as well.")),
    responses(
        (status = 200, description = "The snoozes.", body = SnoozeList),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    let all = match parameters::one(&pairs, "ended")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Problem::bad("ended: it is `true` or `false`"));
        }
    };
    let found = shared.stored(shared.state.store.snoozes()).await?;
    let now = shared.state.clock.now();
    let listed = found.iter().filter(|snooze| all || snooze.is_active(now));
    let items = listed.map(|snooze| SnoozeObject::of(snooze, now)).collect();
    Ok(fresh(SnoozeList { items }))
}

/// Makes a snooze.
#[utoipa::path(
    post,
    path = "/api/v1/snoozes",
    request_body = SnoozeWish,
    responses(
        (status = 201, description = "The snooze.", body = SnoozeObject),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make(
    State(shared): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
    Asker { name, .. }: Asker,
    body: Result<Json<SnoozeWish>, JsonRejection>,
) -> Result<Response, Problem> {
    parameters::none(&pairs)?;
    let Json(asked) = body.map_err(|error| Problem::bad(error.body_text()))?;
    let wish = wish(asked, name)
        .map_err(|detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))?;
    let snooze = grant(&shared, wish).await?;
    let object = SnoozeObject::of(&snooze, shared.state.clock.now());
    Ok((StatusCode::CREATED, fresh(object)).into_response())
}

/// Ends a snooze. What it covered and still stands on a rung is said now.
#[utoipa::path(
    delete,
    path = "/api/v1/snoozes/{id}",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "The snooze, which has ended.", body = SnoozeObject),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn end(
    State(shared): State<Arc<Shared>>,
    Named(id): Named,
    _: NoPairs,
) -> Result<Response, Problem> {
    let snooze = end_snooze(&shared, &id).await?;
    Ok(fresh(SnoozeObject::of(&snooze, shared.state.clock.now())))
}

/// Makes a snooze, or says why not.
pub(in crate::web) async fn grant(shared: &Shared, wish: Wish) -> Result<Snooze, Problem> {
    let granted = timeout(shared.limits.answer, shared.state.snoozing.snooze(wish)).await;
    granted.map_err(|_| late())?.map_err(refused)
}

/// Ends a snooze, or says why not.
pub(in crate::web) async fn end_snooze(shared: &Shared, id: &str) -> Result<Snooze, Problem> {
    let ended = timeout(shared.limits.answer, shared.state.snoozing.end_snooze(id)).await;
    let ended = ended.map_err(|_| late())?.map_err(refused)?;
    ended.ok_or_else(|| Problem::unknown("no snooze with this id holds; it may have ended"))
}

/// Reads a wish. `user`: who asks, where that is known.
fn wish(asked: SnoozeWish, user: Option<String>) -> Result<Wish, String> {
    let cover = match (asked.certificate, asked.r#match) {
        (Some(id), None) => WishCover::Certificate(id),
        (None, Some(fields)) => {
            WishCover::Match(Wanted::new(fields).map_err(|error| format!("match: {error}"))?)
        }
        _ => return Err("say one of `certificate` and `match`".to_owned()),
    };
    let length = config::duration(&asked.r#for).map_err(|error| format!("for: {error}"))?;
    Ok(Wish {
        cover,
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        hold: asked.hold,
        author: asked.author.or(user).unwrap_or_else(|| "unnamed".to_owned()),
        reason: asked.reason,
        link: None,
    })
}

fn late() -> Problem {
    Problem::busy("the store takes nothing now; the snooze is made or ended once it does")
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Wish(RefusedWish::Mistaken(detail)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
        Refused::Wish(RefusedWish::Unknown) => {
            Problem::unknown("no certificate with this id is known")
        }
        Refused::Wish(RefusedWish::TooMany) => {
            let detail = "1000 snoozes hold, which is the most; end some, or route what nobody wants to nobody";
            Problem::new(StatusCode::CONFLICT, detail)
        }
        Refused::Wish(RefusedWish::LinkUsed) => {
            Problem::new(StatusCode::CONFLICT, "this link has been used")
        }
        Refused::Stopping => Problem::busy("the daemon is stopping"),
    }
}

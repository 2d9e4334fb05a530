//! `/api/v1/calendar`: where the calendar of a list is, for who does not look at the page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::ListParameters;
use super::export::Format;
use super::handling::fresh;
use super::parameters::Pairs;
use crate::catalog::Query;
use crate::web::access::Users;
use crate::web::door::Asker;
use crate::web::problem::{Document, Problem};
use crate::web::{Shared, subscription};

/// What is said beside the filters: whose address it is to be, and what means nothing in a calendar.
const USER: &str = "user";
const FORMAT: &str = "format";

/// Where a calendar is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CalendarAddress {
    /// Its path with what follows, under the address of this server. Whoever has it reads this calendar, where a `user` is
    /// named: keep it like a password.
    pub address: String,
    /// The user for whom the secret in it stands, until that user has another password; `null` where there is none in it.
    #[schema(required)]
    pub user: Option<String>,
}

/// Answers where the calendar of a list is: with a secret in its address where a password is asked for, which a calendar
/// cannot give. A user has an address of their own; on the control socket `user` names one.
#[utoipa::path(
    get,
    path = "/api/v1/calendar",
    params(
        ListParameters,
        ("user" = Option<String>, Query, description = "On the control socket: the user whose address it is to be."),
    ),
    responses(
        (status = 200, description = "Where it is.", body = CalendarAddress),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn address(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Pairs(pairs): Pairs,
) -> Result<Response, Problem> {
    // Links of a list have it; it is read as there.
    Format::read(&pairs)?;
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (of_user, filters): (Vec<_>, Vec<_>) =
        pairs.filter(|(name, _)| *name != FORMAT).partition(|(name, _)| *name == USER);
    Query::read(filters.iter().copied())?;
    let said = of_user.iter().map(|(_, name)| *name).find(|name| !name.is_empty());
    let user = user(&shared.state.access.gate().users, &asker, said)?;
    let address = subscription::address(&shared, user.as_deref(), &filters);
    if user.is_some() && !address.contains(subscription::TOKEN) {
        return Err(Problem::busy("the key that signs it is not read yet"));
    }
    let mut response = fresh(CalendarAddress { address, user });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Returns whose address it is; nobody's where it has no secret.
fn user(users: &Users, asker: &Asker, said: Option<&str>) -> Result<Option<String>, Problem> {
    if let Some(own) = &asker.name {
        return match said {
            Some(other) if other != own => Err(of_another()),
            _ => Ok(Some(own.clone())),
        };
    }
    let known: Vec<&str> = users.names().collect();
    match (said, known.as_slice()) {
        (Some(_), _) if !asker.on_socket => Err(of_another()),
        (Some(name), known) if known.contains(&name) => Ok(Some(name.to_owned())),
        (Some(_), []) => {
            Err(Problem::unknown("there are no users: the calendar asks for no password"))
        }
        (Some(_), known) => {
            let detail = format!("no user has this name (known: {})", known.join(", "));
            Err(Problem::unknown(detail))
        }
        (None, [only]) if asker.on_socket => Ok(Some((*only).to_owned())),
        (None, [_, ..]) if asker.on_socket => {
            let detail = format!(
                "say whose password it is to stand for with `user` (known: {})",
                known.join(", ")
            );
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
        (None, _) => Ok(None),
    }
}

fn of_another() -> Problem {
    let detail = "the address of another user's calendar is told on the control socket alone: `notafter calendar --user NAME`";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

//! The plain page: how the sources are, and what expires soonest. No script, nothing from elsewhere.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::IntoResponse;
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::problem::Problem;
use super::{Shared, SourceStatus, time_format};
use crate::expiry::{Timestamp, text};

mod certificates;
mod sources;

use certificates::Found;

/// Only our own style sheet and forms; never a script, a frame or anything from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What the reader looks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    /// Part of a name.
    #[serde(default)]
    q: String,
    /// A source's name.
    #[serde(default)]
    source: String,
}

/// Answers the page.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(wish) = wish.map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the query cannot be read: {error}"))
    })?;
    let now = shared.state.clock.now();
    let sources = Arc::clone(&shared.state.sources.borrow());
    let search = certificates::find(&shared.state, &wish, now);
    let found = tokio::time::timeout(shared.limits.answer, search)
        .await
        .map_err(|_| Problem::busy("the store did not name the certificates in time"))?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, whole(&sources, &wish, &found, now).into_string()))
}

/// Answers the style sheet.
pub(super) async fn style() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("style.css"))
}

fn whole(sources: &[SourceStatus], wish: &Wish, found: &Found, now: Timestamp) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "notafter" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    h1 { "notafter" }
                    p { "As of " (moment(now)) " · " a href="/metrics" { "metrics" } }
                }
                main {
                    (sources::section(sources, now))
                    (certificates::section(sources, wish, found, now))
                }
            }
        }
    }
}

/// Shows a text from outside: nothing invisible, nothing that turns the line around, and not endless.
fn shown(value: &str) -> String {
    text::cut_chars(&text::printable(value), 120)
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=[time_format::machine(at)] { (time_format::utc(at)) } }
}

/// Shows a time, and how long ago that was; a dash where it is unknown.
fn ago(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match at {
            Some(at) => { (moment(at)) " " span.dim { (time_format::distance(at, now)) } }
            None => "–",
        }
    }
}

//! The page: the answer first, then every certificate, one's story, the sources.
//!
//! Everything is made here, for a reader without script as well; the script refreshes, moves and shows local times. Nothing
//! comes from elsewhere, and what certificates are called never becomes markup.
//!
//! Reading order: `reader` (who asks, in which language), `layout` (what is on every page), `home`, `answer` (its first
//! sentence), `timeline`, `list`, `filters`, `story`, `history`, `sources`, `notifications`, `messages`, `calendar`; `trouble` (what is wrong with a source), `links`, `texts`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    VARY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use xxhash_rust::xxh3::xxh3_64;

use super::Shared;
use super::door::{Asker, LINK};
use super::subscription::CALENDAR;

mod reader;
mod layout;
mod texts;
mod links;
mod trouble;
mod ahead;
mod answer;
mod timeline;
mod home;
mod filters;
mod list;
mod story;
mod history;
mod sources;
mod notifications;
mod messages;
mod snoozes;
mod snooze_link;
mod calendar;

pub(super) use home::Cache;
use reader::Reader;

/// Only what this server sends: its style, its script, its forms, and what its script asks of it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The style sheet and the script.
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Returns the paths of the page.
pub(super) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(home::page))
        .route("/certificates", get(list::page))
        .route("/certificates/{id}", get(story::page))
        .route("/sources", get(sources::all))
        .route("/sources/{name}", get(sources::one))
        .route("/notifications", get(notifications::page))
        .route("/snoozes", get(snoozes::page))
        .route("/snooze", get(snooze_link::page).post(snooze_link::act))
        .layer(from_fn_with_state(Arc::clone(shared), views))
        .route("/language", get(reader::change_language))
        .route(CALENDAR, get(calendar::calendar))
        .route("/style.css", get(style))
        .route("/page.js", get(script))
}

/// Returns the paths of the page's own forms.
pub(super) fn changes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/snoozes", post(snoozes::add))
        .route("/snoozes/{id}/end", post(snoozes::end))
        .route("/notifications/{id}/retry", post(messages::retry))
        .route("/notifications/{id}/drop", post(messages::drop_one))
}

/// Says of every page what a browser may do with it, and sends none that it has already.
async fn views(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    request: Request,
    next: Next,
) -> Response {
    let is_link = request.uri().path() == LINK;
    let asker = request.extensions().get::<Asker>().and_then(|asker| asker.name.as_deref());
    let tag = tag(&shared, &reader, (request.uri().path(), asker));
    let known = request.headers().get_all(IF_NONE_MATCH).iter();
    let is_known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == tag);
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { next.run(request).await };
    let is_good = matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // What a form of the page sends has to say where it comes from; the address of a link is a secret.
    let referrer = if is_link { "no-referrer" } else { "same-origin" };
    headers.insert(REFERRER_POLICY, HeaderValue::from_static(referrer));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
    if let Some(tag) = HeaderValue::from_str(&tag).ok().filter(|_| is_good) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Returns what tells a view from another: what is known, the minute, the language, who asks and the process.
fn tag(shared: &Shared, reader: &Reader, (path, asker): (&str, Option<&str>)) -> String {
    let version = shared.state.view.borrow().version();
    let sources = xxh3_64(format!("{:?}", shared.state.sources.borrow()).as_bytes());
    // Messages come and go by themselves, and nobody is to see one that was dropped a moment ago.
    let minute = if path == "/notifications" {
        shared.state.clock.millis()
    } else {
        reader.now.seconds().div_euclid(60)
    };
    let language = reader.language.as_str();
    let snoozes = shared.state.snoozes.borrow().tag();
    let (started, asker) = (shared.started, xxh3_64(asker.unwrap_or_default().as_bytes()));
    format!("W/\"{started:x}-{asker:x}-{version:x}-{sources:x}-{snoozes:x}-{minute:x}-{language}\"")
}

async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", STYLE)
}

async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// Answers what is asked for by the digest of its content, and so never changes under its address.
fn asset(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=86400")], content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_short() {
        assert!(SCRIPT.len() <= 30 * 1024, "{} bytes", SCRIPT.len());
    }
}

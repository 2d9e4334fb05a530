//! Health, readiness, and the wish for a reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Shared;
use super::problem::Problem;

/// Answers that the process lives.
pub(super) async fn healthy() -> &'static str {
    "notafter is healthy\n"
}

/// Answers whether there is something to see.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    if *shared.state.ready.borrow() {
        Ok("notafter is ready\n")
    } else {
        Err(Problem::busy("the store is not open yet, or nothing has been read from it"))
    }
}

/// Asks for a reload and waits for how it went.
pub(super) async fn reload(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<String, Problem> {
    if is_cross_site(&headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another site may not ask for a reload",
        ));
    }
    let (answer, answered) = oneshot::channel();
    if shared.state.reload.try_send(answer).is_err() {
        return Err(Problem::busy("another reload is under way, or the daemon is stopping"));
    }
    match timeout(shared.limits.answer, answered).await {
        Ok(Ok(Ok(done))) => Ok(done + "\n"),
        Ok(Ok(Err(mistakes))) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, mistakes)),
        Ok(Err(_)) => Err(Problem::busy("the daemon is stopping")),
        Err(_) => Err(Problem::busy("the reload takes long; the log will tell how it went")),
    }
}

/// Tells whether a browser sent this for a page of another site. What is no browser sends neither header.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = text(ORIGIN) else { return false };
    let here = text(HOST).unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, place)| !place.eq_ignore_ascii_case(here))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    #[test]
    fn cross_site() {
        for (headers, expected) in [
            (&[("host", "h:1")][..], false),
            (&[("host", "h:1"), ("origin", "http://h:1")], false),
            (&[("host", "H:1"), ("origin", "https://h:1")], false),
            (&[("host", "h:1"), ("origin", "http://h:2")], true),
            (&[("host", "h:1"), ("origin", "http://evil.example")], true),
            (&[("host", "h:1"), ("origin", "null")], true),
            (&[("origin", "http://h:1")], true),
            (&[("host", "h:1"), ("origin", "\u{e9}")], true),
            (&[("sec-fetch-site", "cross-site"), ("host", "h"), ("origin", "http://h")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "none")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("host", "inner"), ("origin", "http://outer")],
                false,
            ),
        ] {
            let pair = |(name, value): &(&str, &str)| {
                (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
            };
            let map: HeaderMap = headers.iter().map(pair).collect();
            assert_eq!(is_cross_site(&map), expected, "{headers:?}");
        }
    }
}

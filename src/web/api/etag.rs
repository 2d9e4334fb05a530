//! Answers that did not change need not be sent again.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::web::Shared;

/// Weak, since what is counted in seconds is as old as the minute.
pub(super) struct Etag(String);

impl Etag {
    /// Returns the tag of what is made from the newest state, in this minute and by this process.
    pub(super) fn of(shared: &Shared) -> Self {
        let version = shared.state.view.borrow().version();
        let minute = shared.state.clock.now().seconds().div_euclid(60);
        let snoozes = shared.state.snoozes.borrow().tag();
        Self(format!("W/\"{:x}-{version:x}-{snoozes:x}-{minute:x}\"", shared.started))
    }

    /// Returns the answer to who has it already.
    pub(super) fn unless_changed(&self, headers: &HeaderMap) -> Option<Response> {
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag == self.0)
            .then(|| self.on(StatusCode::NOT_MODIFIED.into_response()))
    }

    /// Returns an answer with the tag.
    pub(super) fn on(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.0) {
            headers.insert(ETAG, tag);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

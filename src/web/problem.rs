//! Errors as RFC 9457 problem documents.

use std::any::Any;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered as asked, and what to do.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry: bool,
}

/// Why a request was not answered as asked (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Document {
    /// Always `about:blank`: the status says what kind it is.
    r#type: &'static str,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
}

impl Problem {
    /// Returns a problem with a status and a sentence for the reader.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry: false }
    }

    /// Returns that the question is a mistake.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Returns that there is no such thing.
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Returns what is wrong, and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns its status.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns a problem that will have passed in a moment.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self { retry: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let body = serde_json::to_string_pretty(&document).expect("strings and a number") + "\n";
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.retry || self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// Answers for a path that is not served.
pub(super) async fn not_found(uri: Uri) -> Problem {
    Problem::unknown(format!("there is nothing at {}", uri.path()))
}

/// Where something is changed.
const POSTED: [&str; 6] = [
    "/api/v1/canary",
    "/api/v1/channels/",
    "/api/v1/comparison",
    "/api/v1/outbox/",
    "/notifications/",
    "/snoozes/",
];

/// Answers for a path that is served with another method.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let allowed = match uri.path() {
        "/-/reload" => "POST, PUT",
        path if path.starts_with("/api/v1/outbox/") && !path.ends_with("/retry") => "DELETE",
        path if POSTED.iter().any(|start| path.starts_with(start)) => "POST",
        "/api/v1/snoozes" | "/snoozes" | "/snooze" => "GET, HEAD, POST",
        path if path.starts_with("/api/v1/snoozes/") => "DELETE",
        _ => "GET, HEAD",
    };
    let detail = format!("{method} does not work at {}; use {allowed}", uri.path());
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Answers when a handler panicked. What it said may quote anything, so it goes nowhere.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("answering a request panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a bug in notafter; its log has the place")
        .into_response()
}

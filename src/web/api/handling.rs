//! What the handlers have in common: how long they wait, what they find in a path, and how fresh an answer is.

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;

use super::parameters::{self, Pairs};
use crate::expiry::Timestamp;
use crate::web::Shared;
use crate::web::certificate::rfc3339;
use crate::web::problem::Problem;

impl Shared {
    /// Waits for what the store is asked for as long as a reader does.
    pub(in crate::web) async fn stored<T, E>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        self.in_time("the store did not answer in time", asked).await
    }

    /// Waits as long as a reader does; `late` is what is said of an answer that does not come by then.
    pub(super) async fn in_time<T, E>(
        &self,
        late: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        let answer = timeout(self.limits.answer, asked).await;
        Ok(answer.map_err(|_| Problem::busy(late))??)
    }
}

/// A query in which nothing is said, where there is nothing to say.
pub(super) struct NoPairs;

impl<S: Send + Sync> FromRequestParts<S> for NoPairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Pairs(pairs) = Pairs::from_request_parts(parts, state).await?;
        parameters::none(&pairs).map(|()| Self)
    }
}

/// What the path names. What cannot be read is nothing, which names nothing.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, std::convert::Infallible> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(name.map(|Path(name)| name).unwrap_or_default()))
    }
}

/// Returns an answer that is asked for again each time.
pub(super) fn fresh(answer: impl Serialize) -> Response {
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Returns a time that may be unknown as RFC 3339 has it.
pub(super) fn time(at: Option<Timestamp>) -> Option<String> {
    at.and_then(rfc3339)
}

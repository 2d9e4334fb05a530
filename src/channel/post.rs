//! One POST of bytes that were serialised, and perhaps signed, before.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use url::Url;

use super::{SendError, verdict};
use crate::client::http::{Http, Request, Response};

/// The time for one request, connection included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Verdicts are short; more than this is somebody else's page.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Posts a JSON body once.
pub(super) async fn post(
    http: &Http,
    url: Url,
    mut headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
) -> Result<Response, SendError> {
    headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")));
    let request = Request {
        method: Method::POST,
        url,
        headers,
        body: Bytes::from(body),
        timeout: TIMEOUT,
        cap: LARGEST_ANSWER,
    };
    http.send_guarded(request).await.map_err(|error| verdict::of_transport(&error))
}

/// Returns the bytes of `value`.
pub(super) fn bytes(value: &serde_json::Value) -> Vec<u8> {
    // `Display` of a JSON value is its compact form, and cannot fail.
    value.to_string().into_bytes()
}

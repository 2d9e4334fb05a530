//! One POST of a JSON body: drafted, perhaps signed, and sent as the bytes that were signed.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::means::Means;
use super::{SendError, verdict};
use crate::client::http::{Request, Response};

/// Verdicts are short; more than this is somebody else's page.
const LARGEST_ANSWER: usize = 64 * 1024;

/// A request that is not sent yet.
pub(super) struct Draft {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Draft {
    /// Returns a request without credentials.
    pub(super) fn new(url: Url, body: Value) -> Self {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        Self { url, headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]), body }
    }

    /// Sends the request once.
    pub(super) async fn send(self, means: &Means) -> Result<Response, SendError> {
        let body = Bytes::from(bytes(&self.body));
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let request = Request {
            method: Method::POST,
            url: self.url,
            headers: headers.collect(),
            body,
            timeout: means.timeout,
            cap: LARGEST_ANSWER,
        };
        means.http.send_filtered(request).await.map_err(|error| verdict::of_transport(&error))
    }
}

/// Returns the bytes of `value`, the same each time.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    // `Display` of a JSON value is its compact form, and cannot fail.
    value.to_string().into_bytes()
}

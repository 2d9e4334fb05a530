//! How a request and its answer look, and what carries them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use secrecy::SecretString;
use url::Url;

/// Carries a request to the other side and its answer back, once: no redirects, no second attempt.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Returns the answer, whatever its status. May leave the request's time and cap to [`super::http::Http`].
    async fn carry(&self, request: Request, reach: Reach) -> Result<Response, HttpError>;

    /// Returns what carries requests another way; `None` where there is only this one. The error repeats no address.
    fn by(&self, _way: &Way) -> Result<Option<Arc<dyn Transport>>, String> {
        Ok(None)
    }
}

/// The way of requests, where it is not that of all others.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The proxy that takes them; else the environment says. Its address may hold a password.
    pub proxy: Option<SecretString>,
    /// Certificate authorities that are trusted beside those of the machine.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// Where a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Wherever its address leads.
    Anywhere,
    /// Not to a link-local or metadata address, whatever name leads there.
    Receivers,
}

/// One request. It is sent once: whoever wants a second attempt builds a second request.
pub struct Request {
    /// The method.
    pub method: reqwest::Method,
    /// The address: `https`, or `http` to a loopback host.
    pub url: Url,
    /// The headers. None is added but `Host`, `User-Agent`, `Accept`, `Accept-Encoding` and `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, sent as it is.
    pub body: Bytes,
    /// The time from the first byte of the connection to the last byte of the answer.
    pub timeout: Duration,
    /// How many bytes of body are accepted, counted after decompression.
    pub cap: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, decompressed.
    pub body: Bytes,
}

/// Why there is no answer. Never holds a URL, since webhook addresses are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke before the answer.
    #[error("connection broke: {0}")]
    Reset(String),
    /// The body is larger than it may be.
    #[error("answer is larger than {cap} bytes")]
    TooLarge {
        /// The limit.
        cap: usize,
    },
    /// The body is truncated or cannot be decompressed.
    #[error("answer is broken: {0}")]
    Body(String),
    /// The other side's certificate or TLS is not acceptable.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The request cannot be sent as it is.
    #[error("request is not possible: {0}")]
    Invalid(String),
}

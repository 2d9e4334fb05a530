//! Tencent Cloud API 3.0: TC3-HMAC-SHA256 and the response envelope.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use super::concurrency::Latency;
use super::failure::{Backoff, CallError, Class, Tries};
use super::http::{Request, Response};
use super::{Deps, Outcome, time};

mod codes;
mod reply;
mod sign;

pub use reply::{ApiError, Fault, Reply, Text, decode};

const TIMEOUT: Duration = Duration::from_secs(30);
/// A page of 1000 rows with everything the contract has in them is 6 MB.
const BODY_CAP: usize = 32 << 20;
const JSON: &str = "application/json";

/// One generation of credentials, read together so that generations never mix.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The secret id, which names the account.
    pub id: SecretString,
    /// The secret key.
    pub key: SecretString,
    /// The session token of temporary credentials.
    pub token: Option<SecretString>,
}

/// Reads the credentials that are valid now.
pub type ReadKeys = Arc<dyn Fn() -> Result<Keys, String> + Send + Sync>;

/// What a client is for.
#[derive(Clone)]
pub struct Settings {
    /// The source's name, for metrics.
    pub source: Arc<str>,
    /// The address, whose path is always `/`.
    pub endpoint: Url,
    /// The service in the signature, which stays the same on regional and international hosts.
    pub service: &'static str,
    /// The version of the API.
    pub version: &'static str,
    /// The region of the data, for services that have regions.
    pub region: Option<String>,
    /// Requests a second, for each action.
    pub rate: f64,
    /// Where the credentials are.
    pub keys: ReadKeys,
    /// Waiting times between attempts.
    pub backoff: Backoff,
}

/// A client of one service in one region.
pub struct Tencent {
    settings: Settings,
    host: String,
    deps: Deps,
    /// What is added to our clock when signing: zero until the provider refuses our time.
    correction: AtomicI64,
    /// The offset that was last reported.
    reported: AtomicI64,
    latency: Latency,
}

/// What reads an answer. A scan is one task, and asks for many pages at a time: each is read in a task of its own.
pub trait Reads<R>: Fn(&[u8]) -> Result<R, Fault> + Clone + Send + 'static {}

impl<R, F: Fn(&[u8]) -> Result<R, Fault> + Clone + Send + 'static> Reads<R> for F {}

/// Reads an answer in a task that ends with the call.
async fn aside<R: Send + 'static>(read: impl Reads<R>, body: Bytes) -> Result<R, Fault> {
    let mut task = JoinSet::new();
    task.spawn(async move { read(&body) });
    match task.join_next().await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        _ => Err(Fault::Garbled("the daemon stopped while it was read".into())),
    }
}

impl Tencent {
    /// Returns a client.
    pub fn new(settings: Settings, deps: &Deps) -> Self {
        Self {
            host: host(&settings.endpoint),
            settings,
            deps: deps.clone(),
            correction: AtomicI64::new(0),
            reported: AtomicI64::new(i64::MIN),
            latency: Latency::default(),
        }
    }

    /// Returns how many requests are worth having under way at a time.
    pub fn width(&self) -> usize {
        self.latency.width(self.settings.rate)
    }

    /// Calls `action` with `parameters` and reads the answer with `read`, which gets the body and calls
    /// [`decode`]. Rates, retries, clock correction and counting happen here.
    pub async fn call<R: Send + 'static>(
        &self,
        action: &'static str,
        parameters: &impl Serialize,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        // Serialised once: the bytes that are signed are the bytes that are sent.
        let body = serde_json::to_vec(parameters).map(Bytes::from).map_err(|error| {
            CallError::new(action, Class::BadRequest, format!("cannot write parameters: {error}"))
        })?;
        let mut tries = Tries::new(self.settings.backoff);
        loop {
            let error = match self.attempt(action, body.clone(), read.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !tries.wait_after(&error).await {
                return Err(error);
            }
        }
    }

    async fn attempt<R: Send + 'static>(
        &self,
        action: &'static str,
        body: Bytes,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        let keys =
            (self.settings.keys)().map_err(|text| CallError::new(action, Class::Refused, text))?;
        let region = self.settings.region.as_deref().unwrap_or_default();
        let limiters = &self.deps.limiters;
        let limiter = limiters.get(keys.id.expose_secret(), region, action, self.settings.rate);
        limiter.acquire().await;
        let started = Instant::now();
        let result = self.exchange(action, &keys, body, read).await;
        let took = started.elapsed();
        match &result {
            Ok(_) => {
                limiter.succeeded();
                self.latency.answered(took);
            }
            Err(error) if error.class == Class::Throttled => limiter.throttled(),
            Err(_) => {}
        }
        let outcome = result.as_ref().err().map_or(Outcome::Ok, |error| error.class.outcome());
        self.deps.meter.request(&self.settings.source, action, outcome, took.as_secs_f64());
        result.map_err(|error| without_secrets(error, &keys))
    }

    async fn exchange<R: Send + 'static>(
        &self,
        action: &'static str,
        keys: &Keys,
        body: Bytes,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        let request = Request {
            method: reqwest::Method::POST,
            url: self.settings.endpoint.clone(),
            headers: self.headers(action, keys, &body)?,
            body,
            timeout: TIMEOUT,
            cap: BODY_CAP,
        };
        let response = self.deps.http.send(request).await;
        let response = response.map_err(|error| CallError::from_http(action, &error))?;
        let offset = self.observe_clock(&response);
        match aside(read, response.body.clone()).await {
            Ok(answer) if response.status == 200 => Ok(answer),
            Ok(_) => Err(CallError::from_status(action, response.status)),
            Err(fault) => {
                let error = failure(action, fault, &response, keys.token.is_some());
                Err(self.correct_clock(error, offset))
            }
        }
    }

    fn headers(
        &self,
        action: &'static str,
        keys: &Keys,
        body: &[u8],
    ) -> Result<Vec<(HeaderName, HeaderValue)>, CallError> {
        let timestamp = self.deps.clock.now().seconds() + self.correction.load(Ordering::Relaxed);
        let draft = sign::Draft {
            method: "POST",
            query: "",
            content_type: JSON,
            host: &self.host,
            service: self.settings.service,
            timestamp,
            payload: body,
        };
        let signed = sign::sign(&draft, keys.id.expose_secret(), &keys.key);
        let unfit = |what: &str| {
            let text = format!("the {what} holds characters that a header cannot carry");
            CallError::new(action, Class::Refused, text)
        };
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static(JSON)),
            (AUTHORIZATION, secret(&signed.authorization).ok_or_else(|| unfit("secret id"))?),
            (HeaderName::from_static("x-tc-action"), HeaderValue::from_static(action)),
            (
                HeaderName::from_static("x-tc-version"),
                HeaderValue::from_static(self.settings.version),
            ),
            (HeaderName::from_static("x-tc-timestamp"), HeaderValue::from(timestamp)),
            (HeaderName::from_static("x-tc-language"), HeaderValue::from_static("en-US")),
        ];
        if let Some(region) = &self.settings.region {
            let value = HeaderValue::from_str(region).map_err(|_| unfit("region"))?;
            headers.push((HeaderName::from_static("x-tc-region"), value));
        }
        if let Some(token) = &keys.token {
            let value = secret(token.expose_secret()).ok_or_else(|| unfit("token"))?;
            headers.push((HeaderName::from_static("x-tc-token"), value));
        }
        Ok(headers)
    }

    /// Compares the provider's `Date` with our clock and reports the difference when it changes.
    fn observe_clock(&self, response: &Response) -> Option<i64> {
        let date = response.headers.get(reqwest::header::DATE)?.to_str().ok()?;
        let offset = time::http_date(date)?.since(self.deps.clock.now());
        let reported = self.reported.load(Ordering::Relaxed);
        // Dates are whole seconds: a difference of one says nothing.
        if offset.abs_diff(reported) > 1 {
            self.reported.store(offset, Ordering::Relaxed);
            self.deps.meter.clock_offset(&self.settings.source, offset);
        }
        Some(offset)
    }

    /// Takes over the provider's time when it refuses ours.
    fn correct_clock(&self, mut error: CallError, offset: Option<i64>) -> CallError {
        if error.class == Class::Clock {
            match offset {
                Some(offset) => self.correction.store(offset, Ordering::Relaxed),
                // Without the provider's time another attempt would fail alike.
                None => error.class = Class::Refused,
            }
            error.text.push_str("; set this machine's clock (NTP)");
        }
        error
    }
}

fn failure(action: &'static str, fault: Fault, response: &Response, temporary: bool) -> CallError {
    let mut error = match fault {
        Fault::Api { code, message, request_id } => {
            let class = codes::class(&code, temporary);
            let text = format!("{code}: {message} (request {request_id})");
            CallError { code, ..CallError::new(action, class, text) }
        }
        _ if response.status != 200 => CallError::from_status(action, response.status),
        Fault::Malformed(text) => CallError::new(action, Class::Malformed, text),
        Fault::Garbled(text) => {
            CallError::new(action, Class::Garbled, format!("not the provider's JSON: {text}"))
        }
    };
    error.after = retry_after(response);
    error
}

fn without_secrets(error: CallError, keys: &Keys) -> CallError {
    let token = keys.token.as_ref().map_or("", |token| token.expose_secret());
    error.without(&[keys.id.expose_secret(), keys.key.expose_secret(), token])
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the `Host` header as the HTTP client writes it: a default port is left out.
fn host(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests;

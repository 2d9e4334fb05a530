//! Tencent Cloud API 3.0: TC3-HMAC-SHA256 and the response envelope.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::task::JoinSet;
use url::Url;

use super::call::Caller;
use super::failure::{Backoff, CallError, Class};
use super::http::{Request, Response};
use super::limiter::Limiter;
use super::{Action, ClockOffset, Deps, time};

mod codes;
mod reply;
mod sign;

pub use reply::{ApiError, Fault, Reply, Text, Whole, decode};

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
    caller: Caller,
    /// What is added to our clock when signing: zero until the provider refuses our time.
    correction: AtomicI64,
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
            caller: Caller::new(&settings.source, settings.backoff, deps),
            settings,
            correction: AtomicI64::new(0),
        }
    }

    /// Returns what the last answer showed of the provider's clock.
    pub fn clock_offset(&self) -> Option<ClockOffset> {
        self.caller.clock_offset()
    }

    /// Returns how many requests are worth having under way at a time.
    pub fn width(&self) -> usize {
        self.caller.width(self.settings.rate)
    }

    /// Calls `action` with `parameters` and reads the answer with `read`, which gets the body and calls
    /// [`decode`]. Rates, retries, clock correction and counting happen here.
    pub async fn call<R: Send + 'static>(
        &self,
        action: Action,
        parameters: &impl Serialize,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        // Serialised once: the bytes that are signed are the bytes that are sent.
        let body = serde_json::to_vec(parameters).map(Bytes::from).map_err(|error| {
            CallError::new(action, Class::BadRequest, format!("cannot write parameters: {error}"))
        })?;
        self.caller.retried(|| self.attempt(action, body.clone(), read.clone())).await
    }

    async fn attempt<R: Send + 'static>(
        &self,
        action: Action,
        body: Bytes,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        let keys =
            (self.settings.keys)().map_err(|text| CallError::new(action, Class::Refused, text))?;
        let attempt = self.caller.begin(action, self.limiter(action, &keys)).await;
        let request = self.request(action, &keys, body)?;
        let result = match attempt.send(request).await {
            Ok(response) => self.read(action, &keys, &response, read).await,
            Err(error) => Err(error),
        };
        let token = keys.token.as_ref().map_or("", |token| token.expose_secret());
        attempt.end(result, &[keys.id.expose_secret(), keys.key.expose_secret(), token])
    }

    fn limiter(&self, action: Action, keys: &Keys) -> Limiter {
        let region = self.settings.region.as_deref().unwrap_or_default();
        let limiters = &self.caller.deps.limiters;
        limiters.get(keys.id.expose_secret(), region, action.as_str(), self.settings.rate)
    }

    async fn read<R: Send + 'static>(
        &self,
        action: Action,
        keys: &Keys,
        response: &Response,
        read: impl Reads<R>,
    ) -> Result<R, CallError> {
        match aside(read, response.body.clone()).await {
            Ok(answer) if response.status == 200 => Ok(answer),
            Ok(_) => Err(CallError::from_status(action, response.status)),
            Err(fault) => {
                let mut error = failure(action, fault, response, keys.token.is_some());
                error.after = time::retry_after(&response.headers, self.caller.deps.clock.now());
                Err(self.correct_clock(error, self.caller.offset(response)))
            }
        }
    }

    fn request(&self, action: Action, keys: &Keys, body: Bytes) -> Result<Request, CallError> {
        Ok(Request {
            method: reqwest::Method::POST,
            url: self.settings.endpoint.clone(),
            headers: self.headers(action, keys, &body)?,
            body,
            timeout: TIMEOUT,
            cap: BODY_CAP,
        })
    }

    fn headers(
        &self,
        action: Action,
        keys: &Keys,
        body: &[u8],
    ) -> Result<Vec<(HeaderName, HeaderValue)>, CallError> {
        let timestamp =
            self.caller.deps.clock.now().seconds() + self.correction.load(Ordering::Relaxed);
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
        let vendors = |name: &'static str, value| (HeaderName::from_static(name), value);
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static(JSON)),
            (AUTHORIZATION, secret(&signed.authorization).ok_or_else(|| unfit("secret id"))?),
            vendors("x-tc-action", HeaderValue::from_static(action.as_str())),
            vendors("x-tc-version", HeaderValue::from_static(self.settings.version)),
            vendors("x-tc-timestamp", HeaderValue::from(timestamp)),
            vendors("x-tc-language", HeaderValue::from_static("en-US")),
        ];
        if let Some(region) = &self.settings.region {
            let value = HeaderValue::from_str(region).map_err(|_| unfit("region"))?;
            headers.push(vendors("x-tc-region", value));
        }
        if let Some(token) = &keys.token {
            let value = secret(token.expose_secret()).ok_or_else(|| unfit("token"))?;
            headers.push(vendors("x-tc-token", value));
        }
        Ok(headers)
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

fn failure(action: Action, fault: Fault, response: &Response, temporary: bool) -> CallError {
    match fault {
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
    }
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns the `Host` header as the HTTP client writes it: a default port is left out.
fn host(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests;

//! EnOS APIM: tokens and request signatures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::call::Caller;
use super::failure::{Backoff, CallError, Class};
use super::http::Request;
use super::limiter::Limiter;
use super::{Action, ClockOffset, Deps};
use token::{Grant, Need, Token};

mod codes;
mod reply;
mod sign;
mod token;

const TIMEOUT: Duration = Duration::from_secs(30);
const BODY_CAP: usize = 16 << 20;
const JSON: &str = "application/json;charset=UTF-8";
/// Requests of one millisecond never lead the clock by so much.
const SET_BACK_MILLIS: i64 = 10_000;

/// Gets an access token.
pub const GET_TOKEN: Action = Action::new("GetToken");
/// Makes an access token last longer.
pub const REFRESH_TOKEN: Action = Action::new("RefreshToken");

/// The application's credentials, read together.
#[derive(Clone, Debug)]
pub struct AppKeys {
    /// The application's key, which names it.
    pub key: SecretString,
    /// The application's secret.
    pub secret: SecretString,
}

/// Reads the credentials that are valid now.
pub type ReadAppKeys = Arc<dyn Fn() -> Result<AppKeys, String> + Send + Sync>;

/// What a client is for.
#[derive(Clone)]
pub struct Settings {
    /// The source's name, for metrics.
    pub source: Arc<str>,
    /// The gateway; a path in it comes before the paths of the API.
    pub endpoint: Url,
    /// Requests a second, for everything together: the gateway counts by application.
    pub rate: f64,
    /// Where the credentials are.
    pub keys: ReadAppKeys,
    /// Waiting times between attempts.
    pub backoff: Backoff,
}

/// A signed call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its name, for metrics.
    pub action: Action,
    /// The path under the gateway, from the first slash.
    pub path: &'static str,
    /// Names and raw values of the query, each name once.
    pub query: &'a [(&'a str, &'a str)],
    /// The JSON to post, or nothing for a GET.
    pub body: Option<&'a Value>,
}

/// A client of one gateway and application.
pub struct Enos {
    settings: Settings,
    caller: Caller,
    /// Held while a token is fetched, so that one call fetches it and the others wait.
    token: tokio::sync::Mutex<Option<Token>>,
    /// The last timestamp used. The gateway refuses to see one twice.
    stamped: AtomicI64,
}

impl Enos {
    /// Returns a client.
    pub fn new(settings: Settings, deps: &Deps) -> Self {
        Self {
            caller: Caller::new(&settings.source, settings.backoff, deps),
            settings,
            token: tokio::sync::Mutex::new(None),
            stamped: AtomicI64::new(0),
        }
    }

    /// Returns what the last answer showed of the provider's clock.
    pub fn clock_offset(&self) -> Option<ClockOffset> {
        self.caller.clock_offset()
    }

    /// Makes a signed call and reads its answer. Tokens, rates, retries and counting happen here.
    pub async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, CallError> {
        let body = call.body.map(Value::to_string).map(Bytes::from).unwrap_or_default();
        self.caller.retried(|| self.signed(call, body.clone())).await
    }

    async fn signed<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        body: Bytes,
    ) -> Result<T, CallError> {
        let keys = self.keys(call.action)?;
        let token = self.token(&keys).await?;
        let result = self
            .attempt(call.action, &keys, |timestamp| {
                let signature = sign::signature(&token, call.query, &body, timestamp, &keys.secret);
                let mut request = self.request(call.action, call.path, call.query, body.clone())?;
                request.headers.extend(signed_headers(call.action, &token, timestamp, &signature)?);
                Ok(request)
            })
            .await;
        match result {
            Err(error) if error.class == Class::Credential => {
                self.forget(&token).await;
                Err(error.without(&[token.expose_secret()]))
            }
            other => other.map_err(|error| error.without(&[token.expose_secret()])),
        }
    }

    /// Returns a token that is valid, getting or refreshing it first where needed.
    async fn token(&self, keys: &AppKeys) -> Result<SecretString, CallError> {
        let mut kept = self.token.lock().await;
        let need = kept.as_ref().map_or(Need::Get, |token| token.need(Instant::now()));
        let fetched = match (need, kept.as_ref()) {
            (Need::Nothing, Some(token)) => return Ok(token.value.clone()),
            (Need::Refresh, Some(token)) => match self.refresh(keys, token).await {
                Ok(fresh) => fresh,
                Err(error) if error.class == Class::Credential => self.grant(keys, None).await?,
                Err(error) => {
                    // The token still works; the next call tries again.
                    tracing::warn!(%error, "cannot refresh the access token");
                    return Ok(token.value.clone());
                }
            },
            _ => self.grant(keys, None).await?,
        };
        let value = fetched.value.clone();
        *kept = Some(fetched);
        Ok(value)
    }

    async fn refresh(&self, keys: &AppKeys, token: &Token) -> Result<Token, CallError> {
        self.grant(keys, Some(&token.value))
            .await
            .map_err(|error| error.without(&[token.value.expose_secret()]))
    }

    /// Drops `refused`, unless another call has replaced it already.
    async fn forget(&self, refused: &SecretString) {
        let mut kept = self.token.lock().await;
        let same = |token: &Token| token.value.expose_secret() == refused.expose_secret();
        if kept.as_ref().is_some_and(same) {
            *kept = None;
        }
    }

    /// Gets a token, or refreshes `old`.
    async fn grant(&self, keys: &AppKeys, old: Option<&SecretString>) -> Result<Token, CallError> {
        let (action, path) = match old {
            None => (GET_TOKEN, "/apim-token-service/v2.0/token/get"),
            Some(_) => (REFRESH_TOKEN, "/apim-token-service/v2.0/token/refresh"),
        };
        let granted: Grant = self
            .attempt(action, keys, |timestamp| {
                let key = keys.key.expose_secret();
                let encryption = sign::encryption(key, timestamp, &keys.secret);
                let mut body =
                    json!({ "appKey": key, "encryption": encryption, "timestamp": timestamp });
                if let (Some(old), Some(body)) = (old, body.as_object_mut()) {
                    body.insert("accessToken".into(), old.expose_secret().into());
                }
                self.request(action, path, &[], body.to_string().into())
            })
            .await?;
        Ok(Token::new(granted.data.access_token, granted.data.expire, Instant::now()))
    }

    /// Makes one attempt: waits for its turn, stamps, sends, reads, counts.
    async fn attempt<T: DeserializeOwned>(
        &self,
        action: Action,
        keys: &AppKeys,
        build: impl FnOnce(i64) -> Result<Request, CallError>,
    ) -> Result<T, CallError> {
        let attempt = self.caller.begin(action, self.limiter(keys)).await;
        let request = build(self.timestamp())?;
        let secret = matches!(action, GET_TOKEN | REFRESH_TOKEN);
        let result = attempt.send(request).await;
        let result = result.and_then(|response| reply::read(action, &response, secret));
        attempt.end(result, &[keys.key.expose_secret(), keys.secret.expose_secret()])
    }

    fn request(
        &self,
        action: Action,
        path: &str,
        query: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request, CallError> {
        let base = self.settings.endpoint.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}{path}"))
            .map_err(|error| CallError::new(action, Class::BadRequest, error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(Request {
            method: if body.is_empty() { Method::GET } else { Method::POST },
            url,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(JSON))],
            body,
            timeout: TIMEOUT,
            cap: BODY_CAP,
        })
    }

    fn keys(&self, action: Action) -> Result<AppKeys, CallError> {
        (self.settings.keys)().map_err(|text| CallError::new(action, Class::Refused, text))
    }

    fn limiter(&self, keys: &AppKeys) -> Limiter {
        let gateway = self.settings.endpoint.host_str().unwrap_or_default();
        self.caller.deps.limiters.get(keys.key.expose_secret(), gateway, "enos", self.settings.rate)
    }

    /// Returns the time in milliseconds, later than the last one unless the clock was set back.
    fn timestamp(&self) -> i64 {
        let now = self.caller.deps.clock.millis();
        let next = |last| Some(next_stamp(last, now));
        let last = self.stamped.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        next_stamp(last.unwrap_or_default(), now)
    }
}

/// A clock that was ahead and is right again is followed: the gateway refuses times that are far from its own.
fn next_stamp(last: i64, now: i64) -> i64 {
    let was_set_back = last.saturating_sub(now) > SET_BACK_MILLIS;
    if was_set_back { now } else { now.max(last.saturating_add(1)) }
}

fn signed_headers(
    action: Action,
    token: &SecretString,
    timestamp: i64,
    signature: &str,
) -> Result<[(HeaderName, HeaderValue); 3], CallError> {
    let unfit =
        |_| CallError::new(action, Class::Malformed, "the access token does not fit into a header");
    let mut token = HeaderValue::from_str(token.expose_secret()).map_err(unfit)?;
    token.set_sensitive(true);
    let mut signature = HeaderValue::from_str(signature).map_err(unfit)?;
    signature.set_sensitive(true);
    Ok([
        (HeaderName::from_static("apim-accesstoken"), token),
        (HeaderName::from_static("apim-timestamp"), HeaderValue::from(timestamp)),
        (HeaderName::from_static("apim-signature"), signature),
    ])
}

#[cfg(test)]
mod tests;

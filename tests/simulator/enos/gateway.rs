//! The API gateway of `EnOS`: tokens, signatures, replays. Written from the vendor's description only.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use crate::simulator::http::Request;
use crate::simulator::random::mix;

/// An application that may ask.
#[derive(Clone)]
pub struct App {
    pub key: String,
    pub secret: String,
}

/// A refusal by the gateway: `status` and `msg`.
#[derive(Debug)]
pub struct Rejection {
    pub status: i64,
    pub message: &'static str,
}

/// What a request for a token answers.
pub struct Token {
    pub text: String,
    /// Seconds that it has left.
    pub expire: i64,
}

/// Tokens and what was seen of them.
pub struct Gateway {
    app: App,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tokens that were given out, with their ends in seconds.
    tokens: Vec<(String, i64)>,
    given: u64,
    /// Signatures seen, in two generations: replays are found without keeping all for ever.
    seen: [HashSet<String>; 2],
}

/// Seconds that a token is good for.
const LIFETIME: i64 = 7200;
/// The most milliseconds that a timestamp may be off. The vendor publishes none.
const SKEW: i64 = 300_000;
const GENERATION: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    app_key: Option<String>,
    encryption: Option<String>,
    timestamp: Option<serde_json::Value>,
    access_token: Option<String>,
}

impl Gateway {
    /// Returns a gateway for an application.
    pub fn new(app: App) -> Self {
        Self { app, state: Mutex::default() }
    }

    /// Answers `token/get`: the same token until it expires.
    pub fn get(&self, body: &[u8], now_millis: i64) -> Result<Token, Rejection> {
        self.check_token_request(body, now_millis)?;
        let now = now_millis.div_euclid(1000);
        let mut state = self.lock();
        let good = state.tokens.iter().rev().find(|(_, end)| *end > now).cloned();
        let (text, end) = good.unwrap_or_else(|| state.give(now));
        Ok(Token { text, expire: end - now })
    }

    /// Answers `token/refresh`: a new token for one that is still good. The old one lives on.
    pub fn refresh(&self, body: &[u8], now_millis: i64) -> Result<Token, Rejection> {
        let old = self.check_token_request(body, now_millis)?;
        let now = now_millis.div_euclid(1000);
        let mut state = self.lock();
        let is_good =
            state.tokens.iter().any(|(text, end)| Some(text) == old.as_ref() && *end > now);
        if !is_good {
            return Err(rejection(1204, "refresh failed: the token is not known or has expired"));
        }
        let (text, end) = state.give(now);
        Ok(Token { text, expire: end - now })
    }

    /// Makes every token expire.
    pub fn expire_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// Refuses a call that is not signed with a token now, or was seen before.
    pub fn check_call(&self, request: &Request<'_>, now_millis: i64) -> Result<(), Rejection> {
        let header = |name| request.header(name).unwrap_or("");
        let token = header("apim-accesstoken");
        let timestamp = header("apim-timestamp");
        let signature = header("apim-signature");
        if token.is_empty() || timestamp.is_empty() || signature.is_empty() {
            return Err(rejection(1202, "a header is missing"));
        }
        let now = now_millis.div_euclid(1000);
        if !self.lock().tokens.iter().any(|(text, end)| text == token && *end > now) {
            return Err(rejection(1203, "the access token has expired"));
        }
        Self::check_time(timestamp, now_millis)?;
        // Names are sorted; values are raw, not percent-encoded.
        let query: BTreeMap<_, _> = form_urlencoded::parse(request.query.as_bytes()).collect();
        let mut text = token.as_bytes().to_vec();
        for (name, value) in &query {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
        text.extend_from_slice(request.body);
        text.extend_from_slice(timestamp.as_bytes());
        text.extend_from_slice(self.app.secret.as_bytes());
        if hex::encode(Sha256::digest(&text)) != signature {
            return Err(rejection(1003, "the signature is not the one of this request"));
        }
        self.lock().see(signature)
    }

    /// Returns the access token that came with the request.
    fn check_token_request(
        &self,
        body: &[u8],
        now_millis: i64,
    ) -> Result<Option<String>, Rejection> {
        let malformed = || rejection(1004, "the body is not what is asked for");
        let request: TokenRequest = serde_json::from_slice(body).map_err(|_| malformed())?;
        let empty = || rejection(1202, "a parameter is empty");
        let key = request.app_key.ok_or_else(empty)?;
        let encryption = request.encryption.ok_or_else(empty)?;
        let timestamp = match request.timestamp.ok_or_else(empty)? {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            _ => return Err(malformed()),
        };
        if key != self.app.key {
            return Err(rejection(1002, "the application is not known"));
        }
        Self::check_time(&timestamp, now_millis)?;
        let text = format!("{key}{timestamp}{}", self.app.secret);
        if hex::encode(Sha256::digest(text.as_bytes())) != encryption {
            return Err(rejection(1003, "the encryption is invalid"));
        }
        self.lock().see(&encryption)?;
        Ok(request.access_token)
    }

    fn check_time(timestamp: &str, now_millis: i64) -> Result<(), Rejection> {
        let at: i64 = timestamp.parse().map_err(|_| rejection(1004, "the timestamp is invalid"))?;
        if (at - now_millis).abs() > SKEW {
            return Err(rejection(1003, "the timestamp is too far from the server's time"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn give(&mut self, now: i64) -> (String, i64) {
        self.given += 1;
        self.tokens.retain(|(_, end)| *end > now);
        let token = (format!("APIM_TOKEN_{:016x}", mix(0xE05, self.given)), now + LIFETIME);
        self.tokens.push(token.clone());
        token
    }

    fn see(&mut self, signature: &str) -> Result<(), Rejection> {
        if self.seen.iter().any(|seen| seen.contains(signature)) {
            return Err(rejection(1001, "duplicate encryption"));
        }
        if self.seen[0].len() >= GENERATION {
            self.seen.swap(0, 1);
            self.seen[0].clear();
        }
        self.seen[0].insert(signature.to_owned());
        Ok(())
    }
}

fn rejection(status: i64, message: &'static str) -> Rejection {
    Rejection { status, message }
}

//! The API gateway of `EnOS`: tokens, signatures, replays. Written from the vendor's description only.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use crate::http::Request;
use crate::random::mix;

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
    pub(super) fn expire_tokens(&self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: i64 = 1_763_827_200_123;
    const TOKEN: &str = "APIM_TOKEN_0123456789";

    fn gateway() -> Gateway {
        let key = "11111111-2222-4333-8444-555555555555".to_owned();
        let secret = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".to_owned();
        let gateway = Gateway::new(App { key, secret });
        gateway.lock().tokens.push((TOKEN.to_owned(), MILLIS / 1000 + 100));
        gateway
    }

    /// The vectors are computed from the vendor's rule, see cloud-apis.md D.2.
    #[test]
    fn calls_signed_by_others_are_accepted_once() {
        let search = r#"{"pagination":{"pageNo":1,"pageSize":100},"projection":["assetId","productKey","deviceKey"]}"#;
        let table = [
            (
                "/c?action=list&assetId=zhD6Kpfs&orgId=o15000000000001",
                "",
                "7706a84bb838b28c21970facf292294a1a768e73ad1c3e4e5897967d9e381ebd",
            ),
            (
                "/c?orgId=o15000000000001&action=list&productKey=pk%201&deviceKey=dev%2F%E9%94%AE%2B1",
                "",
                "58c7cb687395f07b23d39334b81521356dfc3c84b4cb75e4598056b9e34e826f",
            ),
            (
                "/c?orgId=o15000000000001&action=list&productKey=pk+1&deviceKey=dev%2F%E9%94%AE%2B1",
                "",
                "58c7cb687395f07b23d39334b81521356dfc3c84b4cb75e4598056b9e34e826f",
            ),
            (
                "/c?action=search&orgId=o15000000000001",
                search,
                "0d18da5e69f54df306bf40849a1cbffba305c8c17300bdf6e3683fd5d807f8fe",
            ),
        ];
        let timestamp = MILLIS.to_string();
        for (path, body, signature) in table {
            let gateway = gateway();
            let check = |signature: &str| {
                let headers = vec![
                    ("apim-accesstoken", TOKEN),
                    ("apim-timestamp", &timestamp),
                    ("apim-signature", signature),
                ];
                let request = Request::new(path, headers, body.as_bytes());
                gateway.check_call(&request, MILLIS).map_err(|rejection| rejection.status)
            };
            assert_eq!(check("00"), Err(1003), "{path}");
            assert_eq!(check(signature), Ok(()), "{path}");
            assert_eq!(check(signature), Err(1001), "{path}");
        }
    }

    #[test]
    fn a_token_is_given_for_the_encryption_of_the_official_sample() {
        let encryption = "4c515fc2de6ded1c7a0ee92772f37f3642775277f73fadd55a809c0d3fb7db56";
        let body = format!(
            r#"{{"appKey":"11111111-2222-4333-8444-555555555555","encryption":"{encryption}","timestamp":"{MILLIS}"}}"#
        );
        let token = gateway().get(body.as_bytes(), MILLIS).unwrap();
        assert_eq!((token.text.as_str(), token.expire), (TOKEN, 100));
    }
}

//! Users and their passwords.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Passwords that are looked at side by side: each takes a core for some fifty milliseconds.
const SIDE_BY_SIDE: usize = 2;

/// Pairs that were right and are known again.
const REMEMBERED: usize = 64;

/// No password has this hash. A name that nobody has takes as long as one that somebody has.
const NOBODY: &str = "$2b$10$................................................eq8K.";

/// Names, each with the bcrypt hash of its password.
pub(in crate::web) struct Users {
    hashes: Arc<BTreeMap<String, String>>,
    /// Digests of pairs that were right.
    known: Mutex<BTreeSet<[u8; 32]>>,
    permits: Semaphore,
}

impl Default for Users {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Self {
        let permits = Semaphore::new(SIDE_BY_SIDE);
        Self { hashes: Arc::new(hashes), known: Mutex::default(), permits }
    }

    pub(in crate::web) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Returns what the users are called.
    pub(in crate::web) fn names(&self) -> impl Iterator<Item = &str> {
        self.hashes.keys().map(String::as_str)
    }

    /// Returns the hash of a user's password.
    pub(in crate::web) fn hash_of(&self, name: &str) -> Option<&str> {
        self.hashes.get(name).map(String::as_str)
    }

    /// Returns whether a request names a user and its password.
    pub(in crate::web) async fn know(&self, headers: &HeaderMap) -> bool {
        let Some((name, password)) = basic(headers) else { return false };
        let digest = digest(&name, &password);
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return true;
        }
        let Ok(_permit) = self.permits.acquire().await else { return false };
        let hash = self.hashes.get(&name).cloned();
        let is_right = tokio::task::spawn_blocking(move || {
            let same = bcrypt::verify(&password, hash.as_deref().unwrap_or(NOBODY));
            hash.is_some() && same.unwrap_or(false)
        });
        let is_right = is_right.await.unwrap_or(false);
        if is_right {
            self.remember(digest);
        }
        is_right
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(digest);
    }
}

fn digest(name: &str, password: &str) -> [u8; 32] {
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(name).chain_update(password).finalize().into()
}

/// Returns the name that a user gives, whose password has been looked at.
pub(in crate::web) fn name_of(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(name, _)| name)
}

/// Reads what a browser or scraper sends of a user.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let text =
        scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok())??;
    let (name, password) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(text));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn a_user_is_known_by_name_and_password() {
        let hash = bcrypt::hash("open:sesame", 4).unwrap();
        let users = Users::new([("ali".to_owned(), hash)].into());
        for _ in 0..2 {
            assert!(users.know(&headers("ali:open:sesame")).await);
            for wrong in ["ali:sesame", "ali:", "baba:open:sesame", "ali", ":", ""] {
                assert!(!users.know(&headers(wrong)).await, "{wrong}");
            }
        }
        assert!(!users.know(&HeaderMap::new()).await);
        let bearer = HeaderMap::from_iter([(AUTHORIZATION, "Bearer x".parse().unwrap())]);
        assert!(!users.know(&bearer).await);
        assert!(Users::default().is_empty());
    }
}

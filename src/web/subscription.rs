//! The secret in the address of a calendar, for programs that cannot sign in.
//!
//! It stands for one user and one view: it is signed with the key of the store over the user, the hash of the user's password
//! and the filters. Whoever has it reads that calendar and nothing else, until the user is gone or has another password.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded::{Serializer, parse};

use super::access::Users;
use super::{Shared, State};
use crate::channel::{LinkKey, token_hash};
use crate::client::hmac::hmac_sha256;

/// Where the calendar is.
pub(super) const CALENDAR: &str = "/calendar.ics";

/// The parameter that holds the secret.
pub(super) const TOKEN: &str = "token";

/// Parameters of a list that mean nothing in a calendar, and so are no part of its view.
pub(super) const OF_PAGES: [&str; 3] = ["sort", "limit", "cursor"];

const SIGNED: usize = 32;

/// Returns the address of the calendar with these filters: one that needs no password, for a `user` who has one.
pub(super) fn address(shared: &Shared, user: Option<&str>, filters: &[(&str, &str)]) -> String {
    let view = view(filters.iter().copied());
    let gate = shared.state.access.gate();
    let key = *shared.state.link_key.borrow();
    let token = key.zip(user).and_then(|(key, user)| {
        let hash = gate.users.hash_of(user)?;
        Some(token(&key, (user, hash), &view))
    });
    let pairs = parse(view.as_bytes());
    let query = Serializer::new(String::new())
        .extend_pairs(pairs)
        .extend_pairs(token.map(|token| (TOKEN, token)))
        .finish();
    if query.is_empty() { CALENDAR.to_owned() } else { format!("{CALENDAR}?{query}") }
}

/// Returns the secret in what is asked for, if it is a calendar that has one.
pub(super) fn secret_in(uri: &axum::http::Uri) -> Option<String> {
    let query = uri.query().filter(|_| uri.path() == CALENDAR)?;
    let mut secrets = parse(query.as_bytes()).filter(|(name, _)| name == TOKEN);
    secrets.next().map(|(_, secret)| secret.into_owned())
}

/// Returns whether a secret stands for a user who is there, and for what is asked for.
pub(super) fn admits(state: &State, users: &Users, uri: &axum::http::Uri, secret: &str) -> bool {
    let pairs: Vec<_> = parse(uri.query().unwrap_or_default().as_bytes()).collect();
    let view = view(pairs.iter().map(|(name, value)| (&**name, &**value)));
    let is_good = || {
        let key = (*state.link_key.borrow())?;
        let user = user_in(secret)?;
        let right = token(&key, (&user, users.hash_of(&user)?), &view);
        // Digests under the key are compared: how far two of them agree tells nothing.
        let digest = |token: &str| hmac_sha256(&key, token.as_bytes());
        Some(digest(&right) == digest(secret))
    };
    let is_good = is_good().unwrap_or_default();
    if !is_good {
        tracing::debug!(token = token_hash(secret), "the address of a calendar is refused");
    }
    is_good
}

/// Returns what is shown, whatever the order of its filters.
fn view<'a>(filters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut filters: Vec<_> = filters
        .filter(|(name, value)| *name != TOKEN && !OF_PAGES.contains(name) && !value.is_empty())
        .collect();
    filters.sort_unstable();
    Serializer::new(String::new()).extend_pairs(filters).finish()
}

fn token(key: &LinkKey, (user, hash): (&str, &str), view: &str) -> String {
    // Of its own: what is signed here is good for nothing else that is signed with the key.
    let own = hmac_sha256(key, b"calendar");
    let parts = [user, hash, view].map(|part| [&length(part), part.as_bytes()].concat());
    let mut token = hmac_sha256(&own, &parts.concat()).to_vec();
    token.extend(user.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

fn length(part: &str) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

fn user_in(secret: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
    let (_, user) = bytes.split_at_checked(SIGNED)?;
    String::from_utf8(user.to_vec()).ok()
}

//! Who asks: in which language, for which page.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::expiry::{Language, Timestamp};
use crate::web::{Shared, negotiate};

/// What a chosen language is kept in.
const COOKIE_NAME: &str = "notafter_language";

/// Who asks for a page.
pub(super) struct Reader {
    pub(super) language: Language,
    /// Path and query of the page.
    pub(super) here: String,
    /// The time that the page is made at.
    pub(super) now: Timestamp,
}

impl Reader {
    /// Returns the one of two texts that is in the reader's language.
    pub(super) const fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.language {
            Language::En => english,
            Language::Zh => chinese,
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Infallible> {
        let chosen = chosen(&parts.headers).or_else(|| negotiate::language(&parts.headers));
        let here = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let now = shared.state.clock.now();
        Ok(Self { language: chosen.unwrap_or(Language::En), here, now })
    }
}

/// Returns the language that was chosen by the switch.
fn chosen(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs =
        cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| *name == COOKIE_NAME);
    named.find_map(|(_, value)| Language::from_word(value))
}

/// A wish for another language.
#[derive(Debug, Deserialize)]
pub(super) struct Switch {
    to: Option<String>,
    back: Option<String>,
}

/// Keeps the chosen language and goes back to the page.
pub(super) async fn change_language(Query(switch): Query<Switch>) -> Response {
    let language = switch.to.as_deref().and_then(Language::from_word).unwrap_or(Language::En);
    let back = switch.back.filter(|back| is_here(back)).unwrap_or_else(|| "/".to_owned());
    let mut response = StatusCode::SEE_OTHER.into_response();
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        language.as_str()
    );
    for (name, value) in [(SET_COOKIE, cookie), (LOCATION, back)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Tells whether an address is one of this server's pages, in the eyes of any browser.
fn is_here(address: &str) -> bool {
    let plain = |byte: u8| (0x21..0x7f).contains(&byte) && byte != b'\\';
    address.starts_with('/') && !address.starts_with("//") && address.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_leads_to_no_other_place() {
        for (address, expected) in [
            ("/", true),
            ("/certificates?q=%E4%B8%AD&sort=-status", true),
            ("", false),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example", false),
            ("/\tx", false),
            ("/\r\nset-cookie: a=b", false),
        ] {
            assert_eq!(is_here(address), expected, "{address:?}");
        }
    }

    #[test]
    fn the_cookie_tells_the_language() {
        for (cookie, expected) in [
            ("notafter_language=zh", Some(Language::Zh)),
            ("a=b; notafter_language=en", Some(Language::En)),
            ("notafter_language=de", None),
            ("xnotafter_language=zh", None),
            ("notafter_language", None),
        ] {
            let headers = HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]);
            assert_eq!(chosen(&headers), expected, "{cookie}");
        }
    }
}

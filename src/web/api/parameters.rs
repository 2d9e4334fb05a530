//! The parameters of a query.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::web::problem::Problem;

/// What may be any text, so that an empty one is no mistake; it says nothing.
const TEXTS: [&str; 13] = [
    "certificate",
    "event",
    "source",
    "scope",
    "place",
    "issuer",
    "serial",
    "organizational_unit",
    "label",
    "q",
    "cursor",
    "channel",
    "user",
];

/// Every parameter, as often as it is there.
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(pairs) =
            Query::<Vec<(String, String)>>::from_request_parts(parts, state)
                .await
                .map_err(|error| Problem::bad(format!("the query cannot be read: {error}")))?;
        let is_nothing =
            |(name, value): &&(String, String)| value.is_empty() && !TEXTS.contains(&name.as_str());
        match pairs.iter().find(is_nothing) {
            Some((name, _)) => Err(Problem::bad(format!("{name}: it is empty; leave it out"))),
            None => Ok(Self(pairs)),
        }
    }
}

/// Returns the only parameter that a path takes, where it is there and not empty.
pub(super) fn one<'a>(
    pairs: &'a [(String, String)],
    name: &str,
) -> Result<Option<&'a str>, Problem> {
    if let Some((other, _)) = pairs.iter().find(|(other, _)| other != name) {
        return Err(Problem::bad(format!(
            "{other}: it is not `{name}`, which is all that can be said here"
        )));
    }
    match pairs {
        [] => Ok(None),
        [(_, value)] => Ok(Some(value.as_str()).filter(|value| !value.is_empty())),
        _ => Err(Problem::bad(format!("{name}: it may be there once"))),
    }
}

/// Returns the parameters that a path takes, each where it is there and not empty.
pub(super) fn some<'a, const N: usize>(
    pairs: &'a [(String, String)],
    names: [&str; N],
) -> Result<[Option<&'a str>; N], Problem> {
    let mut found = [None; N];
    let mut seen = Vec::new();
    for (name, value) in pairs {
        let Some(place) = names.iter().position(|known| known == name) else {
            let known = names.join(", ");
            return Err(Problem::bad(format!("{name}: what can be said here is {known}")));
        };
        if seen.contains(&place) {
            return Err(Problem::bad(format!("{name}: it may be there once")));
        }
        seen.push(place);
        if let Some(slot) = found.get_mut(place).filter(|_| !value.is_empty()) {
            *slot = Some(value.as_str());
        }
    }
    Ok(found)
}

/// Refuses parameters where there are none to give.
pub(super) fn none(pairs: &[(String, String)]) -> Result<(), Problem> {
    match pairs.first() {
        None => Ok(()),
        Some((name, _)) => Err(Problem::bad(format!("{name}: there are no parameters here"))),
    }
}

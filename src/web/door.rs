//! Who is let in: requests that name this server, and changes that its own pages ask for.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::Shared;
use super::access::{Gate, name_of};
use super::problem::Problem;
use super::subscription;
use crate::config::{HostName, Hosts};

/// Refused names that are logged; whoever tries more of them does not fill the log.
const LOGGED: usize = 32;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The form behind the link of a message: its token is all that is asked for.
pub(super) const LINK: &str = "/snooze";

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// The network, and whether the client has shown a certificate that was verified.
    Network { verified: bool },
    /// The control socket: who may open its file may ask for everything.
    Socket,
}

impl Entrance {
    fn of(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or(Self::Network { verified: false })
    }
}

/// Who asks, as far as that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Asker {
    /// Whether it is known who asks: they may make changes.
    pub(super) is_known: bool,
    /// What the web configuration calls them.
    pub(super) name: Option<String>,
    /// Whether they ask on the control socket.
    pub(super) on_socket: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Whether who asks may change something.
#[derive(Clone, Copy)]
pub(super) struct MayWrite(pub(super) bool);

impl<S: Send + Sync> FromRequestParts<S> for MayWrite {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Asker>().is_some_and(|asker| asker.is_known)))
    }
}

/// Lets changes through from who may make them, or answers who may.
pub(super) async fn writers_only(request: Request, next: Next) -> Response {
    if request.extensions().get::<Asker>().is_some_and(|asker| asker.is_known) {
        return next.run(request).await;
    }
    let detail = "this changes something, and whoever is not known may only read: ask as a user of the web configuration, \
                  with a client certificate, or on the control socket, as `notafter` commands and `curl --unix-socket` do";
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

/// Answers who is not let in without a name and a password.
fn unknown_user() -> Response {
    let detail = "a name and a password of the web configuration are wanted";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let basic = HeaderValue::from_static("Basic realm=\"notafter\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    response
}

/// Returns whether a path asks for no user: the form behind the link of a message, and what it looks like.
fn is_for_all(path: &str) -> bool {
    [LINK, "/style.css", "/page.js"].contains(&path)
}

/// Where a whole configuration is sent, and the bytes that it may have: more than anything else.
pub(super) const COMPARISON: (&str, usize) = ("/api/v1/comparison", 1024 * 1024);

/// Looks at every request before its handler does.
pub(super) struct Door {
    hosts: watch::Receiver<Arc<Hosts>>,
    body_bytes: u64,
    refused: Mutex<BTreeSet<String>>,
}

/// Lets a request through to its handler, or answers why not.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let entrance = Entrance::of(&request);
    let Entrance::Network { verified } = entrance else {
        request.extensions_mut().insert(Asker { is_known: true, name: None, on_socket: true });
        return match shared.door.holds(&request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    };
    let gate = shared.state.access.gate();
    if gate.rate.as_ref().is_some_and(|rate| !rate.admits()) {
        let detail = "more requests than `rate_limit` of the web configuration allows";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    }
    let is_user = !gate.users.is_empty() && gate.users.know(request.headers()).await;
    let has_address = match stranger(&shared, &gate, is_user, request.uri()) {
        Ok(has_address) => has_address,
        Err(refused) => return refused,
    };
    let is_known = verified || is_user;
    let name = is_user.then(|| name_of(request.headers())).flatten();
    request.extensions_mut().insert(Asker { is_known, name, on_socket: false });
    let mut response = match shared.door.admit(&request, is_known || has_address) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().extend(gate.headers.clone());
    response
}

/// Lets in what asks for no user, or answers why not. Answers with whether the secret address of a calendar was the reason.
#[expect(clippy::result_large_err, reason = "the answer is sent as it is")]
fn stranger(shared: &Shared, gate: &Gate, is_user: bool, asked: &Uri) -> Result<bool, Response> {
    if gate.users.is_empty() || is_user || is_for_all(asked.path()) {
        return Ok(false);
    }
    let Some(secret) = subscription::secret_in(asked) else { return Err(unknown_user()) };
    if subscription::admits(&shared.state, &gate.users, asked, &secret) {
        return Ok(true);
    }
    let detail = "this address of a calendar is not good, or not any more, as when its user has a new password: copy it anew \
                  from the list of certificates, or have `notafter calendar` print it, with the filters that are wanted";
    Err(Problem::new(StatusCode::FORBIDDEN, detail).into_response())
}

impl Door {
    pub(super) const fn new(hosts: watch::Receiver<Arc<Hosts>>, body_bytes: u64) -> Self {
        Self { hosts, body_bytes, refused: Mutex::new(BTreeSet::new()) }
    }

    /// A page that points its own name here knows neither password nor key: where it is known who asks, any name will do.
    fn admit(&self, request: &Request, is_known: bool) -> Result<(), Problem> {
        let hosts = Arc::clone(&self.hosts.borrow());
        for name in names(request)? {
            if !is_known {
                self.knows(&hosts, &name)?;
            }
        }
        let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
        // Whoever has the token of a link may use it from anywhere: a page without a referrer sends no origin.
        if is_change && request.uri().path() != LINK && is_cross_site(request.headers(), &hosts) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another site may not ask for a change",
            ));
        }
        self.holds(request)
    }

    fn knows(&self, hosts: &Hosts, name: &HostName) -> Result<(), Problem> {
        if hosts.answer_to(name) {
            return Ok(());
        }
        let HostName::Domain(name) = name else { return Ok(()) };
        if self.is_new(name) {
            tracing::warn!(
                "a request for `{name}` was refused; if that is a name of this server, add \
                 `hosts = [\"{name}\"]` to `[server]`"
            );
        }
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("`{name}` is not a name of this server; `[server] hosts` says which are"),
        ))
    }

    fn is_new(&self, name: &str) -> bool {
        // A set is whole whenever somebody sees it.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.len() < LOGGED && refused.insert(name.to_owned())
    }

    fn holds(&self, request: &Request) -> Result<(), Problem> {
        let most = match COMPARISON {
            (path, most) if path == request.uri().path() => u64::try_from(most).unwrap_or(u64::MAX),
            _ => self.body_bytes,
        };
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let length = length.and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            let detail = format!("a body may have {most} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok(())
    }
}

/// Returns every name that the request is for. None of them may be another's.
///
/// An HTTP/1.0 request may come without one, as probes of older load balancers do: every browser sends one, so it is no
/// page that asks.
fn names(request: &Request) -> Result<Vec<HostName>, Problem> {
    let stated: Vec<&HeaderValue> = request.headers().get_all(HOST).iter().collect();
    let is_missing = stated.is_empty() && request.version() != Version::HTTP_10;
    if is_missing || stated.len() > 1 {
        return Err(Problem::bad("one Host header is wanted"));
    }
    let stated = stated.into_iter().map(|host| host.to_str().unwrap_or_default());
    let target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    stated
        .chain(target)
        .map(|host| HostName::parse(host).ok_or_else(|| Problem::bad("the host is not one")))
        .collect()
}

/// Tells whether a browser sent this for a page of another site. What is no browser sends neither header.
fn is_cross_site(headers: &HeaderMap, hosts: &Hosts) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = text(ORIGIN) else { return false };
    let here = text(HOST).unwrap_or_default();
    let is_here =
        origin.split_once("://").is_some_and(|(_, place)| place.eq_ignore_ascii_case(here));
    // A proxy in front may ask under another name than the browser asked it.
    !is_here && !hosts.is_external(origin)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn a_change_is_asked_for_by_a_page_of_this_server() {
        let url = Url::parse("https://outer.example/x").unwrap();
        let hosts = Hosts::new(Vec::new(), Some(&url));
        for (list, expected) in [
            (&[("host", "h:1")][..], false),
            (&[("host", "h:1"), ("origin", "http://h:1")], false),
            (&[("host", "H:1"), ("origin", "https://h:1")], false),
            (&[("host", "inner:1"), ("origin", "https://outer.example")], false),
            (&[("host", "inner:1"), ("origin", "http://outer.example")], true),
            (&[("host", "h:1"), ("origin", "http://h:2")], true),
            (&[("host", "h:1"), ("origin", "http://evil.example")], true),
            (&[("host", "h:1"), ("origin", "null")], true),
            (&[("origin", "http://h:1")], true),
            (&[("host", "h:1"), ("origin", "\u{e9}")], true),
            (&[("sec-fetch-site", "cross-site"), ("host", "h"), ("origin", "http://h")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "none")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("host", "inner"), ("origin", "http://outer")],
                false,
            ),
        ] {
            assert_eq!(is_cross_site(&headers(list), &hosts), expected, "{list:?}");
        }
    }

    #[test]
    fn a_refused_name_is_logged_once_and_not_without_end() {
        let (_sender, hosts) = watch::channel(Arc::default());
        let door = Door::new(hosts, 0);
        assert!(door.is_new("evil.example"));
        assert!(!door.is_new("evil.example"));
        let more = (0..1000).filter(|number| door.is_new(&format!("{number}.example"))).count();
        assert_eq!(more, LOGGED - 1);
    }
}

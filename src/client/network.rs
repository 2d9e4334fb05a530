//! The network: requests travel by `reqwest`, without redirects, with capped bodies and errors without URLs.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret as _, SecretString};

use super::egress_filter::{EgressFilter, Forbidden};
use super::transport::{HttpError, Reach, Request, Response, Transport, Way};
use crate::config::is_loopback;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
// Shorter than the minute after which load balancers usually close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
pub(super) const USER_AGENT: &str = concat!("notafter/", env!("CARGO_PKG_VERSION"));

/// The clients that share the machine's connections.
#[derive(Debug)]
pub(super) struct Network {
    /// Honours the proxies of the environment.
    outward: reqwest::Client,
    /// The same, for what must not be led to a link-local or metadata address.
    filtered: reqwest::Client,
    /// For loopback, which no proxy can reach.
    loopback: reqwest::Client,
}

impl Network {
    /// Returns a network that trusts the machine's certificate authorities.
    pub(super) fn new() -> Result<Self, String> {
        Self::with(EgressFilter::of_the_system(), &Way::default())
    }

    pub(super) fn with(filter: EgressFilter, way: &Way) -> Result<Self, String> {
        let tls = tls(way)?;
        let proxy = way.proxy.as_ref().map(proxy).transpose()?;
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| format!("cannot build the HTTP client: {error}"))
        };
        let by = |builder: reqwest::ClientBuilder| match &proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        };
        // Whoever names a proxy means every request; one of the environment is not meant for loopback.
        let direct = |builder: reqwest::ClientBuilder| match &proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder.no_proxy(),
        };
        Ok(Self {
            outward: build(by(builder(tls.clone())))?,
            filtered: build(by(builder(tls.clone()).dns_resolver(Arc::new(filter))))?,
            loopback: build(direct(builder(tls)))?,
        })
    }
}

/// Returns what takes every request to a proxy; the error repeats nothing of its address.
fn proxy(address: &SecretString) -> Result<reqwest::Proxy, String> {
    reqwest::Proxy::all(address.expose_secret()).map_err(|_| "the proxy is not a URL".to_owned())
}

#[async_trait]
impl Transport for Network {
    fn by(&self, way: &Way) -> Result<Option<Arc<dyn Transport>>, String> {
        Ok(Some(Arc::new(Self::with(EgressFilter::of_the_system(), way)?)))
    }

    async fn carry(&self, request: Request, reach: Reach) -> Result<Response, HttpError> {
        let client = match (is_loopback(&request.url), reach) {
            (true, _) => &self.loopback,
            (false, Reach::Anywhere) => &self.outward,
            (false, Reach::Receivers) => &self.filtered,
        };
        let Request { method, url, headers, body, cap, .. } = request;
        let mut outgoing = reqwest::Request::new(method, url);
        outgoing.headers_mut().extend(headers);
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        }
        let mut incoming = client.execute(outgoing).await.map_err(|error| failure(&error))?;
        Ok(Response {
            status: incoming.status().as_u16(),
            headers: std::mem::take(incoming.headers_mut()),
            body: capped(incoming, cap).await?,
        })
    }
}

fn builder(tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        // A signed request must not be replayed to an address that the signature does not cover.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        // Every one is kept: several scans share a host, and where more are under way than are kept, the others are
        // closed only to be opened again.
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(usize::MAX)
        .tcp_nodelay(true)
}

fn tls(way: &Way) -> Result<rustls::ClientConfig, String> {
    let describe = |error: rustls::Error| format!("cannot set up TLS: {error}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = || {
        rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(describe)
    };
    let extra = way.authorities.iter().cloned();
    let mut config = match Verifier::new_with_extra_roots(extra, Arc::clone(&provider)) {
        // It verifies as the platform does: nothing is taken away from what it demands.
        Ok(verifier) => builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(error) => {
            // A machine without a CA bundle can still talk to loopback.
            tracing::warn!(%error, "no certificate authorities found: every https request will fail until ca-certificates is installed");
            builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn capped(mut incoming: reqwest::Response, cap: usize) -> Result<Bytes, HttpError> {
    let expected = incoming.content_length().and_then(|length| usize::try_from(length).ok());
    // Mostly a body comes in one piece, and then it is not copied.
    let mut first = Bytes::new();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.chunk().await.map_err(|error| failure(&error))? {
        if first.len().max(body.len()).saturating_add(chunk.len()) > cap {
            return Err(HttpError::TooLarge { cap });
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if body.is_empty() {
            body.reserve(expected.unwrap_or(0).min(cap));
            body.extend_from_slice(&first);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(if body.is_empty() { first } else { body.into() })
}

/// Converts and drops the library's error, whose text shows the whole URL.
fn failure(error: &reqwest::Error) -> HttpError {
    let (cause, tls) = root_cause(error);
    match () {
        () if is_forbidden(error) => HttpError::Invalid(cause),
        () if error.is_timeout() => HttpError::Timeout,
        () if tls => HttpError::Tls(cause),
        () if error.is_builder() => HttpError::Invalid(cause),
        () if error.is_connect() => HttpError::Connect(cause),
        () if error.is_body() || error.is_decode() => HttpError::Body(cause),
        () => HttpError::Reset(cause),
    }
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.into_iter().any(<dyn Error>::is::<Forbidden>)
}

/// Returns the innermost cause, which names no URL, and whether TLS is to blame.
fn root_cause(error: &reqwest::Error) -> (String, bool) {
    let mut text = None;
    let mut tls = false;
    let mut next = error.source();
    while let Some(cause) = next {
        tls |= is_tls(cause);
        text = Some(cause.to_string());
        next = cause.source();
    }
    (text.unwrap_or_else(|| "the request failed".into()), tls)
}

/// An I/O error leaves the error that it wraps out of its chain of sources.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
}

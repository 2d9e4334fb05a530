//! One HTTP client for sources and channels: no redirects, capped bodies, errors without URLs.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls_platform_verifier::BuilderVerifierExt;
use url::{Host, Url};

use super::concurrency;
use super::egress_filter::{Forbidden, Guard};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
// Shorter than the minute after which load balancers usually close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
const IDLE_CONNECTIONS: usize = concurrency::MOST;
const USER_AGENT: &str = concat!("notafter/", env!("CARGO_PKG_VERSION"));

/// The HTTP client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Http {
    /// Honours the proxies of the environment.
    outward: reqwest::Client,
    /// The same, for what must not be led to an address that no receiver has.
    guarded: reqwest::Client,
    /// For loopback, which no proxy can reach.
    loopback: reqwest::Client,
}

/// One request. It is sent once: whoever wants a second attempt builds a second request.
pub struct Request {
    /// The method.
    pub method: reqwest::Method,
    /// The address: `https`, or `http` to a loopback host.
    pub url: Url,
    /// The headers. None is added but `Host`, `User-Agent`, `Accept`, `Accept-Encoding` and `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, sent as it is.
    pub body: Bytes,
    /// The time from the first byte of the connection to the last byte of the answer.
    pub timeout: Duration,
    /// How many bytes of body are accepted, counted after decompression.
    pub cap: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, decompressed.
    pub body: Bytes,
}

/// Why there is no answer. Never holds a URL, since webhook addresses are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke before the answer.
    #[error("connection broke: {0}")]
    Reset(String),
    /// The body is larger than it may be.
    #[error("answer is larger than {cap} bytes")]
    TooLarge {
        /// The limit.
        cap: usize,
    },
    /// The body is truncated or cannot be decompressed.
    #[error("answer is broken: {0}")]
    Body(String),
    /// The other side's certificate or TLS is not acceptable.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The request cannot be sent as it is.
    #[error("request is not possible: {0}")]
    Invalid(String),
}

impl Http {
    /// Returns a client that trusts the machine's certificate authorities.
    pub fn new() -> Result<Self, String> {
        Self::with(Guard::of_the_system())
    }

    fn with(guard: Guard) -> Result<Self, String> {
        let tls = tls()?;
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| format!("cannot build the HTTP client: {error}"))
        };
        Ok(Self {
            outward: build(builder(tls.clone()))?,
            guarded: build(builder(tls.clone()).dns_resolver(Arc::new(guard)))?,
            loopback: build(builder(tls).no_proxy())?,
        })
    }

    /// Sends `request` once and reads the whole answer, whatever its status.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        send(self.client_for(&request.url, &self.outward)?, request).await
    }

    /// Does the same, and refuses to connect where the name of the host leads to an address that no receiver has.
    pub async fn send_guarded(&self, request: Request) -> Result<Response, HttpError> {
        send(self.client_for(&request.url, &self.guarded)?, request).await
    }

    fn client_for<'a>(
        &'a self,
        url: &Url,
        outward: &'a reqwest::Client,
    ) -> Result<&'a reqwest::Client, HttpError> {
        match (url.scheme(), is_loopback(url)) {
            ("http" | "https", true) => Ok(&self.loopback),
            ("https", false) => Ok(outward),
            ("http", false) => Err(HttpError::Invalid(
                "plain http is allowed only to a loopback host; use https".into(),
            )),
            _ => Err(HttpError::Invalid("the address must begin with https".into())),
        }
    }
}

async fn send(client: &reqwest::Client, request: Request) -> Result<Response, HttpError> {
    let Request { method, url, headers, body, timeout, cap } = request;
    let mut outgoing = reqwest::Request::new(method, url);
    *outgoing.timeout_mut() = Some(timeout);
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

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
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
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tcp_nodelay(true)
}

fn tls() -> Result<rustls::ClientConfig, String> {
    let describe = |error: rustls::Error| format!("cannot set up TLS: {error}");
    let builder = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(describe)
    };
    let verified = builder()?.with_platform_verifier();
    let mut config = match verified {
        Ok(config) => config.with_no_client_auth(),
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::client::fake::{Fake, Reply};

    fn get(url: Url, cap: usize) -> Request {
        Request {
            method: reqwest::Method::GET,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(10),
            cap,
        }
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn sends_the_request_as_it_is_and_returns_any_status() {
        let fake = Fake::start(|_, _| Reply::new(404, "nothing here")).await;
        let mut request = get(fake.url("/path?key=1"), 100);
        request.method = reqwest::Method::POST;
        request.body = Bytes::from_static(b"{\"a\": 1}");
        request.headers = vec![(
            HeaderName::from_static("content-type"),
            HeaderValue::from_static("application/json"),
        )];
        let response = Http::new().unwrap().send(request).await.unwrap();
        assert_eq!((response.status, response.body.as_ref()), (404, b"nothing here".as_slice()));
        let seen = fake.seen();
        assert_eq!(seen[0].path_and_query, "/path?key=1");
        assert_eq!(seen[0].body, b"{\"a\": 1}".as_slice());
        assert_eq!(seen[0].headers["content-type"], "application/json");
        assert_eq!(seen[0].headers["host"], fake.authority());
        assert_eq!(seen[0].headers["user-agent"], USER_AGENT);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let fake =
            Fake::start(|_, _| Reply::new(302, "").header("location", "http://127.0.0.1:1/")).await;
        let response = Http::new().unwrap().send(get(fake.url("/"), 100)).await.unwrap();
        assert_eq!((response.status, fake.seen().len()), (302, 1));
    }

    #[tokio::test]
    async fn the_cap_counts_decompressed_bytes() {
        let bomb = gzipped(&vec![b'0'; 32 << 20]);
        let fake = Fake::start(move |_, _| {
            Reply::new(200, bomb.clone()).header("content-encoding", "gzip")
        })
        .await;
        let answer = Http::new().unwrap().send(get(fake.url("/"), 64 << 10)).await;
        assert_eq!(answer.unwrap_err(), HttpError::TooLarge { cap: 64 << 10 });
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_cap_is_accepted() {
        let packed = gzipped(&[b'x'; 1000]);
        let fake = Fake::start(move |_, _| {
            Reply::new(200, packed.clone()).header("content-encoding", "gzip")
        })
        .await;
        let http = Http::new().unwrap();
        assert_eq!(http.send(get(fake.url("/"), 1000)).await.unwrap().body.len(), 1000);
        assert_eq!(
            http.send(get(fake.url("/"), 999)).await.unwrap_err(),
            HttpError::TooLarge { cap: 999 }
        );
    }

    #[tokio::test]
    async fn broken_answers_are_told_apart_and_name_no_address() {
        type Case = (Vec<u8>, fn(&HttpError) -> bool);
        let truncated = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Respo".to_vec();
        let cases: [Case; 3] = [
            (truncated, |error| matches!(error, HttpError::Body(_))),
            (Vec::new(), |error| matches!(error, HttpError::Reset(_))),
            (b"not http at all\r\n\r\n".to_vec(), |error| matches!(error, HttpError::Reset(_))),
        ];
        for (bytes, expected) in cases {
            let url = crate::client::fake::raw(bytes).await.join("/?key=SECRET123").unwrap();
            let error = Http::new().unwrap().send(get(url, 1000)).await.unwrap_err();
            assert!(expected(&error), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("SECRET123"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_a_connect_error() {
        let url = Url::parse("http://127.0.0.1:1/?key=SECRET123").unwrap();
        let error = Http::new().unwrap().send(get(url, 1000)).await.unwrap_err();
        assert!(matches!(error, HttpError::Connect(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("SECRET123"));
    }

    #[tokio::test]
    async fn an_untrusted_certificate_is_a_tls_error() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let port = crate::client::fake::tls(&key);
        let url = Url::parse(&format!("https://localhost:{port}/?key=SECRET123")).unwrap();
        let error = Http::new().unwrap().send(get(url, 1000)).await.unwrap_err();
        assert!(matches!(error, HttpError::Tls(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_name_that_leads_to_no_receiver_is_refused_when_the_connection_is_made() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let port = crate::client::fake::tls(&key);
        let guard = Guard::asking(|name| {
            let metadata = name.starts_with("metadata");
            let address = if metadata { [169, 254, 169, 254] } else { [127, 0, 0, 1] };
            async move { Ok(vec![(address, 0).into()]) }.boxed()
        });
        let http = Http::with(guard).unwrap();
        let ask = async |name: &str| {
            let url = Url::parse(&format!("https://{name}.test:{port}/?key=SECRET123")).unwrap();
            let error = http.send_guarded(get(url, 10)).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET123"), "{error:?}");
            error
        };
        // There the connection was made: nobody trusts the other side's certificate.
        assert!(matches!(ask("receiver").await, HttpError::Tls(_)));
        let refused =
            "the name of the host leads to a link-local or metadata address, which is refused";
        assert_eq!(ask("metadata").await, HttpError::Invalid(refused.to_owned()));
    }

    #[tokio::test]
    async fn plain_http_goes_to_loopback_only() {
        for address in ["http://example.com/", "http://10.0.0.1/", "ftp://127.0.0.1/"] {
            let error =
                Http::new().unwrap().send(get(Url::parse(address).unwrap(), 10)).await.unwrap_err();
            assert!(matches!(error, HttpError::Invalid(_)), "{address}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_server_is_a_timeout() {
        let url = crate::client::fake::silent().await;
        let mut request = get(url, 10);
        request.timeout = Duration::from_millis(50);
        assert_eq!(Http::new().unwrap().send(request).await.unwrap_err(), HttpError::Timeout);
    }
}

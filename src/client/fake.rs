//! The other side for tests: scripted answers over real sockets, or in process.
#![expect(clippy::disallowed_methods, reason = "tests own the tasks of their servers")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::http::{self, Http, HttpError, Reach, Transport};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns a header as text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A scripted answer.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::new(200, body.to_string())
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers with a script in process, so that a test needs no socket and time may be virtual.
pub(crate) struct InProcess<S>(S);

impl<S: Fn(&Seen) -> Reply + Send + Sync + 'static> InProcess<S> {
    /// Returns a client whose requests end in `script`.
    pub(crate) fn http(script: S) -> Http {
        Http::over(Arc::new(Self(script)))
    }
}

#[async_trait]
impl<S: Fn(&Seen) -> Reply + Send + Sync> Transport for InProcess<S> {
    async fn carry(&self, request: http::Request, _: Reach) -> Result<http::Response, HttpError> {
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let seen = Seen {
            path_and_query: format!("{}{query}", request.url.path()),
            headers: request.headers.into_iter().collect(),
            body: request.body,
        };
        let Reply { status, headers, body } = (self.0)(&seen);
        let headers = headers.into_iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap())
        });
        Ok(http::Response { status, headers: headers.collect(), body })
    }
}

/// A server on loopback that remembers what it was asked.
pub(crate) struct Fake {
    authority: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Fake {
    /// Starts a server that answers with `script`, which gets the request's number from 0.
    pub(crate) async fn start(
        script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let log = Arc::clone(&seen);
        let router = axum::Router::new().fallback(move |request: Request| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move { answer(request, &*script, &log).await }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { authority, seen, server }
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.authority)).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    request: Request,
    script: &(dyn Fn(usize, &Seen) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        path_and_query: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers,
        body: to_bytes(body, 1 << 20).await.unwrap(),
    };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let reply = script(number, &seen);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// Answers every connection with `bytes` and closes it.
pub(crate) async fn raw(bytes: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = socket.read(&mut request).await;
            let written = socket.write_all(&bytes).await;
            let closed = socket.shutdown().await;
            drop((read, written, closed));
        }
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}

/// Accepts connections and says nothing.
pub(crate) async fn silent() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            open.push(socket);
        }
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}

/// Offers TLS with a certificate that nobody trusts, and returns the port.
pub(crate) fn tls(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut server = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            while server.complete_io(&mut socket).is_ok() && server.is_handshaking() {}
        }
    });
    port
}

//! HTTP for sources and channels: what holds for every request, however it travels.

use std::sync::Arc;

use url::Url;

use super::network::Network;
use crate::config::is_loopback;

pub use super::transport::{HttpError, Reach, Request, Response, Transport, Way};

/// The HTTP client. Clones share their connections.
#[derive(Clone)]
pub struct Http {
    transport: Arc<dyn Transport>,
}

impl Http {
    /// Returns a client that trusts the machine's certificate authorities.
    pub fn new() -> Result<Self, String> {
        Ok(Self::over(Arc::new(Network::new()?)))
    }

    /// Returns a client whose requests travel by `transport`.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Returns a client whose requests take another way.
    pub fn by(&self, way: &Way) -> Result<Self, String> {
        Ok(self.transport.by(way)?.map_or_else(|| self.clone(), Self::over))
    }

    /// Sends `request` once and reads the whole answer, whatever its status.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.carry(request, Reach::Anywhere).await
    }

    /// Does the same, and refuses to connect where the name of the host leads to a link-local or metadata address.
    pub async fn send_filtered(&self, request: Request) -> Result<Response, HttpError> {
        self.carry(request, Reach::Receivers).await
    }

    async fn carry(&self, request: Request, reach: Reach) -> Result<Response, HttpError> {
        check(&request.url)?;
        let Request { timeout, cap, .. } = request;
        let carried = tokio::time::timeout(timeout, self.transport.carry(request, reach)).await;
        let response = carried.map_err(|_| HttpError::Timeout)??;
        if response.body.len() > cap { Err(HttpError::TooLarge { cap }) } else { Ok(response) }
    }
}

fn check(url: &Url) -> Result<(), HttpError> {
    match (url.scheme(), is_loopback(url)) {
        ("https", _) | ("http", true) => Ok(()),
        ("http", false) => Err(HttpError::Invalid(
            "plain http is allowed only to a loopback host; use https".into(),
        )),
        _ => Err(HttpError::Invalid("the address must begin with https".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use async_trait::async_trait;
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::client::egress_filter::EgressFilter;
    use crate::client::fake::{Fake, Reply};
    use crate::client::network::USER_AGENT;

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
        let filter = EgressFilter::asking(|name| {
            let metadata = name.starts_with("metadata");
            let address = if metadata { [169, 254, 169, 254] } else { [127, 0, 0, 1] };
            async move { Ok(vec![(address, 0).into()]) }.boxed()
        });
        let http = Http::over(Arc::new(Network::with(filter, &Way::default()).unwrap()));
        let ask = async |name: &str| {
            let url = Url::parse(&format!("https://{name}.test:{port}/?key=SECRET123")).unwrap();
            let error = http.send_filtered(get(url, 10)).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET123"), "{error:?}");
            error
        };
        // There the connection was made: nobody trusts the other side's certificate.
        assert!(matches!(ask("receiver").await, HttpError::Tls(_)));
        let refused =
            "the name of the host leads to a link-local or metadata address, which is refused";
        assert_eq!(ask("metadata").await, HttpError::Invalid(refused.to_owned()));
    }

    /// Answers with its body after a while.
    struct Slow(Duration, &'static [u8]);

    #[async_trait]
    impl Transport for Slow {
        async fn carry(&self, _: Request, _: Reach) -> Result<Response, HttpError> {
            tokio::time::sleep(self.0).await;
            let body = Bytes::from_static(self.1);
            Ok(Response { status: 200, headers: HeaderMap::new(), body })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_and_size_are_kept_whatever_the_transport() {
        let url = Url::parse("https://provider.test/").unwrap();
        for (seconds, body, expected) in [
            (9, "four", Ok(200)),
            (11, "four", Err(HttpError::Timeout)),
            (0, "five!", Err(HttpError::TooLarge { cap: 4 })),
        ] {
            let http = Http::over(Arc::new(Slow(Duration::from_secs(seconds), body.as_bytes())));
            let answer = http.send(get(url.clone(), 4)).await;
            assert_eq!(answer.map(|response| response.status), expected, "{seconds} {body}");
        }
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

//! Who is let in by the web configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::Access;
use super::super::limits::Limits;
use super::client::{Answer, Server, answer, send, start_behind};
use crate::metrics::testing::Known;

/// Certificates and a web configuration in a folder.
pub(super) struct Files(tempfile::TempDir);

impl Files {
    /// Makes an authority, and certificates of it for a server and for a client.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem())
            .unwrap();
        let issuer = Issuer::new(params, key);
        for name in ["localhost", "client.test"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let made = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), made.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, text: &str) {
        std::fs::write(self.path("web.yml"), text).unwrap();
    }

    pub(super) async fn start(&self, text: &str) -> Server {
        self.start_knowing(text, &[]).await
    }

    pub(super) async fn start_knowing(&self, text: &str, known: &[Known]) -> Server {
        self.write(text);
        let access = Access::new(Some(self.path("web.yml")), false).unwrap();
        start_behind(access, known, Limits::default()).await
    }

    /// Makes a TLS connection, with the client's certificate where it is to be shown.
    pub(super) async fn connect(
        &self,
        server: &Server,
        shows: bool,
    ) -> Option<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if shows {
            let chain = vec![CertificateDer::from_pem_file(self.path("client.test.pem")).unwrap()];
            let key = PrivateKeyDer::from_pem_file(self.path("client.test.key")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await.ok()
    }

    /// Asks over TLS.
    pub(super) async fn ask(&self, server: &Server, request: &str, shows: bool) -> Option<Answer> {
        let mut stream = self.connect(server, shows).await?;
        let head = format!("{request} HTTP/1.1\r\nhost: any.example\r\nconnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.ok()?;
        (!bytes.is_empty()).then(|| super::client::parsed(&bytes))
    }
}

pub(super) fn users(password: &str) -> String {
    format!("basic_auth_users:\n  ali: {}\n", bcrypt::hash(password, 4).unwrap())
}

pub(super) fn authorization(text: &str) -> String {
    format!("authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[tokio::test]
async fn a_user_reads_and_changes_and_nobody_else_does() {
    let files = Files::new();
    let mut server = files.start(&users("sesame")).await;
    for wrong in [&[][..], &[authorization("ali:open")], &[authorization("baba:sesame")]] {
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        let refused = server.ask("GET /metrics", &wrong).await;
        assert_eq!(refused.status, 401, "{wrong:?}");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "));
        assert_eq!(server.ask("POST /-/reload", &wrong).await.status, 401);
    }
    let right = authorization("ali:sesame");
    // Names are looked at where nobody knows who asks.
    assert_eq!(server.ask("GET /-/healthy", &[&right, "host: any.example"]).await.status, 200);
    let cross = server.ask("POST /-/reload", &[&right, "sec-fetch-site: cross-site"]).await;
    assert_eq!(cross.status, 403, "a page of another site makes the browser send the password");
    let mut stream = server.connect().await;
    send(&mut stream, "POST /-/reload", &[&right]).await;
    server.reloads.recv().await.unwrap().send(Ok("done".to_owned())).unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn what_the_file_says_is_in_effect_at_once_and_what_is_wrong_in_it_is_not() {
    let files = Files::new();
    let server = files.start(&users("sesame")).await;
    let [old, new] = ["ali:sesame", "ali:other"].map(authorization);
    let ask = async |who: &str| server.ask("GET /-/healthy", &[who]).await.status;
    assert_eq!((ask(&old).await, ask(&new).await), (200, 401));
    for wrong in ["basic_auth_users: {", "", "tls_server_config:\n  cert_file: nowhere\n"] {
        files.write(wrong);
        assert_eq!((ask(&old).await, ask(&new).await), (200, 401), "{wrong}");
    }
    files.write(&format!(
        "{}http_server_config:\n  headers:\n    X-Frame-Options: deny\n",
        users("other")
    ));
    assert_eq!((ask(&old).await, ask(&new).await), (401, 200));
    let healthy = server.ask("GET /-/healthy", &[&new]).await;
    assert_eq!(healthy.header("x-frame-options"), Some("deny"));
}

#[tokio::test]
async fn a_client_shows_a_certificate_that_is_verified() {
    let files = Files::new();
    let tls = "tls_server_config:\n  cert_file: localhost.pem\n  key_file: localhost.key\n  client_ca_file: ca.pem\n  \
               client_auth_type: RequireAndVerifyClientCert\n";
    let server = files.start(tls).await;
    assert!(files.ask(&server, "GET /-/healthy", false).await.is_none());
    assert_eq!(files.ask(&server, "GET /-/healthy", true).await.unwrap().status, 200);
    // It may change something: there is only nobody who would send a test.
    let tested = files.ask(&server, "POST /api/v1/channels/nobody/test", true).await.unwrap();
    assert_eq!(tested.status, 404);
    files.write(&format!("{tls}  client_allowed_sans: [other.test]\n"));
    assert!(files.ask(&server, "GET /-/healthy", true).await.is_none());
    files.write(&format!("{tls}  client_allowed_sans: [other.test, client.test]\n"));
    assert_eq!(files.ask(&server, "GET /-/healthy", true).await.unwrap().status, 200);
    let plain = server.connect().await;
    let mut plain = plain;
    send(&mut plain, "GET /-/healthy", &[]).await;
    let mut bytes = Vec::new();
    drop(tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut bytes).await);
    assert!(!bytes.starts_with(b"HTTP/1.1 200"), "plain HTTP is not spoken any more");
}

#[tokio::test]
async fn tls_with_a_certificate_that_is_renewed_while_it_runs() {
    let files = Files::new();
    let tls = "tls_server_config:\n  cert_file: localhost.pem\n  key_file: localhost.key\n";
    files.write(tls);
    let access = Access::new(Some(files.path("web.yml")), true).unwrap();
    let server = start_behind(access, &[], Limits::default()).await;
    let healthy = async |files: &Files| {
        files.ask(&server, "GET /-/healthy", false).await.map(|answer| answer.status)
    };
    // Whoever is not known asks for a name that is known.
    assert_eq!(healthy(&files).await, Some(421));
    let others = Files::new();
    assert_eq!(healthy(&others).await, None, "signed by another authority");
    for name in ["localhost.pem", "localhost.key"] {
        std::fs::copy(others.path(name), files.path(name)).unwrap();
    }
    assert_eq!(healthy(&others).await, Some(421));
    assert!(Access::new(Some(files.path("web.yml")), false).is_err(), "TLS alone is not enough");
    assert!(Access::new(Some(Path::new("/nowhere").to_owned()), true).is_err());
}

#[tokio::test]
async fn more_requests_than_are_allowed_wait() {
    let files = Files::new();
    let text = format!("{}rate_limit:\n  interval: 1h\n  burst: 2\n", users("x"));
    let server = files.start(&text).await;
    let right = authorization("ali:x");
    let ask = async || server.ask("GET /-/healthy", &[&right]).await;
    assert_eq!((ask().await.status, ask().await.status), (200, 200));
    let refused = ask().await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert_eq!(server.command("GET /-/healthy").await.status, 200, "the socket is not the network");
}

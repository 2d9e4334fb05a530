//! Authorities, certificates and servers that are made for tests.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::expiry::Timestamp;

/// 2026-11-27.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_737_600);

pub(super) type Der = CertificateDer<'static>;

/// An authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn authority_params(name: &str, last_year: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    params
}

/// What a certificate for a server is to be.
pub(super) struct Leaf {
    pub(super) names: Vec<String>,
    pub(super) years: (i32, i32),
}

/// Returns what is valid now, for these names.
pub(super) fn leaf(names: &[&str]) -> Leaf {
    Leaf { names: names.iter().map(|name| (*name).to_owned()).collect(), years: (2025, 2035) }
}

impl Leaf {
    pub(super) fn years(self, first: i32, last: i32) -> Self {
        Self { years: (first, last), ..self }
    }

    fn params(self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params
    }

    pub(super) fn self_signed(self) -> (Der, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (self.params().self_signed(&key).unwrap().der().clone(), key)
    }
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        let params = authority_params(name, 2040);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn below(&self, name: &str, last_year: i32) -> Self {
        let params = authority_params(name, last_year);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(super) fn der(&self) -> Der {
        self.0.der().clone()
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn sign(&self, leaf: Leaf) -> (Der, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (leaf.params().signed_by(&key, &self.0).unwrap().der().clone(), key)
    }
}

/// Returns a configuration that serves these certificates with that key, which need not fit.
pub(super) fn serving(
    chain: Vec<Der>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let certified = CertifiedKey::new(chain, any_supported_type(&key).unwrap());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
}

/// Servers that live as long as this.
#[derive(Default)]
pub(super) struct Servers(JoinSet<()>);

impl Servers {
    /// Serves TLS at an address of loopback; port 0 takes any.
    pub(super) async fn tls(&mut self, at: &str, config: ServerConfig) -> SocketAddr {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        self.with(at, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    drop(stream.read(&mut [0; 1]).await);
                }
            }
        })
        .await
    }

    /// Serves whatever `serve` makes of a connection.
    pub(super) async fn with<F>(
        &mut self,
        at: &str,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> SocketAddr
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        self.0.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream));
            }
        });
        address
    }
}

//! A shop whose certificate was renewed and not rolled out: the new one lies in a file, and the server shows the old one.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use simulator::clock::wall_seconds;
use simulator::fleet::DAY;

pub(crate) const PORT: u16 = 10798;
const NAME: &str = "shop.example";

/// The server, until it is dropped.
pub(crate) struct Shop {
    shown: Arc<Mutex<Arc<ServerConfig>>>,
    renewed: Arc<ServerConfig>,
    _server: JoinSet<()>,
}

impl Shop {
    /// Opens the server. The authority is written to `ca.pem` of the folder, the new certificate into `renewed`.
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let authority = authority()?;
        std::fs::write(folder.join("ca.pem"), authority.pem())?;
        let (_, old) = issue(&authority, -85 * DAY, 5 * DAY)?;
        let (file, renewed) = issue(&authority, -DAY, 89 * DAY)?;
        std::fs::create_dir(folder.join("renewed"))?;
        std::fs::write(folder.join("renewed/shop.pem"), file)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await;
        let listener = listener.with_context(|| format!("port {PORT} of 127.0.0.1"))?;
        let shown = Arc::new(Mutex::new(old));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&shown)));
        Ok(Self { shown, renewed, _server: server })
    }

    /// The new certificate is put where it belongs.
    pub(crate) fn roll_out(&self) -> String {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Arc::clone(&self.renewed);
        format!("{NAME} shows its new certificate at last")
    }
}

async fn serve(listener: TcpListener, shown: Arc<Mutex<Arc<ServerConfig>>>) {
    let mut guests = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let config = Arc::clone(&shown.lock().unwrap_or_else(PoisonError::into_inner));
        guests.spawn(shake_hands(stream, config));
        while guests.try_join_next().is_some() {}
    }
}

async fn shake_hands(stream: TcpStream, config: Arc<ServerConfig>) {
    // Who comes only looks at the certificate.
    drop(TlsAcceptor::from(config).accept(stream).await);
}

fn authority() -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "notafter demo CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(valid(params, -DAY * 100, DAY * 3650), KeyPair::generate()?)?)
}

/// Makes a certificate for the shop. Returns it in PEM, and a server that shows it.
fn issue(
    authority: &CertifiedIssuer<'static, KeyPair>,
    from: i64,
    to: i64,
) -> anyhow::Result<(String, Arc<ServerConfig>)> {
    let mut params = valid(CertificateParams::new([NAME.to_owned()])?, from, to);
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok((certificate.pem(), Arc::new(config)))
}

/// Returns what is valid from and to so many seconds from now.
fn valid(mut params: CertificateParams, from: i64, to: i64) -> CertificateParams {
    let at = |ahead: i64| {
        let seconds = u64::try_from(wall_seconds() + ahead).unwrap_or_default();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (at(from), at(to));
    params
}

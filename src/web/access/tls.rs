//! TLS of the server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use nix::unistd::{User, geteuid};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::Gate;
use crate::config::{ClientAuth, TlsServer};

/// A connection from the network.
pub(in crate::web) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Makes the handshake, where there is one to make. Answers with the connection and whether its client has shown a
    /// certificate that was verified.
    pub(in crate::web) async fn open(stream: TcpStream, gate: &Gate) -> io::Result<(Self, bool)> {
        let Some(tls) = &gate.tls else { return Ok((Self::Plain(stream), false)) };
        let stream = TlsAcceptor::from(Arc::clone(tls)).accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        if !gate.names.is_empty() && !shown.is_some_and(|shown| has_name(shown, &gate.names)) {
            let what = "the client's certificate has none of `client_allowed_sans`";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        let verified = shown.is_some();
        Ok((Self::Tls(Box::new(stream)), verified))
    }
}

/// Returns what TLS is spoken with.
pub(super) fn server(tls: &TlsServer) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(provider(tls)?);
    let versions: Vec<&SupportedProtocolVersion> = match tls.versions() {
        (true, true) => vec![&rustls::version::TLS13, &rustls::version::TLS12],
        (true, false) => vec![&rustls::version::TLS12],
        _ => vec![&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("`cipher_suites`: {error}"))?;
    let auth = tls.client_auth()?;
    let builder = if auth == ClientAuth::None {
        builder.with_no_client_auth()
    } else {
        let roots = Arc::new(authorities(tls)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let verifier =
            if auth == ClientAuth::IfGiven { verifier.allow_unauthenticated() } else { verifier };
        let verifier = verifier.build().map_err(|error| format!("`client_ca`: {error}"))?;
        builder.with_client_cert_verifier(verifier)
    };
    let chain = certificates("cert", &tls.cert, &tls.cert_file)?;
    let mut config = builder
        .with_single_cert(chain, key(tls)?)
        .map_err(|_| "the certificate and its key do not belong together".to_owned())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Returns what is spoken of suites and curves, narrowed down as the file says.
fn provider(tls: &TlsServer) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let name = |suite: &rustls::SupportedCipherSuite| {
            format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
        };
        let plain = |wanted: &String| wanted.trim_end_matches("_SHA256").to_owned();
        let known: Vec<String> = provider.cipher_suites.iter().map(name).collect();
        let is_known =
            |wanted: &&String| known.iter().any(|it| it == *wanted || plain(it) == **wanted);
        if let Some(unknown) = tls.cipher_suites.iter().find(|wanted| !is_known(wanted)) {
            return Err(format!("`cipher_suites`: {unknown:?} is none of {}", known.join(", ")));
        }
        provider.cipher_suites.retain(|suite| {
            let suite = name(suite);
            tls.cipher_suites.iter().any(|wanted| *wanted == suite || *wanted == plain(&suite))
        });
    }
    if !tls.curve_preferences.is_empty() {
        let named = |group: &rustls::NamedGroup| match group {
            rustls::NamedGroup::X25519 => "X25519",
            rustls::NamedGroup::secp256r1 => "CurveP256",
            rustls::NamedGroup::secp384r1 => "CurveP384",
            _ => "",
        };
        provider.kx_groups.retain(|group| {
            tls.curve_preferences.iter().any(|wanted| *wanted == named(&group.name()))
        });
        if provider.kx_groups.is_empty() {
            return Err("`curve_preferences`: none of X25519, CurveP256, CurveP384".to_owned());
        }
    }
    Ok(provider)
}

fn authorities(tls: &TlsServer) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", &tls.client_ca, &tls.client_ca_file)? {
        roots.add(certificate).map_err(|error| format!("`client_ca`: {error}"))?;
    }
    Ok(roots)
}

fn certificates(
    what: &str,
    inline: &str,
    file: &str,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = if file.is_empty() {
        CertificateDer::pem_slice_iter(inline.as_bytes()).collect()
    } else {
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect)
    };
    let place = if file.is_empty() { format!("`{what}`") } else { format!("`{what}_file` {file}") };
    let found = found.map_err(|error| match error {
        pem::Error::Io(error) => unreadable(&place, file, &error),
        error => format!("{place}: {error}"),
    })?;
    if found.is_empty() { Err(format!("{place} holds no certificate in PEM")) } else { Ok(found) }
}

/// Reads the key. What is wrong with it is told without a word of it.
fn key(tls: &TlsServer) -> Result<PrivateKeyDer<'static>, String> {
    if tls.key_file.is_empty() {
        let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes());
        return key.map_err(|_| "`key` holds no private key in PEM".to_owned());
    }
    let place = format!("`key_file` {}", tls.key_file);
    PrivateKeyDer::from_pem_file(&tls.key_file).map_err(|error| match error {
        pem::Error::Io(error) => unreadable(&place, &tls.key_file, &error),
        _ => format!("{place} holds no private key in PEM"),
    })
}

/// Says why a file cannot be read, and what to do where that is not allowed: root wrote it, and the daemon is another user.
fn unreadable(place: &str, file: &str, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return format!("{place} cannot be read: {error}");
    }
    let user = User::from_uid(geteuid()).ok().flatten().map(|user| user.name);
    let user = user.unwrap_or_else(|| geteuid().to_string());
    format!(
        "{place} cannot be read by `{user}`, as which notafter runs: `sudo chgrp {user} {file} && sudo chmod 640 {file}`"
    )
}

/// Returns whether a certificate has one of these alternative names.
fn has_name(certificate: &CertificateDer<'_>, wanted: &[String]) -> bool {
    let Ok((_, parsed)) = x509_parser::certificate::X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            is_wanted(name)
        }
        GeneralName::IPAddress(bytes) => address(bytes).is_some_and(|address| is_wanted(&address)),
        _ => false,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string())
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_says_who_may_not_and_what_to_do() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = unreadable("`key_file` /k", "/k", &denied);
        let user = User::from_uid(geteuid()).unwrap().unwrap().name;
        assert!(told.ends_with(&format!("`sudo chgrp {user} /k && sudo chmod 640 /k`")), "{told}");
        let key = TlsServer { key_file: "/no/such".to_owned(), ..TlsServer::default() };
        let told = key_error(&key);
        assert_eq!(
            told,
            "`key_file` /no/such cannot be read: No such file or directory (os error 2)"
        );
        let nothing = tempfile::NamedTempFile::new().unwrap();
        let shown = nothing.path().display().to_string();
        let told = key_error(&TlsServer { key_file: shown.clone(), ..TlsServer::default() });
        assert_eq!(told, format!("`key_file` {shown} holds no private key in PEM"));
    }

    fn key_error(tls: &TlsServer) -> String {
        key(tls).unwrap_err()
    }
}

//! The TLS handshake: whatever chain the server sends is read, and nothing is refused for what is in it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error,
    PeerIncompatible, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::expiry::text::printable;

/// Signatures that `ring` cannot check, and that a server may be left to make: its certificates are read all the same.
const UNCHECKED: [SignatureScheme; 4] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::RSA_PKCS1_SHA1,
];

/// What a server sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    /// Its certificates, in its order; never empty.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether it could not show that it holds the key of the first.
    pub(super) wrong_key: bool,
}

/// Shakes hands with any server of TLS 1.2 or 1.3.
pub(super) struct Handshake {
    template: ClientConfig,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Handshake {
    pub(super) fn new() -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let mut template = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("cannot set up TLS: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder::new(algorithms)))
            .with_no_client_auth();
        // A session that is resumed shows no certificates.
        template.resumption = Resumption::disabled();
        Ok(Self { template, algorithms })
    }

    /// Reads the chain that is served for a name. The error says in words why none is.
    ///
    /// A server that asks for a certificate of ours shows its own first, so that what becomes of the handshake after that
    /// does not matter.
    pub(super) async fn read<S>(
        &self,
        stream: S,
        name: &ServerName<'static>,
    ) -> Result<Served, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let recorder = Arc::new(Recorder::new(self.algorithms));
        let mut config = self.template.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as _);
        let ended = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
        if let Some(served) = recorder.take() {
            if let Ok(mut stream) = ended {
                // The server has told what it was asked for; whether it hears the goodbye does not matter.
                drop(stream.shutdown().await);
            }
            return Ok(served);
        }
        Err(ended.err().map_or_else(|| "no certificate was sent".to_owned(), |error| why(&error)))
    }
}

/// Returns in words what kept a handshake from showing a certificate.
fn why(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection in the handshake".to_owned()
        }
        None => error.to_string(),
        Some(error) => refusal(error),
    }
}

fn refusal(error: &Error) -> String {
    let text = match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the server speaks neither TLS 1.2 nor TLS 1.3; older versions cannot be read",
        Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        )
        | Error::PeerIncompatible(_) => {
            "the server has nothing in common with TLS 1.2 and 1.3 as they are spoken today (ECDHE with AES-GCM or \
             ChaCha20-Poly1305); servers of older ciphers and of SM2 certificates cannot be read"
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server knows no such name (unrecognized_name)"
        }
        Error::InvalidMessage(_) => "what answers does not speak TLS",
        error => return printable(&error.to_string()),
    };
    text.to_owned()
}

/// A verifier that keeps what it is shown and refuses nothing.
#[derive(Debug)]
struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    served: Mutex<Option<Served>>,
}

impl Recorder {
    fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms, served: Mutex::default() }
    }

    fn take(&self) -> Option<Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, outcome: Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        let is_wrong =
            |error| matches!(error, Error::InvalidCertificate(CertificateError::BadSignature));
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(served) = served.as_mut() {
            served.wrong_key = outcome.err().is_some_and(is_wrong);
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let owned = |der: &CertificateDer<'_>| der.clone().into_owned();
        let chain = std::iter::once(end_entity).chain(intermediates).map(owned).collect();
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Served { chain, wrong_key: false });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.note(verify_tls12_signature(message, cert, dss, &self.algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.note(verify_tls13_signature(message, cert, dss, &self.algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes().into_iter().chain(UNCHECKED).collect()
    }
}

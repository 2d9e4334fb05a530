//! The authorities that are trusted: those of this machine, and those of `ca_file`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::source::SourceError;
use crate::x509::pem::{self, Block};

/// Bundles of public authorities are a fiftieth of this.
const LARGEST: u64 = 16 << 20;

/// Whom to trust.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) roots: RootCertStore,
    /// Certificates of `ca_file`. A server's own among them is trusted whatever else it is.
    pub(super) pinned: BTreeSet<Vec<u8>>,
}

impl Trusted {
    pub(super) fn of(
        system: Vec<CertificateDer<'static>>,
        own: Vec<CertificateDer<'static>>,
    ) -> Self {
        let pinned = own.iter().map(|der| der.to_vec()).collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system.into_iter().chain(own));
        Self { roots, pinned }
    }
}

/// Where those who are trusted are found.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    ca_file: Option<PathBuf>,
    /// What was in the file when it was last read.
    own: Mutex<Vec<CertificateDer<'static>>>,
}

impl Authorities {
    /// Trusts those of a file as well, which must be there now.
    pub(super) fn with_file(path: &Path) -> Result<Self, String> {
        let own = Mutex::new(read(path)?);
        Ok(Self { ca_file: Some(path.to_owned()), own })
    }

    /// Reads them anew. A file that cannot be read any more counts as it was: not to trust them all of a sudden would be
    /// an alarm about every endpoint.
    pub(super) async fn load(self: &Arc<Self>) -> Result<Trusted, SourceError> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || this.load_now()).await.map_err(|error| {
            SourceError::Unavailable(format!("reading authorities stopped: {error}"))
        })
    }

    fn load_now(&self) -> Trusted {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        match self.ca_file.as_deref().map(read) {
            Some(Ok(read)) => *own = read,
            Some(Err(why)) => tracing::warn!("`ca_file` counts as it was: {why}"),
            None => {}
        }
        let system = rustls_native_certs::load_native_certs();
        if system.certs.is_empty() {
            tracing::warn!(
                "no certificate authorities found on this machine: install ca-certificates"
            );
        }
        Trusted::of(system.certs, own.clone())
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates: Vec<_> = pem::blocks(&text)
        .filter_map(|block| match block {
            Block::Certificate(der) => Some(CertificateDer::from(der)),
            Block::Pkcs7(_) | Block::Other | Block::Broken(_) => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM", path.display()));
    }
    Ok(certificates)
}

//! The authorities that are trusted: those of this machine, and those of `ca_file`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::client::authorities::read;
use crate::source::SourceError;

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

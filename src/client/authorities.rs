//! Certificate authorities in a file, beside those that the machine trusts.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls_pki_types::CertificateDer;

use crate::x509::pem::{self, Block};

/// Bundles of public authorities are a fiftieth of this.
const LARGEST: u64 = 16 << 20;

/// Returns the certificates of a file in PEM, one at least.
pub fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates: Vec<_> = pem::blocks(&text)
        .filter_map(|block| match block {
            Block::Certificate(der) => Some(CertificateDer::from(der)),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM", path.display()));
    }
    Ok(certificates)
}

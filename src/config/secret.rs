//! Where secrets come from. A literal in the configuration is refused.

use secrecy::SecretString;

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file.
    File(std::path::PathBuf),
    /// A file in `$CREDENTIALS_DIRECTORY`, as systemd gives it.
    Credential(String),
}

/// A secret and where it is read from. Files are read again at every use, so that a rotated secret is picked up.
#[derive(Clone, Debug)]
pub struct Secret {
    reference: SecretRef,
}

impl Secret {
    /// Reads the secret, without the white space around it. The error names the place and never the content.
    pub fn read(&self) -> Result<SecretString, String> {
        todo!()
    }
}

//! Who may reach the server over the network: TLS, certificates of clients, users.
//!
//! The file that says so is looked at again at every connection, with the certificates that it names: what changed is in
//! effect at once. One that has become wrong changes nothing, and is said in the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ServerConfig;

use crate::config::{ClientAuth, WebConfig};

mod rate;
mod tls;
mod users;

use rate::Rate;
pub(super) use tls::Connection;
pub(super) use users::Users;
pub(super) use users::name_of;

/// Who may reach the server, as the file says now.
pub struct Access {
    file: Option<PathBuf>,
    /// Whether those whom nobody knows may read.
    open: bool,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    gate: Arc<Gate>,
    stamps: Stamps,
}

/// What tells one state of a file from another: when it was written, how long it is, and which file it is.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>>;

/// One state of the file.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Names of which a client's certificate has one; none when any will do.
    pub(super) names: Vec<String>,
    pub(super) users: Users,
    pub(super) headers: HeaderMap,
    pub(super) rate: Option<Rate>,
}

impl Access {
    /// Reads `file`, if there is one. `open`: the server may be read by those whom nobody knows.
    pub fn new(file: Option<PathBuf>, open: bool) -> Result<Self, String> {
        let (gate, stamps) = match &file {
            Some(file) => load(file, open)?,
            None => (Gate::default(), Stamps::new()),
        };
        let loaded = Mutex::new(Loaded { gate: Arc::new(gate), stamps });
        Ok(Self { file, open, loaded })
    }

    /// Returns what the file says now.
    pub(super) fn gate(&self) -> Arc<Gate> {
        // A panic while it was held cannot leave it half changed.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.file.as_ref().filter(|_| changed(&loaded.stamps)) {
            match load(file, self.open) {
                Ok((gate, stamps)) => {
                    tracing::info!(file = %file.display(), "the web configuration is read again");
                    *loaded = Loaded { gate: Arc::new(gate), stamps };
                }
                Err(error) => {
                    tracing::warn!(
                        file = %file.display(), %error,
                        "the web configuration has changed and is wrong; what it said before is in effect"
                    );
                    loaded.stamps =
                        loaded.stamps.keys().map(|path| (path.clone(), stamp(path))).collect();
                }
            }
        }
        Arc::clone(&loaded.gate)
    }
}

fn load(file: &Path, open: bool) -> Result<(Gate, Stamps), String> {
    // Before they are read: what changes meanwhile is read again.
    let mut stamps = Stamps::from([(file.to_owned(), stamp(file))]);
    let config = WebConfig::read(file)?;
    if !open && !config.authenticates() {
        return Err(
            "it lets in those whom nobody knows, and the address is not a loopback one".to_owned()
        );
    }
    let tls = config.tls_server_config.as_ref();
    stamps.extend(tls.iter().flat_map(|tls| tls.files()).map(|path| (path.clone(), stamp(&path))));
    let rate = config.rate()?.map(|(interval, burst)| Rate::new(interval, burst));
    Ok((
        Gate {
            tls: tls.map(tls::server).transpose()?,
            names: tls
                .filter(|tls| tls.client_auth() == Ok(ClientAuth::Required))
                .map(|tls| tls.client_allowed_sans.clone())
                .unwrap_or_default(),
            users: Users::new(config.users()),
            headers: headers(&config)?,
            rate,
        },
        stamps,
    ))
}

fn headers(config: &WebConfig) -> Result<HeaderMap, String> {
    let pairs = config.http_server_config.headers.iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(name, value)| {
            let wrong = || format!("`headers`: {name:?} has a value that no header can have");
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            Ok((name, value))
        })
        .collect()
}

fn changed(stamps: &Stamps) -> bool {
    stamps.iter().any(|(path, known)| stamp(path) != *known)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), std::os::unix::fs::MetadataExt::ino(&found)))
}

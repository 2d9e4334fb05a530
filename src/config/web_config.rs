//! The file that says who may reach the HTTP server, in the format of Prometheus' exporter-toolkit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// What the file says. Hashes and keys in it are secrets: nothing of them is ever shown.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebConfig {
    /// TLS; without it the server speaks plain HTTP.
    #[serde(default)]
    pub tls_server_config: Option<TlsServer>,
    /// Headers of every answer.
    #[serde(default)]
    pub http_server_config: HttpServer,
    /// Names, each with the bcrypt hash of its password.
    #[serde(default)]
    pub basic_auth_users: Option<BTreeMap<String, String>>,
    /// How many requests are answered.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
}

/// `tls_server_config`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsServer {
    /// The chain, in PEM.
    #[serde(default)]
    pub cert: String,
    /// Its key, in PEM.
    #[serde(default)]
    pub key: String,
    /// The file of the chain.
    #[serde(default)]
    pub cert_file: String,
    /// The file of its key.
    #[serde(default)]
    pub key_file: String,
    /// Whether clients show a certificate.
    #[serde(default)]
    pub client_auth_type: String,
    /// The authorities of clients, in PEM.
    #[serde(default)]
    pub client_ca: String,
    /// The file of the authorities of clients.
    #[serde(default)]
    pub client_ca_file: String,
    /// Alternative names of which a client's certificate has one.
    #[serde(default)]
    pub client_allowed_sans: Vec<String>,
    /// `TLS12` or `TLS13`.
    #[serde(default)]
    pub min_version: String,
    /// `TLS12` or `TLS13`.
    #[serde(default)]
    pub max_version: String,
    /// Suites of TLS 1.2.
    #[serde(default)]
    pub cipher_suites: Vec<String>,
    /// Curves.
    #[serde(default)]
    pub curve_preferences: Vec<String>,
    /// Accepted and without effect: the client's order of suites counts, all of which are good.
    #[serde(default)]
    #[expect(dead_code, reason = "files of others have it")]
    pub prefer_server_cipher_suites: Option<bool>,
}

/// `http_server_config`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpServer {
    /// Accepted and without effect: the server speaks HTTP/1.1.
    #[serde(default)]
    #[expect(dead_code, reason = "files of others have it")]
    pub http2: Option<bool>,
    /// Headers of every answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// `rate_limit`: a bucket of tokens.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The time in which a token comes back; 0 is no limit.
    #[serde(default)]
    pub interval: String,
    /// Tokens at most.
    #[serde(default)]
    pub burst: u32,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// One that is shown is verified.
    IfGiven,
    /// Without one that is verified nobody is served.
    Required,
}

/// Headers that may be set, as exporter-toolkit has it.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];

impl WebConfig {
    /// Reads and checks the file at `path`. What is wrong is told without what the file says.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text).map(|config| config.inside(folder))
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A file without a line says nothing.
        let config: Option<Self> = serde_saphyr::from_str(text).map_err(|error| told(&error))?;
        let config = config.unwrap_or_default();
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(name) = self.http_server_config.headers.keys().find(|name| !is_known(name)) {
            return Err(format!("`headers`: {name:?} is none of {}", HEADERS.join(", ")));
        }
        for (name, hash) in self.basic_auth_users.iter().flatten() {
            if !is_hash(hash) {
                return Err(format!(
                    "`basic_auth_users`: what {name:?} has is no bcrypt hash (`$2y$10$…`)"
                ));
            }
        }
        self.rate()?;
        self.tls_server_config.as_ref().map_or(Ok(()), TlsServer::check)
    }

    /// Returns the users, each with a hash.
    pub fn users(&self) -> BTreeMap<String, String> {
        self.basic_auth_users.clone().unwrap_or_default()
    }

    /// Returns whether nobody is served who is not known.
    pub fn authenticates(&self) -> bool {
        let tls = self.tls_server_config.as_ref();
        let verified = tls.is_some_and(|tls| tls.client_auth() == Ok(ClientAuth::Required));
        verified || !self.users().is_empty()
    }

    /// Returns in which time a request may be made, and how many at once.
    pub fn rate(&self) -> Result<Option<(Duration, u32)>, String> {
        let Some(limit) = &self.rate_limit else { return Ok(None) };
        let interval = match limit.interval.as_str() {
            "" | "0" => Duration::ZERO,
            text => super::duration(text).map_err(|error| format!("`rate_limit`: {error}"))?,
        };
        Ok((!interval.is_zero()).then_some((interval, limit.burst.max(1))))
    }

    /// Returns the same with files that are named from `folder`.
    fn inside(mut self, folder: &Path) -> Self {
        if let Some(tls) = &mut self.tls_server_config {
            for file in [&mut tls.cert_file, &mut tls.key_file, &mut tls.client_ca_file] {
                if !file.is_empty() {
                    *file = folder.join(&*file).to_string_lossy().into_owned();
                }
            }
        }
        self
    }
}

impl TlsServer {
    /// Returns the files that it is made of.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = [&self.cert_file, &self.key_file, &self.client_ca_file].into_iter();
        files.filter(|file| !file.is_empty()).map(PathBuf::from).collect()
    }

    /// Returns whether clients show a certificate.
    pub fn client_auth(&self) -> Result<ClientAuth, String> {
        match self.client_auth_type.as_str() {
            "" | "NoClientCert" => Ok(ClientAuth::None),
            "VerifyClientCertIfGiven" => Ok(ClientAuth::IfGiven),
            "RequireAndVerifyClientCert" => Ok(ClientAuth::Required),
            "RequestClientCert" | "RequireAnyClientCert" => Err(
                "`client_auth_type` would take any certificate: write `RequireAndVerifyClientCert`, or \
                 `VerifyClientCertIfGiven`"
                    .to_owned(),
            ),
            _ => Err("`client_auth_type` is none of `NoClientCert`, `VerifyClientCertIfGiven`, \
                      `RequireAndVerifyClientCert`"
                .to_owned()),
        }
    }

    fn check(&self) -> Result<(), String> {
        either("cert", "cert_file", &self.cert, &self.cert_file)?;
        either("key", "key_file", &self.key, &self.key_file)?;
        let auth = self.client_auth()?;
        let has_ca = !self.client_ca.is_empty() || !self.client_ca_file.is_empty();
        if !self.client_ca.is_empty() && !self.client_ca_file.is_empty() {
            return Err("`client_ca` and `client_ca_file`: one of them is enough".to_owned());
        }
        match (auth, has_ca) {
            (ClientAuth::None, true) => {
                Err("`client_ca` without a `client_auth_type` that asks for certificates"
                    .to_owned())
            }
            (ClientAuth::IfGiven | ClientAuth::Required, false) => {
                Err("`client_auth_type` needs `client_ca_file`".to_owned())
            }
            _ => Ok(()),
        }?;
        if auth != ClientAuth::Required && !self.client_allowed_sans.is_empty() {
            return Err("`client_allowed_sans` needs `RequireAndVerifyClientCert`".to_owned());
        }
        let versions = [
            version("min_version", &self.min_version)?,
            version("max_version", &self.max_version)?,
        ];
        if let [Some(least), Some(most)] = versions
            && least > most
        {
            return Err("`min_version` is above `max_version`".to_owned());
        }
        Ok(())
    }

    /// Returns whether TLS 1.2 and TLS 1.3 are spoken.
    pub fn versions(&self) -> (bool, bool) {
        (self.min_version != "TLS13", self.max_version != "TLS12")
    }
}

fn either(inline: &str, file: &str, text: &str, path: &str) -> Result<(), String> {
    match (text.is_empty(), path.is_empty()) {
        (true, true) => Err(format!("`tls_server_config` needs `{inline}` or `{file}`")),
        (false, false) => Err(format!("`{inline}` and `{file}`: one of them is enough")),
        _ => Ok(()),
    }
}

fn version(key: &str, word: &str) -> Result<Option<u8>, String> {
    match word {
        "" => Ok(None),
        "TLS12" => Ok(Some(2)),
        "TLS13" => Ok(Some(3)),
        "TLS10" | "TLS11" => Err(format!("`{key}`: TLS 1.2 is the oldest that is spoken")),
        _ => Err(format!("`{key}` is `TLS12` or `TLS13`")),
    }
}

fn is_known(name: &str) -> bool {
    HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_hash(text: &str) -> bool {
    let known = ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|version| text.starts_with(version));
    known && text.len() == 60 && text.is_ascii()
}

/// Says where the file is wrong. A parser's own words may quote a hash or a key.
fn told(error: &serde_saphyr::Error) -> String {
    let place = error.location().map(|at| format!("line {}: ", at.line())).unwrap_or_default();
    let plain = error.without_snippet().to_string();
    let unknown = plain.lines().next().filter(|line| line.contains("unknown field"));
    let what = unknown.unwrap_or("this is not as exporter-toolkit's format has it");
    format!("{place}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$abcdefghijklmnopqrstuuK7oQe0Y8hYfM0d6Tq3yH0mB7yqvGqWy";

    fn mistake(text: &str) -> String {
        WebConfig::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn files_as_others_have_them_are_read() {
        let text = format!(
            "# as for any exporter\ntls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n\
             basic_auth_users:\n  alice: {HASH}\n  bob: {HASH}\nrate_limit:\n  interval: \"1s\"\n  burst: 20\n"
        );
        let config = WebConfig::parse(&text).unwrap().inside(Path::new("/etc/x"));
        let tls = config.tls_server_config.as_ref().unwrap();
        assert_eq!(tls.files(), [PathBuf::from("/etc/x/server.crt"), "/etc/x/server.key".into()]);
        assert_eq!((config.users().len(), config.authenticates()), (2, true));
        assert_eq!(config.rate(), Ok(Some((Duration::from_secs(1), 20))));
        assert_eq!((tls.client_auth(), tls.versions()), (Ok(ClientAuth::None), (true, true)));
        let text = "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n  \
                    client_auth_type: RequireAndVerifyClientCert\n  min_version: TLS13\n  cipher_suites:\n  \
                    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n  curve_preferences: [CurveP256]\n  \
                    prefer_server_cipher_suites: true\nhttp_server_config:\n  http2: false\n  headers:\n    \
                    X-Frame-Options: deny\n";
        let config = WebConfig::parse(text).unwrap();
        assert!(config.authenticates());
        assert_eq!(config.tls_server_config.unwrap().versions(), (false, true));
        for empty in ["", "# nothing\n", "basic_auth_users:\n"] {
            assert!(!WebConfig::parse(empty).unwrap().authenticates(), "{empty:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_what_the_file_says() {
        let tls = "tls_server_config:\n  cert_file: a\n  key_file: b\n";
        for (text, part) in [
            ("tls_server_confg: {}", "unknown field"),
            ("tls_server_config:\n  cert_file: a\n", "needs `key` or `key_file`"),
            (&format!("{tls}  cert: inline\n"), "`cert` and `cert_file`"),
            (&format!("{tls}  client_auth_type: Whatever\n"), "is none of `NoClientCert`"),
            (
                &format!("{tls}  client_auth_type: RequireAnyClientCert\n"),
                "would take any certificate",
            ),
            (
                &format!("{tls}  client_auth_type: RequireAndVerifyClientCert\n"),
                "needs `client_ca_file`",
            ),
            (&format!("{tls}  client_ca_file: c\n"), "without a `client_auth_type`"),
            (&format!("{tls}  min_version: TLS10\n"), "TLS 1.2 is the oldest"),
            (&format!("{tls}  min_version: TLS13\n  max_version: TLS12\n"), "is above"),
            (&format!("{tls}  client_allowed_sans: [a]\n"), "needs `RequireAndVerifyClientCert`"),
            ("basic_auth_users:\n  alice: hunter2\n", "\"alice\" has is no bcrypt hash"),
            ("basic_auth_users: hunter2\n", "line 1"),
            (
                "http_server_config:\n  headers:\n    Server: x\n",
                "is none of Content-Security-Policy",
            ),
            ("rate_limit:\n  interval: soon\n", "`rate_limit`"),
            ("a: [hunter2", ""),
        ] {
            let mistake = mistake(text);
            assert!(!mistake.is_empty() && mistake.contains(part), "{text}: {mistake}");
            assert!(!mistake.contains("hunter2"), "{mistake}");
        }
    }
}

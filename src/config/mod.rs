//! TOML becomes a checked [`Config`]; every mistake is reported at once, with its place.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

mod load;
mod server;
mod source;
mod alerts;
mod channel;
mod difference;
mod route;
mod metrics;
mod name;
mod schedule;
mod secret;
mod fields;
mod key;
mod schema;
mod address;
mod duration;
mod size;
mod digest;
mod heartbeat;
mod labels;
mod matcher;
mod mute;
mod hosts;
mod socket;
mod web_config;
mod spelling;
mod mistakes;
mod tree;
mod environment;

pub use address::is_loopback;
pub use difference::{difference, until_restart};
pub use digest::Digest;
pub use duration::duration;
pub use environment::Environment;
pub use fields::Fields;
pub use heartbeat::Heartbeat;
pub use hosts::{HostName, Hosts};
pub use key::{Key, Shape};
pub use load::load;
pub use mistakes::Mistakes;
pub use mute::Mute;
pub use route::RouteTrial;
pub use schedule::Schedule;
pub use schema::{KindKeys, schema};
pub use secret::{Open, Secret, SecretRef};
pub use socket::{Sockets, store_of_the_service};
pub use spelling::{known as one_of, quoted};
pub use tree::Table;
pub use web_config::{ClientAuth, TlsServer, WebConfig};

use chrono_tz::Tz;
use secrecy::SecretString;

use crate::expiry::{Labels, Ladders, Language, Matcher, Reminding};

/// A byte range in the configuration text.
pub type Span = Range<usize>;

/// A value and where it stands in the text.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A table of options that a kind of source or channel reads itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// The table.
    pub table: Table,
    /// Where the table stands, for a mistake about something missing.
    pub span: Span,
    /// Where secrets are looked up.
    pub environment: Environment,
    /// Keys that have been read and taken out; known all the same.
    pub taken: &'static [&'static str],
}

/// Returns how often a kind of source is read whole where its options do not say. `None`: the kind has no `full_scan`.
///
/// The kinds are described where they are, above the configuration, so that it is given this.
pub type FullScanDefault = fn(kind: &str) -> Option<Duration>;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// Where state is kept.
    pub store: StoreUrl,
    /// How many bytes of what happened are kept at most.
    pub audit_max: u64,
    /// Where certificates come from.
    pub sources: Vec<SourceConfig>,
    /// What is worth saying, and when.
    pub alerts: Alerts,
    /// Where messages go.
    pub channels: Vec<ChannelConfig>,
    /// Which events go to which channels.
    pub routes: Vec<Route>,
    /// Who hears how everything stands, and when.
    pub digest: Option<Digest>,
    /// Whom the daemon tells that all is well.
    pub heartbeat: Option<Heartbeat>,
    /// Per-certificate series.
    pub metrics: Metrics,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// The address to listen on.
    pub listen: std::net::SocketAddr,
    /// The base of links in messages.
    pub external_url: Option<url::Url>,
    /// The names under which it may be asked.
    pub hosts: Hosts,
    /// Where the control socket is.
    pub sockets: Sockets,
    /// The file that says who may reach it over the network.
    pub web_config_file: Option<PathBuf>,
    /// Whether those whom nobody knows may read beyond loopback.
    pub allow_unauthenticated: bool,
}

impl Server {
    /// Returns whether those whom nobody knows may read.
    pub const fn is_open(&self) -> bool {
        self.listen.ip().is_loopback() || self.allow_unauthenticated
    }
}

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An `SQLite` file; relative paths are under `$STATE_DIRECTORY` when systemd gives one.
    Sqlite(PathBuf),
}

/// One `[[source]]`.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Unique among sources; a metric label.
    pub name: String,
    /// Which provider.
    pub kind: Placed<String>,
    /// When to read it.
    pub schedule: Schedule,
    /// When to read the whole of it, for kinds that read a near window more often. Read from `options.full_scan`.
    pub full_scan: Option<Schedule>,
    /// Labels of every certificate of it.
    pub labels: Labels,
    /// What the kind reads itself. `full_scan` has been taken out.
    pub options: Options,
}

/// One `[[channel]]`.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// Unique among channels; a metric label.
    pub name: String,
    /// Which service.
    pub kind: Placed<String>,
    /// The language of its messages.
    pub language: Language,
    /// The zone of the times in them.
    pub timezone: Tz,
    /// The proxy that takes its requests; else the environment says. It may hold a password.
    pub proxy: Option<Placed<SecretString>>,
    /// A file with certificate authorities that are trusted beside those of the machine.
    pub ca_file: Option<Placed<PathBuf>>,
    /// The time for one request, connection included.
    pub timeout: Duration,
    /// What the kind reads itself; what every channel can be told has been taken out.
    pub options: Options,
}

/// What is worth saying, and when.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Thresholds before the end.
    pub ladders: Ladders,
    /// How long the first event for a channel waits for others.
    pub group_wait: Duration,
    /// What is said again, and how often; `None`: nothing.
    pub reminding: Option<Reminding>,
    /// The language of messages where a channel does not say.
    pub language: Language,
    /// The zone of the times in messages where a channel does not say.
    pub timezone: Tz,
}

/// One `[[route]]`: which events go to which channels.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// What an event must match; an empty one matches everything.
    pub matcher: Matcher,
    /// Channel names.
    pub channels: Vec<String>,
    /// Whether later routes are tried as well.
    pub continues: bool,
    /// When its warnings wait.
    pub mute: Mute,
}

/// Per-certificate series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// How many certificates of each source have series of their own, soonest first.
    pub max_series_per_source: usize,
    /// How many bytes a scrape may have, by estimate, before compression.
    pub max_scrape_bytes: usize,
    /// The labels of certificates that are shown, by name.
    pub labels: Vec<String>,
    /// Whether it is shown when certificates begin.
    pub not_before: bool,
    /// Whether certificates have the names of x509-certificate-exporter as well.
    pub x509_compat: bool,
}

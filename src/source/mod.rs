//! Where certificates come from: one file per provider, one line in [`KINDS`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::client::{Action, CallError, Class, ClockOffset, Deps, concurrency};
use crate::config::{Fields, Key, KindKeys, Mistakes, Shape, SourceConfig, one_of, quoted};

mod slice;
mod placed;
mod enos;
#[cfg(test)]
mod example;
mod files;
mod tencent;
mod tencent_mqtt;
mod tencent_ssl;
mod tls;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod sent;

pub use crate::expiry::{Bound, Coverage, Span};
pub use slice::{Checkpoint, Page, Places, Slice, Window};
pub use tls::{check_endpoint, of_endpoints};

/// A provider that lists certificates.
///
/// Retries, rates and request metrics live in the client that a source is built with; proof, schedules and
/// absence belong to the scan around it.
#[async_trait]
pub trait Source: Send + Sync {
    /// Lists the slices that make up the source: what has to be read for the whole of it to be known.
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError>;

    /// Returns the scopes that the configuration names, where it names them: no other belongs to the source.
    fn scopes(&self) -> Option<Vec<Arc<str>>> {
        None
    }

    /// Fetches the page of `slice` that starts at `offset`.
    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError>;

    /// Returns how many pages are worth asking for at a time, so that the provider's latency does not eat the rate.
    fn width(&self) -> usize {
        concurrency::LEAST
    }

    /// Asks for one certificate by name, to confirm that it is gone.
    ///
    /// A provider without such a call answers [`Presence::Unknown`], and the scans alone decide.
    async fn confirm(
        &self,
        _scope: &str,
        _issuer: &str,
        _serial: &str,
    ) -> Result<Presence, SourceError> {
        Ok(Presence::Unknown)
    }

    /// Returns what its last answers showed of the provider's clock, where they show anything.
    fn clock_offset(&self) -> Option<ClockOffset> {
        None
    }

    /// Returns what the configuration names and is not there, for who checks it.
    async fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns whether a full scan was broken off that is worth going on with soon.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Returns the endpoints that its provider knows of, wildcards among them, for a source that looks at endpoints. Asked
    /// of kinds alone that name any.
    async fn endpoints(&self) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }

    /// Returns whether its provider can say where it uses the certificates that it lists.
    fn tells_use(&self) -> bool {
        false
    }

    /// Returns where the provider uses certificates of these serials, in their order; nothing of those of which the answer is
    /// to come. What could not be asked is unknown.
    async fn bound(&self, serials: &[String]) -> Vec<Option<Bound>> {
        serials.iter().map(|_| Some(Bound::Unknown)).collect()
    }

    /// Takes checkpoints in: those from before a restart or a reload, and those of each page that was handed on.
    fn restore(&self, _scope: &str, _checkpoints: &[Checkpoint]) {}
}

/// The answer of a point read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The provider still has it.
    Present,
    /// The provider says that it does not have it.
    NotFound,
    /// This provider cannot be asked.
    Unknown,
}

/// Why a page could not be had, by what the caller should do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The provider or the way to it is down; the next tick tries again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The provider is throttling and went on doing so.
    #[error("throttled: {message}")]
    Throttled {
        /// The provider's message.
        message: String,
        /// How long it asked us to wait.
        after: Option<Duration>,
    },
    /// Credentials or permissions are wrong; a person must act.
    #[error("refused: {0}")]
    Refused(String),
    /// The provider answered in a way that its contract does not allow.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The scope does not exist any more, or does not exist here.
    #[error("no such scope: {0}")]
    NoSuchScope(String),
    /// The configuration asks for something that the provider refuses as a request.
    #[error("rejected request: {0}")]
    BadRequest(String),
}

impl SourceError {
    /// Returns whether trying again soon is useless until a person has acted.
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::BadRequest(_) | Self::NoSuchScope(_))
    }
}

impl From<CallError> for SourceError {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        match error.class {
            Class::Throttled => Self::Throttled { message: text, after: error.after },
            Class::Unavailable
            | Class::Timeout
            | Class::Faulty
            | Class::Unknown
            | Class::NotReady => Self::Unavailable(text),
            Class::Clock | Class::Credential | Class::Signature | Class::Refused => {
                Self::Refused(text)
            }
            Class::BadRequest | Class::TooBig => Self::BadRequest(text),
            Class::Gone => Self::NoSuchScope(text),
            Class::Garbled | Class::Malformed => Self::Malformed(text),
        }
    }
}

/// A kind of source: everything about it that others have to know. They ask here, and know no kind by name.
pub struct Kind {
    /// The word after `kind =`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// What may stand in its options, beside `full_scan`.
    pub options: &'static [Key],
    /// Reads the options, reporting every mistake, and builds the source when there is none.
    pub build: fn(&SourceConfig, Fields<'_>, &Context<'_>) -> Option<Arc<dyn Source>>,
    /// Every action that it sends, so that each has a counter from the start.
    pub actions: &'static [Action],
    /// Whether the source can be read by windows of `not_after`, so that `schedule` drives the near one.
    pub windowed: bool,
    /// How often the whole of it is read where the configuration does not say; `None`: whenever it is read at all.
    pub full_scan_default: Option<Duration>,
    /// The one scope that it always has, where that is known without asking.
    pub fixed_scope: Option<&'static str>,
    /// Whether its places are endpoints: what it sees at one is what is served there.
    pub serves: bool,
    /// Whether its provider knows endpoints, so that a source that looks at them may ask it for more.
    pub names_endpoints: bool,
}

/// What a source is built in.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What sources are built with.
    pub deps: &'a Deps,
    /// Every source of the configuration.
    pub sources: &'a [SourceConfig],
}

/// Every kind, sorted by name.
pub const KINDS: &[Kind] = &[
    enos::KIND,
    #[cfg(test)]
    example::KIND,
    files::KIND,
    tencent_mqtt::KIND,
    tencent_ssl::KIND,
    tls::KIND,
];

/// Returns what may stand in the options of each kind.
pub fn keys() -> Vec<KindKeys> {
    let of = |kind: &Kind| {
        let full_scan = kind.full_scan_default.map(|_| FULL_SCAN);
        let options = kind.options.iter().copied().chain(full_scan).collect();
        KindKeys { name: kind.name, about: kind.about, options }
    };
    KINDS.iter().map(of).collect()
}

const FULL_SCAN: Key = Key::new(
    "full_scan",
    Shape::Schedule,
    "When everything is read, and not only what expires soon: `every 24h`, or cron, as in `schedule`. Without it the default of the \
     kind holds: daily for tencent-mqtt, weekly for enos.",
);

/// Returns the kind of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Returns how often a kind is read whole by default: what the configuration has to know.
pub fn full_scan_default(kind: &str) -> Option<Duration> {
    find(kind)?.full_scan_default
}

/// Returns the kind that `config` names, or reports that there is none.
pub fn kind(config: &SourceConfig, mistakes: &mut Mistakes) -> Option<&'static Kind> {
    let found = find(&config.kind.value);
    if found.is_none() {
        let word = &config.kind.value;
        let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        mistakes.push(
            config.kind.span.clone(),
            format!("unknown source kind {}; {}", quoted(word), one_of(word, &known)),
        );
    }
    found
}

/// Builds the source that `config` describes, or reports what is wrong with it.
pub fn build(
    config: &SourceConfig,
    context: &Context<'_>,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn Source>> {
    let kind = kind(config, mistakes)?;
    (kind.build)(config, Fields::new(&config.options, mistakes), context)
}

/// Returns whether an option is not there at all, rather than there and wrong.
fn is_absent(config: &SourceConfig, key: &str) -> bool {
    !config.options.table.contains_key(key)
}

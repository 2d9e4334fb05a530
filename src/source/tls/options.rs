//! The options.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::authorities::Authorities;
use super::endpoint::Endpoint;
use super::look::Addresses;
use crate::config::{Fields, Key, Mistakes, Placed, Shape, SourceConfig};
use crate::source::{Context, KINDS, Source, find};

/// How long each step may take where nothing else is written.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A step that takes longer than this is not going to end.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What may stand in the options.
pub(super) const KEYS: &[Key] = &[
    Key::new(
        "endpoints",
        Shape::Texts,
        "`host` (port 443), `host:port`, `host:port/servername`; in front of what begins without TLS smtp:// (25), imap:// (143), \
         pop3:// (110), ldap:// (389), postgres:// (5432), mysql:// (3306), xmpp:// (5222).",
    ),
    Key::new(
        "endpoints_file",
        Shape::Path,
        "More of them, one a line, `#` before a comment, labels (`team=web`) after the endpoint. Read at each poll.",
    ),
    Key::new(
        "from",
        Shape::Texts,
        "Names of sources that are asked at each poll for more endpoints, of kind tencent-ssl or tencent-mqtt.",
    ),
    Key::new("timeout", Shape::Duration, "How long each step may take; above 0 and at most 1m.")
        .or("\"5s\""),
    Key::new(
        "addresses",
        Shape::Word(&["all", "first"]),
        "Of a name with several addresses: all of them are read (at most 16), or the first that answers.",
    )
    .or("\"all\""),
    Key::new(
        "ca_file",
        Shape::Path,
        "Authorities in PEM that are trusted beside those of this machine.",
    ),
];

/// What the configuration says.
pub(super) struct Options {
    /// Those that are written in the configuration, by their place.
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) endpoints_file: Option<PathBuf>,
    /// Sources that are asked for more, by name.
    pub(super) from: Vec<(String, Arc<dyn Source>)>,
    pub(super) timeout: Duration,
    pub(super) addresses: Addresses,
    pub(super) authorities: Arc<Authorities>,
}

impl Options {
    /// Returns those of a source that looks at these endpoints, everything else as it is where nothing is written.
    pub(super) fn of(endpoints: &[String]) -> Result<Self, String> {
        let read = |text: &String| {
            let endpoint = Endpoint::parse(text)?;
            Ok((endpoint.place(), endpoint))
        };
        Ok(Self {
            endpoints: endpoints.iter().map(read).collect::<Result<_, String>>()?,
            endpoints_file: None,
            from: Vec::new(),
            timeout: TIMEOUT,
            addresses: Addresses::All,
            authorities: Arc::default(),
        })
    }
}

/// Reads them, reporting every mistake.
pub(super) fn read(
    config: &SourceConfig,
    mut fields: Fields<'_>,
    context: &Context<'_>,
) -> Option<Options> {
    let endpoints = endpoints(&mut fields);
    let endpoints_file = absolute(&mut fields, "endpoints_file").map(|path| path.value);
    let from = from(&mut fields, context);
    if super::has_none(config) {
        let text =
            "give `endpoints`, such as `[\"example.com:443\"]`, an `endpoints_file`, or `from`";
        fields.mistake(config.options.span.clone(), text);
    }
    let timeout = timeout(&mut fields);
    let addresses = addresses(&mut fields);
    let authorities = authorities(&mut fields);
    fields.finish()?;
    Some(Options { endpoints, endpoints_file, from, timeout, addresses, authorities })
}

fn endpoints(fields: &mut Fields<'_>) -> BTreeMap<String, Endpoint> {
    let mut endpoints = BTreeMap::<String, Endpoint>::new();
    for text in fields.placed_strings("endpoints").map(|list| list.value).unwrap_or_default() {
        match Endpoint::parse(text.value.trim()) {
            Ok(endpoint) => {
                let place = endpoint.place();
                let before = endpoints.insert(place.clone(), endpoint);
                if before.is_some() {
                    fields.mistake(text.span, format!("{place} is named twice"));
                }
            }
            Err(why) => fields.mistake(text.span, why),
        }
    }
    endpoints
}

fn from(fields: &mut Fields<'_>, context: &Context<'_>) -> Vec<(String, Arc<dyn Source>)> {
    let mut sources = Vec::new();
    for name in fields.placed_strings("from").map(|list| list.value).unwrap_or_default() {
        match asked(&name.value, context) {
            Ok(source) => sources.push((name.value, source)),
            Err(why) => fields.mistake(name.span, why),
        }
    }
    sources
}

/// Builds the source of that name once more: whoever asks it need not share it with the one that reads it.
fn asked(name: &str, context: &Context<'_>) -> Result<Arc<dyn Source>, String> {
    let Some(config) = context.sources.iter().find(|source| source.name == name) else {
        return Err(format!("no source has the name `{name}`"));
    };
    let word = &config.kind.value;
    let Some(kind) = find(word).filter(|kind| kind.names_endpoints) else {
        let known = KINDS.iter().filter(|kind| kind.names_endpoints).map(|kind| kind.name);
        let known = known.collect::<Vec<_>>().join(", ");
        return Err(format!("`{name}` ({word}) knows no endpoints; those of kind {known} do"));
    };
    let mut mistakes = Mistakes::default();
    (kind.build)(config, Fields::new(&config.options, &mut mistakes), context)
        .ok_or_else(|| format!("`{name}` has mistakes of its own"))
}

fn timeout(fields: &mut Fields<'_>) -> Duration {
    let Some(timeout) = fields.duration("timeout") else { return TIMEOUT };
    if timeout.value.is_zero() || timeout.value > LONGEST_TIMEOUT {
        fields.mistake(timeout.span, "`timeout` must be above 0 and at most 1m");
    }
    timeout.value
}

fn addresses(fields: &mut Fields<'_>) -> Addresses {
    let Some(word) = fields.string("addresses") else { return Addresses::All };
    match word.value.as_str() {
        "all" => {}
        "first" => return Addresses::First,
        _ => fields.mistake(word.span, "`addresses` is `all` or `first`"),
    }
    Addresses::All
}

fn authorities(fields: &mut Fields<'_>) -> Arc<Authorities> {
    let Some(path) = absolute(fields, "ca_file") else { return Arc::default() };
    match Authorities::with_file(&path.value) {
        Ok(authorities) => return Arc::new(authorities),
        Err(why) => fields.mistake(path.span, format!("`ca_file` {why}")),
    }
    Arc::default()
}

fn absolute(fields: &mut Fields<'_>, key: &'static str) -> Option<Placed<PathBuf>> {
    let path = fields.string(key)?;
    if Path::new(&path.value).is_absolute() {
        return Some(Placed { value: path.value.into(), span: path.span });
    }
    fields.mistake(path.span, format!("`{key}` must begin with `/`"));
    None
}

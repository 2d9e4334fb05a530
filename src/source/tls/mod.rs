//! What servers show in a TLS handshake. The one scope is `all`; a place is `host:port/servername`.
//!
//! Whatever is behind a name is one place: when its addresses serve different certificates, all of these are there, so that
//! an old one counts as gone when the last address has let go of it, and nothing flaps meanwhile.
//!
//! Reading order: `endpoint` (what the configuration names), `list` (what a file names), `wanted` (both, and what other
//! sources name), `page` (all of them in one poll),
//! `look` (one of them), `reach` (the way there), `starttls` and `handshake` (what is spoken), `verdict` and `authorities`
//! (what is wrong with what was served).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Checkpoint, Context, Kind, Page, Slice, Source, SourceError, Window, is_absent};
use crate::client::Deps;
use crate::client::egress_filter::EgressFilter;
use crate::clock::Clock;
use crate::config::{Fields, SourceConfig};

mod starttls;
mod endpoint;
mod list;
mod authorities;
mod handshake;
mod verdict;
mod reach;
mod look;
mod options;
mod wanted;
mod page;

use endpoint::Endpoint;
use handshake::Handshake;
use options::Options;

/// What `kind = "tls"` is. No provider is asked.
pub(super) const KIND: Kind = Kind {
    name: "tls",
    about: "What servers show in a TLS handshake: the certificate that is in use, and the chain that is sent with it.",
    options: options::KEYS,
    build,
    actions: &[],
    windowed: false,
    full_scan_default: None,
    fixed_scope: Some(SCOPE),
    serves: true,
    names_endpoints: false,
};

const SCOPE: &str = "all";

/// Builds the source, or reports what is wrong with its options.
fn build(
    config: &SourceConfig,
    mut fields: Fields<'_>,
    context: &Context<'_>,
) -> Option<Arc<dyn Source>> {
    let handshake = Handshake::new();
    if let Err(why) = &handshake {
        fields.mistake(config.options.span.clone(), why.clone());
    }
    let options = options::read(config, fields, context)?;
    Some(Arc::new(Tls::new(options, handshake.ok()?, context.deps)))
}

/// Returns what looks at these endpoints and needs no configuration, or what is wrong with one of them.
pub fn of_endpoints(endpoints: &[String], deps: &Deps) -> Result<Arc<dyn Source>, String> {
    let options = Options::of(endpoints)?;
    Ok(Arc::new(Tls::new(options, Handshake::new()?, deps)))
}

/// Checks an endpoint; the error says what is wrong with it.
pub fn check_endpoint(text: &str) -> Result<String, String> {
    Endpoint::parse(text).map(|_| text.to_owned())
}

/// Returns whether nothing says what to look at.
fn has_none(config: &SourceConfig) -> bool {
    ["endpoints", "endpoints_file", "from"].iter().all(|key| is_absent(config, key))
}

struct Tls {
    options: Options,
    handshake: Handshake,
    filter: EgressFilter,
    clock: Arc<dyn Clock>,
    /// Notes of the files that ever named endpoints.
    named: Mutex<BTreeSet<String>>,
}

impl Tls {
    fn new(options: Options, handshake: Handshake, deps: &Deps) -> Self {
        let (filter, clock) = (EgressFilter::of_the_system(), Arc::clone(&deps.clock));
        Self { options, handshake, filter, clock, named: Mutex::default() }
    }

    fn named(&self, key: &str) -> bool {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

#[async_trait]
impl Source for Tls {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(vec![Slice::whole(&SCOPE.into(), window, u64::MAX, 0)])
    }

    async fn page(&self, _: &Slice, _: u64) -> Result<Page, SourceError> {
        page::read(self).await
    }

    async fn warnings(&self) -> Vec<String> {
        let Some(path) = self.options.endpoints_file.as_deref() else { return Vec::new() };
        match list::List::read(path) {
            Ok(list) => list.rejected.into_iter().map(|rejected| rejected.what).collect(),
            Err(why) => vec![why],
        }
    }

    fn restore(&self, _: &str, notes: &[Checkpoint]) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in notes {
            if value.is_some() {
                named.insert(key.clone());
            } else {
                named.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

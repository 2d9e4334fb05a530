//! What is known of certificates that a command names: asked of the daemon, or read from the store when none runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use tokio::sync::watch;

use super::Console;
use super::daemon::{Daemon, configured, escaped};
use super::file::open_store;
use crate::catalog::{Catalog, Query};
use crate::clock::SystemClock;
use crate::config::{Config, Environment};
use crate::pipeline;
use crate::source;
use crate::store::{Sqlite, Store};
use crate::web::{Certificate, Certificates};

/// Certificates that one command is about at most.
const MOST: usize = 50;

/// What tells certificates with one serial from each other.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Narrowed {
    /// Only what this source reports.
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,
    /// Only what is in this scope.
    #[arg(long, value_name = "NAME")]
    pub(super) scope: Option<String>,
    /// Only what is in this place: a file, or an endpoint.
    #[arg(long, value_name = "PLACE")]
    pub(super) place: Option<String>,
    /// Only what this issuer has issued.
    #[arg(long, value_name = "NAME")]
    pub(super) issuer: Option<String>,
}

impl Narrowed {
    pub(super) const fn says_nothing(&self) -> bool {
        let Self { source, scope, place, issuer } = self;
        source.is_none() && scope.is_none() && place.is_none() && issuer.is_none()
    }

    fn pairs<'a>(&'a self, serial: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let Self { source, scope, place, issuer } = self;
        let all = [
            ("serial", serial),
            ("source", source.as_deref()),
            ("scope", scope.as_deref()),
            ("place", place.as_deref()),
            ("issuer", issuer.as_deref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Where certificates are known.
pub(super) enum Known {
    /// A daemon that runs.
    Daemon(Daemon),
    /// Its store, when none does.
    Store(Arc<Sqlite>, Arc<Config>),
}

impl Known {
    /// Finds the daemon, else its store.
    pub(super) async fn find(
        place: (&Path, Option<&Path>),
        environment: &Environment,
        console: &mut Console<'_>,
    ) -> anyhow::Result<Self> {
        match configured(place, environment, console).await? {
            (_, Some(daemon)) => Ok(Self::Daemon(daemon)),
            (file, None) => {
                Ok(Self::Store(Arc::new(open_store(&file.config)?), Arc::new(file.config)))
            }
        }
    }

    /// Returns the ids of the certificates that a serial or an id, and what narrows it down, name. At least one.
    pub(super) async fn ids(
        &self,
        certificate: Option<&str>,
        narrowed: &Narrowed,
    ) -> anyhow::Result<Vec<String>> {
        if certificate.is_none() && narrowed.says_nothing() {
            bail!(
                "name a certificate: its serial or its id, or --source, --scope, --place, --issuer"
            );
        }
        if let Some(id) = certificate.filter(|it| is_id(it))
            && self.has(id).await?
        {
            return Ok(vec![id.to_owned()]);
        }
        let ids = self.fitting(&narrowed.pairs(certificate)).await?;
        match ids.len() {
            0 => bail!("no certificate that is known fits; `notafter list` shows those that are"),
            1..=MOST => Ok(ids),
            _ => bail!(
                "more than {MOST} certificates fit; narrow it down with --source, --scope, --place or --issuer"
            ),
        }
    }

    async fn has(&self, id: &str) -> anyhow::Result<bool> {
        match self {
            Self::Daemon(daemon) => {
                let found: Option<Certificate> =
                    daemon.get_if_there(&format!("/api/v1/certificates/{id}")).await?;
                Ok(found.is_some())
            }
            Self::Store(store, config) => {
                Ok(catalog(store, config).await?.one(id).await?.is_some())
            }
        }
    }

    async fn fitting(&self, pairs: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        let limit = (MOST + 1).to_string();
        match self {
            Self::Daemon(daemon) => {
                let parts = pairs.iter().map(|(name, value)| format!("&{name}={}", escaped(value)));
                let query = parts.collect::<Vec<_>>().concat();
                let path = format!("/api/v1/certificates?limit={limit}{query}");
                let found: Certificates = daemon.get(&path).await?;
                Ok(found.items.into_iter().map(|certificate| certificate.id).collect())
            }
            Self::Store(store, config) => {
                let pairs = pairs.iter().copied().chain([("limit", limit.as_str())]);
                let query = Query::read(pairs)
                    .map_err(|it| anyhow::anyhow!("{}: {}", it.parameter, it.detail))?;
                let page = catalog(store, config).await?.list(&query).await?;
                Ok(page.items.iter().map(|entry| entry.facts.id()).collect())
            }
        }
    }
}

/// Returns what a store knows, as a daemon would show it.
pub(super) async fn catalog(store: &Arc<Sqlite>, config: &Arc<Config>) -> anyhow::Result<Catalog> {
    let serves = |kind: &str| source::find(kind).is_some_and(|kind| kind.serves);
    let serving = config.sources.iter().filter(|source| serves(&source.kind.value));
    let serving = serving.map(|source| source.name.as_str());
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    let view = pipeline::known(&*store, serving).await?;
    let (_, view) = watch::channel(Arc::new(view));
    let (_, config) = watch::channel((0, Arc::clone(config)));
    let active = store.snoozes().await?.into_iter().filter(|snooze| snooze.ended.is_none());
    let (_, snoozes) = watch::channel(Arc::new(active.collect()));
    Ok(Catalog::new(view, config, store, Arc::new(SystemClock), snoozes))
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

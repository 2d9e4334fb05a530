//! The configuration of a command: read, built, and its mistakes reported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::Console;
use crate::channel::{self, Channel};
use crate::client::{Deps, NoMeter, http, limiter};
use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config::{
    self, ChannelConfig, Config, Environment, Mistakes, SourceConfig, StoreUrl,
    store_of_the_service,
};
use crate::expiry::Timestamp;
use crate::source::{self, Context, Source};
use crate::store::Sqlite;

const NO_STORE: &str = "no daemon answers on its control socket, and its store is not at hand";

/// What a command says that changes something and finds nobody to ask.
pub(super) const NO_DAEMON: &str = "no daemon answers on its control socket, and only a daemon that runs may change something: start it first";

/// The configuration has mistakes, which were reported.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has mistakes")]
pub(super) struct Mistaken;

/// A configuration file and the mistakes found in it so far.
pub(super) struct File {
    path: String,
    text: String,
    mistakes: Mistakes,
    /// What it says; to be believed after [`File::approve`].
    pub(super) config: Config,
}

impl File {
    /// Reads the file. Where there is nothing to go on with, the reason is reported.
    pub(super) fn read(
        path: &Path,
        environment: &Environment,
        console: &mut Console<'_>,
    ) -> anyhow::Result<Self> {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::of(path, text, environment, console),
            Err(error) => {
                console.err.write_all(format!("{shown}: {error}\n").as_bytes())?;
                Err(Mistaken.into())
            }
        }
    }

    /// Reads the text of a file. Where there is nothing to go on with, the reason is reported.
    pub(super) fn of(
        path: &Path,
        text: String,
        environment: &Environment,
        console: &mut Console<'_>,
    ) -> anyhow::Result<Self> {
        let path = path.display().to_string();
        let (config, mistakes) = config::load(&text, environment, source::full_scan_default);
        let Some(config) = config else {
            console.err.write_all(mistakes.render(&path, &text).as_bytes())?;
            return Err(Mistaken.into());
        };
        Ok(Self { path, text, mistakes, config })
    }

    /// Builds a source, noting the mistakes in its options.
    pub(super) fn source(&mut self, config: &SourceConfig, deps: &Deps) -> Option<Arc<dyn Source>> {
        let context = Context { deps, sources: &self.config.sources };
        source::build(config, &context, &mut self.mistakes)
    }

    /// Builds a channel, noting the mistakes in its options.
    pub(super) fn channel(
        &mut self,
        config: &ChannelConfig,
        deps: &Deps,
    ) -> Option<Arc<dyn Channel>> {
        channel::build(config, deps, &mut self.mistakes)
    }

    /// Builds everything, noting every mistake.
    pub(super) fn build_all(&mut self, deps: &Deps) -> Vec<(SourceConfig, Arc<dyn Source>)> {
        let mut sources = Vec::new();
        for config in self.config.sources.clone() {
            if let Some(source) = self.source(&config, deps) {
                sources.push((config, source));
            }
        }
        for config in self.config.channels.clone() {
            drop(self.channel(&config, deps));
        }
        sources
    }

    /// Reports every mistake and warning. With a mistake there is nothing to go on with.
    pub(super) fn approve(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        let lines = self.mistakes.render(&self.path, &self.text);
        console.err.write_all(lines.as_bytes())?;
        if self.mistakes.errors.is_empty() { Ok(()) } else { Err(Mistaken.into()) }
    }

    /// Returns what the file is called.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns what stands in it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns how many warnings there are.
    pub(super) const fn warnings(&self) -> usize {
        self.mistakes.warnings.len()
    }
}

/// Returns what sources and channels are built with outside the daemon.
pub(super) fn deps() -> anyhow::Result<Deps> {
    Ok(Deps {
        http: http::Http::new().map_err(anyhow::Error::msg)?,
        limiters: limiter::Limiters::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    })
}

/// Opens the store of this configuration, or that of the service under systemd where this one is not there.
pub(super) fn open_store(config: &Config) -> anyhow::Result<Sqlite> {
    let StoreUrl::Sqlite(path) = &config.store;
    let others = [Some(path.clone()), store_of_the_service(path)].into_iter().flatten();
    let there: Option<PathBuf> = others.into_iter().find(|path| path.exists());
    Sqlite::open_read_only(there.as_deref().unwrap_or(path)).context(NO_STORE)
}

/// Returns the time for a command's output.
pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

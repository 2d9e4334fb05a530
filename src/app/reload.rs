//! Another configuration while the daemon runs.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Changeable, Daemon};
use crate::config::{Config, StoreUrl};

/// A request to read the configuration again, and where the answer goes: what was done, or the mistakes.
pub(super) type Reload = oneshot::Sender<Result<String, String>>;

impl Daemon {
    /// Reads the configuration again. Everything is checked before anything is stopped.
    pub(super) async fn reload(&mut self) -> Result<String, String> {
        let now = self.parts.clock.now();
        let plan = self.file.read().inspect_err(|mistakes| {
            self.parts.metrics.reload(false, now);
            tracing::error!("the configuration has mistakes and was not loaded:\n{mistakes}");
        })?;
        let left = unchangeable(&self.started, &plan.config);
        self.watched.follow(&plan.config);
        self.core.reload(&plan).await.map_err(|error| format!("{error:#}"))?;
        self.parts.metrics.reload(true, now);
        match left.as_str() {
            "" => {
                tracing::info!("the configuration was loaded again");
                Ok("the configuration is reloaded".to_owned())
            }
            left => {
                let done = format!("{left}; everything else of the configuration is in effect");
                tracing::warn!("{done}");
                Ok(done)
            }
        }
    }
}

impl Changeable {
    fn follow(&self, config: &Arc<Config>) {
        self.limit.send_replace(config.metrics.max_series_per_source);
        self.hosts.send_replace(Arc::new(config.server.hosts.clone()));
        self.config.send_modify(|(edition, known)| {
            *edition += 1;
            *known = Arc::clone(config);
        });
    }
}

/// Says which settings a running daemon cannot change, although the file has other ones than it `started` with; empty
/// when there are none.
fn unchangeable(started: &Config, wanted: &Config) -> String {
    let StoreUrl::Sqlite(store) = &started.store;
    let access = |config: &Config| (config.server.web_config_file.clone(), config.server.is_open());
    let fixed = [
        (
            access(started) != access(wanted),
            "`server.web_config_file` and `allow_unauthenticated` stay as they are until the next start".to_owned(),
        ),
        (
            started.server.listen != wanted.server.listen,
            format!("`server.listen` stays {} until the next start", started.server.listen),
        ),
        (
            started.store == wanted.store && started.server.sockets != wanted.server.sockets,
            format!(
                "`server.socket` stays {} until the next start",
                started.server.sockets.own.display()
            ),
        ),
        (
            started.store != wanted.store,
            format!("`store.url` stays sqlite:{} until the next start", store.display()),
        ),
    ];
    let left = fixed.into_iter().filter(|(differs, _)| *differs).map(|(_, text)| text);
    left.collect::<Vec<_>>().join("; ")
}

//! Another configuration while the daemon runs.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Changeable, ConfigFile, Daemon};
use crate::config::{Config, until_restart};
use crate::web::{Rehearsal, Rehearsed};

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
        let left = until_restart(&self.started, &plan.config).join("; ");
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

/// Returns what reads another configuration as a reload would, with the secrets that this daemon has. Nothing is changed.
pub(super) fn rehearsal(file: ConfigFile, started: Arc<Config>) -> Rehearsal {
    Arc::new(move |name, text| {
        let plan = file.read_text(name, text)?;
        let until_restart = until_restart(&started, &plan.config);
        Ok(Rehearsed { config: plan.config, until_restart })
    })
}

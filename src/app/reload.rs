//! Another configuration while the daemon runs.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Daemon;

/// A request to read the configuration again, and where the answer goes.
pub(super) type Reload = oneshot::Sender<Result<(), String>>;

impl Daemon {
    /// Reads the configuration again. Everything is checked before anything is stopped.
    pub(super) async fn reload(&mut self) -> Result<(), String> {
        let now = self.parts.clock.now();
        let plan = self.file.read().inspect_err(|mistakes| {
            self.parts.metrics.reload(false, now);
            tracing::error!("the configuration has mistakes and was not loaded:\n{mistakes}");
        })?;
        if plan.config.server.listen != self.config.server.listen
            || plan.config.store != self.config.store
        {
            tracing::warn!("`server.listen` and `store.url` take effect at the next start only");
        }
        self.config = Arc::clone(&plan.config);
        self.limit.send_replace(plan.config.metrics.max_series_per_source);
        self.core.reload(&plan).await.map_err(|error| format!("{error:#}"))?;
        self.parts.metrics.reload(true, now);
        tracing::info!("the configuration was loaded again");
        Ok(())
    }
}

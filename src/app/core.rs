//! The daemon without its edges: pipeline, pollers and outboxes, on whatever clock, chance, store and timers it is given.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::generation::Generation;
use super::plan::Plan;
use super::wiring::{Wires, Wiring};
use crate::channel::LinkKey;
use crate::client::limiter::Limiters;
use crate::clock::Random;
use crate::pipeline::{Command, Pipeline};

/// How long each part of the daemon has to end by itself.
pub(super) const DRAIN: Duration = Duration::from_secs(10);

/// Everything that runs without a listener, signals and systemd. Dropped, it ends at once, as a process that is killed.
pub struct Core {
    wires: Wires,
    pipeline: JoinSet<anyhow::Result<()>>,
    pipeline_stop: CancellationToken,
    generation: Option<Generation>,
    /// The rates that the sources keep.
    limiters: Limiters,
}

impl Core {
    /// Reads the store back and starts the sources and channels of `plan`.
    pub async fn start(wiring: Wiring, plan: &Plan) -> anyhow::Result<Self> {
        let Wiring { wires, outputs, inbox } = wiring;
        let key = wires.parts.store.link_key(fresh_key(&*wires.parts.random)).await;
        wires.link_key.send_replace(Some(key.context("the store cannot be used")?));
        let settings = plan.settings(&*wires.parts.clock);
        let restored = Pipeline::restore(wires.parts.clone(), settings, outputs)
            .await
            .context("the store could not be read back")?;
        let (mut pipeline, pipeline_stop) = (JoinSet::new(), CancellationToken::new());
        let stop = pipeline_stop.clone();
        pipeline.spawn(async move { restored.run(inbox, stop).await });
        let generation = Some(Generation::start(plan, &wires).await?);
        wires.parts.metrics.reload(true, wires.parts.clock.now());
        let limiters = plan.limiters.clone();
        Ok(Self { wires, pipeline, pipeline_stop, generation, limiters })
    }

    /// Waits for a part to end by itself, which none should.
    pub async fn ended(&mut self) -> anyhow::Error {
        tokio::select! {
            biased;
            Some(ended) = self.pipeline.join_next() => early("the pipeline", ended),
            Some(ended) = Generation::ended(&mut self.generation) => early("a poller or an outbox", ended),
            else => anyhow::anyhow!("nothing of the daemon runs any more"),
        }
    }

    /// Goes on with the sources and channels of `plan`; what is known and the ledger stay as they are.
    pub async fn reload(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.stop_generation().await;
        plan.limiters.follow(&self.limiters);
        self.limiters = plan.limiters.clone();
        let parts = &self.wires.parts;
        parts.metrics.reconfigure(&plan.setup(&*parts.clock));
        let settings = Box::new(plan.settings(&*parts.clock));
        if self.wires.commands.send(Command::Reconfigure(settings)).await.is_err() {
            anyhow::bail!("the daemon is stopping");
        }
        self.generation = Some(Generation::start(plan, &self.wires).await?);
        Ok(())
    }

    /// Stops the pollers, and the outboxes once their sends have ended.
    pub async fn stop_generation(&mut self) {
        if let Some(generation) = self.generation.take() {
            generation.stop(DRAIN).await;
        }
    }

    /// Stops in order: no more polls, the outbox ends its sends, the pipeline saves.
    pub async fn stop(mut self) {
        self.stop_generation().await;
        self.wires.timers.stop().await;
        self.pipeline_stop.cancel();
        drain(&mut self.pipeline, "what it had not saved will be read again").await;
    }
}

/// Returns a key that nobody knows.
fn fresh_key(random: &dyn Random) -> LinkKey {
    let mut key = LinkKey::default();
    for part in key.chunks_exact_mut(8) {
        part.copy_from_slice(&random.number().to_be_bytes());
    }
    key
}

/// Waits for tasks that were asked to stop; `late` says what follows from one that does not.
pub(super) async fn drain(tasks: &mut JoinSet<anyhow::Result<()>>, late: &str) {
    let drained = tokio::time::timeout(DRAIN, async {
        while let Some(ended) = tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!("while stopping: {error:#}");
            }
        }
    });
    if drained.await.is_err() {
        tracing::warn!("a part did not stop within {DRAIN:?}; {late}");
    }
}

/// Returns what to say of a part that ended by itself.
pub(super) fn early(what: &str, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("{what} ended early"),
        Ok(Err(error)) => error.context(format!("{what} failed")),
        Err(error) => anyhow::anyhow!("{what} panicked: {error}"),
    }
}

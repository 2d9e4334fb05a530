//! The pollers and outboxes of one configuration; a reload starts the next generation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::plan::{Plan, windowed};
use super::wiring::{self, Wires};
use crate::pipeline::last_reads;
use crate::scan::Feed;
use crate::schedule::{Poller, Timers};

/// The running tasks of one configuration.
pub(super) struct Generation {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    timers: Arc<dyn Timers>,
}

impl Generation {
    /// Starts a poller for every source and an outbox worker for every channel.
    pub(super) async fn start(plan: &Plan, wires: &Wires) -> anyhow::Result<Self> {
        let last = last_reads(&wires.parts.store.scans().await?);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for (config, source) in plan.config.sources.iter().zip(&plan.sources) {
            let poller = Poller {
                source: Arc::clone(source),
                windowed: windowed(&config.kind.value),
                schedule: config.schedule.clone(),
                full_scan: config.full_scan.clone(),
                last: last.get(&config.name).copied().unwrap_or_default(),
                feed: Feed::new(
                    Arc::from(config.name.as_str()),
                    wires.events.clone(),
                    wires.view.clone(),
                ),
                metrics: Arc::clone(&wires.parts.metrics),
                clock: Arc::clone(&wires.parts.clock),
                under_way: wires.under_way.clone(),
            };
            let (timers, stop) = (Arc::clone(&wires.timers), stop.clone());
            let store = Arc::clone(&wires.parts.store);
            tasks.spawn(async move {
                wiring::restore(&*poller.source, &poller.feed, &*store).await?;
                poller.run(timers, stop).await
            });
        }
        let mut generation = Self { tasks, stop, timers: Arc::clone(&wires.timers) };
        generation.start_outboxes(plan, wires);
        if let Some(heartbeat) = plan.heartbeat.clone() {
            let (vital, stop) = (wires.vital.clone(), generation.stop.clone());
            generation.tasks.spawn(heartbeat.run(vital, stop));
        }
        Ok(generation)
    }

    fn start_outboxes(&mut self, plan: &Plan, wires: &Wires) {
        let (reports, heard) = mpsc::channel(16);
        let commands = wires.commands.clone();
        self.tasks.spawn(wiring::forward(heard, commands, self.stop.clone()));
        let shared = wiring::shared(wires, &reports);
        for rounds in wiring::rounds(plan, &shared) {
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                rounds.run(stop).await;
                Ok(())
            });
        }
        let (workers, wakers) = wiring::workers(plan, wires, &shared);
        self.tasks.spawn(wiring::wake(wires.commits.clone(), wakers, self.stop.clone()));
        for worker in workers {
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                worker.run(stop).await;
                Ok(())
            });
        }
    }

    /// Waits for a task of the generation to end; none should while it runs.
    pub(super) async fn ended(
        generation: &mut Option<Self>,
    ) -> Option<Result<anyhow::Result<()>, JoinError>> {
        match generation {
            Some(generation) => generation.tasks.join_next().await,
            None => None,
        }
    }

    /// Stops the tasks, giving sends in flight until the deadline.
    pub(super) async fn stop(mut self, deadline: Duration) {
        self.stop.cancel();
        let drained = tokio::time::timeout(deadline, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!(
                "a send did not end within {deadline:?}; it will be tried again with the same id"
            );
        }
        // Those that did not end are cut off here, so that nothing registers a timer any more.
        self.tasks.abort_all();
        self.timers.clear().await;
    }
}

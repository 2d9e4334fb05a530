//! The pollers and outboxes of one configuration; a reload starts the next generation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::adapt;
use super::plan::{Plan, windowed};
use crate::pipeline::{Command, Parts, last_reads};
use crate::scan::{Feed, ScanEvent};
use crate::schedule::{Cron, Poller};

/// What the tasks of a generation are connected to.
pub(super) struct Wires {
    pub(super) parts: Parts,
    pub(super) events: mpsc::Sender<(Arc<str>, ScanEvent)>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) outbox: watch::Receiver<u64>,
    /// Whether channels that are down are tested at once.
    pub(super) retest: bool,
}

/// The running tasks of one configuration.
pub(super) struct Generation {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    cron: Cron,
}

impl Generation {
    /// Starts a poller for every source and an outbox worker for every channel.
    pub(super) async fn start(plan: Plan, wires: &Wires) -> anyhow::Result<Self> {
        let last = last_reads(&wires.parts.store.scans().await?);
        let stop = CancellationToken::new();
        let cron = Cron::start().await?;
        let mut tasks = JoinSet::new();
        for (config, source) in plan.config.sources.iter().zip(&plan.sources) {
            let poller = Poller {
                source: Arc::clone(source),
                windowed: windowed(&config.kind.value),
                schedule: config.schedule.clone(),
                full_scan: config.full_scan.clone(),
                last: last.get(&config.name).copied().unwrap_or_default(),
                feed: Feed::new(Arc::from(config.name.as_str()), wires.events.clone()),
                metrics: Arc::clone(&wires.parts.metrics),
                clock: Arc::clone(&wires.parts.clock),
            };
            let (cron, stop) = (cron.clone(), stop.clone());
            let store = Arc::clone(&wires.parts.store);
            tasks.spawn(async move {
                let Feed { source: name, checkpoints, .. } = &poller.feed;
                adapt::restore(&*poller.source, name, &*store, checkpoints).await?;
                poller.run(cron, stop).await
            });
        }
        Self::start_outboxes(&plan, wires, &mut tasks, &stop);
        Ok(Self { tasks, stop, cron })
    }

    fn start_outboxes(
        plan: &Plan,
        wires: &Wires,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        stop: &CancellationToken,
    ) {
        let (reports, heard) = mpsc::channel(16);
        let commands = wires.commands.clone();
        tasks.spawn(adapt::forward(heard, commands, stop.clone()));
        for worker in adapt::workers(plan, wires, &reports) {
            let stop = stop.clone();
            tasks.spawn(async move {
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
        self.cron.stop().await;
    }
}

//! Joins parts that do not know each other.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::generation::Wires;
use super::plan::Plan;
use crate::expiry::{Facts, RowId, Timestamp};
use crate::metrics::{DaemonMetrics, Names, NamesError};
use crate::outbox::{Pacers, Report, Settings, Shared, Watcher, Worker};
use crate::pipeline::{Command, Health};
use crate::scan::Checkpoints;
use crate::source::{Checkpoint, Source};
use crate::store::{Note, Store, StoreError};

/// What certificates are called, from the store.
pub(super) struct StoreNames(pub(super) Arc<dyn Store>);

#[async_trait]
impl Names for StoreNames {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        self.0.facts(rows).await.map_err(|error| NamesError(error.to_string()))
    }
}

/// Hands a source and its scans back what they noted before the last restart or reload.
pub(super) async fn restore(
    source: &dyn Source,
    name: &str,
    store: &dyn Store,
    checkpoints: &Checkpoints,
) -> Result<(), StoreError> {
    let mut each = |notes: Vec<Note>| {
        checkpoints.restore(&notes);
        for of_scope in notes.chunk_by(|one, next| one.scope == next.scope) {
            let pairs = of_scope.iter().map(|note| (note.key.clone(), note.value.clone()));
            let pairs: Vec<Checkpoint> = pairs.collect();
            if let Some(first) = of_scope.first() {
                source.restore(&first.scope, &pairs);
            }
        }
    };
    store.each_note(name, &mut each).await
}

/// Counts deliveries in the daemon's own metrics.
struct Counted(Arc<DaemonMetrics>);

impl Watcher for Counted {
    fn notification(&self, channel: &str, outcome: &str) {
        self.0.notification(channel, outcome);
    }

    fn pending(&self, channel: &str, count: u64, oldest: Option<Timestamp>) {
        self.0.pending(channel, count, oldest);
    }

    fn delivered(&self, channel: &str, at: Timestamp) {
        self.0.delivered(channel, at);
    }

    fn up(&self, channel: &str, up: bool) {
        self.0.channel_up(channel, up);
    }
}

/// Returns one outbox worker for each channel of `plan`.
pub(super) fn workers(plan: &Plan, wires: &Wires, reports: &mpsc::Sender<Report>) -> Vec<Worker> {
    let shared = Shared {
        store: Arc::clone(&wires.parts.store),
        clock: Arc::clone(&wires.parts.clock),
        watcher: Arc::new(Counted(Arc::clone(&wires.parts.metrics))),
        random: Arc::clone(&wires.parts.random),
        pacers: Pacers::default(),
        reports: reports.clone(),
        commits: wires.outbox.clone(),
    };
    let external_url = plan.config.server.external_url.as_ref();
    let external_url = external_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let configured = plan.config.channels.iter().zip(&plan.channels);
    configured
        .map(|(config, channel)| {
            let settings = Settings {
                name: config.name.clone(),
                language: config.language,
                group_wait: plan.config.alerts.group_wait,
                external_url: external_url.clone(),
                retest: wires.retest,
            };
            Worker::new(settings, Arc::clone(channel), shared.clone())
        })
        .collect()
}

/// Tells the pipeline what the outboxes report.
pub(super) async fn forward(
    mut reports: mpsc::Receiver<Report>,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let report = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(report) = reports.recv() => report,
            else => return Ok(()),
        };
        let command = match report {
            Report::Down { channel, code, hint } => {
                Command::Channel(channel, Health::Down { code, hint })
            }
            Report::Up { channel } => Command::Channel(channel, Health::Up),
        };
        if commands.send(command).await.is_err() {
            return Ok(());
        }
    }
}

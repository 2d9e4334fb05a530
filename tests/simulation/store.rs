//! The store in memory, whose writes are recorded.

use std::sync::Arc;

use async_trait::async_trait;
use notafter::facade::store::{Call, Commit, Observed, Observer, StoreError};

use super::fate::Fate;
use super::trace::Trace;

/// A store that takes its time and writes what is committed into the trace.
pub(crate) type SimStore = Observed<Scribe>;

/// Writes what is written.
pub(crate) struct Scribe {
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
}

#[async_trait]
impl Observer for Scribe {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        if let Some(what) = written(&call) {
            self.trace.note("store", &what);
            self.fate.latency("store").await;
        }
        Ok(())
    }
}

/// Returns what a call writes, if it does.
fn written(call: &Call<'_>) -> Option<String> {
    Some(match call {
        Call::Commit(commit) => format!("commits {}", summary(commit)),
        Call::Freeze(deliveries, batch, _) => format!("freezes {deliveries:?} as {}", batch.id),
        Call::Settle(channel, batch, update, state) => {
            format!("settles {batch} of {channel}: {update:?} {state:?}")
        }
        Call::SayAgain(channel, at) => format!("says again to {channel} at {at:?}"),
        Call::Pending | Call::ChannelState | Call::Saved => return None,
    })
}

fn summary(commit: &Commit) -> String {
    let rows: Vec<_> = commit.rows.iter().map(|row| &row.sighting.serial).collect();
    format!(
        "rows {rows:?} statuses {:?} removed {:?} ledger {:?} conditions {:?} scans {} posts {:?}",
        commit.statuses,
        commit.removed,
        commit.ledger,
        commit.conditions,
        commit.scans.len(),
        commit.outbox
    )
}

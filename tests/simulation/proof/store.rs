//! The store: what it does is seen, and it fails when the scene says so.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::store::{Call, Observer, StoreError};

use super::scene::StoreFault;
use super::stage::Stage;

pub(crate) struct Seen(pub(crate) Arc<Stage>);

impl Seen {
    fn before_fault(&self) -> Result<(), StoreError> {
        match self.0.store_fault() {
            Some(StoreFault::Full) => Err(StoreError::Full("the disk is full".to_owned())),
            Some(StoreFault::UnavailableBefore) => Err(unavailable()),
            Some(StoreFault::Damaged) => Err(StoreError::Damaged("a broken page".to_owned())),
            _ => Ok(()),
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("input/output error".to_owned())
}

fn shown(call: &Call<'_>) -> String {
    match call {
        Call::Commit(commit) => format!(
            "commits {} rows, {:?}, removes {:?}, ledger {:?}, conditions {:?}, scans {:?}, posts {:?}",
            commit.rows.len(),
            commit.statuses,
            commit.removed,
            commit.ledger,
            commit.conditions,
            commit.scans.len(),
            commit.outbox
        ),
        Call::Freeze(deliveries, batch, _) => format!("freezes {deliveries:?} as {}", batch.id),
        Call::Settle(channel, batch, update, _) => {
            format!("settles {batch} of {channel}: {update:?}")
        }
        Call::SayAgain(channel, at) => {
            format!("says again to {channel} what was given up before {at:?}")
        }
        Call::Pending | Call::ChannelState | Call::Saved => "reads".to_owned(),
    }
}

#[async_trait]
impl Observer for Seen {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        match call {
            Call::Commit(_) | Call::Freeze(..) | Call::Settle(..) => {
                self.0.cross("store", || shown(&call)).await;
                if self.0.store_fault() == Some(StoreFault::Slow) {
                    let millis = self.0.fate.number("slow store") % 20_000;
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                self.before_fault()
            }
            Call::Pending | Call::ChannelState | Call::SayAgain(..) => self.before_fault(),
            Call::Saved => {
                self.0.cross("store", || "is read back".to_owned()).await;
                Ok(())
            }
        }
    }

    async fn after(&self, call: Call<'_>) -> Result<(), StoreError> {
        match &call {
            Call::Commit(commit) => self.0.judge().committed(commit),
            Call::Settle(channel, batch, update, _) => {
                self.0.judge().settled(channel, batch, update);
            }
            _ => {}
        }
        self.0.cross("store", || "has written".to_owned()).await;
        if self.0.store_fault() == Some(StoreFault::UnavailableAfter) {
            Err(unavailable())
        } else {
            Ok(())
        }
    }
}

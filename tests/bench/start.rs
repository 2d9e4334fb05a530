//! A start with a million certificates in the store and no provider that answers.

use std::sync::Arc;
use std::time::Duration;

use notafter::facade::expiry::{ScopeId, Timestamp};
use notafter::facade::store::{Commit, RowWrite, Sqlite, Store as _};
use tokio::time::Instant;

use crate::Options;
use crate::daemon::{Folder, Settings};
use crate::known::{Fleet, NOW};
use crate::process::wait_for;
use crate::provider::INSTANCE;
use crate::report::{Budget, Report};

/// Certificates in the store.
const ROWS: u64 = 1_000_000;
/// Certificates in one transaction.
const STEP: u64 = 20_000;
/// Starts of which one figure is made.
const STARTS: usize = 5;

/// Starts the daemon on a prepared store and waits for a scrape with every certificate in it.
pub(crate) fn measure(_: &Options, report: &mut Report) -> anyhow::Result<()> {
    let folder = Folder::new()?;
    tokio::runtime::Builder::new_multi_thread().build()?.block_on(fill(&folder, ROWS))?;
    let mut seconds = Vec::new();
    let mut memory = 0.0;
    for _ in 0..STARTS {
        let started = Instant::now();
        // Nobody listens on port 1.
        let mut daemon = folder.start(&Settings::once("127.0.0.1:1"))?;
        daemon.ready()?;
        wait_for("a scrape with every certificate", Duration::from_millis(2), || {
            let known = daemon.sum("notafter_certificates{").unwrap_or(0.0);
            Ok(((known - ROWS as f64).abs() < 0.5).then_some(()))
        })?;
        seconds.push(started.elapsed().as_secs_f64());
        memory = daemon.process.memory()?.0;
        daemon.process.stop()?;
    }
    let median = crate::process::percentile(&mut seconds, 0.5);
    let slowest = crate::process::percentile(&mut seconds, 1.0);
    let budget = Budget::AtMost(1.0);
    report.add("start with 1 000 000 certificates to a scrape, median of 5", median, "s", budget);
    report.add("  slowest of 5", slowest, "s", Budget::None);
    report.add("  memory then", memory, "MiB", Budget::None);
    Ok(())
}

/// Puts so many certificates into the store of a daemon.
pub(crate) async fn fill(folder: &Folder, rows: u64) -> anyhow::Result<()> {
    let store = Sqlite::open(&folder.store())?;
    let mut fleet = Fleet::new();
    let scopes = vec![(fleet.scope, Arc::from("iot"), Arc::from(INSTANCE))];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await?;
    for step in 1..=rows.div_ceil(STEP) {
        let scope = fleet.scope;
        let mut writes = Vec::new();
        fleet.each_new((step * STEP).min(rows), |row, sighting| {
            writes.push(written(row, scope, sighting));
        });
        store.commit(Arc::new(Commit { rows: writes, ..Commit::default() })).await?;
    }
    Ok(store.close().await?)
}

fn written(
    row: notafter::facade::expiry::RowId,
    scope: ScopeId,
    sighting: &notafter::facade::expiry::Sighting,
) -> RowWrite {
    let first_seen: Timestamp = NOW;
    RowWrite { row, scope, sighting: sighting.clone(), status: sighting.status, first_seen }
}

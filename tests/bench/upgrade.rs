//! A start on the store of the first release, at the largest size: how long until a scrape has every certificate.

use std::time::Duration;

use anyhow::ensure;
use notafter::facade::expiry::Timestamp;
use rusqlite::{Connection, Transaction, params};
use tokio::time::Instant;

use crate::Options;
use crate::daemon::{Folder, Settings};
use crate::known::{NOW, sighting};
use crate::process::wait_for;
use crate::provider::INSTANCE;
use crate::report::{Budget, Report};

/// The schema as that release left it.
const SCHEMA: [&str; 2] = [
    include_str!("../../src/store/sqlite/schema/0001_initial.sql"),
    include_str!("../../src/store/sqlite/schema/0002_note.sql"),
];
/// One certificate in so many had been notified: those of a month, twice over.
const NOTIFIED: u64 = 10;
/// One notification in so many was not delivered yet.
const PENDING: u64 = 10;
/// What ten million certificates may take, in seconds.
const BUDGET: f64 = 60.0;

/// Starts the daemon on an old store and waits for a scrape with every certificate in it.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rows = options.rows;
    let folder = Folder::new()?;
    let mut store = Connection::open(folder.store())?;
    fill(&mut store, rows)?;
    drop(store);
    let started = Instant::now();
    // Nobody listens on port 1.
    let mut daemon = folder.start(&Settings::once("127.0.0.1:1"))?;
    daemon.ready()?;
    wait_for("a scrape with every certificate", Duration::from_millis(20), || {
        let known = daemon.sum("notafter_certificates{").unwrap_or(0.0);
        Ok(((known - rows as f64).abs() < 0.5).then_some(()))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (_, peak) = daemon.process.memory()?;
    daemon.process.stop()?;
    let budget = Budget::AtMost((BUDGET * rows as f64 / 1e7).max(1.0));
    report.add("upgrade of the first release's store to a scrape", seconds, "s", budget);
    report.add("  projected to 10 million", seconds * 1e7 / rows as f64, "s", Budget::None);
    report.add("  peak of memory meanwhile", peak, "MiB", Budget::None);
    kept(&Connection::open(folder.store())?, rows)
}

/// Nothing that was notified, and nothing that was still to be, is lost.
fn kept(store: &Connection, rows: u64) -> anyhow::Result<()> {
    let count =
        |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let notified = count("SELECT count(*) FROM ledger")?;
    let pending = count("SELECT count(*) FROM delivery WHERE state = 'pending'")?;
    let about = count(
        "SELECT count(*) FROM delivery WHERE state = 'pending' AND certificate_id IS NOT NULL",
    )?;
    let expected = (rows / NOTIFIED, rows / NOTIFIED / PENDING);
    ensure!((notified, pending) == expected, "{notified} notified and {pending} pending are left");
    ensure!(about == pending, "{about} of {pending} know what they are about");
    Ok(())
}

fn fill(store: &mut Connection, rows: u64) -> anyhow::Result<()> {
    store.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    for step in SCHEMA {
        store.execute_batch(step)?;
    }
    store.pragma_update(None, "user_version", i64::try_from(SCHEMA.len())?)?;
    let step = store.transaction()?;
    step.execute("INSERT INTO scope VALUES (1, 'iot', ?1)", [INSTANCE])?;
    for row in 0..rows {
        certificate(&step, row)?;
        if row % NOTIFIED == 0 {
            notified(&step, row)?;
        }
    }
    Ok(step.commit()?)
}

fn certificate(step: &Transaction<'_>, row: u64) -> anyhow::Result<()> {
    let (seen, row) = (sighting(row), row.cast_signed());
    let seconds = |time: Option<Timestamp>| time.map(Timestamp::seconds);
    step.prepare_cached(
        "INSERT INTO certificate (id, scope_id, kind, provider_status, status, not_before, not_after, fingerprint,
            first_seen, issuer, serial, common_name, holder, unit)
         VALUES (?1, 1, 0, 0, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        row,
        seconds(seen.not_before),
        seconds(seen.not_after),
        seen.row_digest().cast_signed(),
        NOW.seconds(),
        seen.issuer,
        seen.serial,
        seen.common_name,
        seen.holder,
        seen.unit,
    ])?;
    Ok(())
}

/// A rung was said of a certificate, to one channel that heard of it or is still to.
fn notified(step: &Transaction<'_>, row: u64) -> anyhow::Result<()> {
    let seen = sighting(row);
    let is_pending = (row / NOTIFIED).is_multiple_of(PENDING);
    let (id, row) = (format!("e{row}"), row.cast_signed());
    let told = if is_pending { "[]" } else { "[\"ops\"]" };
    let state = if is_pending { "pending" } else { "sent" };
    step.prepare_cached("INSERT INTO ledger VALUES (?1, 2592000, ?2, ?3)")?.execute(params![
        row,
        NOW.seconds(),
        told
    ])?;
    let facts = serde_json::json!({
        "source": "iot", "scope": INSTANCE, "issuer": seen.issuer, "serial": seen.serial, "kind": "device",
        "status": "active", "common_name": seen.common_name, "holder": seen.holder, "unit": seen.unit,
        "not_before": seen.not_before.map(Timestamp::seconds), "not_after": seen.not_after.map(Timestamp::seconds),
    });
    let topic =
        serde_json::json!({ "expiring": { "facts": facts, "rung": 2_592_000, "leaves": null } });
    let body = serde_json::json!({
        "id": id, "at": NOW.seconds(), "severity": "warning", "topic": topic,
    });
    step.prepare_cached("INSERT INTO event (number, id, body) VALUES (?1, ?2, ?3)")?
        .execute(params![row, id, body.to_string()])?;
    step.prepare_cached(
        "INSERT INTO delivery (event, channel, state, created_at, settled_at) VALUES (?1, 'ops', ?2, ?3, ?4)",
    )?
    .execute(params![row, state, NOW.seconds(), (!is_pending).then(|| NOW.seconds())])?;
    Ok(())
}

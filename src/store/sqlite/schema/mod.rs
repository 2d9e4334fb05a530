//! The schema, in numbered steps, and bringing a file up to date.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::{Failure, Outcome};

mod strict;

/// Every step, in order. A change of the schema is one more file beside these and one more line here; a step is never
/// edited once it has been released.
#[rustfmt::skip]
pub(super) const STEPS: [&str; 16] = [
    include_str!("0001_initial.sql"),
    include_str!("0002_note.sql"),
    include_str!("0003_place.sql"),
    include_str!("0004_dead.sql"),
    include_str!("0005_mild.sql"),
    include_str!("0006_outbox.sql"),
    include_str!("0007_end_unlisted.sql"),
    include_str!("0008_batch_page.sql"),
    include_str!("0009_names.sql"),
    include_str!("0010_labels.sql"),
    include_str!("0011_reminders.sql"),
    include_str!("0012_replaced.sql"),
    include_str!("0013_snooze.sql"),
    include_str!("0014_audit.sql"),
    include_str!("0015_renewal.sql"),
    include_str!("0016_late.sql"),
];

/// "ntaf", written by the first step.
const APPLICATION_ID: i32 = 0x6e74_6166;

/// Returns the version of the schema in the file, 0 for an empty one, and refuses what this build cannot use.
pub(super) fn version(connection: &Connection) -> Outcome<u32> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = u32::try_from(version)
        .map_err(|_| Failure::Rule(format!("{version} is not a version of the schema")))?;
    refuse_foreign(connection, version)?;
    Ok(version)
}

/// Checks that a file that is not to be migrated has the schema that this build knows.
pub(super) fn check(connection: &Connection) -> Outcome<()> {
    let found = version(connection)?;
    if found < known() {
        return Err(Failure::Unfit(format!(
            "it has schema version {found} and this build needs {}; start the daemon once, it migrates the file",
            known()
        )));
    }
    Ok(())
}

/// Says that the file is about to be changed for good, and how to keep a copy.
pub(super) fn announce(path: &Path, found: u32) {
    if (1..known()).contains(&found) {
        tracing::warn!(
            store = %path.display(),
            from = found,
            to = known(),
            "the store is brought up to date, and earlier releases refuse it afterwards; the way back is a copy that was \
             made with the daemon stopped, or with `sqlite3 STORE \".backup COPY\"`, before this start"
        );
    }
}

/// Takes every step that the file has not seen, each in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, found: u32) -> Outcome<()> {
    for (version, sql) in (1_u32..).zip(STEPS).filter(|(version, _)| *version > found) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let strict = strict::lift(&step)?;
        step.execute_batch(sql)?;
        strict::put_back(&step, &strict)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

fn refuse_foreign(connection: &Connection, version: u32) -> Outcome<()> {
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = owner == 0 && version == 0 && tables == 0;
    if owner != APPLICATION_ID && !fresh {
        let reason = "it is the database of another program; configure another file";
        return Err(Failure::Unfit(reason.to_owned()));
    }
    if version > known() {
        return Err(Failure::TooNew { found: version, known: known() });
    }
    Ok(())
}

//! What a table promises of its types, lifted while a step adds columns.
//!
//! `SQLite` reads a whole `STRICT` table each time that a column is added to it, which is minutes over all steps with ten
//! million certificates. A column without a default changes no row, and the table is as strict afterwards as it was.

use rusqlite::Connection;

use super::super::failure::Outcome;

const PROMISE: &str = " STRICT";

/// Makes tables take columns without being read, and returns their names.
pub(super) fn lift(step: &Connection) -> Outcome<Vec<String>> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%)' || ?1";
    let names: Vec<String> =
        step.prepare(query)?.query_map([PROMISE], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let cut = "UPDATE sqlite_schema SET sql = substr(sql, 1, length(sql) - length(?2)) \
               WHERE type = 'table' AND name = ?1";
    rewrite(step, &names, cut)?;
    Ok(names)
}

/// Makes those of the tables that are still there promise again.
pub(super) fn put_back(step: &Connection, names: &[String]) -> Outcome<()> {
    let add = "UPDATE sqlite_schema SET sql = sql || ?2 \
               WHERE type = 'table' AND name = ?1 AND sql NOT LIKE '%)' || ?2";
    rewrite(step, names, add)
}

fn rewrite(step: &Connection, names: &[String], sql: &str) -> Outcome<()> {
    step.execute_batch("PRAGMA writable_schema = ON")?;
    for name in names {
        step.execute(sql, [name, PROMISE])?;
    }
    step.execute_batch("PRAGMA writable_schema = RESET")?;
    Ok(())
}

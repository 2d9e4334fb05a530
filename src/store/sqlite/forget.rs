//! Dropping what belongs to sources that are no longer configured.
//!
//! In steps of bounded size: ten million certificates in one transaction would write a log as large as the file. Each
//! step may be repeated, and the scopes go last, so a start after a crash goes on where the last one stopped.

use rusqlite::{Transaction, params};

use super::failure::Outcome;

const SCANS: &str = "DELETE FROM scan WHERE source NOT IN (SELECT value FROM json_each(?1))";

const RENEWALS: &str = "DELETE FROM renewal WHERE source NOT IN (SELECT value FROM json_each(?1))";

const LAST: &str = "
    SELECT max(id) FROM certificate WHERE EXISTS
        (SELECT 1 FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1)))";

const LEDGER: &str = "
    DELETE FROM ledger WHERE certificate_id BETWEEN ?2 AND ?3 AND certificate_id IN
        (SELECT id FROM certificate WHERE id BETWEEN ?2 AND ?3 AND scope_id IN
            (SELECT id FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1))))";

const NAMES: &str = "
    INSERT OR IGNORE INTO name_stale (id) SELECT id FROM certificate WHERE id BETWEEN ?2 AND ?3
        AND id < (SELECT until FROM name_index) AND scope_id IN
        (SELECT id FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1)))";

const CERTIFICATES: &str = "
    DELETE FROM certificate WHERE id BETWEEN ?2 AND ?3 AND scope_id IN
        (SELECT id FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1)))";

const SCOPES: &str = "DELETE FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1))";

const CHECKPOINTS: &str = "
    DELETE FROM note WHERE (source, scope, key) IN
        (SELECT source, scope, key FROM note WHERE source NOT IN (SELECT value FROM json_each(?1)) LIMIT ?2)";

const ENDS: &str = "
    DELETE FROM former_end WHERE certificate_id BETWEEN ?2 AND ?3 AND certificate_id IN
        (SELECT id FROM certificate WHERE id BETWEEN ?2 AND ?3 AND scope_id IN
            (SELECT id FROM scope WHERE source NOT IN (SELECT value FROM json_each(?1))))";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] =
    &[SCANS, RENEWALS, LAST, LEDGER, ENDS, NAMES, CERTIFICATES, CHECKPOINTS, SCOPES];

/// Numbers of certificates, or checkpoints, in one step.
const STEP: i64 = 100_000;

/// The sources that stay, in the form that the statements take.
#[derive(Clone)]
pub(super) struct Staying(String);

impl Staying {
    /// Returns the sources as a parameter.
    pub(super) fn new(sources: &[String]) -> Self {
        Self(serde_json::Value::from(sources).to_string())
    }

    /// Drops the scans and what was counted, so that nothing half dropped is taken for proven, and returns the last number to look at;
    /// `None` when there are no certificates to drop.
    pub(super) fn drop_scans(&self, transaction: &Transaction<'_>) -> Outcome<Option<i64>> {
        transaction.prepare_cached(SCANS)?.execute([&self.0])?;
        transaction.prepare_cached(RENEWALS)?.execute([&self.0])?;
        Ok(transaction.prepare_cached(LAST)?.query_row([&self.0], |row| row.get(0))?)
    }

    /// Drops checkpoints, and answers whether there may be more.
    pub(super) fn drop_checkpoints(&self, transaction: &Transaction<'_>) -> Outcome<bool> {
        Ok(transaction.prepare_cached(CHECKPOINTS)?.execute(params![self.0, STEP])? > 0)
    }

    /// Drops certificates and what was notified about them, from this number on, and returns where to go on.
    pub(super) fn drop_certificates(
        &self,
        transaction: &Transaction<'_>,
        from: i64,
    ) -> Outcome<i64> {
        let to = from.saturating_add(STEP - 1);
        transaction.prepare_cached(LEDGER)?.execute(params![self.0, from, to])?;
        transaction.prepare_cached(ENDS)?.execute(params![self.0, from, to])?;
        transaction.prepare_cached(NAMES)?.execute(params![self.0, from, to])?;
        transaction.prepare_cached(CERTIFICATES)?.execute(params![self.0, from, to])?;
        Ok(to.saturating_add(1))
    }

    /// Drops the scopes themselves.
    pub(super) fn drop_scopes(&self, transaction: &Transaction<'_>) -> Outcome<()> {
        transaction.prepare_cached(SCOPES)?.execute([&self.0])?;
        Ok(())
    }
}

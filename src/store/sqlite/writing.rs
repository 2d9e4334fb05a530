//! The connection that writes, one transaction at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::StoreError;
use super::super::durability::Durability;
use super::failure::{Failure, Outcome};
use super::{connection, file};

/// The write-ahead log is cut back to nothing when a commit leaves it longer than this.
const LONG_LOG: u64 = 32 * 1024 * 1024;

/// The connection that writes, and the right to.
pub(super) struct Writing {
    connection: Connection,
    path: Arc<Path>,
    durability: Option<Durability>,
    /// Held for as long as this process may write; let go of after the connection.
    _lock: File,
}

impl Writing {
    /// Opens the file, creates it when it is not there, and brings its schema up to date.
    pub(super) fn open(path: Arc<Path>) -> Result<Self, StoreError> {
        let lock = file::lock(&path)?;
        file::create(&path)?;
        let connection = connection::writing(&path).map_err(|failure| failure.at(&path))?;
        Ok(Self { connection, path, durability: None, _lock: lock })
    }

    /// Does `work` in one transaction: all of it or, when it fails, nothing.
    pub(super) fn transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        self.write(durability, work).map_err(|failure| failure.at(&self.path))
    }

    /// Empties the log and closes the file.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let path = Arc::clone(&self.path);
        self.end().map_err(|failure| failure.at(&path))
    }

    fn write<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        self.recover()?;
        self.set(durability)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        self.trim();
        Ok(value)
    }

    /// Ends a transaction whose rollback failed, on a failing disk, so that the next one can begin.
    fn recover(&self) -> Outcome<()> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// `SQLite` takes this setting only between transactions.
    fn set(&mut self, durability: Durability) -> Outcome<()> {
        if self.durability != Some(durability) {
            self.connection.pragma_update(None, "synchronous", durability.synchronous())?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    fn trim(&self) {
        if file::log_length(&self.path) > LONG_LOG
            && let Err(failure) = self.empty_log()
        {
            tracing::debug!(?failure, "the write-ahead log stays long until the next commit");
        }
    }

    /// Moves the log into the file and cuts it to nothing, unless a reader still needs it.
    fn empty_log(&self) -> Outcome<()> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.busy_timeout(connection::PATIENCE)?;
        Ok(emptied?)
    }

    fn end(self) -> Outcome<()> {
        self.empty_log()?;
        self.connection.close().map_err(|(_, error)| Failure::Sql(error))
    }
}

//! What went wrong, in `SQLite`'s terms, becomes what a person can do about it.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;

use super::super::StoreError;

/// The result of work on a connection.
pub(super) type Outcome<T> = Result<T, Failure>;

/// A failure before it is known which file it belongs to.
#[derive(Debug)]
pub(super) enum Failure {
    /// `SQLite` refused.
    Sql(rusqlite::Error),
    /// What is written, or was to be written, breaks a rule of the store.
    Rule(String),
    /// The file is not one to be used by this build, for this reason.
    Unfit(String),
    /// The file was written by a newer build.
    TooNew {
        /// The version in the file.
        found: u32,
        /// The newest version that this build knows.
        known: u32,
    },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<FromSqlError> for Failure {
    fn from(error: FromSqlError) -> Self {
        Self::Rule(error.to_string())
    }
}

impl Failure {
    /// Returns the store's error for a failure with the file at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            Self::Sql(error) => from_sqlite(&error, &path.to_string()),
            Self::Rule(rule) => StoreError::Damaged(format!("{path}: {rule}")),
            Self::Unfit(reason) => StoreError::Unavailable(format!("{path}: {reason}")),
            Self::TooNew { found, known } => StoreError::TooNew { found, known },
        }
    }
}

fn from_sqlite(error: &rusqlite::Error, path: &str) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Damaged(format!("{path}: {error}"));
    };
    match code {
        ErrorCode::DiskFull => StoreError::Full(format!(
            "{path}: {error}; free some space on its disk, nothing was changed"
        )),
        ErrorCode::ReadOnly => StoreError::Full(format!(
            "{path}: {error}; make the file and its directory writable, nothing was changed"
        )),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(format!(
            "{path}: {error}; stop the daemon and restore a backup, or move the file away: the next start lists \
             everything again, and forgets what was notified"
        )),
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => {
            StoreError::Damaged(format!("{path}: {error}"))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Unavailable(format!(
            "{path}: {error}; another program holds it, close that one"
        )),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => StoreError::Unavailable(format!(
            "{path}: {error}; this user must be able to read and write the file and its directory"
        )),
        ErrorCode::SystemIoFailure => StoreError::Unavailable(format!(
            "{path}: {error}; the disk does not answer as it should, look into the kernel's log"
        )),
        _ => StoreError::Unavailable(format!("{path}: {error}")),
    }
}

//! SQLite.

/// A store in one SQLite file.
pub struct Sqlite;

//! Reads the whole file.

use std::path::Path;

use super::{Config, Mistakes};

/// Reads a configuration from text, reporting every mistake.
pub fn load(text: &str) -> (Option<Config>, Mistakes) {
    todo!()
}

/// Reads a configuration from a file.
pub fn load_file(path: &Path) -> std::io::Result<(String, Option<Config>, Mistakes)> {
    todo!()
}

//! Placeholder: the composition root.

use std::path::PathBuf;

use crate::config::Config;

/// Placeholder.
pub async fn run(_: Config, _: PathBuf) -> anyhow::Result<()> {
    Ok(())
}

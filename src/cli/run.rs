//! `notafter run`: the daemon.

use std::path::Path;

use super::file::{File, deps};
use super::{Console, Exit};
use crate::app;
use crate::config::Environment;

/// Runs the daemon until it is told to end. It does not begin with a configuration that has mistakes.
pub(super) async fn run(
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let Some(mut file) = File::read(path, environment, console)? else {
        return Ok(Exit::Configuration);
    };
    drop(file.build_all(&deps()?));
    if !file.is_good(console)? {
        return Ok(Exit::Configuration);
    }
    app::run(file.config, path.to_owned()).await?;
    Ok(Exit::Done)
}

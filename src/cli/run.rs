//! `notafter run`: the daemon.

use std::path::Path;
use std::sync::Arc;

use super::{Console, Exit};
use crate::app::{App, ConfigFile, Deps, asked_to_end};
use crate::clock::{SystemClock, SystemRandom};
use crate::config::Environment;
use crate::metrics::{DaemonMetrics, Setup};

/// Runs the daemon until it is told to end. It does not begin with a configuration that has mistakes.
pub(super) async fn run(
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let metrics = Arc::new(DaemonMetrics::new(&Setup::default()));
    let file = ConfigFile {
        path: path.to_owned(),
        environment: environment.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        transport: None,
        metrics: Arc::clone(&metrics),
    };
    let plan = match file.read() {
        Ok(plan) => plan,
        Err(mistakes) => {
            console.err.write_all(mistakes.as_bytes())?;
            return Ok(Exit::Configuration);
        }
    };
    plan.warnings.lines().for_each(|warning| tracing::warn!("{warning}"));
    let asked = asked_to_end()?;
    let deps = Deps::open(&plan.config, metrics).await?;
    App::new(deps, file, plan).run(asked).await?;
    Ok(Exit::Done)
}

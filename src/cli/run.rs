//! `notafter run`: the daemon.

use std::path::Path;
use std::sync::Arc;

use super::{Console, Exit};
use crate::app::{App, Plan, asked_to_end};
use crate::client::Meter;
use crate::config::Environment;
use crate::metrics::{DaemonMetrics, Setup};

/// Runs the daemon until it is told to end. It does not begin with a configuration that has mistakes.
pub(super) async fn run(
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let metrics = Arc::new(DaemonMetrics::new(&Setup::default()));
    let meter = Arc::clone(&metrics) as Arc<dyn Meter>;
    let plan = match Plan::read(path, environment, meter) {
        Ok(plan) => plan,
        Err(mistakes) => {
            console.err.write_all(mistakes.as_bytes())?;
            return Ok(Exit::Configuration);
        }
    };
    console.err.write_all(plan.warnings.as_bytes())?;
    let asked = asked_to_end()?;
    App::new(path, environment.clone(), plan, metrics).run(asked).await?;
    Ok(Exit::Done)
}

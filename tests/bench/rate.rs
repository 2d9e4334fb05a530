//! The request rate while scanning, against the configured one.

use std::time::Duration;

use crate::Options;
use crate::daemon::{Folder, Settings};
use crate::process::wait_for;
use crate::provider::Provider;
use crate::report::{Budget, Report};

/// Requests a second.
const RATE: u32 = 50;
/// Seconds over which requests are counted.
const SECONDS: f64 = 12.0;

/// Reads a fleet that takes longer than the measurement, and counts what arrives.
pub(crate) fn measure(_: &Options, report: &mut Report) -> anyhow::Result<()> {
    let mut provider = Provider::start(200_000)?;
    let folder = Folder::new()?;
    let settings = Settings { requests_per_second: RATE, ..Settings::once(&provider.authority) };
    let mut daemon = folder.start(&settings)?;
    daemon.ready()?;
    let told = wait_for("requests for some seconds", Duration::from_millis(50), || {
        let told = provider.ask("asked")?;
        Ok((told["seconds"].as_f64() >= Some(SECONDS)).then_some(told))
    })?;
    daemon.process.stop()?;
    let read = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let busiest = read("busiest_second") / f64::from(RATE) * 100.0;
    report.add("most requests in any second, of 50", busiest, "%", Budget::AtMost(100.0));
    let average = (read("count") - 1.0) / read("seconds") / f64::from(RATE) * 100.0;
    report.add("average over 12 s", average, "%", Budget::Between(98.0, 100.0));
    Ok(())
}

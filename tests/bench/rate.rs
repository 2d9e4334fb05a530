//! The request rate while scanning, against the configured one: of a provider that answers at once, and of a slow one.

use std::time::Duration;

use crate::Options;
use crate::daemon::{Folder, Settings};
use crate::process::wait_for;
use crate::provider::Provider;
use crate::report::{Budget, Report};

/// Seconds' worth of requests after which the full scan is in its middle.
const BEGINNING: u64 = 25;

/// Measures with a provider that answers at once, and with one as far away and as busy as a cloud can be, at the rate
/// that the vendor allows.
pub(crate) fn measure(_: &Options, report: &mut Report) -> anyhow::Result<()> {
    of_provider(50, 0, 12, report)?;
    of_provider(20, 700, 30, report)
}

/// Reads a fleet that takes longer than the measurement, and counts what arrives.
fn of_provider(rate: u32, latency: u64, seconds: u32, report: &mut Report) -> anyhow::Result<()> {
    let mut provider = Provider::start(200_000)?;
    provider.ask(&format!("latency {latency}"))?;
    let folder = Folder::new()?;
    let settings = Settings { requests_per_second: rate, ..Settings::once(&provider.authority) };
    let mut daemon = folder.start(&settings)?;
    daemon.ready()?;
    if latency > 0 {
        // The near window, and then the beginning of the full scan, which counts by one request after the other: a few
        // seconds of a scan that takes minutes or hours.
        let begun = u64::from(rate) * BEGINNING;
        wait_for("the middle of a scan", Duration::from_millis(50), || {
            Ok((provider.ask("asked")?["count"].as_u64() > Some(begun)).then_some(()))
        })?;
        provider.ask("forget")?;
    }
    let asked = wait_for("requests for some seconds", Duration::from_millis(50), || {
        let asked = provider.ask("asked")?;
        Ok((asked["seconds"].as_f64() >= Some(f64::from(seconds))).then_some(asked))
    })?;
    daemon.process.stop()?;
    report.say(&format!("{rate} requests a second, answered after {latency} ms"));
    let read = |name: &str| asked[name].as_f64().unwrap_or(f64::NAN);
    let busiest = read("busiest_second") / f64::from(rate) * 100.0;
    report.add("most requests in any second", busiest, "%", Budget::AtMost(100.0));
    let average = (read("count") - 1.0) / read("seconds") / f64::from(rate) * 100.0;
    report.add(&format!("average over {seconds} s"), average, "%", Budget::Between(98.0, 100.0));
    Ok(())
}

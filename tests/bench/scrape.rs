//! A scrape in which every certificate has series of its own.

use std::collections::HashMap;
use std::io;

use anyhow::ensure;
use async_trait::async_trait;
use notafter::facade::expiry::{Facts, RowId, Sighting};
use notafter::facade::metrics::{Format, Names, NamesError};
use tokio::time::Instant;

use crate::Options;
use crate::known::{Fleet, NOW, exposition};
use crate::process::{forget_peak, own_memory, percentile};
use crate::report::{Budget, Report};

/// Certificates with series.
const SERIES: usize = 100_000;

/// Scrapes once to learn the names, and then as a scraper that comes back.
pub(crate) fn measure(_: &Options, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut fleet, names) = named(SERIES as u64);
    let view = fleet.inventory.view();
    let exposition = exposition();
    let before = own_memory()?.0;
    let scrape = |seconds: i64| -> anyhow::Result<(f64, u64)> {
        let now = NOW.plus(seconds);
        let started = Instant::now();
        let moment = runtime.block_on(exposition.prepare(&view, &names, SERIES, now));
        let Count(bytes) = exposition.write(&moment, Format::Text, Count(0))?;
        Ok((started.elapsed().as_secs_f64() * 1000.0, bytes))
    };
    let (first, bytes) = scrape(0)?;
    ensure!(bytes > 200 * SERIES as u64, "only {bytes} bytes for {SERIES} certificates");
    let (kept, _) = own_memory()?;
    forget_peak()?;
    let mut millis = (1..=20).map(|n| Ok(scrape(n)?.0)).collect::<anyhow::Result<Vec<_>>>()?;
    let (_, peak) = own_memory()?;
    // After a minute the ranking is made again.
    let (ranked, _) = scrape(3600)?;
    report.add(
        "100 000 certificates with series: size",
        bytes as f64 / 1_048_576.0,
        "MiB",
        Budget::None,
    );
    report.add("  the first scrape, which learns the names", first, "ms", Budget::None);
    let budget = Budget::AtMost(20.0);
    report.add("  a scrape, median of 20", percentile(&mut millis, 0.5), "ms", budget);
    report.add("  a scrape, slowest of 20", percentile(&mut millis, 1.0), "ms", Budget::None);
    report.add("  a scrape that ranks again, once a minute", ranked, "ms", Budget::None);
    report.add("  extra memory of a scrape", peak - kept, "MiB", Budget::AtMost(5.0));
    report.add("  memory that keeps the labels", kept - before, "MiB", Budget::None);
    Ok(())
}

/// Returns a fleet and what its certificates are called.
pub(crate) fn named(size: u64) -> (Fleet, InMemory) {
    let mut fleet = Fleet::new();
    let mut names = InMemory(HashMap::new());
    fleet.each_new(size, |row, sighting| {
        names.0.insert(row, facts(sighting));
    });
    (fleet, names)
}

/// Counts what is written and drops it.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names that need no store.
pub(crate) struct InMemory(HashMap<RowId, Facts>);

#[async_trait]
impl Names for InMemory {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        Ok(rows.iter().map(|row| self.0.get(row).cloned()).collect())
    }
}

fn facts(sighting: &Sighting) -> Facts {
    Facts::of("iot".to_owned(), "mqtt-bench".to_owned(), sighting.clone(), sighting.status)
}

//! A whole fleet read through the real daemon, beside what a user would write instead.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::Options;
use crate::daemon::{Daemon, Folder, Settings};
use crate::process::percentile;
use crate::provider::{INSTANCE, Provider};
use crate::report::{Budget, Report, target};
use simulator::fleet::Data;
use simulator::{SECRET_ID, SECRET_KEY};

/// Scans of which one figure is made.
const RESCANS: u32 = 4;
/// What a daemon may weigh without a certificate.
const BASE_MIB: f64 = 40.0;
/// Seconds over which an idle daemon is watched.
const IDLE: u64 = 10;

/// Seconds after which the names of a scan are surely in their index.
const INDEXED_WITHIN: u64 = 600;

/// Scrapes over HTTP of which one figure is made.
const SCRAPES: usize = 200;

/// How long after it is stored a scan may take to be published.
const SOON: Duration = Duration::from_secs(5);

/// The sizes, unless others are asked for. Ratios and budgets are about 100 000 and more: a smaller scan is over before its
/// beginning and end stop counting.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Pages that are under way at a time of a provider that answers fast: of the near window, and of everything.
const UNDER_WAY: f64 = 16.0;

/// The first scan, a scan in which nothing changed, one in which 1 % changed; memory, and idleness. Once for each data set.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for &data in &options.data {
        read_by_size(data, options, report)?;
    }
    if let [one, other] = options.data[..] {
        report.side_by_side([one.as_str(), other.as_str()]);
    }
    Ok(())
}

fn read_by_size(data: Data, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let mut costs = Costs::default();
    let sizes = if options.scales.is_empty() { &SIZES[..] } else { &options.scales };
    for &size in sizes {
        report.of(data.as_str(), size);
        let judged = size >= 100_000;
        // At each size anew: a machine that others use is faster at one time than at another.
        let sdk = if judged { sdk_loop(100_000, data, report)? } else { None };
        let mut run = Run { rows: size as f64, judged, sdk, base: 0.0, report, costs: &mut costs };
        let mut provider = Provider::with(size, data)?;
        let folder = Folder::new()?;
        let ended = run.first(&mut provider, &folder)?;
        run.again(&mut provider, &folder, ended)?;
    }
    for (what, sizes) in [
        ("CPU of the first scan", &costs.first),
        ("CPU of a rescan", &costs.again),
        ("CPU of a rescan, 1 % changed", &costs.changed),
        ("memory", &costs.memory),
    ] {
        report.growth(what, sizes, 1.25);
    }
    Ok(())
}

/// What the SDK's loop does.
#[derive(Clone, Copy)]
struct Sdk {
    /// Rows a second.
    rate: f64,
    /// Seconds of processor time for each row.
    cpu: f64,
}

/// What each row costs, by size: processor time against that of the SDK's loop just before, and memory in bytes.
#[derive(Default)]
struct Costs {
    first: Vec<(u64, f64)>,
    again: Vec<(u64, f64)>,
    changed: Vec<(u64, f64)>,
    memory: Vec<(u64, f64)>,
}

/// Runs the loop over the official SDK, where Python and its packages can be had.
fn sdk_loop(rows: u64, data: Data, report: &mut Report) -> anyhow::Result<Option<Sdk>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("tests/venv")).env("CARGO_TARGET_DIR", target()).status();
    if !made.is_ok_and(|status| status.success()) {
        report.say("tests/venv failed: no ratio to the SDK");
        return Ok(None);
    }
    let provider = Provider::with(rows, data)?;
    let output = Command::new(target().join("venv/bin/python"))
        .arg(root.join("tests/bench/sdk_loop.py"))
        .args([provider.authority.as_str(), SECRET_ID, SECRET_KEY, INSTANCE])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let read = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
    ensure!(read("rows")? >= rows as f64, "the SDK loop read {answer}");
    let rate = read("rows")? / read("seconds")?;
    let cpu = read("cpu_seconds")? / read("rows")?;
    report.add("the SDK loop: rows a second", rate, "1/s", Budget::None);
    report.add("  its CPU per million rows", cpu * 1e6, "s", Budget::None);
    report.add("  its memory", read("rss_mib")?, "MiB", Budget::None);
    report.add("  its scrape", read("scrape_seconds")? * 1000.0, "ms", Budget::None);
    Ok(Some(Sdk { rate, cpu }))
}

struct Run<'a> {
    rows: f64,
    /// Whether there are enough rows to be held against budgets.
    judged: bool,
    sdk: Option<Sdk>,
    /// What the daemon weighs when it begins, in MiB.
    base: f64,
    report: &'a mut Report,
    costs: &'a mut Costs,
}

/// What one scan took.
#[derive(Default)]
struct Took {
    seconds: f64,
    daemon: f64,
    provider: f64,
    /// Bytes.
    written: f64,
    requests: f64,
    /// Connections that were opened.
    connections: f64,
}

/// What a scan may take, of the design's budgets.
struct Most {
    /// Rows a second, in those of the SDK's loop.
    times: f64,
    /// Seconds of processor time for a million rows.
    cpu: f64,
    /// Requests for a hundred rows.
    requests: f64,
}

const FIRST: Most = Most { times: 8.0, cpu: 5.0, requests: 1.15 };
const AGAIN: Most = Most { times: 25.0, cpu: 1.5, requests: 1.05 };

impl Run<'_> {
    fn first(&mut self, provider: &mut Provider, folder: &Folder) -> anyhow::Result<i64> {
        let mut daemon = folder.start(&Settings::once(&provider.authority))?;
        daemon.ready()?;
        self.base = daemon.process.memory()?.0;
        let (started, before) = (Instant::now(), provider.process.cpu()?);
        let near = near_requests(&mut daemon, provider)?;
        let ended = daemon.stored_after(0)?;
        let took = Took {
            seconds: started.elapsed().as_secs_f64(),
            daemon: daemon.process.cpu()?,
            provider: provider.process.cpu()? - before,
            written: daemon.process.written()?,
            requests: provider.asked()?.0 - near,
            connections: provider.asked()?.1,
        };
        self.report("first scan, stored", &took, &FIRST);
        self.costs.first.extend(self.cost(&took));
        self.check(provider, &daemon)?;
        let stored = std::fs::metadata(folder.store())?.len() as f64 / self.rows;
        self.report.add("store, each", stored, "B", Budget::None);
        self.names(&daemon)?;
        self.memory(&daemon)?;
        self.idle(&daemon)?;
        daemon.process.stop()?;
        Ok(ended)
    }

    /// Rescans by interval: what lies between the ends of two scans is one scan and idleness.
    fn again(
        &mut self,
        provider: &mut Provider,
        folder: &Folder,
        ended: i64,
    ) -> anyhow::Result<()> {
        let pause = 2 + (self.rows / 250_000.0) as u64;
        let settings = Settings {
            full_scan: format!("every {pause}s"),
            series: 0,
            ..Settings::once(&provider.authority)
        };
        let mut daemon = folder.start(&settings)?;
        let mut ended = daemon.stored_after(ended)?;
        let took = rescans(&mut daemon, provider, &mut ended, |_| Ok(()))?;
        self.report("rescan, nothing changed", &took, &AGAIN);
        self.costs.again.extend(self.cost(&took));
        self.scrape(&daemon)?;
        let took = rescans(&mut daemon, provider, &mut ended, |provider| {
            provider.ask("switch 100").map(|_| ())
        })?;
        self.tell_plainly("rescan, 1 % changed", &took);
        self.costs.changed.extend(self.cost(&took));
        self.check(provider, &daemon)?;
        daemon.process.stop()
    }

    /// The figures are of nothing unless the daemon knows every certificate, and soon says so.
    fn check(&self, provider: &Provider, daemon: &Daemon<'_>) -> anyhow::Result<()> {
        let there = self.rows + provider.authorities as f64;
        let end = Instant::now() + SOON;
        loop {
            let known = daemon.sum("notafter_certificates{")?;
            if (known - there).abs() < 0.5 {
                break;
            }
            ensure!(Instant::now() < end, "the daemon knows {known} of {there} certificates");
        }
        let proven = format!(
            r#"notafter_source_last_proven_scan_timestamp_seconds{{source="iot",scope="{INSTANCE}",window="all"}} "#
        );
        ensure!(daemon.sample(&proven)? > 0.0, "no scan of everything was proven");
        Ok(())
    }

    fn report(&mut self, what: &str, took: &Took, most: &Most) {
        let rate = self.rows / took.seconds;
        self.report.add(&format!("{what}: rows a second"), rate, "1/s", Budget::None);
        if let Some(sdk) = self.sdk {
            let budget = Budget::AtLeast(most.times);
            self.report.add("  times the SDK loop's", rate / sdk.rate, "x", budget);
        }
        let million = self.rows / 1e6;
        let judged = self.judged;
        let at_most = |most| if judged { Budget::AtMost(most) } else { Budget::None };
        let budget = at_most(most.cpu);
        self.report.add("  CPU per million rows", took.daemon / million, "s", budget);
        self.report.add("  the simulator's", took.provider / million, "s", Budget::None);
        self.report.add("  written, each", took.written / self.rows, "B", Budget::None);
        let requests = took.requests / (self.rows / 100.0);
        self.report.add("  requests for a hundred rows", requests, "", at_most(most.requests));
        let budget = Budget::AtMost(2.0 * UNDER_WAY);
        self.report.add("  connections opened", took.connections, "", budget);
    }

    /// Returns what a row cost, against the SDK's loop.
    fn cost(&self, took: &Took) -> Option<(u64, f64)> {
        self.sdk.map(|sdk| (self.rows as u64, took.daemon / self.rows / sdk.cpu))
    }

    /// Scrapes the daemon as Prometheus does, over HTTP.
    fn scrape(&mut self, daemon: &Daemon<'_>) -> anyhow::Result<()> {
        let mut millis = Vec::with_capacity(SCRAPES);
        for _ in 0..SCRAPES {
            let started = Instant::now();
            daemon.get("/metrics")?.context("no scrape")?;
            millis.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        let slow = percentile(&mut millis, 0.99);
        let what = "scrape of sums over HTTP, while it scans, p99 of 200";
        self.report.add(what, slow, "ms", Budget::AtMost(10.0));
        Ok(())
    }

    fn tell_plainly(&mut self, what: &str, took: &Took) {
        let rate = self.rows / took.seconds;
        self.report.add(&format!("{what}: rows a second"), rate, "1/s", Budget::None);
        let cpu = took.daemon / (self.rows / 1e6);
        self.report.add("  CPU per million rows", cpu, "s", Budget::None);
    }

    fn memory(&mut self, daemon: &Daemon<'_>) -> anyhow::Result<()> {
        let (now, peak) = daemon.process.memory()?;
        let most = BASE_MIB + 72.0 * self.rows / 1024.0 / 1024.0;
        let budget = Budget::AtMost(most);
        self.report.add("memory after the scan and a scrape of 10 000 series", now, "MiB", budget);
        self.report.add("  its peak", peak, "MiB", Budget::AtMost(1.05 * most));
        if self.judged {
            let each = (now - self.base) * 1024.0 * 1024.0 / self.rows;
            self.costs.memory.push((self.rows as u64, each));
        }
        Ok(())
    }

    /// Waits until nothing is done any more: names are brought into their index behind the scans, which is no part of them.
    fn names(&mut self, daemon: &Daemon<'_>) -> anyhow::Result<()> {
        let before = daemon.process.cpu()?;
        let mut after = before;
        for _ in 0..INDEXED_WITHIN {
            let now = after;
            std::thread::sleep(Duration::from_secs(1));
            after = daemon.process.cpu()?;
            if after - now < 0.02 {
                break;
            }
        }
        let each = (after - before) / self.rows * 1e6;
        self.report.add(
            "its names brought into their index: CPU per million rows",
            each,
            "s",
            Budget::None,
        );
        Ok(())
    }

    fn idle(&mut self, daemon: &Daemon<'_>) -> anyhow::Result<()> {
        let before = daemon.process.cpu()?;
        std::thread::sleep(Duration::from_secs(IDLE));
        let share = (daemon.process.cpu()? - before) / IDLE as f64 * 100.0;
        self.report.add("idle", share, "% core", Budget::AtMost(0.2));
        Ok(())
    }
}

/// Waits for the scan of the near window, and returns the requests that were made for it.
///
/// On a cold start it is over before the one of everything begins, whose requests are to be told from its own.
fn near_requests(daemon: &mut Daemon<'_>, provider: &mut Provider) -> anyhow::Result<f64> {
    loop {
        let asked = provider.asked()?.0;
        if daemon.has_stored("near/device")? {
            return Ok(asked);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for a few scans, each after `prepare`, and returns what one of them took.
fn rescans(
    daemon: &mut Daemon<'_>,
    provider: &mut Provider,
    ended: &mut i64,
    prepare: impl Fn(&mut Provider) -> anyhow::Result<()>,
) -> anyhow::Result<Took> {
    let mut took = Took::default();
    for _ in 0..RESCANS {
        prepare(provider)?;
        let (requests, connections) = provider.asked()?;
        let (own, its) = (daemon.process.cpu()?, provider.process.cpu()?);
        let written = daemon.process.written()?;
        *ended = daemon.stored_after(*ended)?;
        took.daemon += daemon.process.cpu()? - own;
        took.provider += provider.process.cpu()? - its;
        took.written += daemon.process.written()? - written;
        let asked = provider.asked()?;
        took.requests += asked.0 - requests;
        took.connections += asked.1 - connections;
        // The daemon's own word for how long it took, since it began by itself.
        let series = r#"notafter_source_scan_duration_seconds{source="iot",window="all"} "#;
        took.seconds += daemon.sample(series)?;
    }
    let scans = f64::from(RESCANS);
    Ok(Took {
        seconds: took.seconds / scans,
        daemon: took.daemon / scans,
        provider: took.provider / scans,
        written: took.written / scans,
        requests: took.requests / scans,
        connections: took.connections / scans,
    })
}

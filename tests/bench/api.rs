//! What somebody who looks waits for: a list, a search, one certificate.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use crate::Options;
use crate::daemon::{Daemon, Folder, Settings};
use crate::process::{percentile, wait_for};
use crate::report::{Budget, Report};
use crate::start;

/// Certificates in the store where nobody says; `--scale 10m` asks for ten million.
const ROWS: u64 = 1_000_000;
/// Requests of each kind.
const REQUESTS: u64 = 200;
/// Milliseconds that one of a hundred may take.
const BUDGET: f64 = 100.0;

/// Asks a daemon that knows many certificates, one request after the other.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rows = options.scales.iter().copied().max().unwrap_or(ROWS);
    let folder = Folder::new()?;
    tokio::runtime::Builder::new_multi_thread().build()?.block_on(start::fill(&folder, rows))?;
    // Nobody listens on port 1.
    let mut daemon = folder.start(&Settings::once("127.0.0.1:1"))?;
    daemon.ready()?;
    report.say(&format!("{rows} certificates"));
    ask(&daemon, report, "a page of the list", |_| "limit=100".to_owned())?;
    let started = Instant::now();
    wait_for("every name is in the index", Duration::from_secs(1), || {
        let page = get(&daemon, "/api/v1/certificates?q=zzzzzz&limit=1")?;
        Ok(page.contains("\"searched_all\":true").then_some(()))
    })?;
    report.add(
        "names brought into their index",
        started.elapsed().as_secs_f64(),
        "s",
        Budget::None,
    );
    ask(&daemon, report, "a page of a status and a month", |number| {
        let month = 1 + number % 12;
        format!("status=active&ends_from=2027-{month:02}-01&ends_to=2027-{month:02}-28&limit=100")
    })?;
    ask(&daemon, report, "a search for a part of a name", |number| {
        format!("q={:06}", number * 4_999 % rows)
    })?;
    ask(&daemon, report, "a search for what nobody has", |number| format!("q=none-{number}"))?;
    one(&daemon, report)?;
    let memory = daemon.process.memory()?.0;
    report.add("memory then", memory, "MiB", Budget::None);
    daemon.process.stop()?;
    Ok(())
}

fn ask(
    daemon: &Daemon<'_>,
    report: &mut Report,
    what: &str,
    query: impl Fn(u64) -> String,
) -> anyhow::Result<()> {
    let mut millis = Vec::new();
    for number in 0..REQUESTS {
        let path = format!("/api/v1/certificates?{}", query(number));
        let started = Instant::now();
        let page = get(daemon, &path)?;
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(page.contains("\"items\":["), "{path}: {page}");
    }
    let what = format!("{what}, p99 of {REQUESTS}");
    report.add(&what, percentile(&mut millis, 0.99), "ms", Budget::AtMost(BUDGET));
    Ok(())
}

/// Asks for certificates from all over the list by their ids.
fn one(daemon: &Daemon<'_>, report: &mut Report) -> anyhow::Result<()> {
    let page = get(daemon, "/api/v1/certificates?limit=200&sort=-not_after")?;
    let ids: Vec<&str> =
        page.split("\"id\":\"").skip(1).filter_map(|rest| rest.get(..32)).collect();
    ensure!(!ids.is_empty(), "no certificate has an id");
    let mut millis = Vec::new();
    for id in ids {
        let started = Instant::now();
        let found = get(daemon, &format!("/api/v1/certificates/{id}"))?;
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(found.contains(id), "{found}");
    }
    let slow = percentile(&mut millis, 0.99);
    report.add("one certificate by its id, p99 of 200", slow, "ms", Budget::AtMost(BUDGET));
    Ok(())
}

fn get(daemon: &Daemon<'_>, path: &str) -> anyhow::Result<String> {
    daemon.get(path)?.with_context(|| format!("{path} was not answered with 200"))
}

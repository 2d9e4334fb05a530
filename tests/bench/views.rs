//! The page with a million certificates in the store, or as many as `--scale` names.

use anyhow::Context as _;
use tokio::time::Instant;

use crate::Options;
use crate::daemon::{Daemon, Folder, Settings};
use crate::process::{percentile, wait_for};
use crate::report::{Budget, Report};
use crate::start;

/// Certificates in the store where nobody says.
const ROWS: u64 = 1_000_000;
/// Looks at each view.
const LOOKS: usize = 200;

/// What is looked at: its name and its path.
const VIEWS: [(&str, &str); 7] = [
    ("the first page", "/"),
    ("the list", "/certificates"),
    ("a list by filter", "/certificates?status=active&within=90d&sort=-not_after"),
    ("a search by part of a name", "/certificates?q=d00000012"),
    ("a search for what is not there", "/certificates?q=nothing-like-it"),
    ("the sources", "/sources"),
    (
        "a month of the timeline",
        "/certificates?status=active&ends_from=2027-02-01&ends_to=2027-02-28",
    ),
];

/// Looks at every view again and again, as one reader after the other does.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rows = options.scales.iter().copied().max().unwrap_or(ROWS);
    let folder = Folder::new()?;
    tokio::runtime::Builder::new_multi_thread().build()?.block_on(start::fill(&folder, rows))?;
    // Nobody listens on port 1.
    let mut daemon = folder.start(&Settings::once("127.0.0.1:1"))?;
    daemon.ready()?;
    wait_for("every name is in the index", std::time::Duration::from_millis(200), || {
        let found = daemon.get("/api/v1/certificates?q=nothing-like-it&limit=1")?;
        Ok(found.filter(|found| found.contains("\"searched_all\":true")).map(|_| ()))
    })?;
    let story = story(&daemon)?;
    for (name, path) in VIEWS.into_iter().chain([("one certificate", story.as_str())]) {
        let mut seconds = looks(&daemon, path)?;
        let p99 = percentile(&mut seconds, 0.99) * 1000.0;
        let what = format!("{name}, {rows} certificates, p99 of {LOOKS}");
        report.add(&what, p99, "ms", Budget::AtMost(100.0));
    }
    daemon.process.stop()
}

/// Returns the path of one certificate.
fn story(daemon: &Daemon<'_>) -> anyhow::Result<String> {
    let list = daemon.get("/certificates?limit=1")?.context("no list")?;
    let (_, rest) = list.split_once("href=\"/certificates/").context("an empty list")?;
    let id = rest.split('"').next().unwrap_or_default();
    Ok(format!("/certificates/{id}"))
}

fn looks(daemon: &Daemon<'_>, path: &str) -> anyhow::Result<Vec<f64>> {
    let look = |_| {
        let began = Instant::now();
        daemon.get(path)?.with_context(|| format!("no {path}"))?;
        Ok(began.elapsed().as_secs_f64())
    };
    (0..LOOKS).map(look).collect()
}

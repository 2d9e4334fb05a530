//! METRICS.md lists every family that is written, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::parse::{Family, parse};
use super::testing::{Known, Memory, NOW, view};
use super::writer::{Format, Shape};
use super::{ActiveAlerts, DaemonMetrics, Exposition, Setup, Shown, SourceSetup, families};
use crate::client::{Action, Meter as _};
use crate::expiry::{Kind, PlaceState};

const ACTIONS: [Action; 1] = [Action::new("List")];

const PAGE: &str = include_str!("../../METRICS.md");

/// What is told of a family, or found of it: its type and its labels.
type Described = BTreeMap<String, (String, BTreeSet<String>)>;

/// Reads the tables of the page.
fn listed() -> Described {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        let (kind, rest) = rest.split_once(" | ").unwrap();
        let labels = rest.split('|').next().unwrap().split('`');
        let labels = labels.map(str::trim).filter(|label| !label.is_empty());
        (name.to_owned(), (kind.to_owned(), labels.map(str::to_owned).collect()))
    })
    .collect()
}

/// Returns the family that a part of it belongs to where the format has no word for the whole.
fn whole(name: &str) -> &str {
    let suffixes = ["_bucket", "_gcount", "_gsum"];
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// Counts at least one thing of everything.
fn counted(setup: &Setup) -> DaemonMetrics {
    let metrics = DaemonMetrics::new(setup);
    metrics.attempt("s", NOW);
    metrics.up("s", true);
    metrics.success("s", NOW);
    metrics.duration("s", "all", 1.0);
    for count in [DaemonMetrics::reported, DaemonMetrics::collected, DaemonMetrics::missing] {
        count(&metrics, "s", "all", "all", 1);
    }
    metrics.places("s", [PlaceState::Read].into_iter(), 0);
    metrics.clock_offset("s", 1);
    metrics.not_deployed("s", "all", Some(1));
    let (source, scope) = (Arc::from("s"), Arc::from("all"));
    metrics.alerts_active(vec![ActiveAlerts { source, scope, rung: "7d".to_owned(), count: 1 }]);
    metrics.channel_up("ops", true);
    metrics.pending("ops", 1, Some(NOW));
    metrics.given_up("ops", 1);
    metrics.audit(4096, 0);
    metrics.delivered("ops", NOW);
    metrics.told_daily("ops", NOW);
    metrics.heartbeat(NOW);
    metrics.store_up(true);
    metrics.reload(true, NOW);
    metrics
}

fn setup() -> Setup {
    let source = SourceSetup {
        name: "s".to_owned(),
        kind: "files".to_owned(),
        actions: &ACTIONS,
        fixed_scope: Some("all"),
        intervals: vec![("all".to_owned(), 60.0)],
    };
    Setup { sources: vec![source], channels: vec!["ops".to_owned()], heartbeat: Some(60.0) }
}

/// Returns a scrape in which every family has a sample with every label.
async fn scrape() -> Vec<Family> {
    let mut known = Known::new("s", "all", "1").issuer("CN=R").names("cn", "holder", "unit");
    known.0.place = "/a.pem".to_owned();
    known.0.not_before = Some(NOW.plus(-9));
    let known = [known, Known::new("s", "all", "2").kind(Kind::Ca)];
    let exposition = Exposition::new(Arc::new(counted(&setup())));
    let mut names = Memory::of(&known);
    names.shown = Shown { not_before: true, x509: true, ..Shown::default() };
    let moment = exposition.prepare(&view(1, &known), &names, 9, NOW).await;
    let text = exposition.write(&moment, Format::Text, Vec::new()).unwrap();
    parse(std::str::from_utf8(&text).unwrap(), Format::Text).unwrap()
}

/// Returns the word of the page for what a family is, by the name that the code gives it.
fn word(family: &Family) -> String {
    let written = families::ALL.iter().find(|known| known.name == family.name);
    match written.map(|known| known.shape) {
        Some(Shape::Info) => "info".to_owned(),
        _ if whole(&family.name) != family.name => "gauge histogram".to_owned(),
        _ => family.kind.clone(),
    }
}

fn found(scrape: &[Family]) -> Described {
    let mut found = Described::new();
    for family in scrape {
        let (kind, labels) = found.entry(whole(&family.name).to_owned()).or_default();
        *kind = word(family);
        let all = family.samples.iter().flat_map(|sample| &sample.labels);
        labels.extend(all.map(|(name, _)| name.clone()).filter(|name| name != "le"));
    }
    found
}

#[tokio::test]
async fn the_page_lists_what_is_written_with_its_type_and_labels() {
    let (found, listed) = (found(&scrape().await), listed());
    for (name, described) in &found {
        assert_eq!(listed.get(name), Some(described), "{name}: METRICS.md, and what is written");
    }
    let missing: Vec<_> = listed.keys().filter(|name| !found.contains_key(*name)).collect();
    assert!(missing.is_empty(), "METRICS.md lists what is not written: {missing:?}");
}

/// Without it a family that the scrape above has no sample of would be on no page.
#[tokio::test]
async fn every_family_is_in_the_scrape_that_the_page_is_held_against() {
    let found = found(&scrape().await);
    let names = families::ALL.iter().map(|family| whole(family.name));
    let missing: Vec<_> = names.filter(|name| !found.contains_key(*name)).collect();
    assert!(missing.is_empty(), "count something of {missing:?} in `counted`");
}

#[test]
fn what_is_said_of_each_is_there() {
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, _, unit, meaning, absent] = cells[..] else { panic!("{row}") };
        assert!(![unit, meaning, absent].contains(&""), "{row}");
    }
    // A timestamp is one by its name.
    let times = listed().into_keys().filter(|name| name.contains("_timestamp_seconds"));
    for name in times {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        assert!(row.contains("| Unix seconds |"), "{row}");
    }
}

//! The rules that people take into their Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use super::job::path;
use super::{panels, promtool};

const RULES: &str = include_str!("../../../deploy/prometheus/notafter.rules.yml");
const CASES: &str = include_str!("../../prometheus/notafter.rules.test.yml");
const OPERATIONS: &str = include_str!("../../../OPERATIONS.md");
const METRICS: &str = include_str!("../../../METRICS.md");
const README: &str = include_str!("../../../README.md");

/// Returns the alerts of the rules, each once.
fn alerts() -> BTreeSet<&'static str> {
    RULES.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: ")).collect()
}

/// Returns for each alert of the cases how often it fires, and how often it stays quiet.
fn cases() -> BTreeMap<&'static str, (usize, usize)> {
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    let mut alert = "";
    for line in CASES.lines().map(str::trim_start) {
        if let Some(name) = line.strip_prefix("alertname: ") {
            alert = name;
        } else if line == "exp_alerts: []" {
            counts.entry(alert).or_default().1 += 1;
        } else if line.starts_with("- exp_labels: ") {
            counts.entry(alert).or_default().0 += 1;
        }
    }
    counts
}

#[test]
fn every_rule_fires_and_stays_quiet_as_its_cases_say() {
    promtool(&["check", "rules", &path("deploy/prometheus/notafter.rules.yml")], "");
    promtool(&["test", "rules", &path("tests/prometheus/notafter.rules.test.yml")], "");
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_stays_quiet() {
    let cases = cases();
    assert_eq!(cases.keys().copied().collect::<BTreeSet<_>>(), alerts());
    for (alert, (fires, quiet)) in cases {
        assert!(fires > 0 && quiet > 0, "{alert}: {fires} fire, {quiet} stay quiet");
    }
}

/// The address of a heading is its words in small letters.
#[test]
fn every_alert_leads_to_its_own_chapter_of_the_operations_guide() {
    let chapters: BTreeSet<_> =
        OPERATIONS.lines().filter_map(|line| line.strip_prefix("### Notafter")).collect();
    let named: BTreeSet<_> =
        alerts().into_iter().filter_map(|alert| alert.strip_prefix("Notafter")).collect();
    assert_eq!(chapters, named);
    for rule in RULES.split("- alert: ").skip(1) {
        let alert = rule.lines().next().unwrap();
        let link = format!("runbook_url: OPERATIONS.md#{}\n", alert.to_lowercase());
        assert!(rule.contains(&link), "{alert}: {link}");
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{alert} has no {part}");
        }
    }
}

#[test]
fn the_example_of_the_readme_is_a_configuration() {
    let example = README.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = example.unwrap();
    let rules = path("deploy/prometheus/notafter.rules.yml");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    assert!(example.contains("/etc/prometheus/notafter.rules.yml"), "{example}");
    std::fs::write(&file, example.replace("/etc/prometheus/notafter.rules.yml", &rules)).unwrap();
    promtool(&["check", "config", file.to_str().unwrap()], "");
}

/// Returns the metrics of ours that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("notafter_") || word.starts_with("process_")).collect()
}

/// A name that nothing has makes a rule quiet for ever.
#[test]
fn every_metric_that_is_named_is_one() {
    let known = metrics(METRICS);
    let is_known = |name: &&str| {
        let suffixes = ["", "_bucket", "_gcount", "_gsum"];
        let whole = |suffix| name.strip_suffix(suffix).is_some_and(|it| known.contains(it));
        suffixes.into_iter().any(whole)
    };
    let texts = panels::texts();
    for text in [RULES, README, OPERATIONS].into_iter().chain(texts) {
        let unknown: Vec<_> = metrics(text).into_iter().filter(|it| !is_known(it)).collect();
        assert!(unknown.is_empty(), "METRICS.md does not have {unknown:?}");
    }
}

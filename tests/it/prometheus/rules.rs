//! The rules and the job that people take into their Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::{panels, promtool};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RULES: &str = include_str!("../../../deploy/prometheus/notafter.rules.yml");
const CASES: &str = include_str!("../../prometheus/notafter.rules.test.yml");
pub(super) const JOB: &str = include_str!("../../../deploy/prometheus/scrape.yml");
const OPERATIONS: &str = include_str!("../../../OPERATIONS.md");
const METRICS: &str = include_str!("../../../METRICS.md");
const README: &str = include_str!("../../../README.md");

/// Returns the path of a file of this repository.
pub(super) fn path(name: &str) -> String {
    let path = Path::new(ROOT).join(name);
    path.to_str().unwrap().to_owned()
}

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

/// Switches on what the job has for TLS: a line that begins with `#` and no space.
fn with_tls(folder: &Path) -> String {
    let mut job = String::new();
    for line in JOB.lines() {
        let setting = line.trim_start().strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        let indent = " ".repeat(line.len() - line.trim_start().len());
        writeln!(job, "{}", setting.map_or(line.to_owned(), |rest| format!("{indent}{rest}")))
            .unwrap();
    }
    let rules = path("deploy/prometheus/notafter.rules.yml");
    let job = job.replace("[notafter.rules.yml]", &format!("['{rules}']"));
    job.replace("/etc/prometheus", folder.to_str().unwrap())
}

#[test]
fn the_job_is_good_with_and_without_tls() {
    promtool(&["check", "config", &path("deploy/prometheus/scrape.yml")], "");
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(vec!["notafter".to_owned()]).unwrap();
    std::fs::write(folder.path().join("notafter-ca.pem"), key.cert.pem()).unwrap();
    std::fs::write(folder.path().join("notafter-password"), "0f3a").unwrap();
    let job = with_tls(folder.path());
    for setting in ["scheme: https", "tls_config:", "basic_auth:"] {
        let is_setting = |line: &str| line.trim_start() == setting;
        assert!(job.lines().any(is_setting), "{setting} is not in\n{job}");
    }
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, job).unwrap();
    promtool(&["check", "config", file.to_str().unwrap()], "");
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

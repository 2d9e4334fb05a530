//! What the dashboards ask for, asked of a real Prometheus that scrapes the real daemon by the job that people take.

use serde_json::Value;

use super::panels::{Query, dashboards};
use super::{Prometheus, job};
use crate::harness::{Daemon, configuration, environment, eventually};
use crate::written::source;
use simulator::chat;
use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};
use simulator::{Setup, Simulator};

/// A provider of every kind, and a room that takes nothing.
async fn simulator() -> Simulator {
    let fleet = Fleet::new(9, wall_seconds())
        .with(Instance::new("mqtt-a", 500))
        .with_ssl(60)
        .with_product(20, true);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    simulator.chat().fail_always(chat::Service::Feishu, chat::Fault::Http(500));
    simulator
}

/// A daemon that reads every cloud, and files.
fn daemon(simulator: &Simulator) -> Daemon {
    let daemon = Daemon::prepared("", &environment(simulator));
    let folder = daemon.folder.path();
    let one = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    std::fs::write(folder.join("a.pem"), one.cert.pem()).unwrap();
    let options = format!("paths = [{:?}]", format!("{}/*.pem", folder.display()));
    let files = source("files", "machine", "every 2s", &options);
    daemon.configure(&(configuration(simulator) + &files));
    daemon
}

/// Puts in what Grafana puts in.
fn filled(expression: &str) -> String {
    let values =
        [("$__rate_interval", "20s"), ("$__range", "60s"), ("$source", ".*"), ("$channel", ".*")];
    values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Returns whether a series has a number in it.
fn has_number(series: &Value) -> bool {
    let points =
        series["values"].as_array().cloned().unwrap_or_else(|| vec![series["value"].clone()]);
    points.iter().any(|point| point[1].as_str().is_some_and(|number| number != "NaN"))
}

impl Prometheus {
    /// Returns the series that a query finds, once it finds some with numbers.
    async fn found(&self, query: &Query) -> Vec<Value> {
        let expression = filled(&query.expression);
        assert!(!expression.contains('$'), "{expression}");
        eventually(&format!("{} has data: {expression}", query.title), async || {
            let data = if query.instant {
                self.ask("query", &[("query", &expression)]).await?
            } else {
                let (start, end) = ((wall_seconds() - 30).to_string(), wall_seconds().to_string());
                let range = [("start", &*start), ("end", &*end), ("step", "2")];
                self.ask("query_range", &[&[("query", &*expression)], &range[..]].concat()).await?
            };
            let series = data["result"].as_array()?.clone();
            series.iter().any(has_number).then_some(series)
        })
        .await
    }

    /// Waits until every rule was evaluated, and none of them failed.
    async fn evaluated(&self) {
        let rules = eventually("every rule is evaluated", async || {
            let data = self.ask("rules", &[]).await?;
            let groups = data["groups"].as_array()?.iter();
            let rules: Vec<_> =
                groups.flat_map(|group| group["rules"].as_array().cloned().unwrap()).collect();
            let done = |rule: &Value| rule["health"] != "unknown";
            (!rules.is_empty() && rules.iter().filter(|it| !is_slow(it)).all(done)).then_some(rules)
        })
        .await;
        for rule in rules {
            assert_eq!(rule["lastError"], Value::Null, "{rule}");
        }
    }
}

/// Returns whether a rule is evaluated every ten minutes only.
fn is_slow(rule: &Value) -> bool {
    rule["name"] == "NotafterSourceNeverProven"
}

#[tokio::test]
async fn every_query_of_every_panel_finds_data_and_every_rule_can_be_evaluated() {
    let simulator = simulator().await;
    let mut daemon = daemon(&simulator);
    daemon.start();
    daemon.ready().await;
    let prometheus = Prometheus::with(&job::scraping(job::plain(), daemon.port));
    for dashboard in dashboards() {
        for query in dashboard.queries() {
            let series = prometheus.found(&query).await;
            for label in &query.legend {
                let named = |series: &Value| series["metric"][label].is_string();
                assert!(series.iter().any(named), "{}: nothing has `{label}`", query.title);
            }
        }
        for (name, asked) in dashboard.variables() {
            let asked = asked.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')'));
            let (metric, label) = asked.unwrap().split_once(", ").unwrap();
            let path = format!("label/{label}/values");
            let values = prometheus.ask(&path, &[("match[]", metric)]).await.unwrap();
            assert!(!values.as_array().unwrap().is_empty(), "${name} has no values");
        }
    }
    prometheus.evaluated().await;
    assert!(daemon.stop().await.success());
}

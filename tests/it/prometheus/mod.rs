//! A real Prometheus reads what the daemon writes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "counts and flags are exact")]

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::harness::{Daemon, environment, eventually, sample};
use crate::written::mqtt;
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{Fleet, Instance};
use simulator::mqtt::Names;
use simulator::{Service, Setup, Simulator};

mod dashboards;
mod job;
mod panels;
mod process;
mod rules;

use process::{Prometheus, promtool};

const INSTANCE: &str = "mqtt-a";
const PROVEN: &str = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";

async fn simulator() -> Simulator {
    let fleet = Fleet::new(9, wall_seconds()).with(Instance::new(INSTANCE, 500));
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn daemon(simulator: &Simulator) -> Daemon {
    let options = "requests_per_second = 10000\nfull_scan = \"every 1s\"";
    let config = mqtt(simulator, "iot", "every 1s", options);
    Daemon::prepared(&config, &environment(simulator))
}

/// Names as nobody should choose them, and as somebody does.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a\"quoted\"",
        "back\\slash\\",
        "\\",
        "\\n is not a newline",
        "two\nlines\r\n",
        "evil\"} 1\nnotafter_certificates{source=\"forged\"} 9\n# EOF\n",
        "\u{202e}gpj.exe",
        "<script>alert(1)</script>",
        "名字 🔐 é",
        "{x=\"y\"},",
        "\u{0}\u{1b}[31m\u{7f}",
    ]
    .map(str::to_owned)
    .into();
    names.push("n".repeat(4096));
    names.push("证".repeat(1365));
    names
}

/// Starts a daemon that has read a provider where somebody chose hostile names. It returns the names as well.
async fn hostile() -> (Simulator, Vec<String>, Daemon) {
    let simulator = simulator().await;
    let names = hostile_names();
    for (index, name) in (0_u64..).zip(&names) {
        let (client_id, common_name, unit) = (name.clone(), name.clone(), name.clone());
        simulator.mqtt().set_names(INSTANCE, index, Names { client_id, common_name, unit });
    }
    let mut daemon = daemon(&simulator);
    daemon.start();
    daemon.until(PROVEN, |at| at > 0.0).await;
    (simulator, names, daemon)
}

#[tokio::test]
async fn prometheus_answers_queries_over_what_the_daemon_says() {
    let (simulator, names, mut daemon) = hostile().await;
    let prometheus = Prometheus::scraping(daemon.port);
    eventually("the daemon is scraped", async || {
        let data = prometheus.ask("query", &[("query", "up{job=\"notafter\"} == 1")]).await?;
        data["result"].as_array().filter(|found| !found.is_empty()).map(|_| ())
    })
    .await;

    let mut truth = simulator.mqtt().truth(INSTANCE);
    truth.extend(simulator.mqtt().authorities(INSTANCE));
    let all = u32::try_from(truth.len()).unwrap();
    let dated: Vec<_> = truth.iter().filter(|row| row.not_after.is_some()).collect();
    assert_eq!(prometheus.value("sum(notafter_certificates)").await, f64::from(all));
    let counted = prometheus.value("count(notafter_certificate_not_after_timestamp_seconds)").await;
    assert_eq!(counted, f64::from(u32::try_from(dated.len()).unwrap()));
    assert_eq!(prometheus.value("sum(notafter_certificate_series_omitted)").await, 0.0);

    let row = dated[100];
    let (cert, end) = (&row.serial, row.not_after.unwrap());
    let query =
        format!("notafter_certificate_not_after_timestamp_seconds{{cert=\"{cert}\"}} - time()");
    let (before, left, after) = (wall_seconds(), prometheus.value(&query).await, wall_seconds());
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
    let bounds = ((end - after - 1) as f64, (end - before + 1) as f64);
    assert!(bounds.0 <= left && left <= bounds.1, "{left} is not in {bounds:?}");

    // The quantile lies in the bucket of the true one.
    let query =
        "histogram_quantile(0.5, notafter_certificate_remaining_seconds_bucket{kind=\"device\"})";
    let median = prometheus.value(query).await;
    let bucket = "notafter_certificate_remaining_seconds_bucket{source=\"iot\",scope=\"mqtt-a\",kind=\"device\",le=";
    let (_, body) = daemon.get("/metrics").await.unwrap();
    let total = sample(&body, &format!("{bucket}\"+Inf\"}}")).unwrap();
    let upper = body.lines().filter_map(|line| {
        let (le, count) = line.strip_prefix(bucket)?.split_once("\"} ")?;
        (count.parse::<f64>().unwrap() >= total / 2.0)
            .then(|| le.trim_matches('"').parse::<f64>().unwrap())
    });
    let upper = upper.min_by(f64::total_cmp).unwrap();
    assert!(median <= upper && median > upper / 3.0, "{median} is not below {upper}");

    assert_round_trip(&simulator, &prometheus, &names).await;
    assert!(daemon.stop().await.success());
}

/// The labels that Prometheus has are the names that the provider has, up to the limit of a label.
async fn assert_round_trip(simulator: &Simulator, prometheus: &Prometheus, names: &[String]) {
    for (index, name) in (0_u64..).zip(names) {
        let row = simulator.mqtt().one(INSTANCE, index);
        let shown: String = name.chars().take(1024).collect();
        let matcher = format!("notafter_certificate_info{{cert=\"{}\"}}", row.serial);
        let series = eventually("the series of a hostile name", async || {
            let data = prometheus.ask("series", &[("match[]", &matcher)]).await?;
            data[0].as_object().cloned()
        })
        .await;
        for label in ["cn", "holder", "unit"] {
            assert_eq!(series[label].as_str(), Some(shown.as_str()), "{label} of {name:?}");
        }
    }
    let sources = prometheus.ask("label/source/values", &[]).await.unwrap();
    assert_eq!(sources, serde_json::json!(["iot"]), "a name forged a series");
}

async fn scrape(
    daemon: &Daemon,
    headers: &[(&str, &str)],
) -> (reqwest::header::HeaderMap, Vec<u8>) {
    // It shows what is on the wire.
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let mut request = client.get(format!("http://127.0.0.1:{}/metrics", daemon.port));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    (response.headers().clone(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn both_formats_are_clean_and_compress() {
    let (_simulator, _, mut daemon) = hostile().await;
    // What is counted by the first evaluation is in every scrape from then on.
    daemon
        .until("notafter_alerts_active{source=\"iot\",scope=\"mqtt-a\",rung=\"7d\"}", |_| true)
        .await;
    let (headers, text) = scrape(&daemon, &[("accept", "text/plain;version=0.0.4")]).await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(text).unwrap();
    promtool(&["check", "metrics"], &text);
    assert!(!text.lines().any(|line| line == "# EOF"), "a name ends the exposition");

    let accept = ("accept", "application/openmetrics-text;version=1.0.0");
    let (headers, open) = scrape(&daemon, &[accept]).await;
    let kind = headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let open = String::from_utf8(open).unwrap();
    assert!(open.ends_with("\n# EOF\n"));
    assert_eq!(open.lines().filter(|line| *line == "# EOF").count(), 1);

    let (headers, packed) = scrape(&daemon, &[accept, ("accept-encoding", "gzip")]).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(packed.len() * 3 < open.len(), "{} of {}", packed.len(), open.len());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert!(unpacked.ends_with("\n# EOF\n"));
    let series = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(series(&unpacked), series(&open));
    assert!(daemon.stop().await.success());
}

/// Returns every sample, but those that may differ between any two scrapes.
fn steady(body: &str) -> BTreeMap<String, String> {
    let moves = |line: &&str| {
        line.starts_with('#')
            || line.starts_with("process_")
            || line.starts_with("notafter_source_requests_total")
            || line.starts_with("notafter_source_request_duration_seconds")
            || line.starts_with("notafter_source_skipped_ticks_total")
            // Time passes.
            || line.starts_with("notafter_certificate_remaining_seconds_gsum")
    };
    let lines = body.lines().filter(|line| !moves(line));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn differences(one: &str, other: &str) -> Vec<String> {
    let (one, other) = (steady(one), steady(other));
    let names = one.keys().chain(other.keys());
    let differ = names.filter(|name| one.get(*name) != other.get(*name));
    let mut differ: Vec<String> = differ.cloned().collect();
    differ.sort();
    differ.dedup();
    differ
}

#[tokio::test]
async fn a_failed_poll_changes_only_that_it_failed() {
    let simulator = simulator().await;
    let mut daemon = daemon(&simulator);
    daemon.start();
    daemon.until(PROVEN, |at| at > 0.0).await;
    let up = "notafter_source_up{source=\"iot\"}";
    daemon.until(up, |up| up == 1.0).await;

    simulator.fault(Service::Mqtt, Fault::Code("AuthFailure.UnauthorizedOperation"), Times::Always);
    // From the first failure on nothing is read any more.
    daemon.until(up, |up| up == 0.0).await;
    let (_, failed) = daemon.get("/metrics").await.unwrap();
    simulator.heal();
    daemon.until(up, |up| up == 1.0).await;
    let attempt = "notafter_source_last_attempt_timestamp_seconds{source=\"iot\"}";
    let since = daemon.sample(attempt).await.unwrap();
    daemon.until(attempt, |at| at > since).await;
    let (_, good) = daemon.get("/metrics").await.unwrap();
    let allowed = |name: &str| {
        name == up
            || name == attempt
            || name == "notafter_source_last_success_timestamp_seconds{source=\"iot\"}"
            || name.starts_with("notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\"")
            // The good scan took another time than the one before.
            || name.starts_with("notafter_source_scan_duration_seconds{source=\"iot\"")
            || name.starts_with("notafter_events_total{kind=\"source.")
    };
    let other: Vec<_> =
        differences(&failed, &good).into_iter().filter(|name| !allowed(name)).collect();
    let shown = |name: &String| (sample(&failed, name), sample(&good, name), name.clone());
    assert_eq!(other.iter().map(shown).take(5).collect::<Vec<_>>(), []);

    simulator.fault(Service::Mqtt, Fault::Code("AuthFailure.UnauthorizedOperation"), Times::Always);
    daemon.until(up, |up| up == 0.0).await;
    let (_, first) = daemon.get("/metrics").await.unwrap();
    let since = daemon.sample(attempt).await.unwrap();
    daemon.until(attempt, |at| at > since).await;
    let again = eventually("a second failed poll", async || {
        let (_, body) = daemon.get("/metrics").await?;
        (sample(&body, attempt)? > since + 1.0).then_some(body)
    })
    .await;
    // That a source is stale is an event of its own, whatever poll it follows.
    let mut changed = differences(&first, &again);
    changed.retain(|name| !name.starts_with("notafter_events_total{kind=\"source.stale\""));
    assert_eq!(changed, [attempt], "another failure changes only its time");
}

#[tokio::test]
async fn what_is_gone_has_no_series_in_the_very_next_scrape() {
    let simulator = simulator().await;
    let mut daemon = daemon(&simulator);
    daemon.start();
    daemon.until(PROVEN, |at| at > 0.0).await;
    let index = simulator.mqtt().nth(INSTANCE, 20).unwrap();
    let serial = simulator.mqtt().one(INSTANCE, index).serial;
    let (_, body) = daemon.get("/metrics").await.unwrap();
    assert!(body.contains(&serial));
    let gone = "notafter_certificates_gone_total{source=\"iot\",scope=\"mqtt-a\"}";
    let before = daemon.sample(gone).await.unwrap_or(0.0);
    simulator.mqtt().delete(INSTANCE, index..index + 1);
    let without = eventually("it is gone", async || {
        let (_, body) = daemon.get("/metrics").await?;
        (!body.contains(&serial)).then_some(body)
    })
    .await;
    assert_eq!(sample(&without, gone), Some(before + 1.0));
    let total: f64 = without
        .lines()
        .filter_map(|line| line.strip_prefix("notafter_certificates{")?.rsplit_once(' '))
        .map(|(_, count)| count.parse::<f64>().unwrap())
        .sum();
    let left =
        simulator.mqtt().count(INSTANCE) + simulator.mqtt().authorities(INSTANCE).len() as u64;
    assert_eq!(total, f64::from(u32::try_from(left).unwrap()));
    assert!(daemon.stop().await.success());
}

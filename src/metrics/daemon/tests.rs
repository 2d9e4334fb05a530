//! Tests of what is counted, by reading back what is written.

use super::*;
use crate::metrics::parse::{Family, parse, samples, value};
use crate::metrics::writer::{Format, Writer};

const ACTIONS: [Action; 2] = [Action::new("List"), Action::new("token")];
const AT: Timestamp = Timestamp::from_seconds(1_795_305_600);

fn setup(sources: &[(&str, &str)], channels: &[&str]) -> Setup {
    let source = |(name, kind): &(&str, &str)| SourceSetup {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        actions: &ACTIONS,
        fixed_scope: (*kind == "tencent-ssl").then_some("all"),
        intervals: vec![("all".to_owned(), 3600.0)],
    };
    Setup {
        sources: sources.iter().map(source).collect(),
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        heartbeat: None,
    }
}

fn read(metrics: &DaemonMetrics) -> Vec<Family> {
    let [text, open_metrics] = [Format::Text, Format::OpenMetrics].map(|format| {
        let mut out = Writer::new(Vec::new(), format);
        metrics.write_to(&mut out).unwrap();
        parse(std::str::from_utf8(&out.finish().unwrap()).unwrap(), format).unwrap()
    });
    assert_eq!(text.len(), open_metrics.len());
    text
}

#[test]
fn every_closed_label_is_there_at_zero() {
    let metrics =
        DaemonMetrics::new(&setup(&[("ssl", "tencent-ssl"), ("iot", "tencent-mqtt")], &["ops"]));
    let families = read(&metrics);
    let requests = samples(&families, "notafter_source_requests_total");
    assert_eq!(requests.len(), 2 * ACTIONS.len() * Outcome::ALL.len());
    assert!(requests.iter().all(|sample| sample.value == "0"));
    for outcome in Outcome::ALL {
        let labels = [("source", "ssl"), ("action", "List"), ("outcome", outcome.as_str())];
        let count = value(&families, "notafter_source_requests_total", &labels);
        assert_eq!(count.as_deref(), Some("0"), "{labels:?}");
    }
    for reason in Reason::ALL {
        let labels = [("source", "iot"), ("reason", reason.as_str())];
        let count = value(&families, "notafter_source_rejected_rows_total", &labels);
        assert_eq!(count.as_deref(), Some("0"), "{labels:?}");
    }
    let ended = samples(&families, "notafter_notifications_total");
    let outcomes: Vec<_> = ended.iter().filter_map(|sample| sample.label("outcome")).collect();
    let mut expected = DaemonMetrics::NOTIFICATION_OUTCOMES;
    expected.sort_unstable();
    assert_eq!(outcomes, expected);
    let added = [("source", "ssl"), ("scope", "all")];
    let added = value(&families, "notafter_certificates_added_total", &added);
    assert_eq!(added.as_deref(), Some("0"));
}

#[test]
fn what_is_unknown_has_no_sample() {
    let families = read(&DaemonMetrics::new(&setup(&[("s", "files")], &["ops"])));
    for name in [
        "source_up",
        "source_last_attempt_timestamp_seconds",
        "source_last_success_timestamp_seconds",
        "source_scan_duration_seconds",
        "source_reported_certificates",
        "source_collected_certificates",
        "source_scan_missing",
        "certificates_not_deployed",
        "source_clock_offset_seconds",
        "alerts_active",
        "channel_up",
        "notifications_pending",
        "notifications_oldest_pending_timestamp_seconds",
        "notifications_last_success_timestamp_seconds",
        "digest_last_success_timestamp_seconds",
        "store_up",
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
    ] {
        assert_eq!(samples(&families, &format!("notafter_{name}")).len(), 0, "{name}");
    }
}

#[test]
fn a_source_without_a_proven_scan_says_so_from_the_start() {
    let name = "notafter_source_last_proven_scan_timestamp_seconds";
    let metrics =
        DaemonMetrics::new(&setup(&[("ssl", "tencent-ssl"), ("iot", "tencent-mqtt")], &[]));
    metrics.interval("iot", "near", 60.0);
    let never = |labels: &[(&str, &str)]| value(&read(&metrics), name, labels);
    let (all, near) = (("window", "all"), ("window", "near"));
    assert_eq!(never(&[("source", "ssl"), ("scope", "all"), all]).as_deref(), Some("0"));
    // No scope is known before the first list of them.
    assert_eq!(never(&[("source", "iot"), near]).as_deref(), Some("0"));
    assert_eq!(samples(&read(&metrics), name).len(), 3);
    metrics.proven("iot", "mqtt-1", "near", AT);
    assert_eq!(
        never(&[("source", "iot"), ("scope", "mqtt-1"), near]),
        Some(AT.seconds().to_string())
    );
    assert_eq!(never(&[("source", "iot"), ("scope", "mqtt-1"), all]).as_deref(), Some("0"));
    assert_eq!(samples(&read(&metrics), name).len(), 3);
}

#[test]
fn what_a_source_does_is_told() {
    let metrics = DaemonMetrics::new(&setup(&[("s", "enos")], &[]));
    metrics.attempt("s", AT);
    metrics.up("s", true);
    metrics.success("s", AT.plus(1));
    metrics.proven("s", "o1", "all", AT.plus(2));
    metrics.interval("s", "near", 60.0);
    metrics.duration("s", "all", 1.5);
    metrics.reported("s", "o1", "all", 10);
    metrics.collected("s", "o1", "all", 9);
    metrics.missing("s", "o1", "all", 1);
    metrics.rejected("s", Reason::BadTime, 2);
    metrics.skipped("s");
    metrics.added("s", "o1", 3);
    metrics.gone("s", "o1", 4);
    metrics.renewed("s", "o1", 5);
    metrics.clock_offset("s", -7);
    metrics.request("s", ACTIONS[1], Outcome::Timeout, 4.0);
    metrics.request("s", Action::new("unheard of"), Outcome::Ok, 0.01);
    let families = read(&metrics);
    let (source, scope) = (("source", "s"), ("scope", "o1"));
    let all = ("window", "all");
    for (name, labels, expected) in [
        ("source_last_attempt_timestamp_seconds", vec![source], "1795305600"),
        ("source_up", vec![source], "1"),
        ("source_last_success_timestamp_seconds", vec![source], "1795305601"),
        ("source_last_proven_scan_timestamp_seconds", vec![source, scope, all], "1795305602"),
        ("source_poll_interval_seconds", vec![source, ("window", "near")], "60"),
        ("source_poll_interval_seconds", vec![source, all], "3600"),
        ("source_scan_duration_seconds", vec![source, all], "1.5"),
        ("source_reported_certificates", vec![source, scope], "10"),
        ("source_collected_certificates", vec![source, scope], "9"),
        ("source_scan_missing", vec![source, scope], "1"),
        ("source_rejected_rows_total", vec![source, ("reason", "bad_time")], "2"),
        ("source_skipped_ticks_total", vec![source], "1"),
        ("certificates_added_total", vec![source, scope], "3"),
        ("certificates_gone_total", vec![source, scope], "4"),
        ("certificates_renewed_total", vec![source, scope], "5"),
        ("source_clock_offset_seconds", vec![source], "-7"),
        ("source_requests_total", vec![source, ("action", "token"), ("outcome", "timeout")], "1"),
        ("source_requests_total", vec![("action", "unheard of"), ("outcome", "ok")], "1"),
        ("source_requests_total", vec![("action", "unheard of"), ("outcome", "clock")], "0"),
        ("source_request_duration_seconds_bucket", vec![source, ("le", "5.0")], "2"),
        ("source_request_duration_seconds_bucket", vec![source, ("le", "2.5")], "1"),
        ("source_request_duration_seconds_count", vec![source], "2"),
        ("source_request_duration_seconds_sum", vec![source], "4.01"),
    ] {
        let found = value(&families, &format!("notafter_{name}"), &labels);
        assert_eq!(found.as_deref(), Some(expected), "{name} {labels:?}");
    }
    let attempts = samples(&families, "notafter_source_last_attempt_timestamp_seconds");
    assert_eq!(attempts[0].labels, [("source".to_owned(), "s".to_owned())]);
}

#[test]
fn what_a_channel_and_the_configuration_do_is_told() {
    let metrics = DaemonMetrics::new(&setup(&[("s", "files")], &["ops"]));
    metrics.notification("ops", "dead");
    metrics.notification("ops", "no such word");
    metrics.pending("ops", 4, Some(AT));
    metrics.delivered("ops", AT.plus(1));
    metrics.told_daily("ops", AT.plus(2));
    metrics.channel_up("ops", false);
    metrics.reload(true, AT);
    metrics.reload(false, AT.plus(9));
    metrics.store_up(false);
    let alert = |source: &str, rung: &str, count| ActiveAlerts {
        source: Arc::from(source),
        scope: Arc::from("all"),
        rung: rung.to_owned(),
        count,
    };
    metrics.alerts_active(vec![alert("s", "7d", 1)]);
    metrics.alerts_active(vec![alert("s", "3d", 2), alert("s", "3d", 3), alert("gone", "3d", 9)]);
    let families = read(&metrics);
    let channel = [("channel", "ops")];
    for (name, labels, expected) in [
        ("notifications_total", &[channel[0], ("outcome", "dead")][..], "1"),
        ("notifications_pending", &channel, "4"),
        ("notifications_oldest_pending_timestamp_seconds", &channel, "1795305600"),
        ("notifications_last_success_timestamp_seconds", &channel, "1795305601"),
        ("digest_last_success_timestamp_seconds", &channel, "1795305602"),
        ("channel_up", &channel, "0"),
        ("store_up", &[], "0"),
        ("config_last_reload_successful", &[], "0"),
        ("config_last_reload_success_timestamp_seconds", &[], "1795305600"),
        ("alerts_active", &[("source", "s"), ("scope", "all"), ("rung", "3d")], "5"),
        ("build_info", &[("version", env!("CARGO_PKG_VERSION"))], "1"),
    ] {
        let found = value(&families, &format!("notafter_{name}"), labels);
        assert_eq!(found.as_deref(), Some(expected), "{name} {labels:?}");
    }
    assert_eq!(samples(&families, "notafter_alerts_active").len(), 1);
    metrics.pending("ops", 0, None);
    let families = read(&metrics);
    let oldest = "notafter_notifications_oldest_pending_timestamp_seconds";
    assert_eq!(samples(&families, oldest).len(), 0);
}

#[test]
fn the_near_window_does_not_shake_the_total() {
    let metrics = DaemonMetrics::new(&setup(&[("s", "tencent-mqtt")], &[]));
    let total = |metrics: &DaemonMetrics| {
        let families = read(metrics);
        let of = |name: &str| value(&families, &format!("notafter_{name}"), &[("scope", "i")]);
        (of("source_reported_certificates"), of("source_scan_missing"))
    };
    metrics.reported("s", "i", "near", 5);
    metrics.missing("s", "i", "near", 2);
    assert_eq!(total(&metrics), (Some("5".to_owned()), Some("2".to_owned())));
    metrics.reported("s", "i", "all", 1000);
    metrics.missing("s", "i", "all", 0);
    metrics.reported("s", "i", "near", 6);
    assert_eq!(total(&metrics), (Some("1000".to_owned()), Some("2".to_owned())));
    metrics.missing("s", "i", "near", 0);
    assert_eq!(total(&metrics).1.as_deref(), Some("0"));
}

#[test]
fn a_reload_keeps_what_stays_and_drops_what_goes() {
    let metrics = DaemonMetrics::new(&setup(&[("a", "enos"), ("b", "files")], &["x", "y"]));
    for source in ["a", "b"] {
        metrics.skipped(source);
        metrics.up(source, true);
    }
    metrics.notification("x", "delivered");
    metrics.reconfigure(&setup(&[("a", "enos"), ("c", "files")], &["x"]));
    metrics.skipped("b");
    metrics.skipped("a");
    let families = read(&metrics);
    let ticks = samples(&families, "notafter_source_skipped_ticks_total");
    let ticks: Vec<_> = ticks.iter().map(|s| (s.label("source"), s.value.as_str())).collect();
    assert_eq!(ticks, [(Some("a"), "2"), (Some("c"), "0")]);
    assert_eq!(samples(&families, "notafter_source_up").len(), 1);
    let delivered = [("channel", "x"), ("outcome", "delivered")];
    let delivered = value(&families, "notafter_notifications_total", &delivered);
    assert_eq!(delivered.as_deref(), Some("1"));
    assert!(families.iter().flat_map(|f| &f.samples).all(|s| s.label("channel") != Some("y")));
}

#[test]
fn a_heartbeat_is_told_as_long_as_there_is_one() {
    let every = |seconds| Setup { heartbeat: seconds, ..setup(&[], &[]) };
    let metrics = DaemonMetrics::new(&every(Some(60.0)));
    let told = |metrics: &DaemonMetrics| {
        let families = read(metrics);
        let of = |name: &str| value(&families, &format!("notafter_heartbeat_{name}"), &[]);
        (of("interval_seconds"), of("last_success_timestamp_seconds"))
    };
    assert_eq!(told(&metrics), (Some("60".to_owned()), None));
    metrics.heartbeat(AT);
    metrics.reconfigure(&every(Some(90.0)));
    assert_eq!(told(&metrics), (Some("90".to_owned()), Some(AT.seconds().to_string())));
    metrics.reconfigure(&every(None));
    assert_eq!(told(&metrics), (None, None));
}

#[test]
fn scopes_that_a_source_lost_have_no_series() {
    let metrics = DaemonMetrics::new(&setup(&[("s", "tencent-mqtt")], &[]));
    metrics.added("s", "old", 1);
    metrics.added("s", "new", 1);
    metrics.retain_scopes("s", &["new"]);
    let families = read(&metrics);
    let added = samples(&families, "notafter_certificates_added_total");
    assert_eq!(added.iter().map(|s| s.label("scope")).collect::<Vec<_>>(), [Some("new")]);
}

#[test]
fn names_that_read_alike_together_stay_apart() {
    let metrics =
        DaemonMetrics::new(&setup(&[("p1", "tencent-mqtt"), ("p12", "tencent-mqtt")], &[]));
    metrics.added("p1", "23", 1);
    metrics.added("p12", "3", 2);
    metrics.request("p1", ACTIONS[0], Outcome::Ok, 0.1);
    let families = read(&metrics);
    let added = samples(&families, "notafter_certificates_added_total");
    let added: Vec<_> = added.iter().map(|s| (s.label("source"), s.label("scope"))).collect();
    assert_eq!(added, [(Some("p1"), Some("23")), (Some("p12"), Some("3"))]);
    let counted = samples(&families, "notafter_source_requests_total");
    assert_eq!(counted.iter().filter(|s| s.value == "1").count(), 1);
}

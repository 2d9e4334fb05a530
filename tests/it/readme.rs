//! What the README tells people to do does what it says: alert rules, the sample configuration beside the unit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::harness::Daemon;

const README: &str = include_str!("../../README.md");
const SAMPLE: &str = include_str!("../../config/notafter.toml");
const UNIT: &str = include_str!("../../deploy/notafter.service");

/// Returns the expressions that the README says to alert on, by what they are about.
fn expressions() -> Vec<(&'static str, &'static str)> {
    let table = README.split("| what | expression |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let (what, expression) = row.trim_matches(['|', ' ']).split_once(" | `").unwrap();
        (what, expression.trim_end_matches('`'))
    })
    .collect()
}

/// Days from 1970 to the moment that the rules are looked at.
const NOW: i64 = 100;
const DAY: i64 = 86_400;

/// A series with one value all the time.
fn series(name: &str, labels: &str, value: i64) -> String {
    let comma = if labels.is_empty() { "" } else { "," };
    let all = format!("job=\"notafter\",instance=\"a:1\"{comma}{labels}");
    format!("  - series: '{name}{{{all}}}'\n    values: '{value}+0x200'\n")
}

fn buckets(week: i64, long_ago: i64) -> String {
    let name = "notafter_certificate_remaining_seconds_bucket";
    let of = |le: &str, count| {
        series(name, &format!("source=\"s\",scope=\"all\",kind=\"server\",le=\"{le}\""), count)
    };
    of("604800.0", week) + &of("-2592000.0", long_ago)
}

fn certificate(status: &str, days_left: i64) -> String {
    let identity = "source=\"s\",scope=\"all\",place=\"/a.pem\",issuer=\"R11\",cert=\"1\"";
    let names =
        format!("{identity},kind=\"server\",cn=\"a.example.com\",unit=\"web\",status=\"{status}\"");
    series("notafter_certificate_info", &names, 1)
        + &series(
            "notafter_certificate_not_after_timestamp_seconds",
            identity,
            (NOW + days_left) * DAY,
        )
}

/// A source with a near and a whole window, proven so many days ago; two daemons report it.
fn proofs(near: i64, all: i64) -> String {
    let mut text = String::new();
    for (window, proven) in [("near", near), ("all", all)] {
        let labels = format!("source=\"iot\",scope=\"mqtt-1\",window=\"{window}\"");
        text += &series("notafter_source_last_proven_scan_timestamp_seconds", &labels, proven);
        let labels = format!("source=\"iot\",window=\"{window}\"");
        text += &series("notafter_source_poll_interval_seconds", &labels, DAY);
    }
    let other = text.replace("a:1", "b:1");
    text + &other
}

fn places() -> Vec<(String, usize)> {
    [("missing", 2, 1), ("unreadable", 1, 1), ("broken", 0, 0), ("read", 3, 0)]
        .map(|(state, count, alerts)| {
            let labels = format!("source=\"s\",state=\"{state}\"");
            (series("notafter_source_places", &labels, count), alerts)
        })
        .to_vec()
}

fn globs() -> Vec<(String, usize)> {
    let name = "notafter_source_globs_without_match";
    [(1, 1), (0, 0)].map(|(count, alerts)| (series(name, "source=\"s\"", count), alerts)).to_vec()
}

/// For each rule: what makes it fire so many alerts, and what leaves it quiet.
fn cases() -> Vec<(&'static str, Vec<(String, usize)>)> {
    let flag =
        |name: &str, labels: &str| vec![(series(name, labels, 0), 1), (series(name, labels, 1), 0)];
    vec![
        ("notafter is down", flag("up", "")),
        ("a source cannot be read", flag("notafter_source_up", "source=\"s\"")),
        (
            "a source has had no proven scan for 2.5 intervals, or never",
            vec![
                (proofs((NOW - 3) * DAY, (NOW - 2) * DAY), 2),
                // Never: since the start.
                (proofs(0, 0), 4),
                (proofs((NOW - 2) * DAY, (NOW - 1) * DAY), 0),
            ],
        ),
        ("files are missing, closed to notafter or broken", places()),
        ("a glob matches nothing", globs()),
        ("a channel does not deliver", flag("notafter_channel_up", "channel=\"ops\"")),
        (
            "messages wait",
            [(2 * 3600, 1), (600, 0)]
                .map(|(ago, alerts)| {
                    let name = "notafter_notifications_oldest_pending_timestamp_seconds";
                    (series(name, "channel=\"ops\"", NOW * DAY - ago), alerts)
                })
                .to_vec(),
        ),
        (
            "active certificates expire within a week, or did in the last 30 days",
            vec![(buckets(5, 4), 1), (buckets(4, 4), 0), (buckets(0, 0), 0)],
        ),
        (
            "the same, one alert for each, with the labels `unit` and `cn` that lead to the team that owns it",
            vec![
                (certificate("active", 6), 1),
                (certificate("active", -1), 1),
                (certificate("active", 8), 0),
                (certificate("active", -31), 0),
                (certificate("superseded", 6), 0),
            ],
        ),
        (
            "a CA expires before what it signed",
            [(3, 1), (0, 0)]
                .map(|(count, alerts)| {
                    let labels = "source=\"s\",scope=\"all\",ca=\"00\"";
                    (series("notafter_certificates_outliving_issuer", labels, count), alerts)
                })
                .to_vec(),
        ),
        ("the store cannot be written", flag("notafter_store_up", "")),
        ("the last reload was refused", flag("notafter_config_last_reload_successful", "")),
    ]
}

/// Writes what promtool reads: for each case how many alerts there are, each with what leads to somebody.
fn promtool_test(expression: &str, cases: &[(String, usize)]) -> String {
    let mut text = "evaluation_interval: 1d\ntests:\n".to_owned();
    for (input, alerts) in cases {
        let quoted = format!("count({expression})").replace('\'', "''");
        let expected =
            if *alerts == 0 { "[]".to_owned() } else { format!("[{{value: {alerts}}}]") };
        write!(
            text,
            "- interval: 1d\n  input_series:\n{input}  promql_expr_test:\n  - expr: '{quoted}'\n    \
             eval_time: {NOW}d\n    exp_samples: {expected}\n"
        )
        .unwrap();
    }
    text
}

fn promtool(what: &str, arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).output();
    let output =
        output.expect("promtool is installed: tests/run does it, from Debian's package prometheus");
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {printed}");
}

#[test]
fn the_alert_rules_of_the_readme_fire_and_stay_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    let expressions = expressions();
    let named: Vec<_> = cases.iter().map(|(what, _)| *what).collect();
    assert_eq!(expressions.iter().map(|(what, _)| *what).collect::<Vec<_>>(), named);
    let mut rules = "groups:\n- name: notafter\n  rules:\n".to_owned();
    for (index, (what, expression)) in expressions.iter().enumerate() {
        writeln!(
            rules,
            "  - alert: Rule{index}\n    for: 15m\n    expr: '{}'",
            expression.replace('\'', "''")
        )
        .unwrap();
        let test = promtool_test(expression, &cases[index].1);
        let path = folder.path().join("test.yml");
        std::fs::write(&path, &test).unwrap();
        promtool(what, &["test", "rules", path.to_str().unwrap()]);
    }
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, rules).unwrap();
    promtool("all of them", &["check", "rules", path.to_str().unwrap()]);
}

/// Returns the names of the credentials that the sample asks for.
fn credentials() -> Vec<&'static str> {
    let used = SAMPLE.lines().filter(|line| !line.starts_with('#'));
    let mut names: Vec<_> = used
        .filter_map(|line| line.split_once("credential = \"")?.1.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Writes each credential where systemd puts the files of a folder (systemd.exec(5), `LoadCredential=`).
fn hand_over(folder: &Path) {
    for name in credentials() {
        let secret = match name {
            "feishu-url" => "https://open.feishu.cn/open-apis/bot/v2/hook/0f3a",
            "dingtalk-url" => "https://oapi.dingtalk.com/robot/send?access_token=0f3a",
            "wecom-url" => "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0f3a",
            "slack-url" => "https://hooks.slack.com/services/T0/B0/x0",
            "webhook-url" => "https://example.com/hook",
            _ => "0f3a",
        };
        std::fs::write(folder.join(format!("notafter_{name}")), secret).unwrap();
    }
}

#[tokio::test]
async fn the_sample_is_good_beside_the_unit_once_its_secrets_are_there() {
    let loads = "LoadCredential=notafter:/etc/notafter/credentials";
    assert!(UNIT.lines().any(|line| line == loads), "the unit hands the folder over");
    for step in [
        "sudo install -d -m 700 /etc/notafter/credentials",
        "sudo install -m 644 config/notafter.toml /etc/notafter/notafter.toml",
        "sudo install -m 644 deploy/notafter.service /etc/systemd/system/notafter.service",
    ] {
        assert!(README.lines().any(|line| line.starts_with(step)), "{step}");
    }
    let mut daemon = Daemon::prepared("", &[]);
    std::fs::write(daemon.config_path(), SAMPLE).unwrap();
    let folder = daemon.folder.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    daemon.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    let without = daemon.run(&["check"]).await;
    assert_eq!(without.code, Some(78));
    for name in credentials() {
        assert!(without.err.contains(&format!("credential `{name}`")), "{name}: {}", without.err);
    }
    hand_over(&folder);
    let with = daemon.run(&["check"]).await;
    // The sample's files are not on every machine, which `check` warns of.
    assert_eq!(with.code, Some(0), "{}{}", with.out, with.err);
    assert!(!with.err.contains("credential"), "{}", with.err);
}

/// The steps are run one after the other, with a folder in the place of `/`.
#[tokio::test]
async fn the_manual_of_the_steps_is_a_page_that_man_finds() {
    let step = "notafter man | sudo install -m 644 /dev/stdin /usr/local/share/man/man1/notafter.1";
    assert!(README.lines().any(|line| line == step));
    let daemon = Daemon::prepared("", &[]);
    let page = daemon.run(&["man"]).await;
    let folder = daemon.folder.path().join("man1");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notafter.1"), page.out).unwrap();
    let found =
        Command::new("man").arg("-w").arg("-M").arg(daemon.folder.path()).arg("notafter").output();
    let found = found.expect("man is installed: tests/run does it, from Debian's package man-db");
    assert!(found.status.success(), "{found:?}");
}

//! Every command as a user runs it: what it prints, and what its exit code says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Daemon, Ran, configuration, environment};
use simulator::chat::{DINGTALK_SECRET, FEISHU_SECRET, Service as ChatService, WEBHOOK_SECRET};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{Fleet, Instance};
use simulator::{SECRET_ID, SECRET_KEY, Service, Setup, Simulator};

async fn simulator() -> Simulator {
    let rows = Instance::new("mqtt-a", 400);
    let fleet = Fleet::new(7, wall_seconds()).with(rows).with_ssl(60).with_product(10, true);
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn prepared(simulator: &Simulator) -> Daemon {
    Daemon::prepared(&configuration(simulator), &environment(simulator))
}

fn assert_exit(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "stdout:\n{}\nstderr:\n{}", ran.out, ran.err);
}

#[tokio::test]
async fn check_sums_up_what_would_run() {
    let simulator = simulator().await;
    let ran = prepared(&simulator).run(&["check"]).await;
    assert_exit(&ran, 0);
    for line in [
        "the configuration is good",
        "source    iot (tencent-mqtt), every 3s; all of it every 5s",
        "source    plant (enos), every 3s",
        "channel   room (feishu)",
        "routes    1",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    assert_eq!(simulator.log().last().len(), 0, "nothing is asked without --online");
}

#[tokio::test]
async fn check_tells_every_mistake_with_its_place() {
    let simulator = simulator().await;
    let daemon = prepared(&simulator);
    let text = configuration(&simulator)
        .replacen("every 3s", "every now and then", 1)
        .replace("kind = \"enos\"", "kind = \"enox\"")
        .replace("{ env = \"WEBHOOK_SECRET\" }", "\"whsec_literal\"")
        .replace("channels = [\"ops\", \"room\"]", "channels = [\"nobody\"]");
    daemon.configure(&(text + "\n[metrics]\nmax_serie = 5\n"));
    let ran = daemon.run(&["check"]).await;
    assert_exit(&ran, 78);
    assert_eq!(ran.out, "");
    let file = std::fs::read_to_string(daemon.config_path()).unwrap();
    for (words, at) in [
        ("`schedule`: not a duration", "every now and then"),
        ("enox", "enox"),
        ("secret", "whsec_literal"),
        ("nobody", "nobody"),
        ("max_serie", "max_serie"),
    ] {
        // Lines and columns begin at 1.
        let line = 1 + file.lines().position(|line| line.contains(at)).unwrap();
        let place = format!("{}:{line}:", daemon.config_path().display());
        let mistake = ran.err.lines().find(|line| line.starts_with(&place));
        let mistake = mistake.unwrap_or_else(|| panic!("nothing about {place} in\n{}", ran.err));
        let column = mistake.trim_start_matches(&place).split(':').next().unwrap();
        let column: usize = column.parse().unwrap();
        let place = file.lines().nth(line - 1).unwrap().find(at).unwrap();
        assert!((1..=place + 1).contains(&column), "{mistake}");
        assert!(ran.err.contains(words), "{words}\n{}", ran.err);
    }
    assert!(!ran.err.contains("whsec_literal"), "a literal secret is repeated:\n{}", ran.err);
}

#[tokio::test]
async fn check_online_says_what_each_source_may_see() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    let ran = daemon.run(&["check", "--online"]).await;
    assert_exit(&ran, 0);
    for source in ["iot", "web", "plant"] {
        let line = format!("online    {source}: may read; scopes: 1; ");
        assert!(ran.out.contains(&line), "{line}\n{}", ran.out);
    }
    let total =
        simulator.mqtt().count("mqtt-a") + simulator.mqtt().authorities("mqtt-a").len() as u64;
    let line = format!("online    iot: may read; scopes: 1; entries in all: {total};");
    assert!(ran.out.contains(&line), "{line}\n{}", ran.out);
    daemon.set("SECRET_KEY", "not-the-key");
    let ran = daemon.run(&["check", "--online"]).await;
    assert_exit(&ran, 1);
    let line = |source: &str| {
        let start = format!("online    {source}: ");
        ran.out.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
    };
    assert!(line("iot").contains("AuthFailure.SignatureFailure"), "{}", line("iot"));
    assert!(line("web").contains("AuthFailure.SignatureFailure"), "{}", line("web"));
    assert!(line("plant").contains("may read"), "{}", line("plant"));
}

/// Without one of them a scan is partial, or a certificate that is gone is never known to be.
#[tokio::test]
async fn check_online_asks_for_each_right_that_a_source_needs() {
    let simulator = simulator().await;
    let daemon = prepared(&simulator);
    for action in [
        "DescribeInstanceList",
        "DescribeInstance",
        "DescribeDeviceCertificates",
        "DescribeDeviceCertificate",
        "DescribeCaCertificates",
    ] {
        let denied = Fault::Code("UnauthorizedOperation");
        simulator.fault_on(Service::Mqtt, action, denied, Times::Always);
        let ran = daemon.run(&["check", "--online"]).await;
        assert_exit(&ran, 1);
        let lines = ran.out.lines().filter(|line| line.starts_with("online    iot: "));
        let lines: Vec<_> = lines.collect();
        assert!(lines.iter().any(|line| line.contains(action)), "{action}: {lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("may read")), "{action}: {lines:#?}");
        simulator.heal();
    }
}

fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn scan_prints_what_the_providers_have() {
    let simulator = simulator().await;
    let daemon = prepared(&simulator);
    let mqtt =
        simulator.mqtt().count("mqtt-a") + simulator.mqtt().authorities("mqtt-a").len() as u64;

    let json = daemon.run(&["scan", "--format", "json"]).await;
    assert_exit(&json, 0);
    let all = rows(&json.out);
    let of = |rows: &[Value], source: &str| {
        rows.iter().filter(|row| row["source"] == source).count() as u64
    };
    assert_eq!(of(&all, "iot"), mqtt);
    assert!(of(&all, "web") > 0 && of(&all, "plant") > 0);
    let ends: Vec<_> = all.iter().filter_map(|row| row["remaining_seconds"].as_i64()).collect();
    assert!(ends.is_sorted());
    let truth: std::collections::BTreeMap<String, Option<i64>> = simulator
        .mqtt()
        .truth("mqtt-a")
        .into_iter()
        .map(|row| (row.serial, row.not_after))
        .collect();
    for row in all.iter().filter(|row| row["source"] == "iot" && row["kind"] == "device") {
        let end = row["not_after"]
            .as_str()
            .map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp());
        assert_eq!(end, truth[row["serial"].as_str().unwrap()], "{row}");
    }

    let csv = daemon.run(&["scan", "--source", "iot", "--format", "csv"]).await;
    assert_exit(&csv, 0);
    let mut reader = csv::Reader::from_reader(csv.out.as_bytes());
    assert_eq!(reader.headers().unwrap().get(5), Some("serial"));
    assert_eq!(reader.records().map(Result::unwrap).count() as u64, mqtt);

    let table = daemon.run(&["scan", "--source", "iot"]).await;
    assert_exit(&table, 0);
    assert!(table.out.starts_with("EXPIRES "), "{}", table.out);
    assert!(table.out.lines().count() <= 52, "a table is for people:\n{}", table.out);

    let within =
        daemon.run(&["scan", "--source", "iot", "--within", "30d", "--format", "json"]).await;
    assert_exit(&within, 0);
    let soon = rows(&within.out);
    assert!(!soon.is_empty() && soon.len() < all.len());
    assert!(soon.iter().all(|row| row["remaining_seconds"].as_i64().unwrap() <= 30 * 86_400));
    assert!(within.err.contains("without a notAfter, not listed"), "{}", within.err);
}

#[tokio::test]
async fn scan_says_by_its_exit_code_what_a_script_must_know() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    let soon = daemon.run(&["scan", "--source", "iot", "--fail-within", "7d"]).await;
    assert_exit(&soon, 3);
    let unknown = daemon.run(&["scan", "--source", "nobody"]).await;
    assert_exit(&unknown, 1);
    assert!(unknown.err.contains("known: iot, web, plant"), "{}", unknown.err);
    assert_exit(&daemon.run(&["scan", "--format", "xml"]).await, 2);

    simulator.fault_on(
        Service::Mqtt,
        "DescribeDeviceCertificates",
        Fault::TotalOff(1),
        Times::Always,
    );
    let partial = daemon.run(&["scan", "--source", "iot", "--fail-within", "7d"]).await;
    assert_exit(&partial, 1);
    assert!(partial.err.contains("iot: the scan is partial"), "{}", partial.err);
    assert!(partial.out.starts_with("EXPIRES "), "what was seen is printed:\n{}", partial.out);
    simulator.heal();

    daemon.set("SECRET_KEY", "not-the-key");
    let refused = daemon.run(&["scan", "--source", "iot"]).await;
    assert_exit(&refused, 1);
    assert!(refused.err.contains("iot: not scanned: refused"), "{}", refused.err);
}

#[tokio::test]
async fn list_asks_the_running_daemon_and_reads_the_store_when_none_runs() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    let none = daemon.run(&["list"]).await;
    assert_exit(&none, 1);
    assert!(none.err.contains("no daemon answers on its control socket"), "{}", none.err);
    daemon.start();
    let proven = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";
    daemon.until(proven, |at| at > 0.0).await;
    let mut truth = simulator.mqtt().truth("mqtt-a");
    truth.extend(simulator.mqtt().authorities("mqtt-a"));
    let json = daemon.run(&["list", "--source", "iot", "--format", "json"]).await;
    assert_exit(&json, 0);
    let listed = rows(&json.out);
    assert_eq!(listed.len(), truth.len(), "everything, without being asked for it");
    let ids: std::collections::BTreeSet<_> = listed.iter().map(|row| row["id"].as_str()).collect();
    assert_eq!(ids.len(), listed.len());
    let ends: Vec<_> = listed.iter().map(|row| row["remaining_seconds"].as_i64()).collect();
    assert!(
        ends.is_sorted_by_key(|end| (end.is_none(), *end)),
        "unknown is after all that is known"
    );
    let csv = daemon.run(&["list", "--source", "iot", "--format", "csv"]).await;
    assert_eq!(csv::Reader::from_reader(csv.out.as_bytes()).records().count(), truth.len());
    let table = daemon.run(&["list", "--source", "iot"]).await;
    assert_eq!(table.out.lines().count(), 52, "{}", table.out);
    assert!(table.out.ends_with("and more: `--limit N` prints more of them, `--format csv` all\n"));
    let within = daemon.run(&["list", "--within", "7d", "--format", "csv", "--limit", "9"]).await;
    assert_exit(&within, 0);
    assert!((2..=10).contains(&within.out.lines().count()), "{}", within.out);
    assert_exit(&daemon.run(&["list"]).await, 0);
    // The daemon says when it first saw one and on which rung it is; its store does, too.
    let asked = daemon.run(&["list", "--format", "json"]).await;
    assert!(rows(&asked.out).iter().all(|row| row["first_seen"].is_string()));
    let socket = daemon.folder.path().join("notafter.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&socket.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    let named = daemon.run(&["list", "--socket", "/nowhere.sock"]).await;
    assert_exit(&named, 1);
    assert!(named.err.contains("no daemon answers on /nowhere.sock"), "{}", named.err);
    assert!(daemon.stop().await.success());
    assert!(!socket.exists(), "it goes with its daemon");
    let read = daemon.run(&["list", "--format", "json"]).await;
    let known = |out: &str| {
        let fields = ["id", "status", "not_after", "first_seen", "rung", "holder"];
        let row = |row: &serde_json::Value| fields.map(|field| row[field].clone());
        rows(out).iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(known(&read.out).len(), known(&asked.out).len());
    let sorted = |out: &str| {
        let mut known: Vec<_> = known(out).iter().map(|row| format!("{row:?}")).collect();
        known.sort_unstable();
        known
    };
    assert_eq!(sorted(&read.out), sorted(&asked.out));
}

#[tokio::test]
async fn a_test_is_sent_by_the_running_daemon() {
    let simulator = simulator().await;
    let mut daemon = prepared(&simulator);
    daemon.start();
    daemon.ready().await;
    let sent = daemon.run(&["channel", "test", "room"]).await;
    assert_exit(&sent, 0);
    assert!(sent.out.starts_with("room: delivered"), "{}", sent.out);
    let delivered = "notafter_notifications_last_success_timestamp_seconds{channel=\"room\"}";
    daemon.until(delivered, |at| at > 0.0).await;
    let unknown = daemon.run(&["channel", "test", "nobody"]).await;
    assert_exit(&unknown, 1);
    assert!(unknown.err.contains("no channel has the name `nobody`"), "{}", unknown.err);
    assert!(daemon.stop().await.success());
}

const ROOMS: [(&str, ChatService, &str, &str); 5] = [
    ("slack", ChatService::Slack, "/slack/services/T/B/x", "T/B/x"),
    ("feishu", ChatService::Feishu, "/feishu/open-apis/bot/v2/hook/demo", "demo"),
    ("dingtalk", ChatService::DingTalk, "/dingtalk/robot/send?access_token=demo", "demo"),
    ("wecom", ChatService::WeCom, "/wecom/cgi-bin/webhook/send?key=demo", "demo"),
    ("webhook", ChatService::Webhook, "/webhook/demo", "demo"),
];

/// A source alone, without which a configuration is not one.
fn iot(simulator: &Simulator) -> String {
    let whole = configuration(simulator);
    let sources: Vec<&str> = whole.split("[[source]]").collect();
    format!("{}[[source]]{}", sources[0], sources[1])
}

fn five_channels(simulator: &Simulator) -> Daemon {
    let mut config = iot(simulator);
    let mut variables = vec![
        ("SECRET_ID", SECRET_ID.to_owned()),
        ("SECRET_KEY", SECRET_KEY.to_owned()),
        ("FEISHU_SECRET", FEISHU_SECRET.to_owned()),
        ("DINGTALK_SECRET", DINGTALK_SECRET.to_owned()),
        ("WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
    ];
    let urls = ["SLACK_URL", "FEISHU_URL", "DINGTALK_URL", "WECOM_URL", "WEBHOOK_URL"];
    for ((kind, _, path, _), url) in ROOMS.iter().zip(urls) {
        let secret = match *kind {
            "slack" | "wecom" => String::new(),
            _ => format!("secret = {{ env = \"{}_SECRET\" }}\n", kind.to_uppercase()),
        };
        write!(
            config,
            "[[channel]]\nname = \"{kind}\"\nkind = \"{kind}\"\n[channel.options]\nurl = {{ env = \"{url}\" }}\n{secret}"
        )
        .unwrap();
        variables.push((url, format!("{}{path}", simulator.chat_url())));
    }
    config +=
        "[[route]]\nchannels = [\"slack\", \"feishu\", \"dingtalk\", \"wecom\", \"webhook\"]\n";
    Daemon::prepared(&config, &variables)
}

#[tokio::test]
async fn a_test_message_arrives_in_every_kind_of_room_or_says_what_to_do() {
    let simulator = simulator().await;
    let daemon = five_channels(&simulator);
    for (kind, service, _, room) in ROOMS {
        let ran = daemon.run(&["channel", "test", kind]).await;
        assert_exit(&ran, 0);
        assert!(ran.out.starts_with(&format!("{kind}: delivered")), "{}", ran.out);
        let received = simulator.chat().received();
        let last = received.last().unwrap();
        assert_eq!((last.service, last.room.as_str()), (service, room));
        assert!(last.text.contains("test"), "{}", last.text);

        simulator.chat().remove(service, room);
        let ran = daemon.run(&["channel", "test", kind]).await;
        assert_exit(&ran, 1);
        let code = match kind {
            "slack" => "no_service",
            "feishu" => "19001",
            "dingtalk" => "300005",
            "wecom" => "93000",
            _ => "http 410",
        };
        let (verdict, hint) = ran.out.split_once("): ").unwrap_or_else(|| panic!("{}", ran.out));
        assert!(
            verdict.contains("the channel does not work") && verdict.contains(code),
            "{verdict}"
        );
        assert!(hint.trim().len() > 10, "what to do: {hint}");
    }
    assert_eq!(simulator.chat().received().len(), ROOMS.len());
    let unknown = daemon.run(&["channel", "test", "nobody"]).await;
    assert_exit(&unknown, 1);
    assert!(unknown.err.contains("no channel has the name `nobody`"), "{}", unknown.err);
}

#[tokio::test]
async fn shells_read_the_completions_and_man_reads_the_page() {
    let daemon = Daemon::prepared("", &[]);
    for (shell, check) in [("bash", Some("bash")), ("zsh", None), ("fish", None)] {
        let ran = daemon.run(&["completions", shell]).await;
        assert_exit(&ran, 0);
        assert!(ran.out.contains("fail-within"), "{shell}");
        if let Some(program) = check {
            let path = daemon.folder.path().join("script");
            std::fs::write(&path, &ran.out).unwrap();
            let parsed = std::process::Command::new(program).arg("-n").arg(path).output().unwrap();
            assert!(parsed.status.success() && parsed.stderr.is_empty(), "{parsed:?}");
        }
    }
    assert_exit(&daemon.run(&["completions", "tcsh"]).await, 2);
    let page = daemon.run(&["man"]).await;
    assert_exit(&page, 0);
    assert!(page.out.contains(".TH notafter 1"), "{}", page.out);
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let simulator = simulator().await;
    let mut daemon = five_channels(&simulator);
    daemon.start();
    let proven = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";
    daemon.until(proven, |at| at > 0.0).await;
    for arguments in [
        &["check"][..],
        &["check", "--online"],
        &["scan", "--format", "json"],
        &["scan", "--format", "csv"],
        &["scan"],
        &["list", "--limit", "100000"],
        &["channel", "test", "webhook"],
        &["completions", "zsh"],
        &["man"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = tokio::process::Command::from(daemon.command(arguments));
        let output = command.stdout(writer).stderr(Stdio::piped()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    }
    assert!(daemon.stop().await.success());
}

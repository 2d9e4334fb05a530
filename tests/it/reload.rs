//! The life of the process: reloads, orderly ends, refused starts, and what systemd is notified of.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "counts and flags are exact")]
#![expect(clippy::disallowed_methods, reason = "a test owns the tasks that it spawns")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::harness::{Daemon, Heard, environment, eventually, heard};
use crate::written::{SIGNED, channel, mqtt, route, source, ssl, webhook};
use simulator::chat::{Fault as ChatFault, Service as ChatService};
use simulator::clock::wall_seconds;
use simulator::fleet::{DAY, Fleet, Instance};
use simulator::{Setup, Simulator};

const RELOADED: &str = "notafter_config_last_reload_successful";
const POLLED: &str = "notafter_source_last_attempt_timestamp_seconds{source=\"iot\"}";

/// A fleet in which some certificates end soon: a block of 64 from three days ago to 26 days ahead.
async fn simulator() -> Simulator {
    let ends = (-3 * DAY, 700 * DAY);
    let rows = Instance { cas: 1, mixed: false, ends, ..Instance::new("mqtt-a", 1500) };
    let fleet = Fleet::new(5, wall_seconds()).with(rows).with_ssl(60);
    Simulator::start(Setup::new(fleet)).await.unwrap()
}

fn iot(simulator: &Simulator) -> String {
    let options = "requests_per_second = 10000\nfull_scan = \"every 2s\"";
    mqtt(simulator, "iot", "every 1s", options)
}

fn web(simulator: &Simulator) -> String {
    ssl(simulator, "web", "every 1s", "requests_per_second = 1000")
}

fn files(daemon: &Daemon) -> String {
    let name = vec!["files.example.com".to_owned()];
    let certificate = rcgen::generate_simple_self_signed(name).unwrap().cert.pem();
    let path = daemon.folder.path().join("own.pem");
    std::fs::write(&path, certificate).unwrap();
    source("files", "own", "every 1s", &format!("paths = [\"{}\"]", path.display()))
}

fn alerts(more: &str) -> String {
    format!("[alerts]\ngroup_wait = \"1s\"\n{more}\n")
}

fn ops() -> String {
    webhook("ops", "WEBHOOK_URL", SIGNED) + &route(&["ops"])
}

fn rungs(heard: &[Heard]) -> BTreeMap<(String, String), usize> {
    let mut rungs = BTreeMap::new();
    for event in heard.iter().filter(|event| !event.rung.is_empty()) {
        *rungs.entry((event.serial.clone(), event.rung.clone())).or_default() += 1;
    }
    rungs
}

/// Waits until both sources were read and everything that was decided is delivered.
async fn settled(daemon: &Daemon, sources: &[(&str, &str)]) {
    for (source, scope) in sources {
        let labels = format!("{{source=\"{source}\",scope=\"{scope}\",window=\"all\"}}");
        let series = format!("notafter_source_last_proven_scan_timestamp_seconds{labels}");
        daemon.until(&series, |at| at > 0.0).await;
    }
    let last = "notafter_notifications_last_success_timestamp_seconds{channel=\"ops\"}";
    daemon.until(last, |at| at > 0.0).await;
    daemon.drained("ops").await;
}

/// Waits until the source was read some more times, so that what would be sent again would have been.
async fn polled_again(daemon: &Daemon) {
    for _ in 0..3 {
        let before = daemon.sample(POLLED).await.unwrap();
        daemon.until(POLLED, |at| at > before).await;
    }
    daemon.drained("ops").await;
}

#[tokio::test]
async fn a_good_configuration_takes_over_and_nothing_is_sent_again() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let (iot, web) = (iot(&simulator), web(&simulator));
    daemon.configure(&format!("{}{iot}{web}{}", alerts(""), ops()));
    daemon.start();
    settled(&daemon, &[("iot", "mqtt-a"), ("web", "all")]).await;
    let before = rungs(&heard(&simulator));
    assert!(before.values().all(|times| *times == 1), "{before:?}");

    let files = files(&daemon);
    daemon.configure(&format!("{}{iot}{files}{}", alerts(""), ops()));
    daemon.signal("HUP");
    daemon.until("notafter_source_up{source=\"own\"}", |up| up == 1.0).await;
    let active =
        "notafter_certificates{source=\"own\",scope=\"all\",kind=\"server\",status=\"active\"}";
    daemon.until(active, |count| count == 1.0).await;
    polled_again(&daemon).await;
    let (_, body) = daemon.get("/metrics").await.unwrap();
    let left: Vec<_> = body.lines().filter(|line| line.contains("source=\"web\"")).collect();
    assert!(left.is_empty(), "series of a source that is not configured any more: {left:#?}");
    assert_eq!(rungs(&heard(&simulator)), before);

    daemon.configure(&format!("{}{iot}{}", alerts(""), ops()));
    assert_eq!(daemon.post("/-/reload").await, (200, "the configuration is reloaded\n".to_owned()));
    daemon.until(RELOADED, |good| good == 1.0).await;
    polled_again(&daemon).await;
    assert_eq!(rungs(&heard(&simulator)), before);
    assert_eq!(daemon.sample(active).await, None);
    assert!(daemon.stop().await.success());
    let listed = daemon.run(&["list", "--format", "csv", "--limit", "100000"]).await;
    let mut reader = csv::Reader::from_reader(listed.out.as_bytes());
    let others = reader.records().filter(|row| row.as_ref().unwrap().get(1) != Some("iot")).count();
    assert_eq!((others, listed.err.as_str()), (0, ""));
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_its_mistakes_are_listed() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let good = format!("{}{}{}", alerts(""), iot(&simulator), ops());
    daemon.configure(&good);
    daemon.start();
    settled(&daemon, &[("iot", "mqtt-a")]).await;
    assert_eq!(daemon.sample(RELOADED).await, Some(1.0));
    let stamp = "notafter_config_last_reload_success_timestamp_seconds";
    let loaded = daemon.sample(stamp).await;
    let before = rungs(&heard(&simulator));

    let broken = good.replace("every 1s", "every now and then").replace("ap-guangzhou", "");
    daemon.configure(&format!("{broken}\n[metrics]\nmax_serie = 5\n"));
    daemon.signal("HUP");
    daemon.until(RELOADED, |good| good == 0.0).await;
    let (status, body) = daemon.post("/-/reload").await;
    assert_eq!(status, 422);
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    let detail = problem["detail"].as_str().unwrap();
    for mistake in ["schedule", "region", "max_serie"] {
        let place = detail.lines().find(|line| line.contains(mistake)).unwrap_or_default();
        assert!(place.contains("notafter.toml:"), "`{mistake}` has no place in:\n{detail}");
    }
    assert_eq!(problem["status"], 422);
    polled_again(&daemon).await;
    assert_eq!(daemon.sample(RELOADED).await, Some(0.0));
    assert_eq!(daemon.sample(stamp).await, loaded);
    assert_eq!(rungs(&heard(&simulator)), before);

    daemon.configure(&good);
    daemon.signal("HUP");
    daemon.until(RELOADED, |good| good == 1.0).await;
    polled_again(&daemon).await;
    assert_eq!(rungs(&heard(&simulator)), before);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn another_ladder_says_what_its_new_rungs_say_and_nothing_else() {
    let simulator = simulator().await;
    let now = wall_seconds();
    let later = simulator.mqtt().insert_ending("mqtt-a", 3, now + 40 * DAY).start;
    let serial = simulator.mqtt().one("mqtt-a", later).serial;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let with = |ladder: &str| format!("{}{}{}", alerts(ladder), iot(&simulator), ops());
    daemon.configure(&with("ladder = [\"30d\", \"7d\"]"));
    daemon.start();
    settled(&daemon, &[("iot", "mqtt-a")]).await;
    let before = rungs(&heard(&simulator));
    assert!(!before.contains_key(&(serial.clone(), "45d".to_owned())));

    daemon.configure(&with("ladder = [\"45d\", \"30d\", \"7d\"]"));
    assert_eq!(daemon.post("/-/reload").await.0, 200);
    let sent = || rungs(&heard(&simulator)).contains_key(&(serial.clone(), "45d".to_owned()));
    eventually("the new rung is sent", async || sent().then_some(())).await;
    polled_again(&daemon).await;
    let after = rungs(&heard(&simulator));
    let new: BTreeSet<&str> = after
        .keys()
        .filter(|key| !before.contains_key(key))
        .map(|(_, rung)| rung.as_str())
        .collect();
    assert_eq!(new, BTreeSet::from(["45d"]));
    assert!(after.values().all(|times| *times == 1), "{after:?}");

    daemon.configure(&with("ladder = [\"7d\"]"));
    assert_eq!(daemon.post("/-/reload").await.0, 200);
    polled_again(&daemon).await;
    assert_eq!(rungs(&heard(&simulator)), after);
    let looser = "notafter_alerts_active{source=\"iot\",scope=\"mqtt-a\",rung=\"45d\"}";
    assert_eq!(daemon.sample(looser).await, None);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_first_channel_is_notified_of_what_nobody_was_before() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let quiet = format!("{}{}", alerts(""), iot(&simulator));
    daemon.configure(&quiet);
    daemon.start();
    let proven = "notafter_source_last_proven_scan_timestamp_seconds{source=\"iot\",scope=\"mqtt-a\",window=\"all\"}";
    daemon.until(proven, |at| at > 0.0).await;
    let active = "notafter_alerts_active{source=\"iot\",scope=\"mqtt-a\",rung=\"expired\"}";
    daemon.until(active, |count| count > 0.0).await;
    daemon.configure(&format!("{quiet}{}", ops()));
    assert_eq!(daemon.post("/-/reload").await.0, 200);
    let sent = || heard(&simulator).iter().any(|event| event.kind == "certificate.expired");
    eventually("what is due is sent", async || sent().then_some(())).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_reload_says_which_settings_it_could_not_change() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    let config = format!("{}{}{}", alerts(""), iot(&simulator), ops());
    daemon.configure(&config);
    daemon.start();
    daemon.ready().await;
    let port = daemon.port;
    daemon.port = crate::harness::free_port();
    daemon.configure(&config);
    daemon.port = port;
    let expected = format!(
        "`server.listen` stays 127.0.0.1:{port} until the next start; everything else of the configuration is in effect"
    );
    assert_eq!(daemon.post("/-/reload").await, (200, format!("{expected}\n")));
    assert!(daemon.log().contains(&expected), "{}", daemon.log());
    assert!(!daemon.log().contains("the configuration was loaded again"));
    daemon.configure(&config);
    assert_eq!(daemon.post("/-/reload").await.1, "the configuration is reloaded\n");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_one_scan_found_is_notified_without_waiting_for_the_next() {
    let simulator = simulator().await;
    let rarely = web(&simulator).replace("every 1s", "every 12h");
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    daemon.configure(&format!("{}{rarely}{}", alerts(""), ops()));
    daemon.start();
    let sent = || heard(&simulator).iter().any(|event| !event.rung.is_empty());
    eventually("what is due is sent", async || sent().then_some(())).await;
    let rows = simulator.ssl().truth().len();
    let total = async || {
        let (_, body) = daemon.get("/metrics").await?;
        let counts = body.lines().filter_map(|line| line.strip_prefix("notafter_certificates{"));
        let counts = counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap());
        Some(counts.sum::<usize>()).filter(|total| *total == rows)
    };
    eventually("every certificate is counted", total).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn an_orderly_end_waits_for_a_slow_service_and_not_for_a_silent_one() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    daemon.configure(&format!("{}{}{}", alerts(""), iot(&simulator), ops()));
    let received = async || simulator.chat().received();
    let count = async |least: usize| {
        let all = received().await;
        (all.len() >= least).then_some(all)
    };

    simulator.chat().fail(ChatService::Webhook, ChatFault::Slow(Duration::from_secs(2)));
    daemon.start();
    eventually("a slow send is in flight", async || count(1).await).await;
    assert!(daemon.stop().await.success());
    daemon.start();
    settled(&daemon, &[("iot", "mqtt-a")]).await;
    assert_eq!(received().await.len(), 1, "a send that ended in time was not recorded");

    simulator.chat().fail(ChatService::Webhook, ChatFault::Hang);
    simulator.mqtt().insert_ending("mqtt-a", 1, wall_seconds() + DAY / 2);
    let first = eventually("a silent send is in flight", async || count(2).await).await;
    assert!(daemon.stop().await.success());
    daemon.start();
    let all = eventually("it is sent again", async || count(3).await).await;
    assert_eq!(all[2].id, first[1].id);
    assert_eq!(all[2].body, first[1].body);
    daemon.drained("ops").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_may_have_arrived_is_repeated_as_it_was_after_a_reload() {
    let simulator = simulator().await;
    let mut daemon = Daemon::prepared("", &environment(&simulator));
    daemon.set("SLACK_URL", format!("{}/slack/services/T/B/x", simulator.chat_url()));
    let room = channel("slack", "ops", "SLACK_URL", "") + &route(&["ops"]);
    let config = |more: &str| format!("{}{}{room}", alerts(more), iot(&simulator));
    daemon.configure(&config(""));
    simulator.chat().fail(ChatService::Slack, ChatFault::Hang);
    daemon.start();
    let count =
        async |least: usize| Some(simulator.chat().received()).filter(|all| all.len() >= least);
    eventually("a silent send is in flight", async || count(1).await).await;
    daemon.configure(&config("language = \"zh\""));
    assert_eq!(daemon.post("/-/reload").await.0, 200);
    let all = eventually("it is sent again", async || count(2).await).await;
    assert_eq!((&all[1].id, &all[1].body), (&all[0].id, &all[0].body));
    simulator.mqtt().insert_ending("mqtt-a", 1, wall_seconds() + DAY / 2);
    let all = eventually("what is new is sent", async || count(3).await).await;
    assert!(all[2].text.contains("证书"), "in the language of now: {}", all[2].text);
    daemon.drained("ops").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why() {
    let simulator = simulator().await;
    let config = format!("{}{}{}", alerts(""), iot(&simulator), ops());
    let mut daemon = Daemon::prepared(&config, &environment(&simulator));
    daemon.start();
    daemon.ready().await;

    let second = daemon.run(&["run"]).await;
    assert_eq!(second.code, Some(1), "{}", second.err);
    let holder = format!("in use by process {}", daemon.pid());
    assert!(second.err.contains(&holder), "{}", second.err);

    let mut other = Daemon::prepared("", &environment(&simulator));
    other.port = daemon.port;
    other.configure(&config);
    let taken = other.run(&["run"]).await;
    assert_eq!(taken.code, Some(1), "{}", taken.err);
    let place = format!("cannot listen on 127.0.0.1:{}", daemon.port);
    assert!(taken.err.contains(&place) && taken.err.contains("in use"), "{}", taken.err);

    other.configure(&config.replace("every 1s", "every blue moon"));
    let broken = other.run(&["run"]).await;
    assert_eq!((broken.code, broken.out.as_str()), (Some(78), ""));
    assert!(broken.err.contains("notafter.toml:"), "{}", broken.err);

    std::fs::remove_file(other.config_path()).unwrap();
    let missing = other.run(&["run"]).await;
    assert_eq!(missing.code, Some(78), "{}", missing.err);
    assert!(missing.err.contains("No such file"), "{}", missing.err);
    assert!(daemon.stop().await.success());
}

/// Reads what systemd would get until something of it is `wanted`.
async fn notified(socket: &UnixDatagram, wanted: &str) {
    let mut buffer = [0; 4096];
    let mut seen = Vec::new();
    let reading = async {
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|line| line == wanted) {
                return;
            }
            seen.push(text);
        }
    };
    let found = tokio::time::timeout(crate::harness::DEADLINE, reading).await;
    assert!(found.is_ok(), "systemd was not notified of {wanted}, but {seen:?}");
}

#[tokio::test]
async fn systemd_is_notified() {
    let simulator = simulator().await;
    let config = format!("{}{}{}", alerts(""), iot(&simulator), ops());
    let mut daemon = Daemon::prepared(&config, &environment(&simulator));
    let path = daemon.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    daemon.set("NOTIFY_SOCKET", path.display().to_string());
    daemon.set("WATCHDOG_USEC", "600000");
    daemon.start();
    // A store of millions may take its time.
    notified(&socket, "EXTEND_TIMEOUT_USEC=30000000").await;
    notified(&socket, "READY=1").await;
    // READY means ready: the very next look finds it so.
    assert_eq!(daemon.get("/-/ready").await.unwrap().0, 200);
    notified(&socket, "WATCHDOG=1").await;
    notified(&socket, "WATCHDOG=1").await;
    daemon.signal("TERM");
    notified(&socket, "STOPPING=1").await;
    // As systemd does, go on reading: a full socket would hold the daemon up.
    let reading = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while socket.recv(&mut buffer).await.is_ok() {}
    });
    assert!(daemon.ended().await.success());
    reading.abort();
    assert!(!daemon.log().contains("did not stop"), "{}", daemon.log());
}

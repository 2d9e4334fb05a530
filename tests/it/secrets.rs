//! No secret comes out: not in logs, output, metrics, page or store, whatever fails and however loud it is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "counts and flags are exact")]
#![expect(clippy::disallowed_methods, reason = "a test owns the tasks that it spawns")]

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Daemon, configuration, environment, eventually};
use crate::written::{channel, route, source};
use simulator::chat::{
    DINGTALK_SECRET, FEISHU_SECRET, Fault as ChatFault, Service as ChatService, WEBHOOK_SECRET,
};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{Fleet, Instance};
use simulator::{
    APP_SECRET, ORG, POISON, SECRET_KEY, Service, Setup, Simulator, TEMPORARY_ID, TEMPORARY_KEY,
    TEMPORARY_TOKEN,
};

const WRONG_KEY: &str = "wrongKEY0123456789wrongKEYwrong";
const WRONG_SECRET: &str = "wrong-app-secret-0123456789";
const HEADER: &str = "Bearer header-0123456789-secret";

/// Everything that must never come out, in any of the places.
const SECRETS: [&str; 19] = [
    SECRET_KEY,
    TEMPORARY_KEY,
    TEMPORARY_TOKEN,
    APP_SECRET,
    WRONG_KEY,
    WRONG_SECRET,
    WEBHOOK_SECRET,
    FEISHU_SECRET,
    DINGTALK_SECRET,
    HEADER,
    POISON,
    // The parts of webhook URLs that are their passwords.
    "hook-7f3a9c",
    "T7f3a/B7f3a/slack-7f3a9c",
    "feishu-7f3a9c",
    "dingtalk-7f3a9c",
    "wecom-7f3a9c",
    "echoed-7f3a9c",
    // What is made of them.
    "Signature=",
    "sign=",
];

/// A server that repeats everything it was sent, in the shape of every vendor's error.
async fn echo(listener: TcpListener) {
    let mut status = 0_usize;
    while let Ok((stream, _)) = listener.accept().await {
        status += 1;
        let code =
            ["400 Bad Request", "403 Forbidden", "500 Oops", "200 OK", "302 Found"][status % 5];
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            while let Some(request) = read(&mut stream).await {
                // A signature is good for one body and five minutes: no vendor repeats it, and neither does this.
                let request = request.replace("Signature=", "signed ");
                let text = serde_json::json!(request).to_string();
                let body = format!(
                    r#"{{"Response":{{"Error":{{"Code":"FailedOperation","Message":{text}}},"RequestId":"r"}},"code":99,"errcode":99,"errmsg":{text},"msg":{text},"status":99}}"#
                );
                let location = request.split_whitespace().nth(1).unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {code}\r\nLocation: {location}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                if stream.write_all((head + &body).as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let start = request.len();
        stream.read_line(&mut request).await.ok().filter(|length| *length > 0)?;
        let line = request.get(start..)?.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(request + &String::from_utf8_lossy(&body))
}

/// Every cloud right and wrong, every chat service right and echoing.
fn config(simulator: &Simulator, echo: &str) -> String {
    let whole = configuration(simulator);
    let mut config = whole.split("[[channel]]").next().unwrap().to_owned();
    let mqtt = simulator.mqtt_url();
    for (name, endpoint, id, key, token) in [
        ("wrong", mqtt.as_str(), "SECRET_ID", "WRONG_KEY", ""),
        ("temporary", mqtt.as_str(), "TEMPORARY_ID", "TEMPORARY_KEY", TOKEN),
        ("echoed", echo, "TEMPORARY_ID", "TEMPORARY_KEY", TOKEN),
    ] {
        let options = format!(
            "region = \"ap-guangzhou\"\nendpoint = \"{endpoint}\"\nsecret_id = {{ env = \"{id}\" }}\n\
             secret_key = {{ env = \"{key}\" }}\n{token}\nrequests_per_second = 1000\nfull_scan = \"every 2s\""
        );
        config += &source("tencent-mqtt", name, "every 1s", &options);
    }
    for (name, endpoint, secret) in [
        ("plant-wrong", simulator.enos_url().as_str(), "WRONG_SECRET"),
        ("plant-echoed", echo, "APP_SECRET"),
    ] {
        let options = format!(
            "endpoint = \"{endpoint}\"\norg_id = \"{ORG}\"\napp_key = {{ env = \"APP_KEY\" }}\n\
             app_secret = {{ env = \"{secret}\" }}\nrequests_per_second = 1000"
        );
        config += &source("enos", name, "every 1s", &options);
    }
    for (name, kind, url, options) in CHANNELS {
        config += &channel(kind, name, url, options);
    }
    config + &route(&CHANNELS.map(|(name, ..)| name))
}

const TOKEN: &str = "token = { env = \"TEMPORARY_TOKEN\" }";
const HOOK: &str =
    "secret = { env = \"WEBHOOK_SECRET\" }\nheaders = { authorization = { env = \"HEADER\" } }";

const CHANNELS: [(&str, &str, &str, &str); 10] = [
    ("webhook", "webhook", "WEBHOOK_URL", HOOK),
    ("slack", "slack", "SLACK_URL", ""),
    ("feishu", "feishu", "FEISHU_URL", "secret = { env = \"FEISHU_SECRET\" }"),
    ("dingtalk", "dingtalk", "DINGTALK_URL", "secret = { env = \"DINGTALK_SECRET\" }"),
    ("wecom", "wecom", "WECOM_URL", ""),
    ("webhook-echoed", "webhook", "ECHO_URL", HOOK),
    ("slack-echoed", "slack", "ECHO_URL", ""),
    ("feishu-echoed", "feishu", "ECHO_URL", "secret = { env = \"FEISHU_SECRET\" }"),
    ("dingtalk-echoed", "dingtalk", "ECHO_URL", "secret = { env = \"DINGTALK_SECRET\" }"),
    ("wecom-echoed", "wecom", "ECHO_URL", ""),
];

fn variables(simulator: &Simulator, echo: &str) -> Vec<(&'static str, String)> {
    let chat = simulator.chat_url();
    let mut all: Vec<_> = environment(simulator);
    all.retain(|(name, _)| !name.ends_with("_URL"));
    all.extend([
        ("RUST_LOG", "trace".to_owned()),
        ("WRONG_KEY", WRONG_KEY.to_owned()),
        ("WRONG_SECRET", WRONG_SECRET.to_owned()),
        ("TEMPORARY_ID", TEMPORARY_ID.to_owned()),
        ("TEMPORARY_KEY", TEMPORARY_KEY.to_owned()),
        ("TEMPORARY_TOKEN", TEMPORARY_TOKEN.to_owned()),
        ("DINGTALK_SECRET", DINGTALK_SECRET.to_owned()),
        ("HEADER", HEADER.to_owned()),
        ("WEBHOOK_URL", format!("{chat}/webhook/hook-7f3a9c")),
        ("SLACK_URL", format!("{chat}/slack/services/T7f3a/B7f3a/slack-7f3a9c")),
        ("FEISHU_URL", format!("{chat}/feishu/open-apis/bot/v2/hook/feishu-7f3a9c")),
        ("DINGTALK_URL", format!("{chat}/dingtalk/robot/send?access_token=dingtalk-7f3a9c")),
        ("WECOM_URL", format!("{chat}/wecom/cgi-bin/webhook/send?key=wecom-7f3a9c")),
        ("ECHO_URL", format!("{echo}/robot/echoed-7f3a9c?key=echoed-7f3a9c")),
    ]);
    all
}

fn assert_clean(place: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        let Some(at) = found else { continue };
        let around = &bytes[at.saturating_sub(200)..(at + secret.len() + 50).min(bytes.len())];
        panic!("{place} holds {secret}: …{}…", String::from_utf8_lossy(around));
    }
}

/// Breaks everything, one way after the other, waiting each time until the daemon has met it.
async fn misbehave(simulator: &Simulator, daemon: &Daemon) {
    let services = [Service::Mqtt, Service::Ssl, Service::Enos];
    let chats =
        [ChatService::Slack, ChatService::Feishu, ChatService::DingTalk, ChatService::WeCom];
    for fault in [
        Fault::Html { status: 502 },
        Fault::Truncate,
        Fault::Reset,
        Fault::GzipBomb { bytes: 64 << 20 },
        Fault::WrongTypes,
        Fault::ExpiredToken,
        Fault::Throttle,
        Fault::Code("AuthFailure.UnauthorizedOperation"),
    ] {
        let before: f64 = asked(daemon).await;
        for service in services {
            simulator.fault(service, fault.clone(), Times::Always);
        }
        eventually("the fault is met", async || {
            (asked(daemon).await >= before + 6.0).then_some(())
        })
        .await;
        simulator.heal();
    }
    for service in chats {
        simulator.chat().fail_always(service, ChatFault::Http(400));
    }
    simulator.chat().fail_always(ChatService::Webhook, ChatFault::Http(401));
    let down = "notafter_channel_up{channel=\"webhook\"}";
    simulator.mqtt().insert_ending("mqtt-a", 2, wall_seconds() + 86_000);
    daemon.until(down, |up| up == 0.0).await;
}

/// Counts the requests that the daemon has made to providers.
async fn asked(daemon: &Daemon) -> f64 {
    let (_, body) = daemon.get("/metrics").await.unwrap_or_default();
    let lines = body.lines().filter(|line| line.starts_with("notafter_source_requests_total"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn no_secret_comes_out_whatever_fails() {
    let fleet = Fleet::new(7, wall_seconds()).with(Instance::new("mqtt-a", 300));
    let fleet = fleet.with_ssl(60).with_product(10, true);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let echoing = tokio::spawn(echo(listener));
    let mut daemon = Daemon::prepared("", &variables(&simulator, &address));
    daemon.configure(&config(&simulator, &address));
    daemon.start();
    daemon.until("notafter_source_up{source=\"temporary\"}", |up| up == 1.0).await;
    daemon.until("notafter_source_up{source=\"wrong\"}", |up| up == 0.0).await;
    daemon.until("notafter_source_up{source=\"echoed\"}", |up| up == 0.0).await;
    daemon.until("notafter_source_up{source=\"plant-wrong\"}", |up| up == 0.0).await;
    let delivered = simulator.chat().wait_for(Duration::from_mins(1), |all| {
        let from = |service| all.iter().any(|message| message.service == service);
        from(ChatService::Slack)
            && from(ChatService::Feishu)
            && from(ChatService::DingTalk)
            && from(ChatService::WeCom)
            && from(ChatService::Webhook)
    });
    assert!(delivered.await.is_ok(), "every service got something");
    misbehave(&simulator, &daemon).await;

    for path in ["/metrics", "/", "/-/ready", "/-/healthy"] {
        let (_, body) = daemon.get(path).await.unwrap();
        assert_clean(path, body.as_bytes());
    }
    simulator.heal();
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["check"],
        vec!["check", "--online"],
        vec!["scan", "--format", "json"],
        vec!["list", "--format", "json", "--limit", "10000"],
    ];
    commands.extend(CHANNELS.iter().map(|(name, ..)| vec!["channel", "test", name]));
    for arguments in commands {
        let ran = daemon.run(&arguments).await;
        assert!(!ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
        assert_clean(&format!("stdout of {arguments:?}"), ran.out.as_bytes());
        assert_clean(&format!("stderr of {arguments:?}"), ran.err.as_bytes());
    }
    daemon.configure(&config(&simulator, &address).replace("every 1s", "every moment"));
    let (status, body) = daemon.post("/-/reload").await;
    assert_eq!(status, 422);
    assert_clean("the problem document", body.as_bytes());
    assert!(daemon.stop().await.success());
    echoing.abort();
    let log = daemon.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "it is as loud as it can be");
    assert_clean("the log", log.as_bytes());
    for file in std::fs::read_dir(daemon.folder.path()).unwrap() {
        let path = file.unwrap().path();
        assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

/// Returns every line of code under a folder with its place, without comments.
fn code(folder: &Path, lines: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, lines);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            // What stands behind two slashes in a string is lost too, which is no action's name.
            let line = line.split("//").next().unwrap_or_default();
            lines.push((place, line.to_owned()));
        }
    }
}

#[test]
fn the_action_that_answers_with_private_keys_is_never_called() {
    let mut lines = Vec::new();
    code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut lines);
    assert!(lines.len() > 10_000, "the sources are there");
    let calls: Vec<_> =
        lines.iter().filter(|(_, line)| line.contains("DescribeCertificateDetail")).collect();
    assert_eq!(calls, Vec::<&(String, String)>::new());
}

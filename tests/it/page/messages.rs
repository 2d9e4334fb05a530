//! Messages as a phone shows them: pictures for a person, and what a picture must not show.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::drawn;
use crate::harness::{Daemon, environment};
use crate::written::source;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator, clock};

const ROOMS: [(&str, &str); 4] = [
    ("slack", "/slack/services/T/B/ROOM"),
    ("feishu", "/feishu/open-apis/bot/v2/hook/ROOM"),
    ("discord", "/discord/api/webhooks/1/ROOM"),
    ("teams", "/teams/workflows/ROOM/triggers/manual/paths/invoke?sig=s"),
];
const SAMPLES: [&str; 5] = ["single", "list", "digest", "renewed", "self"];

/// Returns every room with its language and the sample that is sent there: services limit what one room hears.
fn rooms() -> impl Iterator<Item = (&'static str, String, &'static str, &'static str)> {
    ROOMS.into_iter().flat_map(|(service, path)| {
        ["en", "zh"].into_iter().flat_map(move |language| {
            let room = move |sample| {
                (service, path.replace("ROOM", &format!("{language}{sample}")), language, sample)
            };
            SAMPLES.into_iter().map(room)
        })
    })
}

fn prepared(simulator: &Simulator) -> Daemon {
    let mut config = "[server]\nexternal_url = \"https://certs.example.com\"\n".to_owned();
    config += &source("files", "none", "every 1h", "paths = [\"/nowhere.pem\"]");
    let mut variables = environment(simulator);
    let mut names: Vec<String> = Vec::new();
    for (number, (service, path, language, _)) in rooms().enumerate() {
        let secret =
            if service == "feishu" { "secret = { env = \"FEISHU_SECRET\" }\n" } else { "" };
        write!(
            config,
            "[[channel]]\nname = \"room{number}\"\nkind = \"{service}\"\nlanguage = \"{language}\"\n\
             timezone = \"Asia/Shanghai\"\n[channel.options]\nurl = {{ env = \"URL_{number}\" }}\n{secret}"
        )
        .unwrap();
        let name: &'static str = format!("URL_{number}").leak();
        variables.push((name, format!("{}{path}", simulator.chat_url())));
        names.push(format!("\"room{number}\""));
    }
    writeln!(config, "[[route]]\nchannels = [{}]", names.join(", ")).unwrap();
    let daemon = Daemon::prepared("", &variables);
    std::fs::write(daemon.config_path(), config).unwrap();
    daemon
}

#[tokio::test]
async fn every_form_of_a_message_is_readable_on_a_phone() {
    let simulator =
        Simulator::start(Setup::new(Fleet::new(7, clock::wall_seconds()))).await.unwrap();
    let daemon = prepared(&simulator);
    let mut messages: Vec<Value> = Vec::new();
    for (number, (service, _, language, sample)) in rooms().enumerate() {
        let before = simulator.chat().received().len();
        let room = format!("room{number}");
        let ran = daemon.run(&["channel", "test", &room, "--sample", sample]).await;
        let delivered = ran.out.starts_with(&format!("{room}: delivered"));
        assert!(delivered, "{service} {language} {sample}: {}{}", ran.out, ran.err);
        let bodies = simulator.chat().received().split_off(before);
        messages.extend(bodies.into_iter().map(|one| {
            json!({"service": service, "language": language, "sample": sample, "body": one.body})
        }));
    }
    assert_eq!(messages.len(), ROOMS.len() * SAMPLES.len() * 2);
    let written = daemon.folder.path().join("messages.json");
    std::fs::write(&written, Value::from(messages).to_string()).unwrap();
    drawn("messages.mjs", &[written.as_ref()]).await;
}

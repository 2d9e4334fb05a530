//! What another configuration changes, in words.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use super::tree::{Node, Table, Value};
use super::{Alerts, ChannelConfig, Config, Heartbeat, Route, SourceConfig, StoreUrl};

/// Returns what differs between two configurations; nothing of what is secret.
pub fn difference(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let sources = |config: &Config| named(&config.sources, |one| &one.name, source);
    listed("source", &sources(old), &sources(new), &mut found);
    let channels = |config: &Config| named(&config.channels, |one| &one.name, channel);
    listed("channel", &channels(old), &channels(new), &mut found);
    let parts = [
        (routes(&old.routes) != routes(&new.routes), "the routes differ"),
        (old.alerts.ladders != new.alerts.ladders, "the ladders differ"),
        (alerts(&old.alerts) != alerts(&new.alerts), "the alerts differ"),
        (old.metrics != new.metrics, "the metrics differ"),
        (old.digest != new.digest, "the digest differs"),
        (heartbeat(old) != heartbeat(new), "the heartbeat differs"),
        (server(old) != server(new), "the server differs"),
        (store(old) != store(new), "the store differs"),
    ];
    found.extend(parts.into_iter().filter(|(differs, _)| *differs).map(|(_, it)| it.to_owned()));
    found
}

/// Says which settings a daemon that runs cannot change, although `wanted` has other ones than it `started` with.
pub fn until_restart(started: &Config, wanted: &Config) -> Vec<String> {
    let StoreUrl::Sqlite(store) = &started.store;
    let access = |config: &Config| (config.server.web_config_file.clone(), config.server.is_open());
    let fixed = [
        (
            access(started) != access(wanted),
            "`server.web_config_file` and `allow_unauthenticated` stay as they are until the next start".to_owned(),
        ),
        (
            started.server.listen != wanted.server.listen,
            format!("`server.listen` stays {} until the next start", started.server.listen),
        ),
        (
            started.store == wanted.store && started.server.sockets != wanted.server.sockets,
            format!(
                "`server.socket` stays {} until the next start",
                started.server.sockets.own.display()
            ),
        ),
        (
            started.store != wanted.store,
            format!("`store.url` stays sqlite:{} until the next start", store.display()),
        ),
    ];
    fixed.into_iter().filter(|(differs, _)| *differs).map(|(_, text)| text).collect()
}

fn named<T>(
    all: &[T],
    name: impl Fn(&T) -> &String,
    shape: impl Fn(&T) -> String,
) -> BTreeMap<String, String> {
    all.iter().map(|one| (name(one).clone(), shape(one))).collect()
}

fn listed(
    what: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    found: &mut Vec<String>,
) {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    found.extend(gone.map(|name| format!("{what} {name} is gone")));
    for (name, shape) in new {
        match old.get(name) {
            None => found.push(format!("{what} {name} is new")),
            Some(before) if before != shape => found.push(format!("{what} {name} differs")),
            Some(_) => {}
        }
    }
}

fn source(source: &SourceConfig) -> String {
    let SourceConfig { kind, schedule, full_scan, labels, options, .. } = source;
    let options = shape(&options.table);
    format!("{} {schedule:?} {full_scan:?} {labels:?} {options}", kind.value)
}

fn channel(channel: &ChannelConfig) -> String {
    let ChannelConfig { kind, language, timezone, ca_file, timeout, options, .. } = channel;
    let ca_file = ca_file.as_ref().map(|placed| &placed.value);
    let proxy = channel.proxy.as_ref().map(|proxy| proxy.value.expose_secret());
    let options = shape(&options.table);
    format!("{} {language:?} {timezone} {proxy:?} {ca_file:?} {timeout:?} {options}", kind.value)
}

fn routes(routes: &[Route]) -> String {
    format!("{routes:?}")
}

fn alerts(alerts: &Alerts) -> String {
    let Alerts { group_wait, reminding, language, timezone, .. } = alerts;
    format!("{group_wait:?} {reminding:?} {language:?} {timezone}")
}

fn heartbeat(config: &Config) -> String {
    let text = |it: &Heartbeat| format!("{:?} {:?} {:?}", it.every, it.url, it.fail_url);
    config.heartbeat.as_ref().map(text).unwrap_or_default()
}

fn server(config: &Config) -> String {
    let server = &config.server;
    format!("{server:?}")
}

fn store(config: &Config) -> String {
    format!("{:?} {}", config.store, config.audit_max)
}

/// Returns a text that is another one where a table says something else, wherever it stands. Nobody is shown it.
fn shape(table: &Table) -> String {
    let mut text = String::from("{");
    for (key, entry) in &table.0 {
        text.extend([key.as_str(), "=", &of_node(&entry.node), ";"]);
    }
    text + "}"
}

fn of_node(node: &Node) -> String {
    match &node.value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => format!("{number:?}"),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(set) => set.to_string(),
        Value::Datetime => "date".to_owned(),
        Value::Array(nodes) => nodes.iter().map(of_node).collect::<Vec<_>>().join(","),
        Value::Table(table) => shape(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    const TEXT: &str = r#"
[[source]]
name = "machine"
kind = "files"
schedule = "every 1h"
options = { paths = ["/x"] }
[[channel]]
name = "ops"
kind = "slack"
options = { url = { env = "A" } }
[[route]]
channels = ["ops"]
"#;

    fn read(text: &str) -> Config {
        load(text, &Environment::of([]), |_| None).0.unwrap()
    }

    #[test]
    fn what_differs_is_named_and_where_it_stands_is_not() {
        let old = read(TEXT);
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(difference(&old, &read(text)), expected, "{text}");
        };
        check(&format!("# a line more\n\n{TEXT}"), &[]);
        check(&TEXT.replace("/x", "/y"), &["source machine differs"]);
        check(
            &TEXT.replace("machine", "other"),
            &["source machine is gone", "source other is new"],
        );
        check(&TEXT.replace("\"A\"", "\"B\""), &["channel ops differs"]);
        let proxy = TEXT.replace("\"slack\"\n", "\"slack\"\nproxy = \"http://p:1\"\n");
        check(&proxy, &["channel ops differs"]);
        check(&TEXT.replace("channels = [\"ops\"]", "channels = []"), &["the routes differ"]);
        check(&format!("alerts.ladder = [\"9d\"]\n{TEXT}"), &["the ladders differ"]);
        check(&format!("alerts.group_wait = \"9s\"\n{TEXT}"), &["the alerts differ"]);
        check(&format!("store.audit_max = \"2GiB\"\n{TEXT}"), &["the store differs"]);
        let open = "server.allow_unauthenticated = true\n";
        check(&format!("{open}{TEXT}"), &["the server differs"]);
    }

    #[test]
    fn what_waits_for_the_next_start_is_named() {
        let started = read(TEXT);
        let listen = "server.listen = \"127.0.0.1:1\"\n";
        let moved = read(&format!("{listen}store.url = \"sqlite:other.db\"\n{TEXT}"));
        assert_eq!(
            until_restart(&started, &moved),
            [
                "`server.listen` stays 127.0.0.1:10793 until the next start",
                "`store.url` stays sqlite:notafter.db until the next start"
            ]
        );
        let web = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(web.path(), "basic_auth_users: {}\n").unwrap();
        for (key, value) in
            [("socket", "\"/run/other.sock\""), ("web_config_file", &*format!("{:?}", web.path()))]
        {
            let moved = read(&format!("server.{key} = {value}\n{TEXT}"));
            let said = until_restart(&started, &moved);
            assert!(said.len() == 1 && said[0].contains(key), "{key}: {said:?}");
        }
        assert_eq!(until_restart(&started, &started), [""; 0]);
    }
}

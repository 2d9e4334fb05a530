//! What the tests configure, as TOML. The variables that it names are those of `harness::environment`.

use simulator::{ORG, Simulator};

/// The option of a webhook whose messages are signed.
pub(crate) const SIGNED: &str = "secret = { env = \"WEBHOOK_SECRET\" }";

const TENCENT_KEYS: &str =
    "secret_id = { env = \"SECRET_ID\" }\nsecret_key = { env = \"SECRET_KEY\" }";
const ENOS_KEYS: &str = "app_key = { env = \"APP_KEY\" }\napp_secret = { env = \"APP_SECRET\" }";

/// Returns a source; `options` are lines that its kind knows.
pub(crate) fn source(kind: &str, name: &str, schedule: &str, options: &str) -> String {
    format!(
        r#"
[[source]]
name = "{name}"
kind = "{kind}"
schedule = "{schedule}"
[source.options]
{options}
"#
    )
}

/// Returns a source that reads the simulator's MQTT instances.
pub(crate) fn mqtt(simulator: &Simulator, name: &str, schedule: &str, options: &str) -> String {
    let place = format!("region = \"ap-guangzhou\"\nendpoint = \"{}\"", simulator.mqtt_url());
    source("tencent-mqtt", name, schedule, &format!("{place}\n{TENCENT_KEYS}\n{options}"))
}

/// Returns a source that reads the simulator's SSL certificates.
pub(crate) fn ssl(simulator: &Simulator, name: &str, schedule: &str, options: &str) -> String {
    let place = format!("endpoint = \"{}\"", simulator.ssl_url());
    source("tencent-ssl", name, schedule, &format!("{place}\n{TENCENT_KEYS}\n{options}"))
}

/// Returns a source that reads the simulator's `EnOS`.
pub(crate) fn enos(simulator: &Simulator, name: &str, schedule: &str, options: &str) -> String {
    let place = format!("endpoint = \"{}\"\norg_id = \"{ORG}\"", simulator.enos_url());
    source("enos", name, schedule, &format!("{place}\n{ENOS_KEYS}\n{options}"))
}

/// Returns a webhook whose address is in the variable `url`.
pub(crate) fn webhook(name: &str, url: &str, options: &str) -> String {
    channel("webhook", name, url, options)
}

/// Returns a channel whose address is in the variable `url`; `options` are lines that its kind knows.
pub(crate) fn channel(kind: &str, name: &str, url: &str, options: &str) -> String {
    format!(
        r#"
[[channel]]
name = "{name}"
kind = "{kind}"
[channel.options]
url = {{ env = "{url}" }}
{options}
"#
    )
}

/// Returns the room of Feishu; `more` are lines of the channel itself, such as its language.
pub(crate) fn feishu(name: &str, more: &str) -> String {
    format!(
        r#"
[[channel]]
name = "{name}"
kind = "feishu"
{more}
[channel.options]
url = {{ env = "FEISHU_URL" }}
secret = {{ env = "FEISHU_SECRET" }}
"#
    )
}

/// Returns a route that takes everything which gets to it.
pub(crate) fn route(channels: &[&str]) -> String {
    format!("\n[[route]]\nchannels = {channels:?}\n")
}

/// Returns a route that takes what is critical and lets it go on to the next.
pub(crate) fn critical_route(channels: &[&str]) -> String {
    let critical = "match = { severity = [\"critical\"] }\ncontinue = true";
    format!("{}{critical}\n", route(channels))
}

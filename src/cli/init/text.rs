//! What `init` writes: the least that works, with a word on each line that a newcomer will want to change.

use std::io;
use std::path::Path;

use super::Arguments;
use super::chat::Place;
use crate::cli::output::printable;
use crate::cli::schema::INSTALLED;

/// Where a configuration is looked for that is not named.
const USUAL: &str = "/etc/notafter/notafter.toml";

/// A secret that has to be put somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What it is.
    what: String,
    place: Place,
}

/// Returns the configuration, and the secrets that it names.
pub(super) fn configuration(arguments: &Arguments) -> (String, Vec<Wanted>) {
    let mut text = format!(
        "#:schema {INSTALLED}\n\
         # Written by `notafter init`. Every other setting is in the commented reference: /usr/share/doc/notafter/notafter.toml of\n\
         # a package, config/notafter.toml of the source. `notafter check` reports every mistake; after a change: systemctl\n\
         # reload notafter\n"
    );
    let mut secrets = Vec::new();
    sources(arguments, &mut text, &mut secrets);
    channels(arguments, &mut text, &mut secrets);
    (text, secrets)
}

fn sources(arguments: &Arguments, text: &mut String, secrets: &mut Vec<Wanted>) {
    let mut source = |name: &str, kind: &str, schedule: &str, options: &str| {
        let table = format!(
            "\n[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\nschedule = \"{schedule}\"\n[source.options]\n{options}"
        );
        text.push_str(&table);
    };
    if !arguments.files.is_empty() {
        let paths = format!("paths = {}\nexclude = [\"**/archive/**\"]\n", list(&arguments.files));
        source("files", "files", "every 1h", &paths);
    }
    if !arguments.tls.is_empty() {
        source("served", "tls", "every 1h", &format!("endpoints = {}\n", list(&arguments.tls)));
    }
    let keys = "secret_id = { credential = \"tencent-secret-id\" }\nsecret_key = { credential = \"tencent-secret-key\" }\n";
    if arguments.tencent_ssl {
        source("web-certs", "tencent-ssl", "every 1h", keys);
    }
    if let Some(region) = &arguments.tencent_mqtt {
        source(
            "devices",
            "tencent-mqtt",
            "every 10m",
            &format!("region = {}\n{keys}", quoted(region)),
        );
    }
    if let (Some(endpoint), Some(org)) = (&arguments.enos, &arguments.enos_org) {
        let options = format!(
            "endpoint = {}\norg_id = {}\napp_key = {{ credential = \"enos-app-key\" }}\napp_secret = {{ credential = \"enos-app-secret\" }}\n",
            quoted(endpoint),
            quoted(org)
        );
        source("enos", "enos", "every 6h", &options);
        secrets.push(Wanted::credential("the access key of the EnOS application", "enos-app-key"));
        secrets.push(Wanted::credential("its secret key", "enos-app-secret"));
    }
    if arguments.tencent_ssl || arguments.tencent_mqtt.is_some() {
        secrets.push(Wanted::credential("the SecretId of Tencent Cloud", "tencent-secret-id"));
        secrets.push(Wanted::credential("its SecretKey", "tencent-secret-key"));
    }
}

fn channels(arguments: &Arguments, text: &mut String, secrets: &mut Vec<Wanted>) {
    let chosen = arguments.chat.chosen();
    if chosen.is_empty() {
        text.push_str("\n# No room is told yet: add a [[channel]] and a [[route]] to it.\n");
        return;
    }
    for (kind, place) in &chosen {
        let place = match place {
            Place::Given => Place::Credential(format!("{kind}-url")),
            place => (*place).clone(),
        };
        let table = format!(
            "\n[[channel]]\nname = \"{kind}\"\nkind = \"{kind}\"\n[channel.options]\nurl = {}\n",
            reference(&place)
        );
        text.push_str(&table);
        secrets.push(Wanted { what: format!("the URL of the {kind} robot"), place });
    }
    let names: Vec<_> = chosen.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let route = format!(
        "\n# Everything goes there. Routes above this one may send some of it elsewhere.\n[[route]]\nchannels = {}\n",
        list(&names)
    );
    text.push_str(&route);
}

/// Tells what is left to be done.
pub(super) fn next(
    path: &Path,
    (secrets, room): (&[Wanted], Option<&str>),
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let named = match printable(&path.display().to_string()) {
        usual if usual == USUAL => String::new(),
        other => format!(" --config {other}"),
    };
    writeln!(out, "{} is written. It holds no secret.", printable(&path.display().to_string()))?;
    let mut step = 1;
    if !secrets.is_empty() {
        writeln!(out, "\n{step}. Put the secrets where it looks for them (paste, Enter, Ctrl-D):")?;
        writeln!(out, "     sudo install -d -m 700 /etc/notafter/credentials")?;
        for secret in secrets {
            writeln!(out, "     {}", secret.how())?;
        }
        step += 1;
    }
    let credentials = "sudo CREDENTIALS_DIRECTORY=/etc/notafter/credentials notafter";
    writeln!(out, "\n{step}. See what it may see, and what expires soonest:")?;
    writeln!(out, "     {credentials}{named} check --online")?;
    writeln!(out, "     {credentials}{named} scan")?;
    writeln!(
        out,
        "\n{}. Start it: sudo systemctl enable --now notafter, or notafter{named} run",
        step + 1
    )?;
    let Some(room) = room else { return Ok(()) };
    writeln!(out, "\n{}. See that a message arrives, and what will be said when:", step + 2)?;
    writeln!(out, "     sudo notafter{named} channel test {room}")?;
    writeln!(out, "     sudo notafter{named} plan")
}

impl Wanted {
    fn credential(what: &str, name: &str) -> Self {
        Self { what: what.to_owned(), place: Place::Credential(name.to_owned()) }
    }

    fn how(&self) -> String {
        let what = &self.what;
        match &self.place {
            Place::Credential(name) => {
                let path = printable(name);
                format!(
                    "sudo install -m 600 /dev/stdin /etc/notafter/credentials/{path}    # {what}"
                )
            }
            Place::File(path) => {
                format!("install -m 600 /dev/stdin {}    # {what}", printable(path))
            }
            Place::Env(name) => format!("read -rs {0} && export {0}    # {what}", printable(name)),
            Place::Given => what.clone(),
        }
    }
}

fn reference(place: &Place) -> String {
    match place {
        Place::Credential(name) => format!("{{ credential = {} }}", quoted(name)),
        Place::Env(name) => format!("{{ env = {} }}", quoted(name)),
        Place::File(path) => format!("{{ file = {} }}", quoted(path)),
        Place::Given => String::new(),
    }
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! `notafter init`: a first configuration, from flags or from answers. Secrets are never asked for and never written.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

mod ask;
mod chat;
mod text;

use super::file::{File, deps};
use super::output::printable;
use super::{Console, Exit};
use crate::config::Environment;
use chat::Chat;

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Certificates in files of this machine, such as '/etc/ssl/**/*.pem'.
    #[arg(long, value_name = "GLOB")]
    files: Vec<String>,
    /// Servers to look at, such as example.com or mqtt.example.com:8883.
    #[arg(long, value_name = "ENDPOINT")]
    tls: Vec<String>,
    /// Tencent Cloud SSL certificates.
    #[arg(long)]
    tencent_ssl: bool,
    /// Tencent Cloud MQTT device certificates of a region, such as ap-guangzhou.
    #[arg(long, value_name = "REGION")]
    tencent_mqtt: Option<String>,
    /// `EnOS` device certificates: the API gateway, and with --enos-org the organisation.
    #[arg(long, value_name = "URL", requires = "enos_org")]
    enos: Option<String>,
    /// The organisation in `EnOS`.
    #[arg(long, value_name = "ID", requires = "enos")]
    enos_org: Option<String>,
    #[command(flatten)]
    chat: Chat,
    /// Replaces a configuration that is there; the old one is kept beside it, as FILE.old.
    #[arg(long)]
    force: bool,
}

impl Arguments {
    fn name_nothing_to_watch(&self) -> bool {
        let Self { files, tls, tencent_ssl, tencent_mqtt, enos, .. } = self;
        files.is_empty()
            && tls.is_empty()
            && !tencent_ssl
            && tencent_mqtt.is_none()
            && enos.is_none()
    }
}

/// Writes the configuration to `path` and tells where its secrets belong.
pub(super) fn init(
    arguments: &Arguments,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let there = path.try_exists().with_context(|| format!("cannot look at {}", path.display()))?;
    ensure!(
        !there || arguments.force,
        "{} is there already: --force replaces it and keeps the old one as {}.old; --config names another file",
        path.display(),
        path.display()
    );
    let mut arguments = arguments.clone();
    if arguments.name_nothing_to_watch() {
        ensure!(
            io::stdin().is_terminal(),
            "say what there is to watch: --files GLOB, --tls ENDPOINT, --tencent-ssl, --tencent-mqtt REGION or --enos URL \
             (see `notafter init --help`)"
        );
        ask::ask(&mut arguments, &mut io::stdin().lock(), console.err)?;
        if arguments.name_nothing_to_watch() {
            bail!("nothing was named, so nothing was written");
        }
    }
    let (text, secrets) = text::configuration(&arguments);
    approve(&text, path, environment, console)?;
    write(&text, path, there)?;
    let room = arguments.chat.chosen().first().map(|(kind, _)| *kind);
    text::next(path, (&secrets, room), console.out)?;
    Ok(Exit::Done)
}

/// Holds the text against what `check` would say, its secrets aside, which are not there yet.
fn approve(
    text: &str,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let mut file = File::of(path, text.to_owned(), environment, console)?;
    let deps = deps()?;
    for config in file.config.sources.clone() {
        if matches!(config.kind.value.as_str(), "files" | "tls") {
            drop(file.source(&config, &deps));
        }
    }
    file.approve(console).context("nothing was written")
}

fn write(text: &str, path: &Path, there: bool) -> anyhow::Result<()> {
    let shown = printable(&path.display().to_string());
    if there {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        fs::rename(path, &old).with_context(|| format!("cannot keep {shown}"))?;
    }
    let cannot = || {
        format!(
            "cannot write {shown}: make its folder, run this with sudo, or name another file with --config"
        )
    };
    let mut file = fs::File::create_new(path).with_context(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)
}

#[cfg(test)]
mod tests;

//! `notafter check`: is the configuration good, and may we read what it names?

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::against::against;
use super::file::{File, deps};
use super::online::{Rights, ask};
use super::output::printable;
use super::{Console, Exit};
use crate::client::{Deps, Meter};
use crate::config::{Config, Environment, SourceConfig, StoreUrl};
use crate::source::Source;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Makes one signed call for each right that a source needs as well, and prints what it may see.
    #[arg(long)]
    online: bool,
    /// Asks the running daemon what a reload with this configuration would change, and prints it. The daemon opens the
    /// secrets; nothing changes.
    #[arg(long, conflicts_with = "online")]
    against_running: bool,
}

/// Reports every mistake, or sums up what would run.
pub(super) async fn check(
    arguments: &Arguments,
    (path, socket): (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let mut file = File::read(path, environment, console)?;
    if arguments.against_running {
        file.approve(console)?;
        return against(&file, socket, console).await;
    }
    let rights = Arc::new(Rights::default());
    let meter = Arc::clone(&rights) as Arc<dyn Meter>;
    let sources = file.build_all(&Deps { meter, ..deps()? });
    file.approve(console)?;
    let warnings = if arguments.online { 0 } else { warn(&sources, console.err).await? };
    summary(&file.config, file.warnings() + warnings, console.out)?;
    if !arguments.online {
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for (config, source) in sources {
        let (good, seen) = ask(&config.name, &*source, &rights).await;
        for line in seen {
            writeln!(console.out, "online    {}: {}", config.name, printable(&line))?;
        }
        console.out.flush()?;
        if !good {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// Warns of what the configuration names and is not there. Answers with how many warnings that makes.
async fn warn(
    sources: &[(SourceConfig, Arc<dyn Source>)],
    err: &mut (dyn Write + Send),
) -> io::Result<usize> {
    let mut count = 0;
    for (config, source) in sources {
        for warning in source.warnings().await {
            writeln!(err, "{}: warning: {}", config.name, printable(&warning))?;
            count += 1;
        }
    }
    Ok(count)
}

fn summary(config: &Config, warnings: usize, out: &mut dyn Write) -> io::Result<()> {
    let StoreUrl::Sqlite(store) = &config.store;
    writeln!(out, "the configuration is good; warnings: {warnings}")?;
    writeln!(out, "listen    {}", config.server.listen)?;
    // Whoever checks is not the service, which has a folder of its own.
    let place = if store.is_relative() { "; as a service in /var/lib/notafter" } else { "" };
    writeln!(out, "store     sqlite:{}{place}", store.display())?;
    for source in &config.sources {
        write!(out, "source    {} ({}), {}", source.name, source.kind.value, source.schedule)?;
        match &source.full_scan {
            Some(full) => writeln!(out, "; all of it {full}")?,
            None => writeln!(out)?,
        }
    }
    for channel in &config.channels {
        writeln!(out, "channel   {} ({})", channel.name, channel.kind.value)?;
    }
    writeln!(out, "routes    {}", config.routes.len())?;
    let bytes = config.metrics.estimated_bytes(config.sources.len());
    let series = config.metrics.max_series_per_source;
    // Tenths of a MiB, rounded up: an estimate must not promise too little.
    let tenths = bytes.saturating_mul(10).div_ceil(1024 * 1024);
    let (whole, part) = (tenths / 10, tenths % 10);
    writeln!(
        out,
        "scrape    at most about {whole}.{part} MiB, with {series} certificates of each source"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::source;

    #[test]
    fn a_summary_of_what_would_run() {
        let text = include_str!("../../config/notafter.toml");
        let (config, mistakes) = load(
            text,
            &Environment::of([("STATE_DIRECTORY", "/var/lib/notafter")]),
            source::full_scan_default,
        );
        let mut out = Vec::new();
        summary(&config.unwrap(), mistakes.warnings.len(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        the configuration is good; warnings: 0
        listen    127.0.0.1:10793
        store     sqlite:/var/lib/notafter/notafter.db
        source    iot-prod (tencent-mqtt), every 10m; all of it every 1day
        source    web-certs (tencent-ssl), every 1h
        source    plant (enos), every 6h; all of it every 7days
        source    machine (files), every 1h
        source    served (tls), every 1h
        channel   ops (feishu)
        channel   plant-7 (dingtalk)
        channel   devices (wecom)
        channel   web-team (slack)
        channel   office (teams)
        channel   community (discord)
        channel   mailbox (email)
        channel   platform (mattermost)
        channel   workspace (google-chat)
        channel   phones (telegram)
        channel   pocket (ntfy)
        channel   on-call (pagerduty)
        channel   alerts (alertmanager)
        channel   automation (webhook)
        routes    7
        scrape    at most about 16.0 MiB, with 6207 certificates of each source
        ");
    }
}

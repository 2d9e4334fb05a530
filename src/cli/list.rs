//! `notafter list`: what the daemon knows.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use clap::Args;

use super::arguments::{Shown, ahead};
use super::daemon::{Daemon, configured, escaped};
use super::file::{now, open_store};
use super::output::{Format, Printer, table};
use super::{Console, Exit};
use crate::config::{Config, Environment};
use crate::expiry::Timestamp;
use crate::store::ListQuery;
use crate::web::{Certificate, Certificates};

/// Certificates that the daemon is asked for at once.
const PAGE: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Lists certificates as the daemon knows them; from its store when none runs.
pub(super) async fn list(
    arguments: &Arguments,
    place: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (file, daemon) = configured(place, environment, console).await?;
    let now = now();
    let format = arguments.shown.format;
    let limit = arguments.shown.limit.or(format.default_limit()).unwrap_or(usize::MAX);
    let mut output = match format {
        Format::Table => Output::Table { rows: Vec::new(), limit, out: console.out },
        format => Output::Stream(Printer::begin(format == Format::Csv, console.out)?),
    };
    // One more than fits in a table, to know whether there are more.
    let most = if format == Format::Table { limit.saturating_add(1) } else { limit };
    match daemon {
        Some(daemon) => from_daemon(&daemon, arguments, most, &mut output).await?,
        None => from_store(&file.config, arguments, (most, now), &mut output).await?,
    }
    output.end()?;
    Ok(Exit::Done)
}

/// Where certificates go.
enum Output<'a> {
    Table { rows: Vec<Certificate>, limit: usize, out: &'a mut (dyn Write + Send) },
    Stream(Printer<'a>),
}

impl Output<'_> {
    fn take(&mut self, found: Vec<Certificate>) -> std::io::Result<()> {
        match self {
            Self::Table { rows, .. } => rows.extend(found),
            Self::Stream(printer) => printer.rows(&found)?,
        }
        Ok(())
    }

    /// Prints what is left to print. A table says when there are more.
    fn end(self) -> std::io::Result<()> {
        match self {
            Self::Stream(printer) => printer.end(),
            Self::Table { mut rows, limit, out } => {
                let more = rows.len() > limit;
                rows.truncate(limit);
                table(&rows, 0, out)?;
                if more {
                    let how = "`--limit N` prints more of them, `--format csv` all";
                    writeln!(out, "and more: {how}")?;
                }
                Ok(())
            }
        }
    }
}

async fn from_daemon(
    daemon: &Daemon,
    arguments: &Arguments,
    most: usize,
    output: &mut Output<'_>,
) -> anyhow::Result<()> {
    let mut filter = String::new();
    if let Some(source) = &arguments.source {
        // What names a source is no pattern here.
        write!(filter, "&source={}", escaped(source))?;
    }
    if let Some(within) = arguments.shown.within {
        write!(filter, "&within={}s", within.as_secs())?;
    }
    let (mut left, mut cursor) = (most, String::new());
    while left > 0 {
        let limit = left.min(PAGE);
        let path = format!("/api/v1/certificates?limit={limit}{filter}{cursor}");
        let page: Certificates = daemon.get(&path).await?;
        left = left.saturating_sub(page.items.len());
        output.take(page.items)?;
        let Some(next) = page.next else { break };
        cursor = format!("&cursor={}", escaped(&next));
    }
    Ok(())
}

async fn from_store(
    config: &Config,
    arguments: &Arguments,
    (most, now): (usize, Timestamp),
    output: &mut Output<'_>,
) -> anyhow::Result<()> {
    let query = ListQuery {
        source: arguments.source.clone(),
        ends_before: arguments.shown.within.map(|within| ahead(now, within)),
        limit: most,
    };
    let store = open_store(config)?;
    let mut outcome = Ok(());
    store
        .each_listed(&query, &mut |chunk| {
            let ladder = &config.alerts.ladders;
            let rows = chunk.into_iter().map(|mut kept| {
                config.label(&mut kept.facts);
                Certificate::of_kept(&kept, ladder, now)
            });
            outcome = output.take(rows.collect());
            outcome.is_ok()
        })
        .await?;
    outcome.map_err(Into::into)
}

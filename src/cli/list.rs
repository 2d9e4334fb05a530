//! `notafter list`: what the daemon knows.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::arguments::{ahead, duration};
use super::file::{File, now};
use super::output::{Format, Listing, Printer};
use super::{Console, Exit};
use crate::config::{Environment, StoreUrl};
use crate::expiry::Timestamp;
use crate::store::{ListQuery, Sqlite};

const NO_STORE: &str = "the daemon's store is not at hand; when systemd runs the daemon, it is found with \
                        STATE_DIRECTORY=/var/lib/notafter";

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what expires within this time, or has expired.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    within: Option<Duration>,
    /// Prints at most this many; 50 in a table, all in other formats.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Lists certificates from the store, beside a daemon that may be running.
pub(super) async fn list(
    arguments: &Arguments,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let Some(file) = File::read(path, environment, console)? else {
        return Ok(Exit::Configuration);
    };
    // Sources and channels are not built: their secrets are for the daemon, and not for who lists.
    if !file.is_good(console)? {
        return Ok(Exit::Configuration);
    }
    let StoreUrl::Sqlite(store) = &file.config.store;
    let now = now();
    let limit = arguments.limit.or(arguments.format.default_limit());
    let query = ListQuery {
        source: arguments.source.clone(),
        ends_before: arguments.within.map(|within| ahead(now, within)),
        limit: limit.unwrap_or(usize::MAX),
    };
    let store = Sqlite::open_read_only(store).context(NO_STORE)?;
    match arguments.format {
        Format::Table => table(&store, query, now, console).await?,
        format => {
            stream(&store, &query, Printer::begin(format == Format::Csv, now, console.out)?)
                .await?;
        }
    }
    Ok(Exit::Done)
}

/// Prints the first of them, and says so when there are more.
async fn table(
    store: &Sqlite,
    query: ListQuery,
    now: Timestamp,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let limit = query.limit;
    let one_more = ListQuery { limit: limit.saturating_add(1), ..query };
    let mut rows = Vec::new();
    store
        .each_listed(&one_more, &mut |chunk| {
            rows.extend(chunk);
            true
        })
        .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Listing { rows, now, limit: None }.print(Format::Table, console.out)?;
    if more {
        writeln!(console.out, "and more: `--limit N` prints more of them, `--format csv` all")?;
    }
    Ok(())
}

async fn stream(store: &Sqlite, query: &ListQuery, mut printer: Printer<'_>) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    store
        .each_listed(query, &mut |chunk| {
            outcome = printer.rows(&chunk);
            outcome.is_ok()
        })
        .await?;
    outcome?;
    printer.end().map_err(Into::into)
}

//! `notafter list`: what the daemon knows.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;

use super::arguments::{Shown, ahead};
use super::file::{File, now};
use super::output::{Format, Listing, Printer};
use super::{Console, Exit};
use crate::config::{Environment, StoreUrl};
use crate::expiry::{Ladder, Timestamp};
use crate::store::{ListQuery, Sqlite};
use crate::web::Certificate;

const NO_STORE: &str = "the daemon's store is not at hand; when systemd runs the daemon, it is found with \
                        STATE_DIRECTORY=/var/lib/notafter";

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Lists certificates from the store, beside a daemon that may be running.
pub(super) async fn list(
    arguments: &Arguments,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let file = File::read(path, environment, console)?;
    // Sources and channels are not built: their secrets are for the daemon, and not for who lists.
    file.approve(console)?;
    let StoreUrl::Sqlite(store) = &file.config.store;
    let now = now();
    let limit = arguments.shown.limit.or(arguments.shown.format.default_limit());
    let query = ListQuery {
        source: arguments.source.clone(),
        ends_before: arguments.shown.within.map(|within| ahead(now, within)),
        limit: limit.unwrap_or(usize::MAX),
    };
    let store = Sqlite::open_read_only(store).context(NO_STORE)?;
    let ladder = &file.config.alerts.ladder;
    match arguments.shown.format {
        Format::Table => table(&store, query, now, console).await?,
        format => {
            let printer = Printer::begin(format == Format::Csv, console.out)?;
            stream(&store, &query, (ladder, now), printer).await?;
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
            rows.extend(chunk.into_iter().map(|kept| kept.facts));
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

async fn stream(
    store: &Sqlite,
    query: &ListQuery,
    (ladder, now): (&Ladder, Timestamp),
    mut printer: Printer<'_>,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    store
        .each_listed(query, &mut |chunk| {
            let rows = chunk.iter().map(|kept| Certificate::of_kept(kept, ladder, now));
            outcome = printer.rows(&rows.collect::<Vec<_>>());
            outcome.is_ok()
        })
        .await?;
    outcome?;
    printer.end().map_err(Into::into)
}

//! `notafter list`: what the daemon knows.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::arguments::{ahead, duration};
use super::file::{File, now};
use super::output::{Format, Listing};
use super::{Console, Exit};
use crate::config::{Environment, StoreUrl};
use crate::store::{ListQuery, Sqlite, Store as _};

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
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Lists certificates with a known end from the store, beside a daemon that may be running.
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
    let query = ListQuery {
        source: arguments.source.clone(),
        ends_before: arguments.within.map(|within| ahead(now, within)),
        limit: arguments.limit,
    };
    let store = Sqlite::open_read_only(store).context(NO_STORE)?;
    let rows = store.list(&query).await?;
    Listing::soonest_first(rows, now, None).print(arguments.format, console.out)?;
    Ok(Exit::Done)
}

//! `notafter outbox`: messages that wait, and those that were given up.

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::daemon::{Daemon, configured, escaped};
use super::file::{NO_DAEMON, open_store};
use super::output::{columns, text};
use super::{Console, Exit};
use crate::config::{Config, Environment};
use crate::store::{EntryQuery, Standing, Store as _};
use crate::web::{Outbox, OutboxDone, OutboxMessage};

/// Messages that are listed at most.
const MOST: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists what waits and what was given up; from the store when no daemon runs.
    List(List),
    /// Sends a message that was given up once more, with the same id.
    Retry {
        /// Its number in the list.
        id: i64,
    },
    /// Takes a message that waits or was given up out of the outbox: it is not sent any more.
    Drop {
        /// Its number in the list.
        id: i64,
    },
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only what was given up.
    #[arg(long)]
    dead: bool,
    /// Only what is for this channel.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// How lists of this and other commands are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// For people.
    Table,
    /// One list of objects.
    Json,
}

/// Runs a command about the outbox.
pub(super) async fn run(
    command: &Command,
    place: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (file, daemon) = configured(place, environment, console).await?;
    match command {
        Command::List(list) => {
            let outbox = match &daemon {
                Some(daemon) => from_daemon(daemon, list).await?,
                None => from_store(&file.config, list).await?,
            };
            print(&outbox, list.format, console.out)?;
        }
        Command::Retry { id } => {
            let Some(daemon) = daemon else { bail!(NO_DAEMON) };
            let done: OutboxDone = daemon.post(&format!("/api/v1/outbox/{id}/retry")).await?;
            said("sent once more", &done, console.out)?;
        }
        Command::Drop { id } => {
            let Some(daemon) = daemon else { bail!(NO_DAEMON) };
            let done: OutboxDone = daemon.delete(&format!("/api/v1/outbox/{id}")).await?;
            said("dropped", &done, console.out)?;
        }
    }
    Ok(Exit::Done)
}

async fn from_daemon(daemon: &Daemon, list: &List) -> anyhow::Result<Outbox> {
    let state = if list.dead { "&state=dead" } else { "" };
    let channel = list.channel.as_deref().map(escaped).unwrap_or_default();
    daemon.get(&format!("/api/v1/outbox?limit={MOST}{state}&channel={channel}")).await
}

async fn from_store(config: &Config, list: &List) -> anyhow::Result<Outbox> {
    let store = open_store(config)?;
    let standings: &[Standing] =
        if list.dead { &[Standing::Dead] } else { &[Standing::Waiting, Standing::Dead] };
    let mut items = Vec::new();
    for standing in standings {
        let limit = (MOST + 1).saturating_sub(items.len());
        let query = EntryQuery { standing: *standing, channel: list.channel.clone(), limit };
        items.extend(store.entries(&query).await?.iter().map(OutboxMessage::of));
    }
    let more = items.len() > MOST;
    items.truncate(MOST);
    Ok(Outbox { items, more })
}

fn print(outbox: &Outbox, form: Form, out: &mut dyn Write) -> io::Result<()> {
    if form == Form::Json {
        serde_json::to_writer_pretty(&mut *out, &outbox.items)?;
        return writeln!(out);
    }
    if outbox.items.is_empty() {
        return writeln!(out, "nothing waits, and nothing was given up");
    }
    let header = ["ID", "STATE", "CHANNEL", "SINCE", "EVENTS", "KIND", "CODE", "ABOUT"];
    columns(header, &outbox.items.iter().map(cells).collect::<Vec<_>>(), out)?;
    if outbox.more { writeln!(out, "and more") } else { Ok(()) }
}

fn cells(message: &OutboxMessage) -> [String; 8] {
    let state = if message.said_again { "said again" } else { &message.state };
    let since = message.ended_at.as_ref().or(message.decided_at.as_ref());
    [
        message.id.to_string(),
        state.to_owned(),
        text(&message.channel),
        since.cloned().unwrap_or_default(),
        message.events.to_string(),
        message.kind.clone(),
        message.code.as_deref().map(text).unwrap_or_default(),
        text(&message.about),
    ]
}

fn said(what: &str, done: &OutboxDone, out: &mut dyn Write) -> io::Result<()> {
    let OutboxDone { channel, events } = done;
    let events = if *events == 1 { "1 event".to_owned() } else { format!("{events} events") };
    writeln!(out, "{}: {what}, with {events}", text(channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i64, state: &str, code: Option<&str>) -> OutboxMessage {
        OutboxMessage {
            id,
            channel: "ops".to_owned(),
            state: state.to_owned(),
            message: code.map(|_| "0a".to_owned()),
            events: 3,
            kind: "certificate.expiring".to_owned(),
            severity: "warning".to_owned(),
            about: "pump-7\u{1b}[2J".to_owned(),
            certificate: None,
            decided_at: Some("2026-11-22T00:00:00Z".to_owned()),
            ended_at: code.map(|_| "2026-11-22T00:05:00Z".to_owned()),
            code: code.map(str::to_owned),
            said_again: id == 9,
        }
    }

    #[test]
    fn a_table_of_messages() {
        let items = vec![
            message(7, "waiting", None),
            message(8, "dead", Some("19036")),
            message(9, "dead", Some("x")),
        ];
        let mut out = Vec::new();
        print(&Outbox { items, more: true }, Form::Table, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        ID  STATE       CHANNEL  SINCE                 EVENTS  KIND                  CODE   ABOUT
        7   waiting     ops      2026-11-22T00:00:00Z  3       certificate.expiring         pump-7\u{1b}[2J
        8   dead        ops      2026-11-22T00:05:00Z  3       certificate.expiring  19036  pump-7\u{1b}[2J
        9   said again  ops      2026-11-22T00:05:00Z  3       certificate.expiring  x      pump-7\u{1b}[2J
        and more
        ");
        let mut out = Vec::new();
        print(&Outbox { items: Vec::new(), more: false }, Form::Table, &mut out).unwrap();
        assert_eq!(out, b"nothing waits, and nothing was given up\n");
    }
}

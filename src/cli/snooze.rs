//! `notafter snooze`: quiet for a while, with a name and a reason.

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::certificate::Named;
use super::daemon::{Daemon, configured, escaped};
use super::file::{NO_DAEMON, now, open_store};
use super::output::{self, Format, printable, table};
use super::{Console, Exit};
use crate::config::{Config, Environment};
use crate::expiry::Wanted;
use crate::store::Store as _;
use crate::web::{Certificate, SnoozeList, SnoozeObject, SnoozeWish};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keeps quiet about one certificate until a tighter rung, or about whatever matches until its end.
    Add(Box<Add>),
    /// Lists the snoozes that hold; from the store when no daemon runs.
    List {
        /// Those that ended as well.
        #[arg(long)]
        ended: bool,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Ends a snooze. What it covered and still stands on a rung is said now.
    End {
        /// Its id.
        id: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct Add {
    #[command(flatten)]
    named: Named,
    /// Whatever is like this: `source=iot-*,organizational_unit=plant-7`. Without `event` alerts about certificates only.
    #[arg(
        long = "match",
        value_name = "FIELD=PATTERN,...",
        conflicts_with = "serial",
        required_unless_present = "serial",
        value_parser = Wanted::parse
    )]
    wanted: Option<Wanted>,
    /// For how long: at most 90d, and 24h for what is about notafter itself.
    #[arg(long = "for", value_name = "TIME")]
    length: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who; `$SUDO_USER` or `$USER` where it is not said.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Last to the end whatever comes: a tighter rung, another end, `expired`.
    #[arg(long)]
    hold: bool,
}

/// Runs a command about snoozes: the daemon does what is asked.
pub(super) async fn run(
    command: &Command,
    place: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (file, daemon) = configured(place, environment, console).await?;
    match (command, daemon) {
        (Command::List { ended, format }, daemon) => {
            let listed = match daemon {
                Some(daemon) => from_daemon(&daemon, *ended).await?,
                None => from_store(&file.config, *ended).await?,
            };
            print(&listed, *format, console.out)?;
            Ok(Exit::Done)
        }
        (_, None) => bail!(NO_DAEMON),
        (Command::Add(add), Some(daemon)) => add.run(&daemon, environment, console).await,
        (Command::End { id }, Some(daemon)) => {
            let path = format!("/api/v1/snoozes/{}", escaped(id));
            let ended: SnoozeObject = daemon.delete(&path).await?;
            writeln!(console.out, "the snooze {} has ended", printable(&ended.id))?;
            Ok(Exit::Done)
        }
    }
}

async fn from_daemon(daemon: &Daemon, ended: bool) -> anyhow::Result<Vec<SnoozeObject>> {
    let path = format!("/api/v1/snoozes?ended={ended}");
    Ok(daemon.get::<SnoozeList>(&path).await?.items)
}

async fn from_store(config: &Config, ended: bool) -> anyhow::Result<Vec<SnoozeObject>> {
    let (found, now) = (open_store(config)?.snoozes().await?, now());
    let shown = found.iter().filter(|snooze| ended || snooze.is_active(now));
    Ok(shown.map(|snooze| SnoozeObject::of(snooze, now)).collect())
}

impl Add {
    async fn run(
        &self,
        daemon: &Daemon,
        environment: &Environment,
        console: &mut Console<'_>,
    ) -> anyhow::Result<Exit> {
        let mut wish = SnoozeWish {
            r#match: self.wanted.as_ref().map(|wanted| wanted.fields().clone()),
            r#for: self.length.clone(),
            reason: self.reason.clone(),
            author: self.author.clone().or_else(|| user(environment)),
            hold: self.hold,
            ..SnoozeWish::default()
        };
        if self.wanted.is_none() {
            let found = self.named.find(daemon).await?;
            let [one] = found.as_slice() else { return none_or_many(&found, console) };
            wish.certificate = Some(one.id.clone());
        }
        let made: SnoozeObject = daemon.post_object("/api/v1/snoozes", &wish).await?;
        writeln!(
            console.out,
            "quiet until {}: {}; `notafter snooze end {}` ends it sooner",
            made.until.as_deref().unwrap_or("the end of time"),
            printable(&covered(&made)),
            printable(&made.id),
        )?;
        Ok(Exit::Done)
    }
}

/// Who asks, in the eyes of the system.
fn user(environment: &Environment) -> Option<String> {
    let named = ["SUDO_USER", "USER"].into_iter().filter_map(|name| environment.variable(name));
    named.into_iter().find(|name| !name.is_empty())
}

/// Says what to choose among. Nothing is changed.
fn none_or_many(found: &[Certificate], console: &mut Console<'_>) -> anyhow::Result<Exit> {
    if found.is_empty() {
        bail!("no certificate has this serial or id; `notafter list` shows what is known");
    }
    table(found, 0, console.out)?;
    writeln!(console.out)?;
    for one in found {
        writeln!(console.out, "{}  {}", one.id, printable(&one.place))?;
    }
    console.out.flush()?;
    bail!(
        "{} certificates have this serial, and nothing was changed: name one by its id, or with `--source`, `--scope`, \
         `--place`, `--issuer`",
        found.len()
    );
}

fn print(snoozes: &[SnoozeObject], format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, snoozes)?;
            writeln!(out)?;
        }
        Format::Csv => csv_rows(snoozes, out)?,
        Format::Table if snoozes.is_empty() => writeln!(out, "nothing is snoozed")?,
        Format::Table => {
            let rows: Vec<_> = snoozes.iter().map(cells).collect();
            let header = ["ID", "UNTIL", "STATE", "BY", "COVERS", "REASON"];
            output::columns(header, &rows, out)?;
        }
    }
    Ok(())
}

fn cells(snooze: &SnoozeObject) -> [String; 6] {
    let state = match (&snooze.ended_by, snooze.hold) {
        (Some(end), _) => end.clone(),
        (None, true) => "holds".to_owned(),
        (None, false) => "active".to_owned(),
    };
    [
        printable(&snooze.id),
        snooze.until.clone().unwrap_or_default(),
        state,
        output::text(&snooze.author),
        output::text(&covered(snooze)),
        output::text(&snooze.reason),
    ]
}

/// Returns what a snooze covers, in a line.
fn covered(snooze: &SnoozeObject) -> String {
    match (&snooze.certificate, &snooze.r#match) {
        (Some(id), _) => format!("certificate {id}"),
        (None, Some(fields)) => {
            Wanted::new(fields.clone()).map(|wanted| wanted.text()).unwrap_or_default()
        }
        (None, None) => String::new(),
    }
}

/// Spreadsheets run cells that begin like a formula.
fn csv_rows(snoozes: &[SnoozeObject], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["id", "until", "hold", "author", "covers", "reason", "ended_by"])?;
    for one in snoozes {
        let until = one.until.clone().unwrap_or_default();
        writer.write_record([
            one.id.clone(),
            until,
            one.hold.to_string(),
            crate::web::csv_cell(&one.author),
            crate::web::csv_cell(&covered(one)),
            crate::web::csv_cell(&one.reason),
            one.ended_by.clone().unwrap_or_default(),
        ])?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snooze(id: &str) -> SnoozeObject {
        SnoozeObject {
            id: id.to_owned(),
            active: true,
            certificate: Some("0".repeat(32)),
            r#match: None,
            made_at: None,
            until: Some("2027-01-08T00:00:00Z".to_owned()),
            hold: false,
            author: "ann".to_owned(),
            reason: "=known\u{1b}".to_owned(),
            ended_at: None,
            ended_by: None,
        }
    }

    fn printed(snoozes: &[SnoozeObject], format: Format) -> String {
        let mut out = Vec::new();
        print(snoozes, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn snoozes_are_printed_for_people_and_for_programs() {
        let fields = [("source".to_owned(), vec!["iot-*".to_owned(), "x".to_owned()])];
        let by_match = SnoozeObject {
            certificate: None,
            r#match: Some(fields.into()),
            hold: true,
            ended_by: Some("by_hand".to_owned()),
            ..snooze("b")
        };
        let all = [snooze("a"), by_match];
        insta::assert_snapshot!(printed(&all, Format::Table), @r"
        ID  UNTIL                 STATE    BY   COVERS                                        REASON
        a   2027-01-08T00:00:00Z  active   ann  certificate 00000000000000000000000000000000  =known\u{1b}
        b   2027-01-08T00:00:00Z  by_hand  ann  source=iot-*,source=x                         =known\u{1b}
        ");
        insta::assert_snapshot!(printed(&all, Format::Csv), @r#"
        id,until,hold,author,covers,reason,ended_by
        a,2027-01-08T00:00:00Z,false,ann,certificate 00000000000000000000000000000000,'=known\u{1b},
        b,2027-01-08T00:00:00Z,true,ann,"source=iot-*,source=x",'=known\u{1b},by_hand
        "#);
        let again: Vec<SnoozeObject> = serde_json::from_str(&printed(&all, Format::Json)).unwrap();
        assert_eq!(again, all);
        assert_eq!(printed(&[], Format::Table), "nothing is snoozed\n");
    }
}

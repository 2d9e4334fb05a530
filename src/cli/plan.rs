//! `notafter plan`: who will be told what and when, if nothing changes.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::daemon::escaped;
use super::known::{Known, catalog};
use super::outbox::Form;
use super::output::{columns, text};
use super::{Console, Exit};
use crate::catalog::PlanQuery;
use crate::config::Environment;
use crate::web::{PlanAnswer, PlannedGroup, PlannedMessage};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How many days to look ahead.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=400))]
    days: i64,
    /// Only what this channel will be told.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// Prints who will be told what; nothing is sent. Asks the daemon, else its store.
pub(super) async fn plan(
    arguments: &Arguments,
    paths: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let known = Known::find(paths, environment, console).await?;
    let answer = match &known {
        Known::Daemon(daemon) => {
            let channel = arguments.channel.as_deref().map(escaped).unwrap_or_default();
            daemon.get(&format!("/api/v1/plan?days={}&channel={channel}", arguments.days)).await?
        }
        Known::Store(store, config) => {
            let channel = arguments.channel.clone();
            let query = PlanQuery { ahead: arguments.days * 86_400, channel };
            PlanAnswer::of(&catalog(store, config).await?.outlook(&query).await?)
        }
    };
    print(&answer, arguments.format, console.out)?;
    Ok(Exit::Done)
}

fn print(answer: &PlanAnswer, form: Form, out: &mut dyn Write) -> io::Result<()> {
    if form == Form::Json {
        serde_json::to_writer_pretty(&mut *out, answer)?;
        return writeln!(out);
    }
    if answer.messages.is_empty() {
        return writeln!(out, "nobody will be told anything");
    }
    let header = ["AT", "CHANNEL", "EVENT", "RUNG", "REASON", "CERTIFICATES", "SUCH AS"];
    let rows: Vec<_> = answer.messages.iter().flat_map(lines).collect();
    columns(header, &rows, out)?;
    if answer.more {
        writeln!(out, "and more: `--days N` looks less far ahead")?;
    }
    match answer.left_out {
        0 => Ok(()),
        some => writeln!(out, "{some} certificates were not looked at: there are too many"),
    }
}

fn lines(message: &PlannedMessage) -> Vec<[String; 7]> {
    let line = |group: &PlannedGroup| {
        let (such_as, ahead) = (group.certificates.first(), group.ahead.as_ref());
        let month = || {
            let it = ahead?;
            Some(format!("{} in {}", text(&it.source), it.month.as_ref()?))
        };
        [
            message.at.clone().unwrap_or_default(),
            text(&message.channel),
            group.kind.clone(),
            group.rung.clone().unwrap_or_else(|| "-".to_owned()),
            group.reason.clone(),
            ahead.map_or(group.count, |it| it.certificates).to_string(),
            such_as.map(|it| text(&it.name)).or_else(month).unwrap_or_default(),
        ]
    };
    message.lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{PlannedCertificate, PlannedWarning};

    #[test]
    fn a_table_of_messages_to_come() {
        let certificate = PlannedCertificate {
            id: "0".repeat(32),
            source: "iot".to_owned(),
            serial: "0a".to_owned(),
            name: "pump-7\u{1b}".to_owned(),
            not_after: None,
        };
        let group = PlannedGroup {
            kind: "certificate.expiring".to_owned(),
            rung: Some("7d".to_owned()),
            reason: "tighter_rung".to_owned(),
            severity: "warning".to_owned(),
            count: 12,
            certificates: vec![certificate],
            ahead: None,
        };
        let cliff = PlannedWarning {
            source: "iot".to_owned(),
            certificates: 900,
            month: Some("2027-03".to_owned()),
            most_renewed: Some(20),
        };
        let month = PlannedGroup {
            kind: "fleet.cliff".to_owned(),
            rung: None,
            reason: "began".to_owned(),
            severity: "warning".to_owned(),
            count: 1,
            certificates: Vec::new(),
            ahead: Some(cliff),
        };
        let at = Some("2026-11-22T00:00:00Z".to_owned());
        let message = PlannedMessage {
            at: at.clone(),
            channel: "ops".to_owned(),
            events: 13,
            lines: vec![group, month],
        };
        let mut answer = PlanAnswer {
            from: at.clone(),
            until: at,
            messages: vec![message],
            more: true,
            left_out: 0,
        };
        let mut out = Vec::new();
        print(&answer, Form::Table, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        AT                    CHANNEL  EVENT                 RUNG  REASON        CERTIFICATES  SUCH AS
        2026-11-22T00:00:00Z  ops      certificate.expiring  7d    tighter_rung  12            pump-7\u{1b}
        2026-11-22T00:00:00Z  ops      fleet.cliff           -     began         900           iot in 2027-03
        and more: `--days N` looks less far ahead
        ");
        answer.messages.clear();
        let mut out = Vec::new();
        print(&answer, Form::Table, &mut out).unwrap();
        assert_eq!(out, b"nobody will be told anything\n");
    }
}

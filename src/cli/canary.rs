//! `notafter canary`: would a message arrive?

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use clap::Args;

use super::daemon::{configured, escaped};
use super::file::NO_DAEMON;
use super::outbox::Form;
use super::output::{columns, printable, text};
use super::{Console, Exit};
use crate::config::Environment;
use crate::web::Canary;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A certificate of this source, so that the routes choose as they would for one of it; the first source without this.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// Has the daemon send a certificate that does not exist the whole way, and prints how far it came.
pub(super) async fn canary(
    arguments: &Arguments,
    place: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (_, daemon) = configured(place, environment, console).await?;
    let daemon = daemon.context(NO_DAEMON)?;
    let source = arguments.source.as_ref().map(|name| format!("?source={}", escaped(name)));
    let asked = format!("/api/v1/canary{}", source.unwrap_or_default());
    let canary: Canary = daemon.post(&asked).await?;
    match arguments.format {
        Form::Json => {
            serde_json::to_writer_pretty(&mut *console.out, &canary)?;
            writeln!(console.out)?;
        }
        Form::Table => print(&canary, console.out)?,
    }
    Ok(if canary.passed { Exit::Done } else { Exit::Failed })
}

fn print(canary: &Canary, out: &mut dyn Write) -> io::Result<()> {
    let row = |stage: &crate::web::CanaryPart| {
        let name = stage.channel.as_ref().map(|channel| format!(" {}", text(channel)));
        let (seconds, millis) = (stage.milliseconds / 1000, stage.milliseconds % 1000);
        [
            format!("{}{}", stage.stage, name.unwrap_or_default()),
            if stage.passed { "passed" } else { "FAILED" }.to_owned(),
            format!("{seconds}.{millis:03} s"),
            printable(&stage.detail),
        ]
    };
    let rows: Vec<_> = canary.stages.iter().map(row).collect();
    columns(["stage", "", "after", ""], &rows, out)?;
    let said = if canary.passed { "it arrived" } else { "it did not arrive" };
    writeln!(out, "a test certificate of {}: {said}", text(&canary.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_time_and_its_reason() {
        let stage = |stage: &str, channel: Option<&str>, milliseconds, why: Option<&str>| {
            crate::web::CanaryPart {
                stage: stage.to_owned(),
                channel: channel.map(str::to_owned),
                passed: why.is_none(),
                at: None,
                milliseconds,
                detail: why.unwrap_or("done").to_owned(),
            }
        };
        let stages = vec![
            stage("sighting", None, 0, None),
            stage("channel", Some("ops"), 1_042, Some("not delivered: http 500\u{1b}")),
        ];
        let canary = Canary { source: "web".to_owned(), passed: false, stages };
        let mut out = Vec::new();
        print(&canary, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        stage                after
        sighting     passed  0.000 s  done
        channel ops  FAILED  1.042 s  not delivered: http 500\u{1b}
        a test certificate of web: it did not arrive
        ");
    }
}

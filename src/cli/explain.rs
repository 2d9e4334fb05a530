//! `notafter explain`: the whole story of one certificate.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::file::now;
use super::known::{Known, Narrowed, catalog};
use super::outbox::Form;
use super::output::{columns, printable, text};
use super::{Console, Exit};
use crate::config::Environment;
use crate::web::{Explained, Other};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Its serial, or its id. Where several fit, all of them are explained.
    #[arg(value_name = "SERIAL|ID")]
    certificate: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// Explains certificates as the daemon knows them; from its store when none runs.
pub(super) async fn explain(
    arguments: &Arguments,
    paths: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let known = Known::find(paths, environment, console).await?;
    let ids = known.ids(arguments.certificate.as_deref(), &arguments.narrowed).await?;
    let stories = stories(&known, &ids).await?;
    if arguments.format == Form::Json {
        serde_json::to_writer_pretty(&mut *console.out, &stories)?;
        writeln!(console.out)?;
        return Ok(Exit::Done);
    }
    for (place, story) in stories.iter().enumerate() {
        if place > 0 {
            writeln!(console.out)?;
        }
        print(story, console.out)?;
    }
    Ok(Exit::Done)
}

async fn stories(known: &Known, ids: &[String]) -> anyhow::Result<Vec<Explained>> {
    let mut stories = Vec::new();
    match known {
        Known::Daemon(daemon) => {
            for id in ids {
                let path = format!("/api/v1/certificates/{id}/explain");
                // One that has gone since it was named is left out.
                stories.extend(daemon.get_if_there(&path).await?);
            }
        }
        Known::Store(store, config) => {
            let catalog = catalog(store, config).await?;
            for id in ids {
                let told = catalog.story(id, None).await?;
                stories.extend(told.map(|told| Explained::of(&told, now())));
            }
        }
    }
    Ok(stories)
}

fn print(story: &Explained, out: &mut dyn Write) -> io::Result<()> {
    let it = &story.certificate;
    let known = |value: &Option<String>| value.as_deref().map_or("unknown".to_owned(), text);
    let place = if it.place.is_empty() { &it.scope } else { &it.place };
    writeln!(out, "{}  {}", text(&it.serial), known(&it.common_name))?;
    let mut line = |word: &str, value: String| writeln!(out, "  {word:<14}{value}");
    line("id", it.id.clone())?;
    line("where", format!("{} ({}), {}", text(&it.source), it.kind, printable(place)))?;
    line("issuer", printable(&it.issuer))?;
    line("ends", known(&it.not_after))?;
    for end in &story.former_ends {
        line("ended before", format!("{} until {}", known(&end.not_after), known(&end.until)))?;
    }
    line("seen", format!("first {}, last {}", known(&story.first_seen), known(&story.last_seen)))?;
    if let Some(since) = &story.unreadable_since {
        line(
            "unreadable",
            format!("its place cannot be read since {since}: what is known is from before"),
        )?;
    }
    for scan in &story.scans {
        let proven = if scan.proven { "proven" } else { "not proven" };
        let error = scan.error.as_deref().map(|error| format!(": {}", printable(error)));
        let (read, of) = (scan.collected, scan.reported);
        let scanned =
            format!("{} {proven} at {}, {read} of {of} read", scan.window, known(&scan.ended));
        line("scan", scanned + &error.unwrap_or_default())?;
    }
    line("status", status(story))?;
    line("now", story.reason.clone())?;
    for snooze in &story.snoozes {
        let state = if snooze.active { "snoozed" } else { "snooze ended" };
        let until = known(if snooze.active { &snooze.until } else { &snooze.ended_at });
        let (author, why) = (text(&snooze.author), printable(&snooze.reason));
        line(state, format!("until {until} by {author}: {why}"))?;
    }
    deployment(story, &mut line)?;
    history(story, out)
}

fn status(story: &Explained) -> String {
    let status = &story.certificate.status;
    match (&story.successor, &story.succession_rule) {
        (Some(other), Some(rule)) => format!("{status} by {} ({rule})", named(other)),
        _ => status.clone(),
    }
}

fn named(other: &Other) -> String {
    let place = if other.place.is_empty() { &other.scope } else { &other.place };
    let end = other.not_after.as_deref().unwrap_or("unknown");
    format!("{} in {}, {}, ends {end}", text(&other.serial), text(&other.source), printable(place))
}

fn deployment(
    story: &Explained,
    line: &mut impl FnMut(&str, String) -> io::Result<()>,
) -> io::Result<()> {
    let deployment = &story.deployment;
    match (deployment.state.as_str(), &deployment.newer) {
        (_, Some(newer)) => {
            let since = deployment.since.as_deref().map(|since| format!(", valid since {since}"));
            let newer = named(newer) + &since.unwrap_or_default();
            line("deployment", format!("issued, not deployed: should be {newer}"))?;
        }
        ("served_nowhere", None) => line("deployment", "served nowhere we look".to_owned())?,
        _ => {}
    }
    match deployment.bound.as_deref() {
        Some([]) => line("in use", "nowhere, says the provider".to_owned())?,
        Some(places) => line("in use", printable(&places.join(", ")))?,
        None => {}
    }
    for other in &deployment.served_at {
        line("served at", format!("{} ({})", printable(&other.place), text(&other.source)))?;
    }
    for other in &deployment.older {
        line("not yet at", format!("{}: an older one is served there", printable(&other.place)))?;
    }
    Ok(())
}

/// Its ladder, what was decided, and what was said.
fn history(story: &Explained, out: &mut dyn Write) -> io::Result<()> {
    let time = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    if !story.ladder.is_empty() {
        writeln!(out, "  ladder")?;
    }
    for step in &story.ladder {
        let mark = if step.crossed { "crossed" } else { "ahead" };
        writeln!(out, "    {:<8}  {}  {mark}", step.rung, time(&step.at))?;
    }
    let decisions = story.decisions.iter().map(|it| {
        let list =
            if it.count > 1 { format!("with {} others", it.count - 1) } else { String::new() };
        let rung = it.rung.clone().unwrap_or_default();
        [
            time(&it.at),
            it.event.clone(),
            rung,
            it.reason.clone(),
            text(&it.channels.join(", ")),
            list,
        ]
    });
    let decisions: Vec<_> = decisions.collect();
    if !decisions.is_empty() {
        columns(["DECIDED", "EVENT", "RUNG", "REASON", "CHANNELS", ""], &decisions, out)?;
    }
    let messages = story.messages.iter().map(|it| {
        let at = it.ended_at.as_ref().or(it.decided_at.as_ref());
        let code = it.code.as_deref().map(text).unwrap_or_default();
        let id = it.message.clone().unwrap_or_default();
        [time(&at.cloned()), text(&it.channel), it.kind.clone(), it.state.clone(), code, id]
    });
    let messages: Vec<_> = messages.collect();
    if !messages.is_empty() {
        columns(["MESSAGE", "CHANNEL", "EVENT", "STATE", "CODE", "ID"], &messages, out)?;
    }
    Ok(())
}

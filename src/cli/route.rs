//! `notafter route explain`: which route an event takes, to which channels, and why not to the others.

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::daemon::escaped;
use super::known::{Known, Narrowed, catalog};
use super::outbox::Form;
use super::output::{printable, text};
use super::{Console, Exit};
use crate::catalog::RouteQuery;
use crate::config::Environment;
use crate::expiry::EventKind;
use crate::web::Routed;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tells which route an event takes, to which channels, and why not to the others. Sends nothing.
    Explain(Explain),
}

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// The serial or the id of a certificate: what is said of it now, or at its next rung. Where several fit, all of them.
    #[arg(value_name = "SERIAL|ID")]
    certificate: Option<String>,
    /// An event of this kind, such as source.stale, in the place of one about a certificate.
    #[arg(long, value_name = "KIND", conflicts_with = "certificate")]
    event: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// With --event: the channel that the event is about.
    #[arg(long, value_name = "NAME", requires = "event")]
    channel: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// Runs a command about routes, as the daemon has them; as the configuration has them when none runs.
pub(super) async fn run(
    Command::Explain(explain): &Command,
    paths: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let known = Known::find(paths, environment, console).await?;
    let mut all = Vec::new();
    for query in queries(&known, explain).await? {
        all.extend(ask(&known, &query).await?);
    }
    if explain.format == Form::Json {
        serde_json::to_writer_pretty(&mut *console.out, &all)?;
        writeln!(console.out)?;
        return Ok(Exit::Done);
    }
    for (place, routed) in all.iter().enumerate() {
        if place > 0 {
            writeln!(console.out)?;
        }
        print(routed, console.out)?;
    }
    Ok(Exit::Done)
}

async fn queries(known: &Known, explain: &Explain) -> anyhow::Result<Vec<RouteQuery>> {
    let Some(word) = &explain.event else {
        let ids = known.ids(explain.certificate.as_deref(), &explain.narrowed).await?;
        return Ok(ids.into_iter().map(RouteQuery::Certificate).collect());
    };
    let Some(kind) = EventKind::from_word(word) else {
        bail!(
            "there is no event of the kind `{}`; the sample configuration lists them",
            printable(word)
        );
    };
    let Narrowed { source, scope, place, .. } = &explain.narrowed;
    let [source, scope, place, channel] =
        [source, scope, place, &explain.channel].map(|value| value.clone().unwrap_or_default());
    Ok(vec![RouteQuery::Event { kind, source, scope, place, channel }])
}

async fn ask(known: &Known, query: &RouteQuery) -> anyhow::Result<Option<Routed>> {
    match known {
        Known::Daemon(daemon) => {
            let asked = match query {
                RouteQuery::Certificate(id) => format!("certificate={id}"),
                RouteQuery::Event { kind, source, scope, place, channel } => {
                    let [source, scope, place, channel] =
                        [source, scope, place, channel].map(|value| escaped(value));
                    let kind = kind.as_str();
                    format!(
                        "event={kind}&source={source}&scope={scope}&place={place}&channel={channel}"
                    )
                }
            };
            daemon.get(&format!("/api/v1/route?{asked}")).await.map(Some)
        }
        Known::Store(store, config) => {
            Ok(catalog(store, config).await?.routing(query).await?.map(Routed::of))
        }
    }
}

fn print(routed: &Routed, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({}) {}", routed.event, routed.severity, text(&routed.about))?;
    for route in &routed.routes {
        let verdict = match (route.reached, &route.why_not) {
            (_, Some(why)) => format!("no: {}", printable(why)),
            (false, None) => "not tried: one above it took the event".to_owned(),
            (true, None) if route.continues => "yes, and goes on".to_owned(),
            (true, None) => "yes".to_owned(),
        };
        let leads =
            if route.channels.is_empty() { "nobody".to_owned() } else { route.channels.join(", ") };
        let asks = if route.asks.is_empty() { "everything" } else { &route.asks };
        writeln!(
            out,
            "  route {}  {} -> {}: {verdict}",
            route.number,
            printable(asks),
            text(&leads)
        )?;
    }
    for goes in &routed.channels {
        let muted = goes.muted_until.as_ref().map(|until| format!(", muted until {until}"));
        writeln!(out, "  goes to {}{}", text(&goes.channel), muted.unwrap_or_default())?;
    }
    if routed.channels.is_empty() {
        writeln!(out, "  goes to nobody")?;
    }
    for other in &routed.others {
        writeln!(out, "  not to {}: {}", text(&other.channel), printable(&other.why))?;
    }
    Ok(())
}

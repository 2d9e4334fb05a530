//! `notafter audit`: what happened.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::arguments::duration;
use super::daemon::escaped;
use super::file::now;
use super::known::{Known, Narrowed};
use super::output::printable;
use super::{Console, Exit};
use crate::config::Environment;
use crate::expiry::Timestamp;
use crate::expiry::text::iso;
use crate::store::{AuditQuery, Store as _};
use crate::web::Audit;

/// Entries that are read at once.
const PAGE: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only what happened within this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Only what is about the certificate with this serial or id. Where several fit, what is about any of them.
    #[arg(long, value_name = "SERIAL|ID")]
    certificate: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How what happened is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// Prints what happened, in its order, as the daemon has it; from its store when none runs.
pub(super) async fn audit(
    arguments: &Arguments,
    paths: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let known = Known::find(paths, environment, console).await?;
    let ago = |since: Duration| i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let since = arguments.since.map(|since| now().plus(-ago(since)));
    let named = arguments.certificate.as_deref();
    let ids = if named.is_none() && arguments.narrowed.says_nothing() {
        Vec::new()
    } else {
        known.ids(named, &arguments.narrowed).await?
    };
    let mut after = Some(0);
    while let Some(from) = after {
        let page = page(&known, since, &ids, from).await?;
        for entry in &page.items {
            print(entry, arguments.format, console.out)?;
        }
        after = page.next;
    }
    Ok(Exit::Done)
}

async fn page(
    known: &Known,
    since: Option<Timestamp>,
    ids: &[String],
    after: i64,
) -> anyhow::Result<Audit> {
    match known {
        Known::Daemon(daemon) => {
            let since = since.map(|since| format!("&since={}", escaped(&iso(since))));
            let ids = if ids.is_empty() {
                String::new()
            } else {
                format!("&certificate={}", ids.join(","))
            };
            let query = since.unwrap_or_default() + &ids;
            daemon.get(&format!("/api/v1/audit?after={after}{query}")).await
        }
        Known::Store(store, _) => {
            let query = AuditQuery { since, certificates: ids.to_vec(), after, limit: PAGE };
            Ok(Audit::of(&store.audit(&query).await?, PAGE))
        }
    }
}

fn print(entry: &Value, form: Form, out: &mut dyn Write) -> io::Result<()> {
    if form == Form::Json {
        serde_json::to_writer(&mut *out, entry)?;
        return writeln!(out);
    }
    let word = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    write!(out, "{}  {:<8}", word("at"), word("kind"))?;
    let Value::Object(fields) = entry else { return writeln!(out) };
    let rest = fields.iter().filter(|(name, _)| !["at", "kind"].contains(&name.as_str()));
    for (name, value) in rest {
        if let Some(text) = shown(value) {
            write!(out, " {name}={}", printable(&text))?;
        }
    }
    writeln!(out)
}

/// Returns a value in a few letters; `None` for one that says nothing.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.contains(' ') => Some(format!("\"{text}\"")),
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Array(all) if all.is_empty() => None,
        Value::Array(all) => {
            let texts = all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
            Some(if texts.contains(' ') { format!("\"{texts}\"") } else { texts })
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_people_and_one_for_programs() {
        let entry = serde_json::json!({
            "at": "2026-11-22T00:00:00Z", "certificate": null, "kind": "decision", "event": "certificate.expiring",
            "channels": ["ops", "room"], "about": "a b\u{1b}", "count": 1,
        });
        let mut out = Vec::new();
        print(&entry, Form::Text, &mut out).unwrap();
        print(&entry, Form::Json, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (line, json) = text.split_once('\n').unwrap();
        assert_eq!(
            line,
            "2026-11-22T00:00:00Z  decision about=\"a b\\u{1b}\" channels=ops,room count=1 event=certificate.expiring"
        );
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), entry);
    }
}

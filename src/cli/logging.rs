//! What is logged, and how it looks.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{self, Compact, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::Environment;

/// Libraries that log whole URLs when they are asked for more than `info`. A chat robot's URL is its password.
const TALKATIVE: [&str; 7] =
    ["reqwest", "hyper", "hyper_util", "h2", "rustls", "tower", "tower_http"];

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people; with its priority in front where standard error is the journal.
    #[default]
    Text,
    /// One object a line, with its time.
    Json,
}

/// Begins to log to standard error. Does nothing when something else, a test or the demo, logs already.
pub(super) fn start(environment: &Environment, daemon: bool, format: LogFormat) {
    let default = if daemon { LevelFilter::INFO } else { LevelFilter::WARN };
    let asked = environment.variable("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(default.into()).parse_lossy(asked);
    let logging = tracing_subscriber::registry()
        .with(lines(format, environment))
        .with(filter)
        .with(filter_fn(allowed));
    if logging.try_init().is_err() {
        tracing::debug!("logging is set up already");
    }
}

fn lines<S>(log_format: LogFormat, environment: &Environment) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = layer().with_writer(io::stderr);
    match log_format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text if io::stderr().is_terminal() => lines.boxed(),
        LogFormat::Text => {
            // The journal and container runtimes add the time themselves.
            let lines = lines.with_ansi(false);
            let plain = format::format().with_ansi(false).without_time().compact();
            if is_journal(environment) {
                lines.event_format(Prioritised(plain)).boxed()
            } else {
                lines.event_format(plain).boxed()
            }
        }
    }
}

/// Returns whether standard error leads to the journal: systemd says which file that is (systemd.exec(5)).
fn is_journal(environment: &Environment) -> bool {
    let Some(named) = environment.variable("JOURNAL_STREAM") else { return false };
    let metadata = io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let metadata = metadata.and_then(|stderr| stderr.metadata());
    metadata.is_ok_and(|stderr| named == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Writes the priority in front of every line, as the journal reads it (sd-daemon(3)).
struct Prioritised(format::Format<Compact, ()>);

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        text.lines().try_for_each(|line| writeln!(out, "<{priority}>{line}"))
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Holds whatever `RUST_LOG` says.
fn allowed(metadata: &Metadata<'_>) -> bool {
    is_allowed(metadata.target(), *metadata.level())
}

fn is_allowed(target: &str, level: Level) -> bool {
    let library = target.split("::").next().unwrap_or(target);
    level <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn libraries_cannot_be_made_to_log_urls() {
        for (target, level, expected) in [
            ("notafter::outbox", Level::TRACE, true),
            ("reqwest::connect", Level::DEBUG, false),
            ("hyper_util::client::legacy::pool", Level::TRACE, false),
            ("hyper_util::client", Level::INFO, true),
            ("h2", Level::WARN, true),
            ("rustls::client", Level::DEBUG, false),
            ("hyperbole", Level::DEBUG, true),
        ] {
            assert_eq!(is_allowed(target, level), expected, "{target} {level}");
        }
    }

    #[test]
    fn every_line_has_its_priority_for_the_journal() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let plain = format::format().with_ansi(false).without_time().with_target(false).compact();
        let into = Arc::clone(&written);
        let lines =
            layer().with_writer(move || Into(Arc::clone(&into))).event_format(Prioritised(plain));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::error!("two\nlines");
            tracing::warn!(count = 3, "a field");
            tracing::info!("told");
            tracing::debug!("shown when asked");
        });
        insta::assert_snapshot!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), @r"
        <3>ERROR two
        <3>lines
        <4> WARN a field count=3
        <6> INFO told
        <7>DEBUG shown when asked
        ");
    }

    struct Into(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Into {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_of_another_name_is_not_the_journal() {
        for (named, expected) in [(None, false), (Some("0:0"), false), (Some(""), false)] {
            let environment = match named {
                Some(named) => Environment::of([("JOURNAL_STREAM", named)]),
                None => Environment::of([]),
            };
            assert_eq!(is_journal(&environment), expected, "{named:?}");
        }
    }
}

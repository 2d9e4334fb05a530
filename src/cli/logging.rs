//! What is logged, and how it looks.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Environment;

/// Libraries that log whole URLs when they are asked for more than `info`. A chat robot's URL is its password.
const TALKATIVE: [&str; 7] =
    ["reqwest", "hyper", "hyper_util", "h2", "rustls", "tower", "tower_http"];

/// Begins to log to standard error. Does nothing when something else, a test or the demo, logs already.
pub(super) fn start(environment: &Environment, daemon: bool) {
    let default = if daemon { LevelFilter::INFO } else { LevelFilter::WARN };
    let asked = environment.variable("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(default.into()).parse_lossy(asked);
    let layer = fmt::layer().with_writer(io::stderr);
    // The journal and container runtimes add the time themselves.
    let layer = if io::stderr().is_terminal() {
        layer.boxed()
    } else {
        layer.with_ansi(false).without_time().compact().boxed()
    };
    let logging = tracing_subscriber::registry().with(layer).with(filter).with(filter_fn(allowed));
    if logging.try_init().is_err() {
        tracing::debug!("logging is set up already");
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
}

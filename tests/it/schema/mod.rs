//! `notafter schema` against the reader of the configuration, judged by a validator that is not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod documents;
mod keys;
mod samples;
mod types;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use notafter::facade::channel;
use notafter::facade::client::http::Http;
use notafter::facade::client::limiter::Limiters;
use notafter::facade::client::{Deps, NoMeter};
use notafter::facade::clock::{SystemClock, SystemRandom};
use notafter::facade::config::{Environment, Mistakes, load};
use notafter::facade::source::{self, Context};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Daemon;
use crate::readme::hand_over;

const SAMPLE: &str = include_str!("../../../config/notafter.toml");

/// The reader of the configuration and its schema, side by side.
struct Bench {
    folder: TempDir,
    deps: Deps,
    environment: Environment,
    schema: Value,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = SAMPLE
            .split("credential = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        hand_over(&names, folder.path());
        let deps = Deps {
            http: Http::new().unwrap(),
            limiters: Limiters::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            meter: Arc::new(NoMeter),
        };
        let path = folder.path().to_str().unwrap().to_owned();
        let environment = Environment::of([("CREDENTIALS_DIRECTORY", &*path), ("SET", "text")]);
        let printed = Daemon::prepared("", &[]).run(&["schema"]).await;
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        let schema = serde_json::from_str(&printed.out).unwrap();
        Self { folder, deps, environment, schema }
    }

    /// Returns every mistake that `check` reports.
    fn mistakes(&self, text: &str) -> Vec<String> {
        let (config, mut mistakes) = load(text, &self.environment, source::full_scan_default);
        let Some(config) = config else { panic!("{}", mistakes.render("x", text)) };
        let context = Context { deps: &self.deps, sources: &config.sources };
        for source in &config.sources {
            drop(source::build(source, &context, &mut mistakes));
        }
        for channel in &config.channels {
            drop(channel::build(channel, &self.deps, &mut mistakes));
        }
        let Mistakes { errors, .. } = mistakes;
        errors.into_iter().map(|mistake| mistake.text).collect()
    }

    /// Returns what the schema has against each of these documents.
    fn judged(&self, documents: &[String]) -> Vec<Option<String>> {
        let given = json!({ "schema": self.schema, "documents": documents });
        let file = self.folder.path().join("given.json");
        std::fs::write(&file, given.to_string()).unwrap();
        let python = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/python"));
        assert!(python.exists(), "{} is missing: run tests/venv once", python.display());
        let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/judge/schema.py");
        let judged = Command::new(python).arg(judge).arg(file).output().unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        serde_json::from_slice(&judged.stdout).unwrap()
    }
}

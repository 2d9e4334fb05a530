//! Every budget of the design, measured: `cargo bench --bench budgets`.
//!
//! Daemon and simulator run as processes of their own, which are this same program started again, so that their
//! processor time and memory are theirs alone. What is bound to no socket is measured inside this process.
//!
//! `cargo bench --bench budgets -- [NAME…] [--scale 100k,1m,10m] [--data usual,varied] [--json FILE]`
//!
//! `scan` and `pages` run on rows as the vendor's sample has them and on rows written in every way that is legal, unless `--data` names
//! one of the two. `scan` runs at three sizes unless `--scale` names others, and the other benchmarks at the largest of those; `known` grows one inventory to ten million; `crossing` lets 40 000 certificates cross a rung at once, or fewer; `churn` ends with
//! proof that the daemon knows what the provider has.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are counts and seconds far below 2^52"
)]

use std::process::ExitCode;

use anyhow::{Context as _, bail};

mod api;
mod churn;
mod crossing;
mod daemon;
mod endpoints;
mod known;
mod log_of_writes;
mod pages;
mod paths;
mod process;
mod provider;
mod rate;
mod report;
mod scan;
mod scrape;
mod start;
mod upgrade;
mod views;

use report::Report;
use simulator::fleet::Data;

/// A benchmark: its name and what it does.
type Benchmark = (&'static str, fn(&Options, &mut Report) -> anyhow::Result<()>);

/// In the order in which they run.
const BENCHMARKS: &[Benchmark] = &[
    ("pages", pages::measure),
    ("scan", scan::measure),
    ("rate", rate::measure),
    ("churn", churn::measure),
    ("crossing", crossing::measure),
    ("start", start::measure),
    ("views", views::measure),
    ("upgrade", upgrade::measure),
    ("api", api::measure),
    ("endpoints", endpoints::measure),
    // Before the largest, whose memory this process keeps.
    ("series", scrape::measure),
    ("known", known::measure),
];

/// What was asked for.
struct Options {
    names: Vec<String>,
    /// The sizes that were asked for.
    scales: Vec<u64>,
    /// The largest of them, or the usual one.
    rows: u64,
    /// How the rows are written that `scan` and `pages` read.
    data: Vec<Data>,
    json: Option<std::path::PathBuf>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let data = vec![Data::Usual, Data::Varied];
        let (names, scales) = (Vec::new(), Vec::new());
        let mut options = Self { names, scales, rows: 100_000, data, json: None };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} wants a value"));
            match argument.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--scale" => {
                    options.scales = value()?.split(',').map(scale).collect::<Result<_, _>>()?;
                    options.rows = options.scales.iter().copied().max().unwrap_or(options.rows);
                }
                "--data" => {
                    options.data = value()?.split(',').map(data_set).collect::<Result<_, _>>()?;
                }
                "--json" => options.json = Some(value()?.into()),
                name if BENCHMARKS.iter().any(|(known, _)| *known == name) => {
                    options.names.push(argument);
                }
                _ => {
                    let known: Vec<_> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
                    bail!("`{argument}` is none of {}, --scale, --data, --json", known.join(", "));
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

fn data_set(word: &str) -> anyhow::Result<Data> {
    Data::named(word).with_context(|| format!("`{word}` is neither usual nor varied"))
}

fn scale(word: &str) -> anyhow::Result<u64> {
    let (digits, factor) = match word.as_bytes().last() {
        Some(b'k') => (word.trim_end_matches('k'), 1_000),
        Some(b'm') => (word.trim_end_matches('m'), 1_000_000),
        _ => (word, 1),
    };
    let digits: u64 = digits.parse().with_context(|| format!("`{word}` is no scale"))?;
    Ok(digits * factor)
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    match std::env::args().nth(1).as_deref() {
        Some(provider::ROLE) => provider::serve(arguments.skip(1)).map(|()| ExitCode::SUCCESS),
        Some(daemon::ROLE) => {
            let rest = std::env::args_os().skip(2);
            Ok(notafter::cli::main(std::iter::once(program.into()).chain(rest)))
        }
        Some(paths::ROLE) => paths::walk(arguments.skip(1)).map(|()| ExitCode::SUCCESS),
        _ => run(&Options::read(arguments)?),
    }
}

fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(options.rows)?;
    for (name, measure) in BENCHMARKS.iter().filter(|(name, _)| options.wants(name)) {
        report.begin(name);
        measure(options, &mut report).with_context(|| format!("the benchmark `{name}`"))?;
    }
    report.finish(options.json.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

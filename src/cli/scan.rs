//! `notafter scan`: one look at every source, without a daemon.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::arguments::{Shown, ahead, duration};
use super::file::{File, deps, now};
use super::output::{self, Format, Listing, printable};
use super::{Console, Exit};
use crate::clock::SystemClock;
use crate::config::{Config, Environment, SourceConfig};
use crate::expiry::{Facts, Labels, Reason, Rejected, Sighting, Timestamp, with_fixed};
use crate::scan::{Collected, collect};
use crate::source::{Places, Source, check_endpoint, of_endpoints};

/// What endpoints of the command line are called as a source.
const ENDPOINTS: &str = "tls";

/// Sources, each with its name and the labels that its certificates have by the configuration.
type Sources = Vec<(String, Labels, Arc<dyn Source>)>;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only this source; may be given several times.
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Looks at this TLS endpoint and at nothing else, without a configuration; may be given several times. `host`,
    /// `host:port`, `host:port/servername`, `smtp://host`.
    #[arg(long, value_name = "ENDPOINT", value_parser = check_endpoint, conflicts_with = "source")]
    tls: Vec<String>,
    #[command(flatten)]
    shown: Shown,
    /// Exits with 3 when something expires within this time, or has expired, and is neither revoked nor replaced; with 1
    /// when something was not there, could not be read or is broken. What an endpoint serves and clients refuse counts as
    /// expired: it exits with 3 as well.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    fail_within: Option<Duration>,
}

/// Scans the sources one after the other and prints what expires soonest.
pub(super) async fn scan(
    arguments: &Arguments,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let sources = if arguments.tls.is_empty() {
        configured(&arguments.source, path, environment, console)?
    } else {
        let source = of_endpoints(&arguments.tls, &deps()?).map_err(anyhow::Error::msg)?;
        vec![(ENDPOINTS.to_owned(), Labels::new(), source)]
    };
    let mut rows = Vec::new();
    let mut sight = Sight { proven: true, whole: true, accepted: true };
    for (name, labels, source) in sources {
        let outcome = watch(&name, source, console).await?;
        sight.proven &= report(&name, &outcome, console.err)?;
        sight.whole &= outcome.as_ref().is_ok_and(is_whole);
        sight.accepted &= outcome.as_ref().is_ok_and(is_accepted);
        rows.extend(outcome.into_iter().flat_map(|it| facts((&name, &labels), it)));
    }
    let now = now();
    let exit = exit(&rows, sight, arguments.fail_within, now);
    print(rows, arguments, now, console)?;
    Ok(exit)
}

/// Builds the sources of the configuration that are named, or all of them.
fn configured(
    names: &[String],
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Sources> {
    let mut file = File::read(path, environment, console)?;
    let deps = deps()?;
    let mut sources = Vec::new();
    for config in chosen(&file.config, names)? {
        // The others are not built: their secrets need not be at hand.
        let source = file.source(&config, &deps);
        sources.extend(source.map(|source| (config.name, config.labels, source)));
    }
    file.approve(console)?;
    Ok(sources)
}

fn chosen(config: &Config, names: &[String]) -> anyhow::Result<Vec<SourceConfig>> {
    if names.is_empty() {
        return Ok(config.sources.clone());
    }
    let mut chosen: Vec<SourceConfig> = Vec::new();
    for name in names {
        let Some(source) = config.sources.iter().find(|source| source.name == *name) else {
            let known: Vec<_> = config.sources.iter().map(|source| source.name.as_str()).collect();
            anyhow::bail!("no source has the name `{name}` (known: {})", known.join(", "));
        };
        if !chosen.iter().any(|already| already.name == *name) {
            chosen.push(source.clone());
        }
    }
    Ok(chosen)
}

/// Scans one source. While somebody watches, a line shows how far it is.
async fn watch(
    name: &str,
    source: Arc<dyn Source>,
    console: &mut Console<'_>,
) -> io::Result<Result<Collected, String>> {
    if !console.watched {
        return Ok(collect(&*source, &SystemClock, |_, _| {}).await);
    }
    let mut shown: Option<Instant> = None;
    let mut failure = Ok(());
    let mut progress = Progress::default();
    let outcome = collect(&*source, &SystemClock, |read, total| {
        if shown.is_none_or(|shown| shown.elapsed() >= Duration::from_millis(100)) {
            shown = Some(Instant::now());
            failure = progress.show(name, (read, total), console.err);
        }
    })
    .await;
    failure?;
    // Back to the beginning of the line, and the line empty.
    write!(console.err, "\r\u{1b}[K")?;
    Ok(outcome)
}

/// How far a scan is. Totals grow as scopes and kinds are come to, and what was read does not become less by that: the
/// line stands still until it is further than it was.
#[derive(Default)]
struct Progress {
    percent: u64,
}

impl Progress {
    fn show(
        &mut self,
        name: &str,
        (read, total): (u64, u64),
        err: &mut dyn Write,
    ) -> io::Result<()> {
        // A total may lie; the line must not.
        let percent = read.saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
        self.percent = self.percent.max(percent);
        write!(err, "\r\u{1b}[K{name}: {read} of {}, {} %", total.max(read), self.percent)?;
        err.flush()
    }
}

/// Reports what was not as it should be, and returns whether the scan is proven.
fn report(
    name: &str,
    outcome: &Result<Collected, String>,
    err: &mut dyn Write,
) -> io::Result<bool> {
    let collected = match outcome {
        Ok(collected) => collected,
        Err(error) => {
            writeln!(err, "{name}: not scanned: {}", printable(error))?;
            return Ok(false);
        }
    };
    for problem in &collected.problems {
        writeln!(err, "{name}: {}", printable(problem))?;
    }
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rejected in &collected.rejected {
        reasons.entry(rejected.reason.as_str()).or_default().push(&rejected.what);
    }
    for (reason, what) in reasons {
        let example = printable(what.first().unwrap_or(&""));
        writeln!(err, "{name}: not understood, {reason}: {}, such as {example}", what.len())?;
    }
    for place in collected.places.iter().flat_map(output::wrong_places) {
        writeln!(err, "{name}: {}", printable(&place))?;
    }
    for place in collected.places.iter().flat_map(Places::differing) {
        writeln!(err, "{name}: {}", printable(&place))?;
    }
    if !collected.proven {
        writeln!(err, "{name}: the scan is partial; there may be more than is listed")?;
    }
    Ok(collected.proven)
}

fn facts((source, labels): (&str, &Labels), collected: Collected) -> Vec<Facts> {
    let facts = |(scope, sighting): (Arc<str>, Sighting)| {
        let mut facts = output::facts(source, &scope, sighting);
        facts.labels = with_fixed(labels, std::mem::take(&mut facts.labels));
        facts
    };
    collected.sightings.into_iter().map(facts).collect()
}

/// How much of what there is was seen.
#[derive(Clone, Copy)]
struct Sight {
    /// Whether every scan is proven.
    proven: bool,
    /// Whether everything was there, could be read and was understood.
    whole: bool,
    /// Whether clients that verify accept what every endpoint serves.
    accepted: bool,
}

fn is_accepted(collected: &Collected) -> bool {
    let mut looked = collected.places.iter().flat_map(|places| &places.looked);
    looked.all(|look| look.verdict.is_none())
}

/// Returns whether nothing was kept from being read. A glob that matches nothing leaves others to be read, unless there
/// are none.
fn is_whole(collected: &Collected) -> bool {
    let unseen = |rejected: &Rejected| {
        matches!(rejected.reason, Reason::Unreadable | Reason::Missing | Reason::BadCertificate)
    };
    let sees_nothing =
        |places: &Places| places.looked.is_empty() && !places.globs_without_match.is_empty();
    !collected.places.as_ref().is_some_and(sees_nothing) && !collected.rejected.iter().any(unseen)
}

/// A scan that failed, is partial or was kept from reading something comes first: what it did not see may expire sooner.
fn exit(rows: &[Facts], sight: Sight, fail_within: Option<Duration>, now: Timestamp) -> Exit {
    let expires_soon = |row: &Facts, within| {
        row.status.alerts() && row.not_after.is_some_and(|end| end <= ahead(now, within))
    };
    match fail_within {
        _ if !sight.proven => Exit::Failed,
        Some(_) if !sight.whole => Exit::Failed,
        // For who connects there it has ended already.
        Some(_) if !sight.accepted => Exit::ExpiresSoon,
        Some(within) if rows.iter().any(|row| expires_soon(row, within)) => Exit::ExpiresSoon,
        _ => Exit::Done,
    }
}

fn print(
    mut rows: Vec<Facts>,
    arguments: &Arguments,
    now: Timestamp,
    console: &mut Console<'_>,
) -> io::Result<()> {
    if let Some(within) = arguments.shown.within {
        let unknown = rows.iter().filter(|row| row.not_after.is_none()).count();
        if unknown > 0 {
            writeln!(console.err, "certificates without a notAfter, not listed: {unknown}")?;
        }
        rows.retain(|row| row.not_after.is_some_and(|end| end <= ahead(now, within)));
    }
    if !arguments.tls.is_empty() && arguments.shown.format == Format::Table {
        return output::chains(&rows, now, console.out);
    }
    let limit = arguments.shown.limit.or(arguments.shown.format.default_limit());
    let listing = Listing::soonest_first(rows, now, limit);
    listing.print(arguments.shown.format, console.out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Status, labels_of};

    const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
    const DAY: u64 = 86_400;

    fn sighting(status: Status, ends_in_days: Option<i64>) -> Sighting {
        Sighting {
            serial: "01".to_owned(),
            not_after: ends_in_days.map(|days| NOW.plus(days * 86_400)),
            common_name: "example.com".to_owned(),
            ..Sighting::bare(Kind::Server, status)
        }
    }

    fn row(status: Status, ends_in_days: Option<i64>) -> Facts {
        output::facts("web", "all", sighting(status, ends_in_days))
    }

    #[test]
    fn exits() {
        let week = Some(Duration::from_secs(7 * DAY));
        for (status, ends_in, proven, within, expected) in [
            (Status::Active, Some(7), true, week, Exit::ExpiresSoon),
            (Status::Active, Some(-1), true, week, Exit::ExpiresSoon),
            (Status::Inactive, Some(3), true, week, Exit::ExpiresSoon),
            (Status::Active, Some(8), true, week, Exit::Done),
            (Status::Active, Some(7), true, None, Exit::Done),
            (Status::Active, None, true, week, Exit::Done),
            (Status::Revoked, Some(-1), true, week, Exit::Done),
            (Status::Superseded, Some(1), true, week, Exit::Done),
            (Status::Retired, Some(1), true, week, Exit::Done),
            (Status::Active, Some(1), false, week, Exit::Failed),
            (Status::Active, Some(99), false, None, Exit::Failed),
        ] {
            let sight = Sight { proven, whole: true, accepted: true };
            let actual = exit(&[row(status, ends_in)], sight, within, NOW);
            assert_eq!(actual, expected, "{status} {ends_in:?} {proven}");
        }
        for (within, whole, expected) in
            [(week, true, Exit::ExpiresSoon), (week, false, Exit::Failed), (None, true, Exit::Done)]
        {
            let sight = Sight { proven: true, whole, accepted: false };
            assert_eq!(exit(&[row(Status::Active, Some(99))], sight, within, NOW), expected);
        }
    }

    #[test]
    fn what_a_source_finds_has_the_labels_of_the_source() {
        let labelled = Sighting {
            labels: vec![
                ("team".to_owned(), "theirs".to_owned()),
                ("env".to_owned(), "x".to_owned()),
            ],
            ..sighting(Status::Active, Some(7))
        };
        let sightings = vec![(Arc::from("all"), labelled)];
        let collected = Collected { sightings, proven: true, ..Collected::default() };
        let found = facts(("web", &labels_of([("team", "ours")])), collected);
        assert_eq!(found[0].labels, labels_of([("team", "ours"), ("env", "x")]));
    }

    fn reported(outcome: &Result<Collected, String>) -> (bool, String) {
        let mut err = Vec::new();
        let proven = report("web", outcome, &mut err).unwrap();
        (proven, String::from_utf8(err).unwrap())
    }

    #[test]
    fn what_went_wrong_is_reported() {
        let rejected = |reason, what: &str| Rejected { reason, what: what.to_owned() };
        let collected = Collected {
            sightings: Vec::new(),
            proven: false,
            rejected: vec![
                rejected(Reason::BadTime, "01\n"),
                rejected(Reason::BadField, "02"),
                rejected(Reason::BadTime, "03"),
            ],
            problems: vec!["the total moved \u{1b}[1m".to_owned()],
            places: None,
        };
        let (proven, text) = reported(&Ok(collected));
        assert!(!proven);
        insta::assert_snapshot!(text, @r"
        web: the total moved \u{1b}[1m
        web: not understood, bad_field: 1, such as 02
        web: not understood, bad_time: 2, such as 01\u{a}
        web: the scan is partial; there may be more than is listed
        ");
        let refused = reported(&Err("refused: AuthFailure".to_owned()));
        assert_eq!(refused, (false, "web: not scanned: refused: AuthFailure\n".to_owned()));
        let good = Collected { proven: true, ..Collected::default() };
        assert_eq!(reported(&Ok(good)), (true, String::new()));
    }

    fn printed(within: Option<Duration>) -> (String, String) {
        let arguments = Arguments {
            source: Vec::new(),
            tls: Vec::new(),
            shown: Shown { within, limit: None, format: Format::Table },
            fail_within: None,
        };
        let rows = vec![
            row(Status::Active, None),
            row(Status::Active, Some(40)),
            row(Status::Active, Some(3)),
        ];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err, watched: false };
        print(rows, &arguments, NOW, &mut console).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_window_leaves_out_the_unknown_and_says_so() {
        let (out, err) = printed(Some(Duration::from_secs(30 * DAY)));
        assert_eq!(err, "certificates without a notAfter, not listed: 1\n");
        insta::assert_snapshot!(out, @r"
        EXPIRES               IN  STATUS  KIND    SOURCE  SCOPE  SERIAL  NAME
        2026-01-04T00:00:00Z  3d  active  server  web     all    01      example.com
        ");
        let (out, err) = printed(None);
        assert_eq!(err, "");
        insta::assert_snapshot!(out, @r"
        EXPIRES               IN   STATUS   KIND    SOURCE  SCOPE  SERIAL  NAME
        2026-01-04T00:00:00Z  3d   active   server  web     all    01      example.com
        2026-02-10T00:00:00Z  40d  active   server  web     all    01      example.com
        unknown                    undated  server  web     all    01      example.com
        ");
    }

    #[test]
    fn progress_never_goes_back_and_never_says_more_than_all() {
        let mut progress = Progress::default();
        for (read, total, expected) in [
            (0, 0, "0 of 0, 0 %"),
            (100, 150, "100 of 150, 66 %"),
            // Another scope is come to.
            (110, 350, "110 of 350, 66 %"),
            (250, 350, "250 of 350, 71 %"),
            (400, 350, "400 of 400, 100 %"),
        ] {
            let mut err = Vec::new();
            progress.show("web", (read, total), &mut err).unwrap();
            assert_eq!(String::from_utf8(err).unwrap(), format!("\r\u{1b}[Kweb: {expected}"));
        }
    }
}

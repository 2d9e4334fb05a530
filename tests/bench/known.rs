//! What is computed from everything known: sums for a scrape, verdicts, what is to be notified.

use std::sync::Arc;

use anyhow::ensure;
use async_trait::async_trait;
use notafter::facade::expiry::{
    Evaluator, Facts, Inventory, Kind, Ladder, Ledger, Notice, Notified, RowId, ScopeId, Sighting,
    Status, Timestamp, plan,
};
use notafter::facade::metrics::{
    DaemonMetrics, Exposition, Format, Moment, Names, NamesError, Setup, SourceSetup,
};
use tokio::time::Instant;

use crate::Options;
use crate::process::percentile;
use crate::report::{Budget, Report};

/// The time that it is: 2026-11-22T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);
const DAY: i64 = 86_400;
/// Scrapes, and seconds between them.
const SCRAPES: i64 = 200;
const EVERY: i64 = 15;
/// The largest is what the budgets are about; the others show how figures grow.
const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];

/// Measures at each size, growing one inventory.
pub(crate) fn measure(_: &Options, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut fleet = Fleet::new();
    let mut costs = Costs::default();
    for size in SIZES {
        let (from, started) = (fleet.count, Instant::now());
        fleet.grow(size);
        let micros = started.elapsed().as_secs_f64() * 1e6 / (size - from) as f64;
        let largest = size == SIZES[SIZES.len() - 1];
        report.say(&format!("{size} certificates"));
        report.add("taken in, each", micros, "us", Budget::None);
        let bytes = fleet.inventory.heap_bytes() as f64 / size as f64;
        report.add("columns and tables, each", bytes, "B", Budget::None);
        costs.memory.push((size, bytes));
        let each = |millis: f64| (size, millis / size as f64);
        let evaluated = each(evaluate(&mut fleet, largest, report)?);
        // In the smallest fleet hardly anything stands near a rung, which costs nothing.
        if size > SIZES[0] {
            costs.evaluate.push(evaluated);
        }
        costs.sums.push(each(scrape(&mut fleet, largest, &runtime, report)?));
        windows(&mut fleet, report);
        while_changing(&mut fleet, largest, &runtime, report)?;
    }
    report.growth("memory", &costs.memory, 1.1);
    report.growth("evaluate and plan", &costs.evaluate, 1.5);
    report.growth("sums made anew", &costs.sums, 1.25);
    Ok(())
}

/// What was measured at each size, for each certificate.
#[derive(Default)]
struct Costs {
    memory: Vec<(u64, f64)>,
    evaluate: Vec<(u64, f64)>,
    sums: Vec<(u64, f64)>,
}

/// Looks for the certificates of a window of a month, and for the ends that bound the next window.
fn windows(fleet: &mut Fleet, report: &mut Report) {
    let started = Instant::now();
    let within = Some((NOW, NOW.plus(30 * DAY)));
    let found = fleet.inventory.rows(fleet.scope, Some(Kind::Device), within).count();
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    report.say(&format!("{found} certificates end within a month"));
    report.add("certificates of a window of a month", millis, "ms", Budget::None);
    let view = fleet.inventory.view();
    let started = Instant::now();
    let ends = view.ends_after(fleet.scope, Some(Kind::Device), NOW, 10_000);
    let millis_of_ends = started.elapsed().as_secs_f64() * 1000.0;
    report.add("the next 10 000 ends", millis_of_ends, "ms", Budget::None);
    assert!(ends.is_sorted(), "ends are out of order");
}

/// Scrapes while certificates all over the inventory change, as many as a provider can list between two scrapes.
fn while_changing(
    fleet: &mut Fleet,
    largest: bool,
    runtime: &tokio::runtime::Runtime,
    report: &mut Report,
) -> anyhow::Result<()> {
    let exposition = exposition();
    exposition.warm(&fleet.inventory.view(), NOW);
    let (mut scrapes, mut publishes) = (Vec::new(), Vec::new());
    for round in 1..=100_u64 {
        let now = NOW.plus(round.cast_signed() * EVERY);
        for page in 0..10 {
            for place in 0..100 {
                let number =
                    (round * 1000 + page * 100 + place).wrapping_mul(0x9E37_79B9) % fleet.count;
                let changed = Sighting { status: Status::Revoked, ..sighting(number) };
                fleet.inventory.apply(fleet.scope, &changed);
            }
            let started = Instant::now();
            exposition.warm(&fleet.inventory.view(), now);
            publishes.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        let view = fleet.inventory.view();
        let started = Instant::now();
        let moment = runtime.block_on(exposition.prepare(&view, &NoNames, 0, now));
        let body = exposition.write(&moment, Format::Text, Vec::new())?;
        scrapes.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(body.len() > 1000, "the scrape is empty");
    }
    let slow = percentile(&mut publishes, 0.99);
    report.add("sums of 100 scattered changes, p99 of 1000", slow, "ms", Budget::None);
    let slow = percentile(&mut scrapes, 0.99);
    let what = "scrape of sums while 1000 change between two, p99 of 100";
    report.add(what, slow, "ms", within(largest, 10.0));
    Ok(())
}

fn within(largest: bool, budget: f64) -> Budget {
    if largest { Budget::AtMost(budget) } else { Budget::None }
}

/// The first pass looks at every certificate, the later ones at those that may have crossed a rung.
fn evaluate(fleet: &mut Fleet, largest: bool, report: &mut Report) -> anyhow::Result<f64> {
    let view = fleet.inventory.view();
    let mut evaluator = Evaluator::new(Ladder::new(LADDER.map(|days| days * 86_400).to_vec())?);
    let mut ledger = Ledger::default();
    let mut pass = |evaluator: &mut Evaluator, now: Timestamp| {
        let started = Instant::now();
        let notices = plan(evaluator, &view, now, &ledger).notices;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        for Notice { verdict, .. } in &notices {
            let notified = Notified { rung: verdict.rung, at: now, mild: false, count: 0 };
            ledger.set(verdict.row, notified);
        }
        (millis, notices.len())
    };
    let (first, notified) = pass(&mut evaluator, NOW);
    ensure!(notified > 0, "nothing stands on a rung");
    report.add("evaluate and plan, all is news", first, "ms", within(largest, 150.0));
    evaluator.revisit();
    let (again, notified) = pass(&mut evaluator, NOW);
    ensure!(notified == 0, "{notified} would be notified again");
    let what = "evaluate and plan after a restart, nothing is news";
    report.add(what, again, "ms", within(largest, 150.0));
    let mut later: Vec<f64> =
        (1..=60).map(|minute| pass(&mut evaluator, NOW.plus(minute * 60)).0).collect();
    let worst = percentile(&mut later, 1.0);
    report.add(
        "evaluate and plan, a minute later, worst of 60",
        worst,
        "ms",
        within(largest, 150.0),
    );
    Ok(again)
}

/// Scrapes of sums alone: no certificate has series of its own.
fn scrape(
    fleet: &mut Fleet,
    largest: bool,
    runtime: &tokio::runtime::Runtime,
    report: &mut Report,
) -> anyhow::Result<f64> {
    let view = fleet.inventory.view();
    let exposition = exposition();
    // The pipeline does so before readers see a state.
    let started = Instant::now();
    exposition.warm(&view, NOW);
    let made = started.elapsed().as_secs_f64() * 1000.0;
    report.add("sums made anew, before a state is published", made, "ms", Budget::None);
    let once = |now: Timestamp| -> anyhow::Result<f64> {
        let started = Instant::now();
        let moment: Moment = runtime.block_on(exposition.prepare(&view, &NoNames, 0, now));
        let body = exposition.write(&moment, Format::Text, Vec::new())?;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        ensure!(body.len() > 1000, "the scrape is empty");
        Ok(millis)
    };
    let first = once(NOW)?;
    let mut millis =
        (1..=SCRAPES).map(|n| once(NOW.plus(n * EVERY))).collect::<Result<Vec<_>, _>>()?;
    report.add("scrape of sums, first", first, "ms", within(largest, 10.0));
    report.add("scrape of sums, median of 200", percentile(&mut millis, 0.5), "ms", Budget::None);
    let slow = percentile(&mut millis, 0.99);
    report.add("scrape of sums, p99 of 200", slow, "ms", within(largest, 10.0));
    Ok(made)
}

/// In days, as configurations have it by default.
pub(crate) const LADDER: [u32; 5] = [30, 14, 7, 3, 1];

/// Returns an exposition of one source.
pub(crate) fn exposition() -> Exposition {
    let source = SourceSetup {
        name: "iot".to_owned(),
        kind: "tencent-mqtt".to_owned(),
        intervals: vec![("near".to_owned(), 600.0), ("all".to_owned(), 86_400.0)],
        ..SourceSetup::default()
    };
    Exposition::new(Arc::new(DaemonMetrics::new(&Setup {
        sources: vec![source],
        ..Setup::default()
    })))
}

/// A growing fleet whose ends are spread over two years and not in the order of the numbers.
pub(crate) struct Fleet {
    pub(crate) inventory: Inventory,
    pub(crate) scope: ScopeId,
    pub(crate) count: u64,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("iot", "mqtt-bench");
        Self { inventory, scope, count: 0 }
    }

    pub(crate) fn grow(&mut self, size: u64) {
        self.each_new(size, |_, _| ());
    }

    /// Adds certificates up to `size`, showing each to `see`.
    pub(crate) fn each_new(&mut self, size: u64, mut see: impl FnMut(RowId, &Sighting)) {
        for number in self.count..size {
            let sighting = sighting(number);
            let applied = self.inventory.apply(self.scope, &sighting);
            see(applied.row, &sighting);
        }
        self.count = size;
    }
}

/// Returns a certificate as an MQTT instance lists it.
pub(crate) fn sighting(number: u64) -> Sighting {
    // Batches of 4096 that were made together end within nine hours of each other.
    let batch = (number / 4096).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let end =
        NOW.plus((batch % 730).cast_signed() * DAY - 60 * DAY + (number % 4096).cast_signed() * 8);
    Sighting {
        issuer: format!("{:040x}", number % 3),
        serial: format!("{:040x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        signer: format!("{:040x}", number % 3),
        not_before: Some(end.plus(-365 * DAY)),
        not_after: Some(end),
        common_name: format!("d{number:012}.plant.example.com"),
        holder: format!("dev-{number:012}"),
        unit: format!("plant-{}", number % 10),
        ..Sighting::bare(
            Kind::Device,
            if number.is_multiple_of(32) { Status::Inactive } else { Status::Active },
        )
    }
}

/// For scrapes in which nothing has a name.
struct NoNames;

#[async_trait]
impl Names for NoNames {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        Ok(rows.iter().map(|_| None).collect())
    }
}

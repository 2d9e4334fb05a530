//! A fleet that changes all the time, read until what the daemon knows is proven and equal to what the provider has.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use crate::Options;
use crate::daemon::{Folder, Settings};
use crate::provider::{INSTANCE, Provider};
use crate::report::{Budget, Report};
use simulator::Simulator;

/// Scans, proven or not, that end while the fleet changes.
const SCANS: u32 = 3;
/// How often a few rows change.
const STEP: Duration = Duration::from_millis(10);

/// Reads a fleet into which rows are inserted and from which others are deleted, lets it come to rest, and waits for
/// the truth.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rows = options.rows;
    let mut provider = Provider::start(rows)?;
    let folder = Folder::new()?;
    let settings = Settings {
        full_scan: format!("every {}s", 2 + rows / 250_000),
        series: 0,
        ..Settings::once(&provider.authority)
    };
    // Far fewer are missing at once than an inventory may shrink by unasked.
    provider.ask(&format!("churn {}", (rows / 2000).clamp(20, 1000)))?;
    let mut daemon = folder.start(&settings)?;
    daemon.ready()?;
    let started = Instant::now();
    let mut ended = 0;
    for _ in 0..SCANS {
        ended = daemon.scanned_after(ended)?.0;
    }
    let calm = provider.ask("calm")?;
    let (changing, rested) = (started.elapsed().as_secs_f64(), Instant::now());
    let truth = provider.ask("truth")?;
    let mut scans = 0_u32;
    loop {
        let proven;
        (ended, proven) = daemon.scanned_after(ended)?;
        scans += 1;
        let known = known(&folder)?;
        if proven && known == truth {
            break;
        }
        anyhow::ensure!(scans < 20, "the provider has {truth}, the daemon knows {known}");
    }
    let changes = ["inserted", "deleted"].map(|what| calm[what].as_f64().unwrap_or(f64::NAN));
    let count = truth["count"].as_f64().unwrap_or(f64::NAN);
    report.say(&format!(
        "{count} certificates at the end, every identity and end as the provider has them, proven"
    ));
    report.add("inserted while it was read", changes[0], "", Budget::AtLeast(1.0));
    report.add("deleted while it was read", changes[1], "", Budget::AtLeast(1.0));
    report.add("  for", changing, "s", Budget::None);
    report.add(
        "until proven and equal, after the last change",
        rested.elapsed().as_secs_f64(),
        "s",
        Budget::None,
    );
    // The first sees it, the second believes it, and one may have begun before the last change.
    report.add("  scans", f64::from(scans), "", Budget::AtMost(3.0));
    daemon.process.stop()
}

/// Returns count and digest of the device certificates in a daemon's store.
fn known(folder: &Folder) -> anyhow::Result<Value> {
    let store = Connection::open_with_flags(folder.store(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    store.busy_timeout(Duration::from_secs(5))?;
    let mut statement = store.prepare(
        "SELECT issuer, serial, not_after FROM certificate c JOIN scope s ON s.id = c.scope_id
         WHERE kind = 0 AND s.scope = ?1",
    )?;
    let mut rows = statement.query([INSTANCE])?;
    let mut sum = Sum::default();
    while let Some(row) = rows.next()? {
        sum.add(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, row.get(2)?);
    }
    Ok(sum.report())
}

/// Returns count and digest of the device certificates that a provider has.
pub(crate) fn truth(simulator: &Simulator) -> Value {
    let mut sum = Sum::default();
    simulator
        .mqtt()
        .each_truth(INSTANCE, |truth| sum.add(&truth.issuer, &truth.serial, truth.not_after));
    sum.report()
}

/// A count and a digest that are the same in any order.
#[derive(Default)]
struct Sum {
    count: u64,
    digest: u64,
    text: Vec<u8>,
}

impl Sum {
    fn add(&mut self, issuer: &str, serial: &str, end: Option<i64>) {
        self.text.clear();
        for part in [issuer.as_bytes(), serial.as_bytes(), &end.unwrap_or(i64::MIN).to_le_bytes()] {
            self.text.extend_from_slice(part);
            self.text.push(0xFF);
        }
        self.count += 1;
        self.digest = self.digest.wrapping_add(xxh3_64(&self.text));
    }

    fn report(&self) -> Value {
        json!({"count": self.count, "digest": format!("{:016x}", self.digest)})
    }
}

/// Inserts rows into a provider's list and deletes others, at random, as many of each.
#[derive(Default)]
pub(crate) struct Churn {
    /// Rows a second, each way; 0 is rest.
    rate: AtomicU64,
    done: AtomicU64,
    over: AtomicBool,
}

impl Churn {
    /// Sets the rows a second, and returns how many were changed each way so far.
    pub(crate) fn set(&self, rate: u64) -> u64 {
        self.rate.store(rate, Ordering::SeqCst);
        // What is under way when it stops is done within a step.
        std::thread::sleep(STEP * 3);
        self.done.load(Ordering::SeqCst)
    }

    /// Ends [`Churn::run`].
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Changes rows until the end.
    pub(crate) fn run(&self, simulator: &Simulator) {
        let (mut owed, mut random) = (0.0, 0x9E37_79B9_7F4A_7C15_u64);
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(STEP);
            owed += self.rate.load(Ordering::SeqCst) as f64 * STEP.as_secs_f64();
            while owed >= 1.0 && self.rate.load(Ordering::SeqCst) > 0 {
                owed -= 1.0;
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                self.swap(simulator, random >> 16);
            }
        }
    }

    fn swap(&self, simulator: &Simulator, random: u64) {
        let mqtt = simulator.mqtt();
        let row = mqtt.nth(INSTANCE, random % mqtt.count(INSTANCE).max(1));
        if let Some(row) = row {
            mqtt.delete(INSTANCE, row..row + 1);
            mqtt.insert(INSTANCE, 1);
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Says how many rows were changed.
pub(crate) fn answer(done: u64) -> Value {
    json!({"inserted": done, "deleted": done})
}

//! The hot paths, each by itself, so that `tests/check-instructions` can count what they cost.
//!
//! `budgets path NAME TIMES` does the work of NAME so often. What TIMES does not change, the start of the program
//! for one, is the same in every run and falls out of the difference of two.

#![expect(clippy::print_stdout, reason = "its lines are for the script that started it")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use notafter::facade::client::http::Http;
use notafter::facade::client::limiter::Limiters;
use notafter::facade::client::{Deps, Meter, NoMeter};
use notafter::facade::clock::{SteadyClock, SystemRandom};
use notafter::facade::config::{Environment, load};
use notafter::facade::expiry::{
    Change, Evaluator, Inventory, Ladder, Ledger, ScopeId, Sighting, Sightings, StoredParts,
    StoredRow, Sums, SumsCache, Timestamp, plan,
};
use notafter::facade::metrics::Format;
use notafter::facade::source::{self, Slice, Source, Window};

use crate::known::{Fleet, LADDER, NOW, exposition, sighting};
use crate::pages;
use crate::provider::{INSTANCE, Provider};
use crate::scrape;
use simulator::clock::wall_seconds;
use simulator::fleet::Data;
use simulator::{SECRET_ID, SECRET_KEY};

/// The word that starts this role.
pub(crate) const ROLE: &str = "path";

/// Certificates that one turn of a path is about, where it is about many.
const ROWS: u64 = 4096;
/// Rows of a page.
const PAGE: u64 = 100;

/// A path: its name, what it is counted by, how many of them are in one turn, and the turns.
type Path = (&'static str, &'static str, u64, fn(u64) -> anyhow::Result<()>);

const PATHS: &[Path] = &[
    ("read", "row read over HTTP", PAGE, read_usual),
    ("varied", "row in any legal form read over HTTP", PAGE, read_varied),
    ("unchanged", "row seen again", ROWS, unchanged),
    ("first", "row taken in", ROWS, first),
    ("restore", "row brought back", ROWS, restore),
    ("evaluate", "row evaluated and planned", ROWS, evaluate),
    ("sums", "row summed up", ROWS, sums),
    ("series", "certificate with series", ROWS, series),
];

/// Walks a path; without a name, lists what there is.
pub(crate) fn walk(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let Some(name) = arguments.next() else {
        for (name, what, many, _) in PATHS {
            println!("{name}\t{many}\t{what}");
        }
        return Ok(());
    };
    let turns = arguments.next().context("how many turns?")?.parse()?;
    let path = PATHS.iter().find(|(known, ..)| *known == name).context("no such path")?;
    path.3(turns)
}

fn read_usual(turns: u64) -> anyhow::Result<()> {
    read(turns, Data::Usual)
}

fn read_varied(turns: u64) -> anyhow::Result<()> {
    read(turns, Data::Varied)
}

/// Signs and sends requests for a page of the list, and reads the answers.
fn read(turns: u64, data: Data) -> anyhow::Result<()> {
    let answer = recorded(data)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    // Ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends its connection.
            drop(repeat(stream, &answer));
        }
    });
    let source = device_source(&endpoint)?;
    let slice = Slice::whole(&INSTANCE.into(), Window::All, PAGE, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for _ in 0..turns {
            let page = source.page(&slice, 0).await?;
            ensure!(page.sightings.len() as u64 == PAGE, "a page is not whole");
        }
        Ok(())
    })
}

/// Returns an answer of the simulator as it was on the wire.
fn recorded(data: Data) -> anyhow::Result<Vec<u8>> {
    let provider = Provider::with(PAGE, data)?;
    pages::fetch(&provider.authority, 0)
}

fn repeat(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; 8192];
    // Requests are small, and sent in one go.
    while stream.read(&mut request)? > 0 {
        stream.write_all(answer)?;
    }
    Ok(())
}

fn device_source(endpoint: &str) -> anyhow::Result<Arc<dyn Source>> {
    let text = format!(
        r#"
[[source]]
name = "iot"
kind = "tencent-mqtt"
schedule = "every 1h"
[source.options]
region = "ap-guangzhou"
instances = ["{INSTANCE}"]
endpoint = "{endpoint}"
secret_id = {{ env = "ID" }}
secret_key = {{ env = "KEY" }}
requests_per_second = 1000000
"#
    );
    let environment = Environment::of([("ID", SECRET_ID), ("KEY", SECRET_KEY)]);
    let (config, mut mistakes) = load(&text, &environment, source::full_scan_default);
    let config = config.context("the configuration is wrong")?;
    let deps = Deps {
        http: Http::new().map_err(anyhow::Error::msg)?,
        limiters: Limiters::default(),
        // The machine's own count is read without the C library, which callgrind's processor cannot do.
        clock: Arc::new(SteadyClock::starting_at(Timestamp::from_seconds(wall_seconds()))),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter) as Arc<dyn Meter>,
    };
    let context = source::Context { deps: &deps, sources: &config.sources };
    let config = config.sources.first().context("no source")?;
    source::build(config, &context, &mut mistakes).context("the source is wrong")
}

fn sightings() -> Vec<Sighting> {
    (0..ROWS).map(sighting).collect()
}

fn unchanged(turns: u64) -> anyhow::Result<()> {
    let mut fleet = Fleet::new();
    fleet.grow(ROWS);
    let sightings = sightings();
    let pages: Vec<Sightings> =
        sightings.chunks(PAGE as usize).map(|page| page.iter().cloned().collect()).collect();
    for _ in 0..turns {
        for page in &pages {
            let known = fleet.inventory.recognise(fleet.scope, page);
            ensure!(known.iter().all(Option::is_some), "something changed");
        }
    }
    Ok(())
}

fn first(turns: u64) -> anyhow::Result<()> {
    let sightings = sightings();
    for _ in 0..turns {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("iot", INSTANCE);
        for sighting in &sightings {
            let applied = inventory.apply(scope, sighting);
            ensure!(applied.change == Change::Added, "something was known");
        }
    }
    Ok(())
}

fn restore(turns: u64) -> anyhow::Result<()> {
    let sightings = sightings();
    for _ in 0..turns {
        let mut inventory = Inventory::new();
        inventory.restore_scope(ScopeId(1), "iot", INSTANCE);
        for (number, sighting) in (0..).zip(&sightings) {
            let parts = StoredParts::of(sighting, u64::from(number));
            let row = StoredRow::new(notafter::facade::expiry::RowId(number), parts);
            ensure!(inventory.restore(ScopeId(1), row), "a row is there twice");
        }
    }
    Ok(())
}

/// A chunk whose ends are spread over two years, so that no short way round is taken.
fn scattered() -> Fleet {
    let mut fleet = Fleet::new();
    for number in 0..ROWS {
        fleet.inventory.apply(fleet.scope, &sighting(number * 4097));
    }
    fleet
}

fn evaluate(turns: u64) -> anyhow::Result<()> {
    let view = scattered().inventory.view();
    let ladder = Ladder::new(LADDER.map(|days| days * 86_400).to_vec())?;
    let mut evaluator = Evaluator::new(ladder);
    let ledger = Ledger::default();
    for _ in 0..turns {
        evaluator.revisit();
        let notices = plan(&mut evaluator, &view, NOW, &ledger).notices;
        ensure!(!notices.is_empty(), "nothing stands on a rung");
    }
    Ok(())
}

fn sums(turns: u64) -> anyhow::Result<()> {
    let fleet = &mut scattered();
    let view = fleet.inventory.view();
    for _ in 0..turns {
        let mut cache = SumsCache::new();
        let sums = cache.refresh(&view, NOW);
        ensure!(sums.values().map(Sums::count).sum::<u64>() > 0, "nothing was summed up");
    }
    Ok(())
}

fn series(turns: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut fleet, names) = scrape::named(ROWS);
    let view = fleet.inventory.view();
    let exposition = exposition();
    for _ in 0..turns {
        let limit = usize::try_from(ROWS)?;
        let moment = runtime.block_on(exposition.prepare(&view, &names, limit, NOW));
        let body = exposition.write(&moment, Format::Text, Vec::new())?;
        ensure!(body.len() as u64 > 200 * ROWS, "the series are missing");
    }
    Ok(())
}

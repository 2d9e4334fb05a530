//! A batch of certificates that cross a rung in the same second: how soon each room knows, in how many messages, and what
//! the store writes for it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;

use crate::Options;
use crate::daemon::{Daemon, Folder, Settings};
use crate::log_of_writes::Writes;
use crate::process::wait_for;
use crate::provider::Provider;
use crate::report::{Budget, Report};
use simulator::chat;
use simulator::clock::wall_seconds;

/// How many cross it, unless fewer are asked for.
const CROSSING: u64 = 40_000;
/// The rung, in seconds.
const RUNG: i64 = 7 * 86_400;
/// How long the first event waits for others where nothing else is configured, in seconds.
const GROUP_WAIT: f64 = 30.0;
/// Seconds until it is crossed: for as long certificates are read and stored.
const UNTIL: i64 = if cfg!(debug_assertions) { 110 } else { 60 };
/// What a room may wait beyond that, in seconds.
const BUDGET: f64 = 2.0;

/// The rooms, each with its address at the simulator.
const ROOMS: [(&str, &str, &str); 3] = [
    ("webhook", "webhook", "/webhook/crossing"),
    ("slack", "slack", "/slack/services/T/B/crossing"),
    ("feishu", "feishu", "/feishu/open-apis/bot/v2/hook/crossing"),
];

/// Lets them cross it, and waits until every room was told of all.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let mut provider = Provider::start(100)?;
    let asked = if options.scales.is_empty() { CROSSING } else { options.rows.min(CROSSING) };
    let crossed = wall_seconds() + UNTIL;
    provider.ask(&format!("ending {asked} {}", crossed + RUNG))?;
    let folder = Folder::new()?;
    let mut daemon = folder.start(&settings(&provider))?;
    daemon.ready()?;
    daemon.stored_after(0)?;
    let store = Connection::open_with_flags(folder.store(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    store.busy_timeout(Duration::from_secs(5))?;
    calm(&mut daemon, &store)?;
    let crossing = crossing(&store, crossed + RUNG)?;
    ensure!(
        wall_seconds() + 2 < crossed,
        "the machine is too slow: the rung was crossed meanwhile"
    );
    let (written, cpu) = (daemon.process.written()?, daemon.process.cpu()?);
    let writes = Writes::follow(folder.store());
    wait_for("every room was told of all", Duration::from_millis(100), || {
        daemon.check()?;
        let told = ROOMS.iter().map(|(room, ..)| count(&store, room, ("sent", crossed)));
        let told = told.collect::<Result<Vec<_>, _>>()?;
        Ok(told.iter().all(|told| *told >= crossing).then_some(()))
    })?;
    let transactions = writes.end()?;
    let (written, cpu) = (daemon.process.written()? - written, daemon.process.cpu()? - cpu);
    for (room, _, path) in ROOMS {
        arrivals(&mut provider, (room, path), (crossing, crossed), report)?;
    }
    report.add("transactions of the store", transactions.count as f64, "", Budget::None);
    report.add("  pages in its log", transactions.pages as f64, "", Budget::None);
    report.add(
        "  written to disk, each certificate and room",
        written / (crossing * ROOMS.len() as u64) as f64,
        "B",
        Budget::None,
    );
    report.add("CPU for a thousand, all rooms", cpu / crossing as f64 * 1000.0, "s", Budget::None);
    daemon.process.stop()
}

/// Reports when a room heard of them, and how.
fn arrivals(
    provider: &mut Provider,
    (room, path): (&str, &str),
    (crossing, crossed): (u64, i64),
    report: &mut Report,
) -> anyhow::Result<()> {
    let heard = provider.ask(&format!("heard {path}"))?;
    let arrivals = heard["arrivals"].as_array().context("no arrivals")?;
    let arrival =
        |one: &Value| Some((one[0].as_f64()? / 1000.0 - crossed as f64, one[1].to_string()));
    let arrivals: Vec<(f64, String)> =
        arrivals.iter().filter_map(arrival).filter(|(at, _)| *at >= 0.0).collect();
    let messages: BTreeSet<&str> = arrivals.iter().map(|(_, message)| message.as_str()).collect();
    let beyond = |at: Option<&(f64, String)>| at.map_or(f64::NAN, |(at, _)| at - GROUP_WAIT);
    let (first, last) = (beyond(arrivals.first()), beyond(arrivals.last()));
    let what = format!("{room}: messages about {crossing}");
    report.add(&what, messages.len() as f64, "", Budget::AtMost(1.0));
    report.add("  requests", arrivals.len() as f64, "", Budget::None);
    report.add(
        &format!("{room}: the first, beyond `group_wait`"),
        first,
        "s",
        Budget::AtMost(BUDGET),
    );
    // A webhook is given every one of them, a hundred a request, five requests a second.
    let budget = if room == "webhook" { Budget::None } else { Budget::AtMost(BUDGET) };
    report.add(&format!("{room}: the last"), last, "s", budget);
    Ok(())
}

fn settings(provider: &Provider) -> Settings {
    let channel = |(name, kind, _): &(&str, &str, &str)| {
        let signed = match *kind {
            "slack" => String::new(),
            _ => format!("secret = {{ env = \"SECRET_{name}\" }}"),
        };
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"{kind}\"\n[channel.options]\n\
             url = {{ env = \"ROOM_{name}\" }}\n{signed}\n"
        )
    };
    let channels: String = ROOMS.iter().map(channel).collect();
    let names: Vec<&str> = ROOMS.iter().map(|(name, ..)| *name).collect();
    let more = format!("[alerts]\nladder = [\"7d\"]\n{channels}[[route]]\nchannels = {names:?}\n");
    let room = |(name, _, path): &(&str, &str, &str)| {
        (format!("ROOM_{name}"), format!("{}{path}", provider.chat))
    };
    let secrets = [("webhook", chat::WEBHOOK_SECRET), ("feishu", chat::FEISHU_SECRET)]
        .map(|(name, secret)| (format!("SECRET_{name}"), secret.to_owned()));
    let environment = ROOMS.iter().map(room).chain(secrets).collect();
    Settings { series: 0, more, environment, ..Settings::once(&provider.authority) }
}

/// Waits until nothing is to be said of what was found behind the rung.
fn calm(daemon: &mut Daemon<'_>, store: &Connection) -> anyhow::Result<()> {
    // Decisions are made at most a second apart.
    std::thread::sleep(Duration::from_secs(2));
    wait_for("nothing waits", Duration::from_millis(50), || {
        daemon.check()?;
        let waiting = ROOMS.iter().map(|(room, ..)| count(store, room, ("pending", 0)));
        let waiting = waiting.sum::<Result<u64, _>>()?;
        Ok((waiting == 0).then_some(()))
    })
}

/// Counts those that end then, and of which something is to be said: some were revoked.
fn crossing(store: &Connection, end: i64) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM certificate WHERE not_after = ?1 AND status IN (0, 1, 2)";
    store.query_row(sql, [end], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Counts the deliveries of a channel in a state that were decided since then.
fn count(store: &Connection, channel: &str, (state, since): (&str, i64)) -> rusqlite::Result<u64> {
    let sql =
        "SELECT count(*) FROM delivery WHERE channel = ?1 AND state = ?2 AND created_at >= ?3";
    store
        .query_row(sql, params![channel, state, since], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

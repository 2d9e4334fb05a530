//! What the plan says is held against what a month then really says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use notafter::facade::app::Plan;
use notafter::facade::catalog::{Catalog, Outlook, PlanQuery};
use notafter::facade::client::limiter::Limiters;
use notafter::facade::clock::Clock;
use notafter::facade::config::{Config, Environment, load};
use notafter::facade::expiry::{Event, Timestamp, Topic};
use notafter::facade::pipeline::known;
use notafter::facade::source::full_scan_default;
use notafter::facade::store::Store;
use tokio::sync::watch;

use super::cloud::{Certificate, DAY, SimCloud, draw};
use super::machine::{Machine, START, on_virtual_time};
use super::room::{Heard, SimRoom};

const CONFIGURATION: &str = r#"
[[source]]
name = "web"
kind = "tencent-ssl"
schedule = "every 1h"

[[channel]]
name = "room"
kind = "webhook"

[[route]]
channels = ["room"]
"#;

/// A serial and a rung.
type Said = (String, String);

/// When something is said for the first time, and how often again.
type Times = BTreeMap<Said, (Timestamp, usize)>;

fn config() -> Arc<Config> {
    let (config, mistakes) = load(CONFIGURATION, &Environment::of([]), full_scan_default);
    assert!(mistakes.errors.is_empty(), "{}", mistakes.render("the play", CONFIGURATION));
    Arc::new(config.unwrap())
}

fn add(times: &mut Times, said: Said, at: Timestamp) {
    let (first, again) = times.entry(said).or_insert((at, 0));
    (*first, *again) = ((*first).min(at), *again + 1);
}

fn planned(outlook: &Outlook) -> Times {
    let mut times = Times::new();
    for message in &outlook.messages {
        for line in &message.lines {
            let Some(rung) = line.rung else { continue };
            assert_eq!(line.count, line.first.len() as u64, "every one of them is named");
            for facts in &line.first {
                add(&mut times, (facts.serial.clone(), rung.as_label()), message.at);
            }
        }
    }
    times
}

fn heard<'a>(events: impl Iterator<Item = &'a Event>, after: Timestamp) -> Times {
    let mut times = Times::new();
    for event in events.filter(|event| event.at > after) {
        let Topic::Expiring { facts, rung, .. } = &event.topic else { continue };
        add(&mut times, (facts.serial.clone(), rung.as_label()), event.at);
    }
    times
}

/// Returns what will be said if nothing changes, as a command without a daemon would.
pub(crate) async fn outlook(machine: &Machine, config: Arc<Config>, days: i64) -> Outlook {
    let store: Arc<dyn Store> = Arc::new(machine.store.clone());
    let view = known(&*store, std::iter::empty()).await.unwrap();
    let (_views, view) = watch::channel(Arc::new(view));
    let (_configs, config) = watch::channel((0, config));
    let clock = Arc::clone(&machine.clock) as Arc<dyn Clock>;
    let (_quiet, snoozes) = watch::channel(Arc::default());
    let catalog = Catalog::new(view, config, store, clock, snoozes);
    catalog.outlook(&PlanQuery { ahead: days * DAY, channel: None }).await.unwrap()
}

#[test]
fn the_plan_of_a_month_is_what_the_month_says() {
    on_virtual_time(async {
        let machine = Machine::new(11);
        // Few, so that each is named, and nothing about them changes.
        let drawn = draw(&machine.fate, START, 30, 40).into_iter();
        let still = |one| Certificate { issued: START, renewed: None, ..one };
        let old = drawn.filter(|one| one.serial.starts_with("old-"));
        let truth: Vec<Certificate> = old.map(still).collect();
        let heard_of: Arc<Mutex<Heard>> = Arc::default();
        let plan = Plan {
            config: config(),
            sources: vec![Arc::new(SimCloud {
                name: "web",
                truth,
                clock: Arc::clone(&machine.clock),
                shown: Mutex::default(),
                fate: Arc::clone(&machine.fate),
                trace: Arc::clone(&machine.trace),
            })],
            channels: vec![Arc::new(SimRoom {
                fate: Arc::clone(&machine.fate),
                trace: Arc::clone(&machine.trace),
                clock: Arc::clone(&machine.clock),
                heard: Arc::clone(&heard_of),
            })],
            heartbeat: None,
            limiters: Limiters::default(),
            warnings: String::new(),
        };
        let mut core = machine.start(&plan, machine.parts()).await;
        machine.live(&mut core, DAY).await;
        let now = START.plus(DAY);
        let expected = planned(&outlook(&machine, config(), 30).await);
        machine.live(&mut core, 31 * DAY).await;
        core.stop().await;
        let heard_of = heard_of.lock().unwrap();
        let events = heard_of.delivered.iter().flat_map(|(_, message)| &message.events);
        let found = heard(events, now);
        let rungs = |times: &Times| times.keys().cloned().collect::<Vec<_>>();
        assert_eq!(rungs(&expected), rungs(&found));
        for (said, (at, often)) in &found {
            let (planned_at, planned_often) = expected[said];
            // Reminders that are due within an hour go together, a little earlier each day.
            assert!(planned_at.since(*at).abs() <= 3600, "{said:?}: {planned_at:?}, {at:?}");
            assert!(planned_often.abs_diff(*often) <= 1, "{said:?}: {planned_often}, {often}");
        }
        assert!(found.len() > 40, "{}", found.len());
    });
}

//! A room that is down hears a reminder a day after it was told, and not a day after the others were.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::app::{Core, Plan};
use notafter::facade::catalog::Outlook;
use notafter::facade::channel::{Channel, Pace, Page, Receipt, SendError};
use notafter::facade::client::limiter::Limiters;
use notafter::facade::clock::BentClock;
use notafter::facade::config::{Config, Environment, load};
use notafter::facade::expiry::Message;
use notafter::facade::source::full_scan_default;

use super::cloud::{Certificate, DAY, SimCloud};
use super::machine::{Machine, START, on_virtual_time};
use super::planned::outlook;

const HOUR: i64 = 3600;

const CONFIGURATION: &str = r#"
[[source]]
name = "web"
kind = "tencent-ssl"
schedule = "every 1h"

[[channel]]
name = "early"
kind = "webhook"

[[channel]]
name = "late"
kind = "webhook"

[[route]]
channels = ["early", "late"]
"#;

/// A room that is down until an hour.
struct Room {
    name: &'static str,
    clock: Arc<BentClock>,
    until: i64,
    error: fn() -> SendError,
    /// When it heard of the certificate, in hours.
    heard: Arc<Mutex<Vec<f64>>>,
}

#[async_trait]
impl Channel for Room {
    fn encode(&self, message: &Message) -> Vec<String> {
        let about = message.events.iter().any(|event| event.facts().is_some());
        vec![if about { "certificate" } else { "" }.to_owned()]
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let seconds = self.clock.right().since(START);
        if seconds < self.until * HOUR {
            return Err((self.error)());
        }
        if !page.body.is_empty() {
            self.heard.lock().unwrap().push(hours(seconds));
        }
        Ok(Receipt::default())
    }

    fn pace(&self) -> Pace {
        Pace { gap: Duration::from_secs(1), per_minute: 20 }
    }

    fn destination(&self) -> String {
        self.name.to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn hours(seconds: i64) -> f64 {
    seconds as f64 / HOUR as f64
}

fn config() -> Arc<Config> {
    let (config, mistakes) = load(CONFIGURATION, &Environment::of([]), full_scan_default);
    assert!(mistakes.errors.is_empty(), "{}", mistakes.render("the play", CONFIGURATION));
    Arc::new(config.unwrap())
}

/// What each room heard, and when.
type Heard = [Arc<Mutex<Vec<f64>>>; 2];

struct Play {
    machine: Machine,
    heard: Heard,
    error: fn() -> SendError,
}

impl Play {
    async fn start(&self, down_until: i64) -> Core {
        let machine = &self.machine;
        let one = Certificate {
            serial: "one".to_owned(),
            holder: "holder".to_owned(),
            not_before: START.plus(-200 * DAY),
            not_after: START.plus(HOUR),
            issued: START.plus(-200 * DAY),
            renewed: None,
        };
        let room = |name, until, heard: &Arc<Mutex<Vec<f64>>>| -> Arc<dyn Channel> {
            let (clock, heard) = (Arc::clone(&machine.clock), Arc::clone(heard));
            Arc::new(Room { name, clock, until, error: self.error, heard })
        };
        let plan = Plan {
            config: config(),
            sources: vec![Arc::new(SimCloud {
                name: "web",
                truth: vec![one],
                clock: Arc::clone(&machine.clock),
                shown: Mutex::default(),
                fate: Arc::clone(&machine.fate),
                trace: Arc::clone(&machine.trace),
            })],
            channels: vec![
                room("early", 0, &self.heard[0]),
                room("late", down_until, &self.heard[1]),
            ],
            heartbeat: None,
            limiters: Limiters::default(),
            warnings: String::new(),
        };
        machine.start(&plan, machine.parts()).await
    }

    fn heard(&self, room: usize) -> Vec<f64> {
        self.heard[room].lock().unwrap().clone()
    }
}

/// When a room will be reminded, in hours.
fn planned(outlook: &Outlook, room: &str) -> Vec<f64> {
    let messages = outlook.messages.iter().filter(|message| message.channel == room);
    messages.map(|message| hours(message.at.since(START))).collect()
}

/// Plays six days in which one room is down for `down` hours.
fn play(down: i64, error: fn() -> SendError) {
    on_virtual_time(async {
        let play = Play { machine: Machine::new(3), heard: Heard::default(), error };
        let mut core = play.start(down).await;
        play.machine.live(&mut core, 35 * HOUR).await;
        drop(core);
        let mut core = play.start(0).await;
        play.machine.live(&mut core, 2 * DAY).await;
        let outlook = outlook(&play.machine, config(), 4).await;
        play.machine.live(&mut core, 6 * DAY).await;
        core.stop().await;
        // It ends in the first hour, and then a day passes, and another.
        let early = play.heard(0);
        assert!(early.windows(2).skip(1).all(|two| two[1] - two[0] > 23.0), "{early:?}");
        let mut late = play.heard(1);
        // What may have arrived of the rung before is repeated first.
        late.dedup_by(|two, one| *one < 35.0 && *two - *one < 0.1);
        assert!(late.windows(2).all(|two| (23.0..25.0).contains(&(two[1] - two[0]))), "{late:?}");
        assert!((hours(down * HOUR)..35.0).contains(&late[0]) && late.len() >= 4, "{late:?}");
        for (room, heard) in [("early", &early), ("late", &late)] {
            let after: Vec<f64> = heard.iter().copied().filter(|hour| *hour > 48.0).collect();
            let planned = planned(&outlook, room);
            let near = |(one, other): (&f64, &f64)| (one - other).abs() < 0.2;
            assert!(after.iter().zip(&planned).all(near), "{room}: {after:?} {planned:?}");
            assert_eq!(after.len(), planned.len(), "{room}: {after:?} {planned:?}");
        }
    });
}

fn failed() -> SendError {
    SendError::Retry { after: None, code: "http 503".to_owned() }
}

fn hangs() -> SendError {
    SendError::Ambiguous { code: "timed out".to_owned() }
}

#[test]
fn a_room_that_was_down_is_reminded_a_day_after_it_was_told() {
    play(20, failed);
    // It hears the round of after a day at once, and the next one in its own time.
    play(27, failed);
}

#[test]
fn a_room_that_may_have_heard_is_not_reminded_at_once() {
    play(20, hangs);
    play(27, hangs);
}

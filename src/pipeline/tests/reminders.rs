//! What is said again, and what is not.

use super::*;
use crate::clock::BentClock;
use crate::store::Memory;

/// Two rooms, told of everything.
fn two() -> String {
    super::truth::channels(&["ops", "late"])
}

/// A daemon that knows these certificates, each by its serial and the days until it ends.
pub(super) struct Remembered {
    pub(super) store: Memory,
    clock: Arc<BentClock>,
    pub(super) pipeline: Pipeline,
    settings: Settings,
}

impl Remembered {
    pub(super) async fn of(alerts: &str, devices: Vec<Sighting>) -> Self {
        Self::routed(&(alerts.to_owned() + TEXT), devices).await
    }

    async fn routed(config: &str, devices: Vec<Sighting>) -> Self {
        let (store, settings) = (Memory::default(), settings_of(config, &["iot"]));
        let clock = Arc::new(BentClock::starting_at(NOW, NOW.plus(-100 * DAY)));
        let pipeline = start(&store, &clock, &settings).await;
        let mut daemon = Self { store, clock, pipeline, settings };
        daemon.list(devices).await;
        daemon
    }

    pub(super) async fn list(&mut self, devices: Vec<Sighting>) {
        let (all, total) = (slice("mqtt-1", Window::All), devices.len() as u64);
        let page = Page { sightings: devices.into_iter().collect(), ..Page::default() };
        let now = self.clock.now();
        let report = Report { started: now, ended: now, ..whole(&all, total) };
        for event in [
            ScanEvent::Begin { slice: Arc::clone(&all) },
            ScanEvent::Page { slice: Arc::clone(&all), page, offset: None },
            ScanEvent::End { report },
        ] {
            self.pipeline.apply(&"iot".into(), event).await.unwrap();
        }
    }

    /// Lets some hours pass, and answers with the rungs that are said: in which hour, of which certificate.
    pub(super) async fn pass(&mut self, hours: i64) -> Vec<(i64, String)> {
        let mut said = Vec::new();
        for _ in 0..hours {
            for event in self.turn().await {
                if let Some(facts) = event.facts() {
                    let hour = self.clock.now().since(NOW) / 3600;
                    said.push((hour, format!("{} {}", facts.serial, event.severity.as_str())));
                }
            }
            tokio::time::advance(Duration::from_hours(1)).await;
        }
        said
    }

    /// Lets some hours pass, in some of which `late` is up, and answers with when each channel heard what.
    async fn pass_each(&mut self, hours: i64, is_up: impl Fn(i64) -> bool) -> Heard {
        let mut heard = Heard::new();
        for _ in 0..hours {
            let ops = self.turn().await;
            let now = self.clock.now();
            let hour = now.since(NOW) / 3600;
            let late =
                if is_up(hour) { deliver_at(&self.store, "late", now).await } else { Vec::new() };
            for (channel, events) in [("ops", ops), ("late", late)] {
                let about = events.into_iter().filter(|event| event.facts().is_some());
                heard.extend(about.map(|event| (channel, hour, event.id)));
            }
            tokio::time::advance(Duration::from_hours(1)).await;
        }
        heard
    }

    pub(super) async fn turn(&mut self) -> Vec<Event> {
        self.pipeline.decide().await.unwrap();
        self.pipeline.save().await.unwrap();
        self.pipeline.settle().await.unwrap();
        deliver_at(&self.store, "ops", self.clock.now()).await
    }

    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    pub(super) async fn restart(&mut self) {
        self.pipeline = start(&self.store, &self.clock, &self.settings).await;
    }
}

/// The channel, the hour and the event.
type Heard = Vec<(&'static str, i64, String)>;

/// Returns in which hours a channel heard something; no event twice.
fn when(heard: &Heard, channel: &str) -> Vec<i64> {
    let own: Vec<_> = heard.iter().filter(|(one, ..)| *one == channel).collect();
    let ids: BTreeSet<&str> = own.iter().map(|(.., id)| id.as_str()).collect();
    assert_eq!(ids.len(), own.len(), "{own:?}");
    own.iter().map(|(_, hour, _)| *hour).collect()
}

async fn start(store: &Memory, clock: &Arc<BentClock>, settings: &Settings) -> Pipeline {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    restored_at(Arc::new(store.clone()), clock, settings.clone()).await.0
}

fn hours(said: &[(i64, String)], of: &str) -> Vec<i64> {
    said.iter().filter(|(_, what)| what.starts_with(of)).map(|(hour, _)| *hour).collect()
}

#[tokio::test(start_paused = true)]
async fn from_the_third_day_before_the_end_it_is_said_every_day_over_a_restart() {
    let devices = vec![device("a", 3), device("b", 5), device("c", 400)];
    let mut daemon = Remembered::of("", devices).await;
    let mut said = daemon.pass(30).await;
    daemon.restart().await;
    said.extend(daemon.pass(70).await);
    // a: 3d, again after a day, 1d after two, the end after three, and a day after that.
    assert_eq!(hours(&said, "a "), [0, 24, 48, 72, 96]);
    // b: 7d is no rung to remind of; 3d after two days.
    assert_eq!(hours(&said, "b "), [0, 48, 72, 96]);
    assert!(hours(&said, "c ").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_renewed_or_not_in_use_is_not_said_again_and_never_may_be_asked_for() {
    let idle = Sighting { status: Status::Inactive, ..device("idle", 2) };
    let mut daemon = Remembered::of("", vec![device("a", 2), idle.clone()]).await;
    assert_eq!(daemon.pass(2).await.len(), 2);
    for _ in 0..3 {
        daemon.list(vec![device("a", 400), idle.clone()]).await;
    }
    let said = daemon.pass(60).await;
    assert_eq!(hours(&said, "a critical"), Vec::<i64>::new());
    assert_eq!(said.iter().filter(|(_, what)| what == "idle info").count(), 2, "1d and the end");
    let never = "[alerts]\nremind_every = \"never\"\n";
    let mut daemon = Remembered::of(never, vec![device("a", 2)]).await;
    assert_eq!(hours(&daemon.pass(100).await, "a "), [0, 24, 48]);
}

#[tokio::test(start_paused = true)]
async fn what_had_ended_long_before_calls_nobody() {
    let devices = vec![device("old", -31), device("late", -29)];
    let mut daemon = Remembered::of("", devices).await;
    let said = daemon.pass(24 * 14).await;
    assert_eq!(hours(&said, "old "), [0], "and never again");
    assert!(
        said.contains(&(0, "old info".to_owned()))
            && said.contains(&(0, "late critical".to_owned()))
    );
    assert_eq!(hours(&said, "late "), [0, 24], "until 30 days after the end");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_scope_that_is_not_listed_until_it_is() {
    let mut daemon = Remembered::of("", vec![device("1", 4)]).await;
    assert_eq!(daemon.pass(1).await.len(), 1);
    let iot: Arc<str> = "iot".into();
    let absent = ScanEvent::ScopesAsked { absent: vec!["mqtt-1".into()] };
    daemon.pipeline.apply(&iot, absent).await.unwrap();
    assert_eq!(daemon.pass(48).await, [], "two rungs were crossed");
    let (unlisted, _answer) = oneshot::channel();
    let scopes = BTreeSet::from(["mqtt-1".into()]);
    daemon.pipeline.apply(&iot, ScanEvent::Listed { scopes, unlisted }).await.unwrap();
    daemon.list(vec![device("1", 4)]).await;
    assert_eq!(daemon.pass(1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_down_is_reminded_a_day_after_it_was_told() {
    // Ended, so that no other rung comes between.
    let mut daemon = Remembered::routed(&two(), vec![device("a", 0)]).await;
    let mut heard = daemon.pass_each(60, |hour| hour >= 20).await;
    daemon.restart().await;
    heard.extend(daemon.pass_each(60, |_| true).await);
    assert_eq!(when(&heard, "ops"), [0, 24, 48, 72, 96]);
    assert_eq!(when(&heard, "late"), [20, 44, 68, 92, 116]);
    // It was left out of four rounds, and heard each of them later.
    let ids = |channel: &str| -> Vec<&String> {
        heard.iter().filter(|(one, ..)| *one == channel).map(|(.., id)| id).collect()
    };
    assert_eq!(ids("ops"), ids("late"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_replaced_by_the_next_round_and_a_reload_forgets_nothing() {
    let mut daemon = Remembered::routed(&two(), vec![device("a", 0)]).await;
    let mut heard = daemon.pass_each(60, |hour| hour >= 30).await;
    let settings = Box::new(settings_of(&two(), &["iot"]));
    daemon.pipeline.handle(Command::Reconfigure(settings)).await.unwrap();
    heard.extend(daemon.pass_each(40, |_| true).await);
    assert_eq!(when(&heard, "ops"), [0, 24, 48, 72, 96]);
    assert_eq!(
        when(&heard, "late"),
        [30, 54, 78],
        "the round of hour 24 is the first that it hears"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tighter_rung_is_said_to_all_at_once_and_all_count_from_it() {
    let mut daemon = Remembered::routed(&two(), vec![device("a", 3)]).await;
    let heard = daemon.pass_each(100, |hour| hour >= 20).await;
    // 3d, a reminder, 1d after two days, the end after three, and a day after that.
    assert_eq!(when(&heard, "ops"), [0, 24, 48, 72, 96]);
    assert_eq!(when(&heard, "late"), [20, 44, 48, 72, 96]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_newly_routed_counts_from_what_it_hears_then() {
    let one = two().replace(r#"["ops", "late"]"#, r#"["ops"]"#);
    let mut daemon = Remembered::routed(&one, vec![device("a", 0)]).await;
    let mut heard = daemon.pass_each(10, |_| true).await;
    let settings = settings_of(&two(), &["iot"]);
    daemon.set(settings.clone());
    daemon.pipeline.handle(Command::Reconfigure(Box::new(settings))).await.unwrap();
    heard.extend(daemon.pass_each(60, |_| true).await);
    assert_eq!(when(&heard, "ops"), [0, 24, 48]);
    assert_eq!(when(&heard, "late"), [10, 34, 58]);
}

//! The pipeline under a clock that is wrong: nothing false is said, and what is true is said afterwards.

use super::*;
use crate::clock::BentClock;
use crate::expiry::{Invalid, InvalidReason, Look, PlaceState};
use crate::source::Places;
use crate::store::{Memory, Pending};

/// A daemon on a clock that can be set, and a store that outlives it.
struct Days {
    clock: Arc<BentClock>,
    store: Memory,
    pipeline: Pipeline,
    all: Arc<Slice>,
}

impl Days {
    /// Starts for the first time, with one certificate that ends in 20 days, and says its rung.
    async fn new() -> Self {
        let clock = Arc::new(BentClock::starting_at(NOW, NOW.plus(-100 * DAY)));
        let store = Memory::default();
        let pipeline = start(&store, &clock).await;
        let mut days = Self { clock, store, pipeline, all: slice("mqtt-1", Window::All) };
        days.read(None).await;
        assert_eq!(days.turn().await, ["30d"]);
        days
    }

    /// Lists the certificate, with what the answer shows of the provider's clock.
    async fn read(&mut self, offset: Option<ClockOffset>) {
        let sightings = [device("a", 20)].into_iter().collect();
        let page = Page { sightings, ..Page::default() };
        let slice = Arc::clone(&self.all);
        self.apply(ScanEvent::Begin { slice: Arc::clone(&slice) }).await;
        self.apply(ScanEvent::Page { slice, page, offset }).await;
        self.apply(ScanEvent::End { report: whole(&Arc::clone(&self.all), 1) }).await;
    }

    async fn apply(&mut self, event: ScanEvent) {
        self.pipeline.apply(&"iot".into(), event).await.unwrap();
    }

    /// What a provider whose clock is right shows of ours.
    fn shown(&self, account: u64) -> ClockOffset {
        let (seen, uptime) = (self.clock.now(), self.clock.uptime());
        ClockOffset { seconds: self.clock.right().since(seen), seen, uptime, account }
    }

    /// Lets some seconds pass, with a turn every minute.
    async fn pass(&mut self, seconds: u64) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..seconds / 60 {
            tokio::time::advance(Duration::from_mins(1)).await;
            said.extend(self.turn().await);
        }
        tokio::time::advance(Duration::from_secs(seconds % 60)).await;
        said.extend(self.turn().await);
        said
    }

    /// Decides and saves, and returns what was said by that: rungs, and the kinds of other events.
    async fn turn(&mut self) -> Vec<String> {
        self.pipeline.decide().await.unwrap();
        self.pipeline.save().await.unwrap();
        self.pipeline.settle().await.unwrap();
        let said = self.said().await;
        deliver(&self.store, "ops").await;
        said
    }

    async fn said(&self) -> Vec<String> {
        let word = |pending: Pending| match &pending.event.topic {
            Topic::Expiring { rung, .. } => rung.as_label(),
            _ => pending.event.kind().to_owned(),
        };
        let said = self.store.pending("ops", 1000).await.unwrap().into_iter().map(word);
        // Nobody scans between the reads of a test.
        said.filter(|word| word != "source.stale").collect()
    }

    /// Ends as a process that is killed, and starts again.
    async fn restart(&mut self) {
        self.pipeline = start(&self.store, &self.clock).await;
    }
}

async fn start(store: &Memory, clock: &Arc<BentClock>) -> Pipeline {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    restored_at(Arc::new(store.clone()), clock, settings(&["iot"])).await.0
}

#[tokio::test(start_paused = true)]
async fn a_start_400_days_ahead_says_nothing_false_and_the_true_rungs_after_it() {
    let mut days = Days::new().await;
    days.clock.bend(400 * DAY);
    days.restart().await;
    assert_eq!(days.pass(6).await, ["clock.suspect"]);
    days.clock.bend(0);
    assert_eq!(days.pass(60).await, Vec::<String>::new());
    let shown = days.shown(1);
    days.read(Some(shown)).await;
    assert_eq!(days.turn().await, ["clock.recovered"]);
    assert_eq!(days.pass(7 * 86_400).await, ["14d"]);
}

#[tokio::test(start_paused = true)]
async fn by_a_clock_that_is_wrong_no_endpoint_serves_what_has_expired() {
    let mut days = Days::new().await;
    let served = async |days: &mut Days, verdict: Option<InvalidReason>| {
        let verdict = verdict.map(|reason| Invalid { reason, detail: "by our clock".to_owned() });
        let looked =
            vec![Look { verdict, ..super::places::look("a.test:443/a", PlaceState::Read) }];
        let slice = super::places::files();
        let page = Page { places: Some(Places { looked, ..Places::default() }), ..Page::default() };
        days.pipeline.settings.watched[0].serves = true;
        days.apply(ScanEvent::Begin { slice: Arc::clone(&slice) }).await;
        days.apply(ScanEvent::Page { slice: Arc::clone(&slice), page, offset: None }).await;
        days.apply(ScanEvent::End { report: whole(&slice, 1) }).await;
    };
    days.clock.bend(400 * DAY);
    days.restart().await;
    served(&mut days, Some(InvalidReason::Expired)).await;
    assert_eq!(days.turn().await, ["clock.suspect"]);
    days.clock.bend(0);
    let shown = days.shown(1);
    days.read(Some(shown)).await;
    assert_eq!(days.turn().await, ["clock.recovered"]);
    served(&mut days, Some(InvalidReason::NameMismatch)).await;
    assert_eq!(days.turn().await, ["endpoint.invalid"]);
    // Nor is one over by it.
    days.clock.bend(400 * DAY);
    days.turn().await;
    for _ in 0..3 {
        served(&mut days, None).await;
    }
    assert_eq!(days.pipeline.checks.of_places("iot").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_in_1970_and_one_a_day_early_say_nothing_false() {
    for bend in [-NOW.seconds(), -DAY] {
        let mut days = Days::new().await;
        days.clock.bend(bend);
        days.restart().await;
        days.read(None).await;
        assert_eq!(days.pass(300).await, ["clock.suspect"]);
        days.clock.bend(0);
        assert_eq!(days.pass(900).await, ["clock.recovered"]);
        assert_eq!(days.pass(7 * 86_400).await, ["14d"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_before_the_build_stays_suspect_and_that_is_said_daily() {
    let mut days = Days::new().await;
    days.clock.bend(-NOW.seconds());
    days.restart().await;
    assert_eq!(days.pass(86_400 + 7200).await, ["clock.suspect"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_at_the_first_start_is_known_with_the_first_page() {
    let clock = Arc::new(BentClock::starting_at(NOW, NOW.plus(-100 * DAY)));
    clock.bend(400 * DAY);
    let store = Memory::default();
    let pipeline = start(&store, &clock).await;
    let mut days = Days { clock, store, pipeline, all: slice("mqtt-1", Window::All) };
    assert_eq!(days.turn().await, Vec::<String>::new());
    let shown = days.shown(1);
    days.read(Some(shown)).await;
    assert_eq!(days.turn().await, ["clock.suspect"]);
    days.restart().await;
    assert_eq!(days.pass(300).await, Vec::<String>::new(), "it is suspect over a restart");
    days.clock.bend(0);
    let shown = days.shown(1);
    days.read(Some(shown)).await;
    assert_eq!(days.turn().await, ["clock.recovered", "30d"]);
}

#[tokio::test(start_paused = true)]
async fn most_providers_hold_evaluation_and_one_alone_does_not() {
    let mut days = Days::new().await;
    let shown = |days: &Days, account, wrong: i64| {
        let shown = days.shown(account);
        Some(ClockOffset { seconds: shown.seconds + wrong, ..shown })
    };
    // Two sources, as far as the pipeline is concerned: one is configured, and one more from here on.
    days.pipeline
        .handle(Command::Reconfigure(Box::new(settings(&["iot", "web", "plant"]))))
        .await
        .unwrap();
    let polled_by = async |days: &mut Days, source: &str, offset| {
        days.pipeline.apply(&source.into(), polled(offset)).await.unwrap();
    };
    let (right, wrong) = (shown(&days, 1, 0), shown(&days, 2, -400 * DAY));
    polled_by(&mut days, "iot", right).await;
    polled_by(&mut days, "web", wrong).await;
    assert_eq!(days.turn().await, ["clock.suspect"], "a tie is most");
    let third = shown(&days, 3, 0);
    polled_by(&mut days, "plant", third).await;
    assert_eq!(days.turn().await, ["clock.recovered", "clock.offset"]);
    // Of the account of the wrong one it counts no more.
    tokio::time::advance(Duration::from_secs(1)).await;
    let same = shown(&days, 2, 0);
    polled_by(&mut days, "plant", wrong.or(same)).await;
    assert_eq!(days.turn().await, ["clock.suspect"]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_says_at_once_what_was_crossed_meanwhile() {
    let mut days = Days::new().await;
    days.clock.sleep(7 * DAY);
    assert_eq!(days.turn().await, ["14d"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_process_writes_its_last_good_time() {
    let days = Days::new().await;
    let Days { clock, store, pipeline, .. } = days;
    let (_events, events) = mpsc::channel(1);
    let (_commands, commands) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let end = async {
        tokio::time::sleep(Duration::from_hours(50 * 24)).await;
        stop.cancel();
    };
    let run = pipeline.run(Inbox { events, commands }, stop.clone());
    tokio::join!(run, end).0.unwrap();
    let mut next = start(&store, &clock).await;
    next.decide().await.unwrap();
    assert!(next.checks.clock_is_trusted(), "50 days without a commit, and then an orderly end");
    drop(next);
    clock.bend(46 * DAY);
    let mut next = start(&store, &clock).await;
    next.decide().await.unwrap();
    assert!(!next.checks.clock_is_trusted());
}

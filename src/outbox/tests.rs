use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channel::{Channel, Pace, Receipt, SendError};
use crate::clock::BentClock;
use crate::expiry::{
    Detail, Event, Facts, Kind, Message, Notified, RowId, Rung, Severity, Status, Topic, batch_id,
};
use crate::store::{
    Batch, BatchUpdate, Call, ChannelState, Commit, Memory, Observed, Observer, Post, StoreError,
};

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

const ROW: RowId = RowId(7);

/// A store in memory that fails when told to, and remembers how deliveries ended.
type Shelf = Observed<Keeper>;

#[derive(Default)]
struct Keeper {
    /// What is kept, to look up what a batch was about.
    memory: Memory,
    ended: Mutex<Vec<(String, &'static str)>>,
    failures: Mutex<u32>,
}

impl Keeper {
    fn try_again(&self) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures == 0 {
            return Ok(());
        }
        *failures -= 1;
        Err(StoreError::Full("no space".into()))
    }

    /// Remembers how the deliveries of a batch end, if they do.
    async fn remember(
        &self,
        channel: &str,
        batch: &str,
        update: &BatchUpdate,
    ) -> Result<(), StoreError> {
        let word = match update {
            BatchUpdate::Delivered { .. } => Some("delivered"),
            BatchUpdate::Dead { .. } => Some("dead"),
            BatchUpdate::Retry(_) | BatchUpdate::Released => None,
        };
        let waiting = self.memory.pending(channel, usize::MAX).await?;
        let members =
            waiting.into_iter().filter(|one| one.batch.as_ref().is_some_and(|it| it.id == batch));
        let ended = members.filter_map(|one| Some((one.event.id, word?)));
        self.ended.lock().unwrap().extend(ended);
        Ok(())
    }
}

#[async_trait]
impl Observer for Keeper {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        match call {
            Call::Pending | Call::Freeze(..) | Call::ChannelState => self.try_again(),
            Call::Settle(channel, batch, update, _) => {
                self.try_again()?;
                self.remember(channel, batch, update).await
            }
            Call::Commit(_) | Call::SayAgain(..) => Ok(()),
        }
    }
}

impl Shelf {
    fn empty() -> Self {
        let memory = Memory::default();
        Self { observer: Keeper { memory: memory.clone(), ..Keeper::default() }, memory }
    }

    fn fail(&self, times: u32) {
        *self.observer.failures.lock().unwrap() = times;
    }

    fn ended(&self) -> Vec<(String, &'static str)> {
        self.observer.ended.lock().unwrap().clone()
    }

    async fn batch(&self, channel: &str) -> Option<Batch> {
        self.memory.pending(channel, 1).await.unwrap().remove(0).batch
    }
}

/// What a scripted channel does with one message.
enum Act {
    Answer(Result<Receipt, SendError>),
    Panic,
    Hang,
}

/// A channel that takes a second for each message, follows its script and then delivers everything.
struct Script {
    clock: Arc<BentClock>,
    acts: Mutex<VecDeque<Act>>,
    sent: Mutex<Vec<(i64, Message)>>,
    pages: Mutex<Vec<usize>>,
    /// Events on one page.
    page_size: usize,
    destination: String,
}

#[async_trait]
impl Channel for Script {
    fn pages(&self, message: &Message) -> usize {
        message.events.len().div_ceil(self.page_size)
    }

    async fn send_page(&self, message: &Message, page: usize) -> Result<Receipt, SendError> {
        self.pages.lock().unwrap().push(page);
        self.sent.lock().unwrap().push((self.clock.now().since(NOW), message.clone()));
        let act = self.acts.lock().unwrap().pop_front();
        tokio::time::sleep(Duration::from_secs(1)).await;
        match act {
            None => Ok(Receipt::default()),
            Some(Act::Answer(answer)) => answer,
            Some(Act::Panic) => panic!("scripted"),
            Some(Act::Hang) => std::future::pending().await,
        }
    }

    fn pace(&self) -> Pace {
        Pace { gap: Duration::from_secs(2), per_minute: 10 }
    }

    fn destination(&self) -> String {
        self.destination.clone()
    }
}

impl Script {
    /// Returns when each message was sent, its id and how many events it told.
    fn sent(&self) -> Vec<(i64, String, usize)> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|(at, message)| (*at, message.id.clone(), message.events.len())).collect()
    }

    fn messages(&self) -> Vec<Message> {
        self.sent.lock().unwrap().iter().map(|(_, message)| message.clone()).collect()
    }
}

/// No jitter.
struct Half;

impl Random for Half {
    fn number(&self) -> u64 {
        unreachable!("asked for fractions only")
    }

    fn fraction(&self) -> f64 {
        0.5
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Watcher for Notes {
    fn notification(&self, channel: &str, outcome: &str) {
        assert!(OUTCOMES.contains(&outcome), "{outcome}");
        self.0.lock().unwrap().push(format!("{channel} {outcome}"));
    }

    fn pending(&self, channel: &str, count: u64, oldest: Option<Timestamp>) {
        let since = oldest.map(|oldest| oldest.since(NOW));
        let mut notes = self.0.lock().unwrap();
        notes.retain(|note| !note.starts_with(&format!("{channel} pending")));
        notes.push(format!("{channel} pending {count} since {since:?}"));
    }

    fn delivered(&self, channel: &str, at: Timestamp) {
        self.0.lock().unwrap().push(format!("{channel} delivered at {}", at.since(NOW)));
    }

    fn up(&self, channel: &str, up: bool) {
        self.0.lock().unwrap().push(format!("{channel} up {up}"));
    }
}

struct Bench {
    store: Arc<Shelf>,
    clock: Arc<BentClock>,
    notes: Arc<Notes>,
    shared: Shared,
    commits: watch::Sender<u64>,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Bench {
    fn new() -> Self {
        let (store, notes) = (Arc::new(Shelf::empty()), Arc::new(Notes::default()));
        let clock = Arc::new(BentClock::starting_at(NOW, NOW));
        let (commits, commits_seen) = watch::channel(0);
        let (reports_sender, reports) = mpsc::channel(8);
        let shared = Shared {
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            watcher: Arc::clone(&notes) as Arc<dyn Watcher>,
            random: Arc::new(Half),
            pacers: Pacers::default(),
            reports: reports_sender,
            commits: commits_seen,
        };
        let (stop, tasks) = (CancellationToken::new(), JoinSet::new());
        Self { store, clock, notes, shared, commits, reports, stop, tasks }
    }

    /// Starts a worker for the channel `name` and returns its scripted service.
    fn start(&mut self, name: &str, acts: impl IntoIterator<Item = Act>) -> Arc<Script> {
        self.start_with(name, name, acts)
    }

    fn start_with(
        &mut self,
        name: &str,
        destination: &str,
        acts: impl IntoIterator<Item = Act>,
    ) -> Arc<Script> {
        let channel = Arc::new(Script {
            clock: Arc::clone(&self.clock),
            acts: Mutex::new(acts.into_iter().collect()),
            sent: Mutex::default(),
            pages: Mutex::default(),
            page_size: if name == "paged" { 100 } else { usize::MAX },
            destination: destination.to_owned(),
        });
        let settings = Settings {
            name: name.to_owned(),
            language: Language::En,
            group_wait: Duration::from_secs(30),
            external_url: None,
        };
        let worker =
            Worker::new(settings, Arc::clone(&channel) as Arc<dyn Channel>, self.shared.clone());
        self.tasks.spawn(worker.run(self.stop.clone()));
        channel
    }

    async fn commit(&self, ids: &[&str], channels: &[&str]) {
        let outbox = ids
            .iter()
            .map(|id| (self.event(id), channels.iter().map(ToString::to_string).collect()).into());
        self.step(Commit { outbox: outbox.collect(), ..Commit::default() }).await;
    }

    async fn step(&self, commit: Commit) {
        self.store.commit(Arc::new(commit)).await.unwrap();
        self.commits.send_modify(|count| *count += 1);
    }

    /// A rung is said about a certificate.
    async fn rung(&self, id: &str, channels: &[&str]) {
        let channels = channels.iter().map(ToString::to_string).collect();
        let post = Post::Rung { row: ROW, event: self.event(id), channels };
        let notified = Notified { rung: Rung::Before(86_400), at: self.clock.now(), mild: false };
        let ledger = vec![(ROW, Some(notified))];
        self.step(Commit { outbox: vec![post], ledger, ..Commit::default() }).await;
    }

    /// The certificate is renewed, which is said to those who were told.
    async fn renewed(&self, id: &str) {
        let (at, event) = (self.clock.now(), Some(self.event(id)));
        let channels = vec!["ops".to_owned()];
        let outbox = vec![Post::Closed { row: ROW, at, event, channels }];
        self.step(Commit { outbox, ..Commit::default() }).await;
    }

    /// An event; one for the digest only, or critical, when its id says so.
    fn event(&self, id: &str) -> Event {
        let at = self.clock.now();
        if !id.starts_with("info") {
            let critical = id.starts_with("critical");
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            let topic = Topic::Test;
            return Event { id: id.into(), at, severity, topic };
        }
        let facts = Facts {
            source: "iot".into(),
            scope: "all".into(),
            serial: id.into(),
            not_after: Some(at.plus(86_400)),
            ..Facts::bare(Kind::Device, Status::Inactive)
        };
        let topic =
            Topic::Expiring { facts, rung: Rung::Before(86_400), leaves: None, newer: None };
        Event { id: id.into(), at, severity: Severity::Info, topic }
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Stops every worker as a killed process would, and gets ready for the next.
    async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    fn outcomes(&self, channel: &str) -> Vec<String> {
        let notes = self.notes.0.lock().unwrap();
        let words = notes.iter().filter_map(|note| note.strip_prefix(channel)?.strip_prefix(' '));
        words.filter(|word| OUTCOMES.contains(word)).map(str::to_owned).collect()
    }
}

fn fails(error: SendError) -> Act {
    Act::Answer(Err(error))
}

fn retry() -> Act {
    fails(SendError::Retry { after: None, code: "http 500".into() })
}

fn throttled(seconds: u64) -> Act {
    fails(SendError::Throttled { after: Duration::from_secs(seconds), code: "45009".into() })
}

fn down() -> Act {
    fails(SendError::ChannelDown { code: "19001".into(), hint: "set another url".into() })
}

fn rejected() -> Act {
    fails(SendError::RejectMessage { code: "40058".into() })
}

fn ambiguous() -> Act {
    fails(SendError::Ambiguous { code: "no answer in time".into() })
}

/// Returns what a message with these events is called.
fn batch(ids: &[&str]) -> String {
    let event = |id: &&str| Event {
        id: (*id).to_owned(),
        at: NOW,
        severity: Severity::Info,
        topic: Topic::Test,
    };
    batch_id(&ids.iter().map(event).collect::<Vec<_>>())
}

fn sent(rows: &[(i64, &str, usize)]) -> Vec<(i64, String, usize)> {
    rows.iter().map(|(at, id, events)| (*at, (*id).to_owned(), *events)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_event_waits_for_others_and_no_longer() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.pass(10).await;
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(20).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(15).await;
    bench.commit(&["c"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(40, &batch(&["a", "b"]), 2), (75, "c", 1)]));
    let delivered = |id: &str| (id.to_owned(), "delivered");
    assert_eq!(bench.store.ended(), [delivered("a"), delivered("b"), delivered("c")]);
    assert_eq!(bench.outcomes("ops"), ["delivered", "delivered"]);
    let state = bench.store.channel_state("ops").await.unwrap();
    assert_eq!(state, ChannelState { last_success: Some(NOW.plus(76)), ..ChannelState::default() });
}

#[tokio::test(start_paused = true)]
async fn many_events_go_out_as_one_digest() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    let ids: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.commit(&ids, &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(30, &batch(&ids), 40)]));
    assert_eq!(ops.messages()[0].summary, ["test: 40"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_for_the_digest_only_goes_with_the_next_message() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    bench.pass(7200).await;
    bench.commit(&["info-2"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), []);
    let waits = "ops pending 2 since None".to_owned();
    assert!(bench.notes.0.lock().unwrap().contains(&waits), "it waits on purpose");
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(7330, &batch(&["info-1", "info-2", "a"]), 3)]));
}

#[tokio::test(start_paused = true)]
async fn what_is_for_the_digest_only_goes_by_itself_after_a_day() {
    const DAY: u64 = 86_400;
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    bench.commit(&["info-1"], &["ops"]).await;
    bench.pass(DAY / 2).await;
    // A restart does not begin to count anew.
    bench.kill().await;
    let again = bench.start("ops", []);
    bench.commit(&["info-2"], &["ops"]).await;
    bench.pass(DAY).await;
    assert_eq!(
        (ops.sent(), again.sent()),
        (vec![], sent(&[(86_400, &batch(&["info-1", "info-2"]), 2)]))
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_for_the_digest_hides_nothing_behind_it() {
    let mut bench = Bench::new();
    let ids: Vec<String> = (0..5001).map(|number| format!("info-{number}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.push("a");
    bench.commit(&ids, &["ops"]).await;
    let ops = bench.start("ops", []);
    bench.pass(200).await;
    let told: Vec<usize> = ops.sent().into_iter().map(|(_, _, events)| events).collect();
    assert_eq!(told, [5000, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_was_clearly_refused_is_composed_again_with_what_waits_then() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry(), retry()]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(34).await;
    bench.commit(&["late"], &["ops"]).await;
    bench.pass(200).await;
    // Half of 5 s and of 30 s is the jitter of this test.
    let (two, three) = (batch(&["a", "b"]), batch(&["a", "b", "late"]));
    assert_eq!(ops.sent(), sent(&[(30, &two, 2), (33, &two, 2), (49, &three, 3)]));
    assert_eq!(bench.outcomes("ops"), ["retry", "retry", "delivered"]);
    assert_eq!(ops.messages()[2].at, NOW.plus(49), "counted from when it was composed");
}

#[tokio::test(start_paused = true)]
async fn what_is_true_no_more_is_not_sent_and_its_closing_goes_to_those_who_were_told() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry(), retry(), retry(), retry(), retry(), retry()]);
    bench.rung("30d", &["ops"]).await;
    bench.pass(60).await;
    bench.rung("14d", &["ops"]).await;
    bench.pass(60).await;
    bench.renewed("renewed").await;
    bench.pass(7200).await;
    let ids: Vec<_> = ops.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["30d", "30d", "30d", "14d"], "settled, and nobody hears of a renewal");
    assert_eq!(bench.outcomes("ops"), ["retry"; 4]);
    // Once it was delivered, its closing is said.
    let up = bench.start("up", []);
    bench.rung("7d", &["up"]).await;
    bench.pass(60).await;
    let (at, event) = (bench.clock.now(), Some(bench.event("renewed again")));
    let channels = vec!["ops".to_owned(), "up".to_owned()];
    let outbox = vec![Post::Closed { row: ROW, at, event, channels }];
    bench.step(Commit { outbox, ..Commit::default() }).await;
    bench.pass(60).await;
    let ids: Vec<_> = up.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["7d", "renewed again"]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_as_it_was() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [ambiguous(), retry()]);
    bench.rung("30d", &["ops"]).await;
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(40).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.rung("14d", &["ops"]).await;
    bench.pass(300).await;
    let first = batch(&["30d", "a"]);
    let later = batch(&["b", "14d"]);
    // Refused in between: the first may have arrived all the same.
    let expected = [(30, first.as_str(), 2), (91, &first, 2), (107, &first, 2), (109, &later, 2)];
    assert_eq!(ops.sent(), sent(&expected));
    let messages = ops.messages();
    assert_eq!(messages[1], messages[0], "the same bytes");
    assert_eq!(messages[2], messages[0]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_no_attempt() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [throttled(60), throttled(60)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(35).await;
    let state = bench.store.channel_state("ops").await.unwrap();
    assert_eq!((state.failures, state.gate_until), (0, Some(NOW.plus(31 + 63))));
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(500).await;
    let both = batch(&["a", "b"]);
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (94, &both, 2), (221, &both, 2)]));
    assert_eq!(bench.outcomes("ops"), ["throttled", "throttled", "delivered"]);
    let notes = bench.notes.0.lock().unwrap().clone();
    assert!(!notes.contains(&"ops up false".to_owned()), "a pause is no failure: {notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_does_not_deliver_is_reported_once_whatever_the_cause() {
    for (act, times, code) in [
        (retry as fn() -> Act, 6, "http 500"),
        (down, 4, "19001"),
        (ambiguous, 4, "no answer in time"),
    ] {
        let mut bench = Bench::new();
        let ops = bench.start("ops", (0..times).map(|_| act()).collect::<Vec<_>>());
        bench.commit(&["a"], &["ops"]).await;
        bench.pass(40).await;
        assert!(bench.notes.0.lock().unwrap().contains(&"ops up false".to_owned()), "at the first");
        assert!(bench.reports.try_recv().is_err(), "{code}: one failure says little");
        bench.pass(3 * 3600).await;
        let Ok(Report::Down { channel, code: said, since, .. }) = bench.reports.try_recv() else {
            panic!("{code}: it is down")
        };
        assert_eq!((channel.as_str(), said.as_str(), since), ("ops", code, NOW.plus(31)));
        assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }), "{code}");
        assert!(bench.reports.try_recv().is_err());
        assert_eq!(ops.sent().len(), times + 1, "{code}");
        let notes = bench.notes.0.lock().unwrap().clone();
        assert_eq!(notes.iter().rfind(|note| note.starts_with("ops up")).unwrap(), "ops up true");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_throttled_for_a_quarter_of_an_hour_is_down() {
    let mut bench = Bench::new();
    bench.start("ops", [throttled(6 * 3600)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(31 + 899).await;
    assert!(bench.reports.try_recv().is_err());
    bench.pass(2).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { code, .. }) if code == "45009"));
    bench.pass(7 * 3600).await;
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_new_critical_event_pulls_the_attempt_forward_but_not_twice_in_two_minutes() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", (0..8).map(|_| retry()).collect::<Vec<_>>());
    bench.commit(&["a"], &["ops"]).await;
    // Fails at 30, 33, 49, 110, 411, 1312, 3113: the next would be an hour after that.
    bench.pass(4000).await;
    let before = ops.sent().len();
    assert_eq!(ops.sent()[before - 1].0, 3113);
    bench.commit(&["warning"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), before, "only a critical one does");
    bench.commit(&["critical"], &["ops"]).await;
    bench.pass(20).await;
    assert_eq!(ops.sent()[before].0, 4100);
    bench.commit(&["critical-2"], &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), before + 1);
    bench.pass(20).await;
    assert_eq!(
        ops.sent()[before + 1],
        (4220, batch(&["a", "warning", "critical", "critical-2"]), 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_goes_on_at_the_page_that_was_not_delivered() {
    let mut bench = Bench::new();
    let ids: Vec<_> = (0..450).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.commit(&ids, &["paged"]).await;
    let delivered = || Act::Answer(Ok(Receipt::default()));
    let first = bench.start("paged", [delivered(), delivered(), Act::Hang]);
    bench.pass(45).await;
    assert_eq!(bench.store.batch("paged").await.unwrap().pages, 2);
    // Also over a restart, and after a refusal.
    bench.kill().await;
    bench.commit(&["late"], &["paged"]).await;
    let again = bench.start("paged", [delivered(), retry()]);
    bench.pass(60).await;
    assert_eq!(*first.pages.lock().unwrap(), [0, 1, 2]);
    assert_eq!(*again.pages.lock().unwrap(), [2, 3, 3, 4, 0]);
    let ids: Vec<_> = again.sent().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids[..4], vec![batch(&ids_of(450)); 4]);
    assert_eq!(ids[4], "late");
}

fn ids_of(count: usize) -> Vec<&'static str> {
    (0..count).map(|number| &*number.to_string().leak()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_reported_once_and_said_again_after_a_day() {
    let mut bench = Bench::new();
    let poison = || (0..4).map(|_| rejected()).collect::<Vec<_>>();
    let ops = bench.start("ops", [poison(), poison()].into_iter().flatten());
    bench.rung("30d", &["ops"]).await;
    bench.pass(100).await;
    bench.commit(&["other"], &["ops"]).await;
    bench.pass(100).await;
    let Ok(Report::Dead { channel, code, .. }) = bench.reports.try_recv() else { panic!("said") };
    assert_eq!((channel.as_str(), code.as_str()), ("ops", "40058"));
    while let Ok(report) = bench.reports.try_recv() {
        assert!(!matches!(report, Report::Dead { .. }), "once until something is delivered");
    }
    let before = ops.sent().len();
    bench.pass(86_000).await;
    assert_eq!(ops.sent().len(), before);
    bench.pass(1_000).await;
    assert_eq!(ops.sent().len(), before + 1);
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [["ops"]]);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_said_again_after_the_first_delivery() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", (0..4).map(|_| rejected()).collect::<Vec<_>>());
    bench.rung("30d", &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [Vec::<String>::new()]);
    bench.commit(&["other"], &["ops"]).await;
    bench.pass(200).await;
    let told: Vec<_> = ops.messages().iter().map(|message| message.events[0].id.clone()).collect();
    assert_eq!(told[4], "other");
    assert_eq!((told.len(), told[5].len()), (6, 32), "as an event of its own");
    assert_eq!(bench.store.told(&[ROW]).await.unwrap(), [["ops"]]);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_behind_a_closed_gate_is_counted() {
    let mut bench = Bench::new();
    bench.start("ops", [down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(1).await;
    assert!(bench.notes.0.lock().unwrap().contains(&"ops pending 2 since Some(0)".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_cut_down_and_then_given_up() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [rejected(), rejected(), rejected(), rejected()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(40).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(100).await;
    let details: Vec<_> = ops.messages().iter().map(|message| message.detail).collect();
    assert_eq!(
        details,
        [Detail::Full, Detail::Shorter, Detail::Plain, Detail::OneLine, Detail::Full]
    );
    assert_eq!(bench.store.ended(), [("a".to_owned(), "dead"), ("b".to_owned(), "delivered")]);
    assert_eq!(
        bench.outcomes("ops"),
        ["rejected", "rejected", "rejected", "rejected", "dead", "delivered"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_an_attempt_and_no_more() {
    let mut bench = Bench::new();
    let (ops, other) = (bench.start("ops", [Act::Panic]), bench.start("other", []));
    bench.commit(&["a"], &["ops", "other"]).await;
    bench.pass(200).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (91, "a", 1)]));
    assert_eq!(other.sent(), sent(&[(30, "a", 1)]));
    assert_eq!(bench.outcomes("ops"), ["retry", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_panics_is_given_up() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Panic, Act::Panic, Act::Panic, Act::Panic]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(1200).await;
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(60).await;
    assert_eq!(ops.sent().len(), 5);
    assert_eq!(bench.store.ended(), [("a".to_owned(), "dead"), ("b".to_owned(), "delivered")]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_holds_up_nobody_else() {
    let mut bench = Bench::new();
    let (ops, other) = (bench.start("ops", [Act::Hang]), bench.start("other", []));
    for id in ["a", "b", "c"] {
        bench.commit(&[id], &["ops", "other"]).await;
        bench.pass(100).await;
    }
    assert_eq!((ops.sent().len(), other.sent().len()), (1, 3));
    bench.pass(700).await;
    assert_eq!(bench.outcomes("ops"), ["ambiguous", "delivered", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_is_continued_with_the_same_message() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Hang]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(40).await;
    let both = batch(&["a", "b"]);
    assert_eq!(ops.sent(), sent(&[(30, &both, 2)]));
    bench.kill().await;
    bench.commit(&["c"], &["ops"]).await;
    let again = bench.start("ops", []);
    bench.pass(100).await;
    assert_eq!(again.sent(), sent(&[(40, &both, 2), (70, "c", 1)]));
    assert_eq!(again.messages()[0], ops.messages()[0]);
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_nothing_and_tells_again_what_may_not_have_been_heard() {
    let mut bench = Bench::new();
    bench.start("ops", [down(), down(), down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(300).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { .. })));
    bench.kill().await;
    let ops = bench.start("ops", [down()]);
    bench.pass(90).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { code, .. }) if code == "19001"));
    assert_eq!(ops.sent(), sent(&[(300, "a", 1), (361, "a", 1)]));
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_failed_send_in_the_future_does_not_wait_for_it() {
    let mut bench = Bench::new();
    bench.clock.bend(300 * 86_400);
    let ops = bench.start("ops", [retry(), retry(), retry()]);
    bench.commit(&["e"], &["ops"]).await;
    bench.pass(32).await;
    assert_eq!(ops.sent().len(), 1);
    bench.clock.bend(0);
    bench.pass(600).await;
    assert_eq!(bench.outcomes("ops").last().map(String::as_str), Some(DELIVERED));
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_stored_in_the_future_is_not_waited_for() {
    for failure in [retry, down] {
        let mut bench = Bench::new();
        bench.clock.bend(300 * 86_400);
        bench.start("ops", [failure()]);
        bench.commit(&["e"], &["ops"]).await;
        bench.pass(32).await;
        bench.kill().await;
        bench.clock.bend(0);
        let ops = bench.start("ops", []);
        bench.pass(60).await;
        assert_eq!(ops.sent().len(), 1);
        assert_eq!(bench.outcomes("ops").last().map(String::as_str), Some(DELIVERED));
    }
}

#[tokio::test(start_paused = true)]
async fn no_wait_survives_a_corrected_address() {
    let mut bench = Bench::new();
    bench.start_with("ops", "wrong", [throttled(6 * 3600)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    bench.kill().await;
    let ops = bench.start_with("ops", "right", []);
    bench.pass(10).await;
    assert_eq!(ops.sent(), sent(&[(60, "a", 1)]));
}

#[tokio::test(start_paused = true)]
async fn channels_with_one_destination_share_pace_and_pause() {
    let mut bench = Bench::new();
    let one = bench.start_with("one", "robot", [throttled(60)]);
    let two = bench.start_with("two", "robot", []);
    bench.commit(&["a"], &["one", "two"]).await;
    bench.pass(200).await;
    let mut times: Vec<_> = one.sent().into_iter().chain(two.sent()).map(|(at, _, _)| at).collect();
    times.sort_unstable();
    assert_eq!(times, [30, 94, 96]);
}

#[tokio::test(start_paused = true)]
async fn a_message_in_flight_is_finished_on_stop() {
    let mut bench = Bench::new();
    bench.start("ops", []);
    bench.start("stuck", [Act::Hang]);
    bench.start("idle", []);
    bench.commit(&["a"], &["ops", "stuck"]).await;
    tokio::time::sleep(Duration::from_millis(30_500)).await;
    bench.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(11), async {
        while bench.tasks.join_next().await.is_some() {}
    });
    stopped.await.unwrap();
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
    let kept = bench.store.batch("stuck").await;
    assert!(kept.is_some_and(|batch| batch.begun), "it is tried again with the same id");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_repeats_nothing() {
    let mut bench = Bench::new();
    bench.store.fail(3);
    let ops = bench.start("ops", []);
    bench.commit(&["a"], &["ops"]).await;
    tokio::time::sleep(Duration::from_millis(30_500)).await;
    // The message is in flight; its record fails at first.
    bench.store.fail(4);
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1)]));
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_pipeline_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry()]);
    bench.commit(&["a"], &["ops"]).await;
    let (commits, _) = watch::channel(0);
    drop(std::mem::replace(&mut bench.commits, commits));
    bench.pass(100).await;
    assert_eq!(ops.sent().len(), 2);
    assert_eq!(bench.store.ended(), [("a".to_owned(), "delivered")]);
}

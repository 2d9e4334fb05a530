use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channel::{Channel, Pace, Receipt, SendError};
use crate::clock::BentClock;
use crate::expiry::{
    Detail, Event, Facts, Kind, Message, RowId, Rung, ScopeId, Severity, Status, StoredRow, Topic,
};
use crate::store::{
    Batch, BatchUpdate, ChannelState, Checkpoint, Commit, ListQuery, Pending, Saved, ScanRecord,
    StoreError,
};

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// What [`Counter`] calls the first batch.
const FIRST_BATCH: &str = "00000000-0000-0000-0000-000000000001";

/// One delivery of the store in memory.
struct Row {
    channel: String,
    pending: Pending,
    ended: Option<BatchUpdate>,
}

/// A store that keeps only what the outbox needs, and fails when told to.
#[derive(Default)]
struct Memory {
    rows: Mutex<Vec<Row>>,
    states: Mutex<HashMap<String, ChannelState>>,
    failures: Mutex<u32>,
}

impl Memory {
    fn try_again(&self) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures == 0 {
            return Ok(());
        }
        *failures -= 1;
        Err(StoreError::Full("no space".into()))
    }

    fn ended(&self) -> Vec<(String, &'static str)> {
        let rows = self.rows.lock().unwrap();
        let word = |update: &BatchUpdate| match update {
            BatchUpdate::Delivered { .. } => "delivered",
            BatchUpdate::Dead { .. } => "dead",
            BatchUpdate::Retry(_) => "retry",
        };
        rows.iter()
            .filter_map(|row| Some((row.pending.event.id.clone(), word(row.ended.as_ref()?))))
            .collect()
    }
}

#[async_trait]
impl Store for Memory {
    async fn saved(&self) -> Result<Saved, StoreError> {
        Ok(Saved::default())
    }

    async fn rows(
        &self,
        _: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<(), StoreError> {
        let mut rows = self.rows.lock().unwrap();
        for (event, channels) in commit.outbox.clone() {
            for channel in channels {
                let delivery = i64::try_from(rows.len()).unwrap();
                let pending = Pending { delivery, event: event.clone(), batch: None };
                rows.push(Row { channel, pending, ended: None });
            }
        }
        Ok(())
    }

    async fn facts(&self, _: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
        Ok(Vec::new())
    }

    async fn list(&self, _: &ListQuery) -> Result<Vec<Facts>, StoreError> {
        Ok(Vec::new())
    }

    async fn pending(&self, channel: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.try_again()?;
        let rows = self.rows.lock().unwrap();
        let open = rows.iter().filter(|row| row.channel == channel && row.ended.is_none());
        Ok(open.take(limit).map(|row| row.pending.clone()).collect())
    }

    async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let mut backlog = HashMap::<String, (u64, Timestamp)>::new();
        for row in rows.iter().filter(|row| row.ended.is_none()) {
            let at = row.pending.event.at;
            let (count, oldest) = backlog.entry(row.channel.clone()).or_insert((0, at));
            (*count, *oldest) = (*count + 1, at.min(*oldest));
        }
        Ok(backlog.into_iter().map(|(channel, (count, oldest))| (channel, count, oldest)).collect())
    }

    async fn freeze(&self, deliveries: &[i64], batch: &Batch) -> Result<(), StoreError> {
        self.try_again()?;
        let mut rows = self.rows.lock().unwrap();
        for row in rows.iter_mut().filter(|row| deliveries.contains(&row.pending.delivery)) {
            row.pending.batch = Some(batch.clone());
        }
        Ok(())
    }

    async fn settle(
        &self,
        channel: &str,
        batch: &str,
        update: &BatchUpdate,
        state: &ChannelState,
    ) -> Result<(), StoreError> {
        self.try_again()?;
        let mut rows = self.rows.lock().unwrap();
        let members = rows.iter_mut().filter(|row| row.channel == channel);
        for row in
            members.filter(|row| row.pending.batch.as_ref().is_some_and(|other| other.id == batch))
        {
            match update {
                BatchUpdate::Retry(batch) => row.pending.batch = Some(batch.clone()),
                ended => row.ended = Some(ended.clone()),
            }
        }
        self.states.lock().unwrap().insert(channel.to_owned(), state.clone());
        Ok(())
    }

    async fn channel_state(&self, channel: &str) -> Result<ChannelState, StoreError> {
        self.try_again()?;
        Ok(self.states.lock().unwrap().get(channel).cloned().unwrap_or_default())
    }

    async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn each_checkpoint(
        &self,
        _: &str,
        _: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn retain_sources(&self, _: &[String]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
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
    destination: String,
}

#[async_trait]
impl Channel for Script {
    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
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

/// Ids in order, and no jitter.
struct Counter(Mutex<u128>);

impl Random for Counter {
    fn number(&self) -> u64 {
        unreachable!("asked for ids and fractions only")
    }

    fn uuid(&self, _: i64) -> uuid::Uuid {
        let mut next = self.0.lock().unwrap();
        *next += 1;
        uuid::Uuid::from_u128(*next)
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
    store: Arc<Memory>,
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
        let (store, notes) = (Arc::new(Memory::default()), Arc::new(Notes::default()));
        let clock = Arc::new(BentClock::starting_at(NOW, NOW));
        let (commits, commits_seen) = watch::channel(0);
        let (reports_sender, reports) = mpsc::channel(8);
        let shared = Shared {
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            watcher: Arc::clone(&notes) as Arc<dyn Watcher>,
            random: Arc::new(Counter(Mutex::new(0))),
            pacers: Pacers::default(),
            reports: reports_sender,
            commits: commits_seen,
        };
        let (stop, tasks) = (CancellationToken::new(), JoinSet::new());
        Self { store, clock, notes, shared, commits, reports, stop, tasks }
    }

    /// Starts a worker for the channel `name` and returns its scripted service.
    fn start(&mut self, name: &str, acts: impl IntoIterator<Item = Act>) -> Arc<Script> {
        self.start_with(name, name, false, acts)
    }

    fn start_with(
        &mut self,
        name: &str,
        destination: &str,
        retest: bool,
        acts: impl IntoIterator<Item = Act>,
    ) -> Arc<Script> {
        let channel = Arc::new(Script {
            clock: Arc::clone(&self.clock),
            acts: Mutex::new(acts.into_iter().collect()),
            sent: Mutex::default(),
            destination: destination.to_owned(),
        });
        let settings = Settings {
            name: name.to_owned(),
            language: Language::En,
            group_wait: Duration::from_secs(30),
            external_url: None,
            retest,
        };
        let worker =
            Worker::new(settings, Arc::clone(&channel) as Arc<dyn Channel>, self.shared.clone());
        self.tasks.spawn(worker.run(self.stop.clone()));
        channel
    }

    async fn commit(&self, ids: &[&str], channels: &[&str]) {
        let outbox = ids
            .iter()
            .map(|id| (self.event(id), channels.iter().map(ToString::to_string).collect()));
        self.shared
            .store
            .commit(Arc::new(Commit { outbox: outbox.collect(), ..Commit::default() }))
            .await
            .unwrap();
        self.commits.send_modify(|count| *count += 1);
    }

    /// An event; one for the digest only when its id says so.
    fn event(&self, id: &str) -> Event {
        let at = self.clock.now();
        if !id.starts_with("info") {
            let (severity, topic) = (Severity::Warning, Topic::Test);
            return Event { id: id.into(), at, severity, topic };
        }
        let facts = Facts {
            source: "iot".into(),
            scope: "all".into(),
            issuer: String::new(),
            serial: id.into(),
            place: String::new(),
            fingerprint: None,
            collides: false,
            kind: Kind::Device,
            status: Status::Inactive,
            common_name: String::new(),
            holder: String::new(),
            unit: String::new(),
            not_before: None,
            not_after: Some(at.plus(86_400)),
        };
        let topic = Topic::Expiring { facts, rung: Rung::Before(86_400), leaves: None };
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
    assert_eq!(ops.sent(), sent(&[(40, FIRST_BATCH, 2), (75, "c", 1)]));
    let delivered = |id: &str| (id.to_owned(), "delivered");
    assert_eq!(bench.store.ended(), [delivered("a"), delivered("b"), delivered("c")]);
    assert_eq!(bench.outcomes("ops"), ["delivered", "delivered"]);
    let state = bench.store.states.lock().unwrap()["ops"].clone();
    assert_eq!(state, ChannelState { last_success: Some(NOW.plus(76)), ..ChannelState::default() });
}

#[tokio::test(start_paused = true)]
async fn many_events_go_out_as_one_digest() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", []);
    let ids: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    bench.commit(&ids.iter().map(String::as_str).collect::<Vec<_>>(), &["ops"]).await;
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(30, FIRST_BATCH, 40)]));
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
    assert_eq!(ops.sent(), sent(&[(7330, FIRST_BATCH, 3)]));
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
    assert_eq!((ops.sent(), again.sent()), (vec![], sent(&[(86_400, FIRST_BATCH, 2)])));
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
async fn a_retry_has_the_same_id_and_the_same_events() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [retry(), retry()]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(32).await;
    bench.commit(&["late"], &["ops"]).await;
    bench.pass(200).await;
    // Half of 5 s and of 30 s is the jitter of this test.
    assert_eq!(
        ops.sent(),
        sent(&[(30, FIRST_BATCH, 2), (34, FIRST_BATCH, 2), (50, FIRST_BATCH, 2), (62, "late", 1)])
    );
    assert_eq!(bench.outcomes("ops"), ["retry", "retry", "delivered", "delivered"]);
    assert_eq!(ops.messages()[1].summary, Vec::<String>::new(), "a plain fault is no duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_no_attempt() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [throttled(60), throttled(60)]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(35).await;
    let batch = bench.store.rows.lock().unwrap()[0].pending.batch.clone().unwrap();
    assert_eq!((batch.attempts, batch.next_at.since(NOW)), (0, 31 + 63));
    bench.commit(&["b"], &["ops"]).await;
    bench.pass(500).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (94, "a", 1), (221, "a", 1), (223, "b", 1)]));
    assert_eq!(bench.outcomes("ops"), ["throttled", "throttled", "delivered", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_unknown_fate_is_repeated_and_marked() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [ambiguous()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(200).await;
    assert_eq!(ops.sent(), sent(&[(30, "a", 1), (91, "a", 1)]));
    let marked: Vec<_> = ops.messages().iter().map(|message| !message.summary.is_empty()).collect();
    assert_eq!(marked, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_goes_down_is_reported_once_and_its_backlog_is_one_message() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [down(), down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    let report = Report::Down {
        channel: "ops".into(),
        code: "19001".into(),
        hint: "set another url".into(),
    };
    assert_eq!(bench.reports.try_recv(), Ok(report));
    for id in ["b", "c", "d", "e", "f", "g", "h"] {
        bench.commit(&[id], &["ops"]).await;
        bench.pass(60).await;
    }
    bench.pass(2 * 3600).await;
    assert_eq!(bench.reports.try_recv(), Ok(Report::Up { channel: "ops".into() }));
    assert!(bench.reports.try_recv().is_err());
    assert_eq!(
        ops.sent(),
        sent(&[(30, "a", 1), (931, "a", 1), (4532, "a", 1), (4534, FIRST_BATCH, 7)])
    );
    assert_eq!(bench.outcomes("ops"), ["down", "down", "delivered", "delivered"]);
    let notes = bench.notes.0.lock().unwrap().clone();
    let ups: Vec<_> = notes.iter().filter(|note| note.starts_with("ops up")).collect();
    assert_eq!(ups, ["ops up true", "ops up false", "ops up true"]);
    assert!(notes.contains(&"ops pending 0 since None".to_owned()), "{notes:?}");
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
async fn a_killed_process_is_continued_with_the_same_id() {
    let mut bench = Bench::new();
    let ops = bench.start("ops", [Act::Hang]);
    bench.commit(&["a", "b"], &["ops"]).await;
    bench.pass(40).await;
    assert_eq!(ops.sent(), sent(&[(30, FIRST_BATCH, 2)]));
    bench.kill().await;
    bench.commit(&["c"], &["ops"]).await;
    let ops = bench.start("ops", []);
    bench.pass(100).await;
    assert_eq!(ops.sent(), sent(&[(40, FIRST_BATCH, 2), (70, "c", 1)]));
    assert_eq!(ops.messages()[0].summary, ["(possible duplicate)"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_keeps_the_schedule_and_the_report() {
    let mut bench = Bench::new();
    bench.start("ops", [down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    assert!(matches!(bench.reports.try_recv(), Ok(Report::Down { .. })));
    bench.kill().await;
    let ops = bench.start("ops", [down()]);
    bench.pass(900).await;
    assert_eq!(ops.sent(), sent(&[(931, "a", 1)]));
    bench.pass(3600).await;
    assert_eq!(ops.sent(), sent(&[(931, "a", 1), (4532, "a", 1)]));
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
async fn a_time_that_was_stored_in_the_future_is_waited_for_as_long_as_a_wait_can_be() {
    for failure in [retry, down] {
        let mut bench = Bench::new();
        bench.clock.bend(300 * 86_400);
        bench.start("ops", [failure()]);
        bench.commit(&["e"], &["ops"]).await;
        bench.pass(32).await;
        bench.kill().await;
        bench.clock.bend(0);
        let ops = bench.start("ops", []);
        bench.pass(policy::LONGEST_WAIT.as_secs() + 60).await;
        assert_eq!(ops.sent().len(), 1);
        assert_eq!(bench.outcomes("ops").last().map(String::as_str), Some(DELIVERED));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_tests_a_channel_that_is_down_at_once() {
    let mut bench = Bench::new();
    bench.start("ops", [down()]);
    bench.commit(&["a"], &["ops"]).await;
    bench.pass(60).await;
    bench.kill().await;
    let ops = bench.start_with("ops", "ops", true, []);
    bench.pass(10).await;
    assert_eq!(ops.sent(), sent(&[(60, "a", 1)]));
}

#[tokio::test(start_paused = true)]
async fn channels_with_one_destination_share_pace_and_pause() {
    let mut bench = Bench::new();
    let one = bench.start_with("one", "robot", false, [throttled(60)]);
    let two = bench.start_with("two", "robot", false, []);
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
    assert!(
        bench.store.rows.lock().unwrap()[1].pending.batch.is_some(),
        "it is tried again with the same id"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_repeats_nothing() {
    let mut bench = Bench::new();
    *bench.store.failures.lock().unwrap() = 3;
    let ops = bench.start("ops", []);
    bench.commit(&["a"], &["ops"]).await;
    tokio::time::sleep(Duration::from_millis(30_500)).await;
    // The message is in flight; its record fails at first.
    *bench.store.failures.lock().unwrap() = 4;
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

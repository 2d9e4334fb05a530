use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channel::{Channel, Pace, Page, Receipt, SendError, TestAnswer};
use crate::clock::BentClock;
use crate::expiry::{
    Cover, DailyDigest, Detail, Event, Facts, Kind, Language, Message, Notified, RowId, Rung,
    Severity, Snooze, Status, Topic, Wanted, batch_id,
};
use crate::store::{
    Batch, BatchUpdate, Call, ChannelState, Commit, Memory, Observed, Observer, Post, StoreError,
};

mod canary;
mod clock;
mod channels;
mod gather;
mod refused;
mod restarts;
mod snoozes;

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
            Call::Commit(_) | Call::SayAgain(..) | Call::Saved => Ok(()),
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

type Composed = Arc<Mutex<BTreeMap<String, Message>>>;

/// A channel that takes a second for each message, follows its script and then delivers everything.
struct Script {
    clock: Arc<BentClock>,
    acts: Mutex<VecDeque<Act>>,
    /// Every message of the bench, by what its pages say.
    composed: Composed,
    sent: Mutex<Vec<(i64, String)>>,
    pages: Mutex<Vec<usize>>,
    /// Events on one page.
    page_size: usize,
    destination: String,
}

#[async_trait]
impl Channel for Script {
    fn encode(&self, message: &Message) -> Vec<String> {
        assert_ne!(message.events[0].id, "unspeakable", "scripted");
        let count = message.events.len().div_ceil(self.page_size);
        let bodies: Vec<_> = (0..count).map(|page| format!("{page} of {message:?}")).collect();
        let each = bodies.iter().map(|body| (body.clone(), message.clone()));
        self.composed.lock().unwrap().extend(each);
        bodies
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let number = page.body.split(' ').next().unwrap().parse().unwrap();
        self.pages.lock().unwrap().push(number);
        self.sent.lock().unwrap().push((self.clock.now().since(NOW), page.body.to_owned()));
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
        let at = self.sent.lock().unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let told = self.messages().into_iter().map(|message| (message.id, message.events.len()));
        at.into_iter().zip(told).map(|(at, (id, events))| (at, id, events)).collect()
    }

    fn messages(&self) -> Vec<Message> {
        let composed = self.composed.lock().unwrap();
        self.bodies().iter().map(|body| composed[body].clone()).collect()
    }

    /// Returns what the service was sent.
    fn bodies(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

/// No jitter.
struct Half;

impl Random for Half {
    fn number(&self) -> u64 {
        7
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

    fn given_up(&self, channel: &str, count: u64) {
        if count > 0 {
            self.0.lock().unwrap().push(format!("{channel} given up {count}"));
        }
    }

    fn settled(&self, channel: &str, count: u64) {
        self.0.lock().unwrap().push(format!("{channel} settled {count}"));
    }

    fn told_daily(&self, channel: &str, at: Timestamp) {
        self.0.lock().unwrap().push(format!("{channel} told daily at {}", at.since(NOW)));
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
    composed: Composed,
    /// What the channels that are started next are configured to.
    settings: Settings,
    shared: Shared,
    commits: watch::Sender<u64>,
    snoozes: watch::Sender<Arc<Snoozes>>,
    canary: watch::Sender<Option<String>>,
    clock_trusted: watch::Sender<bool>,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Takes the tests of the worker that is started next.
    asked: Option<mpsc::Receiver<TestAnswer>>,
}

impl Bench {
    fn new() -> Self {
        let (store, notes) = (Arc::new(Shelf::empty()), Arc::new(Notes::default()));
        let clock = Arc::new(BentClock::starting_at(NOW, NOW));
        let (commits, commits_seen) = watch::channel(0);
        let (snoozes, snoozes_seen) = watch::channel(Arc::default());
        let (canary, canary_seen) = watch::channel(None);
        let (clock_trusted, clock_trusted_seen) = watch::channel(true);
        let (reports_sender, reports) = mpsc::channel(8);
        let shared = Shared {
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            watcher: Arc::clone(&notes) as Arc<dyn Watcher>,
            random: Arc::new(Half),
            pacers: Pacers::default(),
            reports: reports_sender,
            commits: commits_seen,
            link_key: Some([7; 32]),
            snoozes: snoozes_seen,
            clock_trusted: clock_trusted_seen,
            canary: canary_seen,
        };
        let (stop, tasks) = (CancellationToken::new(), JoinSet::new());
        let settings = Settings {
            name: String::new(),
            kind: "script".to_owned(),
            manner: Language::En.into(),
            hold: Hold::default(),
            group_wait: Duration::from_secs(30),
            external_url: None,
            gathers: false,
            daily_language: None,
        };
        let composed = Composed::default();
        Self {
            store,
            clock,
            notes,
            composed,
            settings,
            shared,
            commits,
            snoozes,
            canary,
            clock_trusted,
            reports,
            stop,
            tasks,
            asked: None,
        }
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
            composed: Arc::clone(&self.composed),
            sent: Mutex::default(),
            pages: Mutex::default(),
            page_size: if name == "paged" { 100 } else { usize::MAX },
            destination: destination.to_owned(),
        });
        let settings = Settings { name: name.to_owned(), ..self.settings.clone() };
        let worker =
            Worker::new(settings, Arc::clone(&channel) as Arc<dyn Channel>, self.shared.clone());
        let worker = match self.asked.take() {
            Some(asked) => worker.with_tests(asked),
            None => worker,
        };
        self.tasks.spawn(worker.run(self.stop.clone()));
        channel
    }

    /// Starts a worker that can be asked for a test.
    fn start_asked(
        &mut self,
        acts: impl IntoIterator<Item = Act>,
    ) -> (Arc<Script>, mpsc::Sender<TestAnswer>) {
        let (tests, asked) = mpsc::channel(1);
        self.asked = Some(asked);
        (self.start("ops", acts), tests)
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
        let notified =
            Notified { rung: Rung::Before(86_400), at: self.clock.now(), mild: false, count: 0 };
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

    /// An event; one for the digest only, a digest, a canary, or critical, when its id says so.
    fn event(&self, id: &str) -> Event {
        let at = self.clock.now();
        if id.starts_with("daily") {
            let topic = Topic::DailyDigest(Box::new(DailyDigest::new("ops".into(), at)));
            return Event { id: id.into(), at, severity: Severity::Info, topic };
        }
        let facts = Facts {
            source: "iot".into(),
            scope: "all".into(),
            serial: id.into(),
            not_after: Some(at.plus(86_400)),
            ..Facts::bare(Kind::Device, Status::Inactive)
        };
        if id.starts_with("canary") {
            let topic = Topic::Canary { facts, rung: Rung::Before(86_400) };
            return Event { id: id.into(), at, severity: Severity::Info, topic };
        }
        if !id.starts_with("info") {
            let critical = id.starts_with("critical");
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            let topic = Topic::Test;
            return Event { id: id.into(), at, severity, topic };
        }
        let topic = Topic::Expiring {
            facts,
            rung: Rung::Before(86_400),
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        };
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

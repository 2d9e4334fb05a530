//! Hands one transaction at a time to the store while the next is being drafted, and publishes what it wrote.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Outputs, Pipeline};
use crate::expiry::View;
use crate::metrics::DaemonMetrics;
use crate::store::{Commit, Settled, Store, StoreError};

/// Longest pause between two tries to write.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often somebody who waits for the store says that they still do.
const PULSE: Duration = Duration::from_secs(10);

/// A store that has not answered for this long hangs: nobody says any more that it is waited for, and the watchdog bites.
const HANG: Duration = Duration::from_mins(5);

impl Pipeline {
    /// Hands the draft to the store, and publishes what it wrote of the one before.
    ///
    /// A change that may end an alert is saved together with that it may, and with what is notified of it: nobody would see
    /// it change again.
    pub(super) async fn save(&mut self) -> anyhow::Result<()> {
        self.settle().await?;
        if self.draft.is_empty() {
            return Ok(());
        }
        self.note_renewals();
        if self.checks.clock_is_trusted() {
            self.notify_renewed(self.parts.clock.now()).await?;
        }
        self.count_news();
        self.draft_good_time(false);
        let (commit, changed) = self.draft.take();
        let view = changed.then(|| Arc::new(self.inventory.view()));
        self.saver.begin(commit, view);
        Ok(())
    }

    /// Writes down what happened, where nothing else was to be written for a while.
    pub(super) async fn save_audit(&mut self) -> anyhow::Result<()> {
        self.settle().await?;
        let (commit, _) = self.draft.take();
        self.saver.begin(commit, None);
        Ok(())
    }

    /// Drafts the last good time, so that the next start can tell whether its clock is right.
    pub(super) fn draft_good_time(&mut self, at_the_end: bool) {
        if let Some((key, at)) = self.checks.good_time(at_the_end) {
            self.draft.condition(key, Some(at));
        }
    }

    /// Waits for the transaction in flight and publishes what it wrote.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let Some(Saved { view, has_events, settled }) = self.saver.finish().await? else {
            return Ok(());
        };
        for (channel, count) in settled {
            self.parts.metrics.settled(&channel, count);
        }
        if let Some(view) = view {
            self.publish(view);
        }
        if has_events {
            self.outputs.outbox.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    pub(super) fn publish(&mut self, view: Arc<View>) {
        self.publish_sources();
        let view = Arc::unwrap_or_clone(view).with_undeployed(Arc::clone(&self.undeployed));
        let view = Arc::new(view.with_ahead(self.foresight.shown()));
        let foreseen = self.outputs.exposition.warm(&view, self.parts.clock.now());
        self.foresight.take(foreseen);
        self.outputs.view.send_replace(view);
    }

    /// Publishes what keeps the daemon from being well.
    pub(super) fn publish_troubles(&self) {
        let troubles = self.checks.troubles();
        self.outputs.troubles.send_if_modified(|known| {
            let is_new = **known != troubles;
            if is_new {
                *known = Arc::new(troubles);
            }
            is_new
        });
    }

    pub(super) fn publish_sources(&self) {
        self.outputs.exposition.publish_scopes(self.sources.read_scopes());
        let statuses = self.sources.published(&self.settings.watched);
        self.outputs.sources.send_replace(Arc::new(statuses));
    }
}

/// What a transaction wrote.
pub(super) struct Saved {
    /// The state of the inventory that it made durable, if certificates changed.
    pub(super) view: Option<Arc<View>>,
    /// Whether it put something into the outbox.
    pub(super) has_events: bool,
    /// How many deliveries it settled, by channel.
    pub(super) settled: Settled,
}

/// Who learns whether the store takes what is written.
#[derive(Clone)]
pub(super) struct Witness {
    metrics: Arc<DaemonMetrics>,
    writable: watch::Sender<bool>,
    pulse: watch::Sender<Instant>,
    /// When the store last answered, whatever it said.
    answered: watch::Sender<Instant>,
}

impl Witness {
    /// The store is there, and nothing was written yet.
    pub(super) fn new(metrics: &Arc<DaemonMetrics>, outputs: &Outputs) -> Self {
        let witness = Self {
            metrics: Arc::clone(metrics),
            writable: outputs.writable.clone(),
            pulse: outputs.pulse.clone(),
            answered: watch::Sender::new(Instant::now()),
        };
        witness.answered(true);
        witness
    }

    fn answered(&self, written: bool) {
        self.answered.send_replace(Instant::now());
        self.writable(written);
    }

    /// Nothing was answered for a while.
    fn waited(&self) {
        self.writable(false);
        if self.answered.borrow().elapsed() < HANG {
            self.pulse.send_replace(Instant::now());
        }
    }

    fn writable(&self, writable: bool) {
        self.writable.send_replace(writable);
        self.metrics.store_up(writable);
    }
}

/// One transaction in flight.
pub(super) struct Saver {
    store: Arc<dyn Store>,
    witness: Witness,
    flight: Option<Saved>,
    /// Holds at most the one task that writes, so that the pipeline goes on meanwhile.
    writing: JoinSet<Result<Settled, StoreError>>,
}

impl Saver {
    pub(super) fn new(store: Arc<dyn Store>, witness: Witness) -> Self {
        Self { store, witness, flight: None, writing: JoinSet::new() }
    }

    /// Begins to write. The transaction before must be finished.
    pub(super) fn begin(&mut self, commit: Commit, view: Option<Arc<View>>) {
        let has_events = !commit.outbox.is_empty();
        self.flight = Some(Saved { view, has_events, settled: Settled::new() });
        self.witness.answered.send_replace(Instant::now());
        self.writing.spawn(write(Arc::clone(&self.store), Arc::new(commit), self.witness.clone()));
    }

    /// Returns whether a transaction is in flight.
    pub(super) const fn is_writing(&self) -> bool {
        self.flight.is_some()
    }

    /// Waits until the transaction in flight is durable. The watchdog is told meanwhile, for as long as the store answers:
    /// a restart would not free the disk.
    pub(super) async fn finish(&mut self) -> Result<Option<Saved>, StoreError> {
        if !self.is_writing() {
            return Ok(None);
        }
        let ended = loop {
            match tokio::time::timeout(PULSE, self.writing.join_next()).await {
                Ok(ended) => break ended,
                Err(_) => self.witness.waited(),
            }
        };
        match ended {
            Some(Ok(Ok(settled))) => {
                self.witness.answered(true);
                Ok(self.flight.take().map(|saved| Saved { settled, ..saved }))
            }
            Some(Ok(Err(error))) => Err(error),
            Some(Err(panic)) => Err(StoreError::Unavailable(panic.to_string())),
            None => Ok(None),
        }
    }
}

/// Writes until it is durable. A full disk is waited for: the draft is kept, the scans wait behind it, and readers keep
/// the last state that was saved.
async fn write(
    store: Arc<dyn Store>,
    commit: Arc<Commit>,
    witness: Witness,
) -> Result<Settled, StoreError> {
    let mut pause = Duration::from_secs(1);
    loop {
        match store.commit(Arc::clone(&commit)).await {
            Err(error @ (StoreError::Full(_) | StoreError::Unavailable(_))) => {
                witness.answered(false);
                tracing::error!(%error, "nothing was written and nothing is lost; trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            written => return written,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::expiry::{
        Event, Facts, Heard, Inventory, Notified, RowId, ScopeId, Severity, Snooze, StoredRow,
        Timestamp, Topic,
    };
    use crate::store::{
        AuditEntry, AuditQuery, AuditSize, Batch, BatchUpdate, Body, ChannelState, Checkpoint,
        EntryQuery, Kept, ListQuery, NameHits, NameQuery, OutboxAnswer, OutboxEntry, OutboxOrder,
        Pending, Saved as Stored, ScanRecord, Stranded, Verdict,
    };
    use async_trait::async_trait;

    /// A store that only writes, and answers as scripted, then well.
    #[derive(Default)]
    struct Script {
        answers: Mutex<VecDeque<StoreError>>,
        commits: Mutex<Vec<Arc<Commit>>>,
        /// Whether it never answers once the script has ended.
        hangs: bool,
    }

    #[async_trait]
    impl Store for Script {
        async fn commit(&self, commit: Arc<Commit>) -> Result<Settled, StoreError> {
            self.commits.lock().unwrap().push(commit);
            let answer = self.answers.lock().unwrap().pop_front();
            assert!(!matches!(answer, Some(StoreError::TooNew { .. })), "scripted");
            if answer.is_none() && self.hangs {
                return std::future::pending().await;
            }
            answer.map_or(Ok(Settled::from([("ops".to_owned(), 2)])), Err)
        }

        async fn saved(&self) -> Result<Stored, StoreError> {
            unreachable!("it only writes")
        }
        async fn rows(
            &self,
            _: &mut (dyn FnMut(Vec<(ScopeId, StoredRow)>) + Send),
        ) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
        async fn facts(&self, _: &[RowId]) -> Result<Vec<Option<Facts>>, StoreError> {
            unreachable!("it only writes")
        }
        async fn kept(&self, _: &[RowId]) -> Result<Vec<Option<Kept>>, StoreError> {
            unreachable!("it only writes")
        }
        async fn find_names(&self, _: &NameQuery) -> Result<NameHits, StoreError> {
            unreachable!("it only writes")
        }
        async fn index_names(&self, _: usize) -> Result<bool, StoreError> {
            unreachable!("it only writes")
        }
        async fn list(&self, _: &ListQuery) -> Result<Vec<Facts>, StoreError> {
            unreachable!("it only writes")
        }
        async fn pending(&self, _: &str, _: usize) -> Result<Vec<Pending>, StoreError> {
            unreachable!("it only writes")
        }
        async fn came_after(&self, _: &str, _: i64) -> Result<(i64, bool), StoreError> {
            unreachable!("it only writes")
        }
        async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn freeze(&self, _: &[i64], _: &Batch, _: &Body) -> Result<bool, StoreError> {
            unreachable!("it only writes")
        }
        async fn body(&self, _: &str, _: &str) -> Result<Option<Body>, StoreError> {
            unreachable!("it only writes")
        }
        async fn say_again(&self, _: &str, _: Timestamp, _: Timestamp) -> Result<u64, StoreError> {
            unreachable!("it only writes")
        }
        async fn entries(&self, _: &EntryQuery) -> Result<Vec<OutboxEntry>, StoreError> {
            unreachable!("it only writes")
        }
        async fn given_up(&self) -> Result<Vec<(String, u64)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn order(
            &self,
            _: (i64, OutboxOrder),
            _: &[String],
            _: Timestamp,
        ) -> Result<OutboxAnswer, StoreError> {
            unreachable!("it only writes")
        }
        async fn told(&self, _: &[RowId]) -> Result<Vec<Vec<String>>, StoreError> {
            unreachable!("it only writes")
        }
        async fn heard(&self, _: &[RowId]) -> Result<Vec<Vec<Heard>>, StoreError> {
            unreachable!("it only writes")
        }
        async fn heard_late(&self) -> Result<Vec<(RowId, Timestamp)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn open_for(&self, _: &str) -> Result<Vec<(RowId, Notified)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn open_alerts(
            &self,
            _: Option<RowId>,
            _: usize,
        ) -> Result<Vec<(RowId, Notified, Vec<String>)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn stranded(&self, _: &[String]) -> Result<Vec<Stranded>, StoreError> {
            unreachable!("it only writes")
        }
        async fn unsaid(&self) -> Result<Vec<RowId>, StoreError> {
            unreachable!("it only writes")
        }
        async fn judge(
            &self,
            _: (&str, &str),
            _: &BatchUpdate,
            _: &ChannelState,
            _: Option<&Verdict>,
        ) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
        async fn leave_out(&self, _: &str, _: &[i64], _: Timestamp) -> Result<u64, StoreError> {
            unreachable!("it only writes")
        }
        async fn snoozes(&self) -> Result<Vec<Snooze>, StoreError> {
            unreachable!("it only writes")
        }
        async fn link_key(&self, _: [u8; 32]) -> Result<[u8; 32], StoreError> {
            unreachable!("it only writes")
        }
        async fn audit(&self, _: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn forget_old(
            &self,
            _: Option<Timestamp>,
            _: u64,
        ) -> Result<(AuditSize, bool), StoreError> {
            unreachable!("it only writes")
        }
        async fn former_ends(&self, _: RowId) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn said_of(&self, _: &str) -> Result<Vec<OutboxEntry>, StoreError> {
            unreachable!("it only writes")
        }
        async fn channel_state(&self, _: &str) -> Result<ChannelState, StoreError> {
            unreachable!("it only writes")
        }
        async fn scans(&self) -> Result<Vec<ScanRecord>, StoreError> {
            unreachable!("it only writes")
        }
        async fn each_checkpoint(
            &self,
            _: &str,
            _: &mut (dyn FnMut(Vec<Checkpoint>) + Send),
        ) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
        async fn retain_sources(&self, _: &[String]) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
        async fn close(&self) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
    }

    fn saver(answers: impl IntoIterator<Item = StoreError>) -> (Saver, Arc<Script>) {
        let answers = Mutex::new(answers.into_iter().collect());
        let store = Arc::new(Script { answers, ..Script::default() });
        let saver = Saver::new(Arc::clone(&store) as Arc<dyn Store>, witness());
        (saver, store)
    }

    fn witness() -> Witness {
        Witness {
            metrics: Arc::new(DaemonMetrics::new(&crate::metrics::Setup::default())),
            writable: watch::Sender::new(true),
            pulse: watch::Sender::new(Instant::now()),
            answered: watch::Sender::new(Instant::now()),
        }
    }

    /// Waits for the saver as the pipeline does, and returns the longest time without a pulse within `limit`.
    async fn silence(saver: &mut Saver, limit: Duration) -> Duration {
        let (witness, end) = (saver.witness.clone(), Instant::now() + limit);
        witness.pulse.send_replace(Instant::now());
        let mut longest = Duration::ZERO;
        let watch = async {
            while Instant::now() < end {
                tokio::time::sleep(Duration::from_secs(1)).await;
                longest = longest.max(witness.pulse.borrow().elapsed());
            }
        };
        tokio::select! {
            biased;
            _ = saver.finish() => {}
            () = watch => {}
        }
        longest
    }

    fn event() -> Commit {
        let at = Timestamp::from_seconds(0);
        let (severity, topic) = (Severity::Info, Topic::Test);
        let event = Event { id: "e".to_owned(), at, severity, topic };
        Commit { outbox: vec![(event, vec!["ops".to_owned()]).into()], ..Commit::default() }
    }

    fn full() -> StoreError {
        StoreError::Full("no space".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_is_answered_once() {
        let (mut saver, store) = saver([]);
        assert!(saver.finish().await.unwrap().is_none(), "nothing is in flight");
        let view = Arc::new(Inventory::new().view());
        for (commit, view, said) in [(Commit::default(), Some(view), false), (event(), None, true)]
        {
            let changed = view.is_some();
            saver.begin(commit, view);
            let written = saver.finish().await.unwrap().unwrap();
            assert_eq!((written.view.is_some(), written.has_events), (changed, said));
            assert_eq!(written.settled["ops"], 2);
            assert!(saver.finish().await.unwrap().is_none());
        }
        assert_eq!(store.commits.lock().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_waited_for_and_the_same_step_is_written_again() {
        let gone = || StoreError::Unavailable("no answer".to_owned());
        let (mut saver, store) = saver([full(), gone(), full(), full(), full(), full(), full()]);
        let started = Instant::now();
        saver.begin(event(), None);
        assert!(saver.finish().await.unwrap().unwrap().has_events);
        // 1 + 2 + 4 + 8 + 16 + 30 + 30
        assert_eq!(started.elapsed(), Duration::from_secs(91));
        let commits = store.commits.lock().unwrap();
        assert_eq!(commits.len(), 8);
        assert!(commits.iter().all(|commit| Arc::ptr_eq(commit, &commits[0])));
    }

    #[tokio::test(start_paused = true)]
    async fn damage_and_bugs_are_not_waited_for() {
        let (mut saver, store) = saver([StoreError::Damaged("a page".to_owned())]);
        saver.begin(event(), None);
        assert!(matches!(saver.finish().await, Err(StoreError::Damaged(_))));
        assert_eq!(store.commits.lock().unwrap().len(), 1);
        let (mut saver, _) = self::saver([StoreError::TooNew { found: 2, known: 1 }]);
        saver.begin(event(), None);
        assert!(matches!(saver.finish().await, Err(StoreError::Unavailable(_))), "it panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_told_while_the_disk_is_full_and_readers_that_nothing_is_written() {
        let (mut saver, _) = saver((0..40).map(|_| full()));
        let mut writable = saver.witness.writable.subscribe();
        saver.begin(event(), None);
        let hours = Duration::from_hours(2);
        let (silence, ()) = tokio::join!(silence(&mut saver, hours), async {
            writable.wait_for(|writable| !writable).await.unwrap();
        });
        assert!(silence <= PULSE + Duration::from_secs(1), "{silence:?}");
        assert!(*writable.borrow_and_update(), "it was written in the end");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_is_not_waited_for_without_end() {
        let store = Arc::new(Script { hangs: true, ..Script::default() });
        let mut saver = Saver::new(store, witness());
        saver.begin(event(), None);
        let silence = silence(&mut saver, Duration::from_mins(20)).await;
        let most = Duration::from_mins(20).saturating_sub(HANG);
        assert!(silence >= most, "{silence:?}");
        assert!(!*saver.witness.writable.borrow());
    }
}

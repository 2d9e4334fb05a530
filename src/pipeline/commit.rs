//! Hands one transaction at a time to the store while the next is being drafted, and publishes what it wrote.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Pipeline;
use crate::expiry::View;
use crate::store::{Commit, Store, StoreError};

/// Longest pause between two tries to write.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pipeline {
    /// Hands the draft to the store, and publishes what it wrote of the one before.
    ///
    /// A change that ends an alert is saved together with what is notified of it: nobody would see it change again.
    pub(super) async fn save(&mut self) -> anyhow::Result<()> {
        self.settle().await?;
        if self.draft.is_empty() {
            return Ok(());
        }
        if self.checks.clock_is_trusted() {
            self.notify_renewed(self.parts.clock.now()).await?;
        }
        self.draft_good_time(false);
        let (commit, changed) = self.draft.take();
        let view = changed.then(|| Arc::new(self.inventory.view()));
        self.saver.begin(commit, view);
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
        let Some(Saved { view, has_events }) = self.saver.finish().await? else { return Ok(()) };
        if let Some(view) = view {
            self.publish(view);
        }
        if has_events {
            self.outputs.outbox.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    pub(super) fn publish(&self, view: Arc<View>) {
        self.publish_sources();
        self.outputs.exposition.warm(&view, self.parts.clock.now());
        self.outputs.view.send_replace(view);
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
}

/// One transaction in flight.
pub(super) struct Saver {
    store: Arc<dyn Store>,
    flight: Option<Saved>,
    /// Holds at most the one task that writes, so that the pipeline goes on meanwhile.
    writing: JoinSet<Result<(), StoreError>>,
}

impl Saver {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, flight: None, writing: JoinSet::new() }
    }

    /// Begins to write. The transaction before must be finished.
    pub(super) fn begin(&mut self, commit: Commit, view: Option<Arc<View>>) {
        self.flight = Some(Saved { view, has_events: !commit.outbox.is_empty() });
        self.writing.spawn(write(Arc::clone(&self.store), Arc::new(commit)));
    }

    /// Returns whether a transaction is in flight.
    pub(super) const fn is_writing(&self) -> bool {
        self.flight.is_some()
    }

    /// Waits until the transaction in flight is durable.
    pub(super) async fn finish(&mut self) -> Result<Option<Saved>, StoreError> {
        match self.writing.join_next().await {
            Some(Ok(Ok(()))) => Ok(self.flight.take()),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(panic)) => Err(StoreError::Unavailable(panic.to_string())),
            None => Ok(None),
        }
    }
}

/// Writes until it is durable. A full disk is waited for: the draft is kept, the scans wait behind it, and readers keep
/// the last state that was saved.
async fn write(store: Arc<dyn Store>, commit: Arc<Commit>) -> Result<(), StoreError> {
    let mut pause = Duration::from_secs(1);
    loop {
        match store.commit(Arc::clone(&commit)).await {
            Err(error @ (StoreError::Full(_) | StoreError::Unavailable(_))) => {
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

    use async_trait::async_trait;
    use tokio::time::Instant;

    use super::*;
    use crate::expiry::{
        Event, Facts, Inventory, RowId, ScopeId, Severity, StoredRow, Timestamp, Topic,
    };
    use crate::store::{
        Batch, BatchUpdate, ChannelState, Checkpoint, ListQuery, Pending, Saved as Stored,
        ScanRecord,
    };

    /// A store that only writes, and answers as scripted, then well.
    #[derive(Default)]
    struct Script {
        answers: Mutex<VecDeque<StoreError>>,
        commits: Mutex<Vec<Arc<Commit>>>,
    }

    #[async_trait]
    impl Store for Script {
        async fn commit(&self, commit: Arc<Commit>) -> Result<(), StoreError> {
            self.commits.lock().unwrap().push(commit);
            let answer = self.answers.lock().unwrap().pop_front();
            assert!(!matches!(answer, Some(StoreError::TooNew { .. })), "scripted");
            answer.map_or(Ok(()), Err)
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
        async fn list(&self, _: &ListQuery) -> Result<Vec<Facts>, StoreError> {
            unreachable!("it only writes")
        }
        async fn pending(&self, _: &str, _: usize) -> Result<Vec<Pending>, StoreError> {
            unreachable!("it only writes")
        }
        async fn backlog(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
            unreachable!("it only writes")
        }
        async fn freeze(&self, _: &[i64], _: &Batch) -> Result<(), StoreError> {
            unreachable!("it only writes")
        }
        async fn settle(
            &self,
            _: &str,
            _: &str,
            _: &BatchUpdate,
            _: &ChannelState,
        ) -> Result<(), StoreError> {
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
        let store = Arc::new(Script { answers, commits: Mutex::default() });
        (Saver::new(Arc::clone(&store) as Arc<dyn Store>), store)
    }

    fn event() -> Commit {
        let at = Timestamp::from_seconds(0);
        let (severity, topic) = (Severity::Info, Topic::Test);
        let event = Event { id: "e".to_owned(), at, severity, topic };
        Commit { outbox: vec![(event, vec!["ops".to_owned()])], ..Commit::default() }
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
}

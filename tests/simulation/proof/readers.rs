//! Those who read what the daemon knows, and who wish for quiet: the judge compares what they see.

use std::sync::Arc;

use async_trait::async_trait;
use notafter::facade::clock::Clock as _;
use notafter::facade::expiry::{Facts, RowId, View, Wanted, Wish, WishCover};
use notafter::facade::metrics::{Exposition, Format, Names, NamesError};
use notafter::facade::pipeline::Command;
use notafter::facade::store::{ListQuery, Store};
use tokio::sync::{mpsc, oneshot, watch};

use super::cloud::name_of;
use super::judge::Seen;
use super::stage::Stage;

/// More certificates than any scene has.
const EVERY: usize = 100_000;

pub(crate) struct Readers {
    pub(crate) view: watch::Receiver<Arc<View>>,
    pub(crate) exposition: Arc<Exposition>,
}

/// Takes what somebody wishes. Nobody waits for an answer: what is granted is written.
pub(crate) struct Wishes(pub(crate) mpsc::Sender<Command>);

impl Wishes {
    /// Nothing is to be said of a source for so many seconds.
    pub(crate) fn quiet(&self, source: usize, seconds: i64) {
        let wanted = Wanted::new([("source".to_owned(), vec![name_of(source)])]).unwrap();
        let wish = Wish {
            cover: WishCover::Match(wanted),
            seconds,
            hold: false,
            author: "somebody".to_owned(),
            reason: "it is known".to_owned(),
            link: None,
        };
        self.send(Command::Snooze(Box::new(wish), oneshot::channel().0));
    }

    /// The snooze with this id is to end.
    pub(crate) fn end(&self, id: String) {
        self.send(Command::EndSnooze(id, oneshot::channel().0));
    }

    /// A daemon that has too much to do already hears nothing.
    fn send(&self, command: Command) {
        drop(self.0.try_send(command));
    }
}

struct Stored<'a>(&'a dyn Store);

#[async_trait]
impl Names for Stored<'_> {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        self.0.facts(rows).await.map_err(|error| NamesError(error.to_string()))
    }
}

impl Readers {
    /// Shows the judge what readers see and what is stored, where both are to be the same.
    pub(crate) async fn ask(&self, stage: &Stage, store: &dyn Store) {
        if !stage.judge().is_published() {
            return;
        }
        let (view, now) = (Arc::clone(&self.view.borrow()), stage.clock.now());
        let rows: Vec<RowId> = view.rows().map(|(row, _)| row).collect();
        let stored = store.facts(&rows).await.unwrap();
        let seen = view.rows().zip(stored).map(|((_, row), stored)| Seen {
            kind: row.kind,
            status: row.status,
            end: row.not_after,
            stored,
        });
        let seen: Vec<_> = seen.collect();
        let every = ListQuery { source: None, ends_before: None, limit: EVERY };
        let undated = seen.iter().filter(|one| one.end.is_none()).count();
        let stored = store.list(&every).await.unwrap().len() + undated;
        let moment = self.exposition.prepare(&view, &Stored(store), EVERY, now).await;
        let text = self.exposition.write(&moment, Format::Text, Vec::new()).unwrap();
        stage.judge().seen(&seen, stored, &String::from_utf8(text).unwrap(), now);
    }
}

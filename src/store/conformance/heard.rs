//! Who was told of an alert long after it was said.

use super::super::{About, BatchUpdate};
use super::posts::{ROW, begin, closed, commit, delivered, end, known, names, post, rung, said};
use super::*;
use crate::expiry::Heard;

/// As long after what is said at 100 as does not count.
const SOON: i64 = 100 + Heard::SOON;

/// When each channel was told late; 0 where nobody knows.
async fn heard(store: &dyn Store) -> Vec<(String, i64)> {
    let heard = store.heard(&[RowId(99), ROW]).await.unwrap();
    assert_eq!(heard[0], []);
    let seconds = |one: &Heard| (one.channel.clone(), one.at.map_or(0, Timestamp::seconds));
    heard[1].iter().map(seconds).collect()
}

async fn late(store: &dyn Store) -> Vec<i64> {
    let late = store.heard_late().await.unwrap();
    assert!(late.iter().all(|(row, _)| *row == ROW));
    late.iter().map(|(_, at)| at.seconds()).collect()
}

async fn deliver(store: &dyn Store, channel: &str, seconds: i64) {
    begin(store, channel, "b1").await;
    end(store, channel, "b1", delivered(seconds)).await;
}

fn of(some: &[(&str, i64)]) -> Vec<(String, i64)> {
    some.iter().map(|(channel, at)| ((*channel).to_owned(), *at)).collect()
}

pub(super) async fn is_kept_where_it_was_long_after(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    let channels = ["a\"b.c", "dev", "ops"];
    commit(&*store, said(rung("30d", &channels))).await;
    deliver(&*store, "ops", SOON).await;
    assert_eq!(heard(&*store).await, []);
    deliver(&*store, "dev", SOON + 1).await;
    deliver(&*store, "a\"b.c", SOON + 2).await;
    drop(store);

    let store = place.open().await;
    assert_eq!(heard(&*store).await, of(&[("a\"b.c", SOON + 2), ("dev", SOON + 1)]));
    assert_eq!(late(&*store).await, [SOON + 2, SOON + 1]);
    let inherited = vec![(ROW, RowId(8))];
    commit(&*store, Commit { inherited, ..Commit::default() }).await;
    let copy = store.heard(&[RowId(8)]).await.unwrap().remove(0);
    assert_eq!(copy, store.heard(&[ROW]).await.unwrap().remove(0));
    commit(&*store, Commit { ledger: vec![(RowId(8), None)], ..Commit::default() }).await;
    // What waits counts as said, and what is told soon is no exception any more.
    commit(&*store, said(rung("14d", &["dev"]))).await;
    assert_eq!(heard(&*store).await, of(&[("a\"b.c", SOON + 2)]));
    assert_eq!(late(&*store).await.len(), 2);
    deliver(&*store, "dev", 101).await;
    assert_eq!(late(&*store).await, [SOON + 2]);
    // Those who are there no more were told nothing.
    post(&*store, Post::Channels { at: at(200), names: names(&["ops"]) }).await;
    assert_eq!((heard(&*store).await, late(&*store).await), (Vec::new(), Vec::new()));
    commit(&*store, said(rung("7d", &["ops"]))).await;
    deliver(&*store, "ops", SOON + 5).await;
    assert_eq!(late(&*store).await, [SOON + 5]);
    post(&*store, closed("renewed", &["ops"])).await;
    assert_eq!(late(&*store).await, Vec::<i64>::new());
}

pub(super) async fn is_unknown_while_a_message_may_have_arrived(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops"]))).await;
    deliver(&*store, "ops", SOON + 1).await;
    commit(&*store, said(rung("14d", &["ops", "dev"]))).await;
    assert_eq!(heard(&*store).await, []);
    begin(&*store, "ops", "b2").await;
    assert_eq!(heard(&*store).await, of(&[("ops", 0)]));
    // What else waits is replaced by what is said to others: the next round is for it as well.
    let about = About::Certificate(ROW);
    let more =
        Post::Say { event: event("7d", 150), channels: names(&["ops"]), about: about.clone() };
    post(&*store, more).await;
    assert_eq!(heard(&*store).await, []);
    post(&*store, Post::Held { about, at: at(160) }).await;
    assert_eq!(heard(&*store).await, of(&[("ops", 0)]));
    // It was clearly refused, and waits again.
    let refused = BatchUpdate::Retry(Batch { begun: false, ..batch("b2") });
    end(&*store, "ops", "b2", refused).await;
    assert_eq!(heard(&*store).await, []);
    begin(&*store, "ops", "b2").await;
    let dead = BatchUpdate::Dead { at: at(200), code: "no_text".to_owned() };
    end(&*store, "ops", "b2", dead).await;
    assert_eq!(heard(&*store).await, [], "it is said again by itself");
    let about = About::Certificate(ROW);
    post(&*store, Post::Held { about, at: at(300) }).await;
    assert_eq!(heard(&*store).await, of(&[("ops", SOON + 1)]));
}

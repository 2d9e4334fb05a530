//! The outbox as people look at it.

use super::super::{
    About, BatchUpdate, ChannelState, EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, Standing,
};
use super::*;

async fn list(store: &dyn Store, standing: Standing) -> Vec<OutboxEntry> {
    store.entries(&EntryQuery { standing, channel: None, limit: 10 }).await.unwrap()
}

fn brief(entries: &[OutboxEntry]) -> Vec<(&str, Option<&str>, &str, u64)> {
    entries
        .iter()
        .map(|one| (&*one.channel, one.message.as_deref(), &*one.event.id, one.events))
        .collect()
}

async fn freeze(store: &dyn Store, channel: &str, from: usize, count: usize, id: &str) {
    let waiting = pending(store, channel).await.into_iter().map(|one| one.delivery);
    let some: Vec<i64> = waiting.skip(from).take(count).collect();
    assert!(store.freeze(&some, &batch(id), &body()).await.unwrap());
}

async fn settle(store: &dyn Store, channel: &str, batch: &str, update: BatchUpdate) {
    store.settle(channel, batch, &update, &ChannelState::default()).await.unwrap();
}

fn dead(seconds: i64) -> BatchUpdate {
    BatchUpdate::Dead { at: at(seconds), code: "no_text".to_owned() }
}

async fn order(store: &dyn Store, id: i64, order: OutboxOrder) -> OutboxAnswer {
    let there = ["ops".to_owned()];
    store.order((id, order), &there, at(900)).await.unwrap()
}

fn done(channel: &str, events: u64) -> OutboxAnswer {
    OutboxAnswer::Done { channel: channel.to_owned(), events }
}

pub(super) async fn are_messages_and_what_waits(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    assert_eq!(list(store, Standing::Waiting).await, []);
    store.commit(Arc::new(step(&["e1", "e2", "e3", "e4", "e5"], &["ops", "dev"]))).await.unwrap();
    freeze(store, "ops", 0, 2, "b1").await;
    freeze(store, "ops", 2, 1, "e3").await;
    let waiting = list(store, Standing::Waiting).await;
    let expected = [
        ("dev", None, "e1", 1),
        ("dev", None, "e2", 1),
        ("dev", None, "e3", 1),
        ("dev", None, "e4", 1),
        ("dev", None, "e5", 1),
        ("ops", Some("b1"), "e1", 2),
        ("ops", Some("e3"), "e3", 1),
        ("ops", None, "e4", 1),
        ("ops", None, "e5", 1),
    ];
    assert_eq!(brief(&waiting), expected);
    assert_eq!((waiting[5].decided, waiting[5].ended), (at(100), None));

    settle(store, "ops", "b1", dead(300)).await;
    settle(store, "ops", "e3", BatchUpdate::Delivered { at: at(310) }).await;
    let given_up = list(store, Standing::Dead).await;
    assert_eq!(brief(&given_up), [("ops", Some("b1"), "e1", 2)]);
    let [one] = &given_up[..] else { panic!("one message") };
    assert_eq!((one.ended, one.code.as_deref()), (Some(at(300)), Some("no_text")));
    assert_eq!((one.standing, one.replaced), (Standing::Dead, false));
    let sent = list(store, Standing::Sent).await;
    assert_eq!(brief(&sent), [("ops", Some("e3"), "e3", 1)]);
    assert_eq!(sent[0].ended, Some(at(310)));
    assert_eq!(store.given_up().await.unwrap(), [("ops".to_owned(), 1)]);

    let query =
        EntryQuery { standing: Standing::Waiting, channel: Some("ops".to_owned()), limit: 1 };
    assert_eq!(brief(&store.entries(&query).await.unwrap()), [("ops", None, "e4", 1)]);
}

pub(super) async fn are_sent_once_more_or_dropped(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    store.commit(Arc::new(step(&["e1", "e2", "e3"], &["ops", "dev"]))).await.unwrap();
    freeze(store, "ops", 0, 2, "b1").await;
    let waiting = list(store, Standing::Waiting).await;
    assert_eq!(order(store, waiting[3].id, OutboxOrder::Retry).await, OutboxAnswer::NotGivenUp);
    assert_eq!(order(store, i64::MAX, OutboxOrder::Drop).await, OutboxAnswer::Unknown);
    settle(store, "ops", "b1", dead(300)).await;
    freeze(store, "dev", 0, 1, "b1").await;
    settle(store, "dev", "b1", dead(300)).await;

    let [ops, dev] = list(store, Standing::Dead).await.try_into().unwrap();
    let (ops, dev) = if ops.channel == "ops" { (ops, dev) } else { (dev, ops) };
    let gone = OutboxAnswer::NoChannel("dev".to_owned());
    assert_eq!(order(store, dev.id, OutboxOrder::Retry).await, gone);
    // The whole message, by the number of any event in it, with the id that it had.
    assert_eq!(order(store, ops.id, OutboxOrder::Retry).await, done("ops", 2));
    let again = pending(store, "ops").await;
    let ids: Vec<_> = again.iter().map(|one| one.event.id.as_str()).collect();
    assert_eq!(ids, ["e1", "e2", "e3"]);
    let kept = again[1].batch.as_ref().unwrap();
    assert_eq!((kept.id.as_str(), kept.attempts, kept.begun), ("b1", 0, false), "composed anew");
    assert_eq!(again[2].batch, None);
    assert_eq!(order(store, ops.id, OutboxOrder::Retry).await, OutboxAnswer::NotGivenUp);

    assert_eq!(order(store, dev.id, OutboxOrder::Drop).await, done("dev", 1));
    assert_eq!(order(store, dev.id, OutboxOrder::Drop).await, OutboxAnswer::Unknown);
    assert_eq!(order(store, again[2].delivery, OutboxOrder::Drop).await, done("ops", 1));
    assert_eq!(list(store, Standing::Dead).await, []);
    assert_eq!(store.given_up().await.unwrap(), []);
    assert_eq!(pending(store, "ops").await.len(), 2);
}

pub(super) async fn need_nobody_once_they_were_said_again(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    let (id, channels) = (RowId(1), vec!["ops".to_owned()]);
    let say = |name: &str, about| {
        let (event, channels) = (event(name, 100), channels.clone());
        Post::Say { event, channels, about }
    };
    let commit = Commit {
        scopes: vec![scope(1, "iot", "all")],
        rows: vec![row(1, 1)],
        ledger: vec![(id, Some(notified(100)))],
        outbox: vec![
            say("a", About::Certificate(id)),
            say("b", About::Condition("k".to_owned())),
            say("c", About::Nothing),
        ],
        ..Commit::default()
    };
    store.commit(Arc::new(commit)).await.unwrap();
    for name in ["a", "b", "c"] {
        freeze(store, "ops", 0, 1, name).await;
        settle(store, "ops", name, dead(300)).await;
    }
    assert_eq!(store.given_up().await.unwrap(), [("ops".to_owned(), 3)]);
    assert_eq!(store.say_again("ops", at(300), at(400)).await.unwrap(), 1);
    let over =
        Post::Over { key: "k".to_owned(), at: at(410), event: None, channels, otherwise: vec![] };
    store.commit(Arc::new(Commit { outbox: vec![over], ..Commit::default() })).await.unwrap();
    assert_eq!(store.given_up().await.unwrap(), [("ops".to_owned(), 1)]);
    let given_up = list(store, Standing::Dead).await;
    let replaced: Vec<_> = given_up.iter().map(|one| (&*one.event.id, one.replaced)).collect();
    assert_eq!(replaced, [("a", true), ("b", true), ("c", false)]);
    assert_eq!(order(store, given_up[0].id, OutboxOrder::Retry).await, OutboxAnswer::Replaced);
    assert_eq!(order(store, given_up[0].id, OutboxOrder::Drop).await, done("ops", 1));
}

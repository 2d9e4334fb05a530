//! The outbox.

use super::super::{BatchUpdate, ChannelState};
use super::*;

fn ids(pending: &[Pending]) -> Vec<&str> {
    pending.iter().map(|one| one.event.id.as_str()).collect()
}

fn deliveries(pending: &[Pending]) -> Vec<i64> {
    pending.iter().map(|one| one.delivery).collect()
}

pub(super) async fn takes_an_event_once_for_each_channel(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e2", "e1"], &["ops"]))).await.unwrap();
    store.commit(Arc::new(step(&["e1", "e3"], &["ops", "dev"]))).await.unwrap();
    store.commit(Arc::new(step(&["e4"], &[]))).await.unwrap();

    let ops = pending(&*store, "ops").await;
    assert_eq!(ids(&ops), ["e2", "e1", "e3"]);
    assert_eq!(ops[0].event, event("e2", 100));
    assert_eq!(ops[1].event, event("e1", 101));
    assert_eq!(ids(&pending(&*store, "dev").await), ["e1", "e3"]);
    assert_eq!(ids(&store.pending("ops", 2).await.unwrap()), ["e2", "e1"]);
    let newest = store.pending("ops", 9).await.unwrap().last().unwrap().delivery;
    assert_eq!(store.came_after("ops", i64::MAX).await.unwrap(), (newest, false));
    assert_eq!(ids(&store.pending("ops", 0).await.unwrap()), Vec::<&str>::new());
    assert_eq!(ids(&pending(&*store, "nobody").await), Vec::<&str>::new());
}

pub(super) async fn keeps_a_frozen_batch(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2", "e3"], &["ops"]))).await.unwrap();
    let before = pending(&*store, "ops").await;
    assert!(store.freeze(&deliveries(&before[..2]), &batch("b1"), &body()).await.unwrap());
    drop(store);

    let store = place.open().await;
    let after = pending(&*store, "ops").await;
    assert_eq!(deliveries(&after), deliveries(&before));
    let batches: Vec<_> = after.into_iter().map(|one| one.batch).collect();
    assert_eq!(batches, [Some(batch("b1")), Some(batch("b1")), None]);

    let next = Batch { attempts: 2, detail: 3, next_at: at(900), ..batch("b1") };
    let update = BatchUpdate::Retry(next.clone());
    store.settle("ops", "b1", &update, &ChannelState::default()).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(pending(&*store, "ops").await[1].batch, Some(next));
}

pub(super) async fn freezes_all_or_none(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2"], &["ops", "dev"]))).await.unwrap();
    let (ops, dev) = (pending(&*store, "ops").await, pending(&*store, "dev").await);
    let [first, second] = [ops[0].delivery, ops[1].delivery];
    assert!(store.freeze(&[], &batch("b0"), &body()).await.unwrap());
    assert!(store.freeze(&[first], &batch("b1"), &body()).await.unwrap());

    // Frozen elsewhere, of another channel, and not there at all.
    assert!(!store.freeze(&[second, first], &batch("b2"), &body()).await.unwrap());
    assert!(!store.freeze(&[second, dev[0].delivery], &batch("b2"), &body()).await.unwrap());
    assert!(!store.freeze(&[second, i64::MAX], &batch("b2"), &body()).await.unwrap());
    assert!(!store.freeze(&[i64::MAX], &batch("b2"), &body()).await.unwrap());
    let batches: Vec<_> = pending(&*store, "ops").await.into_iter().map(|one| one.batch).collect();
    assert_eq!(batches, [Some(batch("b1")), None]);
    assert_eq!(pending(&*store, "dev").await, dev);

    // Freezing the same twice is no mistake.
    assert!(store.freeze(&[first], &batch("b1"), &body()).await.unwrap());
    assert!(store.freeze(&[second], &batch("b2"), &body()).await.unwrap());
    assert_eq!(pending(&*store, "ops").await[1].batch, Some(batch("b2")));
}

pub(super) async fn keeps_what_a_batch_says_for_as_long_as_the_batch(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2", "e3"], &["ops", "dev"]))).await.unwrap();
    let ops = deliveries(&pending(&*store, "ops").await);
    let dev = deliveries(&pending(&*store, "dev").await);
    for (deliveries, id) in [(&ops[..1], "b1"), (&ops[1..2], "b2"), (&dev[..1], "b1")] {
        assert!(store.freeze(deliveries, &batch(id), &body()).await.unwrap());
    }
    // Composed again, as one page.
    let other = Body { kind: "slack".to_owned(), pages: vec!["{}".to_owned()] };
    assert!(store.freeze(&ops[1..2], &batch("b2"), &other).await.unwrap());
    // Nothing is kept of what was not frozen.
    assert!(!store.freeze(&ops[..2], &batch("b3"), &body()).await.unwrap());
    drop(store);

    let store = place.open().await;
    let retry = BatchUpdate::Retry(Batch { pages: 1, ..batch("b1") });
    settle(&*store, "ops", "b1", &retry).await;
    assert_eq!(store.body("ops", "b1").await.unwrap(), Some(body()));
    assert_eq!(store.body("ops", "b2").await.unwrap(), Some(other));
    assert_eq!(store.body("ops", "b3").await.unwrap(), None);
    assert_eq!(store.body("dev", "b2").await.unwrap(), None);

    settle(&*store, "ops", "b1", &BatchUpdate::Delivered { at: at(9) }).await;
    settle(&*store, "ops", "b2", &BatchUpdate::Released).await;
    assert_eq!(store.body("ops", "b1").await.unwrap(), None);
    assert_eq!(store.body("ops", "b2").await.unwrap(), None);
    // An operator may send what was given up once more.
    settle(&*store, "dev", "b1", &BatchUpdate::Dead { at: at(9), code: "gone".to_owned() }).await;
    assert_eq!(store.body("dev", "b1").await.unwrap(), Some(body()));
}

async fn settle(store: &dyn Store, channel: &str, batch: &str, update: &BatchUpdate) {
    store.settle(channel, batch, update, &ChannelState::default()).await.unwrap();
}

pub(super) async fn keeps_batches_of_channels_apart(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1"], &["ops", "dev"]))).await.unwrap();
    // A batch of one event has the event's id, whatever the channel.
    for channel in ["ops", "dev"] {
        let delivery = pending(&*store, channel).await[0].delivery;
        assert!(store.freeze(&[delivery], &batch("e1"), &body()).await.unwrap());
    }
    let next = Batch { attempts: 2, ..batch("e1") };
    let update = BatchUpdate::Retry(next.clone());
    store.settle("dev", "e1", &update, &ChannelState::default()).await.unwrap();
    assert_eq!(pending(&*store, "ops").await[0].batch, Some(batch("e1")));
    let update = BatchUpdate::Delivered { at: at(9) };
    store.settle("ops", "e1", &update, &ChannelState::default()).await.unwrap();
    assert_eq!(pending(&*store, "ops").await, []);
    assert_eq!(pending(&*store, "dev").await[0].batch, Some(next));
}

pub(super) async fn settles_in_each_way(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2", "e3"], &["ops", "dev"]))).await.unwrap();
    let ops = deliveries(&pending(&*store, "ops").await);
    assert!(store.freeze(&ops[..1], &batch("b1"), &body()).await.unwrap());
    assert!(store.freeze(&ops[1..2], &batch("b2"), &body()).await.unwrap());
    let state = ChannelState::default();
    let delivered = BatchUpdate::Delivered { at: at(200) };
    let dead = BatchUpdate::Dead { at: at(300), code: "no_text".to_owned() };

    // Of another channel, not there, and not the batch that it claims to be.
    store.settle("dev", "b1", &delivered, &state).await.unwrap();
    store.settle("ops", "b9", &dead, &state).await.unwrap();
    store.settle("ops", "b1", &BatchUpdate::Retry(batch("b2")), &state).await.unwrap_err();
    assert_eq!(ids(&pending(&*store, "ops").await), ["e1", "e2", "e3"]);
    assert_eq!(pending(&*store, "dev").await.len(), 3);

    store.settle("ops", "b1", &delivered, &state).await.unwrap();
    assert_eq!(ids(&pending(&*store, "ops").await), ["e2", "e3"]);
    store.settle("ops", "b2", &dead, &state).await.unwrap();
    assert_eq!(ids(&pending(&*store, "ops").await), ["e3"]);
    // What has ended stays as it ended, and is not put into the outbox again.
    store.settle("ops", "b1", &dead, &state).await.unwrap();
    store.commit(Arc::new(step(&["e1", "e2"], &["ops", "dev"]))).await.unwrap();
    assert_eq!(ids(&pending(&*store, "ops").await), ["e3"]);
    assert_eq!(ids(&pending(&*store, "dev").await), ["e1", "e2", "e3"]);
}

pub(super) async fn counts_what_waits(place: impl Place) {
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2"], &["ops"]))).await.unwrap();
    store.commit(Arc::new(step(&["e3"], &["dev"]))).await.unwrap();
    let outbox = vec![(event("old", 7), vec!["ops".to_owned()]).into()];
    store.commit(Arc::new(Commit { outbox, ..Commit::default() })).await.unwrap();
    let backlog =
        |ops, oldest| vec![("dev".to_owned(), 1, at(100)), ("ops".to_owned(), ops, oldest)];
    assert_eq!(store.backlog().await.unwrap(), backlog(3, at(7)));

    let old = pending(&*store, "ops").await[2].delivery;
    assert!(store.freeze(&[old], &batch("b1"), &body()).await.unwrap());
    assert_eq!(store.backlog().await.unwrap(), backlog(3, at(7)));
    let dead = BatchUpdate::Dead { at: at(300), code: "gone".to_owned() };
    store.settle("ops", "b1", &dead, &ChannelState::default()).await.unwrap();
    assert_eq!(store.backlog().await.unwrap(), backlog(2, at(100)));
}

pub(super) async fn keeps_the_state_of_a_channel(place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.channel_state("ops").await.unwrap(), ChannelState::default());
    let down = ChannelState {
        gate_until: Some(at(500)),
        down: Some("19024".to_owned()),
        failures: 3,
        last_success: Some(at(40)),
        since: Some(at(45)),
        gave_up: Some((at(47), "no_text".to_owned())),
    };
    let update = BatchUpdate::Delivered { at: at(50) };
    store.settle("ops", "none", &update, &down).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(store.channel_state("ops").await.unwrap(), down);
    assert_eq!(store.channel_state("dev").await.unwrap(), ChannelState::default());
    let up = ChannelState { last_success: Some(at(60)), ..ChannelState::default() };
    store.settle("ops", "none", &update, &up).await.unwrap();
    assert_eq!(store.channel_state("ops").await.unwrap(), up);
}

pub(super) async fn forgets_what_was_sent_after_ninety_days(place: impl Place) {
    const DAY: i64 = 86_400;
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2", "e3"], &["ops"]))).await.unwrap();
    let send_next = async |id: &str, days: i64| {
        let delivery = pending(&*store, "ops").await[0].delivery;
        assert!(store.freeze(&[delivery], &batch(id), &body()).await.unwrap());
        let update = BatchUpdate::Delivered { at: at(days * DAY) };
        store.settle("ops", id, &update, &ChannelState::default()).await.unwrap();
        store.forget_old(Some(at(days * DAY)), u64::MAX).await.unwrap();
        store.commit(Arc::new(step(&["e1"], &["ops"]))).await.unwrap();
    };
    send_next("b1", 0).await;
    send_next("b2", 90).await;
    assert_eq!(ids(&pending(&*store, "ops").await), ["e3"]);
    send_next("b3", 91).await;
    assert_eq!(ids(&pending(&*store, "ops").await), ["e1"]);
}

pub(super) async fn forgets_what_was_given_up_after_four_hundred_days(place: impl Place) {
    const DAY: i64 = 86_400;
    let store = place.open().await;
    store.commit(Arc::new(step(&["e1", "e2", "e3", "e4"], &["ops"]))).await.unwrap();
    let end_next = async |id: &str, update: BatchUpdate| {
        let delivery = pending(&*store, "ops").await[0].delivery;
        store.freeze(&[delivery], &batch(id), &body()).await.unwrap();
        store.settle("ops", id, &update, &ChannelState::default()).await.unwrap();
        let (BatchUpdate::Delivered { at } | BatchUpdate::Dead { at, .. }) = update else { return };
        store.forget_old(Some(at), u64::MAX).await.unwrap();
        store.commit(Arc::new(step(&["e1", "e2"], &["ops"]))).await.unwrap();
    };
    let dead = |days: i64| BatchUpdate::Dead { at: at(days * DAY), code: "gone".to_owned() };
    end_next("b1", dead(0)).await;
    end_next("b2", dead(300)).await;
    end_next("b3", BatchUpdate::Delivered { at: at(400 * DAY) }).await;
    assert_eq!(ids(&pending(&*store, "ops").await), ["e4"]);
    // Also where nothing is ever delivered.
    end_next("b4", dead(401)).await;
    assert_eq!(ids(&pending(&*store, "ops").await), ["e1"]);
}

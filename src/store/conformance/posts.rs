//! What a step of the pipeline does to what waits in the outbox.

use super::super::{About, BatchUpdate, ChannelState, Stranded};
use super::*;

pub(super) const ROW: RowId = RowId(7);

pub(super) fn names(channels: &[&str]) -> Vec<String> {
    channels.iter().copied().map(str::to_owned).collect()
}

pub(super) fn rung(id: &str, channels: &[&str]) -> Post {
    Post::Rung { row: ROW, event: event(id, 100), channels: names(channels) }
}

pub(super) fn closed(id: &str, channels: &[&str]) -> Post {
    let event = Some(event(id, 200));
    Post::Closed { row: ROW, at: at(200), event, channels: names(channels) }
}

/// Opens the alert, or tightens it.
pub(super) fn said(post: Post) -> Commit {
    Commit { outbox: vec![post], ledger: vec![(ROW, Some(notified(100)))], ..Commit::default() }
}

pub(super) async fn known(store: &dyn Store) {
    let scopes = vec![scope(1, "iot", "all")];
    let commit = Commit { scopes, rows: vec![row(ROW.0, 1), row(8, 1)], ..Commit::default() };
    store.commit(Arc::new(commit)).await.unwrap();
}

pub(super) async fn commit(store: &dyn Store, step: Commit) -> Vec<(String, u64)> {
    store.commit(Arc::new(step)).await.unwrap().into_iter().collect()
}

pub(super) async fn post(store: &dyn Store, post: Post) -> Vec<(String, u64)> {
    commit(store, Commit { outbox: vec![post], ..Commit::default() }).await
}

async fn ids(store: &dyn Store, channel: &str) -> Vec<String> {
    pending(store, channel).await.into_iter().map(|one| one.event.id).collect()
}

/// Freezes all that waits for a channel, so that it may have arrived.
pub(super) async fn begin(store: &dyn Store, channel: &str, id: &str) {
    let waiting: Vec<i64> = pending(store, channel).await.iter().map(|one| one.delivery).collect();
    assert!(store.freeze(&waiting, &batch(id), &body()).await.unwrap());
}

pub(super) async fn end(store: &dyn Store, channel: &str, id: &str, update: BatchUpdate) {
    store.settle(channel, id, &update, &ChannelState::default()).await.unwrap();
}

async fn told(store: &dyn Store) -> Vec<String> {
    store.told(&[ROW]).await.unwrap().remove(0)
}

pub(super) fn delivered(seconds: i64) -> BatchUpdate {
    BatchUpdate::Delivered { at: at(seconds) }
}

pub(super) async fn settles_what_is_true_no_more(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops", "dev"]))).await;
    begin(&*store, "dev", "b1").await;
    // What may have arrived is not settled.
    let settled = commit(&*store, said(rung("14d", &["ops", "dev"]))).await;
    assert_eq!(settled, [("ops".to_owned(), 1)]);
    assert_eq!(ids(&*store, "ops").await, ["14d"]);
    assert_eq!(ids(&*store, "dev").await, ["30d", "14d"]);
    // A refused one waits again and settles.
    end(&*store, "dev", "b1", BatchUpdate::Released).await;
    assert_eq!(pending(&*store, "dev").await[0].batch, None);
    let settled = post(&*store, closed("renewed", &["ops", "dev"])).await;
    assert_eq!(settled, [("dev".to_owned(), 2), ("ops".to_owned(), 1)]);
    assert_eq!((ids(&*store, "ops").await.len(), ids(&*store, "dev").await.len()), (0, 0));
    assert_eq!(store.saved().await.unwrap().ledger, []);
    // Never sent, so it is news when it is decided again.
    commit(&*store, said(rung("14d", &["ops"]))).await;
    assert_eq!(ids(&*store, "ops").await, ["14d"]);
}

pub(super) async fn says_a_closing_to_those_who_were_told_or_may_have_been(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops", "dev", "old", "off"]))).await;
    assert_eq!(told(&*store).await, Vec::<String>::new(), "nobody is told before a delivery");
    for channel in ["ops", "old"] {
        begin(&*store, channel, "b1").await;
        end(&*store, channel, "b1", delivered(120)).await;
    }
    assert_eq!(told(&*store).await, ["old", "ops"]);
    let open = async |channel| store.open_for(channel).await.unwrap();
    let rungs: Vec<_> = open("ops").await.iter().map(|(row, said)| (*row, said.rung)).collect();
    assert_eq!(rungs, [(ROW, Rung::Before(86_400))], "what is open, to whom it was told");
    assert_eq!(open("dev").await, [], "not before a delivery");
    begin(&*store, "dev", "b1").await;
    commit(&*store, said(rung("14d", &["night"]))).await;
    assert_eq!(told(&*store).await, ["old", "ops"], "the union of all");
    post(&*store, closed("renewed", &["ops", "dev", "off", "night"])).await;
    assert_eq!(store.open_for("ops").await.unwrap(), [], "what was closed is open to nobody");
    assert_eq!(ids(&*store, "ops").await, ["renewed"]);
    assert_eq!(ids(&*store, "dev").await, ["30d", "renewed"], "it may have arrived");
    for channel in ["old", "off", "night"] {
        assert_eq!(ids(&*store, channel).await, Vec::<String>::new(), "{channel}");
    }
    // The number is another certificate's now: what was under way says nothing of it.
    commit(&*store, said(rung("7d", &[]))).await;
    end(&*store, "dev", "b1", delivered(300)).await;
    assert_eq!(told(&*store).await, Vec::<String>::new());
    // Said before the closing, and news after it.
    commit(&*store, Commit { removed: vec![ROW], rows: vec![row(7, 1)], ..Commit::default() })
        .await;
    commit(&*store, said(rung("30d", &["ops"]))).await;
    assert_eq!(ids(&*store, "ops").await, ["renewed", "30d"]);
}

pub(super) async fn says_a_closing_again_where_the_alert_was_said_again(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    for (id, seconds) in [("b1", 120), ("b2", 320)] {
        commit(&*store, said(rung("30d", &["ops"]))).await;
        begin(&*store, "ops", id).await;
        end(&*store, "ops", id, delivered(seconds)).await;
        post(&*store, closed("renewed", &["ops"])).await;
        assert_eq!(ids(&*store, "ops").await, ["renewed"], "{id}");
        // A batch of one event has the event's id.
        begin(&*store, "ops", "renewed").await;
        end(&*store, "ops", "renewed", delivered(seconds + 100)).await;
        assert_eq!(ids(&*store, "ops").await, Vec::<String>::new());
    }
}

pub(super) async fn holds_what_waits_and_keeps_who_was_told(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops", "dev", "room"]))).await;
    for channel in ["ops", "dev"] {
        begin(&*store, channel, "b1").await;
    }
    end(&*store, "ops", "b1", delivered(120)).await;
    let held = Post::Held { about: About::Certificate(ROW), at: at(130) };
    assert_eq!(post(&*store, held).await, [("room".to_owned(), 1)]);
    assert_eq!(ids(&*store, "dev").await, ["30d"], "it may have arrived");
    assert_eq!((told(&*store).await, ids(&*store, "room").await.len()), (names(&["ops"]), 0));
    // Said after all.
    let about = About::Certificate(ROW);
    let channels = names(&["dev", "room"]);
    post(&*store, Post::Say { event: event("30d", 100), channels, about }).await;
    assert_eq!(
        (ids(&*store, "dev").await.len(), ids(&*store, "room").await),
        (1, vec!["30d".to_owned()])
    );
    post(&*store, closed("renewed", &["ops", "dev", "room"])).await;
    assert_eq!(ids(&*store, "room").await, Vec::<String>::new(), "it never heard of it");
}

pub(super) async fn says_that_a_condition_is_over_to_those_who_heard_of_it(place: impl Place) {
    let store = place.open().await;
    let about = || About::Condition("source iot".to_owned());
    let channels = || names(&["ops", "dev"]);
    let say = Post::Say { event: event("stale", 100), channels: channels(), about: about() };
    post(&*store, say).await;
    begin(&*store, "ops", "b1").await;
    end(&*store, "ops", "b1", delivered(120)).await;
    let over = Post::Over {
        key: "source iot".to_owned(),
        at: at(200),
        event: Some(event("recovered", 200)),
        channels: channels(),
        otherwise: channels(),
    };
    assert_eq!(post(&*store, over).await, [("dev".to_owned(), 1)]);
    assert_eq!(ids(&*store, "ops").await, ["recovered"]);
    assert_eq!(ids(&*store, "dev").await, Vec::<String>::new());
}

pub(super) async fn says_that_it_is_over_to_nobody_else(place: impl Place) {
    let store = place.open().await;
    let about = About::Condition("source iot".to_owned());
    let say = Post::Say { event: event("stale", 100), channels: names(&["pager"]), about };
    post(&*store, say).await;
    begin(&*store, "pager", "b1").await;
    end(&*store, "pager", "b1", delivered(120)).await;
    let over = Post::Over {
        key: "source iot".to_owned(),
        at: at(200),
        event: Some(event("recovered", 200)),
        channels: names(&["ops", "pager"]),
        otherwise: names(&["ops"]),
    };
    post(&*store, over).await;
    assert_eq!(ids(&*store, "pager").await, ["recovered"]);
    assert_eq!(ids(&*store, "ops").await, Vec::<String>::new(), "it never heard of it");
    // One that began before it was kept who heard of it, or whose channel is called otherwise now.
    let over = Post::Over {
        key: "source plant".to_owned(),
        at: at(300),
        event: Some(event("recovered-2", 300)),
        channels: names(&["ops", "pager"]),
        otherwise: names(&["ops"]),
    };
    post(&*store, over).await;
    assert_eq!(ids(&*store, "ops").await, ["recovered-2"]);
}

pub(super) async fn says_again_what_was_given_up_while_it_is_open(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    let given_up = async |id: &str, seconds: i64| {
        begin(&*store, "ops", id).await;
        let dead = BatchUpdate::Dead { at: at(seconds), code: "no_text".to_owned() };
        end(&*store, "ops", id, dead).await;
    };
    commit(&*store, said(rung("30d", &["ops"]))).await;
    given_up("b1", 120).await;
    assert_eq!(store.unsaid().await.unwrap(), [], "it is to be said again");
    assert_eq!(store.say_again("ops", at(119), at(130)).await.unwrap(), 0);
    assert_eq!(store.say_again("dev", at(900), at(130)).await.unwrap(), 0);
    assert_eq!(store.say_again("ops", at(120), at(130)).await.unwrap(), 1);
    assert_eq!(store.say_again("ops", at(120), at(130)).await.unwrap(), 0, "once");
    let again = pending(&*store, "ops").await.remove(0).event;
    assert_eq!((again.at, again.id.len()), (at(130), 32), "an event of its own");
    given_up("b2", 140).await;
    // The first delivery after it.
    post(&*store, (event("other", 150), names(&["ops"])).into()).await;
    begin(&*store, "ops", "b3").await;
    end(&*store, "ops", "b3", delivered(160)).await;
    assert_eq!(pending(&*store, "ops").await.len(), 1);
    given_up("b4", 170).await;
    // What is closed is not said again.
    post(&*store, closed("renewed", &["ops"])).await;
    assert_eq!(store.say_again("ops", at(900), at(900)).await.unwrap(), 0);
    assert_eq!(ids(&*store, "ops").await, Vec::<String>::new(), "nobody was told");
}

pub(super) async fn routes_anew_what_waits_for_channels_that_are_gone(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["old", "ops"]))).await;
    for channel in ["old", "ops"] {
        begin(&*store, channel, "b1").await;
        end(&*store, channel, "b1", delivered(120)).await;
    }
    commit(&*store, said(rung("14d", &["old"]))).await;
    let there = names(&["ops"]);
    let about = About::Certificate(ROW);
    let waiting = Stranded { event: event("14d", 100), about: about.clone() };
    assert_eq!(store.stranded(&there).await.unwrap(), [waiting]);
    let channels = Post::Channels { at: at(200), names: there.clone() };
    assert_eq!(post(&*store, channels.clone()).await, [("old".to_owned(), 1)]);
    assert_eq!(store.stranded(&there).await.unwrap(), []);
    assert_eq!(told(&*store).await, ["ops"]);
    assert_eq!(store.unsaid().await.unwrap(), []);
    let names = Post::Channels { at: at(300), names: names(&["new"]) };
    post(&*store, names).await;
    assert_eq!(told(&*store).await, Vec::<String>::new());
    assert_eq!(store.unsaid().await.unwrap(), [ROW], "nobody was told, and nothing waits");
    let event = event("14d", 100);
    post(&*store, Post::Say { event, channels: there, about }).await;
    assert_eq!(store.unsaid().await.unwrap(), [], "something waits");
}

pub(super) async fn copies_what_was_said_and_to_whom(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops"]))).await;
    begin(&*store, "ops", "b1").await;
    end(&*store, "ops", "b1", delivered(120)).await;
    let inherited = vec![(ROW, RowId(8)), (RowId(9), RowId(7))];
    commit(&*store, Commit { inherited, ..Commit::default() }).await;
    assert_eq!(store.told(&[RowId(8), ROW]).await.unwrap(), [["ops"], ["ops"]]);
    let ledger = store.saved().await.unwrap().ledger;
    assert_eq!(ledger, [(ROW, notified(100)), (RowId(8), notified(100))]);
}

pub(super) async fn leaves_out_what_is_not_to_be_said(place: impl Place) {
    let store = place.open().await;
    known(&*store).await;
    commit(&*store, said(rung("30d", &["ops", "dev"]))).await;
    post(&*store, (event("other", 110), names(&["ops"])).into()).await;
    let waiting: Vec<i64> = pending(&*store, "ops").await.iter().map(|one| one.delivery).collect();
    assert_eq!(store.leave_out("dev", &waiting, at(120)).await.unwrap(), 0, "of another channel");
    assert_eq!(store.leave_out("ops", &waiting[..1], at(120)).await.unwrap(), 1);
    assert_eq!(store.leave_out("ops", &waiting[..1], at(120)).await.unwrap(), 0, "once");
    assert_eq!(ids(&*store, "ops").await, ["other"]);
    assert_eq!(ids(&*store, "dev").await, ["30d"]);
    begin(&*store, "ops", "b1").await;
    assert_eq!(store.leave_out("ops", &waiting, at(130)).await.unwrap(), 0, "it may have arrived");
    // What was left out was never sent: it is said when it is decided again.
    commit(&*store, said(rung("30d", &["ops"]))).await;
    assert_eq!(ids(&*store, "ops").await, ["other", "30d"]);
}

//! What every store must do: one suite, run against each.

use std::sync::Arc;

use super::{
    Batch, Body, Checkpoint, Commit, ListQuery, Pending, Post, RowWrite, ScanRecord, Store,
};
use crate::expiry::{
    Event, Kind, Notified, RowId, Rung, ScopeId, Severity, Sighting, Status, StoredParts,
    StoredRow, Timestamp, Topic,
};

mod agreement;
pub(crate) mod any;
mod calls;
mod certificates;
mod checkpoints;
mod entries;
mod heard;
mod history;
mod names;
mod outbox;
mod posts;
mod snoozes;

pub(crate) use agreement::agrees_with_memory;
pub(crate) use calls::input;

/// Where a store lives, so that it can be closed and opened again.
pub(crate) trait Place {
    /// Opens the store; the one opened before has been dropped.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Runs every case, each in a place of its own.
pub(crate) async fn conformance<P: Place>(fresh: impl Fn() -> P) {
    certificates::starts_empty(fresh()).await;
    certificates::comes_back_after_a_restart(fresh()).await;
    certificates::hands_over_rows_in_order(fresh()).await;
    certificates::applies_a_step_in_its_order(fresh()).await;
    certificates::leaves_nothing_of_a_broken_step(fresh()).await;
    certificates::reads_facts_in_the_order_asked(fresh()).await;
    certificates::keeps_labels(fresh()).await;
    certificates::lists_the_soonest(fresh()).await;
    names::are_found_by_three_letters_of_each(fresh()).await;
    names::are_found_as_they_are_now_and_not_as_they_were(fresh()).await;
    names::reads_all_that_is_kept(fresh()).await;
    certificates::keeps_the_newest_scan(fresh()).await;
    certificates::drops_sources_that_are_gone(fresh()).await;
    checkpoints::keeps_the_newest(fresh()).await;
    checkpoints::forgets_those_of_a_scope_first(fresh()).await;
    checkpoints::are_handed_over_in_chunks(fresh()).await;
    checkpoints::come_and_go_with_their_step(fresh()).await;
    outbox::takes_an_event_once_for_each_channel(fresh()).await;
    outbox::keeps_a_frozen_batch(fresh()).await;
    outbox::freezes_all_or_none(fresh()).await;
    outbox::keeps_what_a_batch_says_for_as_long_as_the_batch(fresh()).await;
    outbox::keeps_batches_of_channels_apart(fresh()).await;
    outbox::settles_in_each_way(fresh()).await;
    outbox::counts_what_waits(fresh()).await;
    outbox::keeps_the_state_of_a_channel(fresh()).await;
    outbox::forgets_what_was_sent_after_ninety_days(fresh()).await;
    outbox::forgets_what_was_given_up_after_four_hundred_days(fresh()).await;
    entries::are_messages_and_what_waits(fresh()).await;
    entries::are_sent_once_more_or_dropped(fresh()).await;
    entries::need_nobody_once_they_were_said_again(fresh()).await;
    history::is_read_in_its_order_by_time_and_certificate(fresh()).await;
    history::goes_when_it_is_old_or_too_much(fresh()).await;
    history::holds_what_became_of_messages(fresh()).await;
    history::keeps_ten_ends_that_a_certificate_had(fresh()).await;
    history::knows_what_was_said_of_a_certificate(fresh()).await;
    posts::settles_what_is_true_no_more(fresh()).await;
    posts::says_a_closing_to_those_who_were_told_or_may_have_been(fresh()).await;
    posts::says_a_closing_again_where_the_alert_was_said_again(fresh()).await;
    posts::holds_what_waits_and_keeps_who_was_told(fresh()).await;
    posts::says_that_a_condition_is_over_to_those_who_heard_of_it(fresh()).await;
    posts::says_that_it_is_over_to_nobody_else(fresh()).await;
    posts::says_again_what_was_given_up_while_it_is_open(fresh()).await;
    posts::routes_anew_what_waits_for_channels_that_are_gone(fresh()).await;
    posts::copies_what_was_said_and_to_whom(fresh()).await;
    heard::is_kept_where_it_was_long_after(fresh()).await;
    heard::is_unknown_while_a_message_may_have_arrived(fresh()).await;
    posts::leaves_out_what_is_not_to_be_said(fresh()).await;
    snoozes::are_kept_until_long_after_their_end(fresh()).await;
    snoozes::links_are_signed_with_one_key(fresh()).await;
}

pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// A device certificate that ends at 1 000 000 + its number.
pub(crate) fn row(number: u32, scope: u32) -> RowWrite {
    let sighting = Sighting {
        issuer: "ca-1".to_owned(),
        serial: format!("serial-{number}"),
        place: String::new(),
        fingerprint: None,
        collides: false,
        signer: "ca-1".to_owned(),
        signs: String::new(),
        kind: Kind::Device,
        status: Status::Active,
        not_before: None,
        not_after: Some(at(1_000_000 + i64::from(number))),
        end_unlisted: false,
        common_name: format!("cn-{number}"),
        holder: format!("device-{number}"),
        unit: "plant-7".to_owned(),
        names: Vec::new(),
        successors: Vec::new(),
        labels: Vec::new(),
    };
    let status = Status::Active;
    RowWrite { row: RowId(number), scope: ScopeId(scope), sighting, status, first_seen: at(5) }
}

pub(crate) fn scope(number: u32, source: &str, scope: &str) -> (ScopeId, Arc<str>, Arc<str>) {
    (ScopeId(number), source.into(), scope.into())
}

pub(crate) const fn notified(seconds: i64) -> Notified {
    Notified { rung: Rung::Before(86_400), at: at(seconds), mild: false, count: 0 }
}

pub(crate) fn scan(source: &str, window: &str, ended: i64) -> ScanRecord {
    ScanRecord {
        source: source.to_owned(),
        scope: "all".to_owned(),
        window: window.to_owned(),
        started: at(ended - 10),
        ended: at(ended),
        proven: true,
        reported: 7,
        collected: 7,
        last_proven: Some(at(ended)),
        error: None,
    }
}

pub(crate) fn checkpoint(source: &str, scope: &str, key: &str, value: Option<&str>) -> Checkpoint {
    let (source, scope, key) = (source.to_owned(), scope.to_owned(), key.to_owned());
    Checkpoint { source, scope, key, value: value.map(str::to_owned) }
}

pub(crate) fn event(id: &str, seconds: i64) -> Event {
    let topic = Topic::SourceRecovered { source: format!("source of {id}") };
    Event { id: id.to_owned(), at: at(seconds), severity: Severity::Info, topic }
}

pub(crate) fn batch(id: &str) -> Batch {
    Batch {
        id: id.to_owned(),
        attempts: 1,
        detail: 0,
        next_at: at(60),
        composed_at: at(50),
        begun: true,
        pages: 0,
    }
}

/// What a batch says: two pages.
pub(crate) fn body() -> Body {
    let pages = ["{\"text\":\"证书 \\u0000 '\"}", ""].map(str::to_owned);
    Body { kind: "webhook".to_owned(), pages: pages.to_vec() }
}

/// A step that adds events with these ids, the first at 100, for these channels.
pub(crate) fn step(ids: &[&str], channels: &[&str]) -> Commit {
    let channels: Vec<String> = channels.iter().copied().map(str::to_owned).collect();
    let outbox = (100..).zip(ids).map(|(at, id)| Post::from((event(id, at), channels.clone())));
    let outbox = outbox.collect();
    Commit { outbox, ..Commit::default() }
}

/// What is handed back for a row; its type shows nothing but through `Debug`.
pub(crate) fn stored(write: &RowWrite) -> String {
    let sighting = &write.sighting;
    let parts =
        StoredParts { status: write.status, ..StoredParts::of(sighting, sighting.row_digest()) };
    format!("{:?} {:?}", write.scope, StoredRow::new(write.row, parts))
}

pub(crate) async fn rows(store: &dyn Store) -> Vec<String> {
    let mut rows = Vec::new();
    let mut each = |chunk: Vec<(ScopeId, StoredRow)>| {
        assert!(!chunk.is_empty() && chunk.len() <= 10_000, "{} rows at once", chunk.len());
        rows.extend(chunk.iter().map(|(scope, row)| format!("{scope:?} {row:?}")));
    };
    store.rows(&mut each).await.unwrap();
    rows
}

pub(crate) async fn pending(store: &dyn Store, channel: &str) -> Vec<Pending> {
    let pending = store.pending(channel, 1000).await.unwrap();
    assert!(pending.is_sorted_by_key(|one| one.delivery), "{pending:?}");
    pending
}

pub(crate) async fn serials(store: &dyn Store, query: ListQuery) -> Vec<String> {
    store.list(&query).await.unwrap().into_iter().map(|facts| facts.serial).collect()
}

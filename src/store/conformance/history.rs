//! What happened, and what is kept of one certificate beside itself.

use super::super::{
    AuditEntry, AuditQuery, Audited, BatchUpdate, ChannelState, EntryQuery, Standing, Verdict,
};
use super::*;
use crate::expiry::Facts;
use crate::store::AUDIT_KEPT;

fn stopped(seconds: i64, certificate: Option<&str>) -> AuditEntry {
    AuditEntry { at: at(seconds), certificate: certificate.map(str::to_owned), what: Audited::Stop }
}

async fn happen(store: &dyn Store, audit: Vec<AuditEntry>) {
    store.commit(Arc::new(Commit { audit, ..Commit::default() })).await.unwrap();
}

async fn times(store: &dyn Store, query: AuditQuery) -> Vec<i64> {
    let found = store.audit(&AuditQuery { limit: 100, ..query }).await.unwrap();
    assert!(found.is_sorted_by_key(|(number, _)| *number));
    found.into_iter().map(|(_, entry)| entry.at.seconds()).collect()
}

pub(super) async fn is_read_in_its_order_by_time_and_certificate(place: impl Place) {
    let store = place.open().await;
    assert_eq!(times(&*store, AuditQuery::default()).await, Vec::<i64>::new());
    happen(&*store, vec![stopped(100, None), stopped(200, Some("a"))]).await;
    // The clock was set back.
    happen(&*store, vec![stopped(150, Some("b")), stopped(300, Some("a"))]).await;
    drop(store);
    let store = place.open().await;
    let store = &*store;
    let since = |seconds| AuditQuery { since: Some(at(seconds)), ..AuditQuery::default() };
    assert_eq!(times(store, AuditQuery::default()).await, [100, 200, 150, 300]);
    assert_eq!(times(store, since(150)).await, [200, 150, 300]);
    assert_eq!(times(store, since(301)).await, Vec::<i64>::new());
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let named = AuditQuery { certificates: of(&["a", "c"]), ..AuditQuery::default() };
    assert_eq!(times(store, named.clone()).await, [200, 300]);
    assert_eq!(times(store, AuditQuery { since: Some(at(201)), ..named }).await, [300]);
    let first = store.audit(&AuditQuery { limit: 2, ..AuditQuery::default() }).await.unwrap();
    let after = first.last().unwrap().0;
    assert_eq!(times(store, AuditQuery { after, ..AuditQuery::default() }).await, [150, 300]);
}

pub(super) async fn goes_when_it_is_old_or_too_much(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    happen(store, (0..20).map(|number| stopped(number, None)).collect()).await;
    let (size, more) = store.forget_old(Some(at(5).plus(AUDIT_KEPT)), u64::MAX).await.unwrap();
    assert_eq!((size.dropped, more), (0, false));
    assert_eq!(times(store, AuditQuery::default()).await, (5..20).collect::<Vec<_>>());
    let mut more = true;
    let mut left = size;
    while more {
        (left, more) = store.forget_old(None, size.bytes / 2).await.unwrap();
    }
    assert!(left.bytes <= size.bytes / 2 && left.dropped > 0, "{left:?}");
    let kept = times(store, AuditQuery::default()).await;
    assert_eq!(kept.last(), Some(&19), "the oldest go first");
    assert_eq!(kept.len() as u64 + left.dropped, 15);
}

async fn freeze_all(store: &dyn Store, id: &str) {
    let waiting = pending(store, "ops").await;
    let waiting: Vec<i64> = waiting.into_iter().map(|one| one.delivery).collect();
    assert!(store.freeze(&waiting, &batch(id), &body()).await.unwrap());
}

pub(super) async fn holds_what_became_of_messages(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    let verdict =
        Verdict { at: at(500), outcome: "delivered".to_owned(), code: Some("c".to_owned()) };
    for (count, batch) in [(2, "b1"), (6, "b2")] {
        let ids: Vec<String> = (0..count).map(|number| format!("{batch}-{number}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        store.commit(Arc::new(step(&ids, &["ops"]))).await.unwrap();
        freeze_all(store, batch).await;
        let update = BatchUpdate::Delivered { at: at(500) };
        let state = ChannelState::default();
        store.judge(("ops", batch), &update, &state, Some(&verdict)).await.unwrap();
        store.judge(("ops", batch), &update, &state, Some(&verdict)).await.unwrap();
    }
    let found = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let sends = found.into_iter().map(|(_, entry)| match entry.what {
        Audited::Send { message, verdict, events, id, .. } => (message, verdict, events, id),
        other => panic!("{other:?}"),
    });
    let one = |message: &str, events, id: Option<&str>| {
        (message.to_owned(), "delivered".to_owned(), events, id.map(str::to_owned))
    };
    let expected = [one("b1", 2, Some("b1-0")), one("b1", 2, Some("b1-1")), one("b2", 6, None)];
    assert_eq!(sends.collect::<Vec<_>>(), expected, "a list is one with a count, and each once");
}

pub(super) async fn keeps_ten_ends_that_a_certificate_had(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    let ends = |row: RowWrite, seconds: i64| {
        let sighting = Sighting { not_after: Some(at(seconds)), ..row.sighting.clone() };
        RowWrite { sighting, ..row }
    };
    let (scopes, rows) = (vec![scope(1, "iot", "all")], vec![ends(row(1, 1), 100)]);
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();
    for step in 1..=12 {
        let rows = vec![ends(row(1, 1), 100 + step)];
        let former_ends = vec![(RowId(1), at(1000 + step))];
        store.commit(Arc::new(Commit { rows, former_ends, ..Commit::default() })).await.unwrap();
    }
    let kept = store.former_ends(RowId(1)).await.unwrap();
    let expected: Vec<_> = (2..12).map(|step| (at(100 + step), at(1001 + step))).collect();
    assert_eq!(kept, expected);
    assert_eq!(store.former_ends(RowId(2)).await.unwrap(), []);
    let removed = vec![RowId(1)];
    store.commit(Arc::new(Commit { removed, ..Commit::default() })).await.unwrap();
    assert_eq!(store.former_ends(RowId(1)).await.unwrap(), []);
}

pub(super) async fn knows_what_was_said_of_a_certificate(place: impl Place) {
    let store = place.open().await;
    let store = &*store;
    let facts = |serial: &str| Facts {
        serial: serial.to_owned(),
        not_after: Some(at(1)),
        ..Facts::bare(Kind::Device, Status::Active)
    };
    let say = |id: &str, serial: &str| {
        let (facts, elsewhere) = (facts(serial), None);
        let topic = Topic::Gone { facts, elsewhere };
        let event = Event { id: id.to_owned(), at: at(100), severity: Severity::Info, topic };
        Post::from((event, vec!["dev".to_owned(), "ops".to_owned()]))
    };
    let outbox = vec![say("e1", "a"), say("e2", "b"), say("e3", "a")];
    store.commit(Arc::new(Commit { outbox, ..Commit::default() })).await.unwrap();
    freeze_all(store, "b1").await;
    let update = BatchUpdate::Delivered { at: at(500) };
    store.settle("ops", "b1", &update, &ChannelState::default()).await.unwrap();
    let said = store.said_of(&facts("a").id()).await.unwrap();
    let said: Vec<_> = said
        .iter()
        .map(|one| (&*one.event.id, &*one.channel, one.standing, one.message.as_deref()))
        .collect();
    let expected = [
        ("e1", "ops", Standing::Sent, Some("b1")),
        ("e3", "dev", Standing::Waiting, None),
        ("e1", "dev", Standing::Waiting, None),
    ];
    assert_eq!(said, expected);
    assert_eq!(store.said_of("nothing").await.unwrap(), []);
    let query = EntryQuery { standing: Standing::Sent, channel: None, limit: 9 };
    assert_eq!(store.entries(&query).await.unwrap()[0].events, 3);
}

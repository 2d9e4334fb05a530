//! Stores that earlier releases wrote.

use std::collections::BTreeMap;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::conformance::{pending, rows};
use super::*;

/// What the release of `4d1c0c4` left behind; `tests/fixtures/README.md` tells how.
const FIRST: &str = include_str!("../../../tests/fixtures/stores/4d1c0c4/store.sql");

/// Opens what `dump` holds, which brings it up to date.
fn upgraded(dump: &str) -> (TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notafter.db");
    Connection::open(&path).unwrap().execute_batch(dump).unwrap();
    let store = Sqlite::open(&path).unwrap();
    (folder, store)
}

#[tokio::test]
async fn certificates_of_the_first_release_are_all_there() {
    let (_folder, store) = upgraded(FIRST);
    assert_eq!(rows(&store).await.len(), 132);
    let query = ListQuery { limit: usize::MAX, ..ListQuery::default() };
    let mut kinds = BTreeMap::<_, u32>::new();
    for facts in store.list(&query).await.unwrap() {
        *kinds.entry((facts.source, facts.kind.as_str())).or_default() += 1;
    }
    let kinds: Vec<_> =
        kinds.iter().map(|((source, kind), count)| (source.as_str(), *kind, *count)).collect();
    let expected = [
        ("host", "ca", 1),
        ("host", "client", 1),
        ("host", "server", 3),
        ("iot", "ca", 3),
        ("iot", "device", 62),
        ("plant", "device", 21),
        ("web", "ca", 3),
        ("web", "server", 25),
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn what_the_first_release_notified_is_not_forgotten() {
    let (_folder, store) = upgraded(FIRST);
    let saved = store.saved().await.unwrap();
    assert_eq!((saved.scopes.len(), saved.ledger.len(), saved.scans.len()), (4, 25, 8));
    assert!(saved.scans.iter().all(|scan| scan.proven));
    let (row, last) = saved.ledger.iter().max_by_key(|(_, entry)| entry.at).unwrap();
    assert_eq!(last.at.seconds(), 1_795_784_754);
    assert_eq!(store.told(&[*row]).await.unwrap(), [["audit", "night", "ops"]]);
    let facts = store.facts(&[*row]).await.unwrap().remove(0).unwrap();
    assert_eq!((&*facts.source, &*facts.common_name), ("host", "late.example.org"));
    assert_eq!(store.checkpoints("plant").await.unwrap().len(), 21);
}

#[tokio::test]
async fn what_the_first_release_had_still_to_deliver_is_delivered() {
    let (_folder, store) = upgraded(FIRST);
    let oldest = Timestamp::from_seconds(1_795_784_695);
    assert_eq!(store.backlog().await.unwrap(), [("night".to_owned(), 5, oldest)]);
    let waiting = pending(&store, "night").await;
    let frozen: Vec<_> =
        waiting.iter().map(|one| one.batch.as_ref().map(|batch| batch.attempts)).collect();
    assert_eq!(frozen, [Some(4), Some(4), Some(4), Some(4), None]);
    let events: Vec<_> = waiting
        .iter()
        .filter_map(|one| Some((one.event.kind(), &*one.event.facts()?.common_name)))
        .collect();
    let expected = [
        ("certificate.expiring", "gateway.example.org"),
        ("certificate.expiring", "operator"),
        ("certificate.expired", "ae3779b97f4a7eb79"),
        ("certificate.expired", "a08d12e6b76c86738"),
        ("certificate.expiring", "late.example.org"),
    ];
    assert_eq!(events, expected);
    assert_eq!(store.channel_state("night").await.unwrap().failures, 4);
}

#[tokio::test]
async fn an_upgraded_store_promises_what_a_new_one_does() {
    let (old, upgraded) = upgraded(FIRST);
    let new = tempfile::tempdir().unwrap();
    drop(upgraded);
    drop(Sqlite::open(&new.path().join("notafter.db")).unwrap());
    let tables = |folder: &TempDir| {
        let store = Connection::open(folder.path().join("notafter.db")).unwrap();
        let sound: String =
            store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let told = "SELECT name || ' ' || strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name";
        let mut told = store.prepare(told).unwrap();
        told.query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(tables(&old), tables(&new));
    assert!(tables(&old).contains(&"certificate 1".to_owned()), "{:?}", tables(&old));
    let store = Connection::open(old.path().join("notafter.db")).unwrap();
    store.execute("UPDATE certificate SET end_unlisted = 'soon'", []).unwrap_err();
}

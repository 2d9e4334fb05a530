//! Finding certificates by parts of their names.

use std::collections::BTreeSet;

use super::super::NameQuery;
use super::*;

fn query(parts: &[&str], most: usize) -> NameQuery {
    NameQuery { parts: parts.iter().map(|part| (*part).to_owned()).collect(), most }
}

/// Returns who may be found and has what is looked for, and how many may be found.
async fn find(store: &dyn Store, parts: &[&str]) -> (BTreeSet<u32>, usize) {
    let hits = store.find_names(&query(parts, 1000)).await.unwrap();
    assert!(!hits.more);
    let kept = store.kept(&hits.rows).await.unwrap();
    let named = hits.rows.iter().zip(kept).filter(|(_, kept)| {
        kept.as_ref().is_some_and(|kept| parts.iter().all(|part| kept.is_named(part)))
    });
    (named.map(|(row, _)| row.0).collect(), hits.rows.len())
}

async fn commit(store: &dyn Store, rows: Vec<RowWrite>, removed: &[u32]) {
    let removed = removed.iter().copied().map(RowId).collect();
    store.commit(Arc::new(Commit { rows, removed, ..Commit::default() })).await.unwrap();
}

fn called(number: u32, name: &str) -> RowWrite {
    let mut write = row(number, 1);
    name.clone_into(&mut write.sighting.common_name);
    write
}

pub(super) async fn are_found_by_three_letters_of_each(place: impl Place) {
    let store = place.open().await;
    let scopes = vec![scope(1, "iot", "all")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    let mut many = called(4, "plain");
    many.sighting.names = vec!["a.example".to_owned(), "Mixed.Example".to_owned()];
    many.sighting.place = "/srv/\"quoted\" 证书一号".to_owned();
    commit(&*store, vec![called(1, "Kettle-01"), called(2, "kettle-02"), many], &[]).await;
    while !store.index_names(2).await.unwrap() {}
    let hits = store.find_names(&query(&["ket"], 10)).await.unwrap();
    assert_eq!((hits.unindexed, hits.more), (None, false));
    for (parts, expected) in [
        (&["ket", "-01"][..], &[1][..]),
        (&["ket"], &[1, 2]),
        (&["mix"], &[4]),
        (&["\"qu"], &[4]),
        (&["证书一"], &[4]),
        (&["dev", "ice"], &[1, 2, 4]),
        (&["xyz"], &[]),
    ] {
        let (found, _) = find(&*store, parts).await;
        assert_eq!(found, expected.iter().copied().collect(), "{parts:?}");
    }
    let some = store.find_names(&query(&["dev"], 2)).await.unwrap();
    assert_eq!((some.rows.len(), some.more), (2, true));
}

pub(super) async fn are_found_as_they_are_now_and_not_as_they_were(place: impl Place) {
    let store = place.open().await;
    let scopes = vec![scope(1, "iot", "all")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    commit(&*store, vec![called(1, "before"), called(2, "removed"), called(3, "stays")], &[]).await;
    while !store.index_names(100).await.unwrap() {}
    // One changes, one goes, its number is given to another one, and one is new.
    commit(&*store, vec![called(1, "after"), called(9, "newcomer")], &[2]).await;
    commit(&*store, vec![called(2, "heir")], &[]).await;
    for indexed in [false, true] {
        while indexed && !store.index_names(1).await.unwrap() {}
        let hits = store.find_names(&query(&["new"], 10)).await.unwrap();
        let behind = hits.unindexed.is_some_and(|row| row.0 <= 9);
        assert!(behind || hits.rows.contains(&RowId(9)), "{hits:?}");
        for (part, expected) in
            [("bef", &[][..]), ("aft", &[1]), ("rem", &[]), ("hei", &[2]), ("sta", &[3])]
        {
            let (found, _) = find(&*store, &[part]).await;
            assert_eq!(found, expected.iter().copied().collect(), "{part} {indexed}");
        }
    }
    let (_, candidates) = find(&*store, &["bef"]).await;
    assert_eq!(candidates, 0, "what is in the index twice is found for nothing");
    drop(store);
    let store = place.open().await;
    store.retain_sources(&[]).await.unwrap();
    while !store.index_names(100).await.unwrap() {}
    assert_eq!(find(&*store, &["hei"]).await, (BTreeSet::new(), 0));
}

pub(super) async fn reads_all_that_is_kept(place: impl Place) {
    let store = place.open().await;
    let mut write = row(7, 1);
    write.sighting.names = vec!["a.example".to_owned()];
    write.sighting.successors = vec!["next".to_owned()];
    let scopes = vec![scope(1, "iot", "all")];
    let rows = vec![write];
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();
    let kept = store.kept(&[RowId(8), RowId(7)]).await.unwrap();
    assert_eq!(kept[0], None);
    let kept = kept[1].as_ref().unwrap();
    assert_eq!(Some(&kept.facts), store.facts(&[RowId(7)]).await.unwrap()[0].as_ref());
    assert_eq!((kept.first_seen, &kept.names[..]), (at(5), &["a.example".to_owned()][..]));
    assert_eq!(kept.successors, ["next"]);
}

//! Certificates, what was notified about them, and scans.

use super::*;
use crate::expiry::{Facts, Labels};

pub(super) async fn starts_empty(place: impl Place) {
    let store = place.open().await;
    let saved = store.saved().await.unwrap();
    assert!(saved.scopes.is_empty() && saved.ledger.is_empty());
    assert!(saved.conditions.is_empty() && saved.scans.is_empty());
    assert_eq!(rows(&*store).await, Vec::<String>::new());
    assert_eq!(store.backlog().await.unwrap(), []);
    assert_eq!(store.facts(&[RowId(0)]).await.unwrap(), [None]);
    store.commit(Arc::new(Commit::default())).await.unwrap();
}

pub(super) async fn comes_back_after_a_restart(place: impl Place) {
    let mut odd = row(u32::MAX, u32::MAX);
    odd.sighting.names = vec!["a.example".to_owned(), "\"\u{0}设备".to_owned()];
    odd.sighting.successors = vec![String::new()];
    odd.sighting.serial = "'\u{0}--".to_owned();
    odd.sighting.not_before = Some(at(-1));
    odd.sighting.status = Status::Revoked;
    odd.status = Status::Superseded;
    let expected = vec![stored(&row(0, 3)), stored(&odd)];
    let ledger = vec![(RowId(0), notified(50)), (RowId(u32::MAX), notified(51))];
    let commit = Commit {
        scopes: vec![scope(3, "iot", "mqtt-1"), scope(u32::MAX, "web", "all")],
        rows: vec![odd, row(0, 3)],
        ledger: ledger.iter().copied().map(|(row, entry)| (row, Some(entry))).collect(),
        conditions: vec![("source/iot".to_owned(), Some(at(9)))],
        scans: vec![scan("iot", "all", 100)],
        ..Commit::default()
    };
    let store = place.open().await;
    store.commit(Arc::new(commit)).await.unwrap();
    drop(store);

    let store = place.open().await;
    let saved = store.saved().await.unwrap();
    let scopes = [(3, "iot", "mqtt-1"), (u32::MAX, "web", "all")]
        .map(|(id, source, scope)| (ScopeId(id), source.to_owned(), scope.to_owned()));
    assert_eq!(saved.scopes, scopes);
    assert_eq!(saved.ledger, ledger);
    assert_eq!(saved.conditions, [("source/iot".to_owned(), at(9))]);
    assert_eq!(saved.scans, [scan("iot", "all", 100)]);
    assert_eq!(rows(&*store).await, expected);
}

pub(super) async fn hands_over_rows_in_order(place: impl Place) {
    let store = place.open().await;
    // More than one chunk, written backwards and in two steps.
    let all: Vec<_> = (0..9001).map(|number| row(number * 3, 1)).collect();
    let (first, second) = all.split_at(4500);
    for (scopes, rows) in [(vec![scope(1, "iot", "all")], second), (Vec::new(), first)] {
        let rows = rows.iter().rev().cloned().collect();
        store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();
    }
    assert_eq!(rows(&*store).await, all.iter().map(stored).collect::<Vec<_>>());
}

pub(super) async fn applies_a_step_in_its_order(place: impl Place) {
    let store = place.open().await;
    let known = Commit {
        scopes: vec![scope(1, "iot", "all")],
        rows: vec![row(1, 1), row(2, 1), row(3, 1)],
        ledger: [1, 2, 3].map(|number| (RowId(number), Some(notified(5)))).to_vec(),
        conditions: vec![("a".to_owned(), Some(at(1))), ("b".to_owned(), Some(at(2)))],
        ..Commit::default()
    };
    store.commit(Arc::new(known)).await.unwrap();

    let mut reused = row(2, 1);
    "another".clone_into(&mut reused.sighting.serial);
    let mut later = row(1, 1);
    later.sighting.not_after = Some(at(2_000_000));
    let step = Commit {
        removed: vec![RowId(2), RowId(3), RowId(77)],
        rows: vec![reused.clone(), row(1, 1), later.clone()],
        statuses: vec![(RowId(1), Status::Superseded), (RowId(3), Status::Active)],
        ledger: vec![(RowId(1), Some(notified(6)))],
        conditions: vec![("a".to_owned(), None), ("b".to_owned(), Some(at(3)))],
        ..Commit::default()
    };
    store.commit(Arc::new(step)).await.unwrap();
    later.status = Status::Superseded;
    assert_eq!(rows(&*store).await, [stored(&later), stored(&reused)]);
    let saved = store.saved().await.unwrap();
    assert_eq!(saved.ledger, [(RowId(1), notified(6))]);
    assert_eq!(saved.conditions, [("b".to_owned(), at(3))]);

    let ledger = vec![(RowId(1), None), (RowId(77), None)];
    store.commit(Arc::new(Commit { ledger, ..Commit::default() })).await.unwrap();
    assert_eq!(store.saved().await.unwrap().ledger, []);
}

pub(super) async fn leaves_nothing_of_a_broken_step(place: impl Place) {
    let store = place.open().await;
    let scopes = vec![scope(1, "iot", "all")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    let broken = Commit {
        scopes: vec![scope(2, "web", "all"), scope(1, "iot", "again")],
        rows: vec![row(1, 1)],
        scans: vec![scan("iot", "all", 9)],
        ..step(&["e1"], &["ops"])
    };
    store.commit(Arc::new(broken)).await.unwrap_err();
    let saved = store.saved().await.unwrap();
    assert_eq!(saved.scopes, [(ScopeId(1), "iot".to_owned(), "all".to_owned())]);
    assert_eq!((saved.scans, pending(&*store, "ops").await), (Vec::new(), Vec::new()));
    assert_eq!(rows(&*store).await, Vec::<String>::new());
    // And the next step is not held up.
    store.commit(Arc::new(step(&["e1"], &["ops"]))).await.unwrap();
    assert_eq!(pending(&*store, "ops").await.len(), 1);
}

pub(super) async fn reads_facts_in_the_order_asked(place: impl Place) {
    let store = place.open().await;
    let mut second = row(2, 1);
    second.status = Status::Inactive;
    let rows = vec![row(1, 1), second, row(5, 2)];
    let scopes = vec![scope(1, "iot", "mqtt-1"), scope(2, "web", "all")];
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();

    let asked = [5, 3, 2, 5, u32::MAX].map(RowId);
    let facts = store.facts(&asked).await.unwrap();
    let serials: Vec<_> =
        facts.iter().map(|facts| facts.as_ref().map_or("-", |facts| &*facts.serial)).collect();
    assert_eq!(serials, ["serial-5", "-", "serial-2", "serial-5", "-"]);
    let expected = Facts {
        source: "iot".to_owned(),
        scope: "mqtt-1".to_owned(),
        issuer: "ca-1".to_owned(),
        serial: "serial-2".to_owned(),
        place: String::new(),
        fingerprint: None,
        collides: false,
        kind: Kind::Device,
        status: Status::Inactive,
        common_name: "cn-2".to_owned(),
        holder: "device-2".to_owned(),
        unit: "plant-7".to_owned(),
        not_before: None,
        not_after: Some(at(1_000_002)),
        labels: Labels::new(),
    };
    assert_eq!(facts[2].as_ref(), Some(&expected));
    assert_eq!(store.facts(&[]).await.unwrap(), []);
}

pub(super) async fn keeps_labels(place: impl Place) {
    let labelled = |number: u32, labels: &[(&str, &str)]| {
        let mut row = row(number, 1);
        let owned = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        row.sighting.labels = owned.collect();
        row
    };
    let store = place.open().await;
    let scopes = vec![scope(1, "web", "all")];
    let team = [("env", "prod \"'\u{202e}"), ("team", "web")];
    let rows = vec![labelled(1, &team), labelled(2, &team), labelled(3, &[])];
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();
    let labels = async |store: &dyn Store| {
        let facts = store.facts(&[1, 2, 3].map(RowId)).await.unwrap();
        facts.into_iter().map(|facts| facts.unwrap().labels).collect::<Vec<Labels>>()
    };
    let expected: Labels = labelled(1, &team).sighting.labels.into_iter().collect();
    assert_eq!(labels(&*store).await, [expected.clone(), expected.clone(), Labels::new()]);
    let rows = vec![labelled(1, &[]), labelled(3, &team)];
    store.commit(Arc::new(Commit { rows, ..Commit::default() })).await.unwrap();
    assert_eq!(labels(&*store).await, [Labels::new(), expected.clone(), expected]);
}

pub(super) async fn lists_the_soonest(place: impl Place) {
    let store = place.open().await;
    let mut rows = vec![row(1, 1), row(2, 2), row(3, 1), row(4, 1)];
    rows[0].sighting.not_after = Some(at(300));
    rows[1].sighting.not_after = Some(at(-5));
    rows[2].sighting.not_after = None;
    rows[3].sighting.not_after = Some(at(200));
    let scopes = vec![scope(1, "iot", "all"), scope(2, "web", "all")];
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();

    let query = |source: Option<&str>, before: Option<i64>, limit| ListQuery {
        source: source.map(str::to_owned),
        ends_before: before.map(at),
        limit,
    };
    let check = async |query, expected: &[u32]| {
        let expected: Vec<_> = expected.iter().map(|number| format!("serial-{number}")).collect();
        assert_eq!(serials(&*store, query).await, expected);
    };
    check(query(None, None, usize::MAX), &[2, 4, 1]).await;
    check(query(None, None, 2), &[2, 4]).await;
    check(query(None, None, 0), &[]).await;
    check(query(Some("iot"), None, 10), &[4, 1]).await;
    check(query(Some("iot"), Some(300), 10), &[4]).await;
    check(query(Some("else"), None, 10), &[]).await;
    check(query(None, Some(-5), 10), &[]).await;
}

pub(super) async fn keeps_the_newest_scan(place: impl Place) {
    let store = place.open().await;
    let mut failed = scan("iot", "all", 200);
    failed.proven = false;
    failed.last_proven = Some(at(100));
    failed.error = Some("timed out".to_owned());
    let near = scan("iot", "near", 150);
    for scans in [vec![scan("iot", "all", 100), near.clone()], vec![failed.clone()]] {
        store.commit(Arc::new(Commit { scans, ..Commit::default() })).await.unwrap();
    }
    assert_eq!(store.scans().await.unwrap(), [failed, near]);
}

pub(super) async fn drops_sources_that_are_gone(place: impl Place) {
    let store = place.open().await;
    let known = Commit {
        scopes: vec![scope(1, "iot", "a"), scope(2, "web", "all"), scope(3, "iot", "b")],
        rows: vec![row(0, 1), row(1, 2), row(250_000, 3), row(250_001, 2)],
        ledger: [0, 1, 250_000].map(|number| (RowId(number), Some(notified(5)))).to_vec(),
        scans: vec![scan("iot", "all", 1), scan("web", "all", 2), scan("never-listed", "all", 3)],
        ..step(&["e1"], &["ops"])
    };
    store.commit(Arc::new(known)).await.unwrap();
    store.retain_sources(&["web".to_owned(), "not-yet-seen".to_owned()]).await.unwrap();

    let saved = store.saved().await.unwrap();
    assert_eq!(saved.scopes, [(ScopeId(2), "web".to_owned(), "all".to_owned())]);
    assert_eq!(saved.ledger, [(RowId(1), notified(5))]);
    assert_eq!(saved.scans, [scan("web", "all", 2)]);
    assert_eq!(rows(&*store).await, [stored(&row(1, 2)), stored(&row(250_001, 2))]);
    // What was decided is still to be sent.
    assert_eq!(pending(&*store, "ops").await.len(), 1);
}

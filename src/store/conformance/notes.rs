//! What scans want to find again.

use super::*;

fn noted(notes: Vec<Note>) -> Arc<Commit> {
    Arc::new(Commit { notes, ..Commit::default() })
}

pub(super) async fn keeps_the_newest(place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.notes("iot").await.unwrap(), []);
    let odd = "'\u{0}\"设备";
    let first = vec![
        note("iot", "b", "k", Some("1")),
        note("iot", "a", "z", Some("2")),
        note("iot", "a", odd, Some(odd)),
        note("web", "a", "k", Some("4")),
        note("iot", "a", "never there", None),
    ];
    store.commit(noted(first)).await.unwrap();
    let second = vec![
        note("iot", "a", "z", Some("5")),
        note("iot", "b", "k", None),
        note("iot", "b", "l", Some("6")),
        note("iot", "b", "l", Some("7")),
        note("iot", "b", "m", Some("8")),
        note("iot", "b", "m", None),
    ];
    store.commit(noted(second)).await.unwrap();
    drop(store);

    let store = place.open().await;
    let expected = [
        note("iot", "a", odd, Some(odd)),
        note("iot", "a", "z", Some("5")),
        note("iot", "b", "l", Some("7")),
    ];
    assert_eq!(store.notes("iot").await.unwrap(), expected);
    assert_eq!(store.notes("web").await.unwrap(), [note("web", "a", "k", Some("4"))]);
}

pub(super) async fn forgets_those_of_a_scope_first(place: impl Place) {
    let store = place.open().await;
    let before = vec![
        note("iot", "a", "old", Some("1")),
        note("iot", "b", "kept", Some("2")),
        note("web", "a", "kept", Some("3")),
    ];
    store.commit(noted(before)).await.unwrap();
    let step = Commit {
        unlisted: vec![("iot".to_owned(), "a".to_owned())],
        notes: vec![note("iot", "a", "new", Some("4"))],
        ..Commit::default()
    };
    store.commit(Arc::new(step)).await.unwrap();
    let left = [note("iot", "a", "new", Some("4")), note("iot", "b", "kept", Some("2"))];
    assert_eq!(store.notes("iot").await.unwrap(), left);

    store.retain_sources(&["web".to_owned()]).await.unwrap();
    assert_eq!(store.notes("iot").await.unwrap(), []);
    assert_eq!(store.notes("web").await.unwrap(), [note("web", "a", "kept", Some("3"))]);
}

pub(super) async fn are_handed_over_in_chunks(place: impl Place) {
    let store = place.open().await;
    let all: Vec<Note> =
        (0..9001).map(|number| note("iot", "all", &format!("{number:04}"), Some("v"))).collect();
    store.commit(noted(all.iter().rev().cloned().collect())).await.unwrap();
    let (mut handed, mut chunks) = (Vec::new(), 0);
    let mut each = |chunk: Vec<Note>| {
        assert!(!chunk.is_empty() && chunk.len() <= 10_000, "{} notes at once", chunk.len());
        chunks += 1;
        handed.extend(chunk);
    };
    store.each_note("iot", &mut each).await.unwrap();
    assert!(handed == all && chunks > 1, "{} notes in {chunks} chunks", handed.len());
}

pub(super) async fn come_and_go_with_their_step(place: impl Place) {
    let store = place.open().await;
    let scopes = vec![scope(1, "iot", "all")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    let broken = Commit {
        scopes: vec![scope(1, "iot", "again")],
        notes: vec![note("iot", "all", "k", Some("1"))],
        ..Commit::default()
    };
    store.commit(Arc::new(broken)).await.unwrap_err();
    assert_eq!(store.notes("iot").await.unwrap(), []);
}

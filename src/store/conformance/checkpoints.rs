//! What scans want to find again.

use super::*;

fn keeping(checkpoints: Vec<Checkpoint>) -> Arc<Commit> {
    Arc::new(Commit { checkpoints, ..Commit::default() })
}

pub(super) async fn keeps_the_newest(place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.checkpoints("iot").await.unwrap(), []);
    let odd = "'\u{0}\"设备";
    let first = vec![
        checkpoint("iot", "b", "k", Some("1")),
        checkpoint("iot", "a", "z", Some("2")),
        checkpoint("iot", "a", odd, Some(odd)),
        checkpoint("web", "a", "k", Some("4")),
        checkpoint("iot", "a", "never there", None),
    ];
    store.commit(keeping(first)).await.unwrap();
    let second = vec![
        checkpoint("iot", "a", "z", Some("5")),
        checkpoint("iot", "b", "k", None),
        checkpoint("iot", "b", "l", Some("6")),
        checkpoint("iot", "b", "l", Some("7")),
        checkpoint("iot", "b", "m", Some("8")),
        checkpoint("iot", "b", "m", None),
    ];
    store.commit(keeping(second)).await.unwrap();
    drop(store);

    let store = place.open().await;
    let expected = [
        checkpoint("iot", "a", odd, Some(odd)),
        checkpoint("iot", "a", "z", Some("5")),
        checkpoint("iot", "b", "l", Some("7")),
    ];
    assert_eq!(store.checkpoints("iot").await.unwrap(), expected);
    assert_eq!(store.checkpoints("web").await.unwrap(), [checkpoint("web", "a", "k", Some("4"))]);
}

pub(super) async fn forgets_those_of_a_scope_first(place: impl Place) {
    let store = place.open().await;
    let before = vec![
        checkpoint("iot", "a", "old", Some("1")),
        checkpoint("iot", "b", "kept", Some("2")),
        checkpoint("web", "a", "kept", Some("3")),
    ];
    store.commit(keeping(before)).await.unwrap();
    let step = Commit {
        unlisted: vec![("iot".to_owned(), "a".to_owned())],
        checkpoints: vec![checkpoint("iot", "a", "new", Some("4"))],
        ..Commit::default()
    };
    store.commit(Arc::new(step)).await.unwrap();
    let left =
        [checkpoint("iot", "a", "new", Some("4")), checkpoint("iot", "b", "kept", Some("2"))];
    assert_eq!(store.checkpoints("iot").await.unwrap(), left);

    store.retain_sources(&["web".to_owned()]).await.unwrap();
    assert_eq!(store.checkpoints("iot").await.unwrap(), []);
    assert_eq!(
        store.checkpoints("web").await.unwrap(),
        [checkpoint("web", "a", "kept", Some("3"))]
    );
}

pub(super) async fn are_handed_over_in_chunks(place: impl Place) {
    let store = place.open().await;
    let all: Vec<Checkpoint> = (0..9001)
        .map(|number| checkpoint("iot", "all", &format!("{number:04}"), Some("v")))
        .collect();
    store.commit(keeping(all.iter().rev().cloned().collect())).await.unwrap();
    let (mut handed, mut chunks) = (Vec::new(), 0);
    let mut each = |chunk: Vec<Checkpoint>| {
        assert!(!chunk.is_empty() && chunk.len() <= 10_000, "{} checkpoints at once", chunk.len());
        chunks += 1;
        handed.extend(chunk);
    };
    store.each_checkpoint("iot", &mut each).await.unwrap();
    assert!(handed == all && chunks > 1, "{} checkpoints in {chunks} chunks", handed.len());
}

pub(super) async fn come_and_go_with_their_step(place: impl Place) {
    let store = place.open().await;
    let scopes = vec![scope(1, "iot", "all")];
    store.commit(Arc::new(Commit { scopes, ..Commit::default() })).await.unwrap();
    let broken = Commit {
        scopes: vec![scope(1, "iot", "again")],
        checkpoints: vec![checkpoint("iot", "all", "k", Some("1"))],
        ..Commit::default()
    };
    store.commit(Arc::new(broken)).await.unwrap_err();
    assert_eq!(store.checkpoints("iot").await.unwrap(), []);
}

//! The files: whose they are, which schema they have, who may read them, and what is wrong with them.

use super::*;

#[tokio::test]
async fn a_file_that_turns_read_only_is_reported_and_still_read() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(full_step(1))).await.unwrap();
    let before = dump(&directory.path());
    pragma(&store, "query_only", 1).await;
    let error = store.commit(Arc::new(full_step(2))).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(error.to_string().contains("make the file and its directory writable"), "{error}");
    assert_eq!(rows(&store).await.len(), 2);
    assert_eq!(dump(&directory.path()), before);
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_file_is_reported_with_what_to_do() {
    let directory = Directory::new();
    let missing = directory.0.path().join("missing/notafter.db");
    let text = refusal(&missing);
    assert!(text.contains("missing of the store") && text.contains("create it"), "{text}");
    assert!(refusal(directory.0.path()).contains("is a directory; name a file in it"));
    // Nobody can create a file there, the superuser included.
    let error = Sqlite::open(Path::new("/proc/notafter.db")).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("must be able to read and write"), "{error}");
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused_and_left_alone() {
    let directory = Directory::new();
    let foreign = Connection::open(directory.path()).unwrap();
    foreign.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    drop(foreign);
    let before = fs::read(directory.path()).unwrap();
    let error = Sqlite::open(&directory.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("database of another program"), "{error}");
    assert_eq!(fs::read(directory.path()).unwrap(), before);

    let text = Directory::new();
    fs::write(text.path(), "not a database, but long enough to be taken for one".repeat(20))
        .unwrap();
    let error = Sqlite::open(&text.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    let error = Sqlite::open_read_only(&text.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date() {
    let directory = Directory::new();
    let older = Connection::open(directory.path()).unwrap();
    older.execute_batch(schema::STEPS[0]).unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    older.execute_batch("INSERT INTO scope VALUES (7, 'iot', 'all')").unwrap();
    drop(older);
    let error = Sqlite::open_read_only(&directory.path()).map(drop).unwrap_err();
    let needs = format!("schema version 1 and this build needs {}", schema::STEPS.len());
    assert!(error.to_string().contains(&needs), "{error}");
    let store = Sqlite::open(&directory.path()).unwrap();
    let saved = store.saved().await.unwrap();
    assert_eq!(saved.scopes, [(ScopeId(7), "iot".to_owned(), "all".to_owned())]);
    let checkpoints = vec![checkpoint("iot", "all", "k", Some("v"))];
    store
        .commit(Arc::new(Commit { checkpoints: checkpoints.clone(), ..Commit::default() }))
        .await
        .unwrap();
    assert_eq!(store.checkpoints("iot").await.unwrap(), checkpoints);
    drop(store);
    assert_eq!(
        Sqlite::open(&directory.path()).unwrap().checkpoints("iot").await.unwrap(),
        checkpoints
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = Directory::new();
    Sqlite::open(&directory.path()).unwrap().close().await.unwrap();
    let other = Connection::open(directory.path()).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    for opened in [Sqlite::open(&directory.path()), Sqlite::open_read_only(&directory.path())] {
        let error = opened.map(drop).unwrap_err();
        let StoreError::TooNew { found: 99, known } = error else { panic!("{error}") };
        assert_eq!(known as usize, schema::STEPS.len());
    }
}

#[tokio::test]
async fn a_damaged_file_is_reported() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(rows_step(0..5000))).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = fs::read(directory.path()).unwrap();
    let start = bytes.len() - 10 * 4096;
    bytes[start..].fill(0xA5);
    fs::write(directory.path(), bytes).unwrap();
    let store = Sqlite::open(&directory.path()).unwrap();
    let error = store.rows(&mut drop).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
}

#[tokio::test]
async fn what_breaks_the_rules_of_the_store_is_reported() {
    for (change, reason) in [
        ("UPDATE certificate SET kind = 9", "9 is not a kind"),
        ("UPDATE certificate SET status = -1", "-1 is not a status"),
        ("UPDATE certificate SET names = '{'", "a list cannot be read"),
        ("UPDATE certificate SET scope_id = -1", "-1 is out of its range"),
        ("UPDATE certificate SET serial = CAST(x'ff' AS TEXT)", "UTF"),
    ] {
        let directory = Directory::new();
        let store = Sqlite::open(&directory.path()).unwrap();
        store.commit(Arc::new(rows_step(0..1))).await.unwrap();
        Connection::open(directory.path()).unwrap().execute_batch(change).unwrap();
        let error = store.rows(&mut drop).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{change}: {error}");
        assert!(error.to_string().to_uppercase().contains(&reason.to_uppercase()), "{error}");
    }
}

#[tokio::test]
async fn one_process_writes_and_others_read() {
    let directory = Directory::new();
    assert!(Sqlite::open_read_only(&directory.path()).is_err());
    assert!(!directory.path().exists());

    let store = Sqlite::open(&directory.path()).unwrap();
    let reader = Sqlite::open_read_only(&directory.path()).unwrap();
    store.commit(Arc::new(full_step(1))).await.unwrap();
    assert_eq!(serials(&reader, ListQuery { limit: 9, ..ListQuery::default() }).await.len(), 2);
    let error = reader.commit(Arc::new(full_step(2))).await.unwrap_err();
    assert!(error.to_string().contains("opened for reading"), "{error}");

    let alias = directory.0.path().join("alias.db");
    symlink(directory.path(), &alias).unwrap();
    let process = format!("in use by process {}", std::process::id());
    for path in [directory.path(), alias] {
        let text = refusal(&path);
        assert!(text.contains(&process), "{text}");
    }
    drop(store);
    Sqlite::open(&directory.path()).unwrap().commit(Arc::new(full_step(2))).await.unwrap();
    assert_eq!(serials(&reader, ListQuery { limit: 9, ..ListQuery::default() }).await.len(), 4);
}

#[tokio::test]
async fn only_the_owner_may_read_the_files_and_the_log_is_emptied() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(full_step(1))).await.unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mode = fs::metadata(directory.file(suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
    store.close().await.unwrap();
    assert!(!directory.file("-wal").exists());

    let store = Sqlite::open(&directory.path()).unwrap();
    let mut long = rows_step(0..40);
    long.rows.iter_mut().for_each(|write| write.sighting.unit = "x".repeat(1 << 20));
    store.commit(Arc::new(long)).await.unwrap();
    // Forty MiB went through the log; the answer comes after it was cut.
    assert_eq!(fs::metadata(directory.file("-wal")).unwrap().len(), 0);
}

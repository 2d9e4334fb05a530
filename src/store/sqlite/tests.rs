use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use futures_util::FutureExt;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::super::conformance::{
    Place, agrees_with_memory, at, batch, body, checkpoint, conformance, input, notified, pending,
    row, rows, scan, scope, serials, step, stored,
};
use super::*;

mod files;

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("notafter.db")
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("notafter.db{suffix}"))
    }
}

impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(&self.path()).unwrap())
    }
}

/// Everything in the file, as another connection sees it.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = connection.prepare(tables).unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    tables.iter().flat_map(|table| dump_table(&connection, table)).collect()
}

fn dump_table(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!(r#"SELECT * FROM "{table}""#)).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()
    };
    let rows = statement.query_map([], row).unwrap();
    rows.map(|row| format!("{table} {:?}", row.unwrap())).collect()
}

/// One step that touches every table but those of batches and channels.
fn full_step(number: u32) -> Commit {
    Commit {
        scopes: vec![scope(number, "iot", &format!("scope-{number}"))],
        rows: vec![row(number, number), row(number + 1000, number)],
        ledger: vec![(RowId(number), Some(notified(5)))],
        conditions: vec![(format!("condition-{number}"), Some(at(9)))],
        checkpoints: vec![checkpoint("iot", "all", &format!("key-{number}"), Some("value"))],
        renewals: vec![("iot".to_owned(), crate::expiry::Month::new(2027, 1), 1)],
        scans: vec![scan("iot", &format!("window-{number}"), 100)],
        ..step(&[&format!("e{number}")], &["ops", "dev"])
    }
}

fn rows_step(numbers: std::ops::Range<u32>) -> Commit {
    Commit { rows: numbers.map(|number| row(number, 1)).collect(), ..Commit::default() }
}

async fn pragma(store: &Sqlite, name: &'static str, value: i64) {
    let set =
        move |transaction: &Transaction<'_>| Ok(transaction.pragma_update(None, name, value)?);
    store.write(Durability::Process, set).await.unwrap();
}

fn refusal(path: &Path) -> String {
    Sqlite::open(path).map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn conforms() {
    conformance(Directory::new).await;
}

#[test]
fn conforms_in_place_without_ever_waiting() {
    struct InPlace(Directory);

    impl Place for InPlace {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(Sqlite::inline(&self.0.path()).unwrap())
        }
    }

    let ended = conformance(|| InPlace(Directory::new())).now_or_never();
    assert_eq!(ended, Some(()), "a call waited for something");
}

proptest! {
    #![proptest_config(crate::property::cases(48))]

    #[test]
    fn behaves_like_the_store_in_memory(input in input()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(agrees_with_memory(Directory::new(), input));
    }
}

#[tokio::test]
async fn a_step_that_fails_anywhere_leaves_nothing() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(full_step(1))).await.unwrap();
    let before = dump(&directory.path());
    let other = Connection::open(directory.path()).unwrap();
    for table in
        ["scope", "certificate", "ledger", "condition", "event", "delivery", "note", "scan"]
    {
        let broken = format!(
            "CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
        );
        other.execute_batch(&broken).unwrap();
        let error = store.commit(Arc::new(full_step(2))).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{table}: {error}");
        other.execute_batch("DROP TRIGGER broken").unwrap();
        assert_eq!(dump(&directory.path()), before, "{table}");
    }
    store.commit(Arc::new(full_step(2))).await.unwrap();
    assert_ne!(dump(&directory.path()), before);
}

#[tokio::test]
async fn a_batch_is_settled_with_its_channel_or_not_at_all() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(step(&["e1"], &["ops"]))).await.unwrap();
    let delivery = pending(&store, "ops").await[0].delivery;
    store.freeze(&[delivery], &batch("b1"), &body()).await.unwrap();
    let before = dump(&directory.path());
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON channel_state BEGIN SELECT RAISE(ABORT, 'broken'); END";
    Connection::open(directory.path()).unwrap().execute_batch(broken).unwrap();
    let update = BatchUpdate::Delivered { at: at(9) };
    store.settle("ops", "b1", &update, &ChannelState::default()).await.unwrap_err();
    assert_eq!(dump(&directory.path()), before);
}

#[tokio::test]
async fn a_killed_process_leaves_whole_steps() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    let mut states = vec![dump(&directory.path())];
    for number in 0..5 {
        store.commit(Arc::new(full_step(number))).await.unwrap();
        states.push(dump(&directory.path()));
    }
    let delivery = pending(&store, "ops").await[0].delivery;
    store.freeze(&[delivery], &batch("b1"), &body()).await.unwrap();
    states.push(dump(&directory.path()));
    // What is on the disk at this moment is what a killed process leaves; a power cut leaves less of the log.
    let (file, log) =
        (fs::read(directory.path()).unwrap(), fs::read(directory.file("-wal")).unwrap());
    let mut furthest = 0;
    for cut in (0..=40).map(|part| log.len() * part / 40) {
        let copy = Directory::new();
        fs::write(copy.path(), &file).unwrap();
        fs::write(copy.file("-wal"), &log[..cut]).unwrap();
        Sqlite::open(&copy.path()).unwrap().close().await.unwrap();
        let found = dump(&copy.path());
        let state = states.iter().position(|state| *state == found).unwrap();
        assert!(state >= furthest, "{cut} bytes of the log hold less than fewer did");
        furthest = state;
    }
    assert_eq!(furthest, states.len() - 1);

    // A command that only reads sees the same, without recovering the file for the daemon.
    let copy = Directory::new();
    fs::write(copy.path(), &file).unwrap();
    fs::write(copy.file("-wal"), &log).unwrap();
    let reader = Sqlite::open_read_only(&copy.path()).unwrap();
    assert_eq!(rows(&reader).await, rows(&store).await);
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_is_over_when_there_is_space() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(full_step(1))).await.unwrap();
    let before = dump(&directory.path());
    pragma(&store, "max_page_count", 60).await;
    let error = store.commit(Arc::new(rows_step(0..5000))).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(dump(&directory.path()), before);
    // What still fits is still written.
    store.commit(Arc::new(step(&["small"], &["ops"]))).await.unwrap();
    pragma(&store, "max_page_count", 1_000_000).await;
    store.commit(Arc::new(rows_step(0..5000))).await.unwrap();
    assert_eq!(rows(&store).await.len(), 5000);
}

#[tokio::test]
async fn what_was_sent_is_forgotten_after_ninety_days_and_what_is_dead_after_four_hundred() {
    const DAY: i64 = 86_400;
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(step(&["e1", "e2"], &["ops", "dev"]))).await.unwrap();
    store.commit(Arc::new(step(&["e3", "e4"], &["ops"]))).await.unwrap();
    let settle = async |id: &str, channel: &str, update: BatchUpdate| {
        let delivery = pending(&store, channel).await[0].delivery;
        store.freeze(&[delivery], &batch(id), &body()).await.unwrap();
        store.settle(channel, id, &update, &ChannelState::default()).await.unwrap();
        let (BatchUpdate::Delivered { at } | BatchUpdate::Dead { at, .. }) = update else { return };
        assert!(!store.forget_old(Some(at), u64::MAX).await.unwrap().1);
    };
    let delivered = |days: i64| BatchUpdate::Delivered { at: at(days * DAY) };
    let left = || {
        let connection = Connection::open(directory.path()).unwrap();
        let count = |table| dump_table(&connection, table).len();
        (count("event"), count("delivery"), count("batch"))
    };
    settle("b1", "ops", delivered(0)).await;
    settle("b2", "ops", BatchUpdate::Dead { at: at(0), code: "no".to_owned() }).await;
    settle("b3", "ops", delivered(90)).await;
    assert_eq!(left(), (4, 6, 1));
    // e1 waits for the other channel and e2 is dead: of them only the one delivery of e1 goes.
    settle("b4", "ops", delivered(91)).await;
    assert_eq!(left(), (4, 5, 1));
    settle("b5", "dev", delivered(92)).await;
    settle("b6", "dev", delivered(182)).await;
    // e3 and e4 have gone with their last deliveries.
    assert_eq!(left(), (2, 3, 1));
    store.commit(Arc::new(step(&["e5", "e6"], &["dev"]))).await.unwrap();
    settle("b7", "dev", BatchUpdate::Dead { at: at(400 * DAY), code: "no".to_owned() }).await;
    assert_eq!(left(), (3, 3, 2));
    // A whole batch goes, with what it held.
    settle("b8", "dev", BatchUpdate::Dead { at: at(401 * DAY), code: "no".to_owned() }).await;
    assert_eq!(left(), (2, 2, 2));
    // Where nobody knows what time it is, nothing goes for its age.
    store.forget_old(None, u64::MAX).await.unwrap();
    assert_eq!(left(), (2, 2, 2));
    store.forget_old(Some(at(9000 * DAY)), u64::MAX).await.unwrap();
    assert_eq!(left(), (0, 0, 0));
}

#[tokio::test]
async fn the_first_sight_of_a_certificate_is_kept() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(rows_step(1..2))).await.unwrap();
    let mut later = row(1, 1);
    later.first_seen = at(900);
    store.commit(Arc::new(Commit { rows: vec![later], ..Commit::default() })).await.unwrap();
    let connection = Connection::open(directory.path()).unwrap();
    let seen = "SELECT first_seen, provider_status, status FROM certificate";
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    assert_eq!(connection.query_row(seen, [], columns).unwrap(), (5_i64, 0_i64, 0_i64));
}

#[tokio::test]
async fn only_certificates_alone_wait_for_the_next_step_to_survive_a_power_cut() {
    let checkpoints = vec![checkpoint("iot", "all", "k", Some("v"))];
    let bulk = Commit { scopes: vec![scope(1, "iot", "all")], checkpoints, ..rows_step(0..2) };
    assert_eq!(Durability::of(&bulk), Durability::Process);
    for step in [
        Commit { removed: vec![RowId(1)], ..bulk.clone() },
        Commit { ledger: vec![(RowId(1), None)], ..bulk.clone() },
        Commit { conditions: vec![("a".to_owned(), None)], ..bulk.clone() },
        Commit { unlisted: vec![("iot".to_owned(), "b".to_owned())], ..bulk.clone() },
        Commit { scans: vec![scan("iot", "all", 1)], ..bulk.clone() },
        Commit { rows: bulk.rows, ..step(&["e1"], &["ops"]) },
    ] {
        assert_eq!(Durability::of(&step), Durability::Power, "{step:?}");
    }
}

#[tokio::test]
async fn a_caller_that_stops_waiting_changes_nothing() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    // Handed over at the first poll, then dropped.
    drop(store.commit(Arc::new(rows_step(1..2))).now_or_never());
    store.commit(Arc::new(rows_step(2..3))).await.unwrap();
    assert_eq!(rows(&store).await, [stored(&row(1, 1)), stored(&row(2, 1))]);
}

#[tokio::test]
async fn reading_goes_on_while_a_long_list_is_taken() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    store.commit(Arc::new(rows_step(0..20_000))).await.unwrap();
    // Never polled again: its connection stays taken until it is dropped.
    let mut each = |_| {};
    let mut reading = Box::pin(store.rows(&mut each));
    assert!(reading.as_mut().now_or_never().is_none());
    store.commit(Arc::new(full_step(30_000))).await.unwrap();
    assert_eq!(pending(&store, "ops").await.len(), 1);
    drop(reading);
    assert_eq!(rows(&store).await.len(), 20_002);
}

#[tokio::test]
async fn a_writer_that_died_is_reported() {
    let directory = Directory::new();
    let store = Sqlite::open(&directory.path()).unwrap();
    let died =
        store.write(Durability::Process, |_| -> Outcome<()> { panic!("for the test") }).await;
    assert!(died.unwrap_err().to_string().contains("restart the daemon"));
    let error = store.commit(Arc::new(full_step(1))).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(store.saved().await.unwrap().scopes.is_empty());
    store.close().await.unwrap_err();
}

use std::time::Duration;

use super::*;
use crate::config::Environment;
use crate::expiry::{Kind, RowId, ScopeId, Sighting, Status, Timestamp};
use crate::metrics::Setup;
use crate::store::{Commit, Memory, RowWrite};

/// Two sources that cron timers drive.
const CONFIGURATION: &str = r#"
[[source]]
name = "one"
kind = "files"
schedule = "0 3 * * *"
options = { paths = ["FOLDER/*.pem"] }

[[source]]
name = "two"
kind = "files"
schedule = "0 4 * * 1-5"
options = { paths = ["FOLDER/*.crt"] }
"#;

fn parts() -> Parts {
    Parts {
        store: Arc::new(Memory::default()),
        metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

fn file(folder: &std::path::Path, parts: &Parts) -> ConfigFile {
    let path = folder.join("notafter.toml");
    let text = CONFIGURATION.replace("FOLDER", &folder.display().to_string());
    std::fs::write(&path, text).unwrap();
    ConfigFile {
        path,
        environment: Environment::of([]),
        clock: Arc::clone(&parts.clock),
        random: Arc::clone(&parts.random),
        transport: None,
        metrics: Arc::clone(&parts.metrics),
    }
}

/// Puts certificates into a store.
pub(super) async fn fill(store: &dyn Store, count: u32) {
    let write = |number: u32| {
        let serial = format!("serial-{number}");
        let sighting = Sighting { serial, ..Sighting::bare(Kind::Device, Status::Active) };
        let (row, scope, first_seen) = (RowId(number), ScopeId(1), Timestamp::from_seconds(0));
        RowWrite { row, scope, sighting, status: Status::Undated, first_seen }
    };
    let scopes = vec![(ScopeId(1), Arc::from("iot"), Arc::from("all"))];
    let rows = (0..count).map(write).collect();
    store.commit(Arc::new(Commit { scopes, rows, ..Commit::default() })).await.unwrap();
}

async fn until_held(timers: &Scheduler, jobs: usize) {
    let held = async {
        while timers.held().await != jobs {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), held).await;
    assert!(waited.is_ok(), "{} jobs instead of {jobs}", timers.held().await);
}

#[tokio::test]
async fn a_reload_leaves_no_job_of_the_generation_before() {
    let folder = tempfile::tempdir().unwrap();
    let parts = parts();
    let plan = file(folder.path(), &parts).read().unwrap();
    let timers = Arc::new(Scheduler::new(Arc::clone(&parts.clock)));
    let wiring = Wiring::new(parts, Arc::clone(&timers) as _, &plan);
    let mut core = Core::start(wiring, &plan).await.unwrap();
    for _ in 0..5 {
        until_held(&timers, 2).await;
        core.reload(&plan).await.unwrap();
    }
    until_held(&timers, 2).await;
    core.stop_generation().await;
    assert_eq!(timers.held().await, 0);
    core.stop().await;
}

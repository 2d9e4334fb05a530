//! The API does what its description says, to the letter: schemathesis makes requests of it, good ones and bad ones.

use std::path::PathBuf;
use std::process::Stdio;

use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};
use tokio::process::Command;

use crate::harness::{Daemon, environment, eventually};
use crate::written::{SIGNED, route, ssl, webhook};

/// A user who may write, as web configurations have it, and as the client says it.
const USER: &str = "alice:hunter2";

/// The least cost that bcrypt takes: many requests are made.
const COST: u32 = 4;

/// What no description can say, such as that of two fields one is there, is refused with 422 where the shape is right.
const CONFIG: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
"#;

/// A daemon whose API may be written to.
fn daemon(simulator: &Simulator) -> Daemon {
    let daemon = Daemon::prepared("", &environment(simulator));
    let folder = daemon.folder.path();
    let hash = bcrypt::hash("hunter2", COST).unwrap();
    std::fs::write(folder.join("web.yml"), format!("basic_auth_users:\n  alice: {hash}\n"))
        .unwrap();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{}\"\nweb_config_file = {:?}\n[store]\nurl = \"sqlite:{}\"\n{}{}{}",
        daemon.port,
        folder.join("web.yml").display().to_string(),
        folder.join("notafter.db").display(),
        ssl(simulator, "web", "every 1m", "requests_per_second = 1000"),
        webhook("ops", "WEBHOOK_URL", SIGNED),
        route(&["ops"]),
    );
    std::fs::write(daemon.config_path(), config).unwrap();
    daemon
}

fn schemathesis() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = option_env!("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let found = target.join("venv/bin/st");
    assert!(found.exists(), "{} is missing: run tests/venv once", found.display());
    found
}

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let fleet = Fleet::new(7, wall_seconds()).with_ssl(60);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let mut daemon = daemon(&simulator);
    daemon.start();
    std::fs::write(daemon.folder.path().join("schemathesis.toml"), CONFIG).unwrap();
    eventually("its port is open", async || daemon.get("/").await).await;
    let description = format!("http://127.0.0.1:{}/api/v1/openapi.json", daemon.port);
    let output = Command::new(schemathesis())
        .args(["run", &description, "--auth", USER, "--max-examples", "25", "--no-color"])
        .args(["--continue-on-failure", "--generation-deterministic"])
        .current_dir(daemon.folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("Unresolvable"), "{said}");
}

//! The store is backed up and restored by the commands of the operations guide.

use std::path::Path;
use std::process::Command;

use crate::harness::{Daemon, environment, heard};
use crate::written::{SIGNED, route, ssl, webhook};
use simulator::clock::wall_seconds;
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

const OPERATIONS: &str = include_str!("../../OPERATIONS.md");

/// Returns the commands of a chapter, for a store and a backup in other folders; who stops and starts is not among them.
fn commands(chapter: &str, folder: &Path) -> String {
    let chapter = OPERATIONS.split(&format!("### {chapter}\n")).nth(1).unwrap();
    let block = chapter.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = folder.to_str().unwrap();
    let lines = block.lines().filter(|line| !line.contains("systemctl"));
    let lines: Vec<_> = lines.map(|line| line.replace("sudo ", "")).collect();
    let lines = lines.join("\n").replace("/var/lib/notafter/", &format!("{folder}/"));
    lines.replace("/var/backups/", &format!("{folder}/backup-"))
}

fn run(commands: &str) -> String {
    let output = Command::new("sh").arg("-euc").arg(commands).output().unwrap();
    assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for a poll that began after now.
async fn polled(daemon: &Daemon) {
    let success = "notafter_source_last_success_timestamp_seconds{source=\"web\"}";
    let now = f64::from(u32::try_from(wall_seconds()).unwrap());
    daemon.until(success, |at| at > now + 1.0).await;
}

#[tokio::test]
async fn a_restored_store_says_nothing_again() {
    let fleet = Fleet::new(5, wall_seconds()).with_ssl(200);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let config = [
        "[alerts]\ngroup_wait = \"1s\"\n",
        &ssl(&simulator, "web", "every 1s", "requests_per_second = 1000"),
        &webhook("ops", "WEBHOOK_URL", SIGNED),
        &route(&["ops"]),
    ];
    let mut daemon = Daemon::prepared(&config.concat(), &environment(&simulator));
    daemon.start();
    polled(&daemon).await;
    daemon.drained("ops").await;
    let said = heard(&simulator).len();
    assert!(said > 5, "{said}");

    let folder = daemon.folder.path().to_owned();
    assert_eq!(run(&commands("Back up", &folder)), "ok\n", "beside the daemon that runs");
    daemon.kill();
    for file in ["notafter.db", "notafter.db-wal"] {
        std::fs::write(folder.join(file), "a disk that failed").unwrap();
    }
    run(&commands("Restore", &folder));
    daemon.start();
    polled(&daemon).await;
    daemon.drained("ops").await;
    assert_eq!(heard(&simulator).len(), said);
    assert!(daemon.stop().await.success());
}

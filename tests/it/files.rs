//! Sources of files, as a user who may not read all of them runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use crate::harness::{Daemon, Ran};

/// Nobody, as every Linux has it.
const NOBODY: &str = "65534";

fn certificate(year: i32) -> String {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 8);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A daemon that reads files in its own folder: `good.pem`, and those of the patterns.
fn prepared(patterns: &[&str]) -> Daemon {
    let daemon = Daemon::prepared("", &[]);
    let folder = daemon.folder.path();
    // Nobody has to find the configuration.
    set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    write(folder.join("good.pem"), certificate(2090)).unwrap();
    let paths = patterns.iter().map(|one| format!("{:?}", format!("{}/{one}", folder.display())));
    daemon.configure(&format!(
        "[[source]]\nname = \"machine\"\nkind = \"files\"\nschedule = \"every 1s\"\n\
         [source.options]\npaths = [{}]\n",
        paths.collect::<Vec<_>>().join(", ")
    ));
    daemon
}

/// Runs a command as somebody to whom a mode of 0 means something.
async fn run(daemon: &Daemon, arguments: &[&str]) -> Ran {
    let command = daemon.command(arguments);
    let is_root = daemon.folder.path().metadata().unwrap().uid() == 0;
    let mut somebody = if is_root { as_nobody(daemon, &command) } else { command };
    somebody.env("RUST_LOG", "info");
    let output = tokio::process::Command::from(somebody).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn as_nobody(daemon: &Daemon, command: &Command) -> Command {
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    // The build may stand where nobody may not go.
    let copy = daemon.folder.path().join("notafter");
    if !copy.exists() {
        std::fs::copy(command.get_program(), &copy).unwrap();
        set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    }
    nobody.arg(copy).args(command.get_args());
    nobody
}

fn close(path: &Path) {
    set_permissions(path, Permissions::from_mode(0o000)).unwrap();
}

#[tokio::test]
async fn a_folder_that_may_not_be_read_is_named_with_the_group_to_join_and_fails_what_checks() {
    let daemon = prepared(&["live/*.pem"]);
    let live = daemon.folder.path().join("live");
    create_dir(&live).unwrap();
    write(live.join("a.pem"), certificate(2090)).unwrap();
    close(&live);
    let place = live.display().to_string();
    for (arguments, code) in [
        (&["check"][..], 0),
        (&["check", "--online"], 1),
        (&["scan"], 1),
        (&["scan", "--fail-within", "7d"], 1),
    ] {
        let ran = run(&daemon, arguments).await;
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(code), "{arguments:?}\n{said}");
        for part in [&*place, "Permission denied", "notafter runs as ", " and group "] {
            assert!(said.contains(part), "{arguments:?} {part}\n{said}");
        }
    }
    set_permissions(&live, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run(&daemon, &["check", "--online"]).await.code, Some(0));
}

#[tokio::test]
async fn what_is_missing_or_broken_fails_a_scan_that_is_to_fail_and_nothing_else() {
    for (patterns, fails, named) in [
        (&["good.pem"][..], false, ""),
        (&["good.pem", "gone.pem"], true, "gone.pem: not there"),
        (&["gone.pem"], true, "gone.pem: not there"),
        (&["good.pem", "text.pem"], true, "text.pem: #1 neither PEM nor DER"),
        (&["*.{crt,cer}"], true, "*.{crt,cer}` matches nothing"),
        (&["good.pem", "*.crt"], false, "*.crt` matches nothing"),
        (&["*.{pem,crt}"], true, "text.pem: #1 neither PEM nor DER"),
    ] {
        let daemon = prepared(patterns);
        write(daemon.folder.path().join("text.pem"), "hello").unwrap();
        let ran = daemon.run(&["scan", "--fail-within", "7d"]).await;
        assert_eq!(ran.code, Some(i32::from(fails)), "{patterns:?}\n{}", ran.err);
        assert!(ran.err.contains(named), "{patterns:?} {named}\n{}", ran.err);
        // Without the option only a scan that saw nothing it was to see fails.
        let partial = patterns == ["gone.pem"];
        assert_eq!(daemon.run(&["scan"]).await.code, Some(i32::from(partial)), "{patterns:?}");
        let online = daemon.run(&["check", "--online"]).await;
        assert_eq!(online.code, Some(i32::from(!named.is_empty())), "{}", online.out);
        assert!(online.out.contains(named), "{}", online.out);
    }
}

#[tokio::test]
async fn places_are_counted_by_what_came_of_them_and_named_in_the_log_once() {
    let mut daemon = prepared(&["good.pem", "gone.pem", "text.pem", "*.crt"]);
    write(daemon.folder.path().join("text.pem"), "hello").unwrap();
    daemon.start();
    let series = |state| format!("notafter_source_places{{source=\"machine\",state=\"{state}\"}}");
    for (state, count) in [("read", 1.0), ("missing", 1.0), ("broken", 1.0), ("unreadable", 0.0)] {
        daemon.until(&series(state), |value| (value - count).abs() < 0.5).await;
    }
    let globs = "notafter_source_globs_without_match{source=\"machine\"}";
    assert_eq!(daemon.sample(globs).await, Some(1.0));
    assert_eq!(daemon.sample("notafter_source_up{source=\"machine\"}").await, Some(1.0));
    // The count of missing entries tells how many polls there were.
    let missing = "notafter_source_rejected_rows_total{reason=\"missing\",source=\"machine\"}";
    daemon.until(missing, |count| count >= 3.0).await;
    let log = daemon.log();
    assert_eq!(log.matches("gone.pem: not there").count(), 1, "{log}");
}

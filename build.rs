//! Tells the program when its source was made: the same for the same source, so that builds can be repeated.
#![expect(clippy::disallowed_methods, reason = "nothing is configured here")]

use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let made = named().or_else(committed).or_else(packed);
    println!("cargo:rustc-env=NOTAFTER_BUILT={}", made.expect("Cargo.toml has a date"));
}

/// Returns the time that the packager names: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn named() -> Option<u64> {
    let seconds = std::env::var("SOURCE_DATE_EPOCH").ok()?;
    Some(seconds.parse().expect("SOURCE_DATE_EPOCH is a number of seconds"))
}

/// Returns the time of the last commit, where the source is a repository of its own.
fn committed() -> Option<u64> {
    if !Path::new(".git").exists() {
        return None;
    }
    // While developing, a commit is no reason to build everything again.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    }
    git(&["log", "-1", "--format=%ct"])?.parse().ok()
}

fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned())
}

/// Returns the time that an archive of the source gives its files.
fn packed() -> Option<u64> {
    let changed = std::fs::metadata("Cargo.toml").ok()?.modified().ok()?;
    changed.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

//! Runs of many seeds, and of one. `tests/simulate` starts those that `cargo test` leaves out.

#![expect(clippy::print_stdout, reason = "a command that says what it found")]

use std::collections::BTreeMap;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Played, play};
use super::judge::{Reach, Violation};
use super::log::Keep;
use super::scene::{Scene, Timed};
use super::shrink::{Small, shrink};
use super::sweep;

/// Days of a play.
const DAYS: i64 = 90;

/// Of so many seeds two are played twice: one of them among the vendors.
const TWICE: u64 = 200;
const TWICE_AMONG_VENDORS: u64 = 39;

/// Plays side by side.
const THREADS: u64 = 2;

/// What failed once, whole or made small. One line each; lines that begin with # tell which fault it was.
const REGRESSIONS: &str = include_str!("../regressions");

#[expect(clippy::disallowed_methods, reason = "a command is told by its environment what to play")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn days() -> i64 {
    variable("DAYS").map_or(DAYS, |days| i64::try_from(days).unwrap())
}

fn threads() -> u64 {
    variable("THREADS").unwrap_or(THREADS)
}

/// What a run has found.
#[derive(Default)]
struct Found {
    played: u64,
    failed: BTreeMap<u64, Violation>,
    reach: Reach,
}

/// Plays a scene. A panic of the play itself is a failure as well.
fn play_safely(scene: &Scene, keep: Keep) -> Result<Played, Violation> {
    panic::catch_unwind(AssertUnwindSafe(|| play(scene, keep)))
        .map_err(|_| Violation { number: 0, text: "the play panicked".to_owned() })
}

/// Plays one seed, some of them twice.
fn play_seed(seed: u64, days: i64) -> (Option<Violation>, Reach) {
    let twice = [0, TWICE_AMONG_VENDORS].contains(&(seed % TWICE));
    let scene = Scene::draw(seed, days);
    let keep = if twice { Keep::Digest } else { Keep::Nothing };
    match play_safely(&scene, keep) {
        Err(violation) => (Some(violation), Reach::default()),
        Ok(played) if twice && played.violation.is_none() => {
            let differs =
                !play_safely(&scene, keep).is_ok_and(|again| again.digest == played.digest);
            let text = "played twice, and not the same both times".to_owned();
            (differs.then_some(Violation { number: 0, text }), played.reach)
        }
        Ok(played) => (played.violation, played.reach),
    }
}

/// Plays seeds from `first` on, until `enough` says so of how many were played and for how long.
fn run(first: u64, days: i64, enough: impl Fn(u64, Duration) -> bool + Sync) -> Found {
    quiet_panics();
    let (next, found, began) = (AtomicU64::new(0), Mutex::new(Found::default()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if enough(place, began.elapsed()) {
                        return;
                    }
                    let (violation, reach) = play_seed(first + place, days);
                    let mut found = found.lock().unwrap();
                    found.played += 1;
                    found.reach.add(&reach);
                    if let Some(violation) = violation {
                        println!(
                            "seed {}: invariant {}: {}",
                            first + place,
                            violation.number,
                            violation.text
                        );
                        found.failed.insert(first + place, violation);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// A room that panics does so because its scene wants it: nobody has to read of it.
fn quiet_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let wanted = info
            .payload()
            .downcast_ref::<&str>()
            .is_some_and(|text| text.contains("as the scene wants"));
        if !wanted {
            before(info);
        }
    }));
}

fn held(found: &Found) {
    let failed: Vec<_> = found.failed.keys().collect();
    assert!(found.failed.is_empty(), "of {} seeds these failed: {failed:?}", found.played);
}

#[test]
fn a_few_seeds_hold() {
    let (first, count) = (variable("FIRST").unwrap_or(1), variable("COUNT").unwrap_or(2));
    let days = variable("DAYS").map_or(14, |days| i64::try_from(days).unwrap());
    let found = run(first, days, |played, _| played >= count);
    if variable("REACH").is_some() {
        println!("{:#?}", found.reach);
    }
    held(&found);
}

#[test]
fn one_seed_is_one_play() {
    let scene = Scene::draw(2, 12);
    let [first, again] = [Keep::Digest; 2].map(|keep| play(&scene, keep));
    assert_eq!((first.digest, first.crossings), (again.digest, again.crossings));
    assert_ne!(first.digest, play(&Scene::draw(3, 12), Keep::Digest).digest);
}

/// Plays some of what failed once.
fn again(which: impl Fn(&str) -> bool) {
    quiet_panics();
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines.filter(|line| which(line)) {
        let small = Small::read(line).unwrap_or_else(|| panic!("{line}"));
        let violation = play(&small.scene(), Keep::Nothing).violation;
        assert!(violation.is_none(), "{line}: {violation:?}");
    }
}

/// Whole plays take too long here: those begin every run of many seeds.
#[test]
fn what_failed_once_and_is_small_holds() {
    again(|line| line.contains("acts="));
}

/// What `tests/run` plays.
#[test]
#[ignore = "five minutes in an optimised build; tests/run"]
fn as_many_seeds_as_fit_hold() {
    let seconds = Duration::from_secs(variable("SECONDS").unwrap_or(300));
    let least = variable("LEAST").unwrap_or(500);
    again(|_| true);
    let found = run(1, days(), |played, spent| played >= least && spent >= seconds);
    println!("{} seeds of {} days", found.played, days());
    held(&found);
    assert_eq!(found.reach.never(), Vec::<&str>::new(), "nothing came to this any more");
}

/// What `tests/simulate SEED` plays.
#[test]
#[ignore = "tests/simulate SEED"]
fn one_seed_is_shown() {
    quiet_panics();
    let seed = variable("SEED").expect("SEED says which");
    let scene = Scene::draw(seed, days());
    println!(
        "{:?}\n{:?} {:?} sqlite {}",
        scene.sources, scene.channels, scene.settings, scene.sqlite
    );
    show(&scene.acts);
    let played = play(&scene, Keep::Lines);
    print!("{}", played.lines);
    let Some(violation) = played.violation else { return println!("it holds") };
    println!("invariant {}: {}", violation.number, violation.text);
    if variable("SHRINK").is_some() {
        let small = shrink(seed, days(), violation.number);
        let scene = small.scene();
        show(&scene.acts);
        println!("{:#?}\n{small}", scene.certificates);
    }
    panic!("it does not hold");
}

fn show(acts: &[Timed]) {
    for Timed { at, act } in acts {
        println!("after {}d {:02}:{:02}: {act:?}", at / 86_400, at / 3600 % 24, at / 60 % 60);
    }
}

/// What `tests/simulate --many` plays: goes on where it was broken off.
#[test]
#[ignore = "tests/simulate --many"]
fn many_seeds_hold() {
    let count = variable("COUNT").unwrap_or(10_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/simulation");
    fs::create_dir_all(&folder).unwrap();
    let kept = folder.join("many");
    let before = fs::read_to_string(&kept).unwrap_or_default();
    let mut before = before.split_whitespace().filter_map(|number| number.parse().ok());
    let (mut at, mut failed): (u64, Vec<u64>) = (before.next().unwrap_or(0), before.collect());
    if at >= count {
        (at, failed) = (0, Vec::new());
    }
    again(|_| true);
    while at < count {
        let found = run(at + 1, days(), |played, _| played >= 100);
        at += found.played;
        failed.extend(found.failed.into_keys());
        let failed: Vec<_> = failed.iter().map(ToString::to_string).collect();
        fs::write(&kept, format!("{at} {}", failed.join(" "))).unwrap();
        println!("{at} of {count} seeds, failed: {}", failed.join(" "));
    }
    assert_eq!(failed, Vec::<u64>::new());
}

/// What `tests/simulate --sweep` plays.
#[test]
#[ignore = "tests/simulate --sweep"]
fn a_kill_at_every_crossing_is_survived() {
    quiet_panics();
    let all = sweep::crossings();
    let (next, failed) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let kill = next.fetch_add(1, Ordering::Relaxed);
                    if kill > all {
                        return;
                    }
                    let played = play_safely(&sweep::scene(Some(kill)), Keep::Nothing);
                    let violation = played.map_or_else(Some, |played| played.violation);
                    if let Some(Violation { number, text }) = violation {
                        println!("killed at crossing {kill}: invariant {number}: {text}");
                        failed.lock().unwrap().push(kill);
                    }
                    if kill.is_multiple_of(200) {
                        println!("{kill} of {all} kills");
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{all} kills");
    assert!(failed.is_empty(), "killed at these crossings it does not hold: {failed:?}");
}

/// What `tests/simulate --mutants` plays in a copy with a fault: says after how many seeds it was caught, and by what.
#[test]
#[ignore = "tests/simulate --mutants"]
fn a_mutant_is_caught() {
    let wanted = variable("INVARIANT").expect("INVARIANT says by which");
    let most = variable("MOST").unwrap_or(500);
    let caught = AtomicU64::new(u64::MAX);
    quiet_panics();
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > most.min(caught.load(Ordering::Relaxed)) {
                        return;
                    }
                    let (violation, _) = play_seed(seed, days());
                    if violation.is_some_and(|violation| u64::from(violation.number) == wanted) {
                        caught.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let caught = caught.into_inner();
    assert!(caught <= most, "not caught by invariant {wanted} in {most} seeds");
    println!("caught after {caught} seeds");
}

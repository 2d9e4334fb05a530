//! Clocks that are wrong for a while: nothing false is said meanwhile, and what is true is said afterwards.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::{Rung, Timestamp, Topic};

use super::cloud::{Certificate, DAY};
use super::machine::START;
use super::world::{Act, Played, play_acts};

/// Days of a play, by running time.
const DAYS: i64 = 5;

/// The second day begins. Whatever happens does at some time of it that is no round number.
const THEN: i64 = DAY + 4_321;

/// The ladder, in seconds before the end.
const RUNGS: [i64; 6] = [0, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY];

/// Source, serial, and seconds before the end.
type Notified = BTreeSet<(String, String, i64)>;

/// Returns what was notified of rungs. None was notified before it was crossed, by a clock that is right.
fn notified(played: &Played) -> Notified {
    let (mut notified, mut last) = (Notified::new(), BTreeMap::<_, Timestamp>::new());
    for (at, message) in &played.heard.delivered {
        for event in &message.events {
            let Topic::Expiring { facts, rung, .. } = &event.topic else { continue };
            let seconds = if *rung == Rung::Expired { 0 } else { i64::from(rung.seconds()) };
            let left = facts.not_after.unwrap().since(*at);
            assert!(left <= seconds, "false at {at:?}: {event:?}");
            let fresh = notified.insert((facts.source.clone(), facts.serial.clone(), seconds));
            let before = last.insert((facts.source.clone(), facts.serial.clone()), event.at);
            let a_day = before.is_some_and(|before| event.at.since(before) > DAY - 2 * 3600);
            let is_reminder = seconds <= 3 * DAY && a_day;
            assert!(fresh || is_reminder, "notified twice: {event:?}");
        }
    }
    notified
}

/// Returns the tightest rung that a certificate stands on, if it stands on one.
fn rung(one: &Certificate, at: Timestamp) -> Option<i64> {
    RUNGS.into_iter().find(|rung| one.not_after.since(at) <= *rung)
}

/// Judges a play whose machine slept for so many seconds: a day before its end everything true is notified.
fn judge(played: &Played, slept: i64) {
    let notified = notified(played);
    let last = START.plus((DAYS - 1) * DAY + slept);
    let mut owed = 0;
    for (source, one) in &played.truth {
        let open = one.issued <= last && one.renewed.is_none_or(|at| at > last.plus(DAY));
        let Some(rung) = rung(one, last).filter(|_| open) else { continue };
        let of = |seconds| ((*source).to_owned(), one.serial.clone(), seconds);
        let heard =
            RUNGS.into_iter().any(|tighter| tighter <= rung && notified.contains(&of(tighter)));
        assert!(heard, "never notified of {rung} s: {source} {one:?}");
        owed += 1;
    }
    assert!(owed > 5, "hardly anything was true");
}

/// Returns the kinds of events about the clock, in the order in which they were notified.
fn about_the_clock(played: &Played) -> Vec<&'static str> {
    let kinds = played.events().map(notafter::facade::expiry::Event::kind);
    kinds.filter(|kind| kind.starts_with("clock.")).collect()
}

/// A start while the clock is off by `bend`, which is set right after so many seconds.
fn a_start(end: Act, bend: i64, seconds: i64) -> Played {
    let acts = [
        (THEN, Act::Bend(bend)),
        (THEN, end),
        (THEN + seconds, Act::Bend(0)),
        (THEN + 2 * 3600, Act::Kill),
    ];
    play_acts(11, DAYS, &acts)
}

#[test]
fn a_start_400_days_ahead_for_six_seconds_says_nothing_false() {
    judge(&a_start(Act::Kill, 400 * DAY, 6), 0);
}

#[test]
fn a_start_in_1970_says_nothing_false() {
    let played = a_start(Act::Kill, -START.seconds(), 3 * 3600);
    judge(&played, 0);
    assert_eq!(about_the_clock(&played).first(), Some(&"clock.suspect"));
}

#[test]
fn a_start_a_day_early_says_nothing_false() {
    judge(&a_start(Act::Restart, -DAY, 600), 0);
}

#[test]
fn a_clock_that_is_a_year_ahead_while_it_runs_says_nothing_false() {
    let played = play_acts(12, DAYS, &[(THEN, Act::Bend(400 * DAY)), (THEN + 7200, Act::Bend(0))]);
    judge(&played, 0);
    assert_eq!(about_the_clock(&played), ["clock.suspect", "clock.suspect", "clock.recovered"]);
}

#[test]
fn a_machine_that_sleeps_says_afterwards_what_was_crossed() {
    let played = play_acts(13, DAYS, &[(THEN, Act::Sleep(8 * DAY))]);
    judge(&played, 8 * DAY);
    assert_eq!(about_the_clock(&played), Vec::<&str>::new());
}

//! What must hold in every play, judged by the truth alone.

use std::collections::{BTreeMap, BTreeSet};

use notafter::facade::expiry::{Event, Timestamp, Topic};

use super::cloud::{Certificate, DAY};
use super::machine::START;
use super::world::{Played, play};

/// Days of a play.
const DAYS: i64 = 3;

/// The loosest rung.
const LOOSEST: i64 = 30 * DAY;

/// Returns when the first rung of a certificate is crossed, or when the play begins if that was before.
fn first_rung(one: &Certificate) -> i64 {
    (one.not_after.seconds() - LOOSEST).max(START.seconds())
}

/// Returns whether there was a day in which a certificate had to be notified, and after it a day to do so.
fn must_be_told(one: &Certificate, days: i64) -> bool {
    let end = START.plus(days * DAY).seconds();
    first_rung(one).max(one.issued.seconds()) + DAY < one.renewed.map_or(end, Timestamp::seconds)
}

/// A certificate, by its source and serial.
type Name = (String, String);

fn name(event: &Event) -> Name {
    let facts = event.facts().expect("it is about a certificate");
    (facts.source.clone(), facts.serial.clone())
}

fn judge(played: &Played, days: i64) -> usize {
    assert_eq!(played.known, played.truth.len(), "certificates that the daemon knew at the end");
    let notified = judge_rungs(played);
    for (source, one) in played.truth.iter().filter(|(_, one)| must_be_told(one, days)) {
        let name = ((*source).to_owned(), one.serial.clone());
        assert!(notified.contains(&name), "never notified: {source} {one:?}");
    }
    judge_renewals(played, &notified, days);
    judge_retries(played)
}

/// A rung is notified once, but for the last ones, which are said again every day, and not before it is crossed. Returns the certificates that were notified.
fn judge_rungs(played: &Played) -> BTreeSet<Name> {
    let mut notified = BTreeMap::<_, Timestamp>::new();
    for event in played.events() {
        let Topic::Expiring { facts, rung, .. } = &event.topic else { continue };
        let left = facts.not_after.unwrap().since(event.at);
        assert!(left <= i64::from(rung.seconds()), "notified too early: {event:?}");
        let before = notified.insert((name(event), rung.as_label()), event.at);
        let is_reminder = |before: Timestamp| {
            i64::from(rung.seconds()) <= 3 * DAY && event.at.since(before) > DAY - 2 * 3600
        };
        assert!(before.is_none_or(is_reminder), "notified twice: {event:?}");
    }
    notified.into_keys().map(|(name, _)| name).collect()
}

/// Returns how long it takes at most until two scans of everything have shown a renewal.
fn two_scans(source: &str) -> i64 {
    if source == "web" { 3 * 3600 } else { 2 * DAY }
}

/// Those who were notified of the old one are notified of its successor, once, when two scans have shown it.
fn judge_renewals(played: &Played, notified: &BTreeSet<Name>, days: i64) {
    let of_renewals = played.events().filter(|event| event.kind() == "certificate.renewed");
    let renewed: Vec<Name> = of_renewals.map(name).collect();
    let once: BTreeSet<Name> = renewed.iter().cloned().collect();
    assert_eq!(renewed.len(), once.len(), "a renewal was notified twice: {renewed:?}");
    let end = START.plus(days * DAY);
    let renewed_before = |before: &dyn Fn(&str) -> Timestamp| -> BTreeSet<Name> {
        let is_early = |at: Timestamp, source| at < before(source);
        let early = played
            .truth
            .iter()
            .filter(|(source, one)| one.renewed.is_some_and(|at| is_early(at, source)));
        let names = early.map(|(source, one)| ((*source).to_owned(), one.serial.clone()));
        names.filter(|name| notified.contains(name)).collect()
    };
    let owed = renewed_before(&|source| end.plus(-two_scans(source)));
    let lost: Vec<_> = owed.difference(&once).collect();
    assert!(lost.is_empty(), "renewals that were to be notified: {lost:?}");
    let all = renewed_before(&|_| end);
    let untrue: Vec<_> = once.difference(&all).collect();
    assert!(untrue.is_empty(), "renewals that were none: {untrue:?}");
    assert!(!once.is_empty(), "no certificate that was notified was renewed");
}

/// What the room refused comes again until it is taken, perhaps in another message, and then no more. Returns how many
/// events were refused.
fn judge_retries(played: &Played) -> usize {
    let (delivered, refused) = (played.delivered(), played.refused());
    let distinct: BTreeSet<&str> = delivered.iter().copied().collect();
    assert_eq!(delivered.len(), distinct.len(), "a message came twice");
    let taken: BTreeSet<&str> = played.events().map(|event| event.id.as_str()).collect();
    let lost: Vec<_> = refused.difference(&taken).collect();
    assert!(lost.is_empty(), "refused once and never sent again: {lost:?}");
    refused.len()
}

#[test]
fn what_is_true_is_notified_once_and_nothing_else() {
    let refused = (1..=3).map(|seed| judge(&play(seed, DAYS), DAYS));
    assert!(refused.sum::<usize>() > 0, "the room refused nothing");
}

#[test]
fn what_is_true_in_a_month_is_notified_once_and_nothing_else() {
    assert!(judge(&play(3, 30), 30) > 0, "the room refused nothing");
}

#[test]
fn one_seed_gives_one_trace_byte_for_byte() {
    let [first, again, other] = [7, 7, 8].map(|seed| play(seed, DAYS).trace);
    let differs = first.lines().zip(again.lines()).position(|(one, two)| one != two);
    assert_eq!(differs, None, "the first line that differs");
    assert!(first == again, "one trace is longer than the other");
    assert!(first != other, "another seed plays the same");
    assert!(first.lines().count() > 500, "hardly anything happened:\n{first}");
}

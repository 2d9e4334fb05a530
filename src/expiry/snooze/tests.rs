use proptest::prelude::*;

use super::*;
use crate::expiry::certificate::{Kind, Status};
use crate::expiry::event::Severity;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: i64 = 86_400;

fn facts(serial: &str, days: i64) -> Facts {
    Facts {
        source: "iot-prod".into(),
        scope: "a".into(),
        serial: serial.into(),
        unit: "plant-7".into(),
        not_after: Some(NOW.plus(days * DAY)),
        ..Facts::bare(Kind::Device, Status::Active)
    }
}

fn on(facts: &Facts, rung: Rung) -> Event {
    let (leaves, newer, unserved, places) = (None, None, false, None);
    let facts = facts.clone();
    let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
    Event { id: "e".into(), at: NOW, severity: Severity::Warning, topic }
}

fn stale(source: &str) -> Event {
    let topic = Topic::SourceStale { source: source.into(), last_proven: None, error: None };
    Event { id: "e".into(), at: NOW, severity: Severity::Critical, topic }
}

const fn days(days: u32) -> Rung {
    Rung::Before(days * 86_400)
}

fn wish(cover: WishCover, seconds: i64, hold: bool) -> Wish {
    let (author, reason) = ("ann".to_owned(), "known".to_owned());
    Wish { cover, seconds, hold, author, reason, link: None }
}

/// A snooze of one certificate for ten days, made now.
fn of_one(facts: &Facts, rung: Option<Rung>, hold: bool) -> Snooze {
    let (id, not_after) = (facts.id(), facts.not_after);
    let cover = Cover::Certificate(Snoozed { id: id.clone(), row: RowId(7), rung, not_after });
    wish(WishCover::Certificate(id), 10 * DAY, hold).grant("s1".into(), cover, NOW)
}

fn of_match(text: &str, hold: bool) -> Snooze {
    let wanted = Wanted::parse(text).unwrap();
    let cover = Cover::Match(wanted.clone());
    wish(WishCover::Match(wanted), 10 * DAY, hold).grant("s2".into(), cover, NOW)
}

#[test]
fn what_was_made_by_a_clock_that_was_ahead_is_void() {
    let snooze = of_match("source=iot-*", false);
    let event = on(&facts("a", 7), days(7));
    for (ago, hushes) in [(0, true), (3600, true), (3601, false), (400 * DAY, false)] {
        let now = NOW.plus(-ago);
        assert_eq!((snooze.hushes(&event, now), snooze.is_past(now)), (hushes, !hushes), "{ago}");
    }
}

#[test]
fn one_certificate_is_quiet_until_a_tighter_rung_its_end_or_its_own() {
    let week = facts("a", 7);
    let moved = Facts { not_after: Some(NOW.plus(8 * DAY)), ..week.clone() };
    let [soon, later] = [9, 10].map(|days| NOW.plus(days * DAY));
    for (name, event, now, plain, held) in [
        ("its rung", on(&week, days(7)), NOW, true, true),
        ("a looser one", on(&week, days(14)), NOW, true, true),
        ("a tighter one", on(&week, days(3)), NOW, false, true),
        ("the end", on(&week, Rung::Expired), NOW, false, true),
        ("another end", on(&moved, days(7)), NOW, false, true),
        ("another one", on(&facts("b", 7), days(7)), NOW, false, false),
        ("just before", on(&week, days(7)), soon, true, true),
        ("its own end", on(&week, days(7)), later, false, false),
        ("a source", stale("iot-prod"), NOW, false, false),
    ] {
        let hushes = |hold| of_one(&week, Some(days(7)), hold).hushes(&event, now);
        assert_eq!((hushes(false), hushes(true)), (plain, held), "{name}");
    }
    let early = of_one(&week, None, false);
    assert!(!early.hushes(&on(&week, days(7)), NOW), "its first rung is tighter than none");
}

#[test]
fn the_end_is_hushed_only_by_what_was_made_after_it_or_holds() {
    let ended = facts("a", -1);
    let event = on(&ended, Rung::Expired);
    assert!(of_one(&ended, Some(Rung::Expired), false).hushes(&event, NOW));
    assert!(of_match("source=iot-*", false).hushes(&event, NOW));
    let tomorrow = facts("a", 1);
    let (event, then) = (on(&tomorrow, Rung::Expired), NOW.plus(2 * DAY));
    assert!(!of_match("source=iot-*", false).hushes(&event, then));
    assert!(of_match("source=iot-*", true).hushes(&event, then));
    assert!(!of_match("source=iot-*,event=certificate.expired", false).hushes(&event, then));
}

#[test]
fn a_match_without_an_event_covers_alerts_about_certificates_only() {
    let week = facts("a", 7);
    let gone = Topic::Gone { facts: week.clone(), elsewhere: None };
    let gone = Event { topic: gone, ..on(&week, days(7)) };
    for (text, certificate, source, closing) in [
        ("source=iot-*", true, false, false),
        ("source=!iot-*", false, false, false),
        ("source=iot-*,unit=x", false, false, false),
        ("organizational_unit=plant-7,kind=device", true, false, false),
        ("labels.team=iot", false, false, false),
        ("event=source.*", false, true, false),
        ("event=source.stale,source=other", false, false, false),
        ("event=certificate.*", true, false, true),
        ("rung=7d", true, false, false),
        ("rung=14d,rung=3d", false, false, false),
        ("severity=warning", true, false, false),
    ] {
        let Ok(wanted) = Wanted::parse(text) else {
            assert!(text.contains("unit=x"), "{text}");
            continue;
        };
        let matches = [&on(&week, days(7)), &stale("iot-prod"), &gone].map(|it| wanted.matches(it));
        assert_eq!(matches, [certificate, source, closing], "{text}");
    }
}

#[test]
fn what_may_be_asked_for_is_bounded() {
    let of = |text: &str| WishCover::Match(Wanted::parse(text).unwrap());
    let one = || WishCover::Certificate("0".repeat(32));
    for (cover, seconds, part) in [
        (one(), 90 * DAY, ""),
        (one(), 90 * DAY + 1, "at most 90d"),
        (one(), 59, "at least 1m"),
        (of("source=x"), 90 * DAY, ""),
        (of("event=source.stale"), DAY, ""),
        (of("event=source.stale"), DAY + 1, "quiet for 24h at most"),
        (of("event=*"), DAY + 1, "quiet for 24h at most"),
        (of("event=!certificate.*"), 2 * DAY, "quiet for 24h at most"),
        (of("event=certificate.*"), 2 * DAY, ""),
        (of("event=certificates"), DAY, "nothing is called `certificates`"),
        (of("kind=phone"), DAY, "nothing is called `phone`; it is one of `device`"),
    ] {
        let mistake = wish(cover.clone(), seconds, false).mistake().unwrap_or_default();
        let fits = if part.is_empty() { mistake.is_empty() } else { mistake.contains(part) };
        assert!(fits, "{cover:?} {seconds}: {mistake}");
    }
    let asked = wish(one(), DAY, false);
    let mistake = |wish: Wish| wish.mistake().unwrap_or_default();
    let no_reason = Wish { reason: " \n".into(), ..asked.clone() };
    assert_eq!(mistake(no_reason), "reason: it must be said");
    let no_author = Wish { author: String::new(), ..asked.clone() };
    assert_eq!(mistake(no_author), "author: it must be said");
    assert!(mistake(Wish { reason: "x".repeat(501), ..asked }).contains("500 letters"));
}

#[test]
fn a_match_is_written_as_it_is_read() {
    for (text, written) in [
        ("source=iot-*, organizational_unit = plant-7", "organizational_unit=plant-7,source=iot-*"),
        (r"issuer=CN=Root\,O=x", r"issuer=CN=Root\,O=x"),
        ("kind=ca,kind=server,,", "kind=ca,kind=server"),
        (r"serial=a\b", r"serial=a\\b"),
        ("labels.team=iot", "labels.team=iot"),
    ] {
        assert_eq!(Wanted::parse(text).unwrap().text(), written);
    }
    for (text, part) in [
        ("", "names at least one field"),
        ("source", "is not `field=pattern`"),
        ("colour=red", "it is none of `source`"),
        ("labels.=x", "it is none of `source`"),
    ] {
        let error = Wanted::parse(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Wanted::new([("source".into(), vec!["x".into(); 101])]).is_err());
}

#[test]
fn it_is_over_once_the_certificate_is_another_than_it_was() {
    let snooze = |hold| of_one(&facts("a", 7), Some(days(7)), hold);
    let end = Some(NOW.plus(7 * DAY));
    for (not_after, rung, replaced, expected) in [
        (end, Some(days(7)), false, None),
        (end, None, false, None),
        (end, Some(days(3)), false, Some(SnoozeEnd::TighterRung)),
        (Some(NOW), Some(days(3)), false, Some(SnoozeEnd::EndChanged)),
        (None, None, false, Some(SnoozeEnd::EndChanged)),
        (end, None, true, Some(SnoozeEnd::Renewed)),
    ] {
        let over = |hold| snooze(hold).over((not_after, None), rung, replaced);
        assert_eq!((over(false), over(true)), (expected, None));
    }
    assert_eq!(of_match("source=*", false).over((None, None), None, true), None);
}

#[test]
fn readers_are_told_until_when_nothing_is_said() {
    let (a, b) = (facts("a", 7), facts("b", 70));
    let longer = Snooze { until: NOW.plus(20 * DAY), ..of_match("serial=a", false) };
    let mut all: Snoozes = [of_one(&a, Some(days(7)), false), longer].into_iter().collect();
    let until =
        |all: &Snoozes, facts, rung| all.until(facts, rung, NOW).map(|at| at.since(NOW) / DAY);
    assert_eq!(until(&all, &a, Some(days(7))), Some(20));
    assert_eq!(until(&all, &a, None), Some(20));
    assert_eq!(until(&all, &b, None), None);
    assert_eq!(all.next_end(), Some(NOW.plus(10 * DAY)));
    assert_eq!(all.remove("s2").unwrap().id, "s2");
    assert_eq!((all.len(), until(&all, &a, Some(days(7)))), (1, Some(10)));
    assert_eq!(until(&all, &a, Some(days(3))), None);
    assert!(all.remove("s2").is_none());
    let by_rung: Snoozes = [of_match("rung=7d", false)].into_iter().collect();
    assert_eq!(until(&by_rung, &a, Some(days(7))), Some(10));
    assert_eq!(until(&by_rung, &a, None), None, "it stands on none");
    for word in SnoozeEnd::ALL.map(SnoozeEnd::as_str) {
        assert_eq!(SnoozeEnd::from_word(word).unwrap().as_str(), word);
    }
}

proptest! {
    #![proptest_config(crate::property::config())]

    #[test]
    fn any_match_that_can_be_read_is_written_and_read_alike(text in "([a-z_.]{1,9}|source|serial|labels.x)=[\\\\,=*a-c !]{0,6}(,|,serial=x)?") {
        if let Ok(wanted) = Wanted::parse(&text) {
            prop_assert_eq!(Wanted::parse(&wanted.text()), Ok(wanted));
        }
    }

    /// However a snooze was made: nothing is quiet after its end, and no end of a certificate that came after it.
    #[test]
    fn nothing_is_quiet_for_too_long(
        ends in -40_i64..400, then in 0_i64..100, hold: bool, single: bool, rung in 0_u32..60,
    ) {
        let certificate = facts("a", ends);
        let rung = if rung == 0 { Rung::Expired } else { days(rung) };
        let snooze = if single {
            of_one(&certificate, Some(days(30)), hold)
        } else {
            of_match("source=iot-*", hold)
        };
        let hushed = snooze.hushes(&on(&certificate, rung), NOW.plus(then * DAY));
        prop_assert!(!hushed || then < 10);
        prop_assert!(!hushed || hold || rung != Rung::Expired || ends <= 0);
        prop_assert!(!hushed || hold || !single || !rung.is_tighter_than(days(30)));
    }
}

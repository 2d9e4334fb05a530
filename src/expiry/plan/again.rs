//! To whom a rung is said again: each channel counts from when it was last told.
//!
//! Reminders go out in rounds, and a round is usually for all. A channel that heard one late, because it was down, is left out
//! of the next until its own time has come; then it hears the round that stands.

use super::super::certificate::Timestamp;
use super::reminders::TOGETHER;
use super::{Notified, Reminding, TRUSTED_ERROR};

/// A channel that was told of an open alert at another time than when that was decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The channel.
    pub channel: String,
    /// When it was told, more than [`SOON`](Self::SOON) after the last round; `None`: a message about it may have arrived, and
    /// nobody knows yet.
    pub at: Option<Timestamp>,
}

impl Heard {
    /// What is told within so many seconds counts from when it was decided.
    pub const SOON: i64 = TOGETHER;
}

/// What is said again now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// The next round, to these.
    Next(Vec<String>),
    /// The last round, to these, who were left out of it.
    Last(Vec<String>),
    /// Nothing.
    Nothing,
}

/// When something is due for a channel.
enum Due {
    At(Timestamp),
    Never,
    /// When it is known what became of a message.
    Unknown,
}

/// Returns what is said again now of a certificate that ends at `end` to those of `routed` whose time has come, and when it is to
/// be looked at again for the others. `heard` are those that do not count from the last round.
pub fn again(
    (rule, last, end): (Reminding, Notified, Timestamp),
    heard: &[Heard],
    routed: &[String],
    now: Timestamp,
) -> (Again, Option<Timestamp>) {
    // What was heard in the future was heard by a clock that was wrong.
    let known = |one: &&Heard| one.at.is_none_or(|at| at <= now.plus(TRUSTED_ERROR));
    let find = |channel: &String| heard.iter().filter(known).find(|one| one.channel == *channel);
    let due = |channel: &String| match find(channel) {
        None => due(rule, last, end),
        Some(Heard { at: None, .. }) => Due::Unknown,
        Some(Heard { at: Some(at), .. }) => due(rule, last.heard_at(*at), end),
    };
    let missed_last =
        |channel: &String| find(channel).and_then(|one| one.at).is_some_and(|at| at < last.at);
    let soon = now.plus(TOGETHER);
    let is_due = |channel: &&String| matches!(due(channel), Due::At(at) if at <= soon);
    let told: Vec<String> = routed.iter().filter(is_due).cloned().collect();
    let later = routed.iter().filter_map(|channel| match due(channel) {
        Due::At(at) => Some(at).filter(|at| *at > soon),
        Due::Unknown => Some(soon),
        Due::Never => None,
    });
    let later = later.min();
    let said = match told.iter().all(missed_last) {
        _ if told.is_empty() => Again::Nothing,
        true => Again::Last(told),
        false => Again::Next(told),
    };
    (said, later)
}

fn due(rule: Reminding, last: Notified, end: Timestamp) -> Due {
    rule.next(last, end).map_or(Due::Never, Due::At)
}

impl Notified {
    /// Returns what a channel heard at a time: this, or the round before, where that was before this.
    #[must_use]
    pub const fn heard_at(self, at: Timestamp) -> Self {
        let count = if at.since(self.at) < 0 { self.count.saturating_sub(1) } else { self.count };
        Self { at, count, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::super::ladder::Rung;
    use super::*;

    const HOUR: i64 = 3600;
    const END: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn names(some: &[&str]) -> Vec<String> {
        some.iter().map(|name| (*name).to_owned()).collect()
    }

    /// What is said so many hours after the last round, and in which hour something is due after that. `heard` are those that
    /// were told late or before: by how many hours.
    fn after(last: Notified, hours: i64, heard: &[(&str, Option<i64>)]) -> (Again, Option<i64>) {
        let heard: Vec<Heard> = heard
            .iter()
            .map(|(name, at)| Heard {
                channel: (*name).to_owned(),
                at: at.map(|hours| last.at.plus(hours * HOUR)),
            })
            .collect();
        let rules = (Reminding::default(), last, END);
        let now = last.at.plus(hours * HOUR);
        let (said, later) = again(rules, &heard, &names(&["a", "b"]), now);
        (said, later.map(|later| later.since(last.at) / HOUR))
    }

    #[test]
    fn each_channel_counts_from_when_it_was_last_told() {
        let last = Notified {
            rung: Rung::Before(3 * 86_400),
            at: END.plus(-60 * HOUR),
            mild: false,
            count: 2,
        };
        let next = |some: &[&str]| Again::Next(names(some));
        let again = |some: &[&str]| Again::Last(names(some));
        for (hours, heard, expected) in [
            (22, &[][..], (Again::Nothing, Some(24))),
            (23, &[], (next(&["a", "b"]), None)),
            (24, &[("b", Some(20))], (next(&["a"]), Some(44))),
            (43, &[("a", Some(20)), ("b", Some(20))], (next(&["a", "b"]), None)),
            (24, &[("a", Some(20)), ("b", Some(20))], (Again::Nothing, Some(44))),
            // The last round went without it: it hears that one in its time.
            (18, &[("b", Some(-4))], (Again::Nothing, Some(20))),
            (19, &[("b", Some(-4))], (again(&["b"]), Some(24))),
            (23, &[("b", Some(-1))], (next(&["a", "b"]), None)),
            // It may know already, since nobody knows when.
            (24, &[("b", None)], (next(&["a"]), Some(25))),
            (10, &[("b", None)], (Again::Nothing, Some(11))),
            // It heard of it when the clock was wrong, and some other channel does not matter.
            (24, &[("b", Some(90)), ("c", Some(20))], (next(&["a", "b"]), None)),
        ] {
            assert_eq!(after(last, hours, heard), expected, "{hours} {heard:?}");
        }
    }

    #[test]
    fn after_the_end_each_channel_has_heard_it_seven_times_before_it_is_said_weekly() {
        let last = Notified { rung: Rung::Expired, at: END, mild: false, count: 7 };
        for (hours, late, expected) in [
            (24, 4, (Again::Nothing, Some(7 * 24))),
            (19, -4, (Again::Last(names(&["b"])), Some(7 * 24))),
            (7 * 24, 4, (Again::Next(names(&["a"])), Some(7 * 24 + 4))),
        ] {
            assert_eq!(after(last, hours, &[("b", Some(late))]), expected, "{hours} {late}");
        }
    }

    /// What is known of one channel.
    #[derive(Default)]
    struct Room {
        waits: Option<u16>,
        late: Option<Timestamp>,
        told: Option<Timestamp>,
        heard: BTreeSet<u16>,
    }

    /// Rooms that are down in some hours, and what they hear of one certificate.
    struct Play {
        last: Notified,
        rooms: BTreeMap<String, Room>,
    }

    impl Play {
        fn deliver(&mut self, now: Timestamp, is_up: impl Fn(&str) -> bool) {
            for (name, room) in self.rooms.iter_mut().filter(|(name, _)| is_up(name)) {
                if let Some(round) = room.waits.take() {
                    assert!(room.heard.insert(round), "{name} heard {round} before");
                    room.late = Some(now).filter(|now| now.since(self.last.at) > Heard::SOON);
                    room.told = Some(now);
                }
            }
        }

        /// Says what is due, and answers when it is to be looked at again.
        fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
            let heard = self.rooms.iter().filter(|(_, room)| room.waits.is_none());
            let heard = heard.filter_map(|(name, room)| {
                room.late.map(|at| Heard { channel: name.clone(), at: Some(at) })
            });
            let heard: Vec<Heard> = heard.collect();
            let routed: Vec<String> = self.rooms.keys().cloned().collect();
            let rules = (Reminding::default(), self.last, END.plus(1_000_000_000));
            let (said, later) = again(rules, &heard, &routed, now);
            let (told, next) = match said {
                Again::Nothing => return later,
                Again::Next(told) => (told, true),
                Again::Last(told) => (told, false),
            };
            if next {
                self.last = Notified { at: now, count: self.last.count + 1, ..self.last };
                self.rooms.values_mut().for_each(|room| room.waits = None);
            }
            for name in told {
                let room = self.rooms.get_mut(&name).unwrap();
                if let Some(told) = room.told.filter(|_| !room.heard.is_empty()) {
                    let waited = now.since(told);
                    assert!(waited >= 22 * HOUR, "{name} after {waited} s");
                }
                room.waits = Some(self.last.count);
            }
            later
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn nobody_is_reminded_before_a_day_is_over_nor_forgotten(
            down in proptest::collection::vec((0_usize..3, 0_i64..200, 1_i64..40), 0..6),
        ) {
            let start = END;
            let last = Notified { rung: Rung::Expired, at: start, mild: false, count: 0 };
            let last = Notified { rung: Rung::Before(86_400), ..last };
            let room = |name: &str| (name.to_owned(), Room { waits: Some(0), ..Room::default() });
            let mut play = Play { last, rooms: ["a", "b", "c"].map(room).into() };
            let is_down = |name: &str, hour: i64| {
                let room = ["a", "b", "c"].iter().position(|one| *one == name);
                down.iter().any(|(one, from, hours)| {
                    Some(*one) == room && (*from..from + hours).contains(&hour)
                })
            };
            let mut looks = BTreeSet::from([start.plus(24 * HOUR)]);
            for step in 0..240 * 4 {
                let (now, hour) = (start.plus(step * 900), step / 4);
                play.deliver(now, |name| !is_down(name, hour));
                if looks.first().is_some_and(|at| *at <= now) {
                    looks = looks.split_off(&now.plus(TOGETHER + 1));
                    looks.extend(play.look(now));
                    looks.extend(Reminding::default().next(play.last, END.plus(1_000_000_000)));
                }
                for (name, room) in &play.rooms {
                    let long = room.told.is_some_and(|told| now.since(told) > 25 * HOUR);
                    prop_assert!(!long || room.waits.is_some(), "{name} hears nothing in hour {hour}");
                }
            }
        }
    }
}

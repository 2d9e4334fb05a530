//! 2: nothing is taken twice, and what may have arrived is sent again as it was. 7: no faster than a service allows.
//! 11: what is given up has a reason.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use notafter::facade::channel::Page;
use notafter::facade::expiry::{Event, Severity, Topic};
use notafter::facade::store::BatchUpdate;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::super::config::Step;
use super::super::room::Part;
use super::super::scene::RoomFault;
use super::super::truth::DAY;
use super::rungs::{length, step};
use super::times::TRUSTED;
use super::{Judge, LIVENESS, payload};

/// Rungs of at most so many seconds are said again,
const REMIND_FROM: i64 = 3 * DAY;

/// after about a day: those that are due within the hour go together.
const REMIND_EVERY: i64 = DAY - 3700;

/// In each room that is counted from when it was told: what it was told within an hour counts from when it was decided.
const REMINDED_AFTER: i64 = REMIND_EVERY - 3600;

/// What is decided within so many seconds of a message that is being sent may not know of it.
const AT_ONCE: i64 = 60;

/// A service counts by the minute.
const MINUTE: Duration = Duration::from_mins(1);

/// So many answers that nobody understands, one after the other, are the end of a message.
const UNKNOWNS: u32 = 4;

/// What may be said once: a certificate, an end, a rung and a severity.
type Key = (usize, i64, (bool, i64), Severity);

/// What happened in one room.
#[derive(Default)]
pub(super) struct Book {
    heard: BTreeMap<String, Heard>,
    /// The newest event for each key, and when it was decided.
    newest: BTreeMap<Key, (String, i64)>,
    /// What may have arrived: the message that says an event, and its bodies by page.
    fates: BTreeMap<String, (String, BTreeMap<usize, u64>)>,
    /// The events of each message.
    messages: BTreeMap<String, Vec<String>>,
    /// How often each message was refused: as unknown, and as what cannot be said.
    refusals: BTreeMap<String, (u32, u32)>,
    /// When something was given up.
    given_up: Vec<i64>,
    /// What was said of each certificate, taken or perhaps: when, about which end, and the length of the rung.
    pub(super) told: BTreeMap<usize, Vec<(i64, i64, i64)>>,
    /// What was taken of each certificate, as above.
    pub(super) taken: BTreeMap<usize, Vec<(i64, i64, i64)>>,
    /// The certificates that were reported as renewed or gone, and when.
    pub(super) closed: BTreeMap<usize, Vec<i64>>,
    /// Bodies that were sent.
    sent: BTreeSet<u64>,
    sends: VecDeque<Instant>,
    closed_until: Option<Instant>,
    pub(super) slept: Option<Instant>,
}

#[derive(Default)]
struct Heard {
    first: i64,
    times: u32,
    /// Whether it is written down that it was taken.
    settled: bool,
}

impl Book {
    /// Returns whether something was taken of which that is not written down.
    pub(super) fn has_unsettled(&self) -> bool {
        self.heard.values().any(|heard| !heard.settled)
    }

    /// Returns whether something was given up.
    pub(super) const fn gave_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// Another process counts for itself.
    pub(super) fn restart(&mut self) {
        self.sends.clear();
        self.closed_until = None;
    }
}

fn key_of(place: usize, event: &Event) -> Option<Key> {
    let Topic::Expiring { facts, rung, .. } = &event.topic else { return None };
    let rung = match step(*rung) {
        Step::Before(seconds) => (false, seconds),
        Step::Percent(percent) => (true, percent),
    };
    Some((place, facts.not_after?.seconds(), rung, event.severity))
}

impl Judge {
    fn place_of(&self, event: &Event) -> Option<usize> {
        let facts = event.facts()?;
        self.find(&facts.source, &facts.serial)
    }

    /// A request is on its way.
    pub(crate) fn sent(&mut self, room: usize, part: Option<&Part>, page: &Page<'_>) {
        self.judge_pace(room);
        let Some(part) = part else {
            return self.violates(8, format!("a body that was never composed: {}", page.body));
        };
        if let Err(why) = payload::check(self.scene.channels[room], page.body) {
            return self.violates(8, format!("{why}: {}", page.body));
        }
        self.judge_fates(room, part, page);
        let events: Vec<_> = part.message.events.iter().map(|event| event.id.clone()).collect();
        self.books[room].messages.insert(part.message.id.clone(), events);
        let is_new = self.books[room].sent.insert(xxh3_64(page.body.as_bytes()));
        for event in &part.message.events {
            self.may_hear(room, event);
            if is_new && part.page == 0 {
                self.judge_event(room, part, event);
            }
        }
        if part.message.events.len() > 5 {
            self.reach("a list");
        }
        if part.pages > 1 {
            self.reach("a message of several pages");
        }
    }

    fn judge_event(&mut self, room: usize, part: &Part, event: &Event) {
        self.reach(super::reach::of_event(event));
        match &event.topic {
            Topic::Expiring { facts, rung, .. } => self.rung(part, event, (facts, *rung)),
            Topic::Renewed { facts, successor, successor_not_after } => {
                self.renewed(room, facts, (successor, *successor_not_after));
            }
            Topic::Gone { facts, .. } => self.gone(room, facts),
            _ => {}
        }
    }

    /// From now on somebody in the room may know of it.
    fn may_hear(&mut self, room: usize, event: &Event) {
        let Some(place) = self.place_of(event) else { return };
        if let Some(told) = self.told_of(place, event) {
            self.books[room].told.entry(place).or_default().push(told);
        }
    }

    fn told_of(&self, place: usize, event: &Event) -> Option<(i64, i64, i64)> {
        let Topic::Expiring { facts, rung, .. } = &event.topic else { return None };
        let end = facts.not_after?.seconds();
        let length = length(step(*rung), self.certificate(place).lifetime(end))?;
        Some((self.right(), end, length))
    }

    /// What may have arrived goes out again as it was.
    fn judge_fates(&mut self, room: usize, part: &Part, page: &Page<'_>) {
        let (id, body) = (part.message.id.clone(), xxh3_64(page.body.as_bytes()));
        let mut differs = None;
        for event in &part.message.events {
            let known = self.books[room].fates.entry(event.id.clone());
            let (message, bodies) = known.or_insert_with(|| (id.clone(), BTreeMap::new()));
            let known = *bodies.entry(part.page).or_insert(body);
            if *message != id || known != body {
                differs = Some(message.clone());
            } else if bodies.len() > part.page + 1 {
                differs.get_or_insert_with(String::new);
            }
        }
        match differs {
            Some(message) if !message.is_empty() => {
                self.violates(
                    2,
                    format!("may have arrived in {message} and is sent otherwise in {id}"),
                );
            }
            _ => {}
        }
        if page.id != id && !page.id.starts_with(&format!("{id}-")) {
            self.violates(2, format!("{} is no id of a page of {id}", page.id));
        }
    }

    /// The room took a page.
    pub(crate) fn taken(&mut self, room: usize, part: &Part) {
        if part.page + 1 < part.pages {
            return;
        }
        let now = self.right();
        for event in &part.message.events {
            let place = self.place_of(event);
            if let Some(place) = place {
                self.note_taken(room, place, event);
            }
            let excuse = place.is_some_and(|place| {
                self.may_have_closed(place, self.first_heard(room, &event.id))
            });
            let heard = self.books[room].heard.entry(event.id.clone()).or_default();
            if heard.times == 0 {
                heard.first = now;
            }
            heard.times += 1;
            let again = heard.times > 1;
            let settled = std::mem::replace(&mut heard.settled, false);
            if again && settled && !excuse {
                self.violates(2, format!("taken again in room {room}: {event:?}"));
            } else if again {
                self.reach("taken twice, since nobody knew");
            }
            if let Some(place) = place {
                self.judge_newness(room, place, event);
            }
        }
    }

    fn note_taken(&mut self, room: usize, place: usize, event: &Event) {
        let now = self.right();
        if let Some(told) = self.told_of(place, event) {
            self.books[room].taken.entry(place).or_default().push(told);
        }
        if matches!(event.topic, Topic::Renewed { .. } | Topic::Gone { .. }) {
            self.books[room].closed.entry(place).or_default().push(now);
        }
    }

    fn first_heard(&self, room: usize, event: &str) -> i64 {
        self.books[room].heard.get(event).map_or(i64::MAX, |heard| heard.first)
    }

    /// Returns whether an alert about a certificate may have been closed and opened again since then: something else was
    /// shown of it, or of one that may take its place, or the configuration changed.
    fn may_have_closed(&self, place: usize, since: i64) -> bool {
        let since = since.saturating_sub(2 * DAY);
        let touched = |place: usize| {
            self.shown.certificates[place].touched.iter().skip(1).any(|at| *at >= since)
        };
        let mut kin = self.kin.at(place).iter().copied();
        let first_shown = |place: usize| {
            self.shown.certificates[place].states.first().is_some_and(|(at, _)| *at >= since)
        };
        let reloaded = self.times.settings.iter().any(|(at, _)| *at >= since);
        // An entry from the future of a clock that was wrong is void.
        let bent = self.times.was_bent_since(since);
        reloaded || bent || touched(place) || kin.any(|other| touched(other) || first_shown(other))
    }

    /// One rung is said by one event, but for reminders and what was given up.
    fn judge_newness(&mut self, room: usize, place: usize, event: &Event) {
        let Some(key) = key_of(place, event) else { return };
        let before = self.books[room].newest.insert(key, (event.id.clone(), event.at.seconds()));
        let Some((id, at)) = before.filter(|(id, _)| *id != event.id) else { return };
        let (told, now) = (self.first_heard(room, &id), self.right());
        let is_its_time =
            now - told >= REMINDED_AFTER || (told - event.at.seconds()).abs() < AT_ONCE;
        let Topic::Expiring { rung, .. } = &event.topic else { return };
        let reminds = i64::from(rung.seconds()) <= REMIND_FROM
            && event.at.seconds() - at >= REMIND_EVERY
            && is_its_time;
        let given_up = self.books[room].given_up.iter().any(|then| *then >= at - DAY);
        if reminds {
            self.reach("a reminder");
        } else if at > event.at.seconds() + TRUSTED {
            self.reach("said again, since it was said by a clock that was ahead");
        } else if given_up {
            self.reach("said again after it was given up");
        } else if self.was_snoozed(self.certificate(place).source, at) {
            self.reach("said again after a snooze");
        } else if !self.may_have_closed(place, at) && !self.times.was_bent_since(at) {
            self.violates(2, format!("said in room {room} as {id} before: {event:?}"));
        }
    }

    /// The room answers that it failed.
    pub(crate) fn refused(
        &mut self,
        room: usize,
        part: &Part,
        (fault, pause): (RoomFault, Duration),
    ) {
        self.reach(super::reach::of_room(fault));
        let now = Instant::now();
        let book = &mut self.books[room];
        let (unknown, rejected) = book.refusals.entry(part.message.id.clone()).or_default();
        match fault {
            RoomFault::Unknown | RoomFault::Panics => *unknown += 1,
            RoomFault::Rejects => *rejected += 1,
            RoomFault::Throttles => book.closed_until = Some(now + pause),
            _ => {}
        }
    }

    /// The store has written what became of a message.
    pub(crate) fn settled(&mut self, channel: &str, batch: &str, update: &BatchUpdate) {
        let room: usize = channel.strip_prefix("room-").and_then(|room| room.parse().ok()).unwrap();
        let events = self.books[room].messages.get(batch).cloned().unwrap_or_default();
        match update {
            BatchUpdate::Delivered { .. } if events.is_empty() => {
                self.violates(LIVENESS, format!("{batch} is delivered, and was never sent"));
            }
            BatchUpdate::Delivered { .. } => self.delivered(room, batch, &events),
            BatchUpdate::Dead { at, code } => {
                self.reach("given up");
                let (unknown, rejected) =
                    self.books[room].refusals.get(batch).copied().unwrap_or_default();
                if code.is_empty() || unknown < UNKNOWNS && rejected == 0 {
                    self.violates(11, format!("{batch} was given up in room {room} as {code:?}"));
                }
                self.books[room].given_up.push(at.seconds());
                self.let_go(room, batch, &events);
            }
            BatchUpdate::Released => self.let_go(room, batch, &events),
            BatchUpdate::Retry(next) if !next.begun => self.let_go(room, batch, &events),
            BatchUpdate::Retry(_) => {}
        }
    }

    fn delivered(&mut self, room: usize, batch: &str, events: &[String]) {
        for event in events {
            let heard = self.books[room].heard.get_mut(event);
            let is_heard = heard.is_some_and(|heard| {
                heard.settled = true;
                heard.times > 0
            });
            if !is_heard {
                self.violates(
                    LIVENESS,
                    format!("{event} is delivered in {batch}, and nobody took it"),
                );
            }
        }
        self.let_go(room, batch, events);
    }

    fn let_go(&mut self, room: usize, batch: &str, events: &[String]) {
        for event in events {
            let fates = &mut self.books[room].fates;
            if fates.get(event).is_some_and(|(message, _)| message == batch) {
                fates.remove(event);
            }
        }
    }

    fn judge_pace(&mut self, room: usize) {
        let (gap, per_minute) = payload::pace(self.scene.channels[room]);
        let now = Instant::now();
        let book = &mut self.books[room];
        while book.sends.front().is_some_and(|at| *at + MINUTE <= now) {
            book.sends.pop_front();
        }
        let too_soon = book.sends.back().is_some_and(|last| *last + gap > now);
        let too_many = book.sends.len() >= per_minute;
        let paused = book.closed_until.is_some_and(|until| until > now);
        book.sends.push_back(now);
        if too_soon || too_many || paused {
            let text = format!(
                "room {room}: {too_soon} too soon, {too_many} too many, {paused} in a pause"
            );
            self.violates(7, text);
        }
    }
}

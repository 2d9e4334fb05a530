//! What really is: every certificate of every source, and what becomes of it.

use notafter::facade::expiry::{Kind, Status};

use super::dice::Dice;

pub(crate) const DAY: i64 = 86_400;

/// The lives of certificates, in days.
const LIVES: [i64; 6] = [6, 47, 100, 200, 398, 3650];

/// Certificates that end together.
const CROWD: usize = 20_000;

/// What a provider may call a thing.
const NAMES: [&str; 6] = [
    "holder",
    "<!channel> *b*",
    "\"}],\"at\":{\"isAtAll\":true}",
    "<at id=all></at>",
    "@everyone & <b>",
    "line\nbreak\u{202e}x",
];

/// One certificate, as it really is.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) source: usize,
    pub(crate) serial: String,
    pub(crate) kind: Kind,
    pub(crate) holder: String,
    pub(crate) not_before: Option<i64>,
    pub(crate) end: i64,
    /// When its provider begins to list it.
    pub(crate) listed: i64,
    /// When it does so no more.
    pub(crate) deleted: Option<i64>,
    /// When its end becomes another one.
    pub(crate) moved: Option<(i64, i64)>,
    /// Its states, and since when.
    pub(crate) states: Vec<(i64, Status)>,
    /// What its provider links as its renewal, and since when.
    pub(crate) linked: Option<(i64, String)>,
}

/// What is true of a certificate at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) end: i64,
    pub(crate) status: Status,
    pub(crate) linked: bool,
}

impl Certificate {
    pub(crate) fn is_listed(&self, at: i64) -> bool {
        self.listed <= at && self.deleted.is_none_or(|deleted| at < deleted)
    }

    pub(crate) fn state(&self, at: i64) -> State {
        let end = self.moved.filter(|(when, _)| *when <= at).map_or(self.end, |(_, end)| end);
        let status = self.states.iter().rev().find(|(since, _)| *since <= at);
        let linked = self.linked.as_ref().is_some_and(|(since, _)| *since <= at);
        State { end, status: status.map_or(Status::Active, |(_, status)| *status), linked }
    }

    pub(crate) fn lifetime(&self, end: i64) -> Option<i64> {
        self.not_before.map(|start| end - start)
    }

    /// Returns whether `new` takes the place of this one, as things are shown of both.
    pub(crate) fn is_replaced_by(&self, own: State, new: &Self, other: State) -> bool {
        let kin = self.source == new.source && self.kind == new.kind && self.serial != new.serial;
        let linked = || self.linked.as_ref().is_some_and(|(_, serial)| *serial == new.serial);
        let follows = match self.kind {
            Kind::Device => self.holder == new.holder,
            Kind::Server => own.linked && linked(),
            Kind::Ca | Kind::Client => false,
        };
        let live = own.status == Status::Active && other.status == Status::Active;
        kin && follows && live && other.end > own.end
    }
}

/// What becomes of a certificate.
#[derive(Clone, Copy)]
enum Fate {
    Nothing,
    Renewed { leaves: bool },
    Extended,
    Shortened,
    Revoked,
    Retired,
    Deleted,
    SwitchedOff { back: bool },
}

const FATES: [Fate; 14] = [
    Fate::Nothing,
    Fate::Nothing,
    Fate::Nothing,
    Fate::Nothing,
    Fate::Renewed { leaves: false },
    Fate::Renewed { leaves: true },
    Fate::Renewed { leaves: false },
    Fate::Extended,
    Fate::Shortened,
    Fate::Revoked,
    Fate::Retired,
    Fate::Deleted,
    Fate::SwitchedOff { back: true },
    Fate::SwitchedOff { back: false },
];

/// Draws the certificates of one source for some days after `now`.
pub(crate) fn draw(
    dice: &mut Dice,
    source: usize,
    count: usize,
    now: i64,
    days: i64,
) -> Vec<Certificate> {
    let kind = if source.is_multiple_of(2) { Kind::Device } else { Kind::Server };
    let mut all = vec![authority(dice, source, now)];
    for number in 0..count {
        let mut one = certificate(dice, (source, number, kind), now, days);
        let fate = dice.one_of(&FATES);
        let first = one.listed.max(now) + DAY;
        let at = dice.between(first, (first + DAY).max(now + (days - 2) * DAY));
        all.extend(befall(dice, &mut one, fate, at));
        all.push(one);
    }
    all.sort_by_key(|one| (one.listed, one.serial.clone()));
    all
}

/// Draws twenty thousand certificates of the first source that end in one second, of which a few are renewed before.
pub(crate) fn crowd(dice: &mut Dice, now: i64, days: i64) -> Vec<Certificate> {
    let end = now + days * DAY * 2 / 3 + dice.between(0, DAY);
    let mut all = Vec::new();
    for number in 0..CROWD {
        let serial = format!("crowd-{number}");
        let holder = format!("of the crowd {number}");
        let start = end - 200 * DAY;
        let bare = certificate(dice, (0, number, Kind::Device), now, days);
        let (not_before, listed) = (Some(start), now);
        let mut one = Certificate { serial, holder, not_before, end, listed, ..bare };
        if dice.once_in(200) {
            let at = dice.between(now + DAY, end);
            all.extend(befall(dice, &mut one, Fate::Renewed { leaves: false }, at));
        }
        all.push(one);
    }
    all
}

fn authority(dice: &mut Dice, source: usize, now: i64) -> Certificate {
    let end = now + dice.between(5, 900) * DAY;
    Certificate {
        source,
        serial: "authority".to_owned(),
        kind: Kind::Ca,
        holder: "an authority".to_owned(),
        not_before: Some(end - 3650 * DAY),
        end,
        listed: now,
        deleted: None,
        moved: None,
        states: Vec::new(),
        linked: None,
    }
}

fn certificate(
    dice: &mut Dice,
    (source, number, kind): (usize, usize, Kind),
    now: i64,
    days: i64,
) -> Certificate {
    let life = dice.one_of(&LIVES) * DAY;
    let end = now + dice.between(-35 * DAY, (days + 50) * DAY);
    let start = end - life;
    Certificate {
        source,
        serial: format!("s{source}-{number}"),
        kind,
        holder: format!("{} {number}", dice.one_of(&NAMES)),
        not_before: (!dice.once_in(6)).then_some(start),
        end,
        listed: start.max(now),
        deleted: None,
        moved: None,
        states: Vec::new(),
        linked: None,
    }
}

/// Lets something become of a certificate. Returns the one that takes its place, if one does.
fn befall(dice: &mut Dice, one: &mut Certificate, fate: Fate, at: i64) -> Option<Certificate> {
    match fate {
        Fate::Nothing => {}
        Fate::Renewed { leaves } => {
            let new = successor(one, at);
            one.linked = Some((at, new.serial.clone()));
            one.deleted = leaves.then(|| at + dice.between(0, 9 * DAY));
            return Some(new);
        }
        Fate::Extended => one.moved = Some((at, one.end.max(at) + dice.between(DAY, 90 * DAY))),
        Fate::Shortened => {
            let earliest = one.not_before.map_or(i64::MIN, |start| start + DAY);
            one.moved = Some((at, (one.end - dice.between(DAY, 9 * DAY)).max(earliest)));
        }
        Fate::Revoked => one.states.push((at, Status::Revoked)),
        Fate::Retired => one.states.push((at, Status::Retired)),
        Fate::Deleted => one.deleted = Some(at),
        Fate::SwitchedOff { back } => {
            one.states.push((at, Status::Inactive));
            let again = at + dice.between(DAY / 2, 20 * DAY);
            one.states.extend(back.then_some((again, Status::Active)));
        }
    }
    None
}

fn successor(one: &Certificate, at: i64) -> Certificate {
    let life = one.lifetime(one.end).unwrap_or(100 * DAY);
    Certificate {
        serial: format!("{}-new", one.serial),
        not_before: Some(at),
        end: one.end.max(at) + life.max(2 * DAY),
        listed: at,
        ..one.clone()
    }
}

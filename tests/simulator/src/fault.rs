//! Misbehaviour on command.

use std::sync::Mutex;
use std::time::Duration;

use super::Service;
use super::random::mix;
use super::wire::Wire;

/// A way to misbehave.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The service's first throttling answer.
    Throttle,
    /// An error of the service's own envelope, `InternalError` or `RequestLimitExceeded.UinLimitExceeded` for
    /// example; for `EnOS` a number.
    Code(&'static str),
    /// A status with a short text.
    Status(u16),
    /// A page from a proxy.
    Html { status: u16 },
    /// No answer, and the connection stays open.
    Hang,
    /// The connection is reset before the answer.
    Reset,
    /// The connection is reset in the middle of the body.
    ResetInBody,
    /// The connection is closed in the middle of the body.
    Truncate,
    /// A body of this many bytes.
    Oversize { bytes: u64, declared: bool },
    /// A small body that gzip makes this large.
    GzipBomb { bytes: u64 },
    /// The answer takes between these times.
    Latency { least: Duration, most: Duration },
    /// The list is null.
    NullList,
    /// In every third row each field is null but those that name it.
    NullFields,
    /// The ends are null, 0 and absent in turn.
    NoEnds,
    /// One row has a word for an end and a list for a status.
    WrongTypes,
    /// The total is off by this.
    TotalOff(i64),
    /// The list is empty, the total is not.
    EmptyPage,
    /// The page before is served again.
    RepeatPage,
    /// After the answer, rows are inserted at the end and deleted at a place.
    Drift { insert: u64, delete: u64, place: Place },
    /// The provider's clock is off by this many seconds.
    ClockSkew(i64),
    /// The token, or the temporary credentials, are refused as expired.
    ExpiredToken,
    /// The filter by end is ignored.
    FilterIgnored,
    /// The filter by end takes its values for seconds.
    FilterInSeconds,
    /// An offset above this is refused.
    OffsetAbove(u64),
}

/// Where rows are deleted, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Head,
    Tail,
    Random,
}

/// Which of the requests from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The next one.
    Once,
    /// The next ones.
    N(u64),
    /// Only the n-th from now, counted from 1.
    Nth(u64),
    /// Every k-th.
    Every(u64),
    /// All of them, until healed.
    Always,
}

/// What the faults do to one request.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub struct Effects {
    /// An answer instead of the answer.
    pub instead: Option<Instead>,
    pub wire: Option<Wire>,
    pub delay: Duration,
    /// Changes to the JSON of the answer.
    pub bends: Vec<Fault>,
    pub repeat: bool,
    pub drifts: Vec<(u64, u64, Place)>,
    pub skew: i64,
    pub expired_token: bool,
    pub filter_ignored: bool,
    pub filter_in_seconds: bool,
    /// The largest offset that is taken.
    pub reach: Option<u64>,
}

/// An answer instead of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    Throttle,
    Code(&'static str),
    Status(u16),
    Html(u16),
}

/// The faults that are on.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

struct Rule {
    service: Service,
    action: Option<String>,
    fault: Fault,
    times: Times,
    seen: u64,
}

impl Faults {
    /// Turns a fault on for a service, or for one action of it.
    pub fn add(&self, service: Service, action: Option<&str>, fault: Fault, times: Times) {
        let action = action.map(str::to_owned);
        self.lock().push(Rule { service, action, fault, times, seen: 0 });
    }

    /// Turns every fault off.
    pub fn heal(&self) {
        self.lock().clear();
    }

    /// Returns what happens to the next request for an action.
    pub fn next(&self, service: Service, action: &str) -> Effects {
        let mut effects = Effects::default();
        let mut rules = self.lock();
        for rule in rules.iter_mut() {
            let is_meant = rule.action.as_ref().is_none_or(|meant| meant == action);
            if rule.service == service && is_meant && rule.fires() {
                effects.add(&rule.fault, rule.seen);
            }
        }
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().expect("no panic while faults are held")
    }
}

impl Rule {
    fn fires(&mut self) -> bool {
        self.seen += 1;
        match self.times {
            Times::Once => self.seen == 1,
            Times::N(n) => self.seen <= n,
            Times::Nth(n) => self.seen == n,
            Times::Every(k) => self.seen.is_multiple_of(k.max(1)),
            Times::Always => true,
        }
    }
}

impl Effects {
    fn add(&mut self, fault: &Fault, seen: u64) {
        match fault {
            Fault::Throttle => self.instead = Some(Instead::Throttle),
            Fault::Code(code) => self.instead = Some(Instead::Code(code)),
            Fault::Status(status) => self.instead = Some(Instead::Status(*status)),
            Fault::Html { status } => self.instead = Some(Instead::Html(*status)),
            Fault::Hang => self.wire = Some(Wire::Hang),
            Fault::Reset => self.wire = Some(Wire::ResetAtOnce),
            Fault::ResetInBody => self.wire = Some(Wire::ResetInside),
            Fault::Truncate => self.wire = Some(Wire::Truncated),
            Fault::Oversize { bytes, declared } => {
                self.wire = Some(Wire::Oversized { bytes: *bytes, declared: *declared });
            }
            Fault::GzipBomb { bytes } => self.wire = Some(Wire::Bomb { bytes: *bytes }),
            Fault::Latency { least, most } => {
                let span = most.saturating_sub(*least).as_micros().max(1) as u64;
                self.delay += *least + Duration::from_micros(mix(7, seen) % span);
            }
            Fault::Drift { insert, delete, place } => self.drifts.push((*insert, *delete, *place)),
            Fault::RepeatPage => self.repeat = true,
            Fault::ClockSkew(seconds) => self.skew += seconds,
            Fault::ExpiredToken => self.expired_token = true,
            Fault::FilterIgnored => self.filter_ignored = true,
            Fault::FilterInSeconds => self.filter_in_seconds = true,
            Fault::OffsetAbove(most) => self.reach = Some(*most),
            bend => self.bends.push(bend.clone()),
        }
    }
}

//! The daily digest: how everything stands, what is new, and what waits for somebody. It is said when there is nothing to
//! report as well: silence then means that nobody watches.

use super::certificate::Timestamp;
use super::facts::Facts;
use super::inventory::Stand;
use super::ladder::Rung;

/// How everything stands, once a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyDigest {
    /// The channel that it is for.
    pub channel: String,
    /// When it was due.
    pub scheduled: Timestamp,
    /// When the last one was said, or when it was first counted: what is new is new since then.
    pub since: Option<Timestamp>,
    /// Every certificate.
    pub total: u64,
    /// Which active one ends next, of those that have not ended.
    pub next: Option<Facts>,
    /// How many active ones stand on each rung, the tightest first.
    pub rungs: Vec<(Rung, u64)>,
    /// Active ones that ended more than 30 days ago.
    pub long_ended: u64,
    /// Those without a known end.
    pub undated: u64,
    /// Those on a rung of which nothing is said for a while.
    pub snoozed: u64,
    /// How each source stands, by name.
    pub sources: Vec<SourceCount>,
    /// What is new.
    pub news: News,
    /// The first of those on a rung that are not snoozed, the soonest first.
    pub soonest: Vec<Ending>,
    /// Snoozes that end soon or match nothing.
    pub snoozes: Vec<DigestSnooze>,
    /// How many messages to each channel were given up.
    pub dead: Vec<(String, u64)>,
    /// Sources that are not proven.
    pub unproven: Vec<Unproven>,
}

/// How one source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// Its name.
    pub source: String,
    /// Its certificates.
    pub total: u64,
    /// The active ones of them that stand on a rung.
    pub on_a_rung: u64,
}

/// What is new since the last digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Certificates that crossed a rung, or were first seen behind one.
    pub inside: u64,
    /// Certificates that something took the place of.
    pub renewed: u64,
    /// Certificates that are not there any more, with nothing in their place.
    pub gone: u64,
    /// Certificates without a known end that were not there.
    pub undated: u64,
}

/// A certificate on a rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The certificate.
    pub facts: Facts,
    /// The tightest rung that it crossed.
    pub rung: Rung,
}

/// A snooze that somebody may want to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSnooze {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Its end.
    pub until: Timestamp,
    /// Whether it hushes nothing.
    pub idle: bool,
}

/// A source that is not proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// Its name.
    pub source: String,
    /// The last proven scan, if there ever was one.
    pub last_proven: Option<Timestamp>,
    /// What went wrong. Never a secret.
    pub error: Option<String>,
}

impl DailyDigest {
    /// Returns one that says nothing yet.
    pub const fn new(channel: String, scheduled: Timestamp) -> Self {
        Self {
            channel,
            scheduled,
            since: None,
            total: 0,
            next: None,
            rungs: Vec::new(),
            long_ended: 0,
            undated: 0,
            snoozed: 0,
            sources: Vec::new(),
            news: News { inside: 0, renewed: 0, gone: 0, undated: 0 },
            soonest: Vec::new(),
            snoozes: Vec::new(),
            dead: Vec::new(),
            unproven: Vec::new(),
        }
    }

    /// Returns one that says how the certificates stand.
    pub fn of(stand: &Stand, scheduled: Timestamp) -> Self {
        let source = |(source, (total, on_a_rung)): (&String, &(u64, u64))| SourceCount {
            source: source.clone(),
            total: *total,
            on_a_rung: *on_a_rung,
        };
        let mut rungs: Vec<(Rung, u64)> = stand.rungs.iter().map(|(rung, n)| (*rung, *n)).collect();
        rungs.sort_by_key(|(rung, _)| rung.seconds());
        Self {
            total: stand.sources.values().map(|(total, _)| total).sum(),
            rungs,
            long_ended: stand.long_ended,
            undated: stand.undated,
            snoozed: stand.snoozed,
            sources: stand.sources.iter().map(source).collect(),
            news: News { inside: stand.newly, ..News::default() },
            ..Self::new(String::new(), scheduled)
        }
    }

    /// Returns how many active certificates stand on a rung.
    pub fn on_a_rung(&self) -> u64 {
        self.rungs.iter().map(|(_, count)| count).sum()
    }

    /// Returns how many of those on a rung that are not snoozed are left out, where `shown` are not.
    pub fn left_out(&self, shown: usize) -> u64 {
        let shown = u64::try_from(shown).unwrap_or(u64::MAX);
        self.on_a_rung().saturating_sub(self.snoozed).saturating_sub(shown)
    }
}

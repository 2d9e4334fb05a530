//! Quiet on purpose: for how long nothing is said of what, by whose word and why.
//!
//! Reading order: `wanted` (what a snooze by match covers), `wish` (what may be asked for), `active` (all of them together).

mod active;
mod wanted;
mod wish;
#[cfg(test)]
mod tests;

use super::certificate::Timestamp;
use super::event::{Event, Topic};
use super::facts::Facts;
use super::inventory::RowId;
use super::ladder::Rung;

pub use active::Snoozes;
pub use wanted::Wanted;
pub use wish::{RefusedWish, Wish, WishCover};

/// A clock that is trusted may be off by so many seconds.
const TRUSTED_ERROR: i64 = 3600;

/// For how long nothing is said of what, by whose word and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snooze {
    /// Its id.
    pub id: String,
    /// What it covers.
    pub cover: Cover,
    /// When it was made.
    pub made: Timestamp,
    /// Its own end.
    pub until: Timestamp,
    /// Whether it lasts to its own end whatever comes.
    pub hold: bool,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The event in whose message was the link that it was made by.
    pub link: Option<String>,
    /// When it ended, and why.
    pub ended: Option<(Timestamp, SnoozeEnd)>,
}

/// What a snooze covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// One certificate.
    Certificate(Snoozed),
    /// Whatever is like this.
    Match(Wanted),
}

/// A certificate as it stood when it was snoozed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snoozed {
    /// Its id.
    pub id: String,
    /// Its number then.
    pub row: RowId,
    /// The tightest rung that it had crossed.
    pub rung: Option<Rung>,
    /// When it ended.
    pub not_after: Option<Timestamp>,
}

/// Why a snooze is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnoozeEnd {
    /// Its time is over.
    Time,
    /// The certificate crossed a tighter rung.
    TighterRung,
    /// Something took the certificate's place.
    Renewed,
    /// The certificate ends at another time.
    EndChanged,
    /// Somebody ended it.
    ByHand,
}

impl SnoozeEnd {
    /// Every way.
    pub const ALL: [Self; 5] =
        [Self::Time, Self::TighterRung, Self::Renewed, Self::EndChanged, Self::ByHand];

    /// Returns the word used in the store and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::TighterRung => "tighter_rung",
            Self::Renewed => "renewed",
            Self::EndChanged => "end_changed",
            Self::ByHand => "by_hand",
        }
    }

    /// Returns the way that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == word)
    }

    /// Returns whether what still stands is said then: nothing else will say it.
    pub const fn says_what_stands(self) -> bool {
        matches!(self, Self::Time | Self::ByHand)
    }
}

impl Snooze {
    /// Returns whether it covers what is about notafter itself.
    pub fn is_about_notafter(&self) -> bool {
        matches!(&self.cover, Cover::Match(wanted) if wanted.is_about_notafter())
    }

    /// Returns whether it holds at a time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ended.is_none() && !self.is_past(now)
    }

    /// Returns whether its time is over. One from the future was made when the clock was wrong, and is void: it would hush
    /// until then.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.until <= now || self.made > now.plus(TRUSTED_ERROR)
    }

    /// Returns whether nothing is to be said of an event now.
    pub fn hushes(&self, event: &Event, now: Timestamp) -> bool {
        self.is_active(now) && self.covers(event)
    }

    /// Returns whether an event is what it covers. The end of a certificate is not hushed by what was made before it,
    /// unless by one that holds.
    pub fn covers(&self, event: &Event) -> bool {
        if !self.hold && self.comes_before_the_end_of(event) {
            return false;
        }
        match &self.cover {
            Cover::Certificate(one) => is_alert(event) && self.covers_alert(one, event),
            Cover::Match(wanted) => wanted.matches(event),
        }
    }

    /// Returns why it is over although its time is not, as the certificate stands now. `is_replaced`: something took its
    /// place.
    pub fn over(
        &self,
        facts: (Option<Timestamp>, Option<u32>),
        rung: Option<Rung>,
        is_replaced: bool,
    ) -> Option<SnoozeEnd> {
        let Cover::Certificate(one) = &self.cover else { return None };
        let (not_after, lifetime) = facts;
        if self.hold {
            return None;
        }
        if is_replaced {
            return Some(SnoozeEnd::Renewed);
        }
        if one.not_after != not_after {
            return Some(SnoozeEnd::EndChanged);
        }
        one.is_tighter(rung, lifetime).then_some(SnoozeEnd::TighterRung)
    }

    fn covers_alert(&self, one: &Snoozed, event: &Event) -> bool {
        let Some(facts) = event.facts() else { return false };
        let as_it_stood =
            || one.not_after == facts.not_after && !one.is_tighter(rung(event), facts.lifetime());
        (self.hold || as_it_stood()) && one.id == facts.id()
    }

    fn comes_before_the_end_of(&self, event: &Event) -> bool {
        let end = event.facts().and_then(|facts| facts.not_after);
        rung(event) == Some(Rung::Expired) && end.is_none_or(|end| self.made < end)
    }

    /// Returns whether it covers a certificate on which nothing is due, or is on a rung.
    fn covers_facts(&self, facts: &Facts, at: Option<&Event>) -> bool {
        match (&self.cover, at) {
            (_, Some(event)) => self.covers(event),
            (Cover::Certificate(one), None) => {
                (self.hold || one.not_after == facts.not_after) && one.id == facts.id()
            }
            (Cover::Match(wanted), None) => wanted.matches_facts(facts),
        }
    }
}

impl Snoozed {
    fn is_tighter(&self, rung: Option<Rung>, lifetime: Option<u32>) -> bool {
        match (rung, self.rung) {
            (Some(now), Some(then)) => now.is_tighter_for(lifetime, then),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// Returns whether an event says of a certificate that it needs somebody.
pub(super) const fn is_alert(event: &Event) -> bool {
    let topic = &event.topic;
    matches!(topic, Topic::Expiring { .. } | Topic::NotDeployed { .. } | Topic::EndsFirst { .. })
}

fn rung(event: &Event) -> Option<Rung> {
    match event.topic {
        Topic::Expiring { rung, .. } | Topic::NotDeployed { rung, .. } => Some(rung),
        _ => None,
    }
}

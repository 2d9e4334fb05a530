//! What will hurt later: authorities that end before what they signed, and months in which far more ends than was ever renewed in
//! one. Each is said once, from long before.
//!
//! What was said stands as a condition for as long as the authority is known with that end, or until that month. Where it is not true for a while, or
//! is snoozed, what waits of it is settled; when it is true again it is said to those alone who were not told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decide::routed;
use super::{Pipeline, Watched};
use crate::expiry::{
    Ahead, Cliff, Condition, EndsFirst, Event, Facts, Foreseen, Month, Occasion, RenewalCounts,
    ScopeId, Severity, Timestamp, Topic, View, not_watched_enough,
};
use crate::store::{About, Post};

/// Seconds after which it is looked again although nothing changed: time passes.
const LOOK_AGAIN: i64 = 60;

/// What is ahead, as the newest saved state has it, and what was said of that.
#[derive(Default)]
pub(super) struct Foresight {
    seen: Foreseen,
    renewals: RenewalCounts,
    /// What was said, and whether it is to be heard. What was said before the start is not among it until it is looked at.
    said: BTreeMap<Condition, bool>,
    /// The scopes that were read to their end, and the state of the inventory that showed that.
    read: BTreeMap<ScopeId, u64>,
    /// What readers see.
    shown: Arc<Ahead>,
    /// When everything was last looked at, and the snoozes of then; `None`: it is time.
    looked: Option<(Timestamp, u64)>,
    /// Whether nothing was left open by that look.
    is_sure: bool,
}

/// Something to warn of.
struct Warning {
    condition: Condition,
    about: Matter,
}

enum Matter {
    Authority(EndsFirst),
    Cliff(Cliff),
}

impl Foresight {
    /// Goes on with what was counted before.
    pub(super) fn restored(renewals: Vec<(String, Month, u64)>) -> Self {
        Self { renewals: renewals.into_iter().collect(), ..Self::default() }
    }

    /// Knows these sources from now on, and no others.
    pub(super) fn follow(&mut self, watched: &[Watched]) {
        self.renewals.retain(|name| watched.iter().any(|source| source.name == name));
    }

    pub(super) const fn renewals(&self) -> &RenewalCounts {
        &self.renewals
    }

    pub(super) const fn renewals_mut(&mut self) -> &mut RenewalCounts {
        &mut self.renewals
    }

    /// Takes what the newest saved state shows.
    pub(super) fn take(&mut self, seen: Foreseen) {
        if self.seen != seen {
            self.seen = seen;
            self.looked = None;
        }
    }

    /// Routes may have changed: who was not told is told of what stands.
    pub(super) fn look_again(&mut self) {
        self.said.clear();
        self.looked = None;
    }

    /// Returns what readers see.
    pub(super) fn shown(&self) -> Arc<Ahead> {
        Arc::clone(&self.shown)
    }

    fn is_due(&self, now: Timestamp, snoozes: u64) -> bool {
        let is_late = |at: Timestamp| !(0..LOOK_AGAIN).contains(&now.since(at));
        !self.is_sure || self.looked.is_none_or(|(at, then)| is_late(at) || then != snoozes)
    }

    /// Returns when it is to be looked next, if nothing comes before: an authority comes near its end or to it, or a month begins.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let Some((looked, _)) = self.looked else { return Some(Timestamp::from_seconds(0)) };
        let again = (!self.is_sure).then(|| looked.plus(LOOK_AGAIN));
        let month = Month::of(looked).and_then(|month| month.plus(1).start());
        let authorities = self.seen.ends_first.iter().flat_map(EndsFirst::turns);
        let later = authorities.filter(|at| *at > looked).chain(month).chain(again);
        later.min()
    }

    fn is_said(&self, condition: &Condition) -> bool {
        self.said.get(condition) == Some(&true)
    }
}

impl Pipeline {
    /// Says what is ahead and was not said, and takes back what is true no more before it was heard.
    pub(super) async fn notify_ahead(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.note_watched(now);
        let snoozes = self.quiet.snoozes().tag();
        if !self.foresight.is_due(now, snoozes) {
            return Ok(());
        }
        let (mut warnings, is_sure) = self.authorities_ahead(now);
        warnings.extend(self.cliffs_ahead(now));
        self.take_back(&warnings, now);
        self.warn_of(&warnings, now).await?;
        self.foresight.looked = Some((now, snoozes));
        self.foresight.is_sure = is_sure;
        self.show_ahead(warnings, now);
        Ok(())
    }

    /// Returns the authorities to warn of, and whether these are all: of what is being read for the first time, or was not found
    /// just now, nothing new is said.
    fn authorities_ahead(&mut self, now: Timestamp) -> (Vec<Warning>, bool) {
        let (mut warnings, mut is_sure) = (Vec::new(), true);
        let names = self.scope_names();
        let due = self.foresight.seen.ends_first.iter().filter(|it| it.is_due(now));
        for about in due.copied().collect::<Vec<_>>() {
            let Some((source, scope)) = names.get(&about.scope) else { continue };
            let key = (about.signs, about.end.seconds());
            let condition = Condition::EndsFirst(source.to_string(), scope.to_string(), key);
            let stands = self.checks.holds(&condition);
            if self.is_authority(&about) && (stands || self.is_settled(&about, source, scope)) {
                warnings.push(Warning { condition, about: Matter::Authority(about) });
            } else {
                is_sure = false;
            }
        }
        (warnings, is_sure)
    }

    fn cliffs_ahead(&self, now: Timestamp) -> Vec<Warning> {
        let cliffs = self.foresight.renewals.cliffs(&self.foresight.seen.ending, now).into_iter();
        let is_watched =
            |it: &Cliff| self.settings.watched.iter().any(|source| *source.name == *it.source);
        let warning = |it: Cliff| Warning {
            condition: Condition::Cliff(it.source.to_string(), it.month),
            about: Matter::Cliff(it),
        };
        cliffs.filter(is_watched).map(warning).collect()
    }

    /// Returns whether a certificate is the authority still that the newest saved state had under its number.
    fn is_authority(&self, about: &EndsFirst) -> bool {
        let known = self.inventory.row(about.row);
        known.is_some_and(|it| it.scope == about.scope && it.not_after == Some(about.end))
    }

    fn is_settled(&mut self, about: &EndsFirst, source: &str, scope: &str) -> bool {
        if !self.sources.is_read(source, scope) || self.is_unsure(about.row) {
            return false;
        }
        // What was read last may not be saved yet, and not be counted.
        let version = self.inventory.version();
        let read = *self.foresight.read.entry(about.scope).or_insert(version);
        self.outputs.view.borrow().version() >= read
    }

    /// Forgets what was said of authorities that are known no more with that end and of months that have come, and settles what
    /// waits of others that are not to be warned of.
    fn take_back(&mut self, warnings: &[Warning], now: Timestamp) {
        let due: BTreeSet<&Condition> = warnings.iter().map(|one| &one.condition).collect();
        let view = Arc::clone(&self.outputs.view.borrow());
        for condition in self.checks.ahead() {
            if is_over(&condition, &view, now) {
                self.foresight.said.remove(&condition);
                self.end(&condition, None);
            } else if !due.contains(&condition) {
                self.hush(condition);
            }
        }
    }

    /// What was said is not to be heard for now.
    fn hush(&mut self, condition: Condition) {
        if self.checks.holds(&condition) && self.foresight.said.get(&condition) != Some(&false) {
            let (about, at) = (About::Condition(condition.key()), self.parts.clock.now());
            self.draft.post(Post::Held { about, at });
            self.foresight.said.insert(condition, false);
        }
    }

    /// Says what was not said, or not to everybody. A snooze may have been made or have ended since.
    async fn warn_of(&mut self, warnings: &[Warning], now: Timestamp) -> anyhow::Result<()> {
        let all = !self.quiet.snoozes().is_empty();
        let asked = warnings.iter().filter(|one| all || !self.foresight.is_said(&one.condition));
        let asked: Vec<&Warning> = asked.collect();
        if asked.is_empty() {
            return Ok(());
        }
        let row = |one: &&Warning| match &one.about {
            Matter::Authority(it) => Some(it.row),
            Matter::Cliff(_) => None,
        };
        let rows: Vec<_> = asked.iter().map(row).collect();
        for (one, facts) in asked.into_iter().zip(self.facts_of_some(&rows).await?) {
            let Some(event) = self.ahead_event(&one.about, facts) else { continue };
            if self.quiet.hushing(&event, now).is_some() {
                self.hush(one.condition.clone());
            } else if !self.foresight.is_said(&one.condition) {
                self.warn(one.condition.clone(), event);
            }
        }
        Ok(())
    }

    fn ahead_event(&self, about: &Matter, facts: Option<Facts>) -> Option<Event> {
        let topic = match about {
            Matter::Authority(it) => {
                let places = self.places_of(it.row);
                Topic::EndsFirst { facts: facts?, leaves: it.leaves, places }
            }
            Matter::Cliff(it) => Topic::FleetCliff {
                source: it.source.to_string(),
                month: it.month,
                ending: it.ending,
                renewed: it.renewed,
            },
        };
        Some(self.event(Severity::Warning, topic, &Occasion::First))
    }

    /// Says it for the first time, or to those whose routes lead there now and who were not told.
    fn warn(&mut self, condition: Condition, event: Event) {
        let channels = routed(&self.settings.config, &event);
        if self.checks.holds(&condition) {
            let about = About::Condition(condition.key());
            self.draft.post(Post::Say { event, channels, about });
        } else if channels.is_empty() {
            // What goes to nobody is not said.
            return;
        } else {
            self.raise(condition.clone(), event.topic);
        }
        self.foresight.said.insert(condition, true);
    }

    /// Shows readers what is ahead, said or not, unless it is snoozed.
    fn show_ahead(&mut self, warnings: Vec<Warning>, now: Timestamp) {
        let names = self.settings.watched.iter().map(|source| source.name.as_str());
        let unwatched = not_watched_enough(names, &self.foresight.renewals, now);
        let mut ahead = Ahead { unwatched, ..Ahead::default() };
        for Warning { condition, about } in warnings {
            match about {
                _ if self.foresight.said.get(&condition) == Some(&false) => {}
                Matter::Authority(it) => ahead.ends_first.push(it),
                Matter::Cliff(it) => ahead.cliffs.push(it),
            }
        }
        if *self.foresight.shown != ahead {
            self.foresight.shown = Arc::new(ahead);
            let view = Arc::clone(&self.outputs.view.borrow());
            self.publish(view);
        }
    }
}

/// Returns whether what a condition is about is there no more.
fn is_over(condition: &Condition, view: &View, now: Timestamp) -> bool {
    match condition {
        Condition::EndsFirst(source, scope, (signs, end)) => {
            let end = Timestamp::from_seconds(*end);
            let scope = view.find_scope(source, scope);
            scope.is_none_or(|scope| !view.has_authority(scope, *signs, end))
        }
        Condition::Cliff(_, month) => Month::of(now).is_none_or(|now| *month <= now),
        _ => false,
    }
}
